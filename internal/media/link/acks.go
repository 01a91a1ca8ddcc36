package link

import (
	"context"
	"slices"
	"sync"
)

// acks collects which sessions have news, between a commit and the message
// that tells the host: one entry for each session, however many commits.
type acks struct {
	mu      sync.Mutex // guards what follows, and of sessions what says so
	pending []*Session
	told    []*Session // in the message under way
	waiting []ackWaiter

	list ackList // the sender's
}

type ackWaiter struct {
	session *Session
	seq     uint64
	done    chan struct{}
}

// BeginAcks lets Session.Durable be called for this link's sessions, by one
// goroutine, until EndAcks: one lock for a whole commit. It waits for no more than
// another such commit or the sender's look at the list.
func (l *Link) BeginAcks() { l.acks.mu.Lock() }

// EndAcks ends BeginAcks and has the news sent, as one message.
func (l *Link) EndAcks() {
	news := len(l.acks.pending) > 0
	l.acks.mu.Unlock()
	if news {
		l.kick()
	}
}

// mark puts a session on the list. Under mu.
func (a *acks) mark(s *Session) {
	if !s.dirty {
		s.dirty = true
		a.pending = append(a.pending, s)
	}
}

// take builds the message of all news so far; nil where there is none. Called
// by the sender only.
func (a *acks) take() *ackList {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.told)
	a.pending, a.told = a.told[:0], a.pending
	a.list.reset()
	for _, s := range a.told {
		s.dirty = false
		if handle := s.ackAs.Load(); handle != 0 && s.durable > 0 {
			a.list.add(handle, s.durable)
			s.sending = s.durable
		}
	}
	if a.list.empty() {
		return nil
	}
	a.list.seal()
	return &a.list
}

// sent notes that the message of the last take is out.
func (a *acks) sent() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.told {
		s.ackedSeq = s.sending
	}
	a.waiting = slices.DeleteFunc(a.waiting, func(w ackWaiter) bool {
		if w.session.ackedSeq < w.seq {
			return false
		}
		close(w.done)
		return true
	})
}

// WaitAcked returns once the acknowledgement of seq has been handed to the
// network, or with ctx's error. seq must have been called durable.
func (s *Session) WaitAcked(ctx context.Context, seq uint64) error {
	a := &s.link.acks
	a.mu.Lock()
	if s.ackedSeq >= seq {
		a.mu.Unlock()
		return nil
	}
	w := ackWaiter{s, seq, make(chan struct{})}
	a.waiting = append(a.waiting, w)
	a.mu.Unlock()
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
		a.mu.Lock()
		defer a.mu.Unlock()
		a.waiting = slices.DeleteFunc(a.waiting, func(x ackWaiter) bool { return x.done == w.done })
		return ctx.Err()
	}
}
