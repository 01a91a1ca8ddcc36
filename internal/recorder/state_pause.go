package recorder

import "slices"

// pause keeps the call without recording it: all is sealed, and the platform
// knows. closed: the sockets are, and perhaps the call.
func pause(l leg, open []string, closed bool) (state, []Command) {
	s := paused{leg: l, open: open}
	cmds := []Command{StopTimers{[]Timer{TimerPoll, TimerRetry, TimerReply, TimerRetractLimit}}, SetTimer{TimerKeepAlive, keepAliveEvery}}
	if !closed {
		return s, cmds
	}
	next, more := s.ask()
	return next, append(cmds, more...)
}

// paused is in the call without recording it, as an operator wants. Nothing may be
// kept here: there is no permit in this struct, and the way back to recording leads
// through another announcement.
type paused struct {
	leg
	open   []string // contexts of "recording" whose fate is unknown
	asking bool     // the sockets are closed: whether the call lives is open
}

func (paused) kind() string { return "paused" }

func (s paused) on(ev Event) (state, []Command) {
	switch ev := ev.(type) {
	case ResumeRequested:
		return startAnnouncing(s.leg, s.open)
	case StopRequested:
		return leave(s.leg, s.over(ev.Cause))
	case CallEnded:
		return s.gone(ev.Message)
	case KeepAliveReplied:
		if ev.Gone {
			return s.gone("keepAlive: the call is gone")
		}
		return s, keptAlive(ev)
	case CallAsked:
		switch {
		case ev.Gone:
			return s.gone("the call is gone")
		case s.asking && ev.Standing == StandingEstablished:
			return s.lost()
		}
		return s, nil // nobody knows: askedLimit decides
	case TimerFired:
		return s.timer(ev.Timer)
	case MediaClosed:
		return s.ask()
	case MediaFailed:
		// Nothing is missing yet, but it could not be resumed.
		return retractOpen(s.leg, failed(ev.Cause, ev.Detail), s.open)
	case Crashed:
		return retractOpen(s.leg, failed(CausePanic, ev.Detail), s.open)
	case StatusReplied:
		if c := ev.Operation.Context; slices.Contains(s.open, c) && ev.Operation.Progress == Completed {
			// The banner says recording: take it back.
			return retractOpen(s.leg, ending{status: StatusNotRecording, cause: CauseStopped, pause: true}, without(s.open, c))
		}
		return s, nil
	case MediaSealed:
		s.leg = s.sealed(ev.Report)
		return s, nil
	case LedgerFailed, PauseRequested, UnknownSource:
		return s, nil // resuming will find out
	case MediaOpened, SealFaulted, Established, AnswerAccepted, AnswerFaulted, StatusFaulted, PollFaulted:
		return s, nil // late; all is well
	case SessionCreated, SessionRefused, HungUp, Rejected:
	}
	return s, unexpected(ev)
}

func (s paused) timer(t Timer) (state, []Command) {
	switch t {
	case TimerKeepAlive:
		return s, keepAlive(t)
	case TimerAskCall:
		return s.lost()
	case TimerEstablish, TimerPoll, TimerRetry, TimerReply, TimerAnnounceLimit, TimerSeal, TimerRetractLimit, TimerLeave:
	}
	return s, nil
}

// ask: the sockets closed, as they do when the call ends.
func (s paused) ask() (state, []Command) {
	if s.asking {
		return s, nil
	}
	s.asking = true
	return s, []Command{AskCall{}, SetTimer{TimerAskCall, askedLimit}}
}

// lost: the call lives and its sockets do not.
func (s paused) lost() (state, []Command) {
	if !s.asking {
		return s, nil
	}
	return retractOpen(s.leg, failed(CauseMediaLost, "the sockets closed while the call went on"), s.open)
}

func (s paused) over(cause Cause) ending { return ending{status: StatusNotRecording, cause: cause} }

func (s paused) gone(detail string) (state, []Command) {
	e := s.over(CauseCallEnded)
	e.detail, e.gone = detail, true
	return s.conclude(e)
}
