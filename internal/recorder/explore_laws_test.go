package recorder

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
)

func (a *around) announce(n announcement) error {
	switch {
	case n.status == StatusNotRecording && (a.opened && !a.sealed || a.left):
		return errors.New("law 2: notRecording before the seal")
	case a.live:
		return fmt.Errorf("law 2: %v is announced while the gate is open", n.status)
	case n.status == StatusRecording && a.opened && !a.sealed:
		return errors.New("law 1: recording is announced again before what was recorded is sealed")
	case n.context != fmt.Sprintf("c/%d/%s", len(a.asked)+1, n.status):
		return fmt.Errorf("law 1: the client context %q is not fresh", n.context)
	}
	a.asked = append(a.asked, n.status)
	if n.status == StatusRecording {
		a.opened, a.sealed = false, false
	}
	a.taken, a.done, a.refused, a.stale, a.unheard = false, false, false, false, false
	a.owed = a.owed && n.status != StatusFailed
	// The request before is over: cut where it was not (see saying). What it may
	// have brought still comes, as a notification or as an old fault.
	a.work = slices.DeleteFunc(a.work, func(w work) bool { return w.name == "announce" })
	a.work = append(a.work, work{"announce", len(a.asked)})
	return nil
}

func (a *around) open(p Permit) error {
	switch {
	case a.opened:
		return errors.New("law 1: the gate opens twice")
	case len(a.asked) == 0 || a.asked[len(a.asked)-1] != StatusRecording:
		return errors.New("law 1: the gate opens although recording was not the last announcement")
	case !a.taken || !a.done || a.refused:
		return fmt.Errorf("law 1: the gate opens: 2xx %v, completed %v, refused %v", a.taken, a.done, a.refused)
	case !p.Live():
		return fmt.Errorf("law 1: the gate opens with %v", p)
	}
	a.opened, a.live, a.sealed, a.granted = true, true, false, len(a.asked)
	a.taken, a.done, a.refused = false, false, false
	return nil
}

// set starts a clock. A clock that bounds what law 3 owes is not set back.
func (a *around) set(cmd SetTimer) error {
	switch {
	case cmd.After <= 0:
		return fmt.Errorf("a clock of %v", cmd.After)
	case a.owed && cmd.Timer == TimerSeal && cmd.After > sealFailedLimit:
		return fmt.Errorf("law 3: failed is owed, and the seal is given %v", cmd.After)
	}
	if !slices.Contains(a.timers, cmd.Timer) && cmd.Timer != TimerKeepAlive { // which may fire at any time
		a.timers = append(a.timers, cmd.Timer)
	}
	return nil
}

// farewell: whoever may have said recording says how it ended before it leaves.
func (a *around) farewell() error {
	if n := len(a.asked); n > 0 && a.asked[n-1] == StatusRecording && !a.gone {
		return errors.New("law 2: leaving while the platform may show recording")
	}
	return nil
}

func (a *around) conclude(end Conclusion) error {
	a.concluded++
	last := RecordingStatus(0)
	if len(a.asked) > 0 {
		last = a.asked[len(a.asked)-1]
	}
	switch {
	case a.live:
		return errors.New("law 2: an outcome with the gate open")
	case a.concluded > 1:
		return errors.New("law 4: a second outcome")
	case end.Outcome == 0 || end.Cause == "":
		return fmt.Errorf("law 4: outcome %v, cause %q", end.Outcome, end.Cause)
	case a.fault && end.Outcome != OutcomeFailed:
		return fmt.Errorf("law 3: something endangered the recording, and the outcome is %v", end.Outcome)
	case a.opened && last == StatusRecording:
		return errors.New("law 2: the end of a recording was never announced")
	case end.Outcome == OutcomeFailed && last != StatusFailed:
		return fmt.Errorf("law 3: the outcome is failed, and %v was announced last", last)
	case (end.Outcome == OutcomeRecorded || end.Outcome == OutcomeRecordedWithGaps) &&
		(!a.kept || a.left || (a.opened && !a.sealed) || last != StatusNotRecording):
		return fmt.Errorf("law 2: %v, sealed %v, left %v, announced %v", end.Outcome, a.sealed, a.left, last)
	case len(a.timers) > 0:
		return fmt.Errorf("clocks run after the end: %v", a.timers)
	}
	return nil
}

// holds are the laws over a state at rest.
func (a *around) holds(s state) error {
	switch s := s.(type) {
	case recording:
		if !a.live || !s.permit.Live() {
			return errors.New("law 1: recording without a live permit")
		}
	case sealing:
		switch {
		case s.end.status == StatusFailed && s.permit.Live():
			return errors.New("law 3: something failed and the gate is open")
		case !s.isDone && !slices.Contains(a.timers, TimerSeal):
			return errors.New("law 3: nothing bounds the seal")
		case s.isDone && !s.asking:
			return errors.New("law 2: sealed, and nothing is announced")
		case s.isDone && s.asking && !slices.Contains(a.timers, TimerAskCall):
			return errors.New("law 3: nothing bounds the question whether the call lives")
		}
	case staying, paused:
		if a.stale && !a.unheard {
			return errors.New("law 2: the platform shows recording, and we stay without a word")
		}
		return a.shut(s)
	case invited, rejecting, answering, announcing, retracting, reviving, leaving, ended:
		return a.shut(s)
	}
	return nil
}

// shut are the laws over the states that have no permit.
func (a *around) shut(s state) error {
	switch _, pauses := s.(paused); {
	case a.live:
		return fmt.Errorf("law 2: the permit outlives the recording, in state %s", s.kind())
	case a.owed:
		return fmt.Errorf("law 3: failed is owed in state %s", s.kind())
	case pauses && (a.left || a.opened && !a.sealed || a.asked[len(a.asked)-1] != StatusNotRecording):
		return errors.New("law 2: paused before the seal, or before notRecording was announced")
	}
	return nil
}

// revived gives a stored state a permit of its own: the states that follow from
// it must not share what one of them withdraws.
func revived(s state, live bool) state {
	fresh := func(p Permit) Permit {
		if p.g == nil {
			return p // a dead process had it
		}
		g := &grant{evidence: p.g.evidence}
		g.withdrawn.Store(!live)
		return Permit{g}
	}
	switch s := s.(type) {
	case recording:
		s.permit = fresh(s.permit)
		return s
	case sealing:
		s.permit = fresh(s.permit)
		return s
	case invited, rejecting, answering, announcing, retracting, paused, reviving, staying, leaving, ended:
	}
	return s
}

// plain takes off a state what only people read, and what nothing depends on, so
// that states that behave the same count once.
func plain(s state) state {
	switch s := s.(type) {
	case answering:
		s.session = Session{}
		return s
	case announcing:
		s.trouble, s.done = "", merged(s.done)
		return s
	case recording:
		s.done = merged(s.done)
		return s
	case sealing:
		s.end, s.done = plainEnding(s.end), merged(s.done)
		return s
	case retracting:
		s.end, s.done = plainEnding(s.end), merged(s.done)
		return s
	case paused:
		s.done = merged(s.done)
		return s
	case reviving:
		s.done = merged(s.done)
		return s
	case staying:
		s.end, s.done = plainEnding(s.end), merged(s.done)
		return s
	case leaving:
		s.end, s.done = plainEnding(s.end), merged(s.done)
		return s
	case ended:
		return ended{}
	case invited, rejecting:
	}
	return s
}

// merged adds up recordings: the machine asks for no more.
func merged(done []SealReport) []SealReport {
	if len(done) == 0 {
		return nil
	}
	var sum SealReport
	for _, r := range done {
		sum.Frames, sum.GapSamples = max(sum.Frames, r.Frames), max(sum.GapSamples, r.GapSamples)
	}
	return []SealReport{sum}
}

func plainEnding(e ending) ending {
	e.detail = ""
	if e.cause != CauseShutdown {
		e.cause = CauseCallEnded
	}
	return e
}

// essence tells states apart. It names every field that a state has.
func essence(s state) string {
	b := []byte(s.kind())
	number := func(ns ...int) {
		for _, n := range ns {
			b = append(strconv.AppendInt(b, int64(n), 10), ' ')
		}
	}
	words := func(all ...string) {
		for _, w := range all {
			b = append(append(b, w...), ' ')
		}
	}
	is := func(all ...bool) {
		for _, t := range all {
			b = strconv.AppendBool(b, t)
		}
	}
	end := func(e ending) {
		number(int(e.status))
		words(string(e.cause))
		is(e.gone, e.pause)
	}
	if _, over := s.(ended); over {
		return string(b)
	}
	l := legOf(s)
	is(l.cut)
	for _, r := range l.done {
		number(int(r.Frames), int(r.GapSamples))
	}
	switch s := s.(type) {
	case answering:
		number(s.tries, s.asks)
		is(s.doubt != "")
	case announcing:
		words(s.asked.context, s.early.Context, string(s.operation))
		number(s.reply.HTTPStatus, s.tries)
		words(s.before...)
	case recording:
		words(s.context)
		is(s.opened)
	case sealing:
		end(s.end)
		is(s.asking, s.isDone)
		words(s.open...)
	case retracting:
		end(s.end)
		words(s.asked.context, string(s.operation))
		number(s.tries)
		is(s.again, s.stopped, s.closed)
		words(s.open...)
	case paused:
		words(s.open...)
		is(s.asking)
	case reviving:
		words(s.before...)
	case staying:
		end(s.end)
		words(s.open...)
	case leaving:
		end(s.end)
		number(s.tries)
	case invited, rejecting, ended:
	}
	return string(b)
}
