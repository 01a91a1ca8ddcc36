package media

import (
	"context"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/media/subscription"
)

// Bounds of what is believed of a host, in frames.
const (
	// maxHole is how far a number may jump without an announcement: a minute of
	// all streams that a host can send.
	maxHole = 1 << 16
	// maxGap is how much one announcement may say to be missing: a day of audio.
	maxGap = 1 << 22
	// maxLate is how many frames behind its last a host may send in a pause.
	maxLate = 50
	// maxAnnounced bounds the announcements that wait for their place.
	maxAnnounced = 256
)

// take stores a frame, or says why not. It is the only way of a frame into the
// spool. Called by the link's reader, inside spool.Update and under mu.
func (s *session) take(b *spool.Batch, f *frame.Frame, now time.Time) (reason, bool) {
	if why, ok := s.admits(f, now); !ok {
		s.discarded[why]++
		if s.gate == gateOpen && s.stuckAt.IsZero() {
			s.stuckAt = now
		}
		s.refusedAt = now
		if why == afterPaused || why == afterSeal {
			s.strays(f.Seq)
		}
		return why, false
	}
	if f.Seq > s.next || s.resumed || s.joins != 0 {
		if !s.permit.Live() {
			s.discarded[afterSeal]++
			return afterSeal, false
		}
		s.join(b, f, now)
		s.hole(b, f)
		s.silence(b, f, now)
	}
	audio := f.Kind.Audio()
	if audio {
		s.judge(b, f, now)
	}
	// The spool asks the permit, last: it may be withdrawn at any moment.
	if !b.Frame(s.recording, *f) {
		s.discarded[afterSeal]++
		return afterSeal, false
	}
	s.line.Frame(f.Header)
	missing := f.Seq - s.next // admits has seen to it that there are none too few
	s.missing += missing
	s.next = f.Seq + 1
	if !audio {
		s.seen(f, missing > 0)
		s.stuckAt = time.Time{}
		return 0, true
	}
	s.lastAt, s.skipped = now, 0
	if !s.stuckAt.IsZero() {
		s.stuckAt = time.Time{}
	}
	if f.MediaTime > 0 {
		s.lastTime = f.MediaTime
	}
	return 0, true
}

// admits is the gate. Under mu.
func (s *session) admits(f *frame.Frame, now time.Time) (reason, bool) {
	switch s.gate {
	case gateClosed:
		return beforeConsent, false
	case gateArmed:
		return beforeOpened, false
	case gateShut:
		return afterSeal, false
	case gatePaused:
		if f.Seq > s.last {
			return afterPaused, false
		}
	case gateOpen:
	}
	switch {
	case s.lost != nil:
		return afterSeal, false
	case f.Seq < s.first:
		return beforeOpened, false
	case f.Seq < s.next:
		return duplicate, false
	case f.Seq-s.next > maxHole && !s.foretold(f.Seq):
		return implausible, false
	case f.Seq > s.next && f.Seq-s.next > s.missable(now):
		return implausible, false
	case !s.streams.has(f.Kind):
		return unwanted, false
	case !s.line.Room(f.Kind, f.Source):
		return implausible, false // missing by its number, then
	}
	return 0, true
}

// strays notes the number of a frame that a host sends of a pause, against the contract:
// it is no frame of the recording that follows. More than a second of such is not
// believed. Under mu.
func (s *session) strays(seq uint64) {
	if seq-s.next < maxLate { // of a number below it is more than anything
		s.lateSeq = max(s.lateSeq, seq)
	}
}

// foretold reports whether announced gaps reach near enough to a number to
// explain it. Under mu.
func (s *session) foretold(seq uint64) bool {
	for _, g := range s.announced {
		if end := g.FirstSeq + g.Count; end <= seq && seq-end <= maxHole && g.FirstSeq <= s.next+maxHole {
			return true
		}
	}
	return false
}

// promised returns the last frame that there was, where last is known to be one: the
// announced gaps that begin right behind it say that there were more. Under mu.
func (s *session) promised(last uint64) uint64 {
	for again := true; again; {
		again = false
		for _, g := range s.announced {
			if end := g.FirstSeq + g.Count; g.FirstSeq <= last+1 && end > last+1 {
				last, again = end-1, true
			}
		}
	}
	return last
}

// hole records what is missing before f, but for what was announced. Under mu.
func (s *session) hole(b *spool.Batch, f *frame.Frame) {
	for at := s.next; at < f.Seq; {
		end := f.Seq
		known := false
		for _, g := range s.announced {
			switch {
			case g.FirstSeq <= at && at < g.FirstSeq+g.Count:
				end, known = min(f.Seq, g.FirstSeq+g.Count), true
			case g.FirstSeq > at && !known:
				end = min(end, g.FirstSeq)
			}
		}
		if !known {
			s.holed = allSockets // nobody knows whose it was
			s.keepGap(b, frame.Gap{
				Kind: f.Kind, Source: f.Source, FirstSeq: at, Count: end - at,
				FromTime: s.due(), ToTime: f.MediaTime, Cause: frame.CauseUnannounced,
			})
		}
		at = end
	}
	s.announced = slices.DeleteFunc(s.announced, func(g frame.Gap) bool { return g.FirstSeq+g.Count <= f.Seq })
}

// due is when the next frame would begin. Under mu.
func (s *session) due() int64 {
	if s.lastTime == 0 {
		return 0
	}
	return s.lastTime + frame.TicksPerFrame
}

// silence records the time for which the host had closed its own gate, in whole
// frames, for it is told by jittering times: its numbers don't show it. Nothing to
// do otherwise. Under mu.
func (s *session) silence(b *spool.Batch, f *frame.Frame, now time.Time) {
	if !s.resumed || f.Kind != s.kind {
		return
	}
	s.resumed = false
	g := frame.Gap{
		Kind: f.Kind, Source: f.Source, FirstSeq: f.Seq, FromTime: s.due(), ToTime: f.MediaTime, Cause: s.shutBy,
	}
	// What was announced since the last frame is recorded already.
	frames := max(length(g)-s.skipped+frameLength/2, 0) / frameLength
	if s.lastTime == 0 || f.Seq != s.next || frames == 0 {
		return
	}
	g.ToTime = g.FromTime + int64(frames)*frame.TicksPerFrame
	if !s.spend(g, now) {
		v := &s.host.visit // said behind the locks
		v.wrongGaps, v.wrongGap = v.wrongGaps+1, g
		return // the frame's place tells, the clock does not
	}
	s.keepGap(b, g)
}

// keepGap stores a gap. Under mu, inside spool.Update.
func (s *session) keepGap(b *spool.Batch, g frame.Gap) {
	if b.Gap(s.recording, g) {
		s.line.Gap(g)
	}
}

// Gap implements link.Owner. The announcement is stored as it came; it counts
// where its place is.
func (s *session) Gap(g frame.Gap) {
	// Nothing but the session's own kinds takes numbers: a gap of another kind would
	// pass them over without a sample for what is missing.
	foreign := !s.streams.has(g.Kind) || (g.Kind == frame.MixedAudio && g.Source != 0)
	if foreign || g.Count > maxGap || g.FirstSeq+g.Count < g.FirstSeq || (g.Count > 0 && g.FirstSeq == 0) {
		s.host.impossible(g)
		return
	}
	s.heard(g)
	if !g.Kind.Audio() {
		s.replan(func(p *subscription.Plan) { p.Lost(g.Source) })
	}
}

// heard takes an announcement, of the host or our own.
func (s *session) heard(g frame.Gap) {
	refused := false
	s.write(func(b *spool.Batch) { refused = !s.hearGap(b, g, time.Now()) })
	if refused {
		s.host.impossible(g)
	}
}

// hearGap stores an announcement that could be true, and reports false for one that
// can't. Under mu, inside spool.Update.
func (s *session) hearGap(b *spool.Batch, g frame.Gap, now time.Time) bool {
	if s.gate != gateOpen || !s.permit.Live() {
		return true // nothing is recorded: nothing is missing
	}
	if g.Count > 0 {
		if g.FirstSeq+g.Count <= s.first {
			return true
		}
		g = g.Behind(s.first)
	}
	switch {
	case g.Count > 0 && !s.believable(g, now), !s.named(g.Source), g.Count == 0 && !s.spend(g, now):
		return false
	case g.Count > 0 && !s.announce(g):
		return true
	}
	s.wokenAt, s.gapHeard = now, true
	if g.Count == 0 && g.Kind == s.kind && g.ToTime > s.lastTime {
		s.skipped += length(g)
	}
	s.keepGap(b, g)
	s.passed = slices.DeleteFunc(s.passed, s.isBehind)
	if g.Count == 0 && !s.isBehind(g) && len(s.passed) < maxAnnounced {
		s.passed = append(s.passed, g)
	}
	return true
}

// isBehind reports that a frame came behind a gap. Under mu.
func (s *session) isBehind(g frame.Gap) bool { return g.FirstSeq < s.next }

// Labels of media_host_faults_total, beside the link's.
const (
	faultGap      = "impossibleGap"
	faultTime     = "impossibleTime"
	faultSpeakers = "tooManySpeakers"
)

// announce keeps an announcement for hole. It reports false where it says
// nothing new: such are as many as the host likes, and so not stored. Under mu.
func (s *session) announce(g frame.Gap) bool {
	first, end := max(g.FirstSeq, s.next), g.FirstSeq+g.Count
	if end <= s.next {
		return s.line.Explains(g)
	}
	for _, old := range s.announced {
		// Of which nobody knows whose frames they were, the host may still tell it.
		if vague := old.Kind == 0 && g.Kind != 0; !vague && old.FirstSeq <= first && end <= old.FirstSeq+old.Count {
			return s.line.Explains(g)
		}
	}
	if len(s.announced) >= maxAnnounced {
		return false // what is missing is found out when the next frame comes
	}
	s.announced = append(s.announced, g)
	return true
}

// write calls f inside spool.Update and under mu.
func (s *session) write(f func(*spool.Batch)) {
	err := s.service.opts.Spool.Update(func(b *spool.Batch) {
		s.mu.Lock()
		defer s.mu.Unlock()
		f(b)
	})
	if err != nil {
		s.log.Warn("not written to the spool", zap.Error(err))
	}
}

// writeWithin is write for those who must not hang with a disk that hangs. What
// was not written when ctx ends may be written later.
func (s *session) writeWithin(ctx context.Context, f func(*spool.Batch)) {
	written := make(chan struct{})
	go func() {
		defer close(written)
		s.write(f)
	}()
	select {
	case <-written:
	case <-ctx.Done():
	}
}
