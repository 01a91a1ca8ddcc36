package media

import (
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/link"
	pb "github.com/recorderbot/recorderbot/internal/media/link/mediahostv1"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// silences counts the notes about a call that hears nothing.
func (w *world) silences(id recorder.CallID) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.notes {
		if d, ok := e.Data.(mediaEntry); ok && e.Call == id && d.What == "silent" {
			n++
		}
	}
	return n
}

// TestSilence: frames stop while everything else is well. It is noted once, and
// in the end stored + missing is the time from Opened to the end.
func TestSilence(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("seven seconds")
	}
	w := newWorld(t, worldOptions{})
	s, hs := w.record("c")
	hs.capture(50)
	w.stored(s, 50)
	silent := func(n float64) func() bool {
		return func() bool { return w.metric("recorderbot_media_sessions_silent") == n }
	}
	eventually(t, "the alert", silent(1))
	<-time.After(2 * watchEvery)
	if n := w.silences("c"); n != 1 {
		t.Errorf("noted %d times", n)
	}
	// Frames come again, 250 frames later by their times.
	hs.skip(50) // before the first of them is acknowledged
	last := time.Now()
	for seq := uint64(51); seq <= 100; seq++ {
		f := audio(seq)
		f.MediaTime += 250 * frame.TicksPerFrame
		hs.raw(f)
	}
	w.stored(s, 100)
	eventually(t, "the end of the alert", silent(0))
	// They stop for good.
	<-time.After(1500 * time.Millisecond)
	w.hangUp("c")
	end := w.end("c")
	most := int64(time.Since(last)/frameLength+1) * 320
	r := w.report("c")
	k := w.kept(r.Recording)
	if end.Outcome != recorder.OutcomeRecordedWithGaps || r.Samples != 100*320 || len(k.gaps) != 1 || k.seal.Cause != sealPaused {
		t.Fatalf("%+v\n%+v\n%+v", end, r, k.gaps)
	}
	tail := int64(r.GapSamples) - 250*320
	if low, high := int64(75*320), most; tail < low || tail > high || tail%320 != 0 {
		t.Errorf("%d samples are missing at the end, want %d to %d", tail, low, high)
	}
}

// TestNothingEverCame: an open session that never got a frame misses all of it.
func TestNothingEverCame(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.record("c")
	<-time.After(1300 * time.Millisecond)
	w.hangUp("c")
	end := w.end("c")
	r := w.report("c")
	if r.Samples != 0 || r.GapSamples < 65*320 || r.GapSamples > 80*320 || end.Outcome == recorder.OutcomeRecorded {
		t.Errorf("%+v\n%+v", end, r)
	}
}

// TestOrdinaryEnds: a moment without frames before the end is no loss.
func TestOrdinaryEnds(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*world, *testSession){
		"hung up": func(w *world, _ *testSession) { w.hangUp("c") },
		"closed": func(_ *world, s *testSession) {
			s.say(&pb.FromHost{Message: &pb.FromHost_SessionClosed{SessionClosed: &pb.SessionClosed{
				Handle: s.handle, Reason: pb.SessionClosed_REASON_PLATFORM,
			}}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, worldOptions{})
			s, hs := w.record("c")
			hs.capture(50)
			w.stored(s, 50)
			<-time.After(500 * time.Millisecond)
			end(w, hs)
			if end := w.end("c"); end.Outcome != recorder.OutcomeRecorded || w.report("c").GapSamples != 0 {
				t.Errorf("%+v %+v", end, w.report("c"))
			}
		})
	}
}

// TestTail: how much is missing at the end, by the clock and by the numbers.
func TestTail(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	opened := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, tt := range map[string]struct {
		s     *session
		heard time.Duration // the last frame, after opened; 0: none
		asked time.Duration // the end, after opened
		end   string
		want  int64 // frames; 0: no gap
		cause frame.GapCause
	}{
		"nothing missing":               {&session{attached: true}, 1000 * ms, 1020 * ms, sealPaused, 0, ""},
		"within what is usual":          {&session{attached: true}, 1000 * ms, 1990 * ms, sealPaused, 0, ""},
		"silent before Paused":          {&session{attached: true}, 1000 * ms, 4009 * ms, sealPaused, 150, frame.CauseTail},
		"silent from the beginning":     {&session{attached: true}, 0, 3000 * ms, sealPaused, 150, frame.CauseTail},
		"frames after the end":          {&session{attached: true}, 4000 * ms, 3000 * ms, sealPaused, 0, ""},
		"the numbers tell all":          {&session{attached: true, last: 199}, 1000 * ms, 3000 * ms, sealPaused, 0, ""},
		"the numbers tell half":         {&session{attached: true, last: 149}, 1000 * ms, 4000 * ms, sealPaused, 100, frame.CauseTail},
		"announced by its times":        {&session{attached: true, skipped: 2500 * ms}, 1000 * ms, 4000 * ms, sealPaused, 0, ""},
		"more than announced":           {&session{attached: true, skipped: 1000 * ms}, 1000 * ms, 4000 * ms, sealPaused, 100, frame.CauseTail},
		"closed, and asked much later":  {&session{closedAt: opened.Add(1500 * ms)}, 1000 * ms, 9000 * ms, sealClosed, 0, ""},
		"silent before it was closed":   {&session{closedAt: opened.Add(3000 * ms)}, 1000 * ms, 9000 * ms, sealClosed, 100, frame.CauseTail},
		"unmixed sources may be silent": {&session{kind: frame.UnmixedAudio, attached: true}, 1000 * ms, 9000 * ms, sealPaused, 0, ""},
		"cut":                           {&session{}, 1000 * ms, 1500 * ms, sealCut, 25, frame.CauseLink},
		"abrupt":                        {&session{attached: true}, 1000 * ms, 1500 * ms, sealAbrupt, 25, frame.CauseTail},
		"abrupt, between two frames":    {&session{attached: true}, 1000 * ms, 1019 * ms, sealAbrupt, 0, ""},
		"abrupt, the times tell":        {&session{attached: true, skipped: 480 * ms}, 1000 * ms, 1500 * ms, sealAbrupt, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := tt.s
			if s.kind == 0 {
				s.kind = frame.MixedAudio
			}
			s.openedAt, s.first, s.next = opened, 50, 50
			if tt.heard > 0 {
				s.next, s.lastAt, s.lastTime = 100, opened.Add(tt.heard), frame.Ticks(opened.Add(tt.heard))
			}
			g, missing := s.tail(opened.Add(tt.asked), tt.end, max(s.last, s.next-1))
			if missing != (tt.want > 0) || g.ToTime-g.FromTime != tt.want*frame.TicksPerFrame || g.Cause != tt.cause {
				t.Errorf("%v: %d frames, cause %q", missing, (g.ToTime-g.FromTime)/frame.TicksPerFrame, g.Cause)
			}
		})
	}
}

// TestSilenceNeedsALink: what a cut explains, and what is not open, is no alert.
func TestSilenceNeedsALink(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	now := time.Now()
	for name, tt := range map[string]struct {
		change func(*session)
		want   bool
	}{
		"all well":     {func(*session) {}, true},
		"cut":          {func(s *session) { s.attached = false }, false},
		"just back":    {func(s *session) { s.Attached(link.Attached{Next: 1, Again: true}) }, false},
		"paused":       {func(s *session) { s.gate = gatePaused }, false},
		"not open yet": {func(s *session) { s.gate = gateArmed }, false},
		"a frame":      {func(s *session) { s.lastAt = now }, false},
		"unmixed":      {func(s *session) { s.streams, s.kind = Streams{Unmixed: true}, frame.UnmixedAudio }, false},
		"an announcement": {func(s *session) {
			s.wokenAt = now.Add(-time.Second)
		}, false},
	} {
		s := newSession(w.service, w.service.hosts[0], recorder.CallRef{ID: "c"}, name, Streams{})
		s.gate, s.attached, s.wokenAt = gateOpen, true, now.Add(-6*time.Second)
		tt.change(s)
		if got, first := s.silent(now); got != tt.want || first != tt.want {
			t.Errorf("%s: %v %v", name, got, first)
		}
		if _, first := s.silent(now); first {
			t.Errorf("%s: noted twice", name)
		}
	}
}

// TestAnnouncedBeforeTheEnd: what was announced as missing and never passed by a
// frame keeps its cause, and the time until the end does not count it again.
func TestAnnouncedBeforeTheEnd(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*testHost, *testSession){
		"Pause is not answered": func(h *testHost, _ *testSession) { h.change(func() { h.mutePaus = true }) },
		"paused":                func(*testHost, *testSession) {},
		"cut":                   func(h *testHost, _ *testSession) { h.stop() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, worldOptions{})
			s, hs := w.record("c")
			opened := time.Now()
			hs.capture(1)
			w.stored(s, 1)
			announce(hs, 2, 30, pb.Gap_REASON_OVERFLOW)
			announce(hs, 32, 20, pb.Gap_REASON_PLATFORM)
			eventually(t, "the announcements", func() bool {
				s.mu.Lock()
				defer s.mu.Unlock()
				return len(s.announced) == 2
			})
			end(w.hosts[0], hs)
			<-time.After(1200*time.Millisecond - time.Since(opened))
			most := uint64(time.Since(opened)/frameLength) + 10
			w.hangUp("c")
			w.end("c")
			r := w.report("c")
			if missing := r.GapSamples / frame.AudioSamples; missing < 50 || missing > most || r.LastSeq != 51 {
				t.Errorf("%d frames are missing of %d, the last one is %d", missing, most, r.LastSeq)
			}
			if n := w.missed(frame.CauseOverflow); n != 30 {
				t.Errorf("%v frames of overflow", n)
			}
			if n := w.missed(frame.CausePlatform); n != 20 {
				t.Errorf("%v frames of platform", n)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			if gaps := s.line.Finish(0).Tracks[0].Gaps; len(gaps) < 2 || gaps[0].FirstSeq != 2 || gaps[1].FirstSeq != 32 {
				t.Errorf("gaps %+v", gaps)
			}
		})
	}
}

// missed is the metric of missing audio by a cause, in frames.
func (w *world) missed(cause frame.GapCause) float64 {
	w.tb.Helper()
	return w.metric(`recorderbot_media_gap_samples_total{cause="`+string(cause)+`"}`) / frame.AudioSamples
}

// TestMute: a session that was opened and never heard anything fails: somebody
// believes to be recorded. What was heard once may be silent for long.
func TestMute(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	now := time.Now()
	for name, tt := range map[string]struct {
		change func(*session)
		want   bool
	}{
		"nothing ever":        {func(*session) {}, true},
		"not for long":        {func(s *session) { s.openedAt = now.Add(-9 * time.Second) }, false},
		"a frame":             {func(s *session) { s.lastAt = now.Add(-11 * time.Second) }, false},
		"a camera's frame":    {func(s *session) { s.next++ }, true},
		"a gap, and no frame": {func(s *session) { s.gapHeard = true }, false},
		"cut":                 {func(s *session) { s.attached = false }, false},
		"just back":           {func(s *session) { s.Attached(link.Attached{Next: 1, Again: true}) }, false},
		"paused":              {func(s *session) { s.gate = gatePaused }, false},
		"unmixed":             {func(s *session) { s.streams, s.kind = Streams{Unmixed: true}, frame.UnmixedAudio }, false},
		"failed already":      {func(s *session) { s.failed = true }, false},
	} {
		s := newSession(w.service, w.service.hosts[0], recorder.CallRef{ID: "c"}, name, Streams{})
		s.gate, s.attached, s.first, s.next, s.openedAt = gateOpen, true, 1, 1, now.Add(-11*time.Second)
		tt.change(s)
		if got := s.mute(now); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestMuteFails: law 3 for a session that never hears anything.
func TestMuteFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	s, _ := w.record("c")
	s.mu.Lock()
	s.openedAt, s.wokenAt = s.openedAt.Add(-muteLimit), s.wokenAt.Add(-muteLimit)
	s.mu.Unlock()
	if end := w.end("c"); end.Outcome != recorder.OutcomeFailed || end.Cause != recorder.CauseMediaLost || !w.heard("c failed") {
		t.Errorf("%+v", end)
	}
}

// TestGapInsteadOfFrames: a host that says why nothing comes is believed.
func TestGapInsteadOfFrames(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	s, hs := w.record("c")
	announce(hs, 1, 5, pb.Gap_REASON_PLATFORM)
	eventually(t, "the announcement", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.gapHeard
	})
	if s.mute(time.Now().Add(time.Hour)) {
		t.Error("mute")
	}
}
