package referee

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/recorderbot/recorderbot/internal/teamsim/host"
)

// joints: how the recordings of a call follow each other. Each has a permit of its
// own, and what is missing between two of them is declared once.
func (c *content) joints() {
	c.found = 0
	for i, m := range c.call.manifests {
		c.outlived(m)
		c.part(i, m)
	}
	grants := 0
	for _, a := range c.call.announcements {
		if a.status == recording && !a.success.IsZero() {
			grants++
		}
	}
	n := 0
	for _, m := range c.call.manifests {
		if m.Part == 1 || m.Joint != "part" || c.takenOver(m) { // a part has the permit of the one before
			n++
		}
	}
	if n > grants && grants > 0 {
		c.add(1, KindArchiveWithoutPermit, c.call.id, "%d recordings were archived, success was told %d times", n, grants)
	}
}

// twice: what is missing in a stream is declared once, and not stored either.
func (c *content) twice() {
	slices.SortFunc(c.absent, func(a, b extent) int { return cmp.Compare(a.from, b.from) })
	for i, g := range c.absent {
		if i > 0 && c.absent[i-1].to > g.from {
			c.add(4, KindGapTwice, c.call.id, "%s%d samples at %d are declared as missing twice", c.name(), c.absent[i-1].to-g.from, g.from)
		}
		for _, s := range c.stored {
			if twice := min(s.to, g.to) - max(s.from, g.from); twice > 0 {
				c.add(4, KindGapTwice, c.call.id, "%s%d samples at %d are declared as missing, and stored", c.name(), twice, max(s.from, g.from))
			}
		}
	}
}

// outlived: what one recording holds, one permit allowed.
func (c *content) outlived(m *manifest) {
	if len(m.stored) == 0 {
		return
	}
	from, to := m.stored[0].from, m.stored[0].to
	for _, e := range m.stored {
		from, to = min(from, e.from), max(to, e.to)
	}
	for _, t := range c.call.takeovers(&c.lives) {
		if at, ok := c.truth.position(t.from); ok && from < at && to > at {
			c.breach(1, KindPermitOutlived, m, "it goes on behind frame %d, from which on another process had taken the session over at %s", t.from, clock(t.attach.at))
		}
	}
	first, _, _ := c.truth.at(from)
	last, _, _ := c.truth.at(to - 1)
	if first.period < last.period && first.period >= 0 && c.pauseTold(first.period, last.period) && c.call.successIn(c.truth.rec.Periods[first.period].OpenAsked, c.truth.rec.Periods[last.period].OpenAsked) {
		c.breach(1, KindPermitOutlived, m, "it holds recording times %d and %d", first.period+1, last.period+1)
	}
}

// pauseTold tells whether the platform heard of the pause between two times of being
// open. Where it did not, for the process that had asked the host to pause died first,
// who was in the call believed to be recorded all along: it is no pause, and what was
// not recorded then may be told as missing.
func (c *content) pauseTold(a, b int) bool {
	from, to := c.truth.rec.Periods[a].OpenAsked, c.truth.rec.Periods[b].OpenAsked
	return slices.ContainsFunc(c.call.announcements, func(one announcement) bool {
		return one.status != recording && one.at.After(from) && one.at.Before(to)
	})
}

// position is where the frame lies; false where there is none of that number.
// Of all streams together it is where the next frame of audio lies.
func (t *truth) position(seq uint64) (int64, bool) {
	if t.whole {
		i := slices.IndexFunc(t.rec.Runs, func(r host.Run) bool { return r.FirstSeq+r.Count > seq && r.Picture == nil })
		if i < 0 {
			return 0, false
		}
		r := t.rec.Runs[i]
		return r.Position + int64(max(seq, r.FirstSeq)-r.FirstSeq)*frameSamples, true //nolint:gosec // within the run
	}
	for _, s := range t.spans {
		if n := uint64(s.length()) / frameSamples; seq >= s.seq && seq < s.seq+n { //nolint:gosec // positive
			return s.from + int64(seq-s.seq)*frameSamples, true //nolint:gosec // within the span
		}
	}
	return 0, false
}

// part: what the manifest says of its place among the call's recordings. An
// archive of before there were several says nothing.
func (c *content) part(i int, m *manifest) {
	if m.Part == 0 {
		return
	}
	previous, joint := "", "start"
	if i > 0 {
		before := c.call.manifests[i-1]
		previous, joint = before.Recording, c.jointOf(before, m)
		if joint == "takeover" && m.Joint == "part" && !c.takenOver(m) {
			joint = "part" // one process, one permit: it had become long
		}
	}
	fault := ""
	switch {
	case m.Part != i+1:
		fault = fmt.Sprintf("part %d, it is number %d", m.Part, i+1)
	case m.Continues != previous:
		fault = fmt.Sprintf("it continues %q, and it continues %q", m.Continues, previous)
	case m.Joint != joint:
		fault = fmt.Sprintf("joint %q, it is %q", m.Joint, joint)
	}
	if fault != "" {
		c.breach(4, KindParts, m, "the manifest says %s", fault)
	}
}

// takenOver tells whether the recording begins where another process took the session
// over.
func (c *content) takenOver(m *manifest) bool {
	from := int64(1) << 62
	for _, e := range slices.Concat(m.stored, m.missing) {
		from = min(from, e.from)
	}
	return slices.ContainsFunc(c.call.takeovers(&c.lives), func(t takeover) bool {
		at, ok := c.truth.position(t.from)
		return ok && at == from
	})
}

// jointOf says what lies between two recordings: a pause, where the host was paused,
// or a takeover. Where one of them holds nothing (it was paused before a frame was
// whole) nobody can tell which, and the manifest's word is taken for what may have
// been.
func (c *content) jointOf(before, m *manifest) string {
	a, okA := c.periodOf(before, func(e extent) int64 { return e.to - 1 }, func(a, b int64) bool { return a > b })
	b, okB := c.periodOf(m, func(e extent) int64 { return e.from }, func(a, b int64) bool { return a < b })
	switch {
	case okA && okB && a < b && c.pauseTold(a, b), (!okA || !okB) && m.Joint == "pause" && slices.ContainsFunc(c.truth.rec.Periods, func(p host.Period) bool { return !p.PauseAsked.IsZero() }):
		return "pause"
	}
	return "takeover"
}

// periodOf is the period of the first or last frame that a recording is about.
func (c *content) periodOf(m *manifest, end func(extent) int64, better func(a, b int64) bool) (int, bool) {
	at, found, period := int64(0), false, 0
	for _, e := range slices.Concat(m.stored, m.missing) {
		if s, ok, _ := c.truth.at(end(e)); ok && (!found || better(end(e), at)) {
			at, found, period = end(e), true, s.period
		}
	}
	return period, found
}
