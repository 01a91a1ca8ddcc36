package spool

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/recorderbot/recorderbot/internal/media/durable"
)

// recover finds out what is durable and makes ready to append to it.
func (l *Log) recover(ctx context.Context) error {
	if err := l.sweep(); err != nil {
		return err
	}
	all, err := survey(l.opt.files, l.opt.Dir)
	if err != nil {
		return err
	}
	for _, f := range all {
		l.slots = max(l.slots, f.slot+1)
	}
	all = slices.DeleteFunc(all, func(f found) bool {
		blank := f.first.gen == 0
		if blank {
			l.spares = append(l.spares, f.slot)
		}
		return blank
	})
	if len(all) == 0 {
		return l.create()
	}
	l.log = all[len(all)-1].first.log
	all, wiped, extra, err := twins(l.opt.files, l.opt.Dir, all)
	if err != nil {
		return err
	}
	l.damage = twinFindings(all, append(extra, wiped...)...)
	from, table, torn, err := latest(l.opt.files, l.opt.Dir, all)
	if err != nil {
		return err
	}
	for _, f := range append(wiped, torn...) {
		if err = l.blank(f.slot); err != nil {
			return err
		}
		l.spares = append(l.spares, f.slot)
	}
	if len(from) == 0 {
		return l.create() // a crash came while the log was begun
	}
	end, err := l.replay(from, table)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(f found) bool { return slices.Contains(torn, f) })
	l.adopt(all)
	if err = l.markCut(all); err != nil {
		return err
	}
	if err = l.readPermits(ctx); err != nil {
		return err
	}
	return l.repair(from[len(from)-1], end)
}

// sweep takes away what a crash has left of files that were being written: they
// were never committed, so nobody knows them.
func (l *Log) sweep() error {
	names, err := l.opt.files.List(l.opt.Dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if durable.IsHidden(name) {
			if err = l.opt.files.Remove(l.path(name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// create begins a new log.
func (l *Log) create() error {
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails
	l.log = binary.LittleEndian.Uint64(id[:]) | 1
	l.state = newState()
	slot, f, err := l.nextSegment()
	if err != nil {
		return err
	}
	l.cur = f
	body := l.state.appendTable(make([]byte, headerBytes))
	l.size = l.opt.SegmentSize
	h := header{log: l.log, gen: 1, number: 1, at: time.Now().UnixNano(), blocks: 1, reserved: u32(l.size)}
	mem, err := durable.Buffer(blockBytes)
	if err != nil {
		return err
	}
	defer durable.FreeBuffer(mem)
	copy(mem, body)
	if err = l.write(h.seal(mem, len(body)-headerBytes)); err != nil {
		return err
	}
	l.segs[1] = &segment{slot: slot, gen: 1, size: l.size}
	l.gen, l.tail, l.number, l.off, l.end = 1, 1, 1, blockBytes, blockBytes
	l.marks = []mark{{0, h.at}}
	return nil
}

// replay reads the last segment on top of what its table says; where its table
// is damaged, it reads from the last one that has a whole table.
func (l *Log) replay(from []found, table *state) (scanned, error) {
	l.state = table
	var w scanned
	for i, f := range from {
		for _, t := range l.state.tracks {
			t.offs = nil // of the segment before
		}
		var err error
		if w, err = l.replaySegment(f); err != nil {
			return w, fmt.Errorf("%s: %w", slotName(f.slot), err)
		}
		if i > 0 {
			l.damage = append(l.damage, Finding{
				Kind: BadTable, Segment: slotName(f.slot), Generation: f.first.gen, Detail: "read from an older one on instead",
			})
		}
	}
	// Where the last one was cut within its table, no commit of it is left.
	l.number = max(w.last, from[len(from)-1].first.number)
	l.off, l.end = w.end, w.end
	return w, nil
}

func (l *Log) replaySegment(f found) (scanned, error) {
	report := func(x Finding) {
		x.Segment, x.Generation = slotName(f.slot), f.first.gen
		l.damage = append(l.damage, x)
	}
	l.marks = nil
	l.gen = f.first.gen
	w, err := f.walk(l.opt.files, l.opt.Dir, func(h header, off int64, body []byte) {
		l.marks = append(l.marks, mark{u32(off), h.at})
		l.state.apply(h, off, body, func(x Finding) { x.Commit = h.number; report(x) })
	})
	for _, d := range w.bad {
		report(Finding{Kind: BadCommit, Offset: d.from, Commit: w.last, Detail: fmt.Sprintf(
			"no whole commit up to byte %d, where the log goes on: acknowledged records are lost", d.to)})
	}
	return w, err
}

// adopt sorts the segments into those that are needed and spare ones.
func (l *Log) adopt(all []found) {
	l.tail = l.gen
	l.serial = l.state.serial
	for _, f := range all {
		l.segs[f.first.gen] = &segment{slot: f.slot, gen: f.first.gen, size: int64(f.first.reserved)}
	}
	for _, serial := range slices.Sorted(maps.Keys(l.state.tracks)) {
		t := l.state.tracks[serial]
		l.ids[t.id] = t
		if !t.sealed {
			l.orphans[t.id] = &Recording{log: l, track: t, orphan: true, counts: counts{t.firstSeq, t.lastSeq, t.frames}}
		}
		segs, missing := l.segmentsOf(t)
		for _, s := range segs {
			s.pins++
		}
		if missing > 0 {
			l.damage = append(l.damage, t.misses(missing))
		}
	}
	for gen, s := range l.segs {
		if s.pins == 0 && gen != l.tail {
			l.recycle(gen)
		}
	}
	slices.Sort(l.spares)
}

// misses is the finding that segments of a recording are not there.
func (t *track) misses(n uint64) Finding {
	return Finding{
		Kind: MissingSegment, Generation: t.permit.gen, Serial: t.serial, Recording: t.id,
		Detail: fmt.Sprintf("%d segments are missing that may hold records of it", n),
	}
}

// repair makes what recovery has decided final: the last commit is written once
// more, because nobody knows whether it was synced, and a torn commit behind it
// is wiped out, so that no later recovery can see it otherwise. Writing the same
// bytes in the same place cannot tear what is there. Where the segment was cut, the
// log goes on in the next one: if we crash before that one's table is durable, this
// one is found cut again.
func (l *Log) repair(tail found, w scanned) error {
	f, err := l.opt.files.Segment(l.path(slotName(tail.slot)))
	if err != nil {
		return err
	}
	l.cur, l.size = f, int64(tail.first.reserved)
	if w.end > w.from { // else there is no commit
		if err = l.rewrite(tail, w); err != nil {
			return err
		}
	}
	if !tail.short() {
		return nil
	}
	return l.rotate(time.Now())
}

// rewrite writes the last commit again, and zeros behind it, but nothing that would
// make the file longer.
func (l *Log) rewrite(tail found, w scanned) error {
	size := int(w.end - w.from)
	wipe := 0
	if w.end+blockBytes <= min(l.size, tail.size) {
		wipe = blockBytes
	}
	mem, err := durable.Buffer(size + wipe)
	if err != nil {
		return err
	}
	defer durable.FreeBuffer(mem)
	err = reading(l.opt.files, l.path(slotName(tail.slot)), func(r readFile) error {
		_, rerr := r.ReadAt(mem[:size], w.from)
		return rerr
	})
	if err != nil {
		return fmt.Errorf("reading the last commit: %w", err)
	}
	if _, err = l.cur.WriteAt(mem, w.from); err != nil {
		return fmt.Errorf("writing the last commit again: %w", err)
	}
	if err = l.cur.Datasync(); err != nil {
		return fmt.Errorf("writing the last commit again: %w", err)
	}
	return nil
}
