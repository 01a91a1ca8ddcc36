package catalogue

import (
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// pass lets so many probes come.
func pass(t *testing.T, probes int) {
	t.Helper()
	<-time.After(time.Duration(probes)*probeEvery + time.Millisecond) // of the bubble
	synctest.Wait()
}

// A full disk is told as long as it is full, and no longer, although no call
// comes that could show it.
func TestFailingWhileTheDiskIsFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		c := open(t, dir)
		if err := c.Append(t.Context(), note("a", 1)); err != nil || c.Failing() != nil {
			t.Fatal(err, c.Failing())
		}
		exec(t, c, "PRAGMA max_page_count = 1") // SQLite takes the present size
		if err := c.Failing(); err != nil {
			t.Errorf("nothing has failed yet: %v", err)
		}
		for n := range 2 {
			if err := c.Append(t.Context(), note("a", strings.Repeat("x", 1<<20))); err == nil {
				t.Fatal("appended to a full disk")
			}
			if err := c.Failing(); err == nil || !strings.Contains(err.Error(), "full") {
				t.Errorf("on a full disk: %v", err)
			}
			if err := c.Ping(t.Context()); err != nil {
				t.Errorf("a full disk can be read: %v", err)
			}
			pass(t, 3*n)
		}
		exec(t, c, "PRAGMA max_page_count = 100000")
		if err := c.Append(t.Context()); err != nil || c.Failing() == nil {
			t.Errorf("a commit of nothing (%v) shows that something can be written", err)
		}
		pass(t, 1)
		if err := c.Failing(); err != nil {
			t.Errorf("after the disk has room again: %v", err)
		}
		if got := testutil.ToFloat64(c.metrics.failures); got != 2 {
			t.Errorf("%v failures counted, not 2: a probe is nobody's work", got)
		}
		if all, err := c.Journal(t.Context(), ""); err != nil || len(all) != 0 {
			t.Errorf("a probe has left a trace: %v, %v", all, err)
		}
		if err := c.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A database that somebody else holds can't be written. The next commit that
// works clears it at once.
func TestFailingWhileLocked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		c := open(t, dir)
		exec(t, c, "PRAGMA busy_timeout = 0")
		other, err := sql.Open("sqlite", dsn(filepath.Join(dir, "catalogue.db"), true))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = other.Close() }()
		tx, err := other.BeginTx(t.Context(), nil) // immediate
		if err != nil {
			t.Fatal(err)
		}
		if err = c.Append(t.Context(), note("a", 1)); err == nil || c.Failing() == nil {
			t.Errorf("locked: %v, failing %v", err, c.Failing())
		}
		pass(t, 2)
		if c.Failing() == nil {
			t.Error("it is locked still")
		}
		if err = tx.Rollback(); err != nil {
			t.Fatal(err)
		}
		if err = c.Append(t.Context(), note("a", 1)); err != nil || c.Failing() != nil {
			t.Errorf("free again: %v, failing %v", err, c.Failing())
		}
		if err = c.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// Work that is at fault itself, or refused, says nothing of the disk.
func TestFailingIsNotTheWork(t *testing.T) {
	t.Parallel()
	c := open(t, t.TempDir())
	exec(t, c, "CREATE TRIGGER bad BEFORE INSERT ON journal WHEN NEW.kind = 'bad' BEGIN SELECT RAISE(ABORT, 'bad kind'); END")
	bad := recorder.Entry{Call: "a", Kind: "bad"}
	for _, disk := range []error{nil, errors.New("full")} {
		if disk != nil {
			c.fault.Store(&disk)
		}
		if err := c.Append(t.Context(), bad); err == nil {
			t.Error("a bad entry was taken")
		}
		if err := c.RecordingFailed(t.Context(), "stranger", ""); !errors.Is(err, ErrUnknown) {
			t.Error(err)
		}
		if err := c.Failing(); !errors.Is(err, disk) {
			t.Errorf("failing %v, want %v", err, disk)
		}
	}
}
