package recorder

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// around is the world around the machine: what is under way, which clocks run,
// and what has been said and done, kept apart from the machine's own memory.
type around struct {
	work   []work
	timers []Timer
	asked  []RecordingStatus // by the number of the announcement, less one

	taken, done, refused bool // of the latest announcement, as the machine was told
	live                 bool // the permit
	opened, sealed       bool // the recording under the latest permit
	granted              int  // the latest announcement under which the gate was opened
	kept                 bool // some recording of the call is sealed
	left                 bool // a dead process has left a recording without a seal
	goneOn               bool // and this one goes on with it
	crashes              int
	gone                 bool
	heard                int  // old requests to record that took effect, as bits
	stale                bool // one of them did after what was announced last
	unheard              bool // what was announced last was refused, or never confirmed
	fault                bool // something endangered the recording while it was open
	owed                 bool // failed must be announced, and the clock of law 3 runs
	concluded            int
}

// work is one piece of work under way; it ends in exactly one event.
type work struct {
	name string
	n    int // of the announcement that it is about
}

func (a around) clone() around {
	a.work, a.timers, a.asked = slices.Clone(a.work), slices.Clone(a.timers), slices.Clone(a.asked)
	return a
}

// key tells surroundings apart.
func (a around) key() string {
	slices.SortFunc(a.work, func(v, w work) int { return cmp.Or(strings.Compare(v.name, w.name), cmp.Compare(v.n, w.n)) })
	slices.Sort(a.timers)
	var b strings.Builder
	for _, w := range a.work {
		b.WriteString(w.name)
		b.WriteByte(byte('0' + w.n))
	}
	for _, t := range a.timers {
		b.WriteByte(byte('A' + t))
	}
	for _, s := range a.asked {
		b.WriteByte(byte('0' + s))
	}
	for _, is := range []bool{a.taken, a.done, a.refused, a.live, a.opened, a.sealed, a.gone, a.fault, a.owed, a.stale, a.unheard, a.kept, a.left, a.goneOn, a.concluded > 0} {
		if is {
			b.WriteByte('+')
		} else {
			b.WriteByte('-')
		}
	}
	b.WriteByte(byte('0' + a.heard))
	b.WriteByte(byte('0' + a.granted))
	b.WriteByte(byte('0' + a.crashes))
	return b.String()
}

// aPart is the recording that was ended because it had become long. That there are more
// of them makes no difference.
const aPart = "part"

// contextOf is the client context of an announcement.
func (a around) contextOf(n int) string { return fmt.Sprintf("c/%d/%s", n, a.asked[n-1]) }

// ends are the events in which a piece of work may end.
func (w work) ends(a around) []Event {
	all := []Fault{{Kind: FaultUnknown}, {Kind: FaultThrottled}, {Kind: FaultRefused}, {Kind: FaultGone}}
	var events []Event
	switch w.name {
	case "create":
		return []Event{SessionCreated{}, SessionRefused{CauseNoMediaHost}}
	case "reject":
		return []Event{Rejected{}, Rejected{&all[0]}}
	case "answer":
		events = append(events, AnswerAccepted{})
		for _, f := range all {
			events = append(events, AnswerFaulted{f})
		}
	case "announce":
		for _, p := range []Progress{Running, Completed, Failed} {
			events = append(events, StatusReplied{testOperation(a.contextOf(w.n), p)})
		}
		for _, f := range all {
			events = append(events, StatusFaulted{a.contextOf(w.n), f})
		}
		if a.asked[w.n-1] == StatusRecording {
			events = append(events, LedgerFailed{})
		}
	case "seal":
		name := fmt.Sprintf("r%d", len(a.asked))
		for _, r := range []SealReport{{Recording: name, Frames: 5}, {Recording: name, Frames: 5, GapSamples: 320}, {Recording: name}} {
			if a.left {
				r.Previous = &SealReport{Recording: "left", Frames: 5}
			}
			events = append(events, MediaSealed{r})
		}
		return append(events, SealFaulted{})
	case "hangUp":
		events = append(events, HungUp{})
		for _, f := range all {
			events = append(events, HungUp{&f})
		}
	}
	return events
}

// finished takes a piece of work off the list that ended in ev.
func (a *around) finished(ev Event, name string) {
	if name == "" {
		if t, ok := ev.(TimerFired); ok {
			a.timers = slices.DeleteFunc(a.timers, func(other Timer) bool { return other == t.Timer })
		}
		return
	}
	context := ""
	switch ev := ev.(type) {
	case StatusReplied:
		context = ev.Operation.Context
	case StatusFaulted:
		context = ev.Context
	case SessionCreated, SessionRefused, AnswerAccepted, AnswerFaulted, Established, CallAsked, PollFaulted, MediaOpened, MediaFailed,
		MediaClosed, MediaSealed, SealFaulted, CallEnded, KeepAliveReplied, HungUp, Rejected, StopRequested, PauseRequested, ResumeRequested, UnknownSource,
		TimerFired, Crashed, LedgerFailed:
	}
	at := slices.IndexFunc(a.work, func(w work) bool {
		return w.name == name && (context == "" || a.contextOf(w.n) == context)
	})
	a.work = slices.Delete(a.work, at, at+1)
}

// unasked are the events that may come at any time. What answers a question that
// changes nothing (does the call live, how far is the operation) is among them, so
// that they come at any time too.
func (a around) unasked(most int) []Event {
	events := []Event{
		PauseRequested{},
		UnknownSource{},
		Established{},
		CallEnded{},
		StopRequested{Cause: CauseStopped},
		StopRequested{Cause: CauseShutdown, Abrupt: true},
		Crashed{},
		LedgerFailed{},
		MediaFailed{Cause: CauseMediaLost},
		MediaFailed{Cause: CauseStorageFailed},
		MediaClosed{},
		TimerFired{TimerKeepAlive},
		KeepAliveReplied{OK: true},
		KeepAliveReplied{Gone: true},
		KeepAliveReplied{},
		CallAsked{Standing: StandingEstablished},
		CallAsked{Standing: StandingIncoming},
		CallAsked{},
		CallAsked{Gone: true},
	}
	if len(a.asked) < most {
		events = append(events, ResumeRequested{})
	}
	if a.opened {
		var o Opened
		if a.left {
			events = append(events, MediaOpened{}) // it is not sealed yet
			o.Previous = &SealReport{Recording: "left", Frames: 5}
		}
		events = append(events, MediaOpened{o})
		if !a.sealed { // a long recording goes on in another
			events = append(events, MediaOpened{Opened{Previous: &SealReport{Recording: aPart, Frames: 5}}})
		}
	}
	if n := len(a.asked); n > 0 {
		events = append(events, PollFaulted{a.contextOf(n), Fault{Kind: FaultUnknown}})
	}
	if n := len(a.asked); n > 1 {
		events = append(events, StatusFaulted{a.contextOf(n - 1), Fault{Kind: FaultRefused}})
	}
	for n := range a.asked { // notified, without being asked, and as often as the platform likes
		for _, p := range []Progress{Running, Completed, Failed} {
			events = append(events, StatusReplied{testNotified(a.contextOf(n+1), p)})
		}
	}
	return events
}

// mayFire bounds what would go on for ever.
func (a around) mayFire(s state, t Timer, most int) bool {
	switch s := s.(type) {
	case announcing, retracting:
		// replyLimit is longer than any request takes.
		pending := slices.ContainsFunc(a.work, func(w work) bool { return w.name == "announce" })
		return (len(a.asked) < most || (t != TimerRetry && t != TimerReply)) && (t != TimerReply || !pending)
	case leaving:
		return t != TimerRetry || s.tries < mostHangUps
	case invited, rejecting, answering, recording, sealing, paused, reviving, staying, ended:
	}
	return true
}

// progresses reports whether something will happen without anybody's doing. A
// recording may go on, and so may a call that is not recorded by policy.
func (a around) progresses(s state) bool {
	switch s.(type) {
	case recording, paused, staying:
		return true
	case invited, rejecting, answering, announcing, sealing, retracting, reviving, leaving, ended:
	}
	return len(a.work)+len(a.timers) > 0
}

// feed lets the machine have an event and performs what it commands.
func (a *around) feed(s state, ev Event) (state, error) {
	if err := a.saw(s, ev); err != nil {
		return nil, err
	}
	next, cmds := s.on(ev)
	if err := a.perform(next, cmds); err != nil {
		return nil, err
	}
	return next, a.holds(next)
}

// saw keeps the books about an event, before the machine has it.
func (a *around) saw(s state, ev Event) error {
	recordingNow := s.kind() == "recording"
	switch ev := ev.(type) {
	case StatusReplied:
		if n := len(a.asked); n > 0 && ev.Operation.Context == a.contextOf(n) && a.asked[n-1] == StatusRecording {
			a.taken = a.taken || ev.Operation.Receipt.HTTPStatus == 200
			a.done = a.done || ev.Operation.Progress == Completed
			a.refused = a.refused || ev.Operation.Progress == Failed
			a.endangered(recordingNow && ev.Operation.Progress == Failed)
		}
		a.news(ev.Operation)
	case StatusFaulted:
		if n := len(a.asked); n > 0 && ev.Context == a.contextOf(n) {
			a.refused = a.refused || ev.Fault.Kind == FaultRefused
			a.endangered(recordingNow && ev.Fault.Kind == FaultRefused)
			a.gone = a.gone || ev.Fault.Kind == FaultGone
			a.unheard = a.unheard || ev.Fault.Kind == FaultRefused
		}
	case TimerFired:
		a.unheard = a.unheard || ev.Timer == TimerRetractLimit
	case MediaSealed:
		a.sealed, a.kept, a.live, a.left, a.goneOn = true, true, false, false, false // the media side withdraws before it reports
		if at, ok := s.(sealing); ok {
			at.permit.withdraw()
		}
	case CallEnded:
		a.gone = true
	case CallAsked:
		a.gone = a.gone || ev.Gone
	case KeepAliveReplied:
		a.gone = a.gone || ev.Gone
	case AnswerFaulted:
		a.gone = a.gone || ev.Fault.Kind == FaultGone
	case MediaFailed, LedgerFailed, Crashed:
		a.endangered(recordingNow)
	case StopRequested:
		a.endangered(recordingNow && ev.Abrupt)
	case MediaOpened:
		before := ev.Opened.Previous
		a.kept = a.kept || before != nil
		a.left = a.left && (before == nil || before.Recording == aPart)
		a.goneOn = a.left
	case SessionCreated, SessionRefused, AnswerAccepted, Established, PollFaulted, MediaClosed, SealFaulted, HungUp, Rejected,
		PauseRequested, ResumeRequested, UnknownSource:
	}
	return nil
}

// news notes what an operation says of old requests to record, and of the end.
func (a *around) news(op Operation) {
	n := len(a.asked)
	if n == 0 || a.asked[n-1] == StatusRecording {
		return
	}
	a.unheard = a.unheard || (op.Context == a.contextOf(n) && op.Progress == Failed)
	for i := a.granted + 1; i < n; i++ {
		if bit := 1 << i; a.asked[i-1] == StatusRecording && op.Context == a.contextOf(i) && op.Progress == Completed && a.heard&bit == 0 {
			a.heard, a.stale = a.heard|bit, true
		}
	}
}

func (a *around) endangered(is bool) { a.fault, a.owed = a.fault || is, a.owed || is }

// perform does to the world what the commands ask, and holds the laws over them.
func (a *around) perform(s state, cmds []Command) error {
	for _, cmd := range cmds {
		if a.concluded > 0 {
			return fmt.Errorf("law 4: %s after the outcome", show(cmd))
		}
		var err error
		switch cmd := cmd.(type) {
		case Announce:
			err = a.announce(cmd.announcement)
		case OpenMedia:
			err = a.open(cmd.Permit)
		case SealMedia:
			a.start("seal")
			a.fault = a.fault || a.left && !a.goneOn // what was not gone on with has failed
			if cmd.call != "c" || (cmd.permit.call() != "c" && !a.left) {
				err = errors.New("law 2: a seal of nothing")
			}
		case WithdrawPermit:
			cmd.permit.withdraw()
			a.live = false
		case SetTimer:
			err = a.set(cmd)
		case StopTimers:
			a.timers = slices.DeleteFunc(a.timers, func(t Timer) bool { return slices.Contains(cmd.Timers, t) })
		case HangUp:
			a.start("hangUp")
			err = a.farewell()
		case Conclude:
			err = a.conclude(cmd.End)
		case CreateSession:
			a.start("create")
		case Reject:
			a.start("reject")
		case Answer:
			a.start("answer")
		case AskCall, Poll, KeepAlive, AskRoster, ReleaseMedia, Unexpected:
		}
		if err != nil {
			return err
		}
	}
	_, over := s.(ended)
	if over != (a.concluded == 1) {
		return fmt.Errorf("law 4: %d outcomes in state %s", a.concluded, s.kind())
	}
	return nil
}

// start begins work; of each but announcements one at a time is told apart, which
// is enough: another ends in the same events.
func (a *around) start(name string) {
	if !slices.Contains(a.work, work{name: name}) {
		a.work = append(a.work, work{name: name})
	}
}
