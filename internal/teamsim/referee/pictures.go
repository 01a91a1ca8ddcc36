package referee

import (
	"fmt"
	"slices"

	"github.com/recorderbot/recorderbot/internal/teamsim/host"
)

// absence is what is not stored of a camera.
type absence struct {
	due  int64  // frames that must be counted as missing
	free int64  // frames that may be
	bad  []shot // frames that had to be stored
}

// first says which frame had to be stored.
func (a absence) first() string {
	if len(a.bad) == 0 {
		return ""
	}
	return fmt.Sprintf("; the first that had to be stored is frame %d", a.bad[0].FirstSeq)
}

// coverage looks for frames that are neither stored nor counted as missing.
func (g *gallery) coverage() {
	a := g.absent()
	skips := 0 // told by times alone, or of nobody knows whom
	for _, gap := range g.rec.Gaps {
		if !gap.Announced && gap.Count > 0 {
			skips++
		}
		switch {
		case gap.Stream != g.of:
		case gap.Count == 0:
			skips++
		case gap.Announced:
			a.due += int64(gap.Count) //nolint:gosec // what was captured
		default:
			a.free += int64(gap.Count) //nolint:gosec // as above
		}
	}
	if g.timed > skips && !g.truth.excuse {
		g.add(4, KindGapUnfounded, g.call.id, "%s: %d gaps are declared by time, the platform skipped %d times", g.name(), g.timed, skips)
	}
	declared := g.report.FramesInGaps + g.report.FramesUndecodable
	switch {
	case a.due == 0 && declared <= a.free:
	case g.tracks == 0 && len(g.call.manifests) > 0:
		g.add(4, KindStreamMissing, g.call.id, "%s: %d frames were sent, and no recording has a track of them", g.name(), a.due)
	case declared < a.due:
		g.add(4, KindPictureLost, g.call.id, "%s: %d frames are not stored, %d are counted as missing%s", g.name(), a.due, declared, a.first())
	case len(a.bad) > 0 && a.bad[0].FirstSeq <= g.rec.Acked:
		g.add(5, KindAckedButLost, g.call.id, "%s: %d frames are counted as missing, the first is %d; up to %d all were acknowledged",
			g.name(), len(a.bad), a.bad[0].FirstSeq, g.rec.Acked)
	case len(a.bad) > 0:
		g.add(4, KindGapUnfounded, g.call.id, "%s: %d frames are counted as missing, the first is %d; nothing had broken", g.name(), len(a.bad), a.bad[0].FirstSeq)
	case declared > a.due+a.free && !g.truth.excuse:
		g.add(4, KindGapUnfounded, g.call.id, "%s: %d frames are counted as missing; %d are", g.name(), declared, a.due)
	}
}

// absent looks at each frame that is not stored. What can't be shown, for the key frame
// that it builds on is not there, need not be stored.
func (g *gallery) absent() (a absence) {
	last := -1 // the last one that is stored
	for i := range g.shots {
		if g.shots[i].track != 0 {
			last = i
		}
	}
	chain := false // what a frame builds on is there
	for i := range g.shots {
		s := &g.shots[i]
		if s.Outside {
			continue
		}
		if i == 0 || g.begins(i) || g.hole(g.shots[i-1].FirstSeq, s.FirstSeq) {
			chain = false
		}
		gone := overflown(g.rec, s.FirstSeq) || (g.truth.excuse && s.FirstSeq > g.rec.Acked)
		chain = !gone && (chain || s.Picture.Key)
		switch {
		case s.track != 0:
		case i > last && (g.truth.cutOff || g.diedAlone(g.call)) && s.FirstSeq > g.rec.Acked:
			a.free++ // it was on its way when the end came
		case gone || !chain:
			a.due++
		default:
			a.due++
			a.bad = append(a.bad, *s)
		}
	}
	return a
}

// begins tells whether a recording begins with the frame, as far as can be seen: it is
// the first of a time of being open, or the first missing one before another track.
func (g *gallery) begins(i int) bool {
	before, s := &g.shots[i-1], &g.shots[i]
	if before.period != s.period || before.Outside {
		return true
	}
	if s.track != 0 {
		return s.track != before.track
	}
	if before.track == 0 {
		return false
	}
	n := slices.IndexFunc(g.shots[i:], func(o shot) bool { return o.track != 0 })
	return n < 0 && len(g.call.manifests) > before.part || n >= 0 && g.shots[i+n].track != before.track
}

// hole tells whether frames of the stream between two numbers never came.
func (g *gallery) hole(from, to uint64) bool {
	return slices.ContainsFunc(g.rec.Gaps, func(o host.GapRecord) bool {
		return o.Stream == g.of && o.FirstSeq > from && o.FirstSeq <= to
	})
}
