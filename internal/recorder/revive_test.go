package recorder

import (
	"slices"
	"testing"
)

func does[T Command](cmds []Command) bool {
	return slices.ContainsFunc(cmds, func(c Command) bool { _, is := c.(T); return is })
}

// TestResumeStaying: a call that stays in without being recorded keeps no sockets, and
// nothing without a seal: neither was certain when its process died.
func TestResumeStaying(t *testing.T) {
	t.Parallel()
	m := Memory{State: "staying", Asked: 2, Ending: &Ending{Status: StatusFailed, Cause: CauseStorageFailed}}
	l := leg{call: "c", onFailure: FailureStay}
	for _, died := range []bool{false, true} {
		s, cmds := resume(l, Takeover{Memory: m, Died: died})
		if s.kind() != "staying" || !does[ReleaseMedia](cmds) {
			t.Errorf("died %v: %s %+v", died, show(s), cmds)
		}
		s, cmds = resume(l, Takeover{Memory: m, Died: died, Unsealed: true})
		if left, is := s.(sealing); !is || left.end.cause != CauseStorageFailed || !does[SealMedia](cmds) {
			t.Errorf("died %v, unsealed: %s %+v", died, show(s), cmds)
		}
	}
}

// TestResumeWithMissingSteps: a journal whose queue was full has not the last steps of
// the machine. What was announced, and what is in the spool, is not forgotten; and
// nothing in a journal keeps a process from starting.
func TestResumeWithMissingSteps(t *testing.T) {
	t.Parallel()
	l := leg{call: "c"}
	for _, state := range []string{"", "invited", "answering", "rejecting"} {
		for _, found := range []Takeover{
			{Memory: Memory{State: state}, Session: &Session{ID: "s"}, Unsealed: true},
			{Memory: Memory{State: state, Asked: 1}, Session: &Session{ID: "s"}},
		} {
			s, _ := resume(l, found)
			next, cmds := s.on(StopRequested{Cause: CauseStopped})
			if s.kind() != "reviving" || does[SealMedia](cmds) != found.Unsealed || next.kind() == "leaving" {
				t.Errorf("%q: %s, stopped: %s %+v", state, show(s), show(next), cmds)
			}
		}
	}
	if s, cmds := resume(l, Takeover{Memory: Memory{State: "rejecting"}}); s.kind() != "rejecting" || !does[Reject](cmds) {
		t.Errorf("without a cause: %s %+v", show(s), cmds)
	}
}

// TestResumeWhileAsking: the sockets had closed and all was sealed, and the process died
// before it knew whether the call lives: the next one asks, too, before it says that
// all is well.
func TestResumeWhileAsking(t *testing.T) {
	t.Parallel()
	was := sealing{leg: leg{call: "c", asked: 1}, end: ending{status: StatusNotRecording, cause: CauseCallEnded}, asking: true}
	s, cmds := resume(leg{call: "c"}, Takeover{Memory: remember(was, nil), Sealed: []SealReport{{Recording: "r", Frames: 5}}})
	if s.kind() != "sealing" || !does[AskCall](cmds) || does[Announce](cmds) {
		t.Fatalf("%s %+v", show(s), cmds)
	}
	for name, tt := range map[string]struct {
		ev   Event
		want RecordingStatus
	}{
		"lives":        {CallAsked{Standing: StandingEstablished}, StatusFailed},
		"nobody knows": {TimerFired{TimerAskCall}, StatusFailed},
		"gone":         {CallAsked{Gone: true}, StatusNotRecording},
	} {
		next, _ := s.on(tt.ev)
		if told, is := next.(retracting); !is || told.end.status != tt.want {
			t.Errorf("%s: %s", name, show(next))
		}
	}
}

// TestGoneOnWithIsNoFailure: the host sends under the new permit, and what the dead
// process has left could not be sealed in the time of an Open: the seal brings it.
func TestGoneOnWithIsNoFailure(t *testing.T) {
	t.Parallel()
	permit, err := mint(announcement{"c", StatusRecording, "x"}, Receipt{HTTPStatus: 200}, Operation{Context: "x", Progress: Completed})
	if err != nil {
		t.Fatal(err)
	}
	before := recording{leg: leg{call: "c", cut: true}, permit: permit}
	open, _ := before.on(MediaOpened{Opened{Recording: "r2"}})
	for _, ev := range []Event{StopRequested{Cause: CauseStopped}, CallEnded{}, PauseRequested{}, MediaClosed{}} {
		next, _ := open.on(ev)
		s, is := next.(sealing)
		if !is || s.end.status != StatusNotRecording {
			t.Errorf("%T: %s", ev, show(next))
		}
		if next, _ = s.on(MediaSealed{SealReport{Recording: "r2", Previous: &SealReport{Recording: "r1"}}}); legOf(next).cut || len(legOf(next).done) != 2 {
			t.Errorf("%T, sealed: %s", ev, show(next))
		}
		if next, _ = s.on(SealFaulted{}); remember(next, nil).Ending.Status != StatusFailed {
			t.Errorf("%T, not sealed: %s", ev, show(next))
		}
	}
	if next, _ := before.on(StopRequested{Cause: CauseStopped}); remember(next, nil).Ending.Status != StatusFailed {
		t.Errorf("not open: %s", show(next))
	}
	if next, _ := open.on(MediaOpened{Opened{Recording: "r3", Previous: &SealReport{Recording: "r2"}}}); !legOf(next).cut {
		t.Error("a part of our own is taken for what a dead process has left")
	}
	if next, _ := before.on(MediaOpened{Opened{Recording: "r2", Previous: &SealReport{Recording: "r1"}}}); legOf(next).cut {
		t.Error("what a dead process has left is sealed, and taken for open")
	}
}
