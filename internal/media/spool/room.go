package spool

import "time"

const (
	// streamRate is what one audio stream writes: bytes a second, in round numbers.
	streamRate = 36_000
	// roomEvery is how often the filesystem is asked for its room, and roomStale
	// after how long without an answer there is none.
	roomEvery = time.Second
	roomStale = 10 * time.Second
)

// SecondsLeft says for how long there is room at the rate of the last half
// minute, but at least at that of one audio stream for each open recording. 0
// where the filesystem does not say. It asks nobody: who answers an invite must
// not wait for a disk.
func (l *Log) SecondsLeft() float64 {
	if time.Since(l.born)-time.Duration(l.asked.Load()) > roomStale {
		return 0
	}
	free := l.free.Load()
	l.known.Lock()
	open := 0
	for _, t := range l.state.tracks {
		if !t.sealed {
			open++
		}
	}
	free += int64(len(l.spares)) * l.opt.SegmentSize
	if n := len(l.marks); n > 0 {
		free += l.segs[l.tail].size - int64(l.marks[n-1].off)
	}
	l.known.Unlock()
	return float64(free) / max(l.rate.perSecond(time.Now()), float64(max(open, 1)*streamRate))
}

// askRoom asks the filesystem for its room. Where that fails, or hangs, what was
// known becomes stale.
func (l *Log) askRoom() {
	free, err := l.opt.files.Available(l.opt.Dir)
	if err == nil {
		l.free.Store(free)
		l.asked.Store(int64(time.Since(l.born)))
	}
}

// watchRoom asks now and then, in a goroutine of its own: the filesystem may hang.
func (l *Log) watchRoom() {
	defer close(l.watched)
	tick := time.NewTicker(roomEvery)
	defer tick.Stop()
	for {
		select {
		case <-l.done:
			return
		case <-tick.C:
			l.askRoom()
		}
	}
}
