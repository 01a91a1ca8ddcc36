package recorder

import (
	"fmt"
	"strings"
	"time"
)

// An Event is something that happened to a call. Everything the state machine
// learns is an event; timers are events too.
//
//sumtype:decl
type Event interface{ isEvent() }

type (
	// SessionCreated says that a media host has made the call's sockets.
	SessionCreated struct{ Session Session }
	// SessionRefused says that no host could, in time.
	SessionRefused struct{ Cause Cause }
	// AnswerAccepted says that the platform took our answer (202).
	AnswerAccepted struct{}
	// AnswerFaulted says that it did not, or that nobody knows.
	AnswerFaulted struct{ Fault Fault }
	// Established says that media may flow.
	Established struct{}
	// CallAsked is the reply to our own question about a call's state.
	CallAsked struct {
		Standing Standing // unknown where nobody could tell
		Gone     bool
	}
	// StatusReplied carries an operation, from the reply to an announcement,
	// from a later notification or from a poll.
	StatusReplied struct{ Operation Operation }
	// StatusFaulted says that an announcement got no operation.
	StatusFaulted struct {
		Context string
		Fault   Fault
	}
	// PollFaulted says that a poll got no operation. It says nothing about the
	// announcement.
	PollFaulted struct {
		Context string
		Fault   Fault
	}
	// MediaOpened says that the gate is open and the host has confirmed.
	MediaOpened struct{ Opened Opened }
	// MediaFailed says that recording can't go on completely.
	MediaFailed struct {
		Cause  Cause
		Detail string
	}
	// MediaClosed says that the host has closed the sockets in good order, as
	// it does when the call ends.
	MediaClosed struct{ Detail string }
	// MediaSealed says that every admitted frame and the seal are on stable
	// storage.
	MediaSealed struct{ Report SealReport }
	// SealFaulted says that they are not.
	SealFaulted struct{ Detail string }
	// CallEnded says that the platform has dropped the call.
	CallEnded struct {
		Code, Subcode int
		Message       string
	}
	// KeepAliveReplied says what came of a keepAlive: Gone, that the platform no
	// longer knows the call; OK, that it does; neither, that nobody knows, and then
	// RetryAfter is what the platform asked for.
	KeepAliveReplied struct {
		OK, Gone   bool
		RetryAfter time.Duration
	}
	// HungUp says that the platform was told that we leave; Fault where that
	// failed.
	HungUp struct{ Fault *Fault }
	// Rejected says that the platform was told no; Fault where that failed.
	Rejected struct{ Fault *Fault }
	// StopRequested says that an operator or the shutdown ends the recording.
	StopRequested struct {
		Cause Cause
		// Abrupt: seal at once and announce failed (second signal).
		Abrupt bool
	}
	// PauseRequested says that an operator wants the recording to end for a while,
	// and the call to be kept.
	PauseRequested struct{}
	// ResumeRequested says that an operator wants a paused call recorded again.
	ResumeRequested struct{}
	// UnknownSource says that media comes from a source that no roster names: somebody
	// should ask who is in the call. It may be posted as often as that is so; the
	// registry passes on what is reasonable (Registry.Post).
	UnknownSource struct{}
	// TimerFired says that a timer set by the machine has run down.
	TimerFired struct{ Timer Timer }
	// Crashed says that this call's own code has panicked, or that the monitor
	// refused what it wanted.
	Crashed struct{ Detail string }
	// LedgerFailed says that the journal can't be written.
	LedgerFailed struct{ Detail string }
)

func (SessionCreated) isEvent()   {}
func (SessionRefused) isEvent()   {}
func (AnswerAccepted) isEvent()   {}
func (AnswerFaulted) isEvent()    {}
func (Established) isEvent()      {}
func (CallAsked) isEvent()        {}
func (StatusReplied) isEvent()    {}
func (StatusFaulted) isEvent()    {}
func (MediaOpened) isEvent()      {}
func (MediaFailed) isEvent()      {}
func (PollFaulted) isEvent()      {}
func (MediaClosed) isEvent()      {}
func (Rejected) isEvent()         {}
func (MediaSealed) isEvent()      {}
func (SealFaulted) isEvent()      {}
func (CallEnded) isEvent()        {}
func (KeepAliveReplied) isEvent() {}
func (HungUp) isEvent()           {}
func (StopRequested) isEvent()    {}
func (PauseRequested) isEvent()   {}
func (ResumeRequested) isEvent()  {}
func (UnknownSource) isEvent()    {}
func (TimerFired) isEvent()       {}
func (Crashed) isEvent()          {}
func (LedgerFailed) isEvent()     {}

// eventName is an event's metric label: its type's name.
func eventName(ev Event) string {
	return strings.TrimPrefix(fmt.Sprintf("%T", ev), "recorder.")
}

// events is one of each kind.
func events() []Event {
	return []Event{
		SessionCreated{},
		SessionRefused{},
		AnswerAccepted{},
		AnswerFaulted{},
		Established{},
		CallAsked{},
		StatusReplied{},
		StatusFaulted{},
		PollFaulted{},
		MediaOpened{},
		MediaFailed{},
		MediaClosed{},
		MediaSealed{},
		SealFaulted{},
		CallEnded{},
		KeepAliveReplied{},
		HungUp{},
		Rejected{},
		StopRequested{},
		PauseRequested{},
		ResumeRequested{},
		UnknownSource{},
		TimerFired{},
		Crashed{},
		LedgerFailed{},
	}
}

// eventNames are the labels of all events, so that each can be exported as 0.
func eventNames() []string {
	all := events()
	names := make([]string, len(all))
	for i, ev := range all {
		names[i] = eventName(ev)
	}
	return names
}
