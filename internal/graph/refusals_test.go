package graph

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

const invalidToken = `{"error":{"code":"InvalidAuthenticationToken","message":"Words."}}`

func refOf(call string) recorder.CallRef {
	return recorder.CallRef{ID: recorder.CallID(call), Platform: call, Tenant: testTenant}
}

// announce returns what kind of fault came of it, none for success.
func announce(t *testing.T, c *Client, call recorder.CallRef) (recorder.FaultKind, *recorder.Fault) {
	t.Helper()
	if _, err := c.Announce(t.Context(), call, recorder.StatusRecording, testContext); err != nil {
		f := fault(t, err)
		return f.Kind, f
	}
	return 0, nil
}

// TestRefusedForGood: two refusals of one call's announcement, the second with
// a new token, are final whatever the tenant's other calls do to the tokens in
// between: they drop them, buy them, and have them taken.
func TestRefusedForGood(t *testing.T) {
	t.Parallel()
	const taken = "00000000-0000-0000-0000-00000000000c"
	cl := newCloud(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, taken) {
			writeJSON(w, 200, operationBody(`"completed"`))
			return
		}
		writeJSON(w, 401, invalidToken)
	})
	c := cl.client(t)
	a, b, other := refOf("a"), refOf("b"), refOf(taken)
	for i, step := range []struct {
		call recorder.CallRef
		want recorder.FaultKind
	}{
		{a, recorder.FaultThrottled},
		{b, recorder.FaultThrottled},
		{other, 0},
		{b, recorder.FaultRefused},
		{other, 0},
		{a, recorder.FaultRefused},
		{a, recorder.FaultRefused}, // failed is announced in vain, once
	} {
		got, f := announce(t, c, step.call)
		if got != step.want {
			t.Fatalf("step %d: %v, want %v", i, f, step.want)
		}
		if f != nil && (f.Receipt.HTTPStatus != 401 || !strings.Contains(f.Remedy, "credential")) {
			t.Errorf("step %d: %+v", i, f)
		}
	}
	if n := len(cl.requests()); n != 7 {
		t.Errorf("%d requests for 7 announcements", n)
	}
}

// TestRefusalIsForgotten: once a token was taken, or long after, the next
// refusal is a first one.
func TestRefusalIsForgotten(t *testing.T) {
	t.Parallel()
	refuse := true
	c := newCloud(t, func(w http.ResponseWriter, _ *http.Request) {
		if refuse = !refuse; !refuse {
			writeJSON(w, 401, invalidToken)
			return
		}
		writeJSON(w, 200, operationBody(`"completed"`))
	}).client(t)
	for i, want := range []recorder.FaultKind{recorder.FaultThrottled, 0, recorder.FaultThrottled, 0} {
		if got, f := announce(t, c, refOf("a")); got != want {
			t.Errorf("step %d: %v", i, f)
		}
	}
	var r refusals
	now := time.Now()
	if !r.first("a", now) || r.first("a", now.Add(refusalMemory)) || !r.first("a", now.Add(3*refusalMemory)) {
		t.Error("the memory is not as long as it says")
	}
	if r.first("b", now.Add(10*refusalMemory)); len(r.at) != 1 {
		t.Errorf("%d calls remembered for ever", len(r.at))
	}
}
