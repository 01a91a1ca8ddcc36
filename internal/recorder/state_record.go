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
		s.opened = true
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
			return s.seal(ending{status: StatusFailed, cause: ev.Cause})
		}
		return s.seal(ending{status: StatusNotRecording, cause: ev.Cause})
	case MediaClosed:
		// The sockets closed in good order, as they do when the call ends. Should
		// the call live, something was lost: ask.
		return s.sealAndAsk(ending{status: StatusNotRecording, cause: CauseCallEnded, detail: ev.Detail})
	case MediaFailed:
		return s.seal(ending{status: StatusFailed, cause: ev.Cause, detail: ev.Detail})
	case LedgerFailed:
		return s.seal(ending{status: StatusFailed, cause: CauseJournalFailed, detail: ev.Detail})
	case Crashed:
		return s.seal(ending{status: StatusFailed, cause: CausePanic, detail: ev.Detail})
	case StatusReplied:
		if ev.Operation.Context == s.context && ev.Operation.Progress == Failed {
			// Consent is taken back: the platform says two things about one
			// operation, and only one of them lets us record.
			return s.seal(ending{status: StatusFailed, cause: CauseStatusRefused, detail: ev.Operation.Reason})
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
		return s.seal(ending{status: StatusFailed, cause: CauseStatusRefused, detail: ev.Fault.Error()})
	case FaultGone:
		return s.seal(ending{status: StatusNotRecording, cause: CauseCallGone, detail: ev.Fault.Error(), gone: true})
	case FaultUnknown, FaultThrottled:
	}
	return s, nil
}

// seal ends the recording. What failed is cut at once: the gate shuts first.
// What ended well may bring in its last frames under the permit it still has.
func (s recording) seal(e ending) (state, []Command) {
	next := sealing{leg: s.leg, permit: s.permit, end: e}
	if e.status == StatusFailed {
		return next, []Command{WithdrawPermit{s.permit}, SealMedia{s.permit, false}, SetTimer{TimerSeal, sealFailedLimit}}
	}
	return next, []Command{SealMedia{s.permit, true}, SetTimer{TimerSeal, sealLimit}}
}

// sealAndAsk seals, and asks whether the call lives: only a call that is over
// may end as notRecording.
func (s recording) sealAndAsk(e ending) (state, []Command) {
	next := sealing{leg: s.leg, permit: s.permit, end: e, asking: true}
	return next, []Command{SealMedia{s.permit, true}, SetTimer{TimerSeal, sealLimit}, AskCall{}, SetTimer{TimerAskCall, askedLimit}}
}

// sealing waits until every admitted frame and the seal are durable. Only
// from here, and only with that report, is notRecording announced.
type sealing struct {
	leg
	permit Permit
	end    ending
	asking bool        // whether the call lives is still open
	report *SealReport // sealed; kept while asking
}

func (sealing) kind() string { return "sealing" }

func (s sealing) on(ev Event) (state, []Command) {
	switch ev := ev.(type) {
	case MediaSealed:
		s.report = &ev.Report
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
		return s, nil
	case MediaFailed:
		if ev.Cause == CauseStorageFailed {
			return s.fail(ev.Cause, ev.Detail)
		}
		return s, nil // what is missing becomes a gap in the seal
	case LedgerFailed:
		return s.fail(CauseJournalFailed, ev.Detail)
	case Crashed:
		return s.fail(CausePanic, ev.Detail)
	case MediaOpened, MediaClosed, Established, AnswerAccepted, AnswerFaulted, StatusReplied, StatusFaulted, PollFaulted:
		return s, nil // late; all is well
	case SessionCreated, SessionRefused, HungUp, Rejected:
	}
	return s, unexpected(ev)
}

// settled goes on when both are known: that all is sealed, and whether the
// call lives.
func (s sealing) settled() (state, []Command) {
	if s.report == nil || s.asking {
		return s, nil
	}
	return retract(s.leg, s.end, s.report)
}

// isGone: the platform has dropped the call; whether it lives is no question.
func (s sealing) isGone() (state, []Command) {
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
		if s.report != nil {
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
	s.end.status, s.end.cause, s.end.detail = StatusFailed, cause, detail
	return s, []Command{WithdrawPermit{s.permit}, SetTimer{TimerSeal, limit}}
}

// unsealed gives up on the seal: what is on disk will be sealed at the next
// start. The gate is shut, which is what failed needs.
func (s sealing) unsealed(detail string) (state, []Command) {
	if s.end.status != StatusFailed {
		s.end.status, s.end.cause = StatusFailed, CauseSealFailed
	}
	s.end.detail = join(s.end.detail, detail)
	next, cmds := retract(s.leg, s.end, nil)
	return next, append([]Command{WithdrawPermit{s.permit}}, cmds...)
}
