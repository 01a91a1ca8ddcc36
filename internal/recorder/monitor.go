package recorder

import (
	"errors"
	"fmt"
)

// A monitor is a second pair of eyes on the order. It shares no code with the
// machine: it sees the events that go in and the commands that come out, and
// refuses a command that would break laws 1 or 2. That never happens; if it
// does, recorderbot_order_violations_total says so, the command is not carried
// out, and the call ends as failed.
type monitor struct {
	asked   map[string]RecordingStatus // by client context
	taken   map[string]bool            // got a 2xx, by client context
	done    map[string]bool            // completed, by client context
	latest  string                     // client context of the latest announcement
	consent bool                       // a success reply to recording, not yet used
	open    bool                       // the gate was opened and the seal is not in
	permit  Permit                     // of the gate
}

// saw takes note of an event.
func (m *monitor) saw(ev Event) {
	switch ev := ev.(type) {
	case StatusReplied:
		m.replied(ev.Operation)
	case MediaSealed:
		m.open = false
	case SessionCreated, SessionRefused, AnswerAccepted, AnswerFaulted, Established, CallAsked, StatusFaulted, PollFaulted,
		MediaOpened, MediaFailed, MediaClosed, SealFaulted, CallEnded, KeepAliveReplied, HungUp, Rejected, StopRequested,
		PauseRequested, ResumeRequested, UnknownSource, TimerFired, Crashed, LedgerFailed:
		// These neither grant consent nor seal.
	}
}

// replied notes what a reply or a notification says. Consent is a 2xx and
// completion, in any order, of the latest announcement, if that is recording.
func (m *monitor) replied(op Operation) {
	if _, ours := m.asked[op.Context]; !ours {
		return
	}
	if m.taken == nil {
		m.taken, m.done = make(map[string]bool), make(map[string]bool)
	}
	if op.Receipt.HTTPStatus/100 == 2 {
		m.taken[op.Context] = true
	}
	if op.Progress == Completed {
		m.done[op.Context] = true
	}
	if op.Context == m.latest && m.asked[op.Context] == StatusRecording && m.taken[op.Context] && m.done[op.Context] {
		m.consent = true
	}
}

var (
	errNoConsent  = errors.New("order: the gate would open without a success reply")
	errUnsealed   = errors.New("order: notRecording would be announced before the seal")
	errGateOpen   = errors.New("order: the status would change while the gate is open")
	errDeadPermit = errors.New("order: the gate would open with a permit that is not live")
)

// check says whether a command keeps the order.
func (m *monitor) check(cmd Command) error {
	switch cmd := cmd.(type) {
	case OpenMedia:
		return m.checkOpen(cmd)
	case Announce:
		return m.checkAnnounce(cmd.announcement)
	case CreateSession, Reject, Answer, AskCall, Poll, SealMedia, WithdrawPermit, ReleaseMedia, KeepAlive, AskRoster, HangUp,
		SetTimer, StopTimers, Conclude, Unexpected:
		// These neither open the gate nor change the status.
	}
	return nil
}

func (m *monitor) checkOpen(cmd OpenMedia) error {
	switch {
	case !m.consent:
		return errNoConsent
	case !cmd.Permit.Live():
		return errDeadPermit
	}
	m.consent, m.open, m.permit = false, true, cmd.Permit
	return nil
}

func (m *monitor) checkAnnounce(a announcement) error {
	switch {
	case a.status == StatusNotRecording && m.open:
		return fmt.Errorf("%w (%s)", errUnsealed, a.context)
	case m.permit.Live():
		return fmt.Errorf("%w (%s)", errGateOpen, a.context)
	}
	if m.asked == nil {
		m.asked = make(map[string]RecordingStatus)
	}
	m.consent = false // whatever was granted, the status is about to change
	m.asked[a.context] = a.status
	m.latest = a.context
	return nil
}
