package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"

	"github.com/recorderbot/recorderbot/internal/media/frame"
)

// Read yields the durable records of a recording in order: the permit record,
// then frames, gaps and notes as they were appended, then the seal, if there is
// one yet. It may be used while the log runs, and yields what was durable when
// the iteration began.
//
// In place of a record that is damaged, of segments that are missing, and of the
// part that was cut off a segment, it yields a *DamageError, and goes on behind it
// if the caller does. Any other error ends it; ErrUnknown: there is no such
// recording. A recording must not be released while it is read.
func (l *Log) Read(id string) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		l.known.Lock()
		t := l.ids[id]
		var segs []*segment
		var missing uint64
		if t != nil {
			segs, missing = l.segmentsOf(t)
		}
		l.known.Unlock()
		switch {
		case len(segs) == 0 && missing == 0:
			yield(Record{}, fmt.Errorf("reading recording %s: %w", id, ErrUnknown))
			return
		case missing > 0 && !yield(Record{}, &DamageError{Recording: id, Err: fmt.Errorf("%d segments are missing", missing)}):
			return
		}
		for _, s := range segs {
			if !l.readSegment(t, s.gen, yield) {
				return
			}
		}
	}
}

// readSegment yields what one segment has of a recording; false: the caller has
// enough, or there is no going on.
func (l *Log) readSegment(t *track, gen uint64, yield func(Record, error) bool) bool {
	x, s, lost := l.indexInMemory(t, gen)
	if s == nil {
		return yield(Record{}, &DamageError{Recording: t.id, Err: errors.New("released while it was read")})
	}
	more, size := true, int64(0)
	err := reading(l.opt.files, l.path(slotName(s.slot)), func(r readFile) error {
		var err error
		if size, err = r.Size(); err != nil {
			return err
		}
		if x == nil {
			if x, err = l.indexOnDisk(r, s.slot, gen, t.serial); err != nil {
				return err
			}
		}
		p := &reader{track: t, r: r, x: x, segment: slotName(s.slot), window: windowFor(x.places[t.serial])}
		if p.end = x.end; p.end == 0 {
			p.end = maxSegmentSize
		}
		more = p.each(x.places[t.serial], yield)
		return nil
	})
	if err != nil {
		yield(Record{}, fmt.Errorf("reading recording %s: %w", t.id, err))
		return false
	}
	if more && lost {
		// The index may be made of what is left, and then it knows of nothing missing.
		return yield(Record{}, &DamageError{Recording: t.id, Segment: slotName(s.slot), Offset: size, Err: errCut})
	}
	return more
}

var errCut = errors.New("the file was cut here, and may have held more of it")

// indexInMemory copies what concerns a recording in the segment that is being
// written, or in one whose index is not on disk yet; nil: it is on disk. Of the
// segment (nil: there is none) only what never changes may be used; lost says that
// it may have held more of the recording.
func (l *Log) indexInMemory(t *track, gen uint64) (x *index, s *segment, lost bool) {
	l.known.Lock()
	defer l.known.Unlock()
	s = l.segs[gen]
	if s == nil {
		return nil, nil, false
	}
	if gen == l.tail {
		// The slices only grow, so what is shared does not change.
		x = &index{gen: gen, marks: l.marks, end: l.end, places: map[uint64][]uint32{t.serial: t.offs}}
	} else if p := l.pending[gen]; p != nil {
		x = p
	}
	return x, s, s.lost(t)
}

// indexOnDisk reads an index file, or makes it anew from the segment.
func (l *Log) indexOnDisk(r readFile, slot int, gen, serial uint64) (*index, error) {
	var x *index
	err := reading(l.opt.files, l.path(indexName(slot)), func(f readFile) error {
		var err error
		x, err = readIndex(f, l.log, gen, serial)
		return err
	})
	if err == nil {
		return x, nil
	}
	if !errors.Is(err, errNoIndex) && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	size, err := r.Size()
	if err != nil {
		return nil, err
	}
	if x, err = rebuild(&scanner{r: r, size: size, log: l.log, gen: gen}); err != nil {
		return nil, err
	}
	return x, l.opt.files.WriteFile(l.path(indexName(slot)), x.encode(l.log))
}

// reader reads records of one recording in one segment.
type reader struct {
	track   *track
	r       readFile
	x       *index
	segment string
	window  int
	buf     []byte
	from    int64 // where buf begins
	end     int64 // where the durable part of the segment ends
	zeros   [frame.AudioBytes]byte
}

// windowFor says how much to read at once: where a recording's records are
// close together, many; where they are far apart, one.
func windowFor(places []uint32) int {
	const sparse, dense, near = 1 << 10, 256 << 10, 8 << 10
	if n := len(places); n > 1 && int(places[n-1]-places[0])/(n-1) < near {
		return dense
	}
	return sparse
}

// each yields the records at places.
func (p *reader) each(places []uint32, yield func(Record, error) bool) bool {
	for _, off := range places {
		rec, err := p.read(int64(off))
		if err != nil {
			err = &DamageError{Recording: p.track.id, Segment: p.segment, Offset: int64(off), Err: err}
		}
		if !yield(rec, err) {
			return false
		}
	}
	return true
}

func (p *reader) read(off int64) (Record, error) {
	head, err := p.bytes(off, recordBytes)
	if err != nil {
		return Record{}, err
	}
	n := int(head[4]) | int(head[5])<<8 | int(head[6])<<16
	if n < recordBytes {
		return Record{}, fmt.Errorf("%w: length %d", errBadRecord, n)
	}
	b, err := p.bytes(off, n)
	if err != nil {
		return Record{}, err
	}
	r, err := parseRecord(b)
	if err != nil {
		return Record{}, err
	}
	if r.serial != p.track.serial {
		return Record{}, fmt.Errorf("%w: of serial %d", errBadRecord, r.serial)
	}
	clear(p.zeros[:]) // the caller had it
	return r.record(p.x.at(u32(off)), p.zeros[:])
}

// bytes returns n bytes of the segment, valid until the next call.
func (p *reader) bytes(off int64, n int) ([]byte, error) {
	if i := off - p.from; i >= 0 && i+int64(n) <= int64(len(p.buf)) {
		return p.buf[i : i+int64(n)], nil
	}
	want := max(n, p.window)
	if cap(p.buf) < want {
		p.buf = make([]byte, want)
	}
	// What is not durable yet is being written past the page cache: it must not be
	// brought in there now.
	want = int(min(int64(want), max(p.end-off, 0)))
	got, err := p.r.ReadAt(p.buf[:want], off)
	p.buf, p.from = p.buf[:got], off
	if got < n {
		return nil, fmt.Errorf("%w: %w", errBadRecord, err)
	}
	return p.buf[:n], nil
}
