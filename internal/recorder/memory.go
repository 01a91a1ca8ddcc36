package recorder

// A Memory is what of a call's state a later process needs, should this one die. It
// is written beside each event in the journal. Its JSON may grow; what an older
// version wrote is understood.
type Memory struct {
	State  string       `json:"state"`            // the state's name
	Asked  int          `json:"asked,omitempty"`  // announcements so far
	Open   []string     `json:"open,omitempty"`   // client contexts of "recording" whose fate is unknown
	Ending *Ending      `json:"ending,omitempty"` // where the call is on its way out, or to a pause
	Asking bool         `json:"asking,omitempty"` // the sockets closed, and whether the call lives is open
	Sealed []SealReport `json:"sealed,omitempty"` // recordings of the call that are sealed
	// Outcome is set once the call has ended and only its entry is missing.
	Outcome *Conclusion `json:"outcome,omitempty"`
}

// An Ending is why a call is on its way out.
type Ending struct {
	Status RecordingStatus `json:"status,omitempty"`
	Cause  Cause           `json:"cause,omitempty"`
	Detail string          `json:"detail,omitempty"`
	Gone   bool            `json:"gone,omitempty"`
	Pause  bool            `json:"pause,omitempty"`
}

// ending is the machine's own form. What was not told counts as a death.
func (e *Ending) ending() ending {
	if e == nil || e.Status == 0 {
		return failed(CauseProcessDied, "")
	}
	return ending{status: e.Status, cause: e.Cause, detail: e.Detail, gone: e.Gone, pause: e.Pause}
}

func remembered(e ending) *Ending {
	return &Ending{Status: e.status, Cause: e.cause, Detail: e.detail, Gone: e.gone, Pause: e.pause}
}

// A Takeover is what a dead process has left of a call that has no outcome.
type Takeover struct {
	Memory  Memory   `json:"memory"`
	Session *Session `json:"session,omitempty"` // nil: none was made, as far as is known
	// Unsealed: the spool holds a recording of the call without a seal. The media
	// side was told of it (it has adopted the session).
	Unsealed bool `json:"unsealed,omitempty"`
	// Sealed are the recordings of the call that the spool or the archive has.
	Sealed []SealReport `json:"sealed,omitempty"`
	// Died: one of Sealed ends where a process died, and nobody had gone on with it when
	// it was sealed: the call has failed, though nobody has said so yet.
	Died bool `json:"died,omitempty"`
	// Lost names a recording that was opened and that nobody has any more; empty: none.
	Lost string `json:"lost,omitempty"`
	// OnFailure is the policy of the process that takes over; TakeUp sets it.
	OnFailure FailurePolicy `json:"onFailure,omitempty"`
}

// remember is what a later process needs to know of a state.
func remember(s state, cmds []Command) Memory {
	l := legOf(s)
	m := Memory{State: s.kind(), Asked: l.asked, Sealed: l.done}
	switch s := s.(type) {
	case rejecting:
		m.Ending = &Ending{Cause: s.cause}
	case announcing:
		m.Open = append(append(m.Open, s.before...), s.asked.context)
	case sealing:
		m.Open, m.Ending, m.Asking = s.open, remembered(s.end), s.asking
	case retracting:
		m.Open, m.Ending = s.open, remembered(s.end)
	case paused:
		m.Open = s.open
	case reviving:
		m.Open = s.before
	case staying:
		m.Open, m.Ending = s.open, remembered(s.end)
	case leaving:
		m.Ending = remembered(s.end)
	case invited, answering, recording:
	case ended:
		for _, cmd := range cmds {
			if c, ok := cmd.(Conclude); ok {
				m.Outcome, m.Sealed = &c.End, c.End.Recordings
			}
		}
	}
	return m
}
