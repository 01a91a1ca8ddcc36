package timeline_test

import (
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/timeline"
)

// TestGoesOn: what was said to be missing before a frame that is in the next recording
// is missing there, not here as well; what was said before a frame of this one is.
func TestGoesOn(t *testing.T) {
	t.Parallel()
	for goesOn, want := range map[bool]int64{false: 10 * frame.AudioSamples, true: 4 * frame.AudioSamples} {
		now := frame.Ticks(time.Unix(1000, 0))
		tl := timeline.New()
		tl.Start(1)
		take := func(seq uint64) {
			tl.Frame(frame.Header{Kind: frame.MixedAudio, Seq: seq, MediaTime: now})
			now += frame.TicksPerFrame
		}
		lose := func(before uint64, frames int64) {
			from := now
			now += frames * frame.TicksPerFrame
			tl.Gap(frame.Gap{Kind: frame.MixedAudio, FirstSeq: before, FromTime: from, ToTime: now, Cause: "platform"})
		}
		take(1)
		take(2)
		lose(3, 4)
		take(3)
		lose(4, 6)
		if goesOn {
			tl.GoesOn(3)
		}
		var got int64
		for _, tr := range tl.Finish(3).Tracks {
			got += tr.GapSamples
		}
		if got != want {
			t.Errorf("goes on: %v: %d samples missing, want %d", goesOn, got, want)
		}
	}
}
