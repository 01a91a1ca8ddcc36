package host

import (
	"time"
)

// forget drops what was captured longer ago than the host remembers, also where
// nothing new comes.
func (h *Host) forget(s *session) {
	h.spill(s)
	since := h.positionBefore(s, h.opt.Memory)
	for s.oldest < s.next {
		r, ok := s.run(s.oldest)
		if !ok || r.Position >= since {
			return
		}
		old := uint64(since-r.Position+FrameSamples-1) / FrameSamples //nolint:gosec // positive
		s.oldest = max(s.oldest, r.FirstSeq+min(old, r.Count))
		if old < r.Count {
			return
		}
	}
}

// positionBefore is where the session's media was so long ago.
func (h *Host) positionBefore(s *session, ago time.Duration) int64 {
	return int64((h.clock.media()-s.start-ago)/frameTime) * FrameSamples
}

// spill drops video that waits for its acknowledgement for longer than there is room:
// whole groups of pictures, from a key frame to the next. Where nothing is left, a key
// frame is requested, for without it nobody could go on.
func (h *Host) spill(s *session) {
	if s.scene == nil {
		return
	}
	since := h.positionBefore(s, h.opt.VideoMemory)
	for _, of := range s.rec.Streams {
		held := s.scene.held[of.Stream]
		for len(held) > 0 && s.rec.Runs[held[0]].FirstSeq <= s.acked {
			held = held[1:]
		}
		full := len(held) > 0
		for len(held) > 0 && s.rec.Runs[held[0]].Position < since {
			s.rec.Runs[held[0]].Dropped = true
			for held = held[1:]; len(held) > 0 && !s.rec.Runs[held[0]].Picture.Key; held = held[1:] {
				s.rec.Runs[held[0]].Dropped = true
			}
		}
		s.scene.held[of.Stream] = held
		if full && len(held) == 0 {
			s.requestKey(of.Stream)
		}
	}
}

// requestKey lets the next picture of a stream be a key frame.
func (s *session) requestKey(of Stream) {
	for _, k := range s.scene.sockets {
		if k.sub != nil && k.sub.camera.Source == of.Source && k.sub.camera.kind() == of.Kind {
			k.sub.key = true
		}
	}
}

// gone tells whether the frame at the cursor is held no more.
func (s *session) gone() bool {
	if s.cursor < s.oldest {
		return true
	}
	r, ok := s.run(s.cursor)
	return ok && r.Dropped && r.FirstSeq <= s.cursor
}

// overflow announces that the frames from the cursor on, below end, are no longer
// held; up to the next hole in time or number, or frame of another stream: what lies
// behind it is a gap of its own.
func (h *Host) overflow(s *session, p *packer, end uint64) {
	first, ok := s.run(s.cursor)
	switch {
	case !ok:
		s.cursor = end // numbers that no frame has
		return
	case first.FirstSeq > s.cursor:
		s.cursor = min(end, first.FirstSeq)
		return
	}
	end = min(end, s.stretch(first))
	n := int64(s.cursor - first.FirstSeq) //nolint:gosec // within a run
	g := GapRecord{
		Stream: first.Stream, FirstSeq: s.cursor, Count: end - s.cursor, Reason: "overflow", Announced: true, At: time.Now(),
		Position: first.Position + n*FrameSamples, From: s.mediaTime(first.Position/FrameSamples + n),
	}
	switch {
	case first.Picture != nil:
		g.From, g.To = first.Time, first.Time
		if last, ok := s.run(end - 1); ok {
			g.To = last.Time
		}
	default:
		g.Samples = int64(g.Count) * FrameSamples //nolint:gosec // bounded by what was captured
		g.To = g.From + g.Samples*TicksPerSample
	}
	if end <= s.acked+1 {
		g.Reason = "host" // it was acknowledged, and is asked for again
	}
	s.rec.Overflows = append(s.rec.Overflows, g)
	p.message(gapMessage(s.handle, g))
	s.gapSaid[g.Stream] = true
	s.cursor = end
}

// stretch is the seq behind the last frame that is held no more and follows the run's
// without a hole, in its stream.
func (s *session) stretch(r Run) uint64 {
	for {
		end := r.end()
		if !r.Dropped {
			end = min(end, max(s.oldest, r.FirstSeq))
		}
		next, ok := s.run(end)
		if end < r.end() || !ok || next.FirstSeq != end || !next.follows(r) || (!next.Dropped && end >= s.oldest) {
			return end
		}
		r = next
	}
}

// follows tells whether nothing of the stream is missing between two runs whose
// numbers follow each other.
func (r Run) follows(before Run) bool {
	return r.Stream == before.Stream && (r.Picture != nil || r.Position == before.Position+int64(before.Count)*FrameSamples) //nolint:gosec // what was captured
}
