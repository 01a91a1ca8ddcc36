package catalogue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// ErrUnknown is returned where a recording or a call is not in the catalogue.
var ErrUnknown = errors.New("catalogue: unknown")

// writer is the goroutine that writes. It ends when the queue is closed and
// empty.
func (c *Catalogue) writer(s *session) {
	defer close(c.written)
	defer s.close()
	for batch := c.queue.take(); batch != nil; batch = c.queue.take() {
		c.commit(s, batch)
	}
	if c.again != nil {
		c.again.Stop()
	}
}

// commit writes a batch in one transaction and tells those who wait. This is
// the commit point: nobody is told before the transaction's COMMIT has
// returned, which is after the fsync of the write-ahead log.
func (c *Catalogue) commit(s *session, batch []*item) {
	began := time.Now()
	err := c.try(s, batch)
	if own(err) && len(batch) > 1 {
		// One of them can't be written. Its neighbours can.
		for _, it := range batch {
			if alone := c.try(s, []*item{it}); alone != nil {
				it.err = alone
			}
		}
	} else if err != nil {
		for _, it := range batch {
			it.err = err
		}
	}
	c.metrics.commit.Observe(time.Since(began).Seconds())
	c.tell(batch)
}

// tell gives each its verdict. Where nobody waits, the log takes it.
func (c *Catalogue) tell(batch []*item) {
	unheard, last := 0, error(nil)
	for _, it := range batch {
		if it.err != nil && !refusal(it.err) && !it.quiet {
			c.metrics.failures.Inc()
			if it.done == nil {
				unheard, last = unheard+1, it.err
			}
		}
		if it.done != nil {
			it.done <- it.err
		}
	}
	if unheard > 0 {
		c.log.Error("journal entries are lost", zap.Int("entries", unheard), zap.Error(last))
	}
}

// transaction does the batch in one transaction. A refusal is one item's
// verdict, not a fault: nothing was written for it and the others go on.
func (s *session) transaction(batch []*item) error {
	s.wrote = false
	if err := s.exec("BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("%w: begin: %w", errTransaction, err)
	}
	for _, it := range batch {
		it.err = it.write(s)
		if it.err != nil && !refusal(it.err) {
			return s.rollback(it.err)
		}
	}
	if err := s.exec("COMMIT"); err != nil {
		return s.rollback(fmt.Errorf("%w: commit: %w", errTransaction, err))
	}
	return nil
}

// rollback returns cause. SQLite has already rolled back after a full disk or
// an I/O error, so that an error here says nothing new. The next sequence
// numbers are read again: those we have counted were not written.
func (s *session) rollback(cause error) error {
	clear(s.next)
	s.met.clear()
	_ = s.exec("ROLLBACK")
	return cause
}

// exec runs a statement without a deadline: the writer must know what came of
// it. busy_timeout bounds the wait for locks.
func (s *session) exec(query string) error {
	_, err := s.conn.ExecContext(context.Background(), query)
	return err
}

// refusal reports whether an error is an answer rather than a fault.
func refusal(err error) bool {
	return errors.Is(err, recorder.ErrConcluded) || errors.Is(err, ErrUnknown)
}

// own reports whether an error is the fault of one piece of work rather than
// of the disk.
func own(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return false
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_RANGE:
		return true
	}
	return false
}
