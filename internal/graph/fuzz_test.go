package graph

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// FuzzDecode: whatever comes, nothing breaks, and what is handed on is fit for
// paths, journals and metrics.
func FuzzDecode(f *testing.F) {
	for _, body := range [][]byte{
		[]byte(batchOf(entryOf("created", "", `{"state":"incoming","meetingInfo":{"token":"t"},"tenantId":"`+testTenant+`"}`))),
		[]byte(batchOf(entryOf("deleted", "", ""), `{"resourceUrl":"/communications/presences/x"}`)),
		[]byte(batchOf(entryOf("updated", "/participants", `[{"id":"p","mediaStreams":[{"sourceId":"1"}]}]`))),
		[]byte(batchOf(entryOf("deleted", "/operations/x", operationBody(`"completed"`)))),
		[]byte(`{"@odata.type":"#microsoft.graph.participantJoiningNotification","call":{"id":"x"}}`),
		[]byte(`{"@odata.type":"#microsoft.graph.commsNotifications","value":[{"resourceData":{"id":"x","state":5}}]}`),
		[]byte(batchOf(entryOf("created", "", `{"state":"incoming","incomingContext":{"transferor":{"phone":{"id":"+441632960123"}}},"targets":[{"identity":{"x":{"id":"8:orgid:u"}}}]}`))),
		[]byte(batchOf(entryOf("created", "", `{"state":"incoming","MeetingUrl":"https://x/l/meetup-join/19%3at/0?context={\"Oid\":\"o\"}&p=q","applicationMetadata":{"botData":{"a":[true,1,{"b":"c"}]}}}`))),
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		b, err := Decode(body, Arrival{At: testTime(), Chain: string(body[:min(len(body), 40)])})
		ns := b.Notifications
		if err != nil {
			var bad *DecodeError
			if !errors.As(err, &bad) || ns != nil || b.Skipped != nil || !slices.Contains(DecodeReasons(), bad.Reason) {
				t.Fatalf("error %v with %d notifications", err, len(ns))
			}
			return
		}
		if len(body) > maxBody || len(ns) == 0 || len(ns)+len(b.Skipped) > maxEntries {
			t.Fatalf("%d notifications of %d bytes", len(ns), len(body))
		}
		for _, bad := range b.Skipped {
			if !slices.Contains(DecodeReasons(), bad.Reason) {
				t.Fatalf("skipped for %q", bad.Reason)
			}
		}
		for _, n := range ns {
			checkNotification(t, n)
		}
	})
}

func checkNotification(t *testing.T, n Notification) {
	t.Helper()
	if again, err := callID(string(n.Call)); err != nil || again != n.Call {
		t.Errorf("call %q is not canonical: %q, %v", n.Call, again, err)
	}
	if c, err := callID(n.PlatformCall); err != nil || c != n.Call {
		t.Errorf("platform call %q is not %q", n.PlatformCall, n.Call)
	}
	if n.Raw != nil && !json.Valid(n.Raw) {
		t.Errorf("raw %q is not JSON", n.Raw)
	}
	if n.Invite != nil && scenarioOf(n.Invite.Call.Scenario) != n.Invite.Call.Scenario {
		t.Errorf("scenario %q does not fit into a header", n.Invite.Call.Scenario)
	}
	if n.Invite != nil && (n.Invite.Call.ID != n.Call || !n.Invite.At.Equal(testTime())) {
		t.Errorf("invite %+v of %s", n.Invite, n.Call)
	}
	if n.Invite != nil {
		checkDescription(t, n.Invite)
	}
	if n.Kind == Invite && n.Invite == nil {
		t.Error("an invite without one")
	}
	for _, e := range n.Events {
		if s, ok := e.(recorder.StatusReplied); ok && (s.Operation.Progress == 0 || s.Operation.Context == "" && s.Operation.ID == "") {
			t.Errorf("operation %+v", s.Operation)
		}
	}
}
