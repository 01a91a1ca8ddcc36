package media

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/recorderbot/recorderbot/internal/media/frame"
)

// TestHostSaysWhoseFramesAreMissing: what the recorder has found missing by numbers alone,
// behind a takeover, the host tells of each stream; all of it is written, but nothing
// twice.
func TestHostSaysWhoseFramesAreMissing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	s := w.direct(t, "c")
	t.Cleanup(s.link.Detach)
	s.mu.Lock()
	s.streams = Streams{Unmixed: true, Cameras: 1, Height: 360}
	s.kind = frame.UnmixedAudio
	s.held = 100
	s.mu.Unlock()
	s.Opened(1)
	s.from = 1
	s.lostByDeath(4)
	told := []frame.Gap{
		{Kind: frame.Video, Source: 7, FirstSeq: 1, Count: 1, Cause: frame.CauseOverflow},
		{Kind: frame.UnmixedAudio, Source: 2, FirstSeq: 2, Count: 3, Cause: frame.CauseOverflow},
	}
	for _, g := range slices.Concat(told, told) {
		s.Gap(g)
	}
	s.lostByDeath(4)
	want := append([]frame.Gap{{FirstSeq: 1, Count: 4, Cause: frame.CauseCrash}}, told...)
	if diff := cmp.Diff(want, w.gapsOf(s)); diff != "" {
		t.Error(diff)
	}
}
