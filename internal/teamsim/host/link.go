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
		case s.gone():
			end := max(s.oldest, s.cursor+1)
			if s.cursor >= s.oldest {
				end = s.next // pictures that were dropped
			}
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
		handle: s.handle, seq: s.cursor, stream: run.Stream, position: run.Position + n*FrameSamples,
		time: run.Time + n*TicksPerFrame, bytes: frameBytes, picture: run.Picture, socket: run.Socket,
	}
	if s.gapSaid[run.Stream] || (run.AfterGap && n == 0) {
		f.flags = flagAfterGap
		delete(s.gapSaid, run.Stream)
	}
	if run.Stream.Kind == KindMixed || (run.Stream.Kind == KindUnmixed && f.position >= senderKnown) {
		f.sender = f.time
	}
	if run.Malformed && s.cursor > s.rec.SentHigh {
		f.bytes = malformedBytes // what is sent again is sound
	}
	audio := s.rec.Audio
	switch {
	case run.Outside && s.outside != nil:
		audio = s.outside
	case run.Stream.Kind == KindUnmixed:
		audio = s.voice(run.Stream)
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
