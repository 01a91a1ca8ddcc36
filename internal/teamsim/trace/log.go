package trace

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// A Log is the trace of one run. The zero Log is empty and ready; it must not
// be copied. All methods are safe for concurrent use.
type Log struct {
	mu     sync.Mutex
	events []Event          // append-only
	calls  map[string][]int // call ID → indexes
	more   chan struct{}    // closed at the next Add, if anybody waits
}

// New returns an empty log.
func New() *Log { return &Log{} }

// Add appends the event, sets its Index, and its At where that is zero, and
// returns it as it was added.
func (l *Log) Add(e Event) Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.At.IsZero() {
		e.At = time.Now()
	}
	e.Index = len(l.events)
	l.events = append(l.events, e)
	if e.Call != "" {
		if l.calls == nil {
			l.calls = make(map[string][]int)
		}
		l.calls[e.Call] = append(l.calls[e.Call], e.Index)
	}
	if l.more != nil {
		close(l.more)
		l.more = nil
	}
	return e
}

// Len is the number of events so far.
func (l *Log) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.events)
}

// Events returns all events so far, in order. The slice is the caller's.
func (l *Log) Events() []Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.events)
}

// OfCall returns the events that name the call, in order.
func (l *Log) OfCall(call string) []Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]Event, 0, len(l.calls[call]))
	for _, i := range l.calls[call] {
		out = append(out, l.events[i])
	}
	return out
}

// OfKind returns the events of one kind, in order.
func (l *Log) OfKind(kind Kind) []Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []Event
	for _, e := range l.events {
		if e.Kind == kind {
			out = append(out, e)
		}
	}
	return out
}

// Violations returns the events of kind Violation.
func (l *Log) Violations() []Event { return l.OfKind(Violation) }

// Wait returns the first event that match accepts, past or future. It fails
// only when ctx ends first. match is called without the log's lock, once for
// each event.
func (l *Log) Wait(ctx context.Context, match func(Event) bool) (Event, error) {
	for seen := 0; ; {
		fresh, more := l.since(seen)
		for _, e := range fresh {
			if match(e) {
				return e, nil
			}
		}
		seen += len(fresh)
		select {
		case <-more:
		case <-ctx.Done():
			return Event{}, fmt.Errorf("wait for an event, %d seen: %w", seen, context.Cause(ctx))
		}
	}
}

// since returns the events from index seen on, and a channel that is closed
// when there are more. The events are never written again, so a slice of
// them may be read without the lock.
func (l *Log) since(seen int) ([]Event, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.more == nil {
		l.more = make(chan struct{})
	}
	return l.events[seen:len(l.events):len(l.events)], l.more
}
