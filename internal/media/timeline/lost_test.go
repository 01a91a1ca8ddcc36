package timeline_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/timeline"
)

// What is lost of a source that had been silent lies where the host says, with the
// silence before it: when it is the first of the source, when it is not, when the source
// says nothing more, and when all that it ever said is lost.
func TestLostBehindSilence(t *testing.T) {
	t.Parallel()
	const fs = frame.AudioSamples
	for name, tt := range map[string]struct {
		speaks [][2]int64 // in frames: from, how many
		lost   [2]int64
		want   []timeline.Gap
		length int64
	}{
		"its first words": {
			[][2]int64{{130, 40}},
			[2]int64{120, 10},
			[]timeline.Gap{{Samples: 120 * fs, Cause: timeline.Idle}, {AtSample: 120 * fs, Samples: 10 * fs, Frames: 10, Cause: "overflow"}},
			170 * fs,
		},
		"in the middle": {
			[][2]int64{{20, 30}, {130, 40}},
			[2]int64{100, 20},
			[]timeline.Gap{
				{Samples: 20 * fs, Cause: timeline.Idle},
				{AtSample: 50 * fs, Samples: 50 * fs, Cause: timeline.Idle},
				{AtSample: 100 * fs, Samples: 20 * fs, Frames: 20, Cause: "overflow"},
				{AtSample: 120 * fs, Samples: 10 * fs, Cause: timeline.Idle},
			},
			170 * fs,
		},
		"its last words": {
			[][2]int64{{20, 30}},
			[2]int64{100, 20},
			[]timeline.Gap{
				{Samples: 20 * fs, Cause: timeline.Idle},
				{AtSample: 50 * fs, Samples: 50 * fs, Cause: timeline.Idle},
				{AtSample: 100 * fs, Samples: 20 * fs, Frames: 20, Cause: "overflow"},
			},
			120 * fs,
		},
		"all its words": {
			nil,
			[2]int64{100, 20},
			[]timeline.Gap{{Samples: 100 * fs, Cause: timeline.Idle}, {AtSample: 100 * fs, Samples: 20 * fs, Frames: 20, Cause: "overflow"}},
			120 * fs,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tl, seq := timeline.New(), uint64(0)
			within := func(i int64, s [2]int64) bool { return i >= s[0] && i < s[0]+s[1] }
			for i := range int64(200) {
				at := begin + i*frame.TicksPerFrame
				seq++
				tl.Frame(frame.Header{Seq: seq, MediaTime: at, Kind: frame.UnmixedAudio, Source: 5})
				if i == tt.lost[0] {
					tl.Gap(frame.Gap{
						Kind: frame.UnmixedAudio, Source: 7, FirstSeq: seq + 1, Count: uint64(tt.lost[1]),
						FromTime: at, ToTime: at + tt.lost[1]*frame.TicksPerFrame, Cause: "overflow",
					})
					seq += uint64(tt.lost[1])
				}
				for _, s := range tt.speaks {
					if within(i, s) {
						seq++
						tl.Frame(frame.Header{Seq: seq, MediaTime: at, Kind: frame.UnmixedAudio, Source: 7})
					}
				}
			}
			s := tl.Finish(seq)
			if len(s.Tracks) != 2 || s.Tracks[1].FirstTime != begin || s.Tracks[1].Samples != tt.length {
				t.Fatalf("%+v", s.Tracks)
			}
			balanced(t, s.Tracks[1])
			got := s.Tracks[1].Gaps
			for i := range got {
				got[i].FirstSeq, got[i].BeforeSeq = 0, 0
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("gaps (-want +got):\n%s", d)
			}
		})
	}
}
