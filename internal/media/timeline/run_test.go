package timeline_test

import (
	"testing"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/timeline"
)

// TestRuns: a camera that comes back after a while with a key frame has another track, and
// each frame lies in the one that it belongs to; nothing else begins one.
func TestRuns(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		kind  frame.Kind
		away  int64
		flags frame.Flags
		runs  int
	}{
		"a camera":                        {frame.Video, timeline.RunPause, frame.KeyFrame, 2},
		"a screen":                        {frame.Screen, timeline.RunPause, frame.KeyFrame, 2},
		"too soon":                        {frame.Video, timeline.RunPause - 1, frame.KeyFrame, 1},
		"without a key frame":             {frame.Screen, timeline.RunPause, 0, 1},
		"a time that cannot be":           {frame.Video, 25 * 3600 * 1000 * ms, frame.KeyFrame, 1},
		"a time before":                   {frame.Video, -timeline.RunPause, frame.KeyFrame, 1},
		"a speaker keeps a track of hers": {frame.UnmixedAudio, timeline.RunPause, frame.KeyFrame, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tl := timeline.New()
			var all []frame.Header
			show := func(at int64, flags frame.Flags) {
				h := frame.Header{Seq: uint64(len(all) + 1), MediaTime: at, Kind: tt.kind, Source: 12, Flags: flags}
				all = append(all, h)
				tl.Frame(h)
			}
			show(begin, frame.KeyFrame)
			show(begin+40*ms, 0)
			show(begin+40*ms+tt.away, tt.flags)
			show(begin+80*ms+tt.away, 0)
			s := tl.Finish(4)
			if len(s.Tracks) != tt.runs || s.Unclaimed != 0 {
				t.Fatalf("%+v", s)
			}
			for i, tr := range s.Tracks {
				if tr.Run != i || tr.Source != 12 || tr.Frames != uint64(4/tt.runs) {
					t.Errorf("run %d: %+v", i, tr)
				}
			}
			c := timeline.NewCursor(s)
			for i, h := range all {
				if track, _, ok := c.Next(h); !ok || track != i/2*(tt.runs-1) {
					t.Errorf("frame %d: track %d, %v", h.Seq, track, ok)
				}
			}
		})
	}
}

// TestMissingBetweenRuns: what is missing between two runs is missing of the second, and
// what is missing of nobody knows whom says nothing of a run that is over.
func TestMissingBetweenRuns(t *testing.T) {
	t.Parallel()
	tl := timeline.New()
	show := func(seq uint64, source uint32, at int64) {
		tl.Frame(frame.Header{Seq: seq, MediaTime: begin + at, Kind: frame.Video, Source: source, Flags: frame.KeyFrame})
	}
	show(1, 12, 0)
	tl.Gap(frame.Gap{Kind: frame.Video, Source: 12, FirstSeq: 2, Count: 3, Cause: frame.CauseOverflow})
	show(5, 12, timeline.RunPause)
	show(7, 13, timeline.RunPause) // the sixth is anybody's
	show(8, 12, timeline.RunPause+ms)
	s := tl.Finish(8)
	if len(s.Tracks) != 3 || s.Unclaimed != 1 {
		t.Fatalf("%+v", s)
	}
	if g := s.Tracks[0].Gaps; len(g) != 0 {
		t.Errorf("the first run misses %+v", g)
	}
	if g := s.Tracks[1].Gaps; len(g) != 2 || g[0].Frames != 3 || g[0].BeforeSeq != 5 || g[1].Frames != 0 || g[1].BeforeSeq != 8 {
		t.Errorf("the second run misses %+v", g)
	}
}

// TestRunsWithoutEnd: there are no more tracks than there is room for.
func TestRunsWithoutEnd(t *testing.T) {
	t.Parallel()
	tl := timeline.New()
	const more = timeline.MaxTracks + 5
	for i := range uint64(more) {
		tl.Frame(frame.Header{Seq: i + 1, MediaTime: begin + int64(i)*timeline.RunPause, Kind: frame.Video, Source: 12, Flags: frame.KeyFrame})
	}
	if s := tl.Finish(more); len(s.Tracks) != timeline.MaxTracks || s.Tracks[timeline.MaxTracks-1].Frames != 6 {
		t.Errorf("%d tracks", len(s.Tracks))
	}
}
