package referee

import (
	"slices"

	"github.com/recorderbot/recorderbot/internal/teamsim/host"
)

// shown are the frames of a camera that the archive has and that can be shown: from a
// key frame on, up to what is missing.
func (g *gallery) shown() (all []*shot) {
	chain := false
	for i := range g.shots {
		s := &g.shots[i]
		if i > 0 && (g.hole(g.shots[i-1].FirstSeq, s.FirstSeq) || s.track != g.shots[i-1].track) {
			chain = false
		}
		chain = s.track != 0 && !s.Outside && (chain || s.Picture.Key)
		if chain {
			all = append(all, s)
		}
	}
	return all
}

// A seen is a frame that one of the two could show, at its time on the first one's clock.
type seen struct {
	*shot

	side int
	at   int64
}

// film judges a track of video.
func (u *unionJudge) film(t *unionTrack, of host.Stream) {
	f, err := u.m.film(t.File.Name)
	if err != nil || int64(len(f.pictures)) != t.Frames || t.Frames == 0 {
		u.breach("%s holds %d frames, not %d: %v", t.File.Name, len(f.pictures), t.Frames, err)
		return
	}
	all := u.seen(of)
	sets, before := f.sets, []int{} // the frames that the one before may be: the two may have been sent the same
	there := map[int64]bool{}
	for i := range f.pictures {
		p := &f.pictures[i]
		var may []int
		for k := range all {
			s := &all[k]
			goesOn := k > 0 && all[k-1].side == s.side && slices.Contains(before, k-1)
			if distance(s.at, t.MediaTime+p.time) <= p.tick && s.unit.same(&p.accessUnit) && (s.Picture.Key || goesOn) {
				may = append(may, k)
			}
		}
		if len(may) == 0 {
			u.breach("frame %d of %s, at %d, is none that either could show then, or builds on another than the one before it", i, t.ID, t.MediaTime+p.time)
			return
		}
		s := &all[may[0]]
		sets = replaced(sets, p.sets)
		if s.Picture.Key && !holds(sets, s.unit.sets) {
			u.breach("the parameter sets of key frame %d of %s are not there", i, t.ID)
		}
		there[s.at], before = true, may
	}
	for i := range all {
		if s := &all[i]; !u.near(there, s.at) {
			u.breach("%s: recording %d could show frame %d, at %d, and the union does not", t.ID, s.side+1, s.FirstSeq, s.at)
			return
		}
	}
	u.result.Frames += t.Frames
}

// near tells whether a picture is shown at a time, or within a 60th of a second of it:
// the two may have been sent pictures that were taken at slightly other times.
func (u *unionJudge) near(there map[int64]bool, at int64) bool {
	if there[at] {
		return true
	}
	for other := range there {
		if distance(other, at) < 10_000_000/60 {
			return true
		}
	}
	return false
}

// seen are the frames that either could show, each side's in order.
func (u *unionJudge) seen(of host.Stream) (all []seen) {
	for side, h := range u.sides {
		for _, g := range h.sights {
			if g.of != of {
				continue
			}
			for _, s := range g.shown() {
				all = append(all, seen{shot: s, side: side, at: s.Time - g.rec.MediaStart + u.zero})
			}
		}
	}
	return all
}
