package spool

import (
	"context"
	"fmt"

	"github.com/recorderbot/recorderbot/internal/media/frame"
)

// A Batch is what one Update appends. It is only valid inside of it.
type Batch struct {
	buf    *buffer
	number uint64 // of the batch in this log
	err    error
}

// counts is what was appended of a recording, durable or not.
type counts struct{ firstSeq, lastSeq, frames uint64 }

// Update appends what fn appends, in order, to one commit. It returns as soon as
// fn has: OnDurable tells when the commit is durable. It holds the log's lock
// while fn runs, so fn only copies.
//
// It blocks while the disk is behind by more than the log may hold, which is
// how the disk slows the media hosts down. After a failure it returns ErrFailed
// without calling fn. ErrTooLarge: the batch did not fit, and nothing of it
// was stored.
func (l *Log) Update(fn func(b *Batch)) error {
	_, err := l.update(context.Background(), fn, false)
	return err
}

// update is Update bounded by ctx; where hurry is set the commit does not wait
// for its time, and the ticket says what became of it.
func (l *Log) update(ctx context.Context, fn func(b *Batch), hurry bool) (*ticket, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.awaitRoom(ctx); err != nil {
		return nil, err
	}
	buf := l.fill
	n, entries := buf.n, len(buf.entries)
	l.batches++
	b := &l.batch
	*b = Batch{buf: buf, number: l.batches}
	whole := false
	// A batch is whole or not at all, also where fn panics.
	defer func() {
		b.buf = nil
		if !whole {
			b.undo(buf, n, entries)
		}
	}()
	fn(b)
	if b.err != nil {
		return nil, b.err
	}
	whole = true
	var t *ticket
	if hurry && buf.n > n {
		buf.urgent = true
		t = buf.wait()
	}
	if n == headerBytes || hurry || buf.n >= l.opt.CommitBytes {
		l.signal()
	}
	return t, nil
}

// awaitRoom returns when something may be appended. l.mu is held.
func (l *Log) awaitRoom(ctx context.Context) error {
	if l.err == nil && l.fill.n >= l.soft {
		stop := context.AfterFunc(ctx, func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.room.Broadcast()
		})
		defer stop()
	}
	for l.err == nil && l.fill.n >= l.soft {
		if ctx.Err() != nil {
			return fmt.Errorf("waiting for the disk: %w", context.Cause(ctx))
		}
		l.room.Wait()
	}
	return l.err
}

// undo takes back what the batch has appended.
func (b *Batch) undo(buf *buffer, n, entries int) {
	for _, e := range buf.entries[entries:] {
		if e.rec != nil && e.rec.batch == b.number {
			e.rec.counts = e.rec.saved
		}
	}
	clear(buf.entries[entries:])
	buf.n, buf.entries = n, buf.entries[:entries]
}

// Frame appends a frame and copies its payload. It returns false, and stores
// nothing, where the recording's permit is not live or the recording is sealed.
// Audio whose samples are all zero is stored as a marker, and comes back as the
// exact zeros.
func (b *Batch) Frame(r *Recording, f frame.Frame) bool {
	if b.buf == nil || r.seal != nil || !r.permit.Live() {
		return false
	}
	typ, n := frameSize(&f)
	dst := b.take(n)
	if dst == nil {
		return false
	}
	putFrame(dst, typ, r.track.serial, &f)
	b.buf.took(entry{track: r.track, rec: r, size: u32(n), typ: typ, seq: f.Seq})
	if r.batch != b.number {
		r.batch, r.saved = b.number, r.counts
	}
	if c := &r.counts; c.frames == 0 || f.Seq < c.firstSeq {
		c.firstSeq = f.Seq
	}
	r.counts.lastSeq = max(r.counts.lastSeq, f.Seq)
	r.counts.frames++
	return true
}

// Gap appends a gap. It holds no media, so it may be stored after the permit was
// withdrawn. It returns false where the recording is sealed.
func (b *Batch) Gap(r *Recording, g frame.Gap) bool {
	if b.buf == nil || r.seal != nil {
		return false
	}
	return b.append(r, diskGap, g.Kind, gapBody(g))
}

// Note appends something worth keeping beside the media: a kind of at most 255
// bytes, and JSON of at most 1 MiB. It may be derived from media (who speaks), so
// it needs a live permit. It returns false, and stores nothing, where the permit
// is not live or the recording is sealed.
func (b *Batch) Note(r *Recording, kind string, json []byte) bool {
	if b.buf == nil || r.seal != nil || !r.permit.Live() {
		return false
	}
	if len(json) > maxTextBytes || len(kind) > 255 {
		b.err = fmt.Errorf("note %.40q of %d bytes: %w", kind, len(json), ErrTooLarge)
		return false
	}
	return b.append(r, diskNote, 0, noteBody(kind, json))
}

// append appends a record of a recording of this process.
func (b *Batch) append(r *Recording, typ diskType, kind frame.Kind, body []byte) bool {
	return b.record(entry{track: r.track, rec: r, typ: typ}, kind, body)
}

// record appends any record.
func (b *Batch) record(e entry, kind frame.Kind, body []byte) bool {
	n := recordBytes + len(body)
	dst := b.take(n)
	if dst == nil {
		return false
	}
	copy(dst[recordBytes:], body)
	putRecord(dst, e.typ, e.track.serial, kind, 0, 0)
	e.size = u32(n)
	b.buf.took(e)
	return true
}

// take returns room for n bytes, or spoils the batch.
func (b *Batch) take(n int) []byte {
	if b.err != nil {
		return nil
	}
	dst := b.buf.room(n)
	if dst == nil || n > maxRecord {
		b.err = fmt.Errorf("record of %d bytes: %w", n, ErrTooLarge)
		return nil
	}
	return dst
}
