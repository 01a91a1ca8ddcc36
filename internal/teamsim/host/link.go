package host

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"google.golang.org/grpc"

	pb "github.com/recorderbot/recorderbot/internal/media/link/mediahostv1"
	"github.com/recorderbot/recorderbot/internal/teamsim/trace"
)

// A link is one Link stream. Its sender is the handler's goroutine; guarded by
// Host.mu but for wake, gone and pack, which only the sender uses.
type link struct {
	stream   grpc.BidiStreamingServer[pb.ToHost, pb.FromHost]
	handles  map[uint32]*session
	sessions []*session // in order of Attach
	first    int        // where the next pass begins: nobody starves
	ctrl     []*pb.FromHost

	dead bool // its connection was broken by a fault: nothing goes in or out

	wake chan struct{} // capacity 1
	gone chan struct{} // closed when the recorder's side ended; orderly is set before
	// orderly: the recorder closed the stream, it did not break.
	orderly bool

	pack packer
}

// Link carries one recorder process's sessions until either side ends it.
func (h *Host) Link(stream grpc.BidiStreamingServer[pb.ToHost, pb.FromHost]) error {
	l := &link{
		stream: stream, handles: make(map[uint32]*session),
		wake: make(chan struct{}, 1), gone: make(chan struct{}),
	}
	h.mu.Lock()
	h.links[l] = struct{}{}
	l.ctrl = append(l.ctrl, infoMessage(h.info()))
	h.trace(trace.Event{Kind: trace.LinkUp})
	h.mu.Unlock()
	l.nudge()

	h.tasks.Go(func() { h.read(l) })
	err := h.send(l)
	h.mu.Lock()
	defer h.mu.Unlock()
	orderly := false
	select {
	case <-l.gone:
		orderly = l.orderly
	default:
	}
	for len(l.sessions) > 0 {
		h.unlink(l.sessions[0], orderly)
	}
	delete(h.links, l)
	h.trace(trace.Event{Kind: trace.LinkDown})
	return err
}

// nudge tells the sender that there may be something to send.
func (l *link) nudge() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// wake nudges all links.
func (h *Host) wake() {
	for l := range h.links {
		l.nudge()
	}
}

// read takes the recorder's messages until its side ends.
func (h *Host) read(l *link) {
	defer close(l.gone)
	for {
		m, err := l.stream.Recv()
		if err != nil {
			l.orderly = errors.Is(err, io.EOF)
			return
		}
		h.mu.Lock()
		if !l.dead {
			h.receive(l, m)
		}
		h.mu.Unlock()
		l.nudge()
	}
}

// send sends what is due until the link ends.
func (h *Host) send(l *link) error {
	for {
		select {
		case <-h.stopped.Done():
			return nil
		case <-l.gone:
			return nil
		case <-l.wake:
		}
		for {
			h.mu.Lock()
			out := h.gather(l)
			h.mu.Unlock()
			if len(out) == 0 {
				break
			}
			for _, m := range out {
				if err := l.stream.Send(m); err != nil {
					return fmt.Errorf("send: %w", err)
				}
			}
		}
	}
}

// gather makes the next messages for a link; none where nothing is due.
func (h *Host) gather(l *link) []*pb.FromHost {
	p := &l.pack
	p.reset()
	if h.clock.wall().Before(h.state.stalledUntil) {
		return nil
	}
	p.out = append(p.out, l.ctrl...)
	l.ctrl = nil
	// A session may leave the list while it is walked (SessionClosed).
	sessions := slices.Clone(l.sessions)
	for i := range sessions {
		if p.full() {
			break
		}
		s := sessions[(l.first+i)%len(sessions)]
		if h.walk(s, p); p.full() {
			l.first = (l.first + i) % len(sessions) // it may have more
		}
	}
	p.flush()
	return p.out
}

// walk sends a session's frames and items, each in its place.
func (h *Host) walk(s *session, p *packer) {
	for !p.full() && s.link != nil {
		waiting := s.sent < len(s.items)
		switch {
		case waiting && s.items[s.sent].before <= s.cursor:
			it := s.items[s.sent]
			s.sent++
			p.message(it.message(s.handle))
			if it.gap != nil {
				s.cursor = max(s.cursor, it.before+it.gap.Count)
			}
			if it.sent != nil {
				it.sent()
			}
		case s.cursor < s.oldest:
			end := s.oldest
			if waiting {
				end = min(end, s.items[s.sent].before)
			}
			h.overflow(s, p, end)
		case s.cursor < s.next:
			run, ok := s.run(s.cursor)
			if !ok || (waiting && run.FirstSeq >= s.items[s.sent].before) {
				// Behind the last frame, or before an item: a hole ends here.
				s.cursor = s.next
				if waiting {
					s.cursor = s.items[s.sent].before
				}
				continue
			}
			s.cursor = max(s.cursor, run.FirstSeq)
			s.emit(p, run)
		default:
			return
		}
	}
}

// emit sends the frame at the cursor.
func (s *session) emit(p *packer, run Run) {
	n := int64(s.cursor - run.FirstSeq) //nolint:gosec // within a run
	f := shot{
		handle: s.handle, seq: s.cursor, position: run.Position + n*FrameSamples,
		time: run.Time + n*TicksPerFrame, bytes: frameBytes,
	}
	if s.gapSaid || (run.AfterGap && n == 0) {
		f.flags, s.gapSaid = flagAfterGap, false
	}
	if run.Malformed && s.cursor > s.rec.SentHigh {
		f.bytes = malformedBytes // what is sent again is sound
	}
	audio := s.rec.Audio
	if run.Outside && s.outside != nil {
		audio = s.outside
	}
	p.frame(audio, f)
	if run.Twice {
		p.frame(audio, f)
	}
	if run.Stray {
		f.handle = strayHandle
		p.frame(audio, f)
	}
	s.rec.SentHigh = max(s.rec.SentHigh, s.cursor)
	s.cursor++
}

// overflow announces that the frames from the cursor to end, exclusive, are no
// longer held; up to the next hole in time, what lies behind it is a gap of its
// own.
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
	end = min(end, s.unbroken(first))
	g := GapRecord{
		FirstSeq: s.cursor, Count: end - s.cursor, Reason: "overflow", Announced: true, At: time.Now(),
		From: s.mediaTime(first.Position/FrameSamples + int64(s.cursor-first.FirstSeq)), //nolint:gosec // within a run
	}
	g.Samples = int64(g.Count) * FrameSamples //nolint:gosec // bounded by what was captured
	g.To = g.From + g.Samples*TicksPerSample
	if end <= s.acked+1 {
		g.Reason = "host" // it was acknowledged, and is asked for again
	}
	s.rec.Overflows = append(s.rec.Overflows, g)
	p.message(gapMessage(s.handle, g))
	s.cursor, s.gapSaid = end, true
}

// unbroken is the seq behind the last frame that follows without a hole.
func (s *session) unbroken(r Run) uint64 {
	for {
		next, ok := s.run(r.end())
		if !ok || next.FirstSeq != r.end() || next.Position != r.Position+int64(r.Count)*FrameSamples { //nolint:gosec // what was captured
			return r.end()
		}
		r = next
	}
}

// unlink takes a session off its link.
func (h *Host) unlink(s *session, orderly bool) {
	l := s.link
	if l == nil {
		return
	}
	delete(l.handles, s.handle)
	l.sessions = slices.DeleteFunc(l.sessions, func(o *session) bool { return o == s })
	l.first = 0
	s.link = nil
	s.detached = h.clock.wall()
	s.rec.Breaks = append(s.rec.Breaks, Break{Down: time.Now(), Orderly: orderly})
	if s.closing {
		h.dispose(s, "platform")
	}
}

// fence gives the session away from its link.
func (h *Host) fence(s *session, lease uint64) {
	l, handle := s.link, s.handle
	if l == nil {
		return
	}
	h.unlink(s, false)
	l.ctrl = append(l.ctrl, &pb.FromHost{Message: &pb.FromHost_Detached{Detached: &pb.Detached{Handle: handle, ByLease: lease}}})
	l.nudge()
}

// breakLinks breaks all connections, and lets nobody in for a time.
func (h *Host) breakLinks(now time.Time, length time.Duration) {
	for l := range h.links {
		l.dead = true
		l.ctrl = nil
		for len(l.sessions) > 0 {
			h.unlink(l.sessions[0], false)
		}
	}
	h.lis.setDown(true)
	if length <= 0 {
		h.lis.setDown(false)
		return
	}
	h.state.downUntil = now.Add(length)
}
