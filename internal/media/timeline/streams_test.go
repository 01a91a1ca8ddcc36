package timeline

import (
	"testing"

	"github.com/recorderbot/recorderbot/internal/media/frame"
)

func spoken(seq uint64, source uint32, nth int64) frame.Header {
	return frame.Header{Seq: seq, Kind: frame.UnmixedAudio, Source: source, MediaTime: 39_000_000_000_000_000 + nth*frame.TicksPerFrame}
}

// TestNobodyKnowsWhoIsMissing: a time in which nothing came of anybody is missing of all
// who spoke before, behind what each was silent for.
func TestNobodyKnowsWhoIsMissing(t *testing.T) {
	t.Parallel()
	line := New()
	line.Start(1)
	for i := range int64(10) {
		line.Frame(spoken(uint64(2*i+1), 1, i))
		line.Frame(spoken(uint64(2*i+2), 2, i))
	}
	for i := range int64(40) {
		line.Frame(spoken(uint64(21+i), 2, 10+i))
	}
	from := spoken(0, 0, 50).MediaTime
	line.Gap(frame.Gap{Kind: frame.UnmixedAudio, FirstSeq: 61, FromTime: from, ToTime: from + 25*frame.TicksPerFrame, Cause: frame.CauseTail})
	sum := line.Finish(60)
	if len(sum.Tracks) != 2 || sum.AbsurdGaps != 0 {
		t.Fatalf("%+v", sum)
	}
	for i, idle := range []int64{40, 0} {
		tr := sum.Tracks[i]
		if tr.Samples != 75*frame.AudioSamples || tr.IdleSamples != idle*frame.AudioSamples || tr.GapSamples-tr.IdleSamples != 25*frame.AudioSamples {
			t.Errorf("source %d: %+v", tr.Source, tr)
		}
		if end := tr.Gaps[len(tr.Gaps)-1]; end.Cause != frame.CauseTail || end.AtSample != 50*frame.AudioSamples {
			t.Errorf("source %d: gaps %+v", tr.Source, tr.Gaps)
		}
	}
}

// TestGapBesideVideo: of several streams a gap of a stream that is named is that one's.
func TestGapBesideVideo(t *testing.T) {
	t.Parallel()
	line := New()
	line.Start(1)
	at := func(nth int64) int64 { return spoken(0, 0, nth).MediaTime }
	line.Frame(frame.Header{Seq: 1, Kind: frame.MixedAudio, MediaTime: at(0)})
	line.Frame(frame.Header{Seq: 2, Kind: frame.Video, Source: 7, MediaTime: at(0)})
	line.Frame(frame.Header{Seq: 3, Kind: frame.MixedAudio, MediaTime: at(1)})
	line.Gap(frame.Gap{Kind: frame.MixedAudio, FirstSeq: 4, FromTime: at(2), ToTime: at(7), Cause: frame.CauseTail})
	sum := line.Finish(3)
	if tr := sum.Tracks[0]; tr.Samples != 7*frame.AudioSamples || tr.GapSamples != 5*frame.AudioSamples {
		t.Errorf("%+v", tr)
	}
}

// TestLastWord: a source that says a short word at the end, after a silence, has said it
// where it did, and not right behind what it had said before.
func TestLastWord(t *testing.T) {
	t.Parallel()
	for _, word := range []int64{1, 3, 9, 10, 30} {
		line := New()
		line.Start(1)
		seq := uint64(0)
		say := func(nth int64) {
			seq++
			line.Frame(spoken(seq, 1, nth))
		}
		for i := range int64(50) {
			say(i)
		}
		for i := range word {
			say(100 + i)
		}
		tr := line.Finish(seq).Tracks[0]
		if tr.Samples != (100+word)*frame.AudioSamples || tr.IdleSamples != 50*frame.AudioSamples || len(tr.Gaps) != 1 || tr.Gaps[0].AtSample != 50*frame.AudioSamples {
			t.Errorf("a word of %d frames: %+v", word, tr)
		}
	}
}
