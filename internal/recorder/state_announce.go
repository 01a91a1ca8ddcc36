package recorder

import "slices"

// startAnnouncing asks for consent: the call is established. before are requests of
// a dead process whose fate is unknown.
func startAnnouncing(l leg, before []string) (state, []Command) {
	l, a := l.announce(StatusRecording)
	return announcing{leg: l, asked: a, before: before}, []Command{
		StopTimers{[]Timer{TimerAskCall, TimerEstablish}},
		SetTimer{TimerKeepAlive, keepAliveEvery},
		SetTimer{TimerAnnounceLimit, announceLimit},
		SetTimer{TimerReply, replyLimit},
		Announce{a},
	}
}

// announcing waits for the success reply to "recording". No byte may be kept
// here: there is no permit in this struct.
type announcing struct {
	leg
	asked     announcement
	reply     Receipt     // of the request's 2xx reply; zero: none yet
	early     Operation   // a notification of completion that overtook the reply
	before    []string    // contexts of earlier tries, whose fate is unknown
	operation OperationID // running, if told
	tries     int
	trouble   string // of the latest request, for people
}

func (announcing) kind() string { return "announcing" }

func (s announcing) on(ev Event) (state, []Command) {
	switch ev := ev.(type) {
	case StatusReplied:
		return s.replied(ev)
	case StatusFaulted:
		return s.faulted(ev)
	case PollFaulted:
		// No page documents the poll (protocol.md §3.5), so its failure says
		// nothing: the reply limit decides.
		if ev.Context != s.asked.context {
			return s, nil // about an older request
		}
		return s, []Command{SetTimer{TimerPoll, pollEvery}}
	case TimerFired:
		return s.timer(ev.Timer)
	case KeepAliveReplied:
		if ev.Gone {
			return s.gone("keepAlive: the call is gone")
		}
		return s, keptAlive(ev)
	case CallEnded:
		return s.end(ending{status: StatusNotRecording, cause: s.endedCause(CauseEndedBeforeStart), detail: ev.Message, gone: true}, nil)
	case StopRequested:
		// Our "recording" may have taken effect unseen: retract it.
		return s.retract(ending{status: StatusNotRecording, cause: ev.Cause})
	case MediaFailed:
		return s.retract(failed(ev.Cause, ev.Detail))
	case MediaClosed:
		return s.retract(failed(CauseMediaLost, ev.Detail))
	case LedgerFailed:
		return s.retract(failed(CauseJournalFailed, ev.Detail))
	case Crashed:
		return s.retract(failed(CausePanic, ev.Detail))
	case Established, AnswerAccepted, AnswerFaulted, CallAsked, PauseRequested, ResumeRequested, UnknownSource:
		return s, nil // repeated, late, or not now; all is well
	case SessionCreated, SessionRefused, MediaOpened, MediaSealed, SealFaulted, HungUp, Rejected:
	}
	return s, unexpected(ev)
}

// replied: success is a 2xx of the request and the operation's completion,
// whichever is seen first.
func (s announcing) replied(ev StatusReplied) (state, []Command) {
	op := ev.Operation
	if op.Context != s.asked.context {
		return s, unexpected(ev) // an answer to something else
	}
	if op.Receipt.HTTPStatus != 0 {
		s.reply = op.Receipt
	}
	switch op.Progress {
	case Failed:
		return s.refused(CauseStatusRefused, op.Reason)
	case Completed:
		if s.reply.HTTPStatus == 0 {
			s.early = op // the request may still be refused: wait for its reply
			return s, nil
		}
	case Running:
		if s.early.Context == s.asked.context && s.reply.HTTPStatus != 0 {
			op = s.early
			break
		}
		s.operation = op.ID
		return s, []Command{SetTimer{TimerPoll, pollEvery}}
	}
	permit, err := mint(s.asked, s.reply, op)
	if err != nil {
		return s.refused(CauseStatusRefused, err.Error())
	}
	return recording{leg: s.leg, permit: permit, context: s.asked.context}, []Command{
		StopTimers{[]Timer{TimerPoll, TimerRetry, TimerReply, TimerAnnounceLimit}},
		OpenMedia{permit},
	}
}

// refused: there will be no consent. The platform is told that recording
// failed.
func (s announcing) refused(cause Cause, detail string) (state, []Command) {
	return s.retract(failed(cause, detail))
}

// retract gives up. A request that has no final reply may still take effect on
// the platform, after ours: its context is kept, so that we can tell again.
func (s announcing) retract(e ending) (state, []Command) {
	return s.end(e, append(slices.Clone(s.before), s.asked.context))
}

func (s announcing) faulted(ev StatusFaulted) (state, []Command) {
	if ev.Context != s.asked.context {
		return s, nil // an older request; a newer one is under way
	}
	s.trouble = ev.Fault.Error()
	switch ev.Fault.Kind {
	case FaultGone:
		return s.gone(ev.Fault.Error())
	case FaultThrottled:
		if ev.Fault.RetryAfter >= announceLimit {
			return s.refused(CauseStatusUnknown, s.trouble) // it can't come in time
		}
		return s, []Command{StopTimers{[]Timer{TimerReply}}, SetTimer{TimerRetry, max(ev.Fault.RetryAfter, backOff(s.tries))}}
	case FaultUnknown:
		return s, []Command{SetTimer{TimerRetry, max(ev.Fault.RetryAfter, backOff(s.tries))}}
	case FaultRefused:
	}
	cause := ev.Fault.Cause
	if cause == "" {
		cause = CauseStatusRefused
	}
	return s.refused(cause, ev.Fault.Error())
}

func (s announcing) gone(detail string) (state, []Command) {
	return s.end(ending{status: StatusNotRecording, cause: CauseCallGone, detail: detail, gone: true}, nil)
}

// endedCause is why a call ended that was not recorded now, and perhaps before.
func (l leg) endedCause(never Cause) Cause {
	if len(l.done) > 0 {
		return CauseCallEnded
	}
	return never
}

func (s announcing) timer(t Timer) (state, []Command) {
	switch t {
	case TimerPoll:
		return s, []Command{Poll{s.asked, s.operation}}
	case TimerRetry, TimerReply:
		// The fate of the last request is unknown: ask again under a fresh
		// context, so that a late reply can't be taken for this one's.
		l, a := s.announce(StatusRecording)
		before := append(slices.Clone(s.before), s.asked.context)
		return announcing{leg: l, asked: a, before: before, tries: s.tries + 1, trouble: s.trouble}, []Command{
			StopTimers{[]Timer{TimerPoll, TimerRetry}}, SetTimer{TimerReply, replyLimit}, Announce{a},
		}
	case TimerAnnounceLimit:
		return s.retract(failed(CauseStatusUnknown, join("no success reply to recording in time", s.trouble)))
	case TimerKeepAlive:
		return s, keepAlive(t)
	case TimerAskCall, TimerEstablish, TimerSeal, TimerRetractLimit, TimerLeave:
	}
	return s, nil
}
