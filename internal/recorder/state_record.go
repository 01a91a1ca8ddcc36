package recorder

import "time"

// recording holds the permit. It is the only state in which frames are kept.
type recording struct {
	leg
	permit  Permit
	context string // of the announcement that was granted
	opened  bool   // the host has confirmed
}

func (recording) kind() string { return "recording" }

func (s recording) on(ev Event) (state, []Command) {
	switch ev := ev.(type) {
	case MediaOpened:
		// The first one goes on with what a dead process has left, each further one with
		// a part of our own.
		first := !s.opened
		s.opened = true
		if before := ev.Opened.Previous; before != nil {
			s.leg = s.sealed(*before)
			s.cut = s.cut && !first
		}
		return s, []Command{AskRoster{}}
	case PauseRequested:
		if s.cut && !s.opened {
			return s, nil // nobody has gone on yet with what a dead process has left
		}
		return s.seal(ending{status: StatusNotRecording, cause: CauseStopped, pause: true})
	case ResumeRequested:
		return s, nil // it is recorded
	case UnknownSource:
		return s, []Command{AskRoster{}}
	case CallEnded:
		return s.seal(ending{status: StatusNotRecording, cause: CauseCallEnded, detail: ev.Message, gone: true})
	case KeepAliveReplied:
		if ev.Gone {
			return s.seal(ending{status: StatusNotRecording, cause: CauseCallGone, gone: true})
		}
		return s, keptAlive(ev)
	case StopRequested:
		if ev.Abrupt {
			return s.seal(failed(ev.Cause, ""))
		}
		return s.seal(ending{status: StatusNotRecording, cause: ev.Cause})
	case MediaClosed:
		// The sockets closed in good order, as they do when the call ends. Should
		// the call live, something was lost: ask.
		return s.sealAndAsk(ending{status: StatusNotRecording, cause: CauseCallEnded, detail: ev.Detail})
	case MediaFailed:
		return s.seal(failed(ev.Cause, ev.Detail))
	case LedgerFailed:
		return s.seal(failed(CauseJournalFailed, ev.Detail))
	case Crashed:
		return s.seal(failed(CausePanic, ev.Detail))
	case StatusReplied:
		if ev.Operation.Context == s.context && ev.Operation.Progress == Failed {
			// Consent is taken back: the platform says two things about one
			// operation, and only one of them lets us record.
			return s.seal(failed(CauseStatusRefused, ev.Operation.Reason))
		}
		return s, nil // the notification to a reply we had
	case StatusFaulted:
		return s.faulted(ev)
	case TimerFired:
		return s, keepAlive(ev.Timer)
	case Established, AnswerAccepted, AnswerFaulted, CallAsked, PollFaulted:
		return s, nil // repeated or late; all is well
	case SessionCreated, SessionRefused, MediaSealed, SealFaulted, HungUp, Rejected:
	}
	return s, unexpected(ev)
}

// faulted: a refusal of the very announcement that was granted contradicts the
// grant, and only one of the two lets us record.
func (s recording) faulted(ev StatusFaulted) (state, []Command) {
	if ev.Context != s.context {
		return s, nil
	}
	switch ev.Fault.Kind {
	case FaultRefused:
		return s.seal(failed(CauseStatusRefused, ev.Fault.Error()))
	case FaultGone:
		return s.seal(ending{status: StatusNotRecording, cause: CauseCallGone, detail: ev.Fault.Error(), gone: true})
	case FaultUnknown, FaultThrottled:
	}
	return s, nil
}

// seal ends the recording. What failed is cut at once: the gate shuts first.
// What ended well may bring in its last frames under the permit it still has.
func (s recording) seal(e ending) (state, []Command) {
	if !s.opened { // else the seal brings what is left, or fails
		e = s.cutShort(e)
	}
	next := sealing{leg: s.leg, permit: s.permit, end: e}
	if e.status == StatusFailed {
		return next, []Command{WithdrawPermit{s.permit}, SealMedia{s.call, s.permit, false}, SetTimer{TimerSeal, sealFailedLimit}}
	}
	return next, []Command{SealMedia{s.call, s.permit, true}, SetTimer{TimerSeal, sealLimit}}
}

// sealAndAsk seals, and asks whether the call lives: only a call that is over
// may end as notRecording.
func (s recording) sealAndAsk(e ending) (state, []Command) {
	if s.cut && !s.opened {
		return s.seal(e)
	}
	next := sealing{leg: s.leg, permit: s.permit, end: e, asking: true}
	return next, []Command{SealMedia{s.call, s.permit, true}, SetTimer{TimerSeal, sealLimit}, AskCall{}, SetTimer{TimerAskCall, askedLimit}}
}

// cutShort: what a dead process has left and nobody has gone on with has failed,
// whatever was meant.
func (l leg) cutShort(e ending) ending {
	if l.cut && e.status != StatusFailed {
		e.status, e.cause, e.pause = StatusFailed, CauseProcessDied, false
	}
	return e
}

// sealLeft seals what a dead process has left. There is no permit, and so no gate to
// shut.
func (l leg) sealLeft(e ending, open []string) (state, []Command) {
	return sealing{leg: l, end: l.cutShort(e), open: open}, []Command{
		StopTimers{[]Timer{TimerAskCall, TimerEstablish, TimerPoll, TimerRetry, TimerReply, TimerAnnounceLimit}},
		SealMedia{l.call, Permit{}, false},
		SetTimer{TimerSeal, sealFailedLimit},
	}
}

// sealing waits until every admitted frame and the seal are durable. Only
// from here, and only with that report, is notRecording announced.
type sealing struct {
	leg
	permit Permit // inert where a dead process had it
	end    ending
	asking bool     // whether the call lives is still open
	isDone bool     // sealed; kept while asking
	open   []string // contexts of "recording" whose fate is unknown
}

func (sealing) kind() string { return "sealing" }

func (s sealing) on(ev Event) (state, []Command) {
	switch ev := ev.(type) {
	case MediaSealed:
		s.leg, s.cut, s.isDone = s.sealed(ev.Report), false, true
		return s.settled()
	case SealFaulted:
		return s.unsealed(ev.Detail)
	case TimerFired:
		return s.timer(ev.Timer)
	case CallEnded:
		return s.isGone()
	case CallAsked:
		switch {
		case ev.Gone:
			return s.isGone()
		case ev.Standing == StandingEstablished:
			return s.lives()
		}
		return s, nil // nobody knows: askedLimit decides
	case KeepAliveReplied:
		if ev.Gone {
			return s.isGone()
		}
		return s, keptAlive(ev)
	case StopRequested:
		if ev.Abrupt {
			return s.fail(ev.Cause, "cut short")
		}
		s.end = s.end.final(ev.Cause)
		return s, nil
	case MediaFailed:
		if ev.Cause == CauseStorageFailed || s.end.pause {
			return s.fail(ev.Cause, ev.Detail) // a call that is kept needs its sockets
		}
		return s, nil // what is missing becomes a gap in the seal
	case MediaClosed:
		return s.closed()
	case LedgerFailed:
		return s.fail(CauseJournalFailed, ev.Detail)
	case Crashed:
		return s.fail(CausePanic, ev.Detail)
	case MediaOpened:
		if left := ev.Opened.Previous; left != nil {
			s.leg = s.sealed(*left)
		}
		return s, nil
	case Established, AnswerAccepted, AnswerFaulted, StatusReplied, StatusFaulted, PollFaulted, PauseRequested, ResumeRequested, UnknownSource:
		return s, nil // late, or not now; all is well
	case SessionCreated, SessionRefused, HungUp, Rejected:
	}
	return s, unexpected(ev)
}

// settled goes on when both are known: that all is sealed, and whether the
// call lives.
func (s sealing) settled() (state, []Command) {
	if !s.isDone || s.asking {
		return s, nil
	}
	return retractOpen(s.leg, s.end, s.open)
}

// closed: the sockets of a call that was to be kept. Should it live, they are lost.
func (s sealing) closed() (state, []Command) {
	if !s.end.pause || s.asking {
		return s, nil // as they do at the end
	}
	s.asking = true
	return s, []Command{AskCall{}, SetTimer{TimerAskCall, askedLimit}}
}

// isGone: the platform has dropped the call; whether it lives is no question.
func (s sealing) isGone() (state, []Command) {
	s.end = s.end.final(CauseCallEnded)
	s.end.gone, s.asking = true, false
	return s.settled()
}

// lives: the sockets closed and the call, by the platform's word or for all we
// know, goes on. What is said in it now is lost.
func (s sealing) lives() (state, []Command) {
	if !s.asking {
		return s, nil
	}
	s.asking = false
	s, cmds := s.failWithin(sealAskedLimit, CauseMediaLost, "the sockets closed while the call went on")
	next, more := s.settled()
	return next, append(cmds, more...)
}

func (s sealing) timer(t Timer) (state, []Command) {
	switch t {
	case TimerSeal:
		if s.isDone {
			return s, nil
		}
		return s.unsealed("sealing took too long")
	case TimerAskCall:
		return s.lives()
	case TimerKeepAlive:
		return s, keepAlive(t)
	case TimerEstablish, TimerPoll, TimerRetry, TimerReply, TimerAnnounceLimit, TimerRetractLimit, TimerLeave:
	}
	return s, nil
}

// fail turns an end in good order into a failed one: the gate shuts now, and
// the seal under way gets the time that law 3 leaves. A second fault keeps the
// first's clock.
func (s sealing) fail(cause Cause, detail string) (state, []Command) {
	return s.failWithin(sealFailedLimit, cause, detail)
}

func (s sealing) failWithin(limit time.Duration, cause Cause, detail string) (sealing, []Command) {
	if s.end.status == StatusFailed {
		return s, nil
	}
	s.end.status, s.end.cause, s.end.detail, s.end.pause = StatusFailed, cause, detail, false
	return s, []Command{WithdrawPermit{s.permit}, SetTimer{TimerSeal, limit}}
}

// unsealed gives up on the seal: what is on disk will be sealed at the next
// start. The gate is shut, which is what failed needs.
func (s sealing) unsealed(detail string) (state, []Command) {
	if s.end.status != StatusFailed {
		s.end.status, s.end.cause, s.end.pause = StatusFailed, CauseSealFailed, false
	}
	s.end.detail = join(s.end.detail, detail)
	next, cmds := retractOpen(s.leg, s.end, s.open)
	return next, append([]Command{WithdrawPermit{s.permit}}, cmds...)
}
