package timeline

import (
	"cmp"
	"slices"

	"github.com/recorderbot/recorderbot/internal/media/frame"
)

// await keeps an announcement until its numbers are passed. One that says whose frames
// are missing is believed before one that can't tell.
func (t *Timeline) await(g frame.Gap) {
	rest := []frame.Gap{g}
	if !anybody(g) {
		for i, old := range slices.Backward(t.announced) {
			if anybody(old) {
				t.announced = slices.Replace(t.announced, i, i+1, without(old, g)...)
			}
		}
	} else {
		for _, old := range t.announced {
			if anybody(old) {
				continue
			}
			var left []frame.Gap
			for _, one := range rest {
				left = append(left, without(one, old)...)
			}
			rest = left
		}
	}
	t.announced = append(t.announced, rest...)
	slices.SortStableFunc(t.announced, func(a, b frame.Gap) int { return cmp.Compare(a.FirstSeq, b.FirstSeq) })
}

// anybody reports whether a gap does not say whose frames are missing.
func anybody(g frame.Gap) bool {
	return g.Kind == 0 || (g.Kind == frame.UnmixedAudio && g.Source == 0)
}

// without returns what of a gap lies outside of another.
func without(g, other frame.Gap) (rest []frame.Gap) {
	end, from, to := g.FirstSeq+g.Count, other.FirstSeq, other.FirstSeq+other.Count
	if to <= g.FirstSeq || from >= end {
		return []frame.Gap{g}
	}
	if from > g.FirstSeq {
		one := g
		one.Count = from - g.FirstSeq
		rest = append(rest, one)
	}
	if to < end {
		rest = append(rest, g.Behind(to))
	}
	return rest
}

// align has all tracks of unmixed audio begin at one instant, where one that begins with a
// loss begins before the common clock: until then the others were silent.
func (t *Timeline) align() {
	zero := int64(0)
	for _, tr := range t.tracks {
		lost := tr.Kind == frame.UnmixedAudio && tr.FirstTime > 0 && len(tr.Gaps) > 0 && tr.Gaps[0].AtSample == 0 && tr.Gaps[0].Cause != Idle
		if lost && (zero == 0 || tr.FirstTime < zero) {
			zero = tr.FirstTime
		}
	}
	for _, tr := range t.tracks {
		lead := (tr.FirstTime - zero) / frame.TicksPerSample
		if zero == 0 || tr.Kind != frame.UnmixedAudio || tr.FirstTime == 0 || lead <= 0 || lead > maxFrames*frame.AudioSamples {
			continue
		}
		tr.FirstTime = zero
		tr.place(0, Gap{Samples: lead, BeforeSeq: tr.FirstSeq, Cause: Idle})
	}
}
