package timeline

import (
	"cmp"
	"math"
	"slices"

	"github.com/recorderbot/recorderbot/internal/media/frame"
)

// A track is a Track in the making.
type track struct {
	Track
	t     *Timeline
	audio bool
	// over: another run of its source, of video, has begun. seenAt is the media time of
	// its last frame.
	over   bool
	seenAt int64
	clock  clock
	// owed are gaps that are known but not placed: they go before the track's next
	// frame, or to the end.
	owed []debt
	// suspect, where not empty, says why the next frame's time must be looked at;
	// atLeast is how many frames are missing even if the clock shows nothing.
	suspect frame.GapCause
	atLeast int64
	begins  int64 // when it began, where the first of it was lost; 0: it was not, or nobody said
}

// A debt is a gap that waits for the frame that follows it.
type debt struct {
	fromSeq      uint64 // goes before the first frame with this number or a higher one
	first, count uint64
	samples      int64
	cause        frame.GapCause
	from         int64 // when it began; 0: nobody said
	perhaps      bool  // of another track, for all that is known: nothing is missing at its end
}

func newTrack(t *Timeline, kind frame.Kind, source uint32) *track {
	if kind == frame.MixedAudio {
		source = 0
	}
	tr := &track{Track: Track{Kind: kind, Source: source}, t: t}
	tr.audio = kind == frame.MixedAudio || kind == frame.UnmixedAudio
	tr.clock.bursts = kind == frame.UnmixedAudio
	return tr
}

// behind sorts debts before the end: by number, then those without.
func (d debt) behind() uint64 {
	if d.count == 0 {
		return math.MaxUint64
	}
	return d.first
}

func (tr *track) owe(d debt) {
	tr.owed = append(tr.owed, d)
	if tr.Kind == frame.UnmixedAudio && tr.t.first == nil && tr.t.zero == 0 && d.from > 0 && d.from <= maxTime {
		tr.t.zero = d.from
	}
}

// add takes the track's next frame.
func (tr *track) add(h frame.Header) {
	if tr.Frames == 0 {
		tr.FirstSeq = h.Seq
	}
	tr.Frames++
	tr.LastSeq = h.Seq
	paid := false
	if len(tr.owed) > 0 {
		paid = tr.pay(h.Seq)
	}
	if !tr.audio {
		return
	}
	flag := tr.suspect
	if flag == "" && !paid && h.Flags&frame.AfterGap != 0 {
		flag = byClock
	}
	if tr.observe(h, flag) {
		tr.suspect, tr.atLeast = "", 0
	} else {
		tr.suspect = flag // the next frame with a time will tell
	}
	tr.Stored += frame.AudioSamples
	tr.Samples += frame.AudioSamples
}

// pay places the gaps that go before the frame seq; 0: before the end.
func (tr *track) pay(seq uint64) bool {
	kept, paid := 0, false
	for _, d := range tr.owed {
		if seq != 0 && d.fromSeq > seq {
			tr.owed[kept] = d
			kept++
			continue
		}
		paid = true
		tr.Lost += d.count
		tr.clock.paused(d.samples)
		idle := tr.silentUntil(d.from)
		if tr.Kind == frame.UnmixedAudio && !tr.clock.set && tr.Samples == 0 && d.from > 0 && d.from <= maxTime {
			tr.begins = d.from - idle*frame.TicksPerSample
		}
		if idle > 0 {
			tr.place(len(tr.Gaps), Gap{AtSample: tr.Samples, Samples: idle, BeforeSeq: seq, Cause: Idle})
		}
		tr.place(len(tr.Gaps), Gap{
			AtSample: tr.Samples, Samples: d.samples, Frames: d.count, FirstSeq: d.first, BeforeSeq: seq, Cause: d.cause,
		})
	}
	tr.owed = tr.owed[:kept]
	return paid
}

// silentUntil is for how long the source of a track of unmixed audio had been silent when
// something of it was lost: so what is lost lies where it was said, not before the silence.
func (tr *track) silentUntil(from int64) int64 {
	c := &tr.clock
	if !c.set && tr.t.first != nil && tr.Frames <= 1 {
		c = &tr.t.first.clock // all that came of it so far is lost
	}
	if tr.Kind != frame.UnmixedAudio || from <= 0 || !c.set || len(tr.clock.run) > 0 {
		return 0 // frames that wait for a verdict may have a silence before them: the clock tells all
	}
	idle := (from-c.start)/frame.TicksPerSample - tr.Samples
	if idle < frame.AudioSamples || idle > maxFrames*frame.AudioSamples {
		return 0
	}
	return idle
}

// place puts a gap into the list at index i; what lies behind it moves.
func (tr *track) place(i int, g Gap) {
	tr.GapSamples += g.Samples
	tr.Samples += g.Samples
	if g.Cause == Idle {
		tr.IdleSamples += g.Samples
	}
	for j := i; j < len(tr.Gaps); j++ {
		tr.Gaps[j].AtSample += g.Samples
	}
	if i > 0 {
		if p := &tr.Gaps[i-1]; p.BeforeSeq == g.BeforeSeq && p.Cause == g.Cause && p.FirstSeq+p.Frames == g.FirstSeq {
			p.Samples += g.Samples
			p.Frames += g.Frames
			return
		}
	}
	tr.Gaps = slices.Insert(tr.Gaps, i, g)
}

// placeBefore puts a gap before a frame that is already there. The frames and
// gaps behind it move; the caller moves what waits in the clock.
func (tr *track) placeBefore(seq uint64, at, samples int64, cause frame.GapCause) {
	i := len(tr.Gaps)
	for i > 0 && tr.Gaps[i-1].BeforeSeq > seq {
		i--
	}
	if i > 0 {
		at = max(at, tr.Gaps[i-1].AtSample+tr.Gaps[i-1].Samples)
	}
	tr.place(i, Gap{AtSample: at, Samples: samples, BeforeSeq: seq, Cause: cause})
}

// explains calls fn with each unannounced gap whose cause an announcement brings
// late, and reports whether there is one. An announcement that covers only part of
// a gap explains nothing.
func (tr *track) explains(g frame.Gap, fn func(*Gap)) (found bool) {
	for i := len(tr.Gaps) - 1; i >= 0; i-- {
		p := &tr.Gaps[i]
		switch {
		case p.Cause != unannounced || p.Frames == 0:
		case p.FirstSeq >= g.FirstSeq && p.FirstSeq+p.Frames <= g.FirstSeq+g.Count:
			found = true
			fn(p)
		case p.FirstSeq+p.Frames <= g.FirstSeq:
			return found // the list is in order
		}
	}
	return found
}

// explainTime gives a gap that the clock has found the cause that an announcement
// brought late, and returns how many samples of the announcement are not in it.
// The clock places a gap by jittering times, and at the earliest a window of
// frames behind it: so much may the numbers differ. A silence that was at another time
// is none of it.
func (tr *track) explainTime(said frame.Gap, samples int64) int64 {
	seq, cause := said.FirstSeq, said.Cause
	best, off := -1, uint64(window)
	for i := len(tr.Gaps) - 1; i >= 0 && tr.Gaps[i].BeforeSeq+window > seq; i-- {
		g := &tr.Gaps[i]
		if g.Frames > 0 || (g.Cause != byClock && g.Cause != Idle) || cause == g.Cause || (g.Cause == Idle && !tr.during(g, said)) {
			continue
		}
		if d := max(g.BeforeSeq, seq) - min(g.BeforeSeq, seq); d < off {
			best, off = i, d
		}
	}
	if best < 0 {
		return samples
	}
	g := &tr.Gaps[best]
	found := g.Samples
	if found-samples >= frame.AudioSamples { // only part of it is explained
		rest := *g
		rest.AtSample, rest.Samples, g.Samples = g.AtSample+samples, found-samples, samples
		tr.Gaps = slices.Insert(tr.Gaps, best+1, rest)
		g = &tr.Gaps[best]
	}
	if g.Cause == Idle {
		tr.IdleSamples -= g.Samples
	}
	g.Cause = cause
	if left := samples - found; left >= frame.AudioSamples {
		return left
	}
	return 0
}

// during reports whether a gap lies where another one is said to be, by their times.
func (tr *track) during(g *Gap, said frame.Gap) bool {
	from := tr.clock.origin + g.AtSample*frame.TicksPerSample
	to := from + g.Samples*frame.TicksPerSample
	return said.FromTime >= from-Late && said.ToTime <= to+Late
}

// finish places what is left.
func (tr *track) finish() {
	if tr.audio {
		tr.settle()
	}
	tr.owed = slices.DeleteFunc(tr.owed, func(d debt) bool { return d.perhaps })
	// The numbers say what is missing next; times, what is missing behind that.
	slices.SortStableFunc(tr.owed, func(a, b debt) int { return cmp.Compare(a.behind(), b.behind()) })
	tr.pay(0)
	if tr.suspect != "" && tr.atLeast > 0 {
		tr.place(len(tr.Gaps), Gap{AtSample: tr.Samples, Samples: tr.atLeast * frame.AudioSamples, Cause: tr.suspect})
	}
	switch {
	case tr.clock.set:
		tr.FirstTime = tr.clock.start
		tr.Skew = tr.clock.skew
	case tr.begins > 0: // all of it is lost, and somebody said when
		tr.FirstTime = tr.begins
	}
}
