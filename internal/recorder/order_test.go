package recorder

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// A witness holds the laws over what goes into the machine and what comes out.
// It keeps its own books and asks nothing of the machine.
type witness struct {
	last      announcement // the latest announcement
	taken     bool         // its request got a 2xx
	completed bool         // its operation is completed
	open      bool         // between OpenMedia and MediaSealed
	permit    Permit
	opened    int
	concluded int
}

func (w *witness) saw(ev Event) {
	switch ev := ev.(type) {
	case StatusReplied:
		if ev.Operation.Context == w.last.context {
			w.taken = w.taken || ev.Operation.Receipt.HTTPStatus/100 == 2
			w.completed = w.completed || ev.Operation.Progress == Completed
		}
	case MediaSealed:
		w.open = false
	case SessionCreated, SessionRefused, AnswerAccepted, AnswerFaulted, Established, CallAsked, StatusFaulted, PollFaulted,
		MediaOpened, MediaFailed, MediaClosed, SealFaulted, CallEnded, KeepAliveReplied, HungUp, Rejected, StopRequested,
		PauseRequested, ResumeRequested, UnknownSource, TimerFired,
		Crashed, LedgerFailed:
		// These neither grant consent nor seal.
	}
}

// did checks one command against the laws.
func (w *witness) did(cmd Command) error {
	switch cmd := cmd.(type) {
	case OpenMedia:
		switch {
		case !w.taken || !w.completed || w.last.status != StatusRecording:
			return fmt.Errorf("law 1: the gate opens without a success reply to %q", w.last.context)
		case !cmd.Permit.Live():
			return fmt.Errorf("law 1: the gate opens with %v", cmd.Permit)
		}
		w.open, w.permit, w.opened = true, cmd.Permit, w.opened+1
	case Announce:
		a := cmd.announcement
		switch {
		case a.status == StatusNotRecording && w.open:
			return fmt.Errorf("law 2: notRecording before the seal")
		case a.status == StatusFailed && w.permit.Live():
			return fmt.Errorf("law 2: failed with the gate open")
		case a.status == StatusRecording && w.open:
			return fmt.Errorf("law 1: announced again while recording")
		case a.context == w.last.context:
			return fmt.Errorf("client context %q was used twice", a.context)
		}
		w.last, w.taken, w.completed = a, false, false
	case WithdrawPermit:
		cmd.permit.withdraw() // what perform does
	case SealMedia:
		if cmd.permit.call() == "" {
			return fmt.Errorf("sealing without a permit")
		}
	case Conclude:
		if w.permit.Live() {
			return fmt.Errorf("law 2: an outcome with the gate open")
		}
		w.concluded++
	case CreateSession, Reject, Answer, AskCall, Poll, ReleaseMedia, KeepAlive, AskRoster, HangUp, SetTimer, StopTimers, Unexpected:
		// No law speaks of these.
	}
	return nil
}

// drive feeds events to the machine, withdraws permits as the actor does on
// MediaSealed, and checks every step.
func drive(next func(n int, w *witness) (Event, bool)) (trace []string, err error) {
	w := &witness{}
	s, cmds := begin(leg{call: "c"}, "")
	for n := 0; ; n++ {
		for _, cmd := range cmds {
			trace = append(trace, "    ! "+show(cmd))
			if err := w.did(cmd); err != nil {
				return trace, err
			}
		}
		_, over := s.(ended)
		if over && w.concluded != 1 {
			return trace, fmt.Errorf("law 4: ended with %d outcomes", w.concluded)
		}
		if !over && w.concluded != 0 {
			return trace, fmt.Errorf("law 4: an outcome in state %s", s.kind())
		}
		ev, ok := next(n, w)
		if !ok {
			return trace, nil
		}
		if _, ok := ev.(MediaSealed); ok {
			w.permit.withdraw() // seal withdraws before it reports
		}
		w.saw(ev)
		trace = append(trace, s.kind()+" ← "+show(ev))
		s, cmds = s.on(ev)
		if over && len(cmds) > 0 {
			return trace, fmt.Errorf("commands after the end: %v", cmds)
		}
	}
}

// addressed makes an event concern the announcement under way half of the
// time; otherwise it carries an old or foreign context.
func addressed(ev Event, w *witness, hit bool) Event {
	if !hit || w.last.context == "" {
		return ev
	}
	switch ev := ev.(type) {
	case StatusReplied:
		ev.Operation.Context = w.last.context
		return ev
	case StatusFaulted:
		ev.Context = w.last.context
		return ev
	case SessionCreated, SessionRefused, AnswerAccepted, AnswerFaulted, Established, CallAsked, PollFaulted, MediaOpened, MediaFailed,
		MediaClosed, MediaSealed, SealFaulted, CallEnded, KeepAliveReplied, HungUp, Rejected, StopRequested, PauseRequested, ResumeRequested, UnknownSource,
		TimerFired, Crashed, LedgerFailed:
		// These concern no announcement, or (PollFaulted) say nothing about it.
	}
	return ev
}

// TestOrderHoldsForRandomEvents: no sequence of events breaks a law.
func TestOrderHoldsForRandomEvents(t *testing.T) {
	t.Parallel()
	events := sampleEvents()
	rapid.Check(t, func(rt *rapid.T) {
		length := rapid.IntRange(1, 40).Draw(rt, "length")
		trace, err := drive(func(n int, w *witness) (Event, bool) {
			if n == length {
				return nil, false
			}
			ev := rapid.SampledFrom(events).Draw(rt, "event")
			return addressed(ev, w, rapid.Bool().Draw(rt, "hit")), true
		})
		if err != nil {
			rt.Fatalf("%v\n%s", err, strings.Join(trace, "\n"))
		}
	})
}

// FuzzOrder is the same with the fuzzer's eyes: a byte is an event, its top
// bit says whether it concerns the announcement under way.
func FuzzOrder(f *testing.F) {
	events := sampleEvents()
	at := func(want string) byte {
		for i, ev := range events {
			if strings.HasPrefix(show(ev), want) {
				return byte(i)
			}
		}
		f.Fatalf("no event %s", want)
		return 0
	}
	created, established, completed, sealed := at("SessionCreated"), at("Established"), at("StatusReplied"), at("MediaSealed")
	ended := at("CallEnded")
	f.Add([]byte{created, established, completed | 0x80, ended, sealed, completed | 0x80})
	f.Add([]byte{created, established, completed, sealed, ended})
	f.Fuzz(func(t *testing.T, order []byte) {
		trace, err := drive(func(n int, w *witness) (Event, bool) {
			if n >= len(order) || n >= 200 {
				return nil, false
			}
			return addressed(events[int(order[n]&0x7f)%len(events)], w, order[n]&0x80 != 0), true
		})
		if err != nil {
			t.Fatalf("%v\n%s", err, strings.Join(trace, "\n"))
		}
	})
}
