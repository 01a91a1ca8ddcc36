package recorder

import (
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestReplyBeforeItsQuestion: a reply to what was not asked yet is no consent, and
// no half of one.
func TestReplyBeforeItsQuestion(t *testing.T) {
	t.Parallel()
	m := &monitor{}
	m.saw(StatusReplied{testOperation(testContext, Running)}) // a 2xx, from nowhere
	if err := m.checkAnnounce(announcement{"c", StatusRecording, testContext}); err != nil {
		t.Fatal(err)
	}
	m.saw(StatusReplied{testNotified(testContext, Completed)})
	if m.consent {
		t.Error("consent without a reply to the request")
	}
}

// TestMonitorCounts: it remembers all that was announced, for contexts are numbered.
func TestMonitorCounts(t *testing.T) {
	t.Parallel()
	m := &monitor{}
	for _, context := range []string{"c/1/recording", "c/2/failed"} {
		if err := m.checkAnnounce(announcement{"c", StatusFailed, context}); err != nil {
			t.Fatal(err)
		}
	}
	if len(m.asked) != 2 {
		t.Errorf("%v", m.asked)
	}
}

func TestZeroPermitHasNoCall(t *testing.T) {
	t.Parallel()
	if (Permit{}).call() != "" {
		t.Error("a call")
	}
}

// TestBackOff: it grows, and stays the same from then on, however often.
func TestBackOff(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]time.Duration{
		0: retryFirst, 1: 2 * retryFirst, 3: 8 * retryFirst, 4: retryMost, 5: retryMost, 64: retryMost,
	} {
		if got := backOff(n); got != want {
			t.Errorf("after %d: %v", n, got)
		}
	}
}

// TestEachStateHasItsLeg: and whether a call in it may take on another participant.
func TestEachStateHasItsLeg(t *testing.T) {
	t.Parallel()
	records := []string{"invited", "answering", "announcing", "recording", "reviving", "paused"}
	for _, s := range sampleStates(t) {
		if _, over := s.(ended); over {
			s = ended{leg{call: "c"}}
		}
		if legOf(s).call != "c" {
			t.Errorf("%s: %+v", s.kind(), legOf(s))
		}
		if recordsIn(s) != (slices.Contains(records, s.kind()) || pausing(s)) {
			t.Errorf("%s: records %v", show(s), recordsIn(s))
		}
	}
	halt := ending{status: StatusNotRecording, pause: true}
	if !recordsIn(sealing{end: halt}) || !recordsIn(retracting{end: halt}) || recordsIn(retracting{end: halt, stopped: true}) {
		t.Error("a call that is being paused records again, unless it is stopped meanwhile")
	}
}

// pausing reports that a call will record again, unless it is stopped.
func pausing(s state) bool {
	if at, is := s.(sealing); is {
		return at.end.pause
	}
	at, is := s.(retracting)
	return is && at.end.pause && !at.stopped
}

func TestSealedEachOnce(t *testing.T) {
	t.Parallel()
	l := leg{}.sealed(SealReport{Recording: "a"}).sealed(SealReport{Recording: "b", Previous: &SealReport{Recording: "z"}}).sealed(SealReport{Recording: "a"})
	if want := []SealReport{{Recording: "a"}, {Recording: "z"}, {Recording: "b"}}; !reflect.DeepEqual(l.done, want) {
		t.Errorf("%+v", l.done)
	}
}

func TestWithout(t *testing.T) {
	t.Parallel()
	if got := without([]string{"a", "b", "c"}, "b"); !slices.Equal(got, []string{"a", "c"}) {
		t.Errorf("%v", got)
	}
}

// TestEdges: single steps at the edge of a condition.
func TestEdges(t *testing.T) {
	t.Parallel()
	l := leg{call: "c", asked: 1}
	late := AnswerFaulted{Fault{Kind: FaultRefused, Cause: CauseAnswerTooLate}}
	for name, tt := range map[string]struct {
		from state
		ev   Event
		good func(state, []Command) bool
	}{
		"throttled up to the limit": {
			announcing{leg: l, asked: announcement{"c", StatusRecording, testContext}},
			StatusFaulted{testContext, Fault{Kind: FaultThrottled, RetryAfter: announceLimit}},
			func(s state, _ []Command) bool { return s.kind() == "retracting" },
		},
		"asked very often": {
			answering{leg: l, tries: 1, doubt: "x", asks: mostBackOff},
			CallAsked{},
			func(s state, _ []Command) bool { a, is := s.(answering); return is && a.asks == mostBackOff },
		},
		"the second answer came too late": {
			answering{leg: l, tries: 2},
			late,
			func(s state, _ []Command) bool {
				a, is := s.(answering)
				return is && a.tries == answers && a.doubt != ""
			},
		},
		"a pause hears that the call lives, unasked": {
			paused{leg: l},
			CallAsked{Standing: StandingEstablished},
			func(s state, cmds []Command) bool { return s.kind() == "paused" && len(cmds) == 0 },
		},
		"a pause hears of a late seal": {
			paused{leg: l},
			MediaSealed{SealReport{Recording: "r"}},
			func(s state, _ []Command) bool { return len(legOf(s).done) == 1 },
		},
		"closed while asking": {
			sealing{leg: l, end: ending{status: StatusNotRecording, pause: true}, asking: true},
			MediaClosed{},
			func(_ state, cmds []Command) bool { return len(cmds) == 0 },
		},
	} {
		if next, cmds := tt.from.on(tt.ev); !tt.good(next, cmds) {
			t.Errorf("%s: %s %+v", name, show(next), cmds)
		}
	}
}

// TestResumeEnded: what the dead process had decided is entered, with all that is
// sealed; what it could not seal is said to have failed.
func TestResumeEnded(t *testing.T) {
	t.Parallel()
	one, two := SealReport{Recording: "a", Frames: 1}, SealReport{Recording: "b", Frames: 1}
	end := func(cause Cause, rs ...SealReport) *Conclusion {
		return &Conclusion{Call: "c", Outcome: OutcomeRecorded, Cause: cause, Recordings: rs}
	}
	for name, tt := range map[string]struct {
		t     Takeover
		cause Cause
		n     int // recordings entered
		out   Outcome
	}{
		"entered as it was": {Takeover{Memory: Memory{Outcome: end(CauseCallEnded, one, two)}, Sealed: []SealReport{one}}, CauseCallEnded, 2, OutcomeRecorded},
		"one more":          {Takeover{Memory: Memory{Outcome: end(CauseCallEnded, one)}, Sealed: []SealReport{one, two}}, CauseCallEnded, 2, OutcomeRecorded},
	} {
		tt.t.Memory.State = "ended"
		s, cmds := resume(leg{call: "c"}, tt.t)
		i := slices.IndexFunc(cmds, func(c Command) bool { _, is := c.(Conclude); return is })
		if s.kind() != "ended" || i < 0 || !slices.ContainsFunc(cmds, func(c Command) bool { _, is := c.(ReleaseMedia); return is }) {
			t.Fatalf("%s: %s %+v", name, s.kind(), cmds)
		}
		c, _ := cmds[i].(Conclude)
		if c.End.Cause != tt.cause || len(c.End.Recordings) != tt.n || c.End.Outcome != tt.out {
			t.Errorf("%s: %+v", name, c.End)
		}
	}
	s, _ := resume(leg{call: "c"}, Takeover{Memory: Memory{State: "ended"}, Sealed: []SealReport{one}})
	if told, is := s.(retracting); !is || told.end.cause != CauseProcessDied || !told.end.gone {
		t.Errorf("nothing decided: %s", show(s))
	}
	s, _ = resume(leg{call: "c"}, Takeover{Memory: Memory{State: "ended", Outcome: end(CauseCallGone)}, Unsealed: true})
	if left, is := s.(sealing); !is || left.end.cause != CauseCallGone || left.end.status != StatusFailed {
		t.Errorf("what is unsealed: %s", show(s))
	}
}

// TestMayFollow: an announcement waits for the one before, and not for long.
func TestMayFollow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		before, said := &saying{sent: make(chan struct{})}, &saying{overtaken: make(chan struct{})}
		began := time.Now()
		if !said.mayFollow(before) || time.Since(began) != overtakeLimit {
			t.Errorf("after %v", time.Since(began))
		}
		before.over()
		began = time.Now()
		if !said.mayFollow(before) || !said.mayFollow(nil) || time.Since(began) != 0 {
			t.Errorf("after %v", time.Since(began))
		}
		close(said.overtaken)
		if said.mayFollow(before) {
			t.Error("it was overtaken")
		}
	})
}

// TestCommandsAreCarriedOut: those whose absence no call would show by its end.
func TestCommandsAreCarriedOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		c := newCall(testInvite("c"), w.begin(t.Context(), Options{}).deps)
		c.perform(t.Context(), SetTimer{TimerPoll, time.Hour})
		c.perform(t.Context(), StopTimers{[]Timer{TimerPoll}})
		if len(c.timers) != 0 {
			t.Errorf("%d timers run", len(c.timers))
		}
		c.perform(t.Context(), AskRoster{})
		synctest.Wait()
		w.mu.Lock()
		defer w.mu.Unlock()
		if !slices.ContainsFunc(w.entries, func(e Entry) bool { return e.Kind == EntryRoster }) {
			t.Errorf("%+v", w.entries)
		}
		close(c.over)
		c.work.Wait()
	})
}
