package link

import (
	"fmt"
	"time"

	"github.com/recorderbot/recorderbot/internal/media/link/mediahostv1"
)

// Fault is a way in which a host broke the contract without harm: a metric's
// label.
type Fault string

// The faults.
const (
	FaultUnknownHandle    Fault = "unknownHandle"    // a message about nobody
	FaultUnexpectedOpened Fault = "unexpectedOpened" // Opened without Open
	FaultUnexpectedPaused Fault = "unexpectedPaused" // Paused without Pause
	FaultUnexpectedAttach Fault = "unexpectedAttach" // Attached twice
	FaultUnknownSocket    Fault = "unknownSocket"    // a video socket that no session can have
	FaultUnknownMessage   Fault = "unknownMessage"   // from a newer contract, or none at all
)

// hear takes any message but frames.
func (l *Link) hear(from *mediahostv1.FromHost) {
	switch m := from.GetMessage().(type) {
	case *mediahostv1.FromHost_Frames:
		l.opts.Handler.Frames(Message{l, m.Frames.GetPacked()}) // with fields that we don't know
		clear(m.Frames.GetPacked())
	case *mediahostv1.FromHost_Info:
		l.hearInfo(infoOf(m.Info))
	case *mediahostv1.FromHost_Attached:
		l.about(m.Attached.GetHandle(), func(s *Session) { l.hearAttached(s, m.Attached) })
	case *mediahostv1.FromHost_AttachRefused:
		l.about(m.AttachRefused.GetHandle(), func(s *Session) { l.hearRefused(s, m.AttachRefused.GetReason()) })
	case *mediahostv1.FromHost_Opened:
		l.about(m.Opened.GetHandle(), func(s *Session) {
			if l.settle(s, wantOpen, &s.opens, FaultUnexpectedOpened) {
				s.owner.Opened(m.Opened.GetFirstSeq())
			}
		})
	case *mediahostv1.FromHost_Paused:
		l.about(m.Paused.GetHandle(), func(s *Session) {
			if l.settle(s, wantPaused, &s.pauses, FaultUnexpectedPaused) {
				s.owner.Paused(m.Paused.GetLastSeq())
			}
		})
	case *mediahostv1.FromHost_Gap:
		l.about(m.Gap.GetHandle(), func(s *Session) { s.owner.Gap(gapOf(m.Gap)) })
	case *mediahostv1.FromHost_ActiveSpeakers:
		a := m.ActiveSpeakers
		l.about(a.GetHandle(), func(s *Session) { s.owner.Speakers(a.GetBeforeSeq(), a.GetSourceIds(), a.GetDominant()) })
	case *mediahostv1.FromHost_StreamFailure:
		l.about(m.StreamFailure.GetHandle(), func(s *Session) {
			l.lose(s, Loss{LossFailure, short(m.StreamFailure.GetDetail())})
		})
	case *mediahostv1.FromHost_Detached:
		if s := l.table.find(m.Detached.GetHandle()); s != nil { // nobody: we had let go of it ourselves
			l.lose(s, Loss{LossDetached, fmt.Sprintf("taken over under lease %d", m.Detached.GetByLease())})
		}
	case *mediahostv1.FromHost_SessionClosed:
		if s := l.table.find(m.SessionClosed.GetHandle()); s != nil {
			l.lose(s, closedOf(m.SessionClosed))
		}
	case *mediahostv1.FromHost_ReceiveStatus, *mediahostv1.FromHost_SubscribeResult:
		l.hearVideo(from)
	default:
		l.opts.Handler.Broken(FaultUnknownMessage)
	}
}

// about calls f with the session of a handle. That of one that we have let go of
// is no fault: the host had not heard it yet.
func (l *Link) about(handle uint32, f func(*Session)) {
	if s := l.table.find(handle); s != nil {
		f(s)
		return
	}
	l.mu.Lock()
	ours := l.table.given(handle)
	l.mu.Unlock()
	if !ours {
		l.opts.Handler.Broken(FaultUnknownHandle)
	}
}

func (l *Link) hearInfo(info Info) {
	l.checkEpoch(info)
	l.opts.Handler.Changed()
}

// hearAttached settles what the host has and what is wanted.
func (l *Link) hearAttached(s *Session, m *mediahostv1.Attached) {
	l.mu.Lock()
	if s.attached || s.over {
		l.mu.Unlock()
		l.opts.Handler.Broken(FaultUnexpectedAttach)
		return
	}
	if durable := s.DurableSeq(); m.GetNextSeq() <= durable {
		l.mu.Unlock()
		l.lose(s, Loss{LossReset, fmt.Sprintf("the host's next frame is %d, but %d is on disk", m.GetNextSeq(), durable)})
		return
	}
	s.attached, s.retries, s.since = true, 0, time.Time{}
	again, fresh, resumes := s.again, s.fresh && !s.again, s.want == wantOpen && m.GetOpen()
	s.ackAs.Store(s.handle)
	l.mu.Unlock()
	l.BeginAcks()
	l.acks.mark(s) // what became durable during the cut
	l.EndAcks()
	s.owner.Attached(Attached{Oldest: m.GetOldestSeq(), Next: m.GetNextSeq(), Open: m.GetOpen(), Again: again})
	l.mu.Lock()
	if s.over {
		l.mu.Unlock()
		return
	}
	if resumes && s.want == wantOpen {
		s.settled = true
	} else if !s.settled && !s.asked {
		s.send()
	}
	l.mu.Unlock()
	if resumes {
		// Should the cut have swallowed the Opened: what the host holds was taken
		// after our Open.
		first := m.GetOldestSeq()
		if first == 0 || fresh {
			first = m.GetNextSeq()
		}
		s.owner.Opened(first)
	}
}

// settle notes that the host has done what was asked for: unanswered counts how
// often, and an answer to none is a fault. It reports whether that is what is
// wanted still, for the first time.
func (l *Link) settle(s *Session, w want, unanswered *int, fault Fault) bool {
	l.mu.Lock()
	expected := *unanswered > 0
	if expected {
		*unanswered--
	}
	if s.pauses == 0 {
		s.allHeard()
	}
	wanted := expected && !s.over && s.attached && s.want == w && !s.settled
	if wanted {
		s.settled = true
	}
	l.mu.Unlock()
	if !expected {
		l.opts.Handler.Broken(fault)
	}
	return wanted
}

func (l *Link) hearRefused(s *Session, reason mediahostv1.AttachRefused_Reason) {
	if reason == mediahostv1.AttachRefused_REASON_HANDLE_IN_USE {
		l.mu.Lock()
		s.retries++
		again := s.retries <= 3 && !s.over && !s.attached
		if again {
			l.attach(s)
		}
		l.mu.Unlock()
		if again {
			return
		}
	}
	l.lose(s, Loss{LossRefused, "attach refused: " + reason.String()})
}

func closedOf(m *mediahostv1.SessionClosed) Loss {
	detail := m.GetReason().String() + " " + short(m.GetDetail())
	switch m.GetReason() {
	case mediahostv1.SessionClosed_REASON_STOPPED, mediahostv1.SessionClosed_REASON_PLATFORM:
		return Loss{LossClosed, detail}
	case mediahostv1.SessionClosed_REASON_ORPHANED, mediahostv1.SessionClosed_REASON_SHUTDOWN, mediahostv1.SessionClosed_REASON_UNSPECIFIED:
	}
	return Loss{LossShutdown, detail}
}

// short bounds what a host may write into our logs.
func short(s string) string {
	if len(s) > 200 {
		return s[:200]
	}
	return s
}
