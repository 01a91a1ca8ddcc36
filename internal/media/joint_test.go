package media

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/spool"
)

// parted returns a session that has recorded frames 1 to 60, and that began another part
// behind them.
func parted(t *testing.T) (*world, *session) {
	t.Helper()
	w := newWorld(t, worldOptions{})
	s := w.openedAgo(t, time.Minute)
	w.run(s, 1, 60, 0)
	w.part(s)
	return w, s
}

// part has a session go on in another recording.
func (w *world) part(s *session) {
	w.tb.Helper()
	if _, ok := s.changeOver(w.upcoming(s, s.recording.ID()+"-next")); !ok {
		w.tb.Fatal("no new part")
	}
}

// TestSilenceAcrossParts: a time in which nothing came, and that nobody announced, is
// missing of the part whose frame follows it; a jitter is none, and so is what was
// announced, or is missing by number.
func TestSilenceAcrossParts(t *testing.T) {
	t.Parallel()
	const half = 500 * time.Millisecond
	for name, tt := range map[string]struct {
		said time.Duration // announced as missing
		seq  uint64        // the first frame of the part
		late time.Duration // its time, behind its place
		want int64         // frames missing
	}{
		"on time":               {0, 61, 0, 0},
		"a jitter":              {0, 61, 39 * time.Millisecond, 0},
		"early":                 {0, 61, -half, 0},
		"two frames":            {0, 61, 40 * time.Millisecond, 2},
		"half a second":         {0, 61, half + 7*time.Millisecond, 25},
		"announced":             {half, 61, half, 25},
		"announced in part":     {half, 61, 2 * half, 50},
		"by number":             {0, 71, 0, 10},
		"by number and by time": {0, 71, half, 35},
		"what cannot be":        {0, 61, time.Hour, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, s := parted(t)
			if tt.said > 0 {
				s.Gap(frame.Gap{Kind: frame.MixedAudio, FirstSeq: 61, FromTime: s.due(), ToTime: s.due() + int64(tt.said/100), Cause: frame.CausePlatform})
			}
			w.run(s, tt.seq, tt.seq, tt.late)
			w.run(s, tt.seq+1, tt.seq+60, tt.late)
			if n := s.gapped(t); n != tt.want {
				t.Errorf("%d frames are missing, want %d", n, tt.want)
			}
		})
	}
}

// TestSilenceBehindAPart: where nothing comes of a part, all the time since the last frame,
// which the part before has, is missing of it, be there another part between.
func TestSilenceBehindAPart(t *testing.T) {
	t.Parallel()
	for parts := range 3 {
		w := newWorld(t, worldOptions{})
		s := w.openedAgo(t, time.Minute)
		w.run(s, 1, 60, 0)
		s.lastAt = s.lastAt.Add(-3 * time.Second)
		until := s.lastAt.Add(5 * time.Second)
		for range parts {
			w.part(s)
		}
		s.mu.Lock()
		g, missing := s.tail(until, sealAbrupt, 60)
		s.mu.Unlock()
		from := audio(61).MediaTime
		want := frame.Gap{Kind: frame.MixedAudio, FirstSeq: 61, FromTime: from, ToTime: from + 250*frame.TicksPerFrame, Cause: frame.CauseTail}
		if d := cmp.Diff(want, g); !missing || d != "" {
			t.Errorf("%d parts: missing: %v; -want +got\n%s", parts, missing, d)
		}
	}
}

// TestJoin: what is late, and by whose word, and what is believed of it.
func TestJoin(t *testing.T) {
	t.Parallel()
	const frames = frame.TicksPerFrame
	now := time.Now()
	const most = 250*frames + 4*clockDrift*10 // four seconds, one for a clock that was set, and drift
	seen := Streams{Cameras: 1, Height: 360}
	for name, tt := range map[string]struct {
		change func(*session)
		seq    uint64
		late   int64 // ticks
		want   int64 // ticks that are missing
		cause  frame.GapCause
		joins  bool // still
		wild   uint64
	}{
		"a jitter":            {func(*session) {}, 20, jitter - 1, 0, "", false, 0},
		"more":                {func(*session) {}, 20, jitter, 2 * frames, frame.CauseTime, false, 0},
		"in whole frames":     {func(*session) {}, 20, 3*frames - frames/2, 3 * frames, frame.CauseTime, false, 0},
		"and no more":         {func(*session) {}, 20, 3*frames - frames/2 - 1, 2 * frames, frame.CauseTime, false, 0},
		"nobody knows":        {func(s *session) { s.joins = 0 }, 20, 5 * frames, 0, "", false, 0},
		"of another kind":     {func(s *session) { s.kind = frame.UnmixedAudio }, 20, 5 * frames, 0, "", true, 0},
		"the gate was closed": {func(s *session) { s.resumed, s.shutBy = true, frame.CauseLink }, 20, frames / 2, frames, frame.CauseLink, false, 0},
		"and opened at once":  {func(s *session) { s.resumed, s.shutBy = true, frame.CauseLink }, 20, frames/2 - 1, 0, "", false, 0},
		"as long as may be":   {func(*session) {}, 20, most, 250 * frames, frame.CauseTime, false, 0},
		"longer":              {func(*session) {}, 20, most + 1, 0, "", false, 1},
		"by number":           {func(*session) {}, 25, 5 * frames, 0, "", false, 0},
		"numbers of anybody":  {func(s *session) { s.streams = seen }, 25, 5 * frames, 5 * frames, frame.CauseTime, false, 0},
		"of a camera": {func(s *session) {
			s.streams, s.announced = seen, []frame.Gap{{Kind: frame.Video, FirstSeq: 20, Count: 5}}
		}, 25, 5 * frames, 5 * frames, frame.CauseTime, false, 0},
		"of the audio": {func(s *session) {
			s.streams, s.announced = seen, []frame.Gap{{Kind: frame.MixedAudio, FirstSeq: 20, Count: 3}}
		}, 25, 5 * frames, 2 * frames, frame.CauseTime, false, 0},
		"from before": {func(s *session) {
			s.streams, s.announced = seen, []frame.Gap{{Kind: frame.MixedAudio, FirstSeq: 10, Count: 13}}
		}, 25, 5 * frames, 2 * frames, frame.CauseTime, false, 0},
		"and beyond": {func(s *session) {
			s.streams, s.announced = seen, []frame.Gap{{Kind: frame.MixedAudio, FirstSeq: 22, Count: 90}}
		}, 25, 5 * frames, 2 * frames, frame.CauseTime, false, 0},
		"all of it beyond": {func(s *session) {
			s.streams, s.announced = seen, []frame.Gap{{Kind: frame.MixedAudio, FirstSeq: 30, Count: 9}}
		}, 25, 5 * frames, 5 * frames, frame.CauseTime, false, 0},
		"all of it before": {func(s *session) {
			s.streams, s.announced = seen, []frame.Gap{{Kind: frame.MixedAudio, FirstSeq: 10, Count: 9}}
		}, 25, 5 * frames, 5 * frames, frame.CauseTime, false, 0},
	} {
		w := newWorld(t, worldOptions{})
		s, _ := w.permitted(t, "c")
		f := audio(tt.seq)
		s.next, s.joins, s.openedAt = 20, f.MediaTime-tt.late, now.Add(-4*time.Second)
		tt.change(s)
		wild := uint64(0)
		s.write(func(b *spool.Batch) {
			s.join(b, &f, now)
			wild, s.host.visit.wildTimes = s.host.visit.wildTimes, 0
		})
		if wild != tt.wild {
			t.Errorf("%s: %d times cannot be, want %d", name, wild, tt.wild)
		}
		if (s.joins != 0) != tt.joins || s.resumed {
			t.Errorf("%s: joins %d, resumed %v", name, s.joins, s.resumed)
		}
		var want []frame.Gap
		if tt.want > 0 {
			want = []frame.Gap{{Kind: frame.MixedAudio, FirstSeq: tt.seq, FromTime: f.MediaTime - tt.want, ToTime: f.MediaTime, Cause: tt.cause}}
		}
		if d := cmp.Diff(want, w.gapsOf(s)); d != "" {
			t.Errorf("%s: -want +got\n%s", name, d)
		}
	}
}

// TestUndecidedAtAPart: what the clock had not shown for certain before a part is missing of
// the part, and what it had is missing of the one before; nothing is missing of both.
func TestUndecidedAtAPart(t *testing.T) {
	t.Parallel()
	for late, want := range map[uint64][2]int64{1: {0, 25}, 9: {0, 25}, 10: {25, 0}, 24: {25, 0}, 30: {25, 0}} {
		w := newWorld(t, worldOptions{})
		s := w.openedAgo(t, time.Minute)
		const half = 500 * time.Millisecond
		w.run(s, 1, 60, 0)
		w.run(s, 61, 60+late, half)
		s.mu.Lock()
		before := s.line
		s.mu.Unlock()
		w.part(s)
		w.run(s, 61+late, 120+late, half)
		_, missing := before.Totals()
		if got := [2]int64{missing / frame.AudioSamples, s.gapped(t)}; got != want {
			t.Errorf("%d late frames: %v frames are missing, want %v", late, got, want)
		}
	}
}

// TestJoinedOnce: a frame without a time does not tell what lies before it, and the one
// behind it does; a host that had closed its gate is told of once.
func TestJoinedOnce(t *testing.T) {
	t.Parallel()
	const half = 500 * time.Millisecond
	w, s := parted(t)
	f := audio(61)
	f.MediaTime = 0
	w.feed(s, f)
	w.run(s, 62, 120, half)
	if n := s.gapped(t); n != 25 {
		t.Errorf("%d frames are missing, want 25", n)
	}
	w, s = parted(t)
	s.mu.Lock()
	s.resumed, s.shutBy = true, frame.CauseLink
	s.mu.Unlock()
	w.run(s, 61, 120, half)
	if n := s.gapped(t); n != 25 || s.resumed {
		t.Errorf("%d frames are missing, want 25", n)
	}
}

// TestSilenceAcrossAnEmptyPart: a part to which no frame with a time came tells nothing of
// what lies before the next one; its frames without a time have their place.
func TestSilenceAcrossAnEmptyPart(t *testing.T) {
	t.Parallel()
	for untimed := range uint64(2) {
		w, s := parted(t)
		for seq := range untimed {
			f := audio(61 + seq)
			f.MediaTime = 0
			w.feed(s, f)
		}
		w.part(s)
		w.run(s, 61+untimed, 120, 500*time.Millisecond)
		if n := s.gapped(t); n != 25 {
			t.Errorf("%d frames without a time: %d frames are missing, want 25", untimed, n)
		}
	}
}

// TestAccounted: up to when a recording says what it has: not beyond its last frame, and
// by its samples where they are fewer; who speaks apart is silent without a loss.
func TestAccounted(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for name, tt := range map[string]struct {
		kind  frame.Kind
		heard time.Duration // the last frame, after the beginning; 0: none
		held  uint64
		want  time.Duration
	}{
		"on time":       {frame.MixedAudio, 1200 * time.Millisecond, 0, 1200 * time.Millisecond},
		"a fast clock":  {frame.MixedAudio, 1199 * time.Millisecond, 0, 1199 * time.Millisecond},
		"a silence":     {frame.MixedAudio, 5 * time.Second, 0, 1200 * time.Millisecond},
		"held before":   {frame.MixedAudio, 5 * time.Second, 10, time.Second},
		"nothing heard": {frame.MixedAudio, 0, 0, 0},
		"unmixed":       {frame.UnmixedAudio, 0, 0, time.Minute},
	} {
		s := bare(now, time.Minute)
		s.line.Start(1)
		for seq := uint64(1); seq <= 60; seq++ {
			s.line.Frame(audio(seq).Header)
		}
		if s.kind, s.held = tt.kind, tt.held; tt.heard > 0 {
			s.lastAt = s.openedAt.Add(tt.heard)
		}
		at, due := s.accounted(now)
		wantDue := audio(61).MediaTime
		if tt.kind != frame.MixedAudio {
			wantDue = 0
		}
		if got := at.Sub(s.openedAt); got != tt.want || due != wantDue {
			t.Errorf("%s: up to %v, want %v; the next is due at %d, want %d", name, got, tt.want, due, wantDue)
		}
	}
}
