package media

import (
	"time"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/media/timeline"
)

// jitter is less than by what the first frame of a part is late that has something missing
// before it.
const jitter = 2 * frame.TicksPerFrame

// goesOn is what the recording that is open has and misses, where another goes on with the
// next frame. Under mu.
func (s *session) goesOn() timeline.Summary {
	s.line.GoesOn(s.next - 1)
	return s.line.Finish(s.next - 1)
}

// accounted is up to when the recording that is open says what it has and misses: by our
// clock, and by the host's, 0 where nobody knows. What lies behind is the next part's. Under mu.
func (s *session) accounted(now time.Time) (at time.Time, due int64) {
	if s.kind != frame.MixedAudio {
		return now, 0 // who is silent misses nothing
	}
	told := s.line.Length(s.kind, 0)
	at, due = s.began().Add(time.Duration(told)*sampleLength-time.Duration(s.held)*frameLength), s.line.Due(s.kind, 0) //nolint:gosec // G115: bounded by maxHeld
	if s.joins != 0 {                                                                                                  // no frame with a time has come since the part before
		due = s.joins + told*frame.TicksPerSample
	}
	if heard := latest(s.lastAt, s.began()); heard.Before(at) {
		return heard, due
	}
	return at, due
}

// join records, before the first audio of a part, the time since the last of the part before
// that neither numbers nor the host tell: no timeline has both frames. Nothing to do
// otherwise. Under mu.
func (s *session) join(b *spool.Batch, f *frame.Frame, now time.Time) {
	if s.joins == 0 || f.Kind != s.kind || f.MediaTime <= 0 {
		return
	}
	place := s.line.Length(s.kind, 0)
	late := f.MediaTime - s.joins - place*frame.TicksPerSample - int64(s.numbered(f.Seq))*frame.TicksPerFrame //nolint:gosec // G115: admits bounds it
	least, cause := int64(jitter), frame.CauseTime
	if s.resumed { // the host had closed its gate: that is no jitter
		least, cause = frame.TicksPerFrame/2, s.shutBy
	}
	s.joins, s.resumed = 0, false
	switch {
	case late < least:
		return
	case late > int64(s.clockRoom(now, place)/100):
		s.host.visit.wildTimes++
		return
	}
	frames := (late + frame.TicksPerFrame/2) / frame.TicksPerFrame
	s.keepGap(b, frame.Gap{
		Kind: f.Kind, Source: f.Source, FirstSeq: f.Seq, FromTime: f.MediaTime - frames*frame.TicksPerFrame, ToTime: f.MediaTime, Cause: cause,
	})
}

// numbered is how many of the numbers that are missing before a frame are those of mixed
// audio, for all that is known. Under mu.
func (s *session) numbered(seq uint64) (n uint64) {
	if s.streams.alone() {
		return seq - s.next
	}
	for _, g := range s.announced {
		if g.Kind == frame.MixedAudio {
			end := min(g.FirstSeq+g.Count, seq)
			n += end - min(max(g.FirstSeq, s.next), end)
		}
	}
	return n
}
