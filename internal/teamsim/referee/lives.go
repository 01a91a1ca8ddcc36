package referee

import (
	"slices"
	"time"

	"github.com/recorderbot/recorderbot/internal/teamsim/host"
	"github.com/recorderbot/recorderbot/internal/teamsim/trace"
)

// A down is a time without any process of the recorder.
type down struct {
	from, to time.Time // to is zero where none was started again
}

// lives are the processes of the recorder, as whoever runs it has noted them.
type lives struct {
	downs []down
	// starts are those of all processes but the first.
	starts []start
}

// A start of a further process. Where the older one still lives, it is a
// handover.
type start struct {
	at       time.Time
	handover bool
	until    time.Time // of a handover: when the older one was gone; zero: it never was
}

// readLives reads the notes. Without any, one process lived all the time.
func readLives(events []trace.Event) lives {
	var l lives
	alive, first, called := 0, true, false
	for _, e := range events {
		switch e.Kind { //nolint:exhaustive // the others say nothing of processes
		case trace.InviteSent:
			called = true
		case trace.BotStarted:
			if first && !called { // the very first, not one beside it
				alive, first = 1, false
				continue
			}
			if first {
				alive = 1
			}
			l.starts = append(l.starts, start{at: e.At, handover: alive > 0})
			if n := len(l.downs); alive == 0 && n > 0 {
				l.downs[n-1].to = e.At
			}
			alive, first = alive+1, false
		case trace.BotStopped:
			if first {
				alive = 1
			}
			first = false
			if alive = max(0, alive-1); alive == 0 {
				l.downs = append(l.downs, down{from: e.At})
			}
			if n := len(l.starts); n > 0 && l.starts[n-1].handover && l.starts[n-1].until.IsZero() {
				l.starts[n-1].until = e.At
			}
		}
	}
	return l
}

// downIn returns the last time without a process that has a moment in common with
// [from, to].
func (l *lives) downIn(from, to time.Time) (down, bool) {
	var last down
	for _, d := range l.downs {
		if !d.from.After(to) && (d.to.IsZero() || d.to.After(from)) {
			last = d
		}
	}
	return last, !last.from.IsZero()
}

// startedIn tells whether a further process was started in (from, to].
func (l *lives) startedIn(from, to time.Time) bool {
	for _, s := range l.starts {
		if s.at.After(from) && !s.at.After(to) {
			return true
		}
	}
	return false
}

// another returns which start explains that what was said at from was said by
// another process than what was said at to: one in between; or one before, beside
// whom the older process still spoke at from. It is later than the one that has
// explained something already, for each start is of one process. -1: none does.
func (l *lives) another(from, to time.Time, used int) int {
	for i, s := range l.starts {
		beside := s.handover && (s.until.IsZero() || s.until.After(from))
		if i > used && !s.at.After(to) && (s.at.After(from) || beside) {
			return i
		}
	}
	return -1
}

// An attach is a session that was taken onto a link.
type attach struct {
	at    time.Time
	lease uint64
	from  uint64 // seq
}

// A takeover is the first attach of a further process.
type takeover struct {
	start
	attach
}

// takeovers are those of a session that was open, or of which something was not
// acknowledged yet.
func (c *call) takeovers(l *lives) []takeover {
	var out []takeover
	for _, s := range l.starts {
		if !c.unsealed(s.at) {
			continue
		}
		var highest uint64
		for _, a := range c.attaches {
			if a.at.Before(s.at) {
				highest = max(highest, a.lease)
				continue
			}
			// Beside the new process, the old one may still come back: under its lease, or,
			// where its link had broken, under one of its own that is higher.
			if s.handover && c.backAt(a.at) && !c.successIn(s.at, a.at) {
				highest = max(highest, a.lease)
				continue
			}
			if a.lease > highest || !s.handover {
				if !c.unsealed(a.at) || c.pausedBefore(s.at) {
					break // sealed by the old process, perhaps beside the new one: held for a pause
				}
				if n := len(out); n == 0 || out[n-1].attach != a {
					out = append(out, takeover{s, a})
				}
				break
			}
		}
	}
	return out
}

// backAt tells whether an attach ends a break of the session's link.
func (c *call) backAt(at time.Time) bool {
	return slices.ContainsFunc(c.session.Breaks, func(b host.Break) bool {
		return !b.Orderly && b.Down.Before(at) && !b.Up.IsZero() && b.Up.Sub(at).Abs() < 20*time.Millisecond
	})
}

// pausedBefore tells whether the host had said by then that the last period is over.
// All of it was in the hands of the old process, which may have sealed it and died
// before the host was told that it is durable. Whether it was the old process that
// stored it is not seen from outside: "check" proves it from the disk.
func (c *call) pausedBefore(t time.Time) bool {
	var last host.Period
	for _, p := range c.periods() {
		if !p.OpenAsked.IsZero() && p.OpenAsked.Before(t) {
			last = p
		}
	}
	return !last.Paused.IsZero() && last.Paused.Before(t)
}

// unsealed tells whether the last period that was begun by then was still open, or
// not acknowledged in full.
func (c *call) unsealed(t time.Time) bool {
	var last host.Period
	for _, p := range c.periods() {
		if !p.OpenAsked.IsZero() && p.OpenAsked.Before(t) {
			last = p
		}
	}
	return !last.OpenAsked.IsZero() && (last.AllAcked.IsZero() || last.AllAcked.After(t))
}

// judgeTakeovers: a permit does not outlive its process, so a further one asks
// anew, and only then goes to the media host, under a lease of its own.
func (j *judge) judgeTakeovers(c *call) {
	for _, t := range c.takeovers(&j.lives) {
		if asked := c.askedIn(t.start.at, t.attach.at); !asked.IsZero() {
			j.report.TakenUp = max(j.report.TakenUp, asked.Sub(t.start.at))
		}
		if !c.successIn(t.start.at, t.attach.at) {
			j.add(1, KindAttachedBeforeSuccess, c.id, "a process that was started at %s attached at %s to a session that had been recorded; it had got no leave of its own",
				clock(t.start.at), clock(t.attach.at))
		}
		for _, a := range c.attaches {
			if a.at.Before(t.start.at) && a.lease >= t.lease {
				j.add(1, KindLeaseNotHigher, c.id, "a process that was started at %s attached under lease %d; one before it had %d", clock(t.start.at), t.lease, a.lease)
				break
			}
		}
	}
}

// successIn tells whether leave to record was given in (from, to].
func (c *call) successIn(from, to time.Time) bool {
	for _, a := range c.announcements {
		if a.status == recording && a.success.After(from) && !a.success.After(to) {
			return true
		}
	}
	return false
}

// judgeSequence: recording is not announced where it is in force, unless by a
// process that was not there before.
func (j *judge) judgeSequence(c *call) {
	var since time.Time // asked for, of what is in force
	used := -1          // the start of the process that announced last
	for i, a := range c.announcements {
		if a.status != recording {
			since = time.Time{}
			continue
		}
		if !since.IsZero() {
			by := j.lives.another(since, a.at, used)
			if by < 0 {
				j.add(2, KindAnnouncedAgain, c.id, "recording was announced at %s, and again at %s, with neither notRecording nor another process in between", clock(since), clock(a.at))
			}
			used = max(used, by)
		}
		if next := i + 1; !a.success.IsZero() && next < len(c.announcements) && a.success.Add(j.limits.Slack).Before(c.announcements[next].at) {
			since = a.at
		}
	}
}
