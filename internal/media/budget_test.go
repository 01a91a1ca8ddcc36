package media

import (
	"strings"
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/timeline"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// openedAgo is a session that was opened so long ago; its first frame is 1.
func (w *world) openedAgo(tb testing.TB, ago time.Duration) *session {
	tb.Helper()
	s := w.direct(tb, "budget-"+strings.NewReplacer("/", "-", ",", "").Replace(tb.Name()))
	tb.Cleanup(s.link.Detach)
	s.Opened(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.openedAt = s.openedAt.Add(-ago)
	return s
}

// TestNumbersFollowTheClock: a host whose numbers run ahead of the time is not
// believed: not by its frames, its announcements, or its last number.
func TestNumbersFollowTheClock(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	s := w.openedAgo(t, 10*time.Second) // 500 frames, and 1,500
	w.feed(s, audio(1))
	w.feed(s, audio(1502)) // 1,500 missing
	w.feed(s, audio(1502+1000))
	s.Gap(frame.Gap{Kind: frame.MixedAudio, FirstSeq: 1503, Count: 1000, Cause: frame.CauseOverflow})
	w.feed(s, audio(1502+1001))
	s.Paused(1502 + 1000)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next != 1503 || s.missing != 1500 || s.discarded[implausible] != 2 || len(s.announced) != 0 || s.gate != gateOpen || s.stuckAt.IsZero() {
		t.Errorf("next %d, %d missing, discarded %v, announced %v, gate %d, stuck at %v", s.next, s.missing, s.discarded, s.announced, s.gate, s.stuckAt)
	}
	if n := w.metric(`recorderbot_media_host_faults_total{fault="impossibleGap"}`); n != 1 {
		t.Errorf("%v impossible gaps counted", n)
	}
	s.openedAt = s.openedAt.Add(-time.Hour)
	if f := audio(1502 + 1000); s.missable(time.Now()) < 1000 {
		t.Error("time passes, and nothing more may be missing")
	} else if _, ok := s.admits(&f, time.Now()); !ok {
		t.Error("what time allows is refused")
	}
}

// TestHeldFramesMayBeMissing: what the host held before it attached us may be
// missing beside what our clock allows, but no more than hosts hold.
func TestHeldFramesMayBeMissing(t *testing.T) {
	t.Parallel()
	s := &session{kind: frame.MixedAudio, line: timeline.New()}
	now := time.Now()
	s.openedAt = now
	for _, tt := range []struct{ oldest, next, want uint64 }{
		{0, 1 << 40, 1500}, {101, 201, 1600}, {1, 1 << 40, 1500 + maxHeld}, {5, 5, 1500 + maxHeld},
	} {
		if s.hold(tt.oldest, tt.next); s.missable(now) != tt.want {
			t.Errorf("held %d to %d: %d may be missing, want %d", tt.oldest, tt.next, s.missable(now), tt.want)
		}
	}
}

// TestRunawayNumbersFail: law 3 for a session whose frames all run ahead.
func TestRunawayNumbersFail(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	s, hs := w.record("c")
	hs.capture(1)
	w.stored(s, 1)
	began := time.Now()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !w.heard("c failed") {
		hs.skip(65_535)
		hs.capture(1)
		<-tick.C
		if time.Since(began) > 5*time.Second {
			t.Fatal("nobody noticed")
		}
	}
	end := w.end("c")
	if r := w.report("c"); end.Cause != recorder.CauseMediaLost || r.Frames != 1 || r.GapSamples > 5*frame.SampleRate {
		t.Errorf("%+v\n%+v", end, r)
	}
}

// TestTimesFollowTheClock: announced gaps without numbers add up to no more than
// the time that has passed, and name no more sources than there can be.
func TestTimesFollowTheClock(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	s := w.openedAgo(t, 10*time.Second)
	s.streams, s.kind = Streams{Unmixed: true}, frame.UnmixedAudio
	const second = int64(time.Second / 100)
	gap := func(source uint32, length int64) {
		s.Gap(frame.Gap{Kind: s.kind, Source: source, FromTime: second, ToTime: second + length, Cause: frame.CausePlatform})
	}
	gap(1, 24*3600*second-second) // nearly a day
	gap(1, 30*second)
	gap(1, 9*second)
	gap(1, 9*second)                        // 48 s of 40
	for i := range uint32(2 * maxSources) { // the first of them are believed
		gap(2+i, second)
	}
	w.refusedGaps(2 + 2*maxSources - (maxSources - 1))
	s.mu.Lock()
	_, missing := totals(s.line.Finish(0))
	sources := len(s.spent)
	s.mu.Unlock()
	if want := int64(39+maxSources-1) * frame.SampleRate; missing != want || sources != maxSources {
		t.Errorf("%d samples missing, want %d; %d sources", missing, want, sources)
	}
	if n := len(w.kept(s.recording.ID()).gaps); n > 2+maxSources {
		t.Errorf("%d gaps stored", n)
	}
}

func (w *world) refusedGaps(want float64) {
	w.tb.Helper()
	if n := w.metric(`recorderbot_media_host_faults_total{fault="impossibleGap"}`); n != want {
		w.tb.Errorf("%v impossible gaps counted, want %v", n, want)
	}
}

// TestManyEmptyGaps: gaps that say nothing are not endless.
func TestManyEmptyGaps(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	s := w.openedAgo(t, 0)
	for range 1700 {
		s.Gap(frame.Gap{Kind: frame.MixedAudio, Cause: frame.CausePlatform})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if spent := s.spent[0]; spent > s.elapsed(time.Now()) || spent < ahead {
		t.Errorf("%v spent", spent)
	}
}
