package referee

import (
	"fmt"
	"slices"
	"time"

	"github.com/recorderbot/recorderbot/internal/teamsim/host"
	"github.com/recorderbot/recorderbot/internal/teamsim/trace"
)

// openWithin is how long a host may take to confirm Open before it counts as
// lost.
const openWithin = 10 * time.Second

// A duty is a fault that must be told as `failed`.
type duty struct {
	from  time.Time // since when
	due   time.Time // until when
	fault string
	// heir is when the process was started that has to tell it; zero: there was
	// always one.
	heir time.Time
	// known is since when the recorder can know.
	known time.Time
}

// judgeFailures holds faults against law 3.
func (j *judge) judgeFailures(c *call) {
	duties := append(j.refusals(c), j.losses(c)...)
	for _, d := range append(duties, j.deaths(c)...) {
		if !j.passOn(c, &d) {
			continue
		}
		if d.known = d.due.Add(-j.limits.Fail); !d.heir.IsZero() {
			d.known = d.heir
		}
		grace := d.due.Add(j.limits.Slack)
		a, ok := c.announced(d.from, failed)
		switch {
		case d.heir.After(d.from) && !c.askedIn(d.heir, grace).IsZero():
			// The next process took the call over: what is missing is in its recording.
		case ok && !a.at.After(grace):
			c.told = append(c.told, Failure{d.fault, max(0, a.at.Sub(d.known))})
		case c.overBefore(grace):
			// The call ended first; nobody is left to be told.
		case c.endedOtherwise(d):
		case ok:
			j.add(3, KindFailedTooLate, c.id, "%s at %s; failed was announced at %s, due %s", d.fault, clock(d.from), clock(a.at), clock(d.due))
		default:
			j.add(3, KindFailedMissing, c.id, "%s at %s; failed was never announced", d.fault, clock(d.from))
		}
	}
	j.judgeIdle(c)
}

// passOn lets a duty of a process that died be the next one's; false where there
// was none.
func (j *judge) passOn(c *call, d *duty) bool {
	gone, died := j.lives.downIn(d.from, d.due.Add(j.limits.Slack))
	if !died {
		return true
	}
	if a, told := c.announced(d.from, failed); told && a.at.Before(gone.from) {
		return true // it was done before
	}
	d.heir, d.due = gone.to, gone.to.Add(j.limits.Recover)
	return !gone.to.IsZero()
}

// deaths are those of the process, while a recording was in force.
func (j *judge) deaths(c *call) []duty {
	var out []duty
	for _, d := range j.lives.downs {
		if !d.to.IsZero() && c.leave(d.from) && !c.overBefore(d.to.Add(j.limits.Recover)) {
			out = append(out, duty{from: d.from, due: d.from, fault: "the process died"})
		}
	}
	return out
}

// askedIn is when recording was asked for, and not refused, in [from, to].
func (c *call) askedIn(from, to time.Time) time.Time {
	for _, a := range c.announcements {
		if a.status == recording && !a.success.IsZero() && !a.at.Before(from) && !a.at.After(to) {
			return a.at
		}
	}
	return time.Time{}
}

// endedOtherwise tells whether the recording had come to its ordinary end
// before the fault could be noticed.
func (c *call) endedOtherwise(d duty) bool {
	if _, ok := c.announced(time.Time{}, notRecording); !ok {
		return false
	}
	var last host.Period
	for _, p := range c.periods() {
		if p.OpenAsked.Before(d.from) {
			last = p
		}
	}
	return !last.Paused.IsZero() && last.Paused.Before(d.from)
}

// refusals are announcements of recording that the platform turned down.
func (j *judge) refusals(c *call) []duty {
	var out []duty
	for i, a := range c.announcements {
		if a.status != recording || !a.success.IsZero() {
			continue
		}
		refused := a.http/100 == 4 && a.http != 404 && a.http != 410 && a.http != 408 && a.http != 429
		if !refused && a.progress != failed {
			continue
		}
		if i+1 < len(c.announcements) && c.announcements[i+1].status == recording {
			continue // it was tried again
		}
		out = append(out, duty{from: a.replied, due: a.replied.Add(j.limits.Fail), fault: fmt.Sprintf("recording was refused (%d %s)", a.http, a.progress)})
	}
	return out
}

// losses are faults of the media while a recording was open.
func (j *judge) losses(c *call) []duty {
	s := c.session
	if s == nil {
		return nil
	}
	var out []duty
	for _, f := range s.Faults {
		if !openAt(s, f.From) {
			continue
		}
		switch f.Kind { //nolint:exhaustive // the others can be lived with, or end in another way
		case host.FaultStreamFailure, host.FaultDetached, host.FaultSessionClosed:
			out = append(out, duty{from: f.From, due: f.From.Add(j.limits.Fail), fault: string(f.Kind)})
		case host.FaultKill:
			known := min(f.Until.Sub(f.From), j.limits.Bridge)
			out = append(out, duty{from: f.From, due: f.From.Add(known + j.limits.Fail), fault: "the media host died"})
		case host.FaultNeverOpened:
			out = append(out, duty{from: f.From, due: f.From.Add(openWithin + j.limits.Fail), fault: "the media host never confirmed Open"})
		}
	}
	for _, e := range j.in.Trace {
		if e.Kind == trace.BotFault && openAt(s, e.At) {
			out = append(out, duty{from: e.At, due: e.At.Add(j.limits.Fail), fault: e.Detail})
		}
	}
	for _, b := range s.Breaks {
		if b.Orderly || has(s, host.FaultKill) || !openAt(s, b.Down) {
			continue
		}
		if lost := b.Down.Add(j.limits.Bridge); b.Up.IsZero() || b.Up.After(lost) {
			out = append(out, duty{from: b.Down, due: lost.Add(j.limits.Fail), fault: "the link broke and was not bridged"})
		}
	}
	return out
}

// openAt tells whether the session was being recorded at t.
func openAt(s *host.SessionRecord, t time.Time) bool {
	if !s.Closed.IsZero() && !s.Closed.After(t) {
		return false // what befell it then had its own duty
	}
	for _, p := range s.Periods {
		if !p.OpenAsked.IsZero() && !p.OpenAsked.After(t) && (p.PauseAsked.IsZero() || p.PauseAsked.After(t)) {
			return true
		}
	}
	return false
}

// recordsIn tells whether the host was open, or told to open, in [from, to].
func (c *call) recordsIn(from, to time.Time) bool {
	for _, p := range c.periods() {
		if !p.OpenAsked.IsZero() && p.OpenAsked.Before(to) && (p.PauseAsked.IsZero() || p.PauseAsked.After(from)) {
			return true
		}
	}
	return false
}

// allowedBefore is when leave was given last before the announcement; where it
// never was, the announcement's own time: nothing can be taken over.
func (c *call) allowedBefore(a announcement) time.Time {
	last := a.at
	for _, b := range c.announcements {
		if b.status == recording && !b.success.IsZero() && b.at.Before(a.at) {
			last = b.success
		}
	}
	return last
}

func (c *call) attachedIn(from, to time.Time) bool {
	return slices.ContainsFunc(c.attaches, func(t attach) bool { return !t.at.Before(from) && t.at.Before(to) })
}

// judgeIdle: who announces recording must record.
func (j *judge) judgeIdle(c *call) {
	for _, a := range c.announcements {
		if a.status != recording || a.success.IsZero() {
			continue
		}
		due := a.success.Add(j.limits.Fail + j.limits.Slack)
		if _, stopped := c.announced(a.at, notRecording, failed); stopped || c.overBefore(due) {
			continue
		}
		if _, died := j.lives.downIn(a.success, due); died {
			continue
		}
		if !c.recordsIn(a.success, due) || (j.lives.startedIn(c.allowedBefore(a), a.at) && !c.attachedIn(a.success, due)) {
			j.add(3, KindAnnouncedButNotRecording, c.id, "recording was announced with success at %s; the host was not opened by %s", clock(a.success), clock(due))
		}
	}
}
