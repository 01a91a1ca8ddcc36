package recorder

// begin decides about an invite: refused is why it is not admitted, or empty.
func begin(l leg, refused Cause) (state, []Command) {
	if refused == "" {
		return invited{l}, []Command{CreateSession{}}
	}
	reason := RejectBusy
	if refused == CauseNotPolicyInvite {
		reason = RejectForbidden
	}
	return rejecting{l, refused}, []Command{Reject{reason}, SetTimer{TimerLeave, rejectLimit}}
}

// invited waits for a media host's blob. The whole answer has five seconds.
type invited struct{ leg }

func (invited) kind() string { return "invited" }

func (s invited) on(ev Event) (state, []Command) {
	switch ev := ev.(type) {
	case SessionCreated:
		return answering{leg: s.leg, session: ev.Session, tries: 1}, []Command{Answer{ev.Session, false}}
	case SessionRefused:
		return begin(s.leg, ev.Cause)
	case CallEnded:
		return s.conclude(ending{status: StatusNotRecording, cause: CauseEndedBeforeStart, detail: ev.Message, gone: true})
	case StopRequested:
		return begin(s.leg, ev.Cause)
	case Crashed:
		return begin(s.leg, CausePanic)
	case LedgerFailed:
		return s, nil // the answer comes first; announcing will find out
	case PauseRequested, ResumeRequested, UnknownSource:
		return s, nil // not now: whoever asked was told so
	case Established, AnswerAccepted, AnswerFaulted, CallAsked, StatusReplied, StatusFaulted, PollFaulted, MediaOpened,
		MediaFailed, MediaClosed, MediaSealed, SealFaulted, KeepAliveReplied, HungUp, Rejected, TimerFired:
	}
	return s, unexpected(ev)
}

// rejecting waits for the platform to take our no. Whatever it says, the
// outcome is the same.
type rejecting struct {
	leg
	cause Cause
}

func (rejecting) kind() string { return "rejecting" }

func (s rejecting) on(ev Event) (state, []Command) {
	switch ev := ev.(type) {
	case Rejected:
		if ev.Fault != nil {
			return s.done(ev.Fault.Error())
		}
		return s.done("")
	case CallEnded:
		return s.done("")
	case TimerFired:
		if ev.Timer == TimerLeave {
			return s.done("no reply to the rejection")
		}
		return s, nil
	case SessionCreated, SessionRefused:
		return s, nil // overtaken; the end releases it
	case StopRequested, PauseRequested, ResumeRequested, UnknownSource, Crashed, LedgerFailed:
		return s, nil // on its way out already
	case Established, AnswerAccepted, AnswerFaulted, CallAsked, StatusReplied, StatusFaulted, PollFaulted,
		MediaOpened, MediaFailed, MediaClosed, MediaSealed, SealFaulted, KeepAliveReplied, HungUp:
	}
	return s, unexpected(ev)
}

func (s rejecting) done(detail string) (state, []Command) {
	return ended{s.leg}, []Command{
		StopTimers{allTimers()},
		ReleaseMedia{s.cause},
		Conclude{Conclusion{Call: s.call, Outcome: OutcomeRejected, Cause: s.cause, Detail: detail}},
	}
}

// answering waits until the call is established. "Established" may overtake
// the reply to our answer, and may be lost: then we ask. What fails here is told as
// failed at once: law 3 does not wait for the call to be established, and no page
// says that the platform would refuse it.
type answering struct {
	leg
	session Session
	tries   int    // answers given
	doubt   string // why nobody knows whether the last was taken; empty: it was, or may be yet
	asks    int    // after the call, since then
}

func (answering) kind() string { return "answering" }

func (s answering) on(ev Event) (state, []Command) {
	switch ev := ev.(type) {
	case AnswerAccepted:
		s.doubt = ""
		return s, []Command{SetTimer{TimerAskCall, askCallAfter}, SetTimer{TimerEstablish, establishLimit}}
	case AnswerFaulted:
		return s.refused(ev.Fault)
	case Established:
		return startAnnouncing(s.leg, nil)
	case CallAsked:
		return s.stands(ev)
	case TimerFired:
		return s.timer(ev.Timer)
	case CallEnded:
		return s.conclude(ending{status: StatusNotRecording, cause: CauseEndedBeforeStart, detail: ev.Message, gone: true})
	case StopRequested:
		return leave(s.leg, ending{status: StatusNotRecording, cause: ev.Cause})
	case MediaFailed:
		return retract(s.leg, failed(ev.Cause, ev.Detail))
	case MediaClosed:
		return retract(s.leg, failed(CauseMediaLost, ev.Detail))
	case Crashed:
		return retract(s.leg, failed(CausePanic, ev.Detail))
	case LedgerFailed, PauseRequested, ResumeRequested, UnknownSource:
		return s, nil // announcing will find out; not now
	case SessionCreated, SessionRefused, StatusReplied, StatusFaulted, PollFaulted,
		MediaOpened, MediaSealed, SealFaulted, KeepAliveReplied, HungUp, Rejected:
	}
	return s, unexpected(ev)
}

func (s answering) timer(t Timer) (state, []Command) {
	switch t {
	case TimerAskCall:
		return s, []Command{AskCall{}}
	case TimerEstablish:
		return leave(s.leg, ending{status: StatusNotRecording, cause: CauseNeverEstablished})
	case TimerPoll, TimerRetry, TimerReply, TimerAnnounceLimit, TimerSeal, TimerRetractLimit, TimerKeepAlive, TimerLeave:
	}
	return s, nil
}

// stands: an answer without a reply is given again only where the platform says
// that the call still waits for one.
func (s answering) stands(ev CallAsked) (state, []Command) {
	switch {
	case ev.Gone && s.doubt != "":
		return s.conclude(ending{status: StatusNotRecording, cause: CauseAnswerRefused, detail: s.doubt, gone: true})
	case ev.Gone:
		return s.conclude(ending{status: StatusNotRecording, cause: CauseCallGone, gone: true})
	case ev.Standing == StandingEstablished:
		return startAnnouncing(s.leg, nil)
	case s.doubt == "":
		return s, []Command{SetTimer{TimerAskCall, askCallAfter}}
	case ev.Standing == StandingIncoming && s.tries < answers:
		s.doubt = ""
		s.tries++
		return s, []Command{Answer{s.session, true}}
	case ev.Standing == StandingIncoming:
		return leave(s.leg, ending{status: StatusNotRecording, cause: CauseAnswerRefused, detail: s.doubt})
	}
	after := backOff(s.asks)
	s.asks = min(s.asks+1, mostBackOff)
	return s, []Command{SetTimer{TimerAskCall, after}}
}

func (s answering) refused(f Fault) (state, []Command) {
	again := s.tries > 1 && f.Kind == FaultRefused && (f.Cause == "" || f.Cause == CauseAnswerTooLate)
	if again {
		s.tries = answers // a "no" to a second answer may mean that the first was taken: ask, and give no more
	}
	if f.Kind == FaultUnknown || again {
		// Perhaps it was taken: ask, there is time left.
		s.doubt, s.asks = f.Error(), 0
		return s, []Command{SetTimer{TimerAskCall, backOff(s.tries - 1)}, SetTimer{TimerEstablish, establishLimit}}
	}
	cause := f.Cause
	switch {
	case cause != "":
	case f.Kind == FaultGone:
		cause = CauseAnswerTooLate // after five seconds the call ID is unknown
	default:
		cause = CauseAnswerRefused
	}
	e := ending{status: StatusNotRecording, cause: cause, detail: f.Error(), gone: f.Kind == FaultGone}
	if e.gone {
		return s.conclude(e)
	}
	// Perhaps an earlier one was taken whose reply was lost: make sure that we are
	// out. Where it was not, the platform says that there is nothing to leave.
	return leave(s.leg, e)
}
