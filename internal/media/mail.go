package media

import (
	"context"
	"sync"
	"time"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// A mail carries events to calls, in order for each call, from goroutines that
// must not wait: a full mailbox is tried again for a while. The queue is bounded
// by what can happen: a few events for each session.
type mail struct {
	post  func(recorder.CallID, recorder.Event) bool
	mu    sync.Mutex
	queue []letter
	wake  chan struct{}
}

type letter struct {
	call  recorder.CallID
	event recorder.Event
	until time.Time
}

const (
	mailRetry = 20 * time.Millisecond
	// mailLimit is how long a call that does not read may keep its events: law 3's
	// two seconds, with room for what comes after.
	mailLimit = 1500 * time.Millisecond
)

func newMail(post func(recorder.CallID, recorder.Event) bool) *mail {
	return &mail{post: post, wake: make(chan struct{}, 1)}
}

func (m *mail) send(call recorder.CallID, event recorder.Event) {
	m.mu.Lock()
	m.queue = append(m.queue, letter{call, event, time.Now().Add(mailLimit)})
	m.mu.Unlock()
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// now is send that hands the event over before it returns, where the call takes
// it; it may overtake what is queued for the call.
func (m *mail) now(call recorder.CallID, event recorder.Event) {
	if !m.post(call, event) {
		m.send(call, event)
	}
}

func (m *mail) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.wake:
		}
		for m.deliver() {
			select {
			case <-ctx.Done():
				return
			case <-time.After(mailRetry):
			}
		}
	}
}

// deliver tries every letter once and reports whether some are left. A letter
// whose call is over is tried until its time is up, too: nobody can tell the two
// apart.
func (m *mail) deliver() bool {
	m.mu.Lock()
	queue := m.queue
	m.queue = nil
	m.mu.Unlock()
	var left []letter
	waiting := map[recorder.CallID]bool{}
	for _, l := range queue {
		if waiting[l.call] || !m.post(l.call, l.event) {
			if time.Now().Before(l.until) {
				waiting[l.call] = true
				left = append(left, l)
			}
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.queue = append(left, m.queue...)
	return len(m.queue) > 0
}
