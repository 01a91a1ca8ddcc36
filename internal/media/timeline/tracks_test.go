package timeline_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/timeline"
)

func TestStartNamesTheFirstFrame(t *testing.T) {
	t.Parallel()
	p := newPlayer()
	p.tl.Start(1)
	p.lose(5)
	p.play(10)
	tr := only(t, p.tl.Finish(15))
	if d := cmp.Diff([]timeline.Gap{numbered(0, 1, 5, 6, "unannounced")}, tr.Gaps); d != "" {
		t.Errorf("gaps (-want +got):\n%s", d)
	}
	if tr.FirstTime != begin {
		t.Errorf("first time %d, want that of the lost frame, %d", tr.FirstTime, begin)
	}
}

func TestNothingArrived(t *testing.T) {
	t.Parallel()
	tl := timeline.New()
	tl.Start(7)
	tl.Expect(frame.MixedAudio, 0)
	tr := only(t, tl.Finish(11))
	if d := cmp.Diff([]timeline.Gap{numbered(0, 7, 5, 0, "tail")}, tr.Gaps); d != "" {
		t.Errorf("gaps (-want +got):\n%s", d)
	}
	tl = timeline.New()
	tl.Expect(frame.MixedAudio, 0)
	if s := tl.Finish(0); len(s.Tracks) != 0 {
		t.Errorf("an expected track without frames or gaps is listed: %+v", s.Tracks)
	}
}

func TestDuplicatesAreCountedAndIgnored(t *testing.T) {
	t.Parallel()
	p := newPlayer()
	p.play(50)
	before := p.seq
	p.seq -= 20
	p.now -= 20 * frame.TicksPerFrame
	p.play(20) // the host sends again
	if p.seq != before {
		t.Fatal("the test does not repeat what it means to")
	}
	p.play(10)
	p.tl.Frame(mixed(0, p.now, 0))
	s := p.tl.Finish(60)
	tr := only(t, s)
	if s.Duplicates != 21 || tr.Frames != 60 || len(tr.Gaps) != 0 {
		t.Errorf("%d duplicates, %d frames, gaps %v; want 21, 60, none", s.Duplicates, tr.Frames, tr.Gaps)
	}
}

// With video on the same link nobody knows whose number is missing: the clock
// decides, in both directions.
func TestHoleWithVideoOnTheLink(t *testing.T) {
	t.Parallel()
	for name, audioLost := range map[string]bool{"video lost": false, "audio lost": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tl, seq, now := timeline.New(), uint64(0), begin
			want := []timeline.Gap(nil)
			for i := range 200 {
				seq++
				if i == 100 {
					if audioLost {
						now += frame.TicksPerFrame
						want = append(want, gap(100*frame.AudioSamples, frame.AudioSamples, seq+1, "unannounced"))
					}
					seq++
				}
				tl.Frame(mixed(seq, now, 0))
				seq++
				tl.Frame(frame.Header{Seq: seq, MediaTime: now, Kind: frame.Video, Source: 9})
				now += frame.TicksPerFrame
			}
			s := tl.Finish(seq)
			if s.Unclaimed != 1 || len(s.Tracks) != 2 {
				t.Fatalf("unclaimed %d, %d tracks; want 1 and 2", s.Unclaimed, len(s.Tracks))
			}
			balanced(t, s.Tracks[0])
			if d := cmp.Diff(want, s.Tracks[0].Gaps); d != "" {
				t.Errorf("gaps (-want +got):\n%s", d)
			}
			if v := s.Tracks[1]; v.Frames != 200 || v.Samples != 0 {
				t.Errorf("video: %d frames, %d samples; want 200 and 0", v.Frames, v.Samples)
			}
			// For all that is known the next picture refers to one that is missing.
			if d := cmp.Diff([]timeline.Gap{{BeforeSeq: 203, Cause: "unannounced"}}, s.Tracks[1].Gaps); d != "" {
				t.Errorf("video gaps (-want +got):\n%s", d)
			}
		})
	}
}

func TestVideoGapIsNotAudio(t *testing.T) {
	t.Parallel()
	tl := timeline.New()
	tl.Frame(mixed(1, begin, 0))
	tl.Frame(frame.Header{Seq: 2, MediaTime: begin, Kind: frame.Video, Source: 9})
	tl.Gap(frame.Gap{Kind: frame.Video, Source: 9, FirstSeq: 3, Count: 4, Cause: "overflow"})
	tl.Frame(mixed(7, begin+frame.TicksPerFrame, frame.AfterGap))
	tl.Frame(frame.Header{Seq: 8, MediaTime: begin, Kind: frame.Video, Source: 9})
	s := tl.Finish(8)
	if n := len(s.Tracks[0].Gaps); n != 0 {
		t.Errorf("audio has %d gaps", n)
	}
	want := []timeline.Gap{{Frames: 4, FirstSeq: 3, BeforeSeq: 8, Cause: "overflow"}}
	if d := cmp.Diff(want, s.Tracks[1].Gaps); d != "" {
		t.Errorf("video gaps (-want +got):\n%s", d)
	}
}

// Unmixed sources speak by turns; their tracks must stay on one clock.
func TestUnmixedTracksShareAClock(t *testing.T) {
	t.Parallel()
	tl, seq := timeline.New(), uint64(0)
	at := func(source uint32, from, n int64) {
		for i := range n {
			seq++
			tl.Frame(frame.Header{
				Seq: seq, MediaTime: begin + (from+i)*frame.TicksPerFrame, Kind: frame.UnmixedAudio, Source: source,
			})
		}
	}
	at(5, 0, 100)
	at(7, 80, 60)
	at(5, 200, 5) // bursts shorter than the window
	at(5, 300, 5)
	at(5, 400, 30)
	s := tl.Finish(seq)
	if len(s.Tracks) != 2 {
		t.Fatalf("%d tracks", len(s.Tracks))
	}
	const fs = frame.AudioSamples
	want := []timeline.Gap{
		gap(100*fs, 100*fs, 161, timeline.Idle), gap(205*fs, 95*fs, 166, timeline.Idle), gap(305*fs, 95*fs, 171, timeline.Idle),
	}
	balanced(t, s.Tracks[0])
	if d := cmp.Diff(want, s.Tracks[0].Gaps); d != "" {
		t.Errorf("source 5 (-want +got):\n%s", d)
	}
	balanced(t, s.Tracks[1])
	if d := cmp.Diff([]timeline.Gap{gap(0, 80*fs, 101, timeline.Idle)}, s.Tracks[1].Gaps); d != "" {
		t.Errorf("source 7 (-want +got):\n%s", d)
	}
	if s.Tracks[0].FirstTime != begin || s.Tracks[1].FirstTime != begin {
		t.Error("the tracks do not begin at the same time")
	}
	if _, missing := tl.Totals(); missing != 0 {
		t.Errorf("silence of a source counts as %d missing samples", missing)
	}
}

// A source that speaks for long drifts like any other; after a pause it is back
// on the clock that all share.
func TestUnmixedComesBackToTheClock(t *testing.T) {
	t.Parallel()
	for _, ppm := range []int64{-200, 200} {
		tl, seq, place := timeline.New(), uint64(0), int64(0)
		speak := func(frames int) {
			for range frames {
				seq++
				at := place * frame.TicksPerFrame
				tl.Frame(frame.Header{Seq: seq, MediaTime: begin + at + at/1_000_000*ppm, Kind: frame.UnmixedAudio, Source: 5})
				place++
			}
		}
		speak(10 * 60 * 50)
		place += 100
		speak(10 * 50)
		s := tl.Finish(seq)
		tr := only(t, s)
		if len(tr.Gaps) != 1 || tr.Gaps[0].Cause != timeline.Idle || s.AbsurdTimes != 0 {
			t.Fatalf("%d ppm: gaps %v, %d absurd times; want one pause, none", ppm, tr.Gaps, s.AbsurdTimes)
		}
		if tr.Skew > 5*ms || tr.Skew < -5*ms {
			t.Errorf("%d ppm: %d ticks off the clock after the pause", ppm, tr.Skew)
		}
	}
}

func TestFinishIsFinal(t *testing.T) {
	t.Parallel()
	p := newPlayer()
	p.play(10)
	first := p.tl.Finish(12)
	p.play(10)
	p.tl.Gap(frame.Gap{Kind: frame.MixedAudio, FirstSeq: 40, Count: 1, Cause: "host"})
	second := p.tl.Finish(99)
	second.Duplicates = first.Duplicates // they are counted
	if d := cmp.Diff(first, second); d != "" {
		t.Errorf("the timeline changed after its end (-first +second):\n%s", d)
	}
}
