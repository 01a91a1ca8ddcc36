package catalogue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/recorderbot/recorderbot/internal/media/durable"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// Options are what a Catalogue needs besides its URL.
type Options struct {
	Registerer prometheus.Registerer // nil: metrics are kept, and seen by nobody
	Log        *zap.Logger           // nil: no log
	// ReadOnly opens an existing catalogue for queries alone, beside a process
	// that writes it. Nothing is created or migrated, and every write is refused
	// with ErrClosed. Where there is no file, the error wraps fs.ErrNotExist.
	ReadOnly bool
}

// A Catalogue implements recorder.Ledger. It is safe for concurrent use.
type Catalogue struct {
	log     *zap.Logger
	metrics *metrics
	read    *sql.DB
	write   *sql.DB  // nil when read-only
	lock    *os.File // held while there is a writer; nil when read-only
	queue   *queue
	// written is closed when the writer has done everything that was queued.
	written chan struct{}
	fault   atomic.Pointer[error] // why the last commit failed; nil after one that worked
	again   *time.Timer           // of the next probe; the writer's
	closing sync.Once
	closed  error // of Close; set before closing is over
}

var _ recorder.Ledger = (*Catalogue)(nil)

// Open opens the catalogue that url names, and makes it where there is none:
// "sqlite:FILE", FILE relative to baseDir. The schema is brought up to date.
// Two processes can't write one catalogue: the second gets an error that wraps
// durable.ErrLocked. Close must be called.
func Open(ctx context.Context, url, baseDir string, o Options) (*Catalogue, error) {
	path, err := sqlitePath(url, baseDir)
	if err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	c := &Catalogue{log: o.Log, queue: newQueue(), written: make(chan struct{})}
	c.metrics = newMetrics(o.Registerer, c.queue.length)
	if o.ReadOnly {
		switch _, err = os.Stat(path); {
		case errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("catalogue: there is no file %s, it is made by \"recorderbot serve\": %w", path, fs.ErrNotExist)
		case err != nil:
			return nil, fmt.Errorf("catalogue: %w", err)
		}
		c.queue.close()
		close(c.written)
	} else if err = c.openWriter(ctx, path); err != nil {
		return nil, err
	}
	c.read, err = openReaders(path)
	if err == nil {
		err = c.Ping(ctx)
	}
	if err == nil && o.ReadOnly {
		err = readable(ctx, c.read)
	}
	if err != nil {
		return nil, errors.Join(err, c.Close(ctx))
	}
	return c, nil
}

func (c *Catalogue) openWriter(ctx context.Context, path string) error {
	if err := durable.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("catalogue: %w", err)
	}
	lock, err := durable.Lock(path + ".lock")
	switch {
	case errors.Is(err, durable.ErrLocked):
		return fmt.Errorf("catalogue: another recorderbot writes %s; stop it first, or use a catalogue of its own: %w", path, err)
	case err != nil:
		return fmt.Errorf("catalogue: %w", err)
	}
	if err := c.startWriter(ctx, path); err != nil {
		return errors.Join(err, lock.Close())
	}
	c.lock = lock
	return nil
}

func (c *Catalogue) startWriter(ctx context.Context, path string) error {
	if err := create(path); err != nil {
		return fmt.Errorf("catalogue: %w", err)
	}
	db, err := openWriter(ctx, path)
	if err != nil {
		return err
	}
	if err = migrate(ctx, db, c.log); err != nil {
		return errors.Join(err, db.Close())
	}
	s, err := newSession(ctx, db)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	c.write = db
	go c.writer(s)
	return nil
}

// Ping reports whether the catalogue can be read. Whether it can be written is
// told by Failing.
func (c *Catalogue) Ping(ctx context.Context) error {
	var n int
	if err := c.read.QueryRowContext(ctx, "SELECT COUNT(*) FROM (SELECT 1 FROM calls LIMIT 1) AS x").Scan(&n); err != nil {
		return fmt.Errorf("catalogue: %w", err)
	}
	return nil
}

// Close takes no more work, commits what is queued and closes the file. When
// ctx ends first, it says so and leaves the file open: the writer still works,
// and what it commits stays committed.
func (c *Catalogue) Close(ctx context.Context) error {
	c.queue.close()
	select {
	case <-c.written:
	case <-ctx.Done():
		return fmt.Errorf("catalogue: close: %d pieces of work are still to be written: %w", c.queue.length(), ctx.Err())
	}
	c.closing.Do(func() {
		if c.read != nil {
			c.closed = c.read.Close()
		}
		if c.write != nil {
			c.closed = errors.Join(c.closed, c.write.Close(), c.lock.Close())
		}
	})
	return c.closed
}
