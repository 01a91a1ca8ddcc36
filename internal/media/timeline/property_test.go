package timeline_test

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/timeline"
)

// A truth is a recording of which everything is known.
type truth struct {
	records []any // frame.Header or frame.Gap
	gaps    []timeline.Gap
	last    uint64
	stored  int64
}

// draw makes a recording of mixed audio: bursts of frames with jitter and drift,
// and between them gaps of every kind. Gaps that only the clock shows are at
// least two frames long (less is drowned in jitter) and a second apart.
func draw(t *rapid.T) truth {
	jitter := rapid.Int64Range(0, 15*ms).Draw(t, "jitter")
	ppm := rapid.Int64Range(-200, 200).Draw(t, "ppm")
	seed := rapid.Uint64().Draw(t, "seed")
	rng := rand.New(rand.NewPCG(seed, 1))
	var tr truth
	seq, platform, place := uint64(0), int64(0), int64(0)
	play := func(n int) {
		for range n {
			seq++
			at := begin + platform + platform*ppm/1_000_000
			if jitter > 0 {
				at += rng.Int64N(2*jitter+1) - jitter
			}
			tr.records = append(tr.records, mixed(seq, at, 0))
			if rng.IntN(50) == 0 { // the link was cut: some come again
				for again := seq - min(seq-1, uint64(rng.IntN(10))); again <= seq; again++ {
					tr.records = append(tr.records, mixed(again, at, 0))
				}
			}
			platform += frame.TicksPerFrame
			place += frame.AudioSamples
			tr.stored += frame.AudioSamples
		}
	}
	play(rapid.IntRange(60, 200).Draw(t, "first"))
	for range rapid.IntRange(0, 12).Draw(t, "gaps") {
		n := rapid.Uint64Range(1, 3000).Draw(t, "length")
		g := numbered(place, seq+1, n, 0, "unannounced")
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			seq += n
		case 1:
			g.Cause = rapid.SampledFrom([]frame.GapCause{"overflow", "host", "link"}).Draw(t, "cause")
			tr.records = append(tr.records, frame.Gap{Kind: frame.MixedAudio, FirstSeq: seq + 1, Count: n, Cause: g.Cause})
			seq += n
		case 2:
			g.Cause, g.Frames, g.FirstSeq = "platform", 0, 0
			from := begin + platform + platform*ppm/1_000_000
			tr.records = append(tr.records, frame.Gap{
				Kind: frame.MixedAudio, FirstSeq: seq + 1, FromTime: from, ToTime: from + int64(n)*frame.TicksPerFrame, Cause: g.Cause,
			})
		case 3:
			n = 2 + n%1000 // longer, and drift makes it uncertain by a frame
			g = gap(place, int64(n)*frame.AudioSamples, 0, "time")
		}
		platform += int64(n) * frame.TicksPerFrame
		place += g.Samples
		g.BeforeSeq = seq + 1
		tr.gaps = append(tr.gaps, g)
		play(rapid.IntRange(60, 200).Draw(t, "then"))
	}
	tr.last = seq
	return tr
}

func feed(tl *timeline.Timeline, records []any) {
	for _, r := range records {
		switch r := r.(type) {
		case frame.Header:
			tl.Frame(r)
		case frame.Gap:
			tl.Gap(r)
		}
	}
}

// No gap is created, hidden, moved or misjudged, and the cursor lays every frame
// where the timeline said it is.
func TestEveryGapIsFoundAndNoneInvented(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		truth := draw(t)
		tl := timeline.New()
		feed(tl, truth.records)
		s := tl.Finish(truth.last)
		if len(s.Tracks) != 1 {
			t.Fatalf("%d tracks", len(s.Tracks))
		}
		tr := s.Tracks[0]
		balanced(t, tr)
		if tr.Stored != truth.stored {
			t.Errorf("stored %d samples, want %d", tr.Stored, truth.stored)
		}
		if d := cmp.Diff(truth.gaps, tr.Gaps); d != "" {
			t.Errorf("gaps (-want +got):\n%s", d)
		}
		walk(t, s, truth.records)
	})
}

// walk lays the records out with a cursor and compares totals and places.
func walk(t *rapid.T, s timeline.Summary, records []any) {
	t.Helper()
	c := timeline.NewCursor(s)
	place := make([]int64, len(s.Tracks))
	frames := make([]uint64, len(s.Tracks))
	for _, r := range records {
		h, ok := r.(frame.Header)
		if !ok {
			continue
		}
		i, silence, ok := c.Next(h)
		if !ok {
			continue
		}
		frames[i]++
		if s.Tracks[i].Samples > 0 {
			place[i] += silence
			for _, g := range s.Tracks[i].Gaps {
				if g.BeforeSeq == h.Seq && g.AtSample+g.Samples > place[i] {
					t.Errorf("frame %d lies at sample %d, inside the gap before it", h.Seq, place[i])
				}
				if g.BeforeSeq > h.Seq && g.AtSample < place[i]+frame.AudioSamples {
					t.Errorf("frame %d lies at sample %d, behind a gap that follows it", h.Seq, place[i])
				}
			}
			place[i] += frame.AudioSamples
		}
	}
	for i, tr := range s.Tracks {
		place[i] += c.Rest(i)
		if place[i] != tr.Samples || frames[i] != tr.Frames {
			t.Errorf("track %d: the cursor laid out %d frames and %d samples, the timeline %d and %d: %+v",
				i, frames[i], place[i], tr.Frames, tr.Samples, tr)
		}
	}
}

// Whatever comes, in whatever order, the law holds: stored + gaps = samples, all
// gaps in order, both passes agree.
func TestLawHoldsForAnyInput(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		tl := timeline.New()
		if rapid.Bool().Draw(t, "start") {
			tl.Start(rapid.Uint64Range(1, 50).Draw(t, "first"))
		}
		seq, now := uint64(0), begin
		var records []any
		for range rapid.IntRange(0, 120).Draw(t, "records") {
			kind := frame.Kind(rapid.IntRange(1, 4).Draw(t, "kind"))
			source := uint32(rapid.IntRange(0, 2).Draw(t, "source"))
			now += rapid.SampledFrom([]int64{0, 200_000, 200_000, 200_000, 1e6, -1e6, 1e10, -1e10, 1e13, 1 << 61}).Draw(t, "step")
			now = max(min(now, 1<<62), 0)
			seq += rapid.SampledFrom([]uint64{0, 1, 1, 1, 1, 2, 40, 1 << 40}).Draw(t, "seq")
			if rapid.IntRange(0, 5).Draw(t, "what") == 0 {
				records = append(records, frame.Gap{
					Kind: kind, Source: source, FirstSeq: seq + rapid.Uint64Range(0, 5).Draw(t, "ahead"),
					Count:    rapid.SampledFrom([]uint64{0, 1, 3, 1 << 50}).Draw(t, "count"),
					FromTime: now, ToTime: now + rapid.SampledFrom([]int64{-5, 0, 625, 400_000, 1e12}).Draw(t, "long"),
					Cause: rapid.SampledFrom([]frame.GapCause{"host", "unannounced", "crash", "tail"}).Draw(t, "cause"),
				})
				continue
			}
			records = append(records, frame.Header{
				Seq: seq, Kind: kind, Source: source, MediaTime: rapid.SampledFrom([]int64{now, now, now, 0, -1, 1 << 62}).Draw(t, "time"),
				Flags: frame.Flags(rapid.SampledFrom([]int{0, 0, 4}).Draw(t, "flags")),
			})
		}
		feed(tl, records)
		s := tl.Finish(rapid.SampledFrom([]uint64{0, seq, seq + 3, 1}).Draw(t, "last"))
		kept, all := s.Duplicates, uint64(0)
		for _, tr := range s.Tracks {
			balanced(t, tr)
			kept += tr.Frames
		}
		for _, r := range records {
			if _, ok := r.(frame.Header); ok {
				all++
			}
		}
		if kept != all {
			t.Errorf("%d frames kept or counted as duplicates, %d came", kept, all)
		}
		walk(t, s, records)
	})
}

// A day of frames under the worst drift and jitter: no gap, and fast.
func TestADayDrifts(t *testing.T) {
	t.Parallel()
	for _, ppm := range []int64{-200, 200} {
		rng := rand.New(rand.NewPCG(7, uint64(ppm+200)))
		tl := timeline.New()
		const day = 24 * 60 * 60 * 50
		for i := range int64(day) {
			at := i * frame.TicksPerFrame
			at += at/1_000_000*ppm + rng.Int64N(30*ms+1) - 15*ms
			tl.Frame(mixed(uint64(i+1), begin+at, 0))
		}
		tr := only(t, tl.Finish(day))
		if len(tr.Gaps) != 0 || tr.Samples != day*frame.AudioSamples {
			t.Errorf("%d ppm: %d samples and gaps %v; want %d and none", ppm, tr.Samples, tr.Gaps, day*frame.AudioSamples)
		}
		want := 24 * 60 * 60 * 10 * ppm // ticks: 1 ppm of a second is 10
		if off := tr.Skew - want; off > 16*ms || off < -16*ms {
			t.Errorf("%d ppm: skew %d, want %d", ppm, tr.Skew, want)
		}
	}
}

// A day of four people who speak by turns and at once, under drift and jitter: nothing but
// their silence is a gap, each frame is stored, and at the end all are where the clock is.
func TestADayOfTurns(t *testing.T) {
	t.Parallel()
	for _, ppm := range []int64{-50, 50} {
		rng := rand.New(rand.NewPCG(8, uint64(ppm+50)))
		tl := timeline.New()
		const day, people = 24 * 60 * 60 * 50, 4
		var seq uint64
		var stored [people]int64
		var until [people]int64 // of the turn or the silence
		var speaks [people]bool
		for i := range int64(day) {
			at := i * frame.TicksPerFrame
			at += at/1_000_000*ppm + rng.Int64N(30*ms+1) - 15*ms
			for who := range people {
				if i == until[who] { // a turn of half a minute at most, then a minute's silence at most
					speaks[who] = !speaks[who]
					until[who] = i + 5 + rng.Int64N(map[bool]int64{true: 1500, false: 3000}[speaks[who]])
				}
				if !speaks[who] && i < day-50 { // all have the last word
					continue
				}
				seq++
				stored[who] += frame.AudioSamples
				tl.Frame(frame.Header{Seq: seq, MediaTime: begin + at, Kind: frame.UnmixedAudio, Source: uint32(who + 1)})
			}
		}
		s := tl.Finish(seq)
		if len(s.Tracks) != people || s.AbsurdTimes != 0 || s.Unclaimed != 0 {
			t.Fatalf("%d ppm: %d tracks, %d absurd times, %d unclaimed", ppm, len(s.Tracks), s.AbsurdTimes, s.Unclaimed)
		}
		lasted := int64(day*frame.AudioSamples) + day*frame.TicksPerFrame/1_000_000*ppm/frame.TicksPerSample
		for _, tr := range s.Tracks {
			balanced(t, tr)
			if want := stored[tr.Source-1]; tr.Stored != want || tr.GapSamples != tr.IdleSamples {
				t.Errorf("%d ppm, source %d: %d samples stored of %d, %d missing", ppm, tr.Source, tr.Stored, want, tr.GapSamples-tr.IdleSamples)
			}
			if off := tr.Samples - lasted; off > 2*frame.AudioSamples || off < -2*frame.AudioSamples {
				t.Errorf("%d ppm, source %d: %d samples off the clock", ppm, tr.Source, off)
			}
		}
	}
}

func TestMemoryIsBounded(t *testing.T) {
	tl := timeline.New()
	i := int64(0)
	next := func() {
		i++
		tl.Frame(mixed(uint64(i), begin+i*frame.TicksPerFrame+i%30*ms, 0))
	}
	for range 10_000 {
		next()
	}
	if n := testing.AllocsPerRun(100_000, next); n != 0 {
		t.Errorf("%v allocations for each frame", n)
	}
}
