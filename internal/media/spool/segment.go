package spool

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/recorderbot/recorderbot/internal/media/durable"
)

// segment is a file that holds something.
type segment struct {
	slot int
	gen  uint64
	size int64 // bytes that it was begun with
	// cut says that Open found its file shorter than that; whole is the last commit
	// that is there, 0: none.
	cut   bool
	whole uint64
	// pins counts the recordings not released that may have records in it. The
	// segment that is being written is kept without any.
	pins int
}

func slotName(slot int) string  { return fmt.Sprintf("%08d.seg", slot) }
func indexName(slot int) string { return fmt.Sprintf("%08d.idx", slot) }

func (l *Log) path(name string) string { return filepath.Join(l.opt.Dir, name) }

// rotate goes on in another segment. Its first commit is the table, synced
// before anything follows, so that never two commits are under way. If we crash
// before that, the log ends in the segment before, and the new one is spare.
func (l *Log) rotate(now time.Time) error {
	slot, f, err := l.nextSegment()
	if err != nil {
		return fmt.Errorf("going on in the next segment: %w", err)
	}
	l.known.Lock()
	records := l.state.appendTable(make([]byte, headerBytes))
	l.known.Unlock()
	size := (int64(len(records)) + blockBytes - 1) &^ (blockBytes - 1)
	if size > l.opt.SegmentSize/2 {
		return errors.Join(f.Close(), fmt.Errorf(
			"the table of recordings that were not released has %d bytes, half a segment: archive them, or raise spool.segmentSize", size))
	}
	mem, err := durable.Buffer(int(size))
	if err != nil {
		return errors.Join(err, f.Close())
	}
	defer durable.FreeBuffer(mem)
	copy(mem, records)
	old := l.cur
	h := header{
		log: l.log, gen: l.gen + 1, number: l.number + 1, at: now.UnixNano(), blocks: u32(size / blockBytes), reserved: u32(l.opt.SegmentSize),
	}
	l.cur, l.off, l.size = f, 0, l.opt.SegmentSize
	if err = l.write(h.seal(mem, len(records)-headerBytes)); err != nil {
		return errors.Join(err, old.Close())
	}
	l.turned(slot, h)
	l.off, l.number, l.gen = size, h.number, h.gen
	l.keep()
	// All that was written there was synced; closing cannot lose anything.
	return old.Close()
}

// turned enters that the log goes on in a new segment, and hands the index of
// the old one to the keeper.
func (l *Log) turned(slot int, h header) {
	l.known.Lock()
	defer l.known.Unlock()
	x := &index{gen: l.gen, marks: l.marks, places: make(map[uint64][]uint32)}
	next := &segment{slot: slot, gen: h.gen, size: int64(h.reserved)}
	for _, t := range l.state.tracks {
		if len(t.offs) > 0 {
			x.places[t.serial], t.offs = t.offs, nil
		}
		if !t.sealed {
			next.pins++
		}
	}
	l.segs[h.gen] = next
	l.marks, l.end = []mark{{0, h.at}}, h.size()
	if l.segs[x.gen].pins > 0 {
		l.pending[x.gen] = x
	} else {
		l.recycle(x.gen)
	}
	l.tail = h.gen
}

// released forgets a recording and unpins its segments; l.known is held.
func (l *Log) released(t *track) {
	if l.state.tracks[t.serial] == nil {
		return // released twice at the same time
	}
	delete(l.state.tracks, t.serial)
	delete(l.ids, t.id)
	delete(l.infos, t.id)
	segs, _ := l.segmentsOf(t)
	for _, s := range segs {
		s.pins--
		if s.pins == 0 && s.gen != l.tail {
			l.recycle(s.gen)
		}
	}
	l.keep()
}

// segmentsOf returns, in order, the segments that may hold records of a
// recording, and how many more there should be; l.known is held.
func (l *Log) segmentsOf(t *track) (segs []*segment, missing uint64) {
	last := t.lastGen
	if !t.sealed {
		last = l.tail
	}
	if t.permit.gen == 0 || last < t.permit.gen {
		return nil, 0
	}
	for gen, s := range l.segs {
		if gen >= t.permit.gen && gen <= last {
			segs = append(segs, s)
		}
	}
	slices.SortFunc(segs, func(a, b *segment) int { return cmp.Compare(a.gen, b.gen) })
	return segs, last - t.permit.gen + 1 - uint64(len(segs))
}

// recycle makes a segment spare; l.known is held. What is in it stays until it
// is used again.
func (l *Log) recycle(gen uint64) {
	l.spares = append(l.spares, l.segs[gen].slot)
	delete(l.segs, gen)
	delete(l.pending, gen)
}

// nextSegment opens a spare segment, or makes one where the keeper was too slow.
func (l *Log) nextSegment() (int, segmentFile, error) {
	l.known.Lock()
	slot := l.slots
	if n := len(l.spares); n > 0 {
		slot = l.spares[0]
		l.spares = append(l.spares[:0], l.spares[1:]...)
	} else {
		l.slots++
	}
	l.known.Unlock()
	f, err := l.openSegment(slot)
	return slot, f, err
}

// openSegment opens a segment that is to be begun, and makes sure that it has its
// size. One that is in use is never made longer: it would hide that it was cut.
func (l *Log) openSegment(slot int) (segmentFile, error) {
	f, err := l.opt.files.Segment(l.path(slotName(slot)))
	if err != nil {
		return nil, err
	}
	size, err := f.Size()
	if err == nil && size < l.opt.SegmentSize {
		err = f.Preallocate(l.opt.SegmentSize)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
