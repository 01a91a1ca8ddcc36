package referee

import (
	"fmt"
	"time"

	"github.com/recorderbot/recorderbot/internal/teamsim/host"
)

// openWithin is how long a host may take to confirm Open before it counts as
// lost.
const openWithin = 10 * time.Second

// A duty is a fault that must be told as `failed`.
type duty struct {
	from  time.Time // since when
	due   time.Time // until when
	fault string
}

// judgeFailures holds faults against law 3.
func (j *judge) judgeFailures(c *call) {
	for _, d := range append(j.refusals(c), j.losses(c)...) {
		grace := d.due.Add(j.limits.Slack)
		a, ok := c.announced(d.from, failed)
		switch {
		case ok && !a.at.After(grace):
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

// endedOtherwise tells whether the recording had come to its ordinary end
// before the fault could be noticed.
func (c *call) endedOtherwise(d duty) bool {
	a, ok := c.announced(time.Time{}, notRecording)
	if !ok {
		return false
	}
	for _, p := range c.periods() {
		if !p.Paused.IsZero() && p.Paused.Before(a.at) && p.Paused.Before(d.from) {
			return true
		}
	}
	return false
}

// refusals are announcements of recording that the platform turned down.
func (j *judge) refusals(c *call) []duty {
	var out []duty
	for i, a := range c.announcements {
		if a.status != recording || !a.success.IsZero() {
			continue
		}
		refused := a.http/100 == 4 && a.http != 404 && a.http != 408 && a.http != 429
		if !refused && a.progress != failed {
			continue
		}
		if i+1 < len(c.announcements) && c.announcements[i+1].status == recording {
			continue // it was tried again
		}
		out = append(out, duty{a.replied, a.replied.Add(j.limits.Fail), fmt.Sprintf("recording was refused (%d %s)", a.http, a.progress)})
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
		case host.FaultStreamFailure, host.FaultDetached:
			out = append(out, duty{f.From, f.From.Add(j.limits.Fail), string(f.Kind)})
		case host.FaultKill:
			known := min(f.Until.Sub(f.From), j.limits.Bridge)
			out = append(out, duty{f.From, f.From.Add(known + j.limits.Fail), "the media host died"})
		case host.FaultNeverOpened:
			out = append(out, duty{f.From, f.From.Add(openWithin + j.limits.Fail), "the media host never confirmed Open"})
		}
	}
	for _, b := range s.Breaks {
		if b.Orderly || has(s, host.FaultKill) || !openAt(s, b.Down) {
			continue
		}
		if lost := b.Down.Add(j.limits.Bridge); b.Up.IsZero() || b.Up.After(lost) {
			out = append(out, duty{b.Down, lost.Add(j.limits.Fail), "the link broke and was not bridged"})
		}
	}
	return out
}

// openAt tells whether the session was being recorded at t.
func openAt(s *host.SessionRecord, t time.Time) bool {
	for _, p := range s.Periods {
		if !p.OpenAsked.IsZero() && !p.OpenAsked.After(t) && (p.PauseAsked.IsZero() || p.PauseAsked.After(t)) {
			return true
		}
	}
	return false
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
		opened := false
		for _, p := range c.periods() {
			opened = opened || (!p.OpenAsked.IsZero() && p.OpenAsked.Before(due))
		}
		if !opened {
			j.add(3, KindAnnouncedButNotRecording, c.id, "recording was announced with success at %s; the host was not opened by %s", clock(a.success), clock(due))
		}
	}
}
