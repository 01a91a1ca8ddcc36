package referee

import (
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
	sets, before := f.sets, (*seen)(nil)
	there := map[int64]bool{}
	for i := range f.pictures {
		p := &f.pictures[i]
		at := t.MediaTime + p.time
		k := -1
		for n := range all { // of two that are the same, the one of the side at hand
			s := &all[n]
			if distance(s.at, at) > p.tick || !s.unit.same(&p.accessUnit) || before != nil && s.side != before.side && !s.Picture.Key {
				continue
			}
			if k < 0 || before != nil && s.side == before.side {
				k = n
			}
		}
		if k < 0 {
			u.breach("frame %d of %s, at %d, is none that either could show then, or follows one of the other's and is no key frame", i, t.ID, at)
			return
		}
		s := &all[k]
		goesOn := before != nil && before.side == s.side && u.next(all, before) == s
		if !s.Picture.Key && !goesOn {
			u.breach("frame %d of %s builds on another than the one before it", i, t.ID)
		}
		sets = replaced(sets, p.sets)
		if s.Picture.Key && !holds(sets, s.unit.sets) {
			u.breach("the parameter sets of key frame %d of %s are not there", i, t.ID)
		}
		there[s.at] = true
		before = s
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

// next is the frame of the same side that follows one; nil: there is none.
func (u *unionJudge) next(all []seen, s *seen) *seen {
	for i := range all {
		if &all[i] == s && i+1 < len(all) && all[i+1].side == s.side {
			return &all[i+1]
		}
	}
	return nil
}
