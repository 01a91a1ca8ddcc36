package spool

import (
	"fmt"
	"runtime"
	"time"
)

// commitForever is the goroutine that writes. It has a thread of its own, because
// an fdatasync blocks it, and ends when the log is closed or has failed.
func (l *Log) commitForever() {
	runtime.LockOSThread()
	defer close(l.stopped)
	for {
		buf := l.await()
		if buf == nil {
			return
		}
		if err := l.commit(buf); err != nil {
			l.fail(buf, err)
			return
		}
	}
}

// await returns the next commit when its time has come, nil when the log is
// closed and empty, or was given up meanwhile. What comes from now on goes into
// the other buffer.
func (l *Log) await() *buffer {
	timer := time.NewTimer(l.opt.CommitInterval)
	defer timer.Stop()
	for {
		l.mu.Lock()
		if l.failure != nil {
			l.mu.Unlock()
			return nil
		}
		wait, some := l.due(time.Now())
		if some && wait <= 0 {
			buf := l.fill
			l.fill, l.idle = l.idle, nil
			l.room.Broadcast()
			l.mu.Unlock()
			return buf
		}
		closed := l.closing && !some
		l.mu.Unlock()
		if closed {
			return nil
		}
		if !some {
			<-l.wake
			continue
		}
		timer.Reset(wait)
		select {
		case <-l.wake:
		case <-timer.C:
		}
	}
}

// due says how long the commit that is being filled can still wait; l.mu is held.
func (l *Log) due(now time.Time) (wait time.Duration, some bool) {
	interval := l.opt.CommitInterval
	switch {
	case l.fill.empty():
		return 0, false
	case l.closing || l.fill.n >= l.opt.CommitBytes:
		return 0, true
	case l.fill.urgent:
		// Somebody waits, but many who wait shall share a flush.
		interval /= 4
	}
	return l.begun.Add(interval).Sub(now), true
}

// signal wakes the committer.
func (l *Log) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// commit writes one commit, makes it durable, and tells everybody. The commit
// point is the return of Datasync: if we crash before it, the commit is whole
// or it is torn, and recovery takes it or cuts it off; nobody was told of it.
func (l *Log) commit(buf *buffer) error {
	start := time.Now()
	l.under.Store(max(int64(start.Sub(l.born)), 1))
	defer l.under.Store(0)
	l.mu.Lock()
	l.begun = start
	l.mu.Unlock()
	size := (int64(buf.n) + blockBytes - 1) &^ (blockBytes - 1)
	if l.off+size > l.size {
		if err := l.rotate(start); err != nil {
			return err
		}
	}
	h := header{log: l.log, gen: l.gen, number: l.number + 1, at: start.UnixNano(), blocks: u32(size / blockBytes), reserved: u32(l.size)}
	if err := l.write(h.seal(buf.mem, buf.n-headerBytes)); err != nil {
		return err
	}
	now := time.Now()
	durables := l.publish(buf, h, now)
	l.metrics.commit.Observe(now.Sub(start).Seconds())
	l.commits.Add(1)
	l.took.Add(int64(now.Sub(start)))
	if l.opt.OnDurable != nil && len(durables) > 0 {
		l.opt.OnDurable(durables)
	}
	l.off += size
	l.number++
	l.mu.Lock()
	defer l.mu.Unlock()
	buf.resolve(nil)
	buf.reset()
	l.idle = buf
	return nil
}

// write puts a commit at the end of the log and makes it durable.
func (l *Log) write(commit []byte) error {
	if _, err := l.cur.WriteAt(commit, l.off); err != nil {
		return fmt.Errorf("writing commit %d: %w", l.number+1, err)
	}
	if err := l.cur.Datasync(); err != nil {
		return fmt.Errorf("syncing commit %d: %w", l.number+1, err)
	}
	l.rate.add(len(commit), time.Now())
	return nil
}

// publish enters the records of a durable commit in what is known, and collects
// what OnDurable is to be told.
func (l *Log) publish(buf *buffer, h header, now time.Time) []Durable {
	l.known.Lock()
	defer l.known.Unlock()
	l.marks = append(l.marks, mark{u32(l.off), h.at})
	l.end = l.off + h.size()
	base := u32(l.off)
	touched := l.touched[:0]
	for i := range buf.entries {
		e := &buf.entries[i]
		off := base + e.pos
		switch e.typ {
		case diskFrame, diskFrameWide, diskSilence, diskSilenceWide:
			e.track.touched(off, h.at)
			e.track.stored(e.seq)
			if e.rec.told != h.number {
				e.rec.told = h.number
				touched = append(touched, Durable{Recording: e.rec, At: now})
			}
		case diskPermit:
			l.state.permitted(e.track, place{h.gen, off, e.size}, h.at)
			l.segs[h.gen].pins++
		case diskGap, diskNote:
			e.track.touched(off, h.at)
		case diskSeal:
			e.track.touched(off, h.at)
			e.track.sealedBy(h)
			delete(l.orphans, e.track.id)
		case diskRelease:
			l.released(e.track)
		case diskTable:
		}
	}
	for i := range touched {
		touched[i].Seq = touched[i].Recording.track.lastSeq
	}
	clear(touched[len(touched):cap(touched)]) // let go of recordings that have ended
	l.touched = touched
	return touched
}

// fail ends the log: whoever waits is told, and whoever comes is refused. What
// failed is not tried again.
func (l *Log) fail(buf *buffer, cause error) {
	err := fmt.Errorf("%w: %w", ErrFailed, cause)
	l.refuse(err)
	l.mu.Lock()
	l.broken = err
	buf.resolve(err)
	l.fill.resolve(err)
	l.mu.Unlock()
	l.metrics.failures.Inc()
	if l.opt.OnFailure != nil {
		l.opt.OnFailure(err)
	}
}
