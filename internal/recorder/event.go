package recorder

import (
	"fmt"
	"strings"
)

// An Event is something that happened to a call. Everything the state machine
// learns is an event; timers are events too.
//
//sumtype:decl
type Event interface{ isEvent() }

type (
	// SessionCreated: a media host has made the call's sockets.
	SessionCreated struct{ Session Session }
	// SessionRefused: no host could, in time.
	SessionRefused struct{ Cause Cause }
	// AnswerAccepted: the platform took our answer (202).
	AnswerAccepted struct{}
	// AnswerFaulted: it did not.
	AnswerFaulted struct{ Fault Fault }
	// Established: media may flow.
	Established struct{}
	// CallAsked is the reply to our own question about a call's state.
	CallAsked struct {
		Established bool
		Gone        bool
	}
	// StatusReplied carries an operation, from the reply to an announcement,
	// from a later notification or from a poll.
	StatusReplied struct{ Operation Operation }
	// StatusFaulted: an announcement got no operation.
	StatusFaulted struct {
		Context string
		Fault   Fault
	}
	// PollFaulted: a poll got no operation. It says nothing about the
	// announcement.
	PollFaulted struct {
		Context string
		Fault   Fault
	}
	// MediaOpened: the gate is open and the host has confirmed.
	MediaOpened struct{ Opened Opened }
	// MediaFailed: recording can't go on completely.
	MediaFailed struct {
		Cause  Cause
		Detail string
	}
	// MediaClosed: the host has closed the sockets in good order, as it does
	// when the call ends.
	MediaClosed struct{ Detail string }
	// MediaSealed: every admitted frame and the seal are on stable storage.
	MediaSealed struct{ Report SealReport }
	// SealFaulted: they are not.
	SealFaulted struct{ Detail string }
	// CallEnded: the platform has dropped the call.
	CallEnded struct {
		Code, Subcode int
		Message       string
	}
	// KeepAliveReplied: Gone says that the platform no longer knows the call,
	// OK that it does; neither means that nobody knows.
	KeepAliveReplied struct{ OK, Gone bool }
	// HungUp: the platform was told that we leave; Fault where that failed.
	HungUp struct{ Fault *Fault }
	// Rejected: the platform was told no; Fault where that failed.
	Rejected struct{ Fault *Fault }
	// StopRequested: an operator or the shutdown ends the recording.
	StopRequested struct {
		Cause Cause
		// Abrupt: seal at once and announce failed (second signal).
		Abrupt bool
	}
	// TimerFired: a timer set by the machine has run down.
	TimerFired struct{ Timer Timer }
	// Crashed: a panic in this call's own code.
	Crashed struct{ Detail string }
	// LedgerFailed: the journal can't be written.
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
func (TimerFired) isEvent()       {}
func (Crashed) isEvent()          {}
func (LedgerFailed) isEvent()     {}

// eventName is an event's metric label: its type's name.
func eventName(ev Event) string {
	return strings.TrimPrefix(fmt.Sprintf("%T", ev), "recorder.")
}
