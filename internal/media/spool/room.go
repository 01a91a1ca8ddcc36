package spool

import "time"

// StreamRate is what one audio stream writes: bytes a second, in round numbers.
const StreamRate = 36_000

const (
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
	r := l.Room()
	return float64(r.Free) / max(r.Rate, StreamRate)
}

// Room is what SecondsLeft rests on.
type Room struct {
	Free int64   // bytes; 0 where the filesystem does not say
	Rate float64 // bytes a second: what was written, or what the open recordings are due, if that is more
	Open int     // recordings that were begun and not sealed
}

// Room says how much room there is, and what uses it up. Like SecondsLeft it asks
// nobody.
func (l *Log) Room() Room {
	free := l.free.Load()
	stale := time.Since(l.born)-time.Duration(l.asked.Load()) > roomStale
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
	if stale {
		free = 0
	}
	return Room{Free: free, Rate: max(l.rate.perSecond(time.Now()), float64(open)*StreamRate), Open: open}
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
