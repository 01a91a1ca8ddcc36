package recorder

import (
	"fmt"
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
		"sealing", "retracting", "staying", "leaving", "ended",
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
	asked     int // announcements so far; numbers the client contexts
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
}

// conclude ends the call: the sockets go, and the outcome is entered.
func (l leg) conclude(e ending, report *SealReport) (state, []Command) {
	end := Conclusion{Call: l.call, Outcome: outcomeOf(e, report), Cause: e.cause, Detail: e.detail}
	if report != nil {
		end.Recordings = []SealReport{*report}
		if end.Outcome == OutcomeNotRecorded {
			end.Cause = CauseNoMedia
		}
	}
	return ended{}, []Command{
		StopTimers{allTimers()},
		ReleaseMedia{e.cause},
		Conclude{end},
	}
}

func outcomeOf(e ending, report *SealReport) Outcome {
	switch {
	case e.status == StatusFailed:
		return OutcomeFailed
	case report == nil, report.Frames == 0:
		return OutcomeNotRecorded
	case report.GapSamples > 0:
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

// keepAlive is the same in every state that is in the call.
func keepAlive(t Timer) []Command {
	if t != TimerKeepAlive {
		return nil
	}
	return []Command{KeepAlive{}, SetTimer{TimerKeepAlive, keepAliveEvery}}
}

// keptAlive says what a reply to a keepAlive asks for: where nobody knows, ask
// again soon, well within the platform's 45 minutes.
func keptAlive(ev KeepAliveReplied) []Command {
	if ev.OK || ev.Gone {
		return nil
	}
	return []Command{SetTimer{TimerKeepAlive, keepAliveSoon}}
}

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
type ended struct{}

func (ended) kind() string { return "ended" }

func (s ended) on(Event) (state, []Command) { return s, nil }
