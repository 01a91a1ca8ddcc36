package cloud_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/teamsim/cloud"
	"github.com/recorderbot/recorderbot/internal/teamsim/trace"
)

func TestOneCall(t *testing.T) {
	t.Parallel()
	b := newBot(t, nil)
	call := b.established(cloud.CallSpec{})
	if !b.media.live("the blob") {
		t.Error("media does not flow")
	}
	said := b.announce(call, "recording", "c/1/recording")
	if said.status != http.StatusOK || said.body["status"] != "completed" || said.body["clientContext"] != "c/1/recording" ||
		said.body["@odata.type"] != "#microsoft.graph.updateRecordingStatusOperation" {
		t.Fatalf("announce: %d %s", said.status, said.raw)
	}
	if location := said.header.Get("Location"); !strings.HasSuffix(location, "/operations/"+said.body["id"].(string)) {
		t.Errorf("Location: %q", location)
	}
	if said.header.Get("request-id") == "" || said.header.Get("client-request-id") != "c-1" || said.header.Get("scenario-id") != "s-1" {
		t.Errorf("headers: %v", said.header)
	}
	b.reach(call, cloud.Recording)
	if r := b.do(http.MethodPost, callPath(call.ID(), "keepAlive"), nil); r.status != http.StatusOK {
		t.Errorf("keepAlive: %+v", r)
	}
	if r := b.do(http.MethodGet, callPath(call.ID(), ""), nil); r.body["state"] != "established" {
		t.Errorf("get: %s", r.raw)
	}
	if r := b.do(http.MethodGet, callPath(call.ID(), "participants"), nil); len(r.body["value"].([]any)) != 3 {
		t.Errorf("participants: %s", r.raw)
	}
	if r := b.do(http.MethodGet, callPath(call.ID(), "operations/"+said.body["id"].(string)), nil); r.body["status"] != "completed" {
		t.Errorf("operation: %s", r.raw)
	}
	if r := b.announce(call, "notRecording", "c/2/notRecording"); r.status != http.StatusOK {
		t.Errorf("notRecording: %+v", r)
	}
	if r := b.do(http.MethodDelete, callPath(call.ID(), ""), nil); r.status != http.StatusNoContent {
		t.Errorf("delete: %+v", r)
	}
	b.reach(call, cloud.Left)
	b.reach(call, cloud.Done)
	if b.media.live("the blob") {
		t.Error("media still flows")
	}
	b.await(func(n seen) bool { return n.change == "deleted" })
	b.noViolations()

	f := call.Facts()
	if took, ok := f.AnswerTook(); !ok || took <= 0 || took > 4*time.Second {
		t.Errorf("answer took %v, %v", took, ok)
	}
	if took, ok := f.AnnounceTook(); !ok || took <= 0 || took > 4*time.Second {
		t.Errorf("announcement took %v, %v", took, ok)
	}
	if len(f.Announcements) != 2 || f.Announcements[0].Success.IsZero() || f.Announcements[0].Applied.IsZero() || f.KeepAlives != 1 {
		t.Errorf("facts: %+v", f)
	}
	orderOf(t, b.cloud.Trace().OfCall(call.ID()), trace.InviteSent, trace.AnswerReceived, trace.CallEstablished, trace.StatusReceived,
		trace.StatusApplied, trace.StatusReplied, trace.HangUpReceived, trace.CallEnded)
}

// orderOf demands that the kinds' first events come in this order.
func orderOf(t *testing.T, events []trace.Event, kinds ...trace.Kind) {
	t.Helper()
	last := -1
	for _, k := range kinds {
		i := slices.IndexFunc(events, func(e trace.Event) bool { return e.Kind == k })
		if i <= last {
			t.Errorf("%s is at %d, after %d: %v", k, i, last, events)
		}
		last = i
	}
}

func TestUnansweredInviteIsGone(t *testing.T) {
	t.Parallel()
	b := newBot(t, func(o *cloud.Options) { o.AnswerWithin = 50 * time.Millisecond })
	call := b.place(cloud.CallSpec{})
	b.reach(call, cloud.Done)
	r := b.do(http.MethodPost, callPath(call.ID(), "answer"), answerBody(b.callback()))
	if r.status != http.StatusNotFound || r.code() != "8522" {
		t.Errorf("late answer: %d %s", r.status, r.raw)
	}
	if err := call.Wait(t.Context(), cloud.Answered); !errors.Is(err, cloud.ErrNotReached) {
		t.Errorf("wait: %v", err)
	}
	b.noViolations()
}

func TestRejectEndsTheCall(t *testing.T) {
	t.Parallel()
	b := newBot(t, nil)
	call := b.place(cloud.CallSpec{})
	if r := b.do(http.MethodPost, callPath(call.ID(), "reject"), `{"reason":"busy"}`); r.status != http.StatusAccepted {
		t.Fatalf("reject: %+v", r)
	}
	b.reach(call, cloud.Rejected)
	b.reach(call, cloud.Done)
	if f := call.Facts(); f.RejectReason != "busy" {
		t.Errorf("facts: %+v", f)
	}
	b.await(func(n seen) bool { return n.change == "deleted" })
	if r := b.do(http.MethodGet, callPath(call.ID(), ""), nil); r.code() != "8522" {
		t.Errorf("get: %s", r.raw)
	}
	b.noViolations()
}

func TestKeepAliveWindow(t *testing.T) {
	t.Parallel()
	b := newBot(t, func(o *cloud.Options) { o.KeepAliveWindow = 60 * time.Millisecond })
	call := b.established(cloud.CallSpec{})
	b.reach(call, cloud.Done)
	if f := call.Facts(); f.EndCode != 408 || f.EndSubcode != 8537 {
		t.Errorf("ended %d/%d", f.EndCode, f.EndSubcode)
	}
	if r := b.do(http.MethodPost, callPath(call.ID(), "keepAlive"), nil); r.status != http.StatusNotFound {
		t.Errorf("keepAlive after the end: %+v", r)
	}
}

func TestEndedCallIsUnknownAtOnceOrLater(t *testing.T) {
	t.Parallel()
	b := newBot(t, nil)
	call := b.established(cloud.CallSpec{})
	if !call.End(cloud.Ending{}) || call.End(cloud.Ending{}) {
		t.Error("End does not tell the first from the second")
	}
	if r := b.announce(call, "notRecording", "x"); r.status != http.StatusNotFound || r.code() != "8522" {
		t.Errorf("announce: %d %s", r.status, r.raw)
	}
	lingering := b.established(cloud.CallSpec{Linger: time.Minute})
	lingering.End(cloud.Ending{})
	if r := b.announce(lingering, "notRecording", "x"); r.status != http.StatusOK {
		t.Errorf("announce: %d %s", r.status, r.raw)
	}
	b.noViolations()
}

func TestMediaThatCannotConnectEndsTheCall(t *testing.T) {
	t.Parallel()
	b := newBot(t, nil)
	b.media.refuse = true
	call := b.place(cloud.CallSpec{})
	b.answer(call)
	b.reach(call, cloud.Done)
	if f := call.Facts(); f.EndSubcode != 7106 || !f.Established.IsZero() {
		t.Errorf("facts: %+v", f)
	}
}

func TestOrdinaryCallTakesNoRecordingStatus(t *testing.T) {
	t.Parallel()
	b := newBot(t, nil)
	call := b.established(cloud.CallSpec{Kind: cloud.KindOrdinary})
	if n := b.await(state("incoming")); strings.Contains(string(n.data), "observedParticipantId") {
		t.Errorf("an ordinary call observes: %s", n.data)
	}
	if r := b.announce(call, "recording", "x"); r.status != http.StatusForbidden || r.code() != "8506" {
		t.Errorf("announce: %d %s", r.status, r.raw)
	}
}

func TestEarlyStatusIsConfigurable(t *testing.T) {
	t.Parallel()
	for _, refuse := range []bool{false, true} {
		b := newBot(t, func(o *cloud.Options) { o.RefuseEarlyStatus = refuse })
		call := b.place(cloud.CallSpec{EstablishAfter: time.Minute})
		b.answer(call)
		want := http.StatusOK
		if refuse {
			want = http.StatusBadRequest
		}
		if r := b.announce(call, "recording", "x"); r.status != want {
			t.Errorf("refuse %v: %d %s", refuse, r.status, r.raw)
		}
	}
}

func TestGrouping(t *testing.T) {
	t.Parallel()
	for _, bare := range []bool{false, true} {
		b := newBot(t, nil)
		style := cloud.Documented()
		style.BareJoining = bare
		call := b.established(cloud.CallSpec{Style: &style})
		b.answerWith(func(r *http.Request, body []byte) (int, []byte) {
			if strings.Contains(string(body), "participantJoiningNotification") {
				return http.StatusOK, []byte(`{"@odata.type":"#microsoft.graph.acceptJoinResponse"}`)
			}
			return http.StatusAccepted, nil
		})
		reply, err := call.Join(cloud.Participant{ID: "9bfa7f0a-7e0d-4b39-9d5c-000000000001", User: "u"})
		if err != nil || !reply.Accepted {
			t.Errorf("bare %v: %+v, %v", bare, reply, err)
		}
		b.noViolations()
		b.answerWith(func(*http.Request, []byte) (int, []byte) { return http.StatusOK, []byte(`{"accepted":true}`) })
		if _, err := call.Join(cloud.Participant{ID: "9bfa7f0a-7e0d-4b39-9d5c-000000000002"}); err == nil || len(b.cloud.Trace().Violations()) == 0 {
			t.Error("a reply that is not documented is taken")
		}
	}
}

func TestSameSeedSameCall(t *testing.T) {
	t.Parallel()
	var invites [2]string
	for i := range invites {
		b := newBot(t, nil)
		b.place(cloud.CallSpec{Number: 5})
		invites[i] = strings.ReplaceAll(string(b.await(state("incoming")).data), b.callback(), "webhook")
	}
	if invites[0] != invites[1] {
		t.Errorf("not deterministic:\n%s\n%s", invites[0], invites[1])
	}
}
