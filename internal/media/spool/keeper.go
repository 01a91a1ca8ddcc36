package spool

import (
	"errors"
	"time"

	"go.uber.org/zap"
)

const (
	// mostSpares is how many spare segments are kept; the others are given back
	// to the filesystem, which the archive may need.
	mostSpares = 4
	// keepAgain is when the keeper looks again after something went wrong, and
	// how far apart two removals are: deleting is slow on some disks.
	keepAgain = time.Second
)

// keep wakes the keeper.
func (l *Log) keep() {
	select {
	case l.chores <- struct{}{}:
	default:
	}
}

// keepForever does what the committer has no time for: it has a written
// segment ready before it is needed, takes away what is too many, writes the index
// of segments that are full, and ends what its owner gave up. Nothing of it is needed
// for correctness.
func (l *Log) keepForever() {
	defer close(l.kept)
	timer := time.NewTimer(keepAgain)
	defer timer.Stop()
	for {
		again, err := l.doChores()
		if err != nil {
			l.opt.Log.Warn("spool: preparing the next segment failed", zap.Error(err))
			again = true
		}
		var tick <-chan time.Time
		if again {
			timer.Reset(keepAgain)
			tick = timer.C
		}
		select {
		case <-l.done:
			return
		case <-l.chores:
		case <-tick:
		}
	}
}

// doChores does all there is to do; again says that more waits for its time.
func (l *Log) doChores() (again bool, err error) {
	l.known.Lock()
	abandoned := l.abandoned
	l.abandoned = nil
	l.known.Unlock()
	for _, r := range abandoned {
		r.abandon()
	}
	// The spares first: where the disk is full, no index can be written before
	// space was given back.
	again, err = l.keepSpares()
	return again, errors.Join(err, l.writeIndexes())
}

// keepSpares has a spare segment ready, and not too many.
func (l *Log) keepSpares() (again bool, err error) {
	l.known.Lock()
	spares, slot := len(l.spares), l.slots
	if spares == 0 {
		l.slots++
	}
	l.known.Unlock()
	switch {
	case spares == 0:
		return false, l.prepare(slot)
	case spares > mostSpares:
		return true, l.trim()
	}
	return false, nil
}

// writeIndexes writes the index of each segment that is full.
func (l *Log) writeIndexes() error {
	for {
		x, slot := l.nextIndex()
		if x == nil {
			return nil
		}
		if err := l.opt.files.WriteFile(l.path(indexName(slot)), x.encode(l.log)); err != nil {
			return err
		}
		l.known.Lock()
		if l.pending[x.gen] == x {
			delete(l.pending, x.gen)
		}
		l.known.Unlock()
	}
}

// nextIndex returns an index that is to be written.
func (l *Log) nextIndex() (*index, int) {
	l.known.Lock()
	defer l.known.Unlock()
	for gen, x := range l.pending {
		return x, l.segs[gen].slot
	}
	return nil, 0
}

// prepare makes a segment and writes it full of zeros, so that commits there
// change no metadata. It leaves the disk to the commits in between. Where the
// space is missing, the slot is used again later.
func (l *Log) prepare(slot int) error {
	f, err := l.openSegment(slot)
	if err == nil {
		const step = 1 << 20
		pause := time.NewTimer(0)
		defer pause.Stop()
		for off := int64(0); off < l.opt.SegmentSize && err == nil; off += step {
			select {
			case <-l.done:
				return f.Close() // found again when the log is opened
			case <-pause.C:
			}
			err = f.ZeroFill(off, min(off+step, l.opt.SegmentSize))
			// Twice as fast as the log needs it, and at least 200 MB/s.
			pause.Reset(min(5*time.Millisecond, time.Duration(step/2/max(l.rate.perSecond(time.Now()), 1)*float64(time.Second))))
		}
		if err == nil {
			err = f.Datasync()
		}
		err = errors.Join(err, f.Close())
	}
	l.known.Lock()
	defer l.known.Unlock()
	if err == nil {
		l.spares = append(l.spares, slot)
	} else if slot == l.slots-1 {
		l.slots--
	}
	return err
}

// trim gives one spare segment back.
func (l *Log) trim() error {
	l.known.Lock()
	n := len(l.spares) - 1
	if n < mostSpares {
		l.known.Unlock()
		return nil // the committer took some meanwhile
	}
	slot := l.spares[n]
	l.spares = l.spares[:n]
	l.known.Unlock()
	return errors.Join(l.opt.files.Remove(l.path(indexName(slot))), l.opt.files.Remove(l.path(slotName(slot))))
}
