package spool

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/recorderbot/recorderbot/internal/media/durable"
)

// A Log is an append-only log of many recordings. All methods are safe for
// concurrent use. Three goroutines belong to it: the committer, which alone writes
// records, the keeper, which prepares segments, and one that asks for the room left.
type Log struct {
	opt     Options
	log     uint64 // random; in every commit
	lock    io.Closer
	metrics *metrics
	rate    *rate
	born    time.Time
	commits atomic.Uint64 // made durable
	took    atomic.Int64  // by them together, ns
	under   atomic.Int64  // when the commit under way began, ns after born, at least 1; 0: there is none
	free    atomic.Int64  // bytes, as the filesystem said last
	asked   atomic.Int64  // when it did, ns after born; far in the past: never
	soft    int           // bytes that may wait; more has to wait itself

	// mu guards what is being appended. It is held for the copying of one batch.
	mu      sync.Mutex
	room    *sync.Cond // there is room, or no hope
	fill    *buffer
	idle    *buffer // nil while the committer has it
	batch   Batch
	batches uint64
	begun   time.Time // of the last commit
	closing bool      // Close was called: commit what there is
	closed  bool      // and has returned
	err     error     // set: nothing can be appended
	failure error     // why not, if the disk is the cause; nothing is written any more
	broken  error     // what the disk itself said

	// known guards what is durable: the recordings, and where they are.
	known   sync.Mutex
	state   *state
	serial  uint64 // last that was given out
	ids     map[string]*track
	orphans map[string]*Recording // found by Open, not sealed
	infos   map[string]Info       // found by Open, not released
	segs    map[uint64]*segment   // by generation
	spares  []int                 // slots that can be used
	slots   int                   // number of the next new slot
	tail    uint64                // generation that is being written
	marks   []mark                // commits of the current segment
	end     int64                 // of what is durable in the current segment
	pending map[uint64]*index     // of full segments, not on disk yet
	damage  []Finding             // found by Open

	abandoned []*Recording // that the keeper has to end

	// The committer's own:
	cur     segmentFile
	gen     uint64
	size    int64  // of the current segment, bytes
	off     int64  // where the next commit goes
	number  uint64 // of the last commit
	touched []Durable

	wake, chores  chan struct{} // capacity 1
	done          chan struct{} // closed: the keeper ends
	refused       chan struct{} // closed: failure is set
	stopped, kept chan struct{} // closed: the committer, the keeper has ended
	watched       chan struct{} // closed: watchRoom has ended
}

// Open opens the log in a directory, and makes it where there is none. It takes
// the directory's lock (durable.ErrLocked: another process has it), reads what is
// known from the last segment, cuts off a torn tail, and starts to commit.
// Damage is not an error: see Damage.
func Open(ctx context.Context, o Options) (*Log, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if err = o.files.MkdirAll(o.Dir); err != nil {
		return nil, fmt.Errorf("opening spool: %w", err)
	}
	lock, err := o.files.Lock(lockPath(o.Dir))
	if err != nil {
		return nil, fmt.Errorf("opening spool: %w", err)
	}
	l := newLog(o, lock)
	if err = l.start(ctx); err != nil {
		if l.cur != nil {
			err = errors.Join(err, l.cur.Close())
		}
		return nil, fmt.Errorf("opening spool %s: %w", o.Dir, errors.Join(err, lock.Close()))
	}
	return l, nil
}

func newLog(o Options, lock io.Closer) *Log {
	l := &Log{
		opt: o, lock: lock, rate: newRate(), born: time.Now(),
		ids: make(map[string]*track), orphans: make(map[string]*Recording), infos: make(map[string]Info),
		segs: make(map[uint64]*segment), pending: make(map[uint64]*index),
		wake: make(chan struct{}, 1), chores: make(chan struct{}, 1),
		done: make(chan struct{}), refused: make(chan struct{}), stopped: make(chan struct{}), kept: make(chan struct{}),
		watched: make(chan struct{}),
	}
	l.room = sync.NewCond(&l.mu)
	l.asked.Store(-int64(2 * roomStale))
	return l
}

// start recovers and begins to work.
func (l *Log) start(ctx context.Context) error {
	if err := l.recover(ctx); err != nil {
		return err
	}
	// What may wait, and room behind it for the largest batch; small segments
	// hold only small records.
	const batch = maxRecord + maxTextBytes
	size := int(min(4*int64(l.opt.CommitBytes)+batch, l.opt.SegmentSize/2) &^ (blockBytes - 1))
	l.soft = max(min(4*l.opt.CommitBytes, size-batch), size/4)
	var err error
	if l.fill, err = newBuffer(size); err != nil {
		return err
	}
	if l.idle, err = newBuffer(size); err != nil {
		return err
	}
	for _, f := range l.damage {
		l.opt.Log.Error("spool: acknowledged bytes are damaged", zap.Stringer("finding", f))
	}
	l.opt.Log.Info("spool: opened", zap.Int("recordings", len(l.state.tracks)), zap.Int("unsealed", len(l.orphans)),
		zap.Int("segments", len(l.segs)), zap.Uint64("commit", l.number))
	l.metrics = newMetrics(l.opt.Registerer, l)
	l.metrics.damage.Add(float64(len(l.damage)))
	l.askRoom()
	go l.commitForever()
	go l.keepForever()
	go l.watchRoom()
	return nil
}

// Damage returns what Open found damaged: bytes that had been acknowledged and
// cannot be read. Of all segments but the last it looks at the size only; Check
// looks at all there is.
func (l *Log) Damage() []Finding { return slices.Clone(l.damage) }

// Stalled returns how long the commit under way has taken so far, 0 where there is
// none. It takes no lock, so it answers while the disk hangs: what was appended
// since that long is not durable, and its caller may have to say so.
func (l *Log) Stalled() time.Duration {
	began := l.under.Load()
	if began == 0 {
		return 0
	}
	return time.Since(l.born) - time.Duration(began)
}

// Commits returns how many commits were made durable since Open, and how long they
// took together. It takes no lock.
func (l *Log) Commits() (n uint64, took time.Duration) {
	return l.commits.Load(), time.Duration(l.took.Load())
}

// Recovered returns the recordings that Open found and that were not released
// since, in the order in which they were begun.
func (l *Log) Recovered() []Info {
	l.known.Lock()
	defer l.known.Unlock()
	all := make([]Info, 0, len(l.infos))
	for id, info := range l.infos {
		all = append(all, l.ids[id].info(info))
	}
	slices.SortFunc(all, func(a, b Info) int { return cmp.Compare(a.Serial, b.Serial) })
	return all
}

// info completes what the permit record said with what is known now.
func (t *track) info(i Info) Info {
	i.ID, i.Serial, i.Sealed = t.id, t.serial, t.sealed
	i.FirstSeq, i.LastSeq, i.Frames = t.firstSeq, t.lastSeq, t.frames
	i.FirstAt, i.LastAt = time.Unix(0, t.firstAt).UTC(), time.Unix(0, t.lastAt).UTC()
	return i
}

// Close refuses everything new, commits what is waiting, and ends the log. It
// returns the disk's own failure that ended the log before, if there was one, and
// not what Refuse was called with: its caller knows. Where ctx ends first, or the
// log has given up (Refuse) and the disk still hangs, the directory stays locked
// until Close is called again and the disk has answered.
func (l *Log) Close(ctx context.Context) error {
	l.mu.Lock()
	if !l.closing {
		close(l.done)
	}
	l.closing = true
	if l.err == nil {
		l.err = fmt.Errorf("%w: closed", ErrFailed)
	}
	l.room.Broadcast()
	l.mu.Unlock()
	l.signal()
	if err := l.awaitEnd(ctx); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	for _, b := range []*buffer{l.fill, l.idle} {
		if b != nil {
			durable.FreeBuffer(b.mem)
		}
	}
	l.fill, l.idle = nil, nil
	return errors.Join(l.broken, l.cur.Close(), l.lock.Close())
}
