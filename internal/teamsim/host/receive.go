package host

import (
	"time"

	pb "github.com/recorderbot/recorderbot/internal/media/link/mediahostv1"
	"github.com/recorderbot/recorderbot/internal/teamsim/trace"
)

// receive does what the recorder says. Messages for unknown handles are
// ignored: the session may have been closed or fenced while they were under way.
func (h *Host) receive(l *link, m *pb.ToHost) {
	switch m := m.GetMessage().(type) {
	case *pb.ToHost_Attach:
		h.attach(l, m.Attach)
	case *pb.ToHost_Open:
		if s := l.handles[m.Open.GetHandle()]; s != nil {
			h.openSession(s)
		}
	case *pb.ToHost_Pause:
		if s := l.handles[m.Pause.GetHandle()]; s != nil {
			h.pauseSession(s)
		}
	case *pb.ToHost_Acks:
		for _, a := range m.Acks.GetAcks() {
			if s := l.handles[a.GetHandle()]; s != nil {
				h.ack(s, a.GetDurableSeq())
			}
		}
	case *pb.ToHost_Subscribe:
		if s := l.handles[m.Subscribe.GetHandle()]; s != nil {
			h.subscribe(s, m.Subscribe)
		}
	case *pb.ToHost_Unsubscribe:
		h.onSocket(l.handles[m.Unsubscribe.GetHandle()], m.Unsubscribe.GetSocket(), func(k *socket) { k.sub = nil })
	case *pb.ToHost_RequestKeyFrame:
		h.onSocket(l.handles[m.RequestKeyFrame.GetHandle()], m.RequestKeyFrame.GetSocket(), func(k *socket) {
			if k.sub != nil {
				k.sub.key = true
			}
		})
	case *pb.ToHost_Detach:
		if s := l.handles[m.Detach.GetHandle()]; s != nil {
			h.capture(s)
			h.shut(s, time.Now())
			h.unlink(s, true)
		}
	case nil:
	}
}

// onSocket does something to a socket, behind all that came until now.
func (h *Host) onSocket(s *session, number uint32, do func(k *socket)) {
	if s == nil {
		return
	}
	h.capture(s)
	if k := s.socket(number); k != nil {
		do(k)
	}
}

// attach takes a session onto a link.
func (h *Host) attach(l *link, m *pb.Attach) {
	s := h.sessions[m.GetSessionId()]
	refuse := pb.AttachRefused_REASON_UNSPECIFIED
	switch other := l.handles[m.GetHandle()]; {
	case s == nil || s.closing:
		refuse = pb.AttachRefused_REASON_UNKNOWN_SESSION
	case m.GetLease() < s.rec.Lease:
		refuse = pb.AttachRefused_REASON_STALE_LEASE
	case other != nil && other != s:
		refuse = pb.AttachRefused_REASON_HANDLE_IN_USE
	}
	if refuse != pb.AttachRefused_REASON_UNSPECIFIED {
		l.ctrl = append(l.ctrl, &pb.FromHost{Message: &pb.FromHost_AttachRefused{AttachRefused: &pb.AttachRefused{
			Handle: m.GetHandle(), Reason: refuse,
		}}})
		h.trace(trace.Event{Kind: trace.AttachRefused, Session: m.GetSessionId(), Lease: m.GetLease(), Detail: refuse.String()})
		return
	}
	h.capture(s)
	if s.link == l && s.handle == m.GetHandle() {
		h.unlink(s, true)
	}
	h.fence(s, m.GetLease())
	if n := len(s.rec.Breaks); n > 0 {
		s.rec.Breaks[n-1].Up = time.Now()
	}
	s.rec.Lease = m.GetLease()
	s.link, s.handle = l, m.GetHandle()
	l.handles[s.handle] = s
	l.sessions = append(l.sessions, s)
	s.rewind(m.GetFromSeq())
	attached := &pb.Attached{Handle: s.handle, NextSeq: s.next, Open: s.open}
	if s.oldest < s.next {
		attached.OldestSeq = s.oldest
	}
	l.ctrl = append(l.ctrl, &pb.FromHost{Message: &pb.FromHost_Attached{Attached: attached}})
	l.ctrl = append(l.ctrl, s.statuses()...)
	s.unsay()
	h.traceSession(s, trace.Event{Kind: trace.SessionAttached, Seq: m.GetFromSeq(), Lease: m.GetLease()})
}

// unsay forgets that it was told who speaks: there is somebody else to be told.
func (s *session) unsay() {
	if s.scene != nil {
		s.scene.told = nil
	}
}

// rewind puts the cursor where a new link has to begin. Replies that the old
// link lost are not repeated, the recorder asks again; gaps are, and the receive
// status of sockets is told anew.
func (s *session) rewind(from uint64) {
	s.cursor = min(max(from, 1), s.next)
	clear(s.gapSaid)
	s.sent = 0
	kept := s.items[:0]
	for _, it := range s.items {
		if it.needed(s.cursor - 1) {
			kept = append(kept, it)
		}
	}
	s.items = kept
}

// openSession answers Open with Opened and lets the media in.
func (h *Host) openSession(s *session) {
	now := time.Now()
	h.traceSession(s, trace.Event{Kind: trace.OpenReceived, At: now})
	if s.failed {
		return
	}
	if f, ok := s.take(FaultNeverOpened); ok {
		h.note(s, f, time.Time{})
		s.rec.Periods = append(s.rec.Periods, Period{
			OpenAsked: now, FirstSeq: s.next, LastSeq: s.next - 1, From: s.frame * FrameSamples, To: s.frame * FrameSamples,
		})
		return
	}
	if !s.open {
		h.capture(s) // drops what came before
		s.open, s.newRun = true, true
		if s.scene != nil {
			s.scene.opened, s.scene.told = time.Duration(s.frame)*frameTime, []uint32{}
		}
		if s.openedAt < 0 {
			s.openedAt = s.frame
		}
		s.rec.Periods = append(s.rec.Periods, Period{OpenAsked: now, FirstSeq: s.next, From: s.frame * FrameSamples})
	}
	index := len(s.rec.Periods) - 1
	first := s.rec.Periods[index].FirstSeq
	s.say(func(handle uint32) *pb.FromHost {
		return &pb.FromHost{Message: &pb.FromHost_Opened{Opened: &pb.Opened{Handle: handle, FirstSeq: first}}}
	}, func() {
		if p := &s.rec.Periods[index]; p.Opened.IsZero() {
			p.Opened = time.Now()
			h.traceSession(s, trace.Event{Kind: trace.SessionOpened, At: p.Opened, Seq: first})
		}
	})
}

// shut keeps the media out from now on.
func (h *Host) shut(s *session, now time.Time) {
	if !s.open {
		return
	}
	s.open = false
	if s.mode.left > 0 {
		// What the platform has not delivered yet is never missed.
		if s.endLossRun(now); s.scene != nil {
			clear(s.scene.missed)
		}
		s.rec.Faults[s.mode.index].Until = now
		s.mode = mode{}
	}
	p := s.period()
	p.LastSeq, p.To = s.next-1, s.frame*FrameSamples
}

// pauseSession answers Pause with Paused, behind the last frame.
func (h *Host) pauseSession(s *session) {
	now := time.Now()
	h.traceSession(s, trace.Event{Kind: trace.PauseReceived, At: now})
	h.capture(s)
	h.shut(s, now)
	index := len(s.rec.Periods) - 1
	last := uint64(0)
	if index >= 0 {
		last = s.rec.Periods[index].LastSeq
		if p := &s.rec.Periods[index]; p.PauseAsked.IsZero() {
			p.PauseAsked = now
		}
	}
	if f, ok := s.take(FaultNeverPaused); ok {
		h.note(s, f, time.Time{})
		return
	}
	s.say(func(handle uint32) *pb.FromHost {
		return &pb.FromHost{Message: &pb.FromHost_Paused{Paused: &pb.Paused{Handle: handle, LastSeq: last}}}
	}, func() {
		if index < 0 || !s.rec.Periods[index].Paused.IsZero() {
			return
		}
		p := &s.rec.Periods[index]
		p.Paused = time.Now()
		h.traceSession(s, trace.Event{Kind: trace.SessionPaused, At: p.Paused, Seq: last})
		h.checkAllAcked(s, p, p.Paused)
	})
	if f, ok := s.take(FaultLate); ok {
		h.note(s, f, time.Time{})
		s.lateLeft, s.newRun = f.frames(), true
	}
}
