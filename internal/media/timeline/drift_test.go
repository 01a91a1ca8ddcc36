package timeline_test

import (
	"math/rand/v2"
	"testing"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/timeline"
)

// TestAdrift: how far sound is off the pictures beside it is what its clock has drifted
// since it was known, and neither jitter, nor a gap, nor sound alone is any of it.
func TestAdrift(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		ppm    int64
		kind   frame.Kind
		video  bool
		lost   int
		at     int64 // jump of the clock in the middle, in ticks
		lo, hi int64
	}{
		"jitter alone":       {0, frame.MixedAudio, true, 0, 0, 0, 2 * ms},
		"fast":               {200, frame.MixedAudio, true, 0, 0, 56 * ms, 61 * ms},
		"slow":               {-200, frame.MixedAudio, true, 0, 0, 56 * ms, 61 * ms},
		"a speaker":          {200, frame.UnmixedAudio, true, 0, 0, 56 * ms, 61 * ms},
		"nothing to be seen": {200, frame.MixedAudio, false, 0, 0, 0, 0},
		"a gap":              {0, frame.MixedAudio, true, 500, 0, 0, 2 * ms},
		"fast, and a gap":    {200, frame.MixedAudio, true, 500, 0, 56 * ms, 64 * ms},
		"set anew":           {0, frame.MixedAudio, true, 0, -500 * ms, 490 * ms, 510 * ms},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(3, 4))
			tl, seq := timeline.New(), uint64(0)
			at := int64(0)
			for i := range 5 * 60 * 50 {
				if i == 5*30*50 {
					at += int64(tt.lost)*frame.TicksPerFrame + tt.at
					seq += uint64(tt.lost)
					if tt.lost > 0 {
						tl.Gap(frame.Gap{Kind: tt.kind, Source: 5, FirstSeq: seq - uint64(tt.lost) + 1, Count: uint64(tt.lost), Cause: frame.CauseOverflow})
					}
				}
				told := at + at/1_000_000*tt.ppm + rng.Int64N(20*ms+1) - 10*ms
				seq++
				tl.Frame(frame.Header{Seq: seq, MediaTime: begin + told, Kind: tt.kind, Source: 5})
				at += frame.TicksPerFrame
				if tt.video && i%50 == 0 {
					seq++
					tl.Frame(frame.Header{Seq: seq, MediaTime: begin + at, Kind: frame.Video, Source: 12, Flags: frame.KeyFrame})
				}
			}
			if off := tl.Adrift(); off < tt.lo || off > tt.hi {
				t.Errorf("%d ticks, want %d to %d", off, tt.lo, tt.hi)
			}
		})
	}
}
