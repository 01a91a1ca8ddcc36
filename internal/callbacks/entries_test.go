package callbacks

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/recorderbot/recorderbot/internal/graph"
)

// TestUnusableEntries: they are counted, named in the log without content, and
// cost their batch nothing. Alone they are a 400, and nothing is handed over.
func TestUnusableEntries(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ entry, reason string }{
		"foreign resource": {`{"changeType":"updated","resourceUrl":"/communications/presences/Zaphod","resourceData":{"@odata.type":"#microsoft.graph.presence","x":"Zaphod"}}`, graph.ReasonForeign},
		"new type":         {`{"@odata.type":"#microsoft.graph.Zaphod","changeType":"updated","resourceUrl":"/communications/calls/` + callID + `"}`, graph.ReasonWrongType},
		"call is a path":   {`{"changeType":"updated","resourceUrl":"/communications/calls/..","resourceData":{"x":"Zaphod"}}`, graph.ReasonBadCallID},
	} {
		core, logs := observer.New(zapcore.DebugLevel)
		e := newEdge(t, func(o *Options) { o.Log = zap.New(core) })
		if w := e.do(post(t, goodToken().String(), batch(test.entry, test.entry))); w.Code != 400 || !strings.Contains(w.Body.String(), test.reason) {
			t.Errorf("%s alone: status %d (%s)", name, w.Code, w.Body)
		}
		if got := e.receiver.batches(); len(got) != 0 {
			t.Errorf("%s alone: handed over %v", name, got)
		}
		w := e.do(post(t, goodToken().String(), batch(test.entry, entry(ourTenant, callID), test.entry)))
		if w.Code != 202 {
			t.Errorf("%s: status %d (%s)", name, w.Code, w.Body)
		}
		if got := e.receiver.batches(); len(got) != 1 || len(got[0]) != 1 || string(got[0][0].Call) != callID {
			t.Errorf("%s: handed over %v", name, got)
		}
		if got := e.value(t, "recorderbot_notifications_total", "kind", "unknown", "verdict", verdictSkipped); got != 2 {
			t.Errorf("%s: %v counted", name, got)
		}
		last := logs.All()[logs.Len()-1].ContextMap()
		if last["skipped"] != int64(2) || !cmp.Equal(last["faults"], []any{test.reason}) || last["notifications"] != int64(1) {
			t.Errorf("%s: log %v", name, last)
		}
		if all := fmt.Sprint(logs.All()); strings.Contains(all, "Zaphod") {
			t.Errorf("%s: content in the log: %s", name, all)
		}
	}
}

// TestSkippingHidesNothing: what was refused whole for its envelope or for its
// tenant is so still, with a bad entry beside it.
func TestSkippingHidesNothing(t *testing.T) {
	t.Parallel()
	const bad = `{"resourceUrl":"/communications/presences/x"}`
	good := entry(ourTenant, callID)
	for name, test := range map[string]struct {
		body   string
		status int
	}{
		"other tenant":   {batch(bad, good, entry(otherTenant, callID)), 401},
		"wrong envelope": {strings.Replace(batch(bad, good), "commsNotifications", "chatMessages", 1), 400},
		"no value":       {`{"@odata.type":"#microsoft.graph.commsNotifications"}`, 400},
		"value no list":  {`{"@odata.type":"#microsoft.graph.commsNotifications","value":` + good + `}`, 400},
		"not JSON":       {batch(bad, good, "{"), 400},
	} {
		e := newEdge(t, nil)
		if w := e.do(post(t, goodToken().String(), test.body)); w.Code != test.status || len(e.receiver.batches()) != 0 {
			t.Errorf("%s: status %d, handed over %v", name, w.Code, e.receiver.batches())
		}
	}
}

// TestChainHeader: where the invite names no conversation, its request does.
func TestChainHeader(t *testing.T) {
	t.Parallel()
	e := newEdge(t, nil)
	r := post(t, goodToken().String(), strings.Replace(invite(ourTenant, callID), "callChainId", "x", 1))
	r.Header.Set(chainID, "a590efba-429f-46c8-bc2b-a12134505bcf")
	if w := e.do(r); w.Code != 202 {
		t.Fatalf("status %d", w.Code)
	}
	if got := e.receiver.batches()[0][0].Invite.Call.Scenario; got != "a590efba-429f-46c8-bc2b-a12134505bcf" {
		t.Errorf("scenario %q", got)
	}
}

// TestUnknownValuesAreCounted by kind, once the notification is accepted.
func TestUnknownValuesAreCounted(t *testing.T) {
	t.Parallel()
	e := newEdge(t, nil)
	roster := `{"changeType":"updated","resourceUrl":"/communications/calls/` + callID + `/participants","resourceData":[{"id":"p","brandNew":1}]}`
	body := batch(roster, entry(ourTenant, callID))
	if w := e.do(post(t, goodToken().String(), body)); w.Code != 202 {
		t.Fatalf("status %d", w.Code)
	}
	if got := e.value(t, "recorderbot_notification_unknown_values_total", "kind", "roster"); got != 1 {
		t.Errorf("%v counted", got)
	}
	if n := e.receiver.batches()[0][0]; n.Unknown != 1 || !strings.Contains(string(n.Raw), "brandNew") {
		t.Errorf("handed over %+v", n)
	}
	if got := e.value(t, "recorderbot_notification_unknown_values_total", "kind", "invite"); got != 0 {
		t.Errorf("%v unknown in an invite as documented", got)
	}
}
