package media

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// TestPartCountsAnew: what was believed of the part before says nothing of this one.
func TestPartCountsAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	s := w.openedAgo(t, time.Minute)
	w.run(s, 1, 3, 0)
	s.held, s.missing, s.believed, s.onTime = 1, 2, 3, 4
	s.spent[0] = time.Second
	told := s.openedAt.Add(2 * frameLength) // three frames, less the one that was held before
	before := time.Now()
	p, ok := s.changeOver(w.upcoming(s, "next"))
	if !ok || p.at.Before(before) || !s.partBegan.Equal(p.at) || !s.since.Equal(told) {
		t.Fatalf("%v at %v, began %v, since %v", ok, p.at, s.partBegan, s.since)
	}
	if s.held != 0 || s.missing != 0 || s.believed != math.MaxInt64 || s.onTime != 0 || len(s.spent) != 0 {
		t.Errorf("held %d, missing %d, believed %d, on time %d, spent %v", s.held, s.missing, s.believed, s.onTime, s.spent)
	}
	if s.holed != allSockets {
		t.Errorf("holes %b", s.holed)
	}
}

// TestPartAsksForKeyFrames: at once.
func TestPartAsksForKeyFrames(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	s := w.openedAgo(t, time.Minute)
	s.viewer.begin(Streams{Cameras: 1, Height: 360})
	s.goOnIn(t.Context(), w.upcoming(s, "next"))
	if s.part != 2 || s.holed != 0 {
		t.Errorf("part %d: the plan was not told of holes %b", s.part, s.holed)
	}
}

// TestGapsOfParts: what is missing is missing of the part that it lies in, with its cause,
// and is counted once.
func TestGapsOfParts(t *testing.T) {
	t.Parallel()
	gap := func(first, count uint64, cause frame.GapCause) frame.Gap {
		return frame.Gap{Kind: frame.MixedAudio, FirstSeq: first, Count: count, Cause: cause}
	}
	for name, tt := range map[string]struct {
		said []frame.Gap // after frame 3
		then uint64      // and before this one; 0: none comes
		want []frame.Gap // of the next part
	}{
		"to come":                  {[]frame.Gap{gap(8, 2, frame.CauseOverflow)}, 4, []frame.Gap{gap(8, 2, frame.CauseOverflow)}},
		"right behind":             {[]frame.Gap{gap(4, 2, frame.CauseOverflow)}, 0, []frame.Gap{gap(4, 2, frame.CauseOverflow)}},
		"across":                   {[]frame.Gap{gap(5, 4, frame.CauseHost)}, 6, []frame.Gap{gap(7, 2, frame.CauseHost)}},
		"up to the last, in spite": {[]frame.Gap{gap(4, 2, frame.CauseHost)}, 5, nil},
		"two":                      {[]frame.Gap{gap(5, 1, frame.CauseHost), gap(9, 1, frame.CauseOverflow)}, 4, []frame.Gap{gap(5, 1, frame.CauseHost), gap(9, 1, frame.CauseOverflow)}},
	} {
		w := newWorld(t, worldOptions{})
		s, _ := w.permitted(t, "c")
		s.openedAt = s.openedAt.Add(-time.Minute)
		w.run(s, 1, 3, 0)
		for _, g := range tt.said {
			s.Gap(g)
		}
		for seq := uint64(4); seq <= tt.then; seq++ {
			w.feed(s, audio(seq))
		}
		if _, ok := s.changeOver(w.upcoming(s, "next")); !ok {
			t.Fatalf("%s: no new part", name)
		}
		if d := cmp.Diff(tt.want, w.gapsOf(s), cmpopts.EquateEmpty()); d != "" {
			t.Errorf("%s: -want +got\n%s", name, d)
		}
	}
}

// TestSkippedOfParts: a time that was skipped is missing of the part whose frame follows
// it, and counted once.
func TestSkippedOfParts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	s, _ := w.permitted(t, "c")
	w.hasSent(s)
	s.openedAt = s.openedAt.Add(-time.Minute)
	told := make(chan recorder.Opened, 9)
	s.service.opts.Post = func(_ recorder.CallID, ev recorder.Event) {
		if o, ok := ev.(recorder.MediaOpened); ok {
			told <- o.Opened
		}
	}
	skip := func(seq uint64) frame.Gap {
		from := s.due()
		return frame.Gap{Kind: frame.MixedAudio, FirstSeq: seq, FromTime: from, ToTime: from + frame.TicksPerFrame, Cause: frame.CausePlatform}
	}
	missing := func(reported uint64, counted float64) {
		t.Helper()
		if p := (<-told).Previous; p.GapSamples != reported*frame.AudioSamples {
			t.Errorf("%d samples missing, want %d", p.GapSamples, reported*frame.AudioSamples)
		}
		if n := w.metric(`recorderbot_media_gap_samples_total{cause="platform"}`); n != counted*frame.AudioSamples {
			t.Errorf("%v samples counted, want %v", n, counted*frame.AudioSamples)
		}
	}
	w.feed(s, audio(1))
	s.Gap(skip(2))
	w.run(s, 2, 2, frameLength)
	s.nextPart(t.Context())
	missing(1, 1)
	s.Gap(skip(3))
	s.nextPart(t.Context())
	missing(0, 1)
	w.run(s, 3, 3, 2*frameLength)
	s.nextPart(t.Context())
	missing(1, 2)
	if gaps := w.gapsOf(s); len(gaps) != 0 {
		t.Errorf("%+v", gaps)
	}
}

// TestPartThatHearsNothing: what the host says to have sent of a part, and never came, is
// missing of it, as audio.
func TestPartThatHearsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	s := w.openedAgo(t, time.Minute)
	w.run(s, 1, 3, 0)
	if _, ok := s.changeOver(w.upcoming(s, "next")); !ok {
		t.Fatal("no new part")
	}
	sum := s.line.Finish(6)
	if stored, missing := totals(sum); stored != 0 || missing != 3*frame.AudioSamples || framesLost(sum) != 0 || sum.FirstSeq != 4 {
		t.Errorf("%d samples stored, %d missing: %+v", stored, missing, sum)
	}
}

// TestPassed: what was skipped is kept for the next part until a frame comes behind it, and
// no more of it than is bounded.
func TestPassed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	s := w.openedAgo(t, time.Minute)
	skip := func(seq uint64) {
		s.Gap(frame.Gap{Kind: frame.MixedAudio, FirstSeq: seq, FromTime: s.due(), ToTime: s.due() + frame.TicksPerFrame, Cause: frame.CausePlatform})
	}
	kept := func(want ...uint64) {
		t.Helper()
		var got []uint64
		for _, g := range s.passed {
			got = append(got, g.FirstSeq)
		}
		if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
			t.Errorf("-want +got\n%s", d)
		}
	}
	w.run(s, 1, 2, 0)
	skip(2)
	kept()
	skip(3)
	kept(3)
	w.run(s, 3, 3, frameLength)
	skip(5)
	kept(5)
	for range maxAnnounced {
		skip(5)
	}
	if len(s.passed) != maxAnnounced {
		t.Errorf("%d are kept", len(s.passed))
	}
}
