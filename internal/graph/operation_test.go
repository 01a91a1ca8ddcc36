package graph

import (
	"errors"
	"strings"
	"testing"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// TestOperationTypes: a notification is taken under the same names as a reply.
func TestOperationTypes(t *testing.T) {
	t.Parallel()
	for odataType, ours := range map[string]bool{
		`"@odata.type":"#microsoft.graph.updateRecordingStatusOperation",`: true, `"@odata.type":"#microsoft.graph.commsOperation",`: true, "": true,
		`"@odata.type":"#microsoft.graph.playPromptOperation",`: false,
	} {
		data := `{` + odataType + `"id":"op","clientContext":"` + testContext + `","status":"completed"}`
		if n := decodeOK(t, batchOf(entryOf("deleted", "/operations/op", data)))[0]; (len(n.Events) == 1) != ours {
			t.Errorf("%s: notification %+v", odataType, n)
		}
		_, err := newCloud(t, status(200, data)).client(t).Announce(t.Context(), testRef(), recorder.StatusRecording, testContext)
		if (err == nil) != ours {
			t.Errorf("%s: reply %v", odataType, err)
		}
	}
}

// TestOperationByID: where our context is not repeated, the ID says which
// operation it is; one of the two IDs is enough, and two that differ are none.
func TestOperationByID(t *testing.T) {
	t.Parallel()
	const guid = "0fe0623f-d628-42ed-b4bd-8ac290072cc5"
	for _, test := range []struct{ path, id, want string }{
		{"/operations/" + guid, "", guid},
		{"/operations/" + guid, `"id":"` + guid + `",`, guid},
		{"/operations", `"id":"` + guid + `",`, guid},
		{"/operations/" + strings.ToUpper(guid), `"id":"` + guid + `",`, guid},
		{"/operations", "", ""},
	} {
		n := decodeOK(t, batchOf(entryOf("deleted", test.path, `{`+test.id+`"status":"completed"}`)))[0]
		if test.want == "" {
			if len(n.Events) != 0 || n.Unknown == 0 {
				t.Errorf("%+v: %+v", test, n)
			}
			continue
		}
		if len(n.Events) != 1 {
			t.Errorf("%+v: %+v", test, n)
			continue
		}
		op := n.Events[0].(recorder.StatusReplied).Operation
		if op.Context != "" || string(op.ID) != test.want || op.Progress != recorder.Completed {
			t.Errorf("%+v: %+v", test, op)
		}
	}
	var bad *DecodeError
	if _, err := Decode([]byte(batchOf(entryOf("deleted", "/operations/"+guid, `{"id":"other","status":"completed"}`))), testArrival()); !errors.As(err, &bad) || bad.Reason != ReasonBadShape {
		t.Errorf("two operations at once: %v", err)
	}
}

// TestPollWithoutContext: the ID that was asked for pairs question and answer.
// An announcement's own reply has to name it.
func TestPollWithoutContext(t *testing.T) {
	t.Parallel()
	c := newCloud(t, status(200, `{"id":"op","status":"completed"}`)).client(t)
	op, err := c.PollOperation(t.Context(), testRef(), "op")
	if err != nil || op.Context != "" || op.ID != "op" || op.Progress != recorder.Completed {
		t.Errorf("%+v, %v", op, err)
	}
	if op, err := c.Announce(t.Context(), testRef(), recorder.StatusRecording, testContext); err == nil {
		t.Errorf("a permit for nobody's announcement: %+v", op)
	}
}

// TestContradictedOperations are no success, wherever they come from.
func TestContradictedOperations(t *testing.T) {
	t.Parallel()
	whole := operationBody(`"completed"`)
	for body, want := range map[string]bool{
		strings.Replace(whole, "{", `{"error":{"code":"8506","message":"no"},`, 1):                         false,
		strings.Replace(whole, "{", `{"error":{},`, 1):                                                     false,
		strings.Replace(whole, "{", `{"error":null,`, 1):                                                   true,
		strings.Replace(whole, `"resultInfo":null`, `"resultInfo":{"code":403,"subcode":1}`, 1):            false,
		strings.Replace(whole, `"resultInfo":null`, `"resultInfo":{"code":"500"}`, 1):                      false,
		strings.Replace(whole, `"resultInfo":null`, `"resultInfo":{"code":200,"subcode":0}`, 1):            true,
		strings.Replace(operationBody(`"Completed"`), `"resultInfo":null`, `"resultInfo":{"code":400}`, 1): false,
	} {
		c := newCloud(t, status(200, body)).client(t)
		_, err := c.Announce(t.Context(), testRef(), recorder.StatusRecording, testContext)
		if (err == nil) != want || err != nil && fault(t, err).Kind != recorder.FaultUnknown {
			t.Errorf("reply %s: %v", body, err)
		}
		if _, err := c.PollOperation(t.Context(), testRef(), "op"); (err == nil) != want {
			t.Errorf("poll %s: %v", body, err)
		}
		n := decodeOK(t, batchOf(entryOf("deleted", "/operations/0fe0623f-d628-42ed-b4bd-8ac290072cc5", body)))[0]
		if (len(n.Events) == 1) != want || (n.Unknown == 0) != want {
			t.Errorf("notification %s: %+v", body, n)
		}
	}
}

// TestAnotherCallsReply: what Graph says of another call is not said of ours.
func TestAnotherCallsReply(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]bool{
		`{"id":"` + testCall + `","state":"established"}`:                                               true,
		`{"id":"` + strings.ToUpper(strings.ReplaceAll(testCall, "-", "")) + `","state":"established"}`: true,
		`{"state":"established"}`: true,
		`{"id":"0fe0623f-d628-42ed-b4bd-8ac290072cc5","state":"terminated"}`:  false,
		`{"id":"0fe0623f-d628-42ed-b4bd-8ac290072cc5","state":"established"}`: false,
		`{"@odata.type":"#microsoft.graph.participant","state":"terminated"}`: false,
		`{"state":"terminated","State":"established"}`:                        false,
	} {
		c := newCloud(t, status(200, body)).client(t)
		s, err := c.GetCall(t.Context(), testRef())
		if (err == nil) != want || want && s.State != "established" || err != nil && fault(t, err).Kind != recorder.FaultUnknown {
			t.Errorf("%s: %+v, %v", body, s, err)
		}
		if _, err := c.AskCall(t.Context(), testRef()); (err == nil) != want {
			t.Errorf("%s: %v", body, err)
		}
	}
}
