package timeline

import (
	"slices"
	"testing"

	"github.com/recorderbot/recorderbot/internal/media/frame"
)

// TestWhoTellsIsBelieved: a recorder that comes back notices that numbers are missing, and
// the host says whose they were, whichever word is written first.
func TestWhoTellsIsBelieved(t *testing.T) {
	t.Parallel()
	noticed := frame.Gap{FirstSeq: 5, Count: 6, Cause: frame.CauseCrash}
	told := []frame.Gap{
		{Kind: frame.Video, Source: 7, FirstSeq: 5, Count: 1, Cause: frame.CauseOverflow},
		{Kind: frame.UnmixedAudio, Source: 1, FirstSeq: 6, Count: 2, Cause: frame.CauseOverflow},
		{Kind: frame.UnmixedAudio, Source: 2, FirstSeq: 9, Count: 1, Cause: frame.CauseOverflow},
	}
	for name, gaps := range map[string][]frame.Gap{
		"noticed first": append([]frame.Gap{noticed}, told...),
		"told first":    append(slices.Clone(told), noticed),
	} {
		line := New()
		line.Start(1)
		for i := range int64(2) {
			line.Frame(spoken(uint64(2*i+1), 1, i))
			line.Frame(spoken(uint64(2*i+2), 2, i))
		}
		for _, g := range gaps {
			line.Gap(g)
		}
		line.Frame(spoken(11, 1, 4))
		line.Frame(spoken(12, 2, 3))
		sum := line.Finish(12)
		if sum.Unclaimed != 2 || len(sum.Tracks) != 3 {
			t.Errorf("%s: %+v", name, sum)
			continue
		}
		for i, want := range []uint64{2, 1, 1} {
			if tr := sum.Tracks[i]; tr.Lost != want || tr.Kind.Audio() && tr.GapSamples-tr.IdleSamples != int64(want)*frame.AudioSamples {
				t.Errorf("%s: %+v", name, tr)
			}
		}
	}
}

// TestMissingBehindASilence: what is lost of a source that had been silent, and that does not
// speak again, is missing where it was lost, by number or by time.
func TestMissingBehindASilence(t *testing.T) {
	t.Parallel()
	at := func(nth int64) int64 { return spoken(0, 0, nth).MediaTime }
	for name, g := range map[string]frame.Gap{
		"by time":   {Kind: frame.UnmixedAudio, Source: 1, FirstSeq: 51, FromTime: at(40), ToTime: at(45), Cause: frame.CausePlatform},
		"by number": {Kind: frame.UnmixedAudio, Source: 1, FirstSeq: 51, Count: 5, FromTime: at(40), ToTime: at(45), Cause: frame.CauseOverflow},
	} {
		line := New()
		line.Start(1)
		for i := range int64(50) {
			source := uint32(1)
			if i >= 10 {
				source = 2
			}
			line.Frame(spoken(uint64(i+1), source, i))
		}
		line.Gap(g)
		tr := line.Finish(55).Tracks[0]
		want := []Gap{
			{AtSample: 10 * frame.AudioSamples, Samples: 30 * frame.AudioSamples, Cause: Idle},
			{AtSample: 40 * frame.AudioSamples, Samples: 5 * frame.AudioSamples, Cause: g.Cause},
		}
		if len(tr.Gaps) != 2 || tr.Gaps[0] != want[0] || tr.Gaps[1].AtSample != want[1].AtSample || tr.Gaps[1].Samples != want[1].Samples || tr.Gaps[1].Cause != g.Cause {
			t.Errorf("%s: %+v, want %+v", name, tr.Gaps, want)
		}
	}
}

// TestAllOfItMissing: a track of which nothing came begins where it was lost.
func TestAllOfItMissing(t *testing.T) {
	t.Parallel()
	line := New()
	line.Start(1)
	from := spoken(0, 0, 7).MediaTime
	lose := func(seq uint64, source uint32, after int64) {
		line.Gap(frame.Gap{
			Kind: frame.UnmixedAudio, Source: source, FirstSeq: seq, Count: 3,
			FromTime: from + after*frame.TicksPerFrame, ToTime: from + (after+3)*frame.TicksPerFrame, Cause: frame.CauseOverflow,
		})
	}
	lose(1, 1, 0)
	line.Frame(spoken(4, 2, 12))
	lose(5, 3, 8)
	sum := line.Finish(7)
	for i, want := range []struct{ samples, idle int64 }{{3, 0}, {6, 5}, {11, 8}} {
		tr := sum.Tracks[i]
		if tr.FirstTime != from || tr.Samples != want.samples*frame.AudioSamples || tr.IdleSamples != want.idle*frame.AudioSamples {
			t.Errorf("%+v: want %d frames from %d on, %d of them silent", tr, want.samples, from, want.idle)
		}
	}
}

// TestBeginsWithALoss: what was lost before a track's first frame is on the common clock,
// behind it or before it, and what other tracks have is on the same.
func TestBeginsWithALoss(t *testing.T) {
	t.Parallel()
	line := New()
	line.Start(1)
	at := func(nth int64) int64 { return spoken(0, 0, nth).MediaTime }
	line.Gap(frame.Gap{Kind: frame.UnmixedAudio, Source: 1, FirstSeq: 1, Count: 4, FromTime: at(0), ToTime: at(4), Cause: frame.CauseHost})
	line.Frame(spoken(5, 2, 4))
	line.Frame(spoken(6, 1, 20))
	line.Frame(spoken(7, 2, 5))
	for i, want := range []Track{
		{Samples: 21 * frame.AudioSamples, IdleSamples: 16 * frame.AudioSamples, Stored: frame.AudioSamples},
		{Samples: 6 * frame.AudioSamples, IdleSamples: 4 * frame.AudioSamples, Stored: 2 * frame.AudioSamples},
	} {
		tr := line.Finish(7).Tracks[i]
		if tr.FirstTime != at(0) || tr.Samples != want.Samples || tr.IdleSamples != want.IdleSamples || tr.Stored != want.Stored {
			t.Errorf("%+v, want %+v", tr, want)
		}
	}
}

// TestSilenceElsewhere: a silence is not taken for what is said to be missing at another
// time, however near their numbers are.
func TestSilenceElsewhere(t *testing.T) {
	t.Parallel()
	for _, words := range []int64{1, 3} {
		line := New()
		line.Start(1)
		line.Frame(spoken(1, 1, 0))
		seq := uint64(1)
		say := func(nth int64) {
			seq++
			line.Frame(spoken(seq, 2, nth))
		}
		for i := range words { // begins to speak late
			say(11 + i)
		}
		from := spoken(0, 0, 11+words).MediaTime
		line.Gap(frame.Gap{Kind: frame.UnmixedAudio, Source: 2, FirstSeq: seq + 1, FromTime: from, ToTime: from + 2*frame.TicksPerFrame, Cause: frame.CausePlatform})
		before := seq + 1
		for i := range int64(3) {
			say(13 + words + i)
		}
		tr := line.Finish(seq).Tracks[1]
		want := []Gap{
			{AtSample: 0, Samples: 11 * frame.AudioSamples, BeforeSeq: 2, Cause: Idle},
			{AtSample: (11 + words) * frame.AudioSamples, Samples: 2 * frame.AudioSamples, BeforeSeq: before, Cause: frame.CausePlatform},
		}
		if !slices.Equal(tr.Gaps, want) {
			t.Errorf("behind %d words: %+v, want %+v", words, tr.Gaps, want)
		}
	}
}

// TestLossBeforeTheClock: what one has lost may have begun before anybody else was heard, and
// be told only then: all begin where it did.
func TestLossBeforeTheClock(t *testing.T) {
	t.Parallel()
	line := New()
	line.Start(1)
	at := func(nth int64) int64 { return spoken(0, 0, nth).MediaTime }
	line.Frame(spoken(1, 1, 3))
	line.Frame(spoken(2, 1, 4))
	line.Gap(frame.Gap{Kind: frame.UnmixedAudio, Source: 2, FirstSeq: 3, FromTime: at(0), ToTime: at(9), Cause: frame.CausePlatform})
	line.Frame(spoken(3, 2, 9))
	for i, want := range []Track{
		{Samples: 5 * frame.AudioSamples, IdleSamples: 3 * frame.AudioSamples},
		{Samples: 10 * frame.AudioSamples},
	} {
		tr := line.Finish(3).Tracks[i]
		if tr.FirstTime != at(0) || tr.Samples != want.Samples || tr.IdleSamples != want.IdleSamples || tr.Gaps[0].AtSample != 0 || tr.Gaps[0].BeforeSeq != tr.FirstSeq {
			t.Errorf("%+v, want %+v", tr, want)
		}
	}
}

// TestLossBehindAWordInDoubt: a source that spoke again just before something of it was lost
// was silent before that word, not behind it.
func TestLossBehindAWordInDoubt(t *testing.T) {
	t.Parallel()
	line := New()
	line.Start(1)
	at := func(nth int64) int64 { return spoken(0, 0, nth).MediaTime }
	seq := uint64(0)
	say := func(nth int64) {
		seq++
		line.Frame(spoken(seq, 1, nth))
	}
	for i := range int64(30) {
		say(i)
	}
	for i := range int64(5) {
		say(40 + i)
	}
	line.Gap(frame.Gap{Kind: frame.UnmixedAudio, Source: 1, FirstSeq: seq + 1, FromTime: at(45), ToTime: at(47), Cause: frame.CausePlatform})
	for i := range int64(40) {
		say(47 + i)
	}
	tr := line.Finish(seq).Tracks[0]
	want := []Gap{
		{AtSample: 30 * frame.AudioSamples, Samples: 10 * frame.AudioSamples, BeforeSeq: 31, Cause: Idle},
		{AtSample: 45 * frame.AudioSamples, Samples: 2 * frame.AudioSamples, BeforeSeq: 36, Cause: frame.CausePlatform},
	}
	if !slices.Equal(tr.Gaps, want) {
		t.Errorf("%+v, want %+v", tr.Gaps, want)
	}
}
