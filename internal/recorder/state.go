package recorder

import (
	"fmt"
	"slices"
	"time"
)

// A state is one stage of a call. on never blocks, touches nothing outside and
// names every event.
//
//sumtype:decl
type state interface {
	on(ev Event) (state, []Command)
	// kind is the state's name, a metric label.
	kind() string
}

// stateKinds are all states, for metrics.
func stateKinds() []string {
	return []string{
		"invited", "rejecting", "answering", "announcing", "recording",
		"sealing", "retracting", "paused", "reviving", "staying", "leaving", "ended",
	}
}

// A FailurePolicy says what to do with the call once failed was announced.
type FailurePolicy uint8

// The policies.
const (
	// FailureLeave leaves, so that the administrator's policy flags decide about
	// the user's call: fail closed.
	FailureLeave FailurePolicy = iota
	// FailureStay stays in the call without recording it.
	FailureStay
)

// A leg is what is true of a call in every state.
type leg struct {
	call      CallID
	onFailure FailurePolicy
	asked     int          // announcements so far; numbers the client contexts
	done      []SealReport // recordings of this call that are sealed
	cut       bool         // a recording that a dead process left has no seal yet
}

// sealed adds recordings that are sealed, each once: what is said of one later is
// the more exact.
func (l leg) sealed(r SealReport) leg {
	if r.Previous != nil {
		l = l.sealed(*r.Previous)
		r.Previous = nil
	}
	l.done = slices.Clone(l.done)
	at := slices.IndexFunc(l.done, func(old SealReport) bool { return old.Recording == r.Recording })
	if at < 0 {
		l.done = append(l.done, r)
		return l
	}
	l.done[at] = r
	return l
}

// An announcement is our request to set the recording status.
type announcement struct {
	call    CallID
	status  RecordingStatus
	context string // fresh for each request; pairs the reply with it
}

// announce makes the next announcement of the call. The context is at most
// 256 characters (Graph) since call IDs are at most 128.
func (l leg) announce(status RecordingStatus) (leg, announcement) {
	l.asked++
	return l, announcement{call: l.call, status: status, context: fmt.Sprintf("%s/%d/%s", l.call, l.asked, status)}
}

// An ending is why a call is on its way out.
type ending struct {
	status RecordingStatus // what is announced: notRecording or failed
	cause  Cause
	detail string
	gone   bool // the platform has dropped the call already
	pause  bool // the call is kept, and may be recorded again
}

// final is the ending of a call that is over, whatever was meant before.
func (e ending) final(cause Cause) ending {
	if e.pause {
		e.pause, e.cause = false, cause
	}
	return e
}

// failed is the ending of a call that can't go on as it should.
func failed(cause Cause, detail string) ending {
	return ending{status: StatusFailed, cause: cause, detail: detail}
}

// end brings a call without an open gate to its end: what a dead process has left
// is sealed first, and then it counts as failed; what is over needs no word.
func (l leg) end(e ending, open []string) (state, []Command) {
	switch {
	case l.cut:
		return l.sealLeft(e, open)
	case e.gone && len(l.done) == 0:
		return l.conclude(e)
	}
	return retractOpen(l, e, open)
}

// conclude ends the call: the sockets go, and the outcome is entered.
func (l leg) conclude(e ending) (state, []Command) {
	e = e.final(CauseCallEnded)
	end := Conclusion{Call: l.call, Outcome: outcomeOf(e, l.done), Cause: e.cause, Detail: e.detail, Recordings: l.done}
	if end.Outcome == OutcomeNotRecorded && len(l.done) > 0 {
		end.Cause = CauseNoMedia
	}
	return ended{l}, []Command{
		StopTimers{allTimers()},
		ReleaseMedia{e.cause},
		Conclude{end},
	}
}

// outcomeOf adds up all recordings of a call.
func outcomeOf(e ending, done []SealReport) Outcome {
	var frames, missing uint64
	for _, r := range done {
		frames, missing = frames+r.Frames, missing+r.GapSamples+r.GapFrames
	}
	switch {
	case e.status == StatusFailed:
		return OutcomeFailed
	case frames == 0:
		return OutcomeNotRecorded
	case missing > 0:
		return OutcomeRecordedWithGaps
	}
	return OutcomeRecorded
}

func allTimers() []Timer {
	all := make([]Timer, 0, TimerLeave)
	for t := TimerAskCall; t <= TimerLeave; t++ {
		all = append(all, t)
	}
	return all
}

func unexpected(ev Event) []Command { return []Command{Unexpected{ev}} }

// mostBackOff is the number of tries from which on the wait stays the same.
const mostBackOff = 4

// backOff is how long to wait before the try after n others.
func backOff(n int) time.Duration {
	if n >= mostBackOff {
		return retryMost
	}
	return min(retryFirst<<n, retryMost)
}

// ended is final.
type ended struct{ leg }

// legOf is what every state has.
func legOf(s state) leg {
	switch s := s.(type) {
	case invited:
		return s.leg
	case rejecting:
		return s.leg
	case answering:
		return s.leg
	case announcing:
		return s.leg
	case recording:
		return s.leg
	case sealing:
		return s.leg
	case retracting:
		return s.leg
	case paused:
		return s.leg
	case reviving:
		return s.leg
	case staying:
		return s.leg
	case leaving:
		return s.leg
	case ended:
		return s.leg
	}
	return leg{}
}

func (ended) kind() string { return "ended" }

func (s ended) on(Event) (state, []Command) { return s, nil }
