package recorder

import "sync"

// pressing are the events that must not be lost to a full mailbox: what ends a
// recording, or makes it. They come in the order in which they were handed over,
// and before all others: a call hears of a disk that hangs before it hears what
// its own work made of that. Nobody who hands one over waits.
type pressing struct {
	mu     sync.Mutex
	events []Event
	wake   chan struct{} // one token: there is something
}

func newPressing() *pressing { return &pressing{wake: make(chan struct{}, 1)} }

func (p *pressing) push(ev Event) {
	p.mu.Lock()
	p.events = append(p.events, ev)
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// pop returns the oldest event, nil where there is none.
func (p *pressing) pop() Event {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.events) == 0 {
		return nil
	}
	ev := p.events[0]
	p.events[0] = nil
	p.events = p.events[1:]
	return ev
}
