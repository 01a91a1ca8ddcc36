package spool

import (
	"github.com/recorderbot/recorderbot/internal/media/durable"
)

// entry remembers a record that waits for its commit.
type entry struct {
	track *track
	rec   *Recording // nil: not of a recording that this process began
	pos   uint32     // from the beginning of the commit
	size  uint32
	typ   diskType
	seq   uint64 // of a frame
}

// buffer is one commit in the making. Two of them take turns: one is filled
// while the other is written.
type buffer struct {
	mem     []byte // durable.Buffer; the header's place comes first
	n       int    // bytes used
	entries []entry
	ticket  *ticket // of those who wait for this commit; nil: nobody
	urgent  bool
}

// ticket tells those who wait what became of a commit.
type ticket struct {
	done chan struct{} // closed when err counts
	err  error
}

func newBuffer(size int) (*buffer, error) {
	mem, err := durable.Buffer(size)
	if err != nil {
		return nil, err
	}
	return &buffer{mem: mem, n: headerBytes}, nil
}

func (b *buffer) empty() bool { return b.n == headerBytes }

// room returns n bytes for a record, nil where they do not fit.
func (b *buffer) room(n int) []byte {
	if n > len(b.mem)-b.n {
		return nil
	}
	return b.mem[b.n : b.n+n : b.n+n]
}

// took enters the record that room was asked for.
func (b *buffer) took(e entry) {
	e.pos = u32(b.n)
	b.entries = append(b.entries, e)
	b.n += int(e.size)
}

// wait returns the ticket of the commit.
func (b *buffer) wait() *ticket {
	if b.ticket == nil {
		b.ticket = &ticket{done: make(chan struct{})}
	}
	return b.ticket
}

// resolve tells those who wait.
func (b *buffer) resolve(err error) {
	if b.ticket != nil {
		b.ticket.err = err
		close(b.ticket.done)
		b.ticket = nil
	}
}

// reset empties the buffer for the next commit.
func (b *buffer) reset() {
	clear(b.entries) // let go of recordings that have ended
	b.entries, b.n, b.urgent = b.entries[:0], headerBytes, false
}
