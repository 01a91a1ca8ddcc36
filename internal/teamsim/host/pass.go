package host

import (
	"slices"
	"time"

	pb "github.com/recorderbot/recorderbot/internal/media/link/mediahostv1"
)

// pass gives the frames of the next n ticks their numbers. like says what is special.
func (s *session) pass(n int64, like Run, now time.Time) {
	if s.scene == nil {
		s.number(n, like, now)
		return
	}
	for range n {
		frames := s.bring()
		if like.Outside && s.outside != nil {
			frames = append(frames, Run{ // last, for it is no frame of the cast
				Stream: Stream{KindUnmixed, OutsideSpeaker}, Count: 1, Position: (s.frame - 1) * FrameSamples, Time: s.mediaTime(s.frame-1) + s.step,
			})
			if !s.scene.unmixed {
				frames = frames[:len(frames)-1]
			}
		}
		for _, f := range frames {
			f.Outside, f.Malformed, f.Twice, f.Stray = like.Outside, like.Malformed && f.Picture == nil, like.Twice, like.Stray
			s.add(f, now)
		}
	}
}

// drop lets the time pass up to a tick without keeping anything.
func (s *session) drop(until int64) {
	s.newRun = true
	for s.scene != nil && s.frame < until {
		s.bring()
	}
	s.frame = until
}

// add gives a frame its number.
func (s *session) add(f Run, now time.Time) {
	s.endLossRun(now)
	if k := len(s.rec.Runs); k > 0 && !s.newRun && !s.afterGap[f.Stream] && s.rec.Runs[k-1].goesOn(f, s.next) {
		last := &s.rec.Runs[k-1]
		last.Count++
		last.LastAt = now
		s.next++
		return
	}
	f.FirstSeq, f.FirstAt, f.LastAt = s.next, now, now
	f.AfterGap = s.afterGap[f.Stream]
	delete(s.afterGap, f.Stream)
	if f.Picture != nil {
		s.scene.held[f.Stream] = append(s.scene.held[f.Stream], len(s.rec.Runs))
	}
	s.meet(f.Stream)
	s.rec.Runs = append(s.rec.Runs, f)
	s.newRun = false
	s.next++
}

// goesOn tells whether a frame of audio with the number continues the run.
func (r *Run) goesOn(f Run, seq uint64) bool {
	return r.Stream == f.Stream && r.Picture == nil && f.Picture == nil && r.end() == seq &&
		r.Position+int64(r.Count)*FrameSamples == f.Position && r.Time+int64(r.Count)*TicksPerFrame == f.Time && //nolint:gosec // what was captured
		r.Outside == f.Outside && r.Malformed == f.Malformed && r.Twice == f.Twice && r.Stray == f.Stray
}

// meet notes a stream that was not there before.
func (s *session) meet(of Stream) {
	if s.scene.known[of] {
		return
	}
	s.scene.known[of] = true
	r := StreamRecord{Stream: of}
	if of.Kind <= KindUnmixed {
		r.Audio = s.voice(of)
	}
	s.rec.Streams = append(s.rec.Streams, r)
}

// passOdd lets a tick pass under a fault that lasts.
func (s *session) passOdd(now time.Time) {
	m := &s.mode
	for _, f := range s.bring() {
		if m.fault.Source != 0 && m.fault.Source != f.Stream.Source {
			s.add(f, now)
			continue
		}
		switch m.kind { //nolint:exhaustive // the others do not last
		case FaultGap, FaultHole:
			s.lose(f, now)
		case FaultSkip, FaultSilentSkip:
			s.miss(f, now)
		case FaultAbsurdTime:
			f.Time = []int64{0, -1, f.Time + 3*24*3600*10_000_000}[m.left%3]
			f.Absurd = true
			s.add(f, now)
		default:
			f.Malformed = m.kind == FaultMalformed && f.Picture == nil
			f.Twice, f.Stray = m.kind == FaultDuplicate, m.kind == FaultUnknownHandle
			s.add(f, now)
		}
	}
	if m.left == 0 {
		s.endOdd(now)
	}
}

// endOdd says what came of a fault that lasted.
func (s *session) endOdd(now time.Time) {
	s.endLossRun(now)
	s.endMissed(now)
	s.rec.Faults[s.mode.index].Until = now
	s.mode = mode{}
}

// span is what a frame covers: of audio its samples and times, of video its time.
func (r Run) span() (samples, from, to int64) {
	if r.Picture != nil {
		return 0, r.Time, r.Time
	}
	return FrameSamples, r.Time, r.Time + TicksPerFrame
}

// lose gives a frame a number under which it never comes.
func (s *session) lose(f Run, now time.Time) {
	samples, from, to := f.span()
	if g := s.scene.loss; g != nil && (g.Stream != f.Stream || (samples > 0 && g.To != from)) {
		s.endLossRun(now)
	}
	if s.scene.loss == nil {
		s.scene.loss = &GapRecord{
			Stream: f.Stream, FirstSeq: s.next, From: from, Position: f.Position, At: now,
			Reason: s.mode.reason(), Announced: s.mode.kind == FaultGap,
		}
	}
	g := s.scene.loss
	g.Count++
	g.Samples += samples
	g.To = to
	s.next++
}

// endLossRun ends a stretch of numbers of one stream that never come.
func (s *session) endLossRun(now time.Time) {
	if s.scene == nil || s.scene.loss == nil {
		return
	}
	g := *s.scene.loss
	s.scene.loss = nil
	g.At = now
	s.rec.Gaps = append(s.rec.Gaps, g)
	s.announce(g)
}

// miss lets a frame pass that the platform does not deliver.
func (s *session) miss(f Run, now time.Time) {
	samples, from, to := f.span()
	g := s.scene.missed[f.Stream]
	if g != nil && samples > 0 && g.To != from {
		s.missed(g, now)
		g = nil
	}
	if g == nil {
		g = &GapRecord{Stream: f.Stream, From: from, Position: f.Position, Reason: s.mode.reason(), Announced: s.mode.kind == FaultSkip}
		s.scene.missed[f.Stream] = g
	}
	g.Samples += samples
	g.To = to
}

// endMissed tells what the platform has not delivered, stream by stream.
func (s *session) endMissed(now time.Time) {
	var all []*GapRecord
	for _, g := range s.scene.missed {
		all = append(all, g)
	}
	slices.SortFunc(all, func(a, b *GapRecord) int { return a.Stream.compare(b.Stream) })
	for _, g := range all {
		s.missed(g, now)
	}
	clear(s.scene.missed)
}

func (s *session) missed(g *GapRecord, now time.Time) {
	g.FirstSeq, g.At = s.next, now
	s.rec.Gaps = append(s.rec.Gaps, *g)
	s.announce(*g)
}

// announce says, in its place, what never comes, unless nobody is to know.
func (s *session) announce(g GapRecord) {
	if !g.Announced {
		return
	}
	s.afterGap[g.Stream] = true
	s.items = append(s.items, item{
		before: g.FirstSeq, gap: &g,
		message: func(handle uint32) *pb.FromHost { return gapMessage(handle, g) },
	})
}

// reason is that of what the fault swallows, as records have it.
func (m mode) reason() string {
	switch {
	case m.fault.Reason != "":
		return m.fault.Reason
	case m.kind == FaultSkip:
		return "platform"
	}
	return "overflow"
}
