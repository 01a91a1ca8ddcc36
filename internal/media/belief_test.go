package media

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/media/timeline"
)

// again is what the archive makes of a session's records: a second timeline.
func (w *world) again(s *session, last uint64) timeline.Summary {
	w.tb.Helper()
	if _, err := s.recording.Seal(w.tb.Context(), spool.Seal{LastSeq: last}); err != nil {
		w.tb.Fatal(err)
	}
	tl := timeline.New()
	tl.Start(1)
	if s.kind == frame.MixedAudio {
		tl.Expect(s.kind, 0)
	}
	for r, err := range w.spool.Read(s.recording.ID()) {
		var b timeline.Belief
		switch {
		case err != nil:
			w.tb.Fatal(err)
		case r.Type == spool.FrameType:
			tl.Frame(r.Header)
		case r.Type == spool.GapType:
			tl.Gap(r.Gap)
		case r.Type == spool.NoteType && r.Note.Kind == timeline.BeliefNote:
			if err = json.Unmarshal(r.Note.Data, &b); err != nil {
				w.tb.Fatal(err)
			}
			tl.Believe(b)
		}
	}
	return tl.Finish(last)
}

// sameAgain ends a session and fails unless the archive misses the same.
func (w *world) sameAgain(s *session) timeline.Track {
	w.tb.Helper()
	s.mu.Lock()
	last := s.next - 1
	sum := s.line.Finish(last)
	s.mu.Unlock()
	if d := cmp.Diff(sum, w.again(s, last)); d != "" {
		w.tb.Errorf("live and from the log (-live +log):\n%s", d)
	}
	if len(sum.Tracks) == 0 {
		w.tb.Fatal("no track")
	}
	return sum.Tracks[0]
}

// wildTimes fails unless so many frames had a time that cannot be: from a jump on
// until the clock is believed to have been set anew.
func (w *world) wildTimes(want float64) {
	w.tb.Helper()
	w.service.hosts[0].visit.count()
	if n := w.faults(faultTime); n != want {
		w.tb.Errorf("%v impossible times counted, want %v", n, want)
	}
}

// TestClockJumps: a jump of the media clock is a gap only where so much time can
// have passed; its frames are kept in any case, and what the clock says later
// counts again.
func TestClockJumps(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		jump, then time.Duration
		want       int64 // frames
		wild       float64
	}{
		"what may be":           {39 * time.Second, 0, 39 * 50, 0},
		"more than may be":      {41 * time.Second, 0, 0, 25},
		"nearly a day":          {23 * time.Hour, 0, 0, 25},
		"a day":                 {25 * time.Hour, 0, 0, 25},
		"years":                 {3 * 8760 * time.Hour, 0, 0, 25},
		"wild, and then a gap":  {23 * time.Hour, 5 * time.Second, 5 * 50, 25},
		"twice what may be":     {30 * time.Second, 30 * time.Second, 30 * 50, 25},
		"two that are possible": {10 * time.Second, 20 * time.Second, 30 * 50, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, worldOptions{})
			s := w.openedAgo(t, 41*time.Second) // 42 s, of which the frames take some
			w.run(s, 1, 60, 0)
			w.run(s, 61, 120, tt.jump)
			w.run(s, 121, 180, tt.jump+tt.then)
			w.wildTimes(tt.wild)
			tr := w.sameAgain(s)
			if missing := tr.GapSamples / frame.AudioSamples; missing != tt.want || tr.Frames != 180 {
				t.Errorf("%d frames, %d missing, want %d: %+v", tr.Frames, missing, tt.want, tr.Gaps)
			}
		})
	}
}

// TestCrawlingClock: a media clock that runs ahead by a little with each frame
// makes no more than what time allows, either.
func TestCrawlingClock(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	s := w.openedAgo(t, 0)
	const n = 3000 // a minute, and by its clock two
	for seq := uint64(1); seq <= n; seq++ {
		w.run(s, seq, seq, time.Duration(seq)*frameLength)
		if seq%100 == 0 { // the time that these frames take
			s.mu.Lock()
			s.openedAt = s.openedAt.Add(-2 * time.Second)
			s.mu.Unlock()
		}
	}
	tr := w.sameAgain(s)
	most := s.allowed(time.Now()) + time.Second
	if length := time.Duration(tr.Samples) * sampleLength; length > most || tr.Frames != n {
		t.Errorf("%d frames on a line of %v, at most %v", tr.Frames, length, most)
	}
}

// TestOneBudget: numbers, announced times and the clock have one budget together.
func TestOneBudget(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	s := w.openedAgo(t, 44*time.Second) // 45 s by the clock alone, 74 s else
	w.run(s, 1, 50, 0)
	at := audio(51).MediaTime
	s.Gap(frame.Gap{ // 15 s
		Kind: s.kind, FirstSeq: 51, FromTime: at, ToTime: at + 750*frame.TicksPerFrame, Cause: frame.CausePlatform,
	})
	w.run(s, 51, 100, 15*time.Second)
	w.run(s, 100+501, 100+550, 15*time.Second) // 10 s by number
	w.run(s, 651, 700, 25*time.Second)         // 10 s by the clock
	before := s.gapped(t)
	if n := w.faults(faultGap); n != 0 {
		t.Errorf("%v impossible gaps", n)
	}
	// 35 s and 4 s of frames are on the line.
	at = audio(701).MediaTime + 25*10_000_000
	s.Gap(frame.Gap{Kind: s.kind, FirstSeq: 701, FromTime: at, ToTime: at + 2000*frame.TicksPerFrame, Cause: frame.CausePlatform})
	w.refusedGaps(1)
	w.run(s, 701+2000, 701+2000, 25*time.Second) // refused
	w.run(s, 701, 760, 35*time.Second)           // kept, and no gap
	w.wildTimes(25)
	tr := w.sameAgain(s)
	if missing := tr.GapSamples / frame.AudioSamples; before != 35*50 || missing != before || tr.LastSeq != 760 {
		t.Errorf("%d frames missing at first, %d in the end, the last one is %d: %+v", before, missing, tr.LastSeq, tr.Gaps)
	}
}

// TestUnmixedClock: a source that begins to speak at an impossible time, or jumps
// there, is not silent until then.
func TestUnmixedClock(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	s := w.openedAgo(t, 39*time.Second)
	s.streams, s.kind = Streams{Unmixed: true}, frame.UnmixedAudio
	seq := uint64(0)
	speak := func(source uint32, at time.Duration) {
		for i := range 60 {
			seq++
			f := audio(1)
			f.Seq, f.Kind, f.Source = seq, frame.UnmixedAudio, source
			f.MediaTime += int64(at/100) + int64(i)*frame.TicksPerFrame
			w.feed(s, f)
		}
	}
	speak(7, 0)
	speak(8, 20*time.Hour)
	speak(9, 5*time.Second)
	speak(7, 10*time.Hour)
	speak(9, 20*time.Second)
	w.wildTimes(1 + 25)
	w.sameAgain(s)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, tr := range s.line.Finish(0).Tracks {
		want := map[uint32]int64{7: 2 * 60, 8: 60, 9: 60 + 1000}[tr.Source]
		if got := tr.Samples / frame.AudioSamples; got < want-1 || got > want+1 {
			t.Errorf("source %d: %d frames, want %d: %+v", tr.Source, got, want, tr.Gaps)
		}
	}
}

// faults is how often a host broke the contract in a way.
func (w *world) faults(fault string) float64 {
	w.tb.Helper()
	w.service.metrics.faults.WithLabelValues(fault) // so that there is one
	return w.metric(`recorderbot_media_host_faults_total{fault="` + fault + `"}`)
}
