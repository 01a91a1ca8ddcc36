package timeline_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/recorderbot/recorderbot/internal/media/frame"
)

// A platform's gap counts once, under its own cause, however late it is announced:
// also when the clock had found it by then.
func TestAnnouncedLate(t *testing.T) {
	t.Parallel()
	const s = frame.AudioSamples
	for _, late := range []int{0, 1, 20, 24, 25, 30, 60, 1000} {
		t.Run(fmt.Sprint(late), func(t *testing.T) {
			t.Parallel()
			p := newPlayer()
			p.play(100)
			from := p.now
			p.skip(50)
			until := p.now
			p.play(late)
			p.tl.Gap(frame.Gap{Kind: frame.MixedAudio, FirstSeq: 101, FromTime: from, ToTime: until, Cause: "platform"})
			p.play(100)
			tr := only(t, p.tl.Finish(p.seq))
			want := gap(100*s, 50*s, 101, "platform")
			if d := cmp.Diff(want, tr.Gaps[0]); d != "" || len(tr.Gaps) != 1 {
				t.Errorf("%d gaps (-want +got):\n%s", len(tr.Gaps), d)
			}
		})
	}
}

// Announcements that say less, more, or in two parts what the clock had found.
func TestAnnouncedLateInPart(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		parts []int // frames, from where the gap begins
		want  map[frame.GapCause]int64
	}{
		"less":         {[]int{20}, map[frame.GapCause]int64{"platform": 20, "time": 30}},
		"in two parts": {[]int{20, 30}, map[frame.GapCause]int64{"platform": 50}},
		"more":         {[]int{70}, map[frame.GapCause]int64{"platform": 70}},
		"twice":        {[]int{50, 50}, map[frame.GapCause]int64{"platform": 100}}, // two true words
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlayer()
			p.play(100)
			at := p.now
			p.skip(50)
			p.play(60)
			for _, n := range tt.parts {
				to := at + int64(n)*frame.TicksPerFrame
				p.tl.Gap(frame.Gap{Kind: frame.MixedAudio, FirstSeq: 101, FromTime: at, ToTime: to, Cause: "platform"})
				at = to
			}
			p.play(60)
			got := map[frame.GapCause]int64{}
			for _, g := range only(t, p.tl.Finish(p.seq)).Gaps {
				got[g.Cause] += g.Samples / frame.AudioSamples
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("frames missing (-want +got):\n%s", d)
			}
		})
	}
}

// A new announcement is not mistaken for a gap that the clock has found before.
func TestAnnouncedAfterAnother(t *testing.T) {
	t.Parallel()
	p := newPlayer()
	p.play(100)
	p.skip(50)
	p.play(25)
	from := p.now
	p.skip(50)
	p.tl.Gap(frame.Gap{Kind: frame.MixedAudio, FirstSeq: p.seq + 1, FromTime: from, ToTime: p.now, Cause: "platform"})
	p.play(60)
	tr := only(t, p.tl.Finish(p.seq))
	if len(tr.Gaps) != 2 || tr.Gaps[0].Cause != "time" || tr.Gaps[1].Cause != "platform" || tr.GapSamples != 100*frame.AudioSamples {
		t.Errorf("%+v", tr.Gaps)
	}
}

// A source that the platform skipped was taken for silent; then it is missing.
func TestAnnouncedLateWasIdle(t *testing.T) {
	t.Parallel()
	p := newPlayer()
	unmixed := func(n int) {
		for range n {
			p.seq++
			h := mixed(p.seq, p.now, 0)
			h.Kind, h.Source = frame.UnmixedAudio, 7
			p.tl.Frame(h)
			p.now += frame.TicksPerFrame
		}
	}
	unmixed(100)
	from := p.now
	p.skip(50)
	until := p.now
	unmixed(60)
	p.tl.Gap(frame.Gap{Kind: frame.UnmixedAudio, Source: 7, FirstSeq: 101, FromTime: from, ToTime: until, Cause: "platform"})
	unmixed(60)
	tr := only(t, p.tl.Finish(p.seq))
	if tr.IdleSamples != 0 || tr.GapSamples != 50*frame.AudioSamples || tr.Gaps[0].Cause != "platform" {
		t.Errorf("%d samples idle, %+v", tr.IdleSamples, tr.Gaps)
	}
}
