package recorder

import "slices"

// retract announces the end of the recording: notRecording where all is
// sealed, or failed. It has no permit, and none can come back.
func retract(l leg, e ending) (state, []Command) {
	return retracting{leg: l, end: e}.say()
}

// retractOpen is retract where requests to set "recording" may yet take effect.
func retractOpen(l leg, e ending, open []string) (state, []Command) {
	return retracting{leg: l, end: e, open: open}.say()
}

func (s retracting) say() (state, []Command) {
	s.leg, s.asked = s.announce(s.end.status)
	return s, []Command{
		StopTimers{[]Timer{TimerAskCall, TimerEstablish, TimerPoll, TimerRetry, TimerReply, TimerAnnounceLimit, TimerSeal}},
		SetTimer{TimerKeepAlive, keepAliveEvery},
		SetTimer{TimerRetractLimit, retractLimit},
		SetTimer{TimerReply, replyLimit},
		Announce{s.asked},
	}
}

// retracting waits for the reply to notRecording or failed.
type retracting struct {
	leg
	asked     announcement
	end       ending
	operation OperationID
	tries     int
	open      []string // contexts of "recording" whose fate is unknown
	again     bool     // one of them took effect, perhaps after what we said: say it again
	stopped   bool     // we leave in any case
	closed    bool     // the sockets of a call that is to be kept are closed
}

func (retracting) kind() string { return "retracting" }

func (s retracting) on(ev Event) (state, []Command) {
	switch ev := ev.(type) {
	case StatusReplied:
		return s.replied(ev)
	case StatusFaulted:
		return s.faulted(ev)
	case PollFaulted:
		if ev.Context != s.asked.context {
			return s, nil // about an older request
		}
		return s, []Command{SetTimer{TimerPoll, pollEvery}}
	case TimerFired:
		return s.timer(ev.Timer)
	case CallEnded:
		s.end = s.end.final(CauseCallEnded)
		s.end.gone = true
		return s, nil // the announcement under way gets its 404
	case KeepAliveReplied:
		s.end.gone = s.end.gone || ev.Gone
		return s, keptAlive(ev)
	case MediaSealed:
		s.leg = s.sealed(ev.Report) // the seal made it after all
		return s, nil
	case StopRequested:
		s.end, s.stopped = s.end.final(ev.Cause), true
		return s, nil
	case MediaFailed:
		return s.unfit(ev.Cause, ev.Detail)
	case Crashed:
		return s.unfit(CausePanic, ev.Detail)
	case MediaClosed:
		s.closed = s.end.pause
		return s, nil
	case MediaOpened, SealFaulted, LedgerFailed, PauseRequested, ResumeRequested, UnknownSource,
		Established, AnswerAccepted, AnswerFaulted, CallAsked:
		return s, nil // on its way out already
	case SessionCreated, SessionRefused, HungUp, Rejected:
	}
	return s, unexpected(ev)
}

// unfit: a call that was to be kept can't be. What is on its way out goes on.
func (s retracting) unfit(cause Cause, detail string) (state, []Command) {
	if !s.end.pause {
		return s, nil
	}
	return retractOpen(s.leg, failed(cause, detail), s.open)
}

func (s retracting) replied(ev StatusReplied) (state, []Command) {
	if c := ev.Operation.Context; c != s.asked.context {
		if slices.Contains(s.open, c) && ev.Operation.Progress == Completed {
			s.open, s.again = without(s.open, c), true
		}
		return s, nil // late news of an earlier announcement
	}
	switch ev.Operation.Progress {
	case Running:
		s.operation = ev.Operation.ID
		return s, []Command{SetTimer{TimerPoll, pollEvery}}
	case Failed:
		return s.out("the platform refused " + s.asked.status.String() + ": " + ev.Operation.Reason)
	case Completed:
		if s.again {
			return s.repeat()
		}
		return s.out("")
	}
	return s.out("the reply to " + s.asked.status.String() + " says nothing of the operation")
}

func (s retracting) faulted(ev StatusFaulted) (state, []Command) {
	if ev.Context != s.asked.context {
		return s, nil
	}
	switch ev.Fault.Kind {
	case FaultGone:
		s.end.gone = true
		return s.out("")
	case FaultThrottled:
		return s, []Command{StopTimers{[]Timer{TimerReply}}, SetTimer{TimerRetry, max(ev.Fault.RetryAfter, backOff(s.tries))}}
	case FaultUnknown:
		return s, []Command{SetTimer{TimerRetry, max(ev.Fault.RetryAfter, backOff(s.tries))}}
	case FaultRefused:
	}
	return s.out(ev.Fault.Error())
}

func (s retracting) timer(t Timer) (state, []Command) {
	switch t {
	case TimerPoll:
		return s, []Command{Poll{s.asked, s.operation}}
	case TimerRetry, TimerReply:
		return s.repeat()
	case TimerRetractLimit:
		return s.out(s.asked.status.String() + " was never confirmed")
	case TimerKeepAlive:
		return s, keepAlive(t)
	case TimerAskCall, TimerEstablish, TimerAnnounceLimit, TimerSeal, TimerLeave:
	}
	return s, nil
}

// repeat says it again, under a fresh context.
func (s retracting) repeat() (state, []Command) {
	l, a := s.announce(s.end.status)
	s.leg, s.asked, s.operation, s.again, s.tries = l, a, "", false, s.tries+1
	return s, []Command{StopTimers{[]Timer{TimerPoll, TimerRetry}}, SetTimer{TimerReply, replyLimit}, Announce{a}}
}

// out goes where the policy says. trouble is what went wrong with the last
// announcement, for the outcome's detail.
func (s retracting) out(trouble string) (state, []Command) {
	s.end.detail = join(s.end.detail, trouble)
	switch {
	case s.end.gone:
		return s.conclude(s.end)
	case s.end.pause && trouble != "":
		// The platform may show recording where nothing is: that is no pause.
		return retractOpen(s.leg, failed(CauseStatusUnknown, s.end.detail), s.open)
	case s.end.pause:
		return pause(s.leg, s.open, s.closed)
	case s.end.status == StatusFailed && s.onFailure == FailureStay && s.end.cause != CauseShutdown && !s.stopped:
		return staying{s.leg, s.end, s.open}, []Command{
			StopTimers{[]Timer{TimerPoll, TimerRetry, TimerReply, TimerRetractLimit}},
			ReleaseMedia{s.end.cause},
		}
	}
	return leave(s.leg, s.end)
}

// without returns the others of a list, which stays as it is.
func without(all []string, one string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == one })
}

func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}

// staying is in the call without recording it, as policy demands after a
// failure. Nothing leads back to recording.
type staying struct {
	leg
	end  ending
	open []string // contexts of "recording" whose fate is unknown
}

func (staying) kind() string { return "staying" }

func (s staying) on(ev Event) (state, []Command) {
	switch ev := ev.(type) {
	case CallEnded:
		return s.conclude(s.end)
	case KeepAliveReplied:
		if ev.Gone {
			return s.conclude(s.end)
		}
		return s, keptAlive(ev)
	case StopRequested:
		return leave(s.leg, s.end)
	case Crashed:
		return leave(s.leg, s.end)
	case TimerFired:
		return s, keepAlive(ev.Timer)
	case MediaSealed:
		s.leg = s.sealed(ev.Report)
		return s, nil
	case StatusReplied:
		if c := ev.Operation.Context; slices.Contains(s.open, c) && ev.Operation.Progress == Completed {
			// The banner says recording: take it back.
			return retractOpen(s.leg, s.end, without(s.open, c))
		}
		return s, nil
	case CallAsked:
		if ev.Gone {
			return s.conclude(s.end)
		}
		return s, nil
	case MediaOpened, MediaFailed, MediaClosed, SealFaulted, LedgerFailed, Established, AnswerAccepted,
		AnswerFaulted, StatusFaulted, PollFaulted, PauseRequested, ResumeRequested, UnknownSource:
		return s, nil
	case SessionCreated, SessionRefused, HungUp, Rejected:
	}
	return s, unexpected(ev)
}

// leave hangs up.
func leave(l leg, e ending) (state, []Command) {
	return leaving{leg: l, end: e}, []Command{
		StopTimers{allTimers()},
		SetTimer{TimerLeave, leaveLimit},
		HangUp{},
	}
}

// leaving waits until the platform knows that we are out: a leg that stays
// behind keeps the user's call from being ended by policy.
type leaving struct {
	leg
	end   ending
	tries int
}

func (leaving) kind() string { return "leaving" }

func (s leaving) on(ev Event) (state, []Command) {
	switch ev := ev.(type) {
	case HungUp:
		return s.hungUp(ev)
	case CallEnded:
		return s.conclude(s.end)
	case TimerFired:
		switch ev.Timer {
		case TimerLeave:
			s.end.detail = join(s.end.detail, "our leaving was never confirmed")
			return s.conclude(s.end)
		case TimerRetry:
			return s, []Command{HangUp{}}
		case TimerAskCall, TimerEstablish, TimerPoll, TimerReply, TimerAnnounceLimit, TimerSeal, TimerRetractLimit, TimerKeepAlive:
		}
		return s, nil
	case MediaSealed:
		s.leg = s.sealed(ev.Report)
		return s, nil
	case StopRequested, PauseRequested, ResumeRequested, UnknownSource, MediaOpened, MediaFailed, MediaClosed, SealFaulted, LedgerFailed, Crashed, Established,
		AnswerAccepted, AnswerFaulted, CallAsked, StatusReplied, StatusFaulted, PollFaulted, KeepAliveReplied,
		SessionCreated, SessionRefused:
		return s, nil
	case Rejected:
	}
	return s, unexpected(ev)
}

// hungUp: what is not known to be done is asked for again until the limit.
func (s leaving) hungUp(ev HungUp) (state, []Command) {
	switch {
	case ev.Fault == nil, ev.Fault.Kind == FaultGone:
		return s.conclude(s.end)
	case ev.Fault.Kind == FaultRefused && s.tries >= refusedHangUps:
		s.end.detail = join(s.end.detail, "hang up: "+ev.Fault.Error())
		return s.conclude(s.end)
	}
	s.tries++
	return s, []Command{SetTimer{TimerRetry, max(ev.Fault.RetryAfter, backOff(s.tries))}}
}
