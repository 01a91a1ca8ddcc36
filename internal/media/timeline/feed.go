package timeline

import "github.com/recorderbot/recorderbot/internal/media/frame"

// heldAtMost is how many records may precede the word where a recording starts;
// more, and it is not waited for.
const heldAtMost = 1000

// A Feed gives a timeline what a log has of a recording. Where the recording starts
// is written beside its frames, so some may precede it: they are held until Begin.
type Feed struct {
	Timeline *Timeline
	FirstSeq uint64 // as foretold when the recording was begun; Begin knows better
	Mixed    bool   // mixed audio is expected, also where none came

	held  []any
	ready bool
}

// Frame is Timeline.Frame.
func (f *Feed) Frame(h frame.Header) { f.take(h) }

// Gap is Timeline.Gap.
func (f *Feed) Gap(g frame.Gap) { f.take(g) }

// Believe is Timeline.Believe.
func (f *Feed) Believe(b Belief) { f.take(b) }

func (f *Feed) take(v any) {
	if f.ready {
		f.give(v)
		return
	}
	if f.held = append(f.held, v); len(f.held) == heldAtMost {
		f.Begin(f.FirstSeq)
	}
}

func (f *Feed) give(v any) {
	switch v := v.(type) {
	case frame.Header:
		f.Timeline.Frame(v)
	case frame.Gap:
		f.Timeline.Gap(v)
	case Belief:
		f.Timeline.Believe(v)
	}
}

// Begin says where the recording starts: never behind a frame that is there. Only
// the first counts.
func (f *Feed) Begin(firstSeq uint64) {
	if f.ready {
		return
	}
	f.ready = true
	for _, v := range f.held {
		if h, ok := v.(frame.Header); ok {
			firstSeq = min(firstSeq, h.Seq)
		}
	}
	if firstSeq > 0 {
		f.Timeline.Start(firstSeq)
	}
	if f.Mixed {
		f.Timeline.Expect(frame.MixedAudio, 0)
	}
	for _, v := range f.held {
		f.give(v)
	}
	f.held = nil
}

// GoesOn is Timeline.GoesOn.
func (f *Feed) GoesOn(lastSeq uint64) {
	f.Begin(f.FirstSeq)
	f.Timeline.GoesOn(lastSeq)
}

// Finish is Timeline.Finish.
func (f *Feed) Finish(lastSeq uint64) Summary {
	f.Begin(f.FirstSeq)
	return f.Timeline.Finish(lastSeq)
}
