package catalogtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/recorderbot/recorderbot/internal/catalogue"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

func firstOutcomeWins(s *suite) {
	t := s.t
	s.c.Invited(invite("a", 0))
	var won, refused atomic.Int32
	var winner atomic.Value
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			detail := fmt.Sprint("by ", i)
			err := s.c.Conclude(t.Context(), recorder.Conclusion{
				Call: "a", Outcome: outcomes()[i%5], Cause: recorder.CauseCallEnded, Detail: detail, At: at(2),
				Recordings: []recorder.SealReport{{Recording: detail}},
			})
			switch {
			case err == nil:
				won.Add(1)
				winner.Store(detail)
			case errors.Is(err, recorder.ErrConcluded):
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 || refused.Load() != 31 {
		t.Fatalf("%d outcomes won, %d were refused", won.Load(), refused.Load())
	}
	s.reopen(t)
	if err := s.c.Conclude(t.Context(), recorder.Conclusion{Call: "a", Outcome: recorder.OutcomeFailed}); !errors.Is(err, recorder.ErrConcluded) {
		t.Errorf("after reopening: %v", err)
	}
	o, err := s.c.OutcomeOf(t.Context(), "a")
	must(t, err)
	equal(t, "detail", o.Detail, winner.Load())
	counts, err := s.c.CountOutcomes(t.Context())
	must(t, err)
	equal(t, "counts", counts, map[string]int{o.Outcome: 1})
	recs, err := s.c.Recordings(t.Context(), catalogue.Filter{Call: "a"})
	must(t, err)
	if len(recs) != 1 || recs[0].ID != o.Detail {
		t.Errorf("the losers left recordings: %v", recs)
	}
	if n := len(s.story(t, "a")); n != 2 {
		t.Errorf("the losers left a trace: %d lines", n)
	}
}

func everyOutcomeIsKept(s *suite) {
	t := s.t
	want := map[string]int{}
	for o := recorder.OutcomeRecorded; o <= recorder.OutcomeRejected; o++ {
		id := recorder.CallID(o.String())
		s.c.Invited(invite(id, int(o)))
		must(t, s.c.Conclude(t.Context(), recorder.Conclusion{Call: id, Outcome: o, Cause: recorder.CauseCallEnded, Detail: "d", At: at(3)}))
		want[o.String()] = 1
		got, err := s.c.OutcomeOf(t.Context(), id)
		must(t, err)
		equal(t, "outcome", got, catalogue.Outcome{Call: id, Outcome: o.String(), Cause: recorder.CauseCallEnded, Detail: "d", At: at(3)})
		equal(t, "journal's end", s.story(t, id)[1], `2 outcome {"outcome":"`+o.String()+`","cause":"callEnded","detail":"d"}`)
	}
	s.c.Invited(invite("live", 9))
	must(t, s.c.Append(t.Context()))
	want[""] = 1
	counts, err := s.c.CountOutcomes(t.Context())
	must(t, err)
	equal(t, "counts", counts, want)
	if _, err := s.c.OutcomeOf(t.Context(), "live"); !errors.Is(err, catalogue.ErrUnknown) {
		t.Errorf("a live call's outcome: %v", err)
	}
}

func unfinishedListsCalls(s *suite) {
	t := s.t
	for i := range 6 {
		s.c.Invited(invite(recorder.CallID(fmt.Sprint("c", i)), 10-i))
	}
	for _, id := range []recorder.CallID{"c1", "c4"} {
		must(t, s.c.Conclude(t.Context(), recorder.Conclusion{Call: id, Outcome: recorder.OutcomeNotRecorded}))
	}
	s.reopen(t)
	calls, err := s.c.Unfinished(t.Context())
	must(t, err)
	var ids []string
	for _, c := range calls {
		ids = append(ids, string(c.Invite.Call.ID))
	}
	equal(t, "unfinished, oldest first", strings.Join(ids, " "), "c5 c3 c2 c0")
	got, err := s.c.Call(t.Context(), "c3")
	must(t, err)
	want := invite("c3", 7)
	want.Raw = nil
	equal(t, "call", got, catalogue.Call{Invite: want, InviteKnown: true})
	if _, err := s.c.Call(t.Context(), "c9"); !errors.Is(err, catalogue.ErrUnknown) {
		t.Errorf("a stranger: %v", err)
	}
}

func lostInviteLeavesACall(s *suite) {
	t := s.t
	must(t, s.c.Append(t.Context(), entry("a", recorder.EntryAnnounce, 1)))
	calls, err := s.c.Unfinished(t.Context())
	must(t, err)
	if len(calls) != 1 || calls[0].InviteKnown || calls[0].Invite.Call.ID != "a" || !calls[0].Invite.At.Equal(at(1)) {
		t.Fatalf("unfinished: %+v", calls)
	}
	s.c.Invited(invite("a", 5)) // it comes late
	must(t, s.c.Append(t.Context()))
	c, err := s.c.Call(t.Context(), "a")
	must(t, err)
	if !c.InviteKnown || c.Invite.Call.Platform != "P-a" {
		t.Errorf("the late invite: %+v", c)
	}
	if got := s.story(t, "a"); len(got) != 2 || !strings.HasPrefix(got[1], "2 invite {") {
		t.Errorf("journal: %v", got)
	}
}

func repeatedInviteChangesNothing(s *suite) {
	t := s.t
	first := invite("a", 0)
	s.c.Invited(first)
	again := invite("a", 50)
	again.Call.Tenant = "another"
	s.c.Invited(again)
	s.reopen(t)
	s.c.Invited(again)
	must(t, s.c.Append(t.Context()))
	c, err := s.c.Call(t.Context(), "a")
	must(t, err)
	if c.Invite.Call.Tenant != "tenant" || !c.Invite.At.Equal(at(0)) {
		t.Errorf("the second invite won: %+v", c)
	}
	if got := s.story(t, "a"); len(got) != 1 || !strings.Contains(got[0], `"raw":{"a":1}`) {
		t.Errorf("journal: %v", got)
	}
}

func oddTextIsKept(s *suite) {
	t := s.t
	odd := "Ünï\x00cødé '\"; DROP TABLE calls; -- \xff"
	inv := invite("a", 0)
	inv.Policy, inv.Raw = odd, []byte("not JSON \x00\xff")
	s.c.Invited(inv)
	must(t, s.c.Append(t.Context(), entry("a", recorder.EntryFault, odd)))
	must(t, s.c.Conclude(t.Context(), recorder.Conclusion{Call: "a", Outcome: recorder.OutcomeFailed, Detail: odd}))
	s.reopen(t)
	o, err := s.c.OutcomeOf(t.Context(), "a")
	must(t, err)
	equal(t, "detail", o.Detail, "Ünï?cødé '\"; DROP TABLE calls; -- ?")
	if n := len(s.story(t, "a")); n != 3 {
		t.Errorf("%d lines", n)
	}
}

func badInputIsRefused(s *suite) {
	t := s.t
	ctx := t.Context()
	for name, err := range map[string]error{
		"entry without a call":        s.c.Append(ctx, recorder.Entry{Kind: recorder.EntryState}),
		"conclusion without a call":   s.c.Conclude(ctx, recorder.Conclusion{Outcome: recorder.OutcomeFailed}),
		"no outcome":                  s.c.Conclude(ctx, recorder.Conclusion{Call: "a"}),
		"unknown outcome":             s.c.Conclude(ctx, recorder.Conclusion{Call: "a", Outcome: 99}),
		"recording without an ID":     s.c.RecordingSealed(ctx, "a", recorder.SealReport{}),
		"seal without a call":         s.c.RecordingSealed(ctx, "", recorder.SealReport{Recording: "r"}),
		"archived without a manifest": s.c.RecordingArchived(ctx, catalogue.Archived{Recording: "r", Path: "p"}),
	} {
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if s.c.Note(recorder.Entry{Call: "a", Kind: recorder.EntryState, Data: make(chan int)}) {
		t.Error("a note that JSON does not know was accepted")
	}
	calls, err := s.c.Unfinished(ctx)
	must(t, err)
	if len(calls) != 0 {
		t.Errorf("bad input left calls: %v", calls)
	}
}

func closedRefuses(s *suite) {
	t := s.t
	must(t, s.c.Ping(t.Context()))
	s.c.Note(entry("a", recorder.EntryState, 1))
	must(t, s.c.Close(t.Context()))
	if err := s.c.Append(t.Context(), entry("a", recorder.EntryState, 2)); !errors.Is(err, catalogue.ErrClosed) {
		t.Errorf("Append after Close: %v", err)
	}
	if s.c.Note(entry("a", recorder.EntryState, 3)) {
		t.Error("Note after Close was accepted")
	}
	if err := s.c.Ping(context.Background()); err == nil {
		t.Error("a closed catalogue answers")
	}
	s.reopen(t)
	equal(t, "journal", s.story(t, "a"), []string{"1 state 1"}) // what was queued is written
}
