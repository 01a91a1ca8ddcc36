package timeline

import (
	"cmp"
	"slices"

	"github.com/recorderbot/recorderbot/internal/media/frame"
)

// Idle is the cause of a gap in which nothing is lost: the source of a track of
// unmixed audio was not speaking.
const Idle frame.GapCause = "idle"

// The causes that the timeline itself gives; the others come with the gap.
const (
	unannounced frame.GapCause = "unannounced"
	byClock     frame.GapCause = "time"
	tail        frame.GapCause = "tail"
)

// MaxTracks is how many tracks a recording may have frames of: more than a meeting has
// sources in a day, and few enough to be kept in memory and searched.
const MaxTracks = 1 << 10

// maxFrames bounds what is believed to be missing at one place: a day.
const maxFrames = 24 * 60 * 60 * 50

// A Track is one run of frames of one kind from one source.
type Track struct {
	Kind   frame.Kind
	Source uint32 // 0 for mixed audio
	Run    int    // of a source of video, from 0: see RunPause
	// FirstSeq and LastSeq are the track's first and last frame; 0 where it has none.
	FirstSeq, LastSeq uint64
	// FirstTime is the media time of sample 0 in 100 ns ticks since 1900; 0 where
	// no frame had a time that can be.
	FirstTime int64
	Frames    uint64 // stored frames, of audio or video
	Lost      uint64 // frames known by number to be missing
	// Stored + GapSamples = Samples; all 0 for video. IdleSamples is the part of
	// GapSamples in which an unmixed source was silent.
	Stored, GapSamples, IdleSamples, Samples int64
	// Skew is by how many ticks the media clock was ahead of the sample count at
	// the end: drift, and what no rule called a gap.
	Skew int64
	Gaps []Gap // in order
}

// A Gap is a place where a track has no samples.
type Gap struct {
	AtSample int64  // where it begins, counted with all gaps before it
	Samples  int64  // 0 in a track of video
	Frames   uint64 // missing by number; 0 where only times tell
	FirstSeq uint64 // first missing number; 0 where only times tell
	// BeforeSeq is the frame that follows; 0: the gap is at the end.
	BeforeSeq uint64
	Cause     frame.GapCause
}

// A Summary is what a timeline knows at its end.
type Summary struct {
	Tracks []Track // by kind, then source, then run
	// FirstSeq is the number below which no frame counts; 0 where none was named.
	FirstSeq uint64
	// Duplicates counts frames that were already there or that precede FirstSeq.
	Duplicates uint64
	// AbsurdTimes counts frames whose media time cannot be; they are kept.
	AbsurdTimes uint64
	// AbsurdGaps counts gaps of more than a day, or of no or negative length.
	AbsurdGaps uint64
	// Unclaimed counts missing numbers that no track can claim, because more
	// than one stream was on the link: the clock decided.
	Unclaimed uint64
}

// A Timeline is built from the records of one recording, in spool order. It is
// not safe for concurrent use.
type Timeline struct {
	door   admission
	known  bool // door.next is what the next frame's number should be
	tracks []*track
	last   *track // the track of the last frame; saves the search
	// announced are the gaps with a count that lie at or beyond door.next, by
	// FirstSeq. The host may announce one while earlier frames are on their way.
	announced []frame.Gap
	first     *track // the first track of audio with a time: the common clock
	zero      int64  // media time at which the first of unmixed audio was lost, where that was before all frames of audio; 0: not
	most      int64  // by so many ticks a frame's time may be ahead of its place; see Believe
	sum       Summary
	finished  bool
}

// New returns an empty timeline.
func New() *Timeline { return &Timeline{most: day} }

// Start names the recording's first frame: what is missing before the first one
// that comes is a gap too. It is called before anything else, or not at all.
func (t *Timeline) Start(firstSeq uint64) {
	t.door.next, t.known = firstSeq, firstSeq > 0
	t.sum.FirstSeq = firstSeq
}

// Expect names a track before its first frame, so that a recording of which
// nothing arrived still shows what is missing. A track that was only expected
// is left out of the summary.
func (t *Timeline) Expect(kind frame.Kind, source uint32) { t.track(kind, source) }

// Frame takes the next frame's header. A frame that is already there is counted
// and ignored.
func (t *Timeline) Frame(h frame.Header) {
	if t.finished || !t.fits(h.Seq) {
		t.sum.Duplicates++
		return
	}
	tr := t.running(h)
	if h.Seq > t.door.next || (len(t.announced) > 0 && t.announced[0].FirstSeq <= h.Seq) {
		t.resolve(h.Seq, unannounced)
	}
	t.door.admit(h.Seq)
	tr.add(h)
}

// fits is the door's question; the first frame of a recording whose start nobody
// named is its start, less what was announced as missing before it.
func (t *Timeline) fits(seq uint64) bool {
	if t.known || seq == 0 {
		return t.door.fits(seq)
	}
	t.known, t.door.next = true, seq
	if len(t.announced) > 0 {
		t.door.next = min(seq, t.announced[0].FirstSeq)
	}
	return true
}

// Gap takes a recorded gap. It may come before or after the frames around it;
// frames that came in spite of it are kept and the gap shrinks.
func (t *Timeline) Gap(g frame.Gap) {
	switch {
	case t.finished:
	case g.Count == 0:
		t.skipped(g)
	case g.FirstSeq == 0 || g.FirstSeq+g.Count < g.FirstSeq:
		t.sum.AbsurdGaps++
	case t.known && g.FirstSeq+g.Count <= t.door.next:
		// We had noticed already; now we know why.
		if tr := t.find(g.Kind, g.Source); tr != nil {
			tr.explains(g, func(p *Gap) { p.Cause = g.Cause })
		}
	default:
		t.await(g)
	}
}

// Room reports whether there is a track for frames of a kind and source, or may be one
// more.
func (t *Timeline) Room(kind frame.Kind, source uint32) bool {
	return len(t.tracks) < MaxTracks || t.find(kind, source) != nil
}

// Explains reports whether a gap with a count that lies wholly before the next
// frame says something new: it names frames of which nobody knew why they are
// missing.
func (t *Timeline) Explains(g frame.Gap) bool {
	tr := t.find(g.Kind, g.Source)
	return tr != nil && tr.explains(g, func(*Gap) {})
}

// skipped takes a gap without a count: the platform delivered nothing, and no
// numbers were used up. Its times tell how long.
func (t *Timeline) skipped(g frame.Gap) {
	samples := int64(0)
	if g.FromTime > 0 && g.ToTime > g.FromTime && g.ToTime-g.FromTime <= day {
		samples = (g.ToTime - g.FromTime) / frame.TicksPerSample
	}
	tr := t.claimant(g.Kind, g.Source, g.Cause)
	switch {
	case tr != nil:
	case samples == 0:
		t.sum.AbsurdGaps++
		t.suspectAll(g.Cause)
		return
	default:
		t.skippedByAll(g, samples)
		return
	}
	switch {
	case !tr.audio:
		tr.owe(debt{fromSeq: g.FirstSeq, cause: g.Cause})
	case samples == 0:
		t.sum.AbsurdGaps++
		tr.suspect, tr.atLeast = g.Cause, 1
	default:
		left := tr.explainTime(g, samples)
		if left > 0 && !tr.foretold(g.FirstSeq, left, g.Cause) {
			d := debt{fromSeq: g.FirstSeq, samples: left, cause: g.Cause}
			if left == samples {
				d.from = g.FromTime
			}
			tr.owe(d)
		}
	}
}

// skippedByAll takes a time in which nothing came of anybody: whoever spoke then is
// missing, so each track of audio misses it, one of unmixed audio behind what it was
// silent for until then.
func (t *Timeline) skippedByAll(g frame.Gap, samples int64) {
	for _, tr := range t.tracks {
		if !tr.audio {
			continue
		}
		if tr.Kind == frame.UnmixedAudio && tr.clock.set {
			idle := (g.FromTime - tr.clock.start - tr.Samples*frame.TicksPerSample) / frame.TicksPerSample
			if idle >= frame.AudioSamples && idle <= maxFrames*frame.AudioSamples {
				tr.owe(debt{fromSeq: g.FirstSeq, samples: idle, cause: Idle})
			}
		}
		tr.owe(debt{fromSeq: g.FirstSeq, samples: samples, cause: g.Cause})
	}
}

// resolve accounts for the missing numbers from door.next up to hi: announced
// ones for their cause, the rest for cause.
func (t *Timeline) resolve(hi uint64, cause frame.GapCause) {
	at, later := t.door.next, 0
	for _, g := range t.announced {
		end := g.FirstSeq + g.Count
		if lo := min(max(g.FirstSeq, at), hi); lo > at {
			t.lose(frame.Gap{FirstSeq: at, Count: lo - at, Cause: cause})
			at = lo
		}
		if e := min(end, hi); e > at {
			t.lose(frame.Gap{Kind: g.Kind, Source: g.Source, FirstSeq: at, Count: e - at, FromTime: fromOf(g, at), Cause: g.Cause})
			at = e
		}
		if end > hi+1 { // the number hi itself is there
			first := max(g.FirstSeq, hi+1)
			g.FromTime, g.FirstSeq, g.Count = fromOf(g, first), first, end-first
			t.announced[later] = g
			later++
		}
	}
	t.announced = t.announced[:later]
	slices.SortStableFunc(t.announced, func(a, b frame.Gap) int { return cmp.Compare(a.FirstSeq, b.FirstSeq) })
	if hi > at {
		t.lose(frame.Gap{FirstSeq: at, Count: hi - at, Cause: cause})
	}
}

// fromOf is when the part of a gap begins that begins with a number; 0: nobody said.
func fromOf(g frame.Gap, seq uint64) int64 {
	if g.FromTime <= 0 || seq-g.FirstSeq > maxFrames {
		return 0
	}
	return g.FromTime + int64(seq-g.FirstSeq)*frame.TicksPerFrame //nolint:gosec // G115: bounded above
}

// lose books frames that are missing by number.
func (t *Timeline) lose(g frame.Gap) {
	tr := t.claimant(g.Kind, g.Source, g.Cause)
	switch {
	case tr == nil:
		t.sum.Unclaimed += g.Count
		t.suspectAll(g.Cause)
	case g.Count > maxFrames && !tr.audio:
		t.sum.AbsurdGaps++
		tr.owe(debt{cause: g.Cause})
	case g.Count > maxFrames:
		// Numbers jumped. The clock decides how much that was; at least a frame,
		// for something is missing.
		t.sum.AbsurdGaps++
		tr.suspect, tr.atLeast = g.Cause, 1
	default:
		d := debt{first: g.FirstSeq, count: g.Count, cause: g.Cause}
		if tr.audio {
			d.samples, d.from = int64(g.Count)*frame.AudioSamples, g.FromTime
		}
		tr.owe(d)
	}
}

// claimant returns the track that a gap belongs to, nil where nobody can tell.
// A gap that only we noticed says nothing of its kind: it belongs to mixed audio
// if nothing else was ever on the link.
func (t *Timeline) claimant(kind frame.Kind, source uint32, cause frame.GapCause) *track {
	noticed := cause == unannounced || anybody(frame.Gap{Kind: kind, Source: source})
	switch {
	case !noticed:
		return t.track(kind, source)
	case len(t.tracks) == 1 && t.tracks[0].Kind == frame.MixedAudio:
		return t.tracks[0]
	case len(t.tracks) == 0 && kind == frame.MixedAudio:
		return t.track(kind, source)
	}
	return nil
}

// suspectAll is told that something is missing, and not of whom. The clock says it of
// audio. Video has none to be held against: each track of it may have lost the picture
// that the next one refers to, and says so.
func (t *Timeline) suspectAll(cause frame.GapCause) {
	for _, tr := range t.tracks {
		switch {
		case tr.audio:
			tr.suspect = cause
		case tr.over:
		case !slices.ContainsFunc(tr.owed, func(d debt) bool { return d.perhaps }):
			tr.owe(debt{cause: cause, perhaps: true})
		}
	}
}

// Finish ends the timeline. lastSeq is the recording's last frame as the seal
// names it, 0 where nobody knows; what is missing up to there is a gap. Nothing
// changes the timeline afterwards.
func (t *Timeline) Finish(lastSeq uint64) Summary {
	if !t.finished {
		t.end(lastSeq)
	}
	s := t.sum
	s.Tracks = make([]Track, 0, len(t.tracks))
	for _, tr := range t.tracks {
		if tr.Frames > 0 || len(tr.Gaps) > 0 {
			s.Tracks = append(s.Tracks, tr.Track)
		}
	}
	slices.SortFunc(s.Tracks, func(a, b Track) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Source, b.Source), cmp.Compare(a.Run, b.Run))
	})
	return s
}

// GoesOn says that another recording goes on behind lastSeq, and is told of what is
// missing there: its first frame still comes with that word. Of this one it is no gap.
// To be called before Finish.
func (t *Timeline) GoesOn(lastSeq uint64) {
	if lastSeq == 0 || t.finished {
		return
	}
	for _, tr := range t.tracks {
		tr.owed = slices.DeleteFunc(tr.owed, func(d debt) bool { return d.fromSeq > lastSeq })
	}
}

func (t *Timeline) end(lastSeq uint64) {
	t.finished = true
	hi := t.door.next
	switch {
	case lastSeq == 0 && len(t.announced) > 0:
		for _, g := range t.announced {
			hi = max(hi, g.FirstSeq+g.Count)
		}
		if !t.known {
			t.door.next = t.announced[0].FirstSeq
		}
		t.resolve(hi, tail)
	case t.known && lastSeq >= t.door.next && lastSeq+1 != 0:
		t.resolve(lastSeq+1, tail)
	}
	for _, tr := range t.tracks {
		tr.finish()
	}
	t.align()
}

// Tracks returns how many tracks there are so far.
func (t *Timeline) Tracks() int { return len(t.tracks) }

// Totals returns the samples stored and the samples known to be missing so far,
// all tracks together, silence of unmixed sources left out. A gap that only the
// clock shows appears when it is certain.
func (t *Timeline) Totals() (stored, missing int64) {
	for _, tr := range t.tracks {
		stored += tr.Stored
		missing += tr.GapSamples - tr.IdleSamples
	}
	return stored, missing
}
