package recorder

// startAnnouncing asks for consent: the call is established.
func startAnnouncing(l leg) (state, []Command) {
	l, a := l.announce(StatusRecording)
	return announcing{leg: l, asked: a}, []Command{
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
	operation OperationID // running, if told
	tries     int
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
		return s, []Command{SetTimer{TimerPoll, pollEvery}}
	case TimerFired:
		return s.timer(ev.Timer)
	case KeepAliveReplied:
		if ev.Gone {
			return s.gone("keepAlive: the call is gone")
		}
		return s, keptAlive(ev)
	case CallEnded:
		return s.conclude(ending{status: StatusNotRecording, cause: CauseEndedBeforeStart, detail: ev.Message, gone: true}, nil)
	case StopRequested:
		// Our "recording" may have taken effect unseen: retract it.
		return retract(s.leg, ending{status: StatusNotRecording, cause: ev.Cause}, nil)
	case MediaFailed:
		return retract(s.leg, ending{status: StatusFailed, cause: ev.Cause, detail: ev.Detail}, nil)
	case MediaClosed:
		return retract(s.leg, ending{status: StatusFailed, cause: CauseMediaLost, detail: ev.Detail}, nil)
	case LedgerFailed:
		return retract(s.leg, ending{status: StatusFailed, cause: CauseJournalFailed, detail: ev.Detail}, nil)
	case Crashed:
		return retract(s.leg, ending{status: StatusFailed, cause: CausePanic, detail: ev.Detail}, nil)
	case Established, AnswerAccepted, AnswerFaulted, CallAsked:
		return s, nil // repeated or late; all is well
	case SessionCreated, SessionRefused, MediaOpened, MediaSealed, SealFaulted, HungUp, Rejected:
	}
	return s, unexpected(ev)
}

func (s announcing) replied(ev StatusReplied) (state, []Command) {
	if ev.Operation.Context != s.asked.context {
		return s, unexpected(ev) // an answer to something else
	}
	switch ev.Operation.Progress {
	case Running:
		s.operation = ev.Operation.ID
		return s, []Command{SetTimer{TimerPoll, pollEvery}}
	case Failed:
		return retract(s.leg, ending{status: StatusFailed, cause: CauseStatusRefused, detail: ev.Operation.Reason}, nil)
	case Completed:
	}
	permit, err := mint(s.asked, ev.Operation)
	if err != nil {
		return retract(s.leg, ending{status: StatusFailed, cause: CauseStatusRefused, detail: err.Error()}, nil)
	}
	return recording{leg: s.leg, permit: permit, context: s.asked.context}, []Command{
		StopTimers{[]Timer{TimerPoll, TimerRetry, TimerReply, TimerAnnounceLimit}},
		OpenMedia{permit},
	}
}

func (s announcing) faulted(ev StatusFaulted) (state, []Command) {
	if ev.Context != s.asked.context {
		return s, nil // an older request; a newer one is under way
	}
	switch ev.Fault.Kind {
	case FaultGone:
		return s.gone(ev.Fault.Error())
	case FaultThrottled:
		return s, []Command{StopTimers{[]Timer{TimerReply}}, SetTimer{TimerRetry, max(ev.Fault.RetryAfter, backOff(s.tries))}}
	case FaultUnknown:
		return s, []Command{SetTimer{TimerRetry, backOff(s.tries)}}
	case FaultRefused:
	}
	cause := ev.Fault.Cause
	if cause == "" {
		cause = CauseStatusRefused
	}
	return retract(s.leg, ending{status: StatusFailed, cause: cause, detail: ev.Fault.Error()}, nil)
}

func (s announcing) gone(detail string) (state, []Command) {
	return s.conclude(ending{status: StatusNotRecording, cause: CauseCallGone, detail: detail, gone: true}, nil)
}

func (s announcing) timer(t Timer) (state, []Command) {
	switch t {
	case TimerPoll:
		return s, []Command{Poll{s.asked, s.operation}}
	case TimerRetry, TimerReply:
		// The fate of the last request is unknown: ask again under a fresh
		// context, so that a late reply can't be taken for this one's.
		l, a := s.announce(StatusRecording)
		return announcing{leg: l, asked: a, tries: s.tries + 1}, []Command{
			StopTimers{[]Timer{TimerPoll, TimerRetry}}, SetTimer{TimerReply, replyLimit}, Announce{a},
		}
	case TimerAnnounceLimit:
		return retract(s.leg, ending{status: StatusFailed, cause: CauseStatusUnknown, detail: "no success reply to recording in time"}, nil)
	case TimerKeepAlive:
		return s, keepAlive(t)
	case TimerAskCall, TimerEstablish, TimerSeal, TimerRetractLimit, TimerLeave:
	}
	return s, nil
}
