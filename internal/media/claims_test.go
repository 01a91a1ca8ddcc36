package media

import (
	"slices"
	"testing"
	"time"

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

// TestSkippedBetweenParts: a time that the platform skipped right before a new part is
// missing there, and one before the last frame is not.
func TestSkippedBetweenParts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	s, _ := w.permitted(t, "c")
	s.openedAt = s.openedAt.Add(-time.Minute)
	skip := func(seq uint64, from int64) frame.Gap {
		return frame.Gap{Kind: frame.MixedAudio, FirstSeq: seq, FromTime: from, ToTime: from + frame.TicksPerFrame, Cause: frame.CausePlatform}
	}
	w.feed(s, audio(1))
	s.Gap(skip(2, s.due()))
	w.feed(s, audio(2))
	want := skip(3, s.due())
	s.Gap(want)
	next, err := w.spool.Begin(t.Context(), s.permit, "next", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := s.changeOver(next); !ok {
		t.Fatal("no new part")
	}
	w.feed(s, audio(3))
	if diff := cmp.Diff([]frame.Gap{want}, w.gapsOf(s)); diff != "" {
		t.Error(diff)
	}
}
