package spool

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/recorderbot/recorderbot/internal/media/durable"
)

// The spool's sentinel errors.
var (
	// ErrFailed is returned by everything that would write once a write or an
	// fsync has failed, or the log was closed. The first failure is wrapped
	// beside it.
	ErrFailed = errors.New("spool: the log takes nothing more")
	// ErrUnknown is returned where a recording is not in the log, or was released.
	ErrUnknown = errors.New("spool: no such recording")
	// ErrUnsealed is returned where a recording that is not sealed was to be released.
	ErrUnsealed = errors.New("spool: the recording is not sealed")
	// ErrTooLarge is returned where a record or a batch exceeds what one commit
	// can hold; nothing of it was stored.
	ErrTooLarge = errors.New("spool: too large for one commit")
	// ErrNoLog is returned by Check where there is no log, or nothing is left of it.
	ErrNoLog = errors.New("no log")
	// ErrVersion is returned where the log was written by a newer version, or is
	// encrypted: it must not be mistaken for a torn one.
	ErrVersion = errors.New("spool: written by a version that this one cannot read")
)

// Sizes, in bytes, and times that Options default to.
const (
	DefaultSegmentSize    = 256 << 20
	DefaultCommitInterval = 20 * time.Millisecond
	DefaultCommitBytes    = 1 << 20

	minSegmentSize = 64 << 10
	maxSegmentSize = 2 << 30
	// maxRecord bounds one record: the largest access unit that a media host may
	// send, and some room.
	maxRecord = 4<<20 + 4096
)

// Options say where the log is and how it commits.
type Options struct {
	// Dir is the log's own directory; it is made where it does not exist.
	Dir string
	// SegmentSize is the size in bytes of the files that the log consists of. It
	// may be changed between two runs: what was begun keeps its size. A record of
	// more than a third of it does not fit: below 16 MiB the largest access units
	// are refused.
	SegmentSize int64
	// CommitInterval is the longest that a record waits for its commit to begin.
	CommitInterval time.Duration
	// CommitBytes lets a commit begin before its time once so much is waiting.
	CommitBytes int

	Registerer prometheus.Registerer // may be nil
	Log        *zap.Logger           // may be nil

	// OnDurable is told after each commit the highest durable sequence number of
	// each recording that the commit touched. It runs in the goroutine that
	// commits, so it must be quick, and may call nothing of the log but
	// Recording.ID. The slice is reused after it returns. It may be nil.
	OnDurable func([]Durable)
	// OnFailure is told once that a write or an fsync has failed: the log takes
	// nothing more, and this process must not go on recording. It must not call
	// Close, which waits for it. It may be nil.
	OnFailure func(error)

	// Fault lets the disk fail, for tests of the whole program; nil: it does not.
	Fault Fault

	files files // the disk; nil: the real one
}

// Durable says how much of a recording is on stable storage.
type Durable struct {
	Recording *Recording
	Seq       uint64    // all frames up to this one that were appended are durable
	At        time.Time // when that was known
}

// withDefaults fills in what was not said and refuses what cannot work.
func (o Options) withDefaults() (Options, error) {
	if o.SegmentSize == 0 {
		o.SegmentSize = DefaultSegmentSize
	}
	if o.CommitInterval == 0 {
		o.CommitInterval = DefaultCommitInterval
	}
	if o.CommitBytes == 0 {
		o.CommitBytes = int(min(DefaultCommitBytes, o.SegmentSize/8))
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.files == nil {
		o.files = disk{named: new(sync.Map)}
	}
	if o.Fault != nil {
		o.files = faulty{o.files, o.Fault}
	}
	var errs []error
	if o.Dir == "" {
		errs = append(errs, errors.New("spool: no directory given; set spool.dir"))
	}
	if o.SegmentSize < minSegmentSize || o.SegmentSize > maxSegmentSize || o.SegmentSize%durable.BlockSize != 0 {
		errs = append(errs, fmt.Errorf("spool: segment size %d must be a multiple of %d from %d to %d bytes",
			o.SegmentSize, durable.BlockSize, minSegmentSize, maxSegmentSize))
	}
	if o.CommitInterval < time.Millisecond || o.CommitInterval > time.Second {
		errs = append(errs, fmt.Errorf("spool: commit interval %v must be from 1ms to 1s", o.CommitInterval))
	}
	if o.CommitBytes < durable.BlockSize || int64(o.CommitBytes) > o.SegmentSize/4 {
		errs = append(errs, fmt.Errorf("spool: a commit of %d bytes must be from %d bytes to a quarter of a segment",
			o.CommitBytes, durable.BlockSize))
	}
	return o, errors.Join(errs...)
}
