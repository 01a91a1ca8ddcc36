package timeline

import (
	"math"

	"github.com/recorderbot/recorderbot/internal/media/frame"
)

// BeliefNote is the kind of the note that holds a Belief.
const BeliefNote = "clock"

// A Belief says how much the media clock is believed from a frame on. Who hears
// the frames knows how much time can have passed, and the records don't: so it
// leaves its judgement among them, right before that frame, wherever the timeline
// would judge otherwise.
type Belief struct {
	BeforeSeq uint64 `json:"beforeSeq"`
	// MostTicks is by how much a frame's time may be ahead of its place. A time
	// beyond that cannot be.
	MostTicks int64 `json:"mostTicks"`
}

// Believe takes a belief, which holds until the next. Without any it is a day.
func (t *Timeline) Believe(b Belief) { t.most = min(max(b.MostTicks, 0), day) }

// Ahead returns by how many ticks the time of a frame that comes now would be
// ahead of its place, and that place in samples: what it finds missing and what
// was known to be missing before it included. 0 where there is no saying.
func (t *Timeline) Ahead(h frame.Header) (ticks, place int64) {
	if h.MediaTime <= 0 || h.MediaTime > maxTime || t.first == nil {
		return 0, 0
	}
	tr := t.find(h.Kind, h.Source)
	switch {
	case tr != nil && tr.clock.set:
		place = tr.length(h.Seq)
		if h.Kind == frame.MixedAudio && h.Seq > t.door.next {
			place += int64(min(h.Seq-t.door.next, maxFrames)) * frame.AudioSamples
		}
		c := &tr.clock
		return h.MediaTime - c.origin - place*frame.TicksPerSample - c.base>>8, place
	case h.Kind == frame.UnmixedAudio:
		return h.MediaTime - t.first.clock.start, 0 // the common clock fills it up
	}
	return 0, 0
}

// Due returns the media time at which the next frame of a track should begin, behind all
// that is known to be missing before it. 0: its clock is not known.
func (t *Timeline) Due(kind frame.Kind, source uint32) int64 {
	tr := t.find(kind, source)
	if tr == nil || !tr.clock.set {
		return 0
	}
	return tr.clock.origin + tr.clock.base>>8 + t.Length(kind, source)*frame.TicksPerSample
}

// Length returns how many samples a track has, with what is known to be missing
// behind its last frame.
func (t *Timeline) Length(kind frame.Kind, source uint32) int64 {
	if tr := t.find(kind, source); tr != nil {
		return tr.length(math.MaxUint64)
	}
	return 0
}

// length is that of the track with what is missing before a frame.
func (tr *track) length(seq uint64) int64 {
	n := tr.Samples
	for _, d := range tr.owed {
		if d.fromSeq <= seq {
			n += d.samples
		}
	}
	return n
}

// Heard are the sources of speakers of whom a frame came with the number since, or a
// higher one.
func (t *Timeline) Heard(since uint64) (sources []uint32) {
	for _, tr := range t.tracks {
		if tr.Kind == frame.UnmixedAudio && tr.Frames > 0 && tr.LastSeq >= since {
			sources = append(sources, tr.Source)
		}
	}
	return sources
}
