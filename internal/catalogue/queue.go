package catalogue

import (
	"errors"
	"sync"
)

// The bounds of the queue. Work that someone waits for, and invites, may use
// four times the room that notes have: a flood of notes cannot keep an
// announcement's intention or an outcome out.
const (
	noteItems = 8 << 10
	noteBytes = 32 << 20
	mostItems = 4 * noteItems
	mostBytes = 4 * noteBytes
	// batchItems bounds one transaction, and so what one waiter waits for others.
	batchItems = 512
)

// The errors of the queue.
var (
	// ErrClosed is returned after Close.
	ErrClosed = errors.New("catalogue: closed")
	// ErrQueueFull is returned where the writer is so far behind that there is
	// no room even for work that someone waits for.
	ErrQueueFull = errors.New("catalogue: the queue is full; the disk under the catalogue does not keep up")
)

// An item is one piece of work: all of it is written, or nothing.
type item struct {
	size  int
	write func(*session) error // may run twice: a batch that failed is done again
	// done takes the verdict, once; nil where nobody waits. Buffered, so that the
	// writer never waits for one who has gone.
	done chan error
	err  error // the verdict so far; the writer's
	// quiet is nobody's work: nothing is lost where it is not written.
	quiet bool
}

// A queue is the work that waits for the writer, in order.
type queue struct {
	mu     sync.Mutex // guards what follows; never held while anything is written
	items  []*item
	bytes  int
	closed bool
	// wake has room for one: the writer looks at everything when it wakes.
	wake chan struct{}
}

func newQueue() *queue { return &queue{wake: make(chan struct{}, 1)} }

// push adds an item, unless there are already that many items or bytes.
func (q *queue) push(it *item, items, bytes int) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return ErrClosed
	case len(q.items) >= items, q.bytes >= bytes:
		return ErrQueueFull
	}
	q.items = append(q.items, it)
	q.bytes += it.size
	q.wakeWriter()
	return nil
}

// take waits for work and takes up to batchItems. It returns nil when the
// queue is closed and empty.
func (q *queue) take() []*item {
	for {
		q.mu.Lock()
		if n := min(len(q.items), batchItems); n > 0 {
			batch := q.items[:n:n]
			q.items = q.items[n:]
			for _, it := range batch {
				q.bytes -= it.size
			}
			if len(q.items) == 0 {
				q.items = nil // lets go of the array, and of what was written
			}
			q.mu.Unlock()
			return batch
		}
		closed := q.closed
		q.mu.Unlock()
		if closed {
			return nil
		}
		<-q.wake
	}
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.wakeWriter()
}

func (q *queue) length() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.items)
}

func (q *queue) wakeWriter() {
	select {
	case q.wake <- struct{}{}:
	default: // it is awake already
	}
}
