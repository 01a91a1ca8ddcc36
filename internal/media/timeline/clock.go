package timeline

import (
	"slices"

	"github.com/recorderbot/recorderbot/internal/media/frame"
)

// Lengths of time, in ticks of 100 ns.
const (
	millisecond = 10_000
	day         = 24 * 60 * 60 * 1000 * millisecond
	// Late makes a frame late: a frame's length, less what the smoothed lateness may
	// lag behind a drifting clock.
	Late = 19 * millisecond
	// lateAtFirst does, while too few frames were seen to know the clock: more
	// than two frames' jitter can make.
	lateAtFirst = 40 * millisecond
	// spread is how far apart the times of frames may be that belong together:
	// twice the jitter, and some.
	spread = 35 * millisecond
	// driftPerSecond is how far two clocks may drift apart: 300 ppm.
	driftPerSecond = 300 * 10
	// maxTime is beyond any clock: no sum of two such times overflows.
	maxTime = 1 << 61
)

// Numbers of frames.
const (
	warm   = 25 // until the clock is known
	window = 25 // late in a row: certain, and enough to measure how late
	enough = 10 // late in a row: certain where no more will come
)

// A clock compares the media time of a track's frames with their place.
type clock struct {
	set    bool
	bursts bool  // frames come only while the source speaks
	start  int64 // media time of sample 0, as it was told then
	origin int64 // the same on the clock of now, which may have been set anew
	// base is the smoothed lateness of frames, times 256: it follows drift
	// (200 ppm are 40 ticks a frame) within a millisecond and averages jitter.
	base int64
	seen int
	// known is what base was when the clock was known first, anew by how much it was set
	// since it runs.
	isKnown     bool
	known, anew int64
	// slack is what the clock may have drifted during a long gap; until it is
	// known again, that much is neither late nor early.
	slack int64
	skew  int64 // lateness of the last frame that was believed
	// run is the frames at the end that are late, or that follow a flag; at most
	// window.
	run     []late
	flagged bool // the run holds a flag: frames on time don't end it
	// stray counts frames in a row with times that can't be, but that agree.
	stray   int
	strayAt int64
}

// A late frame waits until it is certain whether something is missing before it.
type late struct {
	seq     uint64
	at      int64 // its place, in samples
	by      int64 // ticks behind the sample count
	flag    frame.GapCause
	atLeast int64 // frames
}

// observe looks at the time of the frame that goes to tr.Samples. flag, where
// not empty, says that something is missing before it and why. It reports
// whether the time could be used.
func (tr *track) observe(h frame.Header, flag frame.GapCause) bool {
	c, now, at := &tr.clock, h.MediaTime, tr.Samples
	if now <= 0 || now > maxTime {
		tr.t.sum.AbsurdTimes++
		return false
	}
	if !c.set {
		tr.begin(h)
		at = tr.Samples
	}
	by := now - c.origin - at*frame.TicksPerSample
	lateness := by - c.base>>8
	if lateness > max(tr.t.most, Late-1) || lateness < -lateAtFirst-c.slack {
		tr.t.sum.AbsurdTimes++
		tr.astray(by)
		return false
	}
	c.stray = 0
	limit := int64(Late)
	if c.seen < warm {
		limit = lateAtFirst + c.slack
	}
	switch {
	case flag != "":
		c.flagged = true
		c.run = append(c.run, late{h.Seq, at, by, flag, tr.atLeast})
	case lateness >= limit || c.flagged:
		c.run = append(c.run, late{h.Seq, at, by, "", 0})
	default:
		// On time: what was late before has caught up, and nothing is missing.
		c.run = c.run[:0]
		c.learn(by)
	}
	if len(c.run) >= window {
		tr.settle()
	}
	return true
}

// begin sets the clock by the track's first time. Tracks that begin later than
// the recording's first audio, be it that this was lost, are filled up to their place on
// the common clock.
func (tr *track) begin(h frame.Header) {
	c := &tr.clock
	c.set = true
	c.origin = h.MediaTime - tr.Samples*frame.TicksPerSample
	zero := tr.t.zero
	if tr.t.first == nil {
		tr.t.first, c.start = tr, c.origin
	} else if tr.t.first != tr {
		zero = tr.t.first.clock.start
	}
	if lead := c.origin - zero; zero > 0 && c.bursts && lead > 0 && lead <= tr.t.most {
		c.origin = zero
		tr.placeBefore(tr.FirstSeq, 0, lead/frame.TicksPerSample, Idle)
	}
	c.start = c.origin
}

// paused tells the clock that a gap of so many samples was placed before the
// next frame. After a long one it must be learned anew.
func (c *clock) paused(samples int64) {
	c.slack += samples * driftPerSecond / frame.SampleRate
	if c.slack > millisecond {
		c.seen = 0
	} else if c.seen >= warm {
		c.slack = 0
	}
}

// learn takes the lateness of a frame on time into the average: of all frames
// at first, then of the last few hundred.
func (c *clock) learn(by int64) {
	c.skew = by
	if c.seen = min(c.seen+1, knownAfter); c.seen == warm {
		c.slack = 0
	}
	c.base += (by<<8 - c.base) / int64(c.seen)
	if c.seen == knownAfter && !c.isKnown {
		c.isKnown, c.known = true, c.base>>8
	}
}

// astray handles a time that can't be. If the clock keeps to it, it was set anew:
// it is believed from then on, and nothing is missing for that.
func (tr *track) astray(by int64) {
	c := &tr.clock
	if c.stray == 0 || by-c.strayAt > spread || by-c.strayAt < -spread {
		c.stray, c.strayAt = 0, by
	}
	if c.stray++; c.stray < window {
		return
	}
	if tr.Stored < 2*window*frame.AudioSamples {
		c.start += by // the first time was the wrong one
	}
	c.origin += by
	c.anew += by
	c.base, c.seen, c.stray, c.skew, c.slack = 0, 0, 0, 0, 0
	c.run, c.flagged = c.run[:0], false
}

// settle decides about the run: it is cut into pieces of about equal lateness,
// and before each piece that is later than the one before it something is
// missing. A run of fewer than enough frames without a flag is no evidence.
func (tr *track) settle() {
	c := &tr.clock
	run, flagged := c.run, c.flagged
	c.run, c.flagged = c.run[:0], false
	base := c.base >> 8
	if len(run) == 0 || (len(run) < enough && !flagged && !c.spokeAgain(run, base)) {
		return
	}
	if c.bursts {
		base = 0 // back to the common clock
	}
	missing, found := int64(0), int64(0)
	for from := 0; from < len(run); {
		to := piece(run, from)
		first := run[from]
		if n := max(c.missing(run[from:to], base), missing+first.atLeast*frame.AudioSamples); n > missing {
			tr.placeBefore(first.seq, first.at+missing, n-missing, tr.cause(first))
			found += n - missing
			missing = n
		}
		from = to
	}
	c.skew = run[len(run)-1].by - missing*frame.TicksPerSample
	switch {
	case found == 0: // late, but not by what rounds to a frame: the clock is so
		c.base = c.skew << 8
	case c.bursts:
		c.base, c.seen = 0, 0
	}
}

// spokeAgain reports whether a short run at the end is a source's that had been silent, and
// said no more than that: all of it is later than jitter makes, and silence needs no other
// proof, for nothing is lost in it.
func (c *clock) spokeAgain(run []late, base int64) bool {
	return c.bursts && !slices.ContainsFunc(run, func(l late) bool { return l.by-base < lateAtFirst })
}

func (tr *track) cause(l late) frame.GapCause {
	switch {
	case l.flag != "" && l.flag != byClock:
		return l.flag
	case tr.clock.bursts:
		return Idle
	}
	return byClock
}

// piece returns the end of the piece that begins at from: before the next flag,
// or before frames that are all later than this piece's by more than jitter. A
// single wild time among the others opens no piece.
func piece(run []late, from int) int {
	floor := run[from].by
	for i := from; i < len(run); i++ {
		floor = min(floor, run[i].by)
	}
	for to := from + 1; to < len(run); to++ {
		if run[to].flag != "" {
			return to
		}
		lowest := run[to].by
		for _, l := range run[to:] {
			lowest = min(lowest, l.by)
		}
		if lowest > floor+spread {
			return to
		}
	}
	return len(run)
}

// missing returns how many samples are missing before a piece: its mean lateness
// without wild times; in whole frames, for the platform counts in frames, but
// for unmixed audio, which is laid out by the clock.
func (c *clock) missing(piece []late, base int64) int64 {
	floor := piece[0].by
	for _, l := range piece {
		floor = min(floor, l.by)
	}
	sum, n := int64(0), int64(0)
	for _, l := range piece {
		if l.by <= floor+spread {
			sum += l.by - base
			n++
		}
	}
	mean := sum / n
	switch {
	case mean <= 0:
		return 0
	case c.bursts:
		return (mean + frame.TicksPerSample/2) / frame.TicksPerSample
	}
	return (mean + frame.TicksPerFrame/2) / frame.TicksPerFrame * frame.AudioSamples
}

// foretold places a gap whose announcement came after the frame that follows it,
// if that frame still waits for a verdict.
func (tr *track) foretold(seq uint64, samples int64, cause frame.GapCause) bool {
	c := &tr.clock
	for i := range c.run {
		if l := &c.run[i]; l.seq < seq || (l.flag == "" && i > 0) {
			continue
		}
		tr.placeBefore(c.run[i].seq, c.run[i].at, samples, cause)
		// What is left of the lateness is the clock's business again.
		c.run, c.flagged = c.run[:0], false
		return true
	}
	return false
}
