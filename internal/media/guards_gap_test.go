package media

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/recorder"
	"github.com/recorderbot/recorderbot/internal/recorder/recordertest"
)

// permitted is openedAgo with a permit that can be withdrawn.
func (w *world) permitted(tb testing.TB, id string) (s *session, withdraw func()) {
	tb.Helper()
	s = w.direct(tb, id)
	tb.Cleanup(s.link.Detach)
	permit, withdraw := recordertest.PermitWith(tb, recorder.CallID(id+"-other"))
	r, err := w.spool.Begin(tb.Context(), permit, id+"-other", nil)
	if err != nil {
		tb.Fatal(err)
	}
	s.mu.Lock()
	s.permit, s.recording = permit, r
	s.mu.Unlock()
	s.Opened(1)
	return s, withdraw
}

// gapsOf seals a session's recording, and returns the gaps that the spool has.
func (w *world) gapsOf(s *session) (gaps []frame.Gap) {
	w.tb.Helper()
	if _, err := s.recording.Seal(w.tb.Context(), spool.Seal{LastSeq: s.next - 1}); err != nil {
		w.tb.Fatal(err)
	}
	for _, r := range w.kept(s.recording.ID()).gaps {
		gaps = append(gaps, r.Gap)
	}
	return gaps
}

// TestWithdrawnTakesNothing: no frame, and no hole before one, once the permit is
// gone; and the frame is counted.
func TestWithdrawnTakesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	for name, seq := range map[string]uint64{"next": 2, "hole": 5} {
		s, withdraw := w.permitted(t, name)
		w.feed(s, audio(1))
		withdraw()
		w.feed(s, audio(seq))
		s.Gap(frame.Gap{Kind: frame.MixedAudio, FirstSeq: 9, Count: 3, Cause: frame.CauseOverflow})
		if s.next != 2 || s.discarded[afterSeal] != 1 || s.missing != 0 || len(s.announced) != 0 {
			t.Errorf("%s: next %d, discarded %v, %d missing, announced %v", name, s.next, s.discarded, s.missing, s.announced)
		}
		if gaps := w.gapsOf(s); len(gaps) != 0 {
			t.Errorf("%s: %+v", name, gaps)
		}
	}
}

// TestTakeRemembers: since when all is refused, and the last time that was one.
func TestTakeRemembers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	s := w.direct(t, "c")
	t.Cleanup(s.link.Detach)
	w.feed(s, audio(1))
	if !s.stuckAt.IsZero() || s.refusedAt.IsZero() {
		t.Errorf("refused by a gate that is not open: stuck at %v", s.stuckAt)
	}
	s.Opened(1)
	w.feed(s, audio(1))
	w.feed(s, audio(1))
	since := s.stuckAt
	w.feed(s, audio(1))
	if since.IsZero() || s.stuckAt != since {
		t.Errorf("all is refused since %v, not %v", s.stuckAt, since)
	}
	w.feed(s, audio(2))
	if !s.stuckAt.IsZero() {
		t.Error("a stored frame does not end the trouble")
	}
	was := s.lastTime
	f := audio(3)
	f.MediaTime = 0
	w.feed(s, f)
	if s.lastTime != was || s.next != 4 {
		t.Errorf("a frame without a time: last time %d, not %d; next %d", s.lastTime, was, s.next)
	}
}

// TestHole: what is missing before a frame is what was not announced, in pieces.
func TestHole(t *testing.T) {
	t.Parallel()
	type gap struct{ First, Count uint64 }
	for name, tt := range map[string]struct {
		announced []gap
		seq       uint64
		stored    []gap // beside the announced
		left      int
	}{
		"none announced":      {nil, 5, []gap{{2, 3}}, 0},
		"all announced":       {[]gap{{2, 3}}, 5, nil, 0},
		"announced beyond":    {[]gap{{2, 10}}, 5, nil, 1},
		"announced later":     {[]gap{{8, 3}}, 5, []gap{{2, 3}}, 1},
		"begins unannounced":  {[]gap{{4, 2}}, 6, []gap{{2, 2}}, 0},
		"out of order":        {[]gap{{7, 2}, {4, 2}}, 9, []gap{{2, 2}, {6, 1}}, 0},
		"one is over, one is": {[]gap{{2, 3}, {8, 3}}, 5, nil, 1},
		"overlapping":         {[]gap{{2, 4}, {4, 5}}, 9, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, worldOptions{})
			s := w.openedAgo(t, 10*time.Second)
			w.feed(s, audio(1))
			for _, g := range tt.announced {
				s.Gap(frame.Gap{Kind: frame.MixedAudio, FirstSeq: g.First, Count: g.Count, Cause: frame.CauseOverflow})
			}
			w.feed(s, audio(tt.seq))
			if len(s.announced) != tt.left {
				t.Errorf("announced %+v", s.announced)
			}
			var got []gap
			for _, g := range w.gapsOf(s) {
				if g.Cause == frame.CauseUnannounced {
					got = append(got, gap{g.FirstSeq, g.Count})
				}
			}
			if d := cmp.Diff(tt.stored, got, cmpopts.EquateEmpty()); d != "" {
				t.Errorf("-want +got\n%s", d)
			}
		})
	}
}

// TestFirstHoleHasNoTime: before the first frame nobody knows when it should have
// begun.
func TestFirstHoleHasNoTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	s := w.openedAgo(t, 10*time.Second)
	w.feed(s, audio(4))
	if gaps := w.gapsOf(s); len(gaps) != 1 || gaps[0].FirstSeq != 1 || gaps[0].Count != 3 || gaps[0].FromTime != 0 {
		t.Errorf("%+v", gaps)
	}
}

// TestResumed: where the host had closed its own gate the clock tells what is
// missing: once, not beside the numbers, and nothing where nothing is.
func TestResumed(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		before uint64        // frames stored before
		seq    uint64        // the first frame behind
		late   time.Duration // by its time
		gaps   int
		frames int64
	}{
		"half a second":         {5, 6, 500 * time.Millisecond, 1, 25},
		"nothing":               {5, 6, 0, 0, 0},
		"a jitter":              {5, 6, 9 * time.Millisecond, 0, 0},
		"no frame before":       {0, 1, 500 * time.Millisecond, 0, 0},
		"the numbers tell":      {5, 11, 0, 1, 5},
		"the numbers tell some": {5, 11, 500 * time.Millisecond, 1, 5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, worldOptions{})
			s := w.openedAgo(t, 10*time.Second)
			if tt.before > 0 {
				w.run(s, 1, tt.before, 0)
			}
			s.mu.Lock()
			s.resumed = true
			s.mu.Unlock()
			w.run(s, tt.seq, tt.seq, tt.late)
			w.run(s, tt.seq+1, tt.seq+1, tt.late+24*time.Millisecond) // a jitter, and no gap
			gaps := w.gapsOf(s)
			frames := int64(0)
			for _, g := range gaps {
				frames += max(int64(g.Count), (g.ToTime-g.FromTime)/frame.TicksPerFrame*int64(1-min(g.Count, 1)))
			}
			if len(gaps) != tt.gaps || frames != tt.frames {
				t.Errorf("%d frames: %+v", frames, gaps)
			}
		})
	}
}

// TestHearGap: which announcements are kept, which say nothing, and which can't be.
func TestHearGap(t *testing.T) {
	t.Parallel()
	type gap struct{ First, Count uint64 }
	at := func(seq uint64) int64 { return audio(seq).MediaTime }
	for name, tt := range map[string]struct {
		ago        time.Duration
		gap        frame.Gap
		announced  []gap
		stored     int
		impossible float64
		skipped    time.Duration
	}{
		"behind":                  {0, frame.Gap{FirstSeq: 20, Count: 5}, []gap{{20, 5}}, 1, 0, 0},
		"before the first":        {0, frame.Gap{FirstSeq: 5, Count: 3}, nil, 0, 0, 0},
		"up to the first":         {0, frame.Gap{FirstSeq: 5, Count: 5}, nil, 0, 0, 0},
		"passed already":          {0, frame.Gap{FirstSeq: 15, Count: 5}, nil, 0, 0, 0},
		"passed but for one":      {0, frame.Gap{FirstSeq: 15, Count: 6}, []gap{{15, 6}}, 1, 0, 0},
		"from before the first":   {0, frame.Gap{FirstSeq: 5, Count: 20}, []gap{{10, 15}}, 1, 0, 0},
		"of another kind":         {0, frame.Gap{Kind: frame.Video, FirstSeq: 20, Count: 5}, nil, 0, 1, 0},
		"of a source":             {0, frame.Gap{Source: 3, FirstSeq: 20, Count: 5}, nil, 0, 1, 0},
		"without a beginning":     {0, frame.Gap{FirstSeq: 0, Count: 30}, nil, 0, 1, 0},
		"around the end":          {0, frame.Gap{FirstSeq: 1<<64 - 3, Count: 13}, nil, 0, 1, 0},
		"a day":                   {48 * time.Hour, frame.Gap{FirstSeq: 20, Count: maxGap}, []gap{{20, maxGap}}, 1, 0, 0},
		"more than a day":         {48 * time.Hour, frame.Gap{FirstSeq: 20, Count: maxGap + 1}, nil, 0, 1, 0},
		"more than passed":        {0, frame.Gap{FirstSeq: 20, Count: 2000}, nil, 0, 1, 0},
		"numbers with wild times": {0, frame.Gap{FirstSeq: 20, Count: 5, FromTime: at(20), ToTime: at(10_000)}, []gap{{20, 5}}, 1, 0, 0},
		"by its times":            {0, frame.Gap{FirstSeq: 20, FromTime: at(20), ToTime: at(30)}, nil, 1, 0, 200 * time.Millisecond},
		"by its times, far off":   {0, frame.Gap{FirstSeq: 1 << 40, FromTime: at(20), ToTime: at(30)}, nil, 1, 0, 200 * time.Millisecond},
		"by its times, before":    {0, frame.Gap{FirstSeq: 20, FromTime: at(10), ToTime: at(15)}, nil, 1, 0, 0},
		"up to the last":          {0, frame.Gap{FirstSeq: 20, FromTime: at(10), ToTime: at(19)}, nil, 1, 0, 0},
		"by too long times":       {0, frame.Gap{FirstSeq: 20, FromTime: at(20), ToTime: at(10_000)}, nil, 0, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, worldOptions{})
			s := w.openedAt10(t, tt.ago)
			g := tt.gap
			if g.Kind == 0 {
				g.Kind = frame.MixedAudio
			}
			g.Cause = frame.CauseOverflow
			s.Gap(g)
			var announced []gap
			for _, a := range s.announced {
				announced = append(announced, gap{a.FirstSeq, a.Count})
			}
			if d := cmp.Diff(tt.announced, announced, cmpopts.EquateEmpty()); d != "" || s.skipped != tt.skipped || s.gapHeard != (tt.stored > 0) {
				t.Errorf("skipped %v, heard %v; announced: -want +got\n%s", s.skipped, s.gapHeard, d)
			}
			if n := w.metric(`recorderbot_media_host_faults_total{fault="impossibleGap"}`); n != tt.impossible {
				t.Errorf("%v impossible gaps", n)
			}
			if gaps := w.gapsOf(s); len(gaps) != tt.stored {
				t.Errorf("%+v", gaps)
			}
		})
	}
}

// openedAt10 is a session whose first frame was 10, and which has stored up to 19.
func (w *world) openedAt10(tb testing.TB, ago time.Duration) *session {
	tb.Helper()
	s := w.openedAt10Of(tb, "c")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.openedAt = s.openedAt.Add(-ago)
	return s
}

func (w *world) openedAt10Of(tb testing.TB, id string) *session {
	tb.Helper()
	s := w.direct(tb, id)
	tb.Cleanup(s.link.Detach)
	s.Opened(10)
	w.run(s, 10, 19, 0)
	return s
}

// TestGapNeedsAnOpenGate: nothing is missing where nothing is recorded.
func TestGapNeedsAnOpenGate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	for name, g := range map[string]gate{"armed": gateArmed, "paused": gatePaused, "shut": gateShut} {
		s := w.direct(t, name)
		t.Cleanup(s.link.Detach)
		s.Opened(1)
		s.gate = g
		s.Gap(frame.Gap{Kind: frame.MixedAudio, FirstSeq: 1, Count: 3, Cause: frame.CauseOverflow})
		if len(s.announced) != 0 || len(w.gapsOf(s)) != 0 {
			t.Errorf("%s: %+v", name, s.announced)
		}
	}
}

// TestAnnounceOnce: what is covered by an announcement is not kept again, and there
// are not too many.
func TestAnnounceOnce(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for name, tt := range map[string]struct {
		old, g frame.Gap
		want   int
	}{
		"the same":       {frame.Gap{FirstSeq: 25, Count: 10}, frame.Gap{FirstSeq: 25, Count: 10}, 1},
		"inside":         {frame.Gap{FirstSeq: 25, Count: 10}, frame.Gap{FirstSeq: 26, Count: 5}, 1},
		"begins before":  {frame.Gap{FirstSeq: 25, Count: 10}, frame.Gap{FirstSeq: 22, Count: 10}, 2},
		"ends behind":    {frame.Gap{FirstSeq: 25, Count: 10}, frame.Gap{FirstSeq: 30, Count: 6}, 2},
		"passed in part": {frame.Gap{FirstSeq: 20, Count: 10}, frame.Gap{FirstSeq: 15, Count: 10}, 1},
	} {
		s := bare(now, 0)
		s.announced = []frame.Gap{tt.old}
		if s.announce(tt.g); len(s.announced) != tt.want {
			t.Errorf("%s: %+v", name, s.announced)
		}
	}
	s := bare(now, 0)
	for i := range uint64(maxAnnounced + 3) {
		if kept := s.announce(frame.Gap{FirstSeq: 30 + 2*i, Count: 1}); kept != (i < maxAnnounced) {
			t.Errorf("announcement %d: kept %v", i, kept)
		}
	}
}

// TestSealedTellsNoGap: what the spool refuses does not count.
func TestSealedTellsNoGap(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	s := w.openedAgo(t, 10*time.Second)
	w.feed(s, audio(1))
	w.gapsOf(s)
	s.Gap(frame.Gap{Kind: frame.MixedAudio, FirstSeq: 2, Count: 3, Cause: frame.CauseOverflow})
	for _, g := range s.line.Finish(4).Tracks[0].Gaps {
		if g.Cause == frame.CauseOverflow {
			t.Errorf("%+v", g)
		}
	}
}
