package recorder

// resume takes a call up where a dead process has left it. What was open in that
// process is not open now: a permit never survives its process.
//
// What is not told here was not begun, or is over: the journal has each step before
// what it leads to can be seen from outside, and the spool has what was stored.
func resume(l leg, t Takeover) (state, []Command) {
	m := t.Memory
	l.asked, l.cut = m.Asked, t.Unsealed
	for _, r := range m.Sealed {
		l = l.sealed(r)
	}
	for _, r := range t.Sealed {
		l = l.sealed(r)
	}
	if t.Lost != "" && m.State != "ended" {
		return l.end(failed(CauseStorageFailed, "recording "+t.Lost+" is not in the spool any more"), m.Open)
	}
	if t.Died {
		return resumeDied(l, m)
	}
	switch m.State {
	case "", "invited", "answering", "rejecting":
		if !l.cut && l.asked == 0 {
			return resumeEarly(l, t)
		}
		// The journal's queue was full: its last steps are missing. What was announced,
		// and what the spool holds, tells more.
		return reviving{leg: l, before: m.Open}, askBeforeReviving()
	case "announcing", "recording", "reviving":
		return reviving{leg: l, before: m.Open}, askBeforeReviving()
	case "paused":
		return resumePaused(l, m.Open)
	case "staying":
		return resumeStaying(l, m.Ending.ending(), m.Open)
	case "leaving":
		return resumeLeaving(l, m.Ending.ending())
	case "ended":
		return resumeEnded(l, m.Outcome)
	}
	// sealing, retracting: on the way out, or to a pause.
	e := m.Ending.ending()
	switch {
	case l.cut:
		return l.sealLeft(e, m.Open)
	case m.Asking && e.status != StatusFailed:
		// All is sealed, and whether that was the call's end is still open.
		return sealing{leg: l, end: e, asking: true, isDone: true, open: m.Open}, askBeforeReviving()
	}
	return retractOpen(l, e, m.Open)
}

// resumeEarly: nothing was announced.
func resumeEarly(l leg, t Takeover) (state, []Command) {
	switch {
	case t.Memory.State == "rejecting":
		cause := CauseProcessDied
		if e := t.Memory.Ending; e != nil && e.Cause != "" {
			cause = e.Cause
		}
		return begin(l, cause)
	case t.Memory.State == "answering":
		return resumeAnswering(l, Session{})
	case t.Session == nil:
		return begin(l, CauseProcessDied)
	}
	return resumeAnswering(l, *t.Session)
}

// resumeStaying: the dead process may not have come to dispose of the sockets. What it
// could not seal is sealed before; then failed is said again.
func resumeStaying(l leg, e ending, open []string) (state, []Command) {
	if l.cut {
		return l.sealLeft(e, open)
	}
	return staying{l, e, open}, []Command{SetTimer{TimerKeepAlive, keepAliveEvery}, ReleaseMedia{e.cause}, AskCall{}}
}

// resumeDied: what was open when a process died was sealed by the next one, which
// died, too. Where that one had come further than the seal, it goes on there.
func resumeDied(l leg, m Memory) (state, []Command) {
	e := m.Ending.ending()
	switch m.State {
	case "leaving":
		return leave(l, e)
	case "staying":
		return resumeStaying(l, e, m.Open)
	case "ended":
		return resumeEnded(l, m.Outcome)
	}
	if e.status != StatusFailed {
		e = failed(CauseProcessDied, e.detail)
	}
	return l.end(e, m.Open)
}

// resumeAnswering: whether the answer was taken, nobody here knows, and the blob
// to give another is gone.
func resumeAnswering(l leg, s Session) (state, []Command) {
	next := answering{leg: l, session: s, tries: answers, doubt: "the process that answered has died"}
	return next, []Command{AskCall{}, SetTimer{TimerAskCall, askCallAfter}, SetTimer{TimerEstablish, establishLimit}}
}

func askBeforeReviving() []Command {
	return []Command{SetTimer{TimerKeepAlive, keepAliveEvery}, AskCall{}, SetTimer{TimerAskCall, askedLimit}}
}

// resumePaused: the call may have ended meanwhile.
func resumePaused(l leg, open []string) (state, []Command) {
	if l.cut { // it died between sealing and saying so; then what is open is nobody's pause
		return l.sealLeft(failed(CauseProcessDied, ""), open)
	}
	return paused{leg: l, open: open}, []Command{SetTimer{TimerKeepAlive, keepAliveEvery}, AskCall{}}
}

func resumeLeaving(l leg, e ending) (state, []Command) {
	if l.cut {
		return l.sealLeft(e, nil)
	}
	return leave(l, e)
}

// resumeEnded: only the entry is missing, or what the dead process could not seal.
func resumeEnded(l leg, end *Conclusion) (state, []Command) {
	switch {
	case l.cut, end == nil:
		e := failed(CauseProcessDied, "")
		if end != nil {
			e = failed(end.Cause, end.Detail)
		}
		e.gone = true
		return l.end(e, nil)
	case len(l.done) > len(end.Recordings):
		end.Recordings = l.done
	}
	return ended{l}, []Command{ReleaseMedia{end.Cause}, Conclude{*end}}
}

// reviving asks whether the call lives that a dead process was recording, or about
// to: if so, it is recorded on, under a new permit. What the dead one has left
// unsealed is sealed when it goes on, or when it can't.
type reviving struct {
	leg
	before []string // contexts of "recording" whose fate is unknown
}

func (reviving) kind() string { return "reviving" }

func (s reviving) on(ev Event) (state, []Command) {
	switch ev := ev.(type) {
	case CallAsked:
		if ev.Gone {
			return s.gone("")
		}
		return startAnnouncing(s.leg, s.before)
	case TimerFired:
		if ev.Timer == TimerAskCall {
			return startAnnouncing(s.leg, s.before) // whoever can't be asked may be told
		}
		return s, keepAlive(ev.Timer)
	case CallEnded:
		return s.gone(ev.Message)
	case KeepAliveReplied:
		if ev.Gone {
			return s.gone("keepAlive: the call is gone")
		}
		return s, keptAlive(ev)
	case StopRequested:
		return s.end(ending{status: StatusNotRecording, cause: ev.Cause}, s.before)
	case MediaFailed:
		return s.end(failed(ev.Cause, ev.Detail), s.before)
	case MediaClosed:
		return s.end(failed(CauseMediaLost, ev.Detail), s.before)
	case LedgerFailed:
		return s.end(failed(CauseJournalFailed, ev.Detail), s.before)
	case Crashed:
		return s.end(failed(CausePanic, ev.Detail), s.before)
	case Established, PauseRequested, ResumeRequested, UnknownSource, AnswerAccepted, AnswerFaulted, StatusReplied, StatusFaulted, PollFaulted:
		return s, nil // of the dead process's making, or not now
	case SessionCreated, SessionRefused, MediaOpened, MediaSealed, SealFaulted, HungUp, Rejected:
	}
	return s, unexpected(ev)
}

func (s reviving) gone(detail string) (state, []Command) {
	return s.end(ending{status: StatusNotRecording, cause: s.endedCause(CauseEndedBeforeStart), detail: detail, gone: true}, s.before)
}
