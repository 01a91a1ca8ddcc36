package media

import (
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/link"
)

// run feeds the frames from one number to another, which come so much late.
func (w *world) run(s *session, from, to uint64, late time.Duration) {
	w.tb.Helper()
	for seq := from; seq <= to; seq++ {
		f := audio(seq)
		f.MediaTime += int64(late / 100)
		w.feed(s, f)
	}
}

// running returns a session that has recorded a hundred frames.
func running(t *testing.T) (*world, *session) {
	t.Helper()
	w := newWorld(t, worldOptions{})
	s := w.openedAgo(t, 10*time.Second)
	w.run(s, 1, 100, 0)
	return w, s
}

// gapped is what a session misses so far, in frames.
func (s *session) gapped(tb testing.TB) int64 {
	tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	_, missing := s.line.Totals()
	if missing%frame.AudioSamples != 0 {
		tb.Errorf("%d samples are no frames", missing)
	}
	return missing / frame.AudioSamples
}

// TestBridgedCutMissesNothing: the host has held all frames of a cut and never
// closed its gate: that the first one behind it jitters is no gap.
func TestBridgedCutMissesNothing(t *testing.T) {
	t.Parallel()
	w, s := running(t)
	s.Cut("test")
	s.Attached(link.Attached{Next: 101, Open: true, Again: true})
	s.Opened(101)
	w.run(s, 101, 101, 24*time.Millisecond)
	w.run(s, 102, 200, 0)
	if n := s.gapped(t); n != 0 {
		t.Errorf("%d frames are missing", n)
	}
}

// TestHostHadClosedItsGate: what a host did not capture while its own gate was
// closed is a gap, in whole frames, whenever it says that it is open again.
func TestHostHadClosedItsGate(t *testing.T) {
	t.Parallel()
	for name, cuts := range map[string][]bool{
		"one cut":                         {false},
		"two cuts, open after the second": {false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, s := running(t)
			for _, open := range cuts {
				s.Cut("test")
				s.Attached(link.Attached{Next: 101, Open: open, Again: true})
			}
			s.Opened(101)
			w.run(s, 101, 101, 1007*time.Millisecond)
			w.run(s, 102, 200, time.Second)
			if n := s.gapped(t); n != 50 {
				t.Errorf("%d frames are missing, want 50", n)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			if gaps := s.line.Finish(0).Tracks[0].Gaps; len(gaps) != 1 || gaps[0].Cause != frame.CauseLink || gaps[0].BeforeSeq != 101 {
				t.Errorf("gaps %+v", gaps)
			}
		})
	}
}

// TestAnnouncedWhileTheGateWasClosed: what the host says is missing behind its closed gate
// is part of the time that was away, and counts once.
func TestAnnouncedWhileTheGateWasClosed(t *testing.T) {
	t.Parallel()
	w, s := running(t)
	s.Cut("test")
	s.Attached(link.Attached{Next: 101, Again: true})
	s.Opened(101)
	from := audio(100).MediaTime + frame.TicksPerFrame
	s.Gap(frame.Gap{Kind: frame.MixedAudio, FirstSeq: 101, FromTime: from, ToTime: from + 2*frame.TicksPerFrame, Cause: frame.CausePlatform})
	w.run(s, 101, 200, time.Second)
	if n := s.gapped(t); n != 50 {
		t.Errorf("%d frames are missing, want 50", n)
	}
}

// TestMoreAnnouncedThanAway: the host's word that more is missing than its gate was closed
// for is all that is missing.
func TestMoreAnnouncedThanAway(t *testing.T) {
	t.Parallel()
	w, s := running(t)
	s.mu.Lock()
	s.resumed, s.shutBy, s.skipped = true, frame.CauseLink, 2*time.Second
	s.mu.Unlock()
	w.run(s, 101, 101, time.Second)
	s.mu.Lock()
	defer s.mu.Unlock()
	if sum := s.line.Finish(101); sum.AbsurdGaps != 0 || s.resumed {
		t.Errorf("%+v", sum)
	}
}

// TestHeldBehindACut: what a host holds whose gate is closed opens no gate that is open,
// and none that no permit has opened.
func TestHeldBehindACut(t *testing.T) {
	t.Parallel()
	w, s := running(t)
	opened := s.openedAt
	s.Cut("test")
	s.Attached(link.Attached{Oldest: 90, Next: 101, Again: true})
	if s.next != 101 || s.first != 1 || !s.openedAt.Equal(opened) {
		t.Errorf("first %d, next %d, opened at %v", s.first, s.next, s.openedAt)
	}
	for _, open := range []bool{false, true} {
		fresh := newSession(w.service, w.service.hosts[0], s.call, "fresh", Streams{})
		fresh.Attached(link.Attached{Oldest: 3, Next: 9, Open: open})
		if fresh.gate != gateClosed || fresh.first != 0 {
			t.Errorf("the gate of a call without leave is %d, from frame %d on", fresh.gate, fresh.first)
		}
	}
}
