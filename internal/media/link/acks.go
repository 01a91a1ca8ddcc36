package link

import (
	"context"
	"sync"
)

// acks collects which sessions have news, between a commit and the message
// that tells the host. One entry for each session, however many commits.
type acks struct {
	mu      sync.Mutex
	pending []*Session
	spare   []*Session // the list that was sent last, for use again
	waiting []ackWaiter
	list    ackList // the sender's
}

type ackWaiter struct {
	session *Session
	seq     uint64
	done    chan struct{}
}

func (a *acks) mark(s *Session) {
	if !s.dirty.CompareAndSwap(false, true) {
		return // on the list already; the sender will see the newer number
	}
	a.mu.Lock()
	a.pending = append(a.pending, s)
	a.mu.Unlock()
}

// take builds the message of all news so far; nil where there is none. Called
// by the sender only.
func (a *acks) take() *ackList {
	a.mu.Lock()
	news := a.pending
	a.pending, a.spare = a.spare[:0], news
	a.mu.Unlock()
	a.list.reset()
	for _, s := range news {
		s.dirty.Store(false) // before reading: a newer number marks again
		handle, seq := s.ackAs.Load(), s.durable.Load()
		if handle != 0 && seq > 0 {
			a.list.add(handle, seq)
			s.sending = seq
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
	for _, s := range a.spare {
		s.acked.Store(s.sending)
	}
	left := a.waiting[:0]
	for _, w := range a.waiting {
		if w.session.acked.Load() >= w.seq {
			close(w.done)
			continue
		}
		left = append(left, w)
	}
	clear(a.waiting[len(left):])
	a.waiting = left
	clear(a.spare)
}

// WaitAcked returns once the acknowledgement of seq has been handed to the
// network, or with ctx's error. seq must have been called durable.
func (s *Session) WaitAcked(ctx context.Context, seq uint64) error {
	a := &s.link.acks
	a.mu.Lock()
	if s.acked.Load() >= seq {
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
		a.forget(w)
		return ctx.Err()
	}
}

func (a *acks) forget(w ackWaiter) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range a.waiting {
		if a.waiting[i].done == w.done {
			a.waiting = append(a.waiting[:i], a.waiting[i+1:]...)
			return
		}
	}
}
