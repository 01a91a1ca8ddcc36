package catalogue

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/recorderbot/recorderbot/internal/media/durable"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

func open(tb testing.TB, dir string) *Catalogue {
	tb.Helper()
	c, err := Open(tb.Context(), "sqlite:catalogue.db", dir, Options{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			tb.Error(err)
		}
	})
	return c
}

func note(call recorder.CallID, data any) recorder.Entry {
	return recorder.Entry{Call: call, Kind: recorder.EntryState, Data: data}
}

// exec runs a statement on the writer's connection, between two batches.
func exec(tb testing.TB, c *Catalogue, query string) {
	tb.Helper()
	err := c.await(tb.Context(), "test", 0, func(s *session) error { return s.exec(query) })
	if err != nil {
		tb.Fatal(err)
	}
}

// hold stops the writer until the returned function is called.
func hold(tb testing.TB, c *Catalogue) (release func()) {
	tb.Helper()
	held, free := make(chan struct{}), make(chan struct{})
	if err := c.queue.push(&item{write: func(*session) error { close(held); <-free; return nil }}, mostItems, mostBytes); err != nil {
		tb.Fatal(err)
	}
	<-held
	return func() { close(free) }
}

func TestFullDiskIsToldAndPasses(t *testing.T) {
	t.Parallel()
	c := open(t, t.TempDir())
	if err := c.Append(t.Context(), note("a", 1)); err != nil {
		t.Fatal(err)
	}
	exec(t, c, "PRAGMA max_page_count = 1") // SQLite takes the present size
	big := strings.Repeat("x", 1<<20)
	err := c.Append(t.Context(), note("a", big))
	if err == nil || !strings.Contains(err.Error(), "full") {
		t.Fatalf("append to a full disk: %v", err)
	}
	if err = c.Conclude(t.Context(), recorder.Conclusion{Call: "a", Outcome: recorder.OutcomeFailed, Detail: big}); err == nil || errors.Is(err, recorder.ErrConcluded) {
		t.Fatalf("conclude on a full disk: %v", err)
	}
	release := hold(t, c)
	if !c.Note(note("a", big)) {
		t.Error("a note was refused: notes are queued, whatever the disk does")
	}
	if err = c.Ping(t.Context()); err != nil {
		t.Errorf("a full disk can be read: %v", err)
	}
	release()
	for c.queue.length() > 0 {
		<-time.After(time.Millisecond)
	}
	exec(t, c, "PRAGMA max_page_count = 100000")
	if got := testutil.ToFloat64(c.metrics.failures); got != 3 {
		t.Errorf("%v failures counted, not 3", got)
	}
	if err = c.Append(t.Context(), note("a", 2)); err != nil {
		t.Fatalf("append after the disk has room again: %v", err)
	}
	if err = c.Conclude(t.Context(), recorder.Conclusion{Call: "a", Outcome: recorder.OutcomeFailed}); err != nil {
		t.Fatalf("conclude after the disk has room again: %v", err)
	}
	j, err := c.Journal(t.Context(), "a")
	if err != nil || len(j) != 3 || j[1].Seq != 2 || string(j[1].Data) != "2" {
		t.Errorf("journal: %v, %v", j, err)
	}
}

func TestBadNeighbourFailsAlone(t *testing.T) {
	t.Parallel()
	c := open(t, t.TempDir())
	exec(t, c, "CREATE TRIGGER bad BEFORE INSERT ON journal WHEN NEW.kind = 'bad' BEGIN SELECT RAISE(ABORT, 'bad kind'); END")
	release := hold(t, c)
	verdicts := make(chan error, 5)
	for i := range 5 { // all in one batch
		kind := recorder.EntryState
		if i == 2 {
			kind = "bad"
		}
		c.Note(note("a", i))
		go func() {
			verdicts <- c.Append(context.Background(), recorder.Entry{Call: recorder.CallID(fmt.Sprint("c", i)), Kind: kind, Data: i})
		}()
	}
	for c.queue.length() < 10 {
		<-time.After(time.Millisecond)
	}
	release()
	failed := 0
	for range 5 {
		if err := <-verdicts; err != nil {
			failed++
			if !strings.Contains(err.Error(), "bad kind") {
				t.Error(err)
			}
		}
	}
	if failed != 1 {
		t.Errorf("%d of 5 failed", failed)
	}
	j, err := c.Journal(t.Context(), "a")
	if err != nil || len(j) != 5 || j[4].Seq != 5 {
		t.Errorf("the neighbours' notes: %v, %v", j, err)
	}
	if _, err := c.Call(t.Context(), "c2"); !errors.Is(err, ErrUnknown) {
		t.Errorf("half of the bad work is there: %v", err)
	}
}

func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	c := open(t, t.TempDir())
	release := hold(t, c)
	notes := 0
	for c.Note(note("a", notes)) {
		notes++
	}
	if notes != noteItems {
		t.Errorf("%d notes had room, not %d", notes, noteItems)
	}
	c.Invited(recorder.Invite{Call: recorder.CallRef{ID: "b"}}) // invites have more room
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := c.Append(ctx, note("b", 1)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("append while the writer stands still: %v", err)
	}
	for range mostItems - notes - 2 {
		if err := c.queue.push(&item{write: func(*session) error { return nil }}, mostItems, mostBytes); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Append(ctx, note("b", 1)); !errors.Is(err, ErrQueueFull) {
		t.Errorf("append to a full queue: %v", err)
	}
	if got := testutil.ToFloat64(c.metrics.failures); got != 2 {
		t.Errorf("%v failures counted, not 2", got)
	}
	short, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer stop()
	if err := c.Close(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("close while the writer stands still: %v", err)
	}
	release()
	if err := c.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := open(t, filepath.Dir(c.lock.Name()))
	if j, err := again.Journal(t.Context(), "b"); err != nil || len(j) != 2 {
		t.Errorf("what was queued is not written: %v, %v", j, err)
	}
}

func TestBytesAreBounded(t *testing.T) {
	t.Parallel()
	q := newQueue()
	for range 4 {
		if err := q.push(&item{size: noteBytes / 4}, noteItems, noteBytes); err != nil {
			t.Fatal(err)
		}
	}
	if err := q.push(&item{size: 1}, noteItems, noteBytes); !errors.Is(err, ErrQueueFull) {
		t.Errorf("a fifth quarter: %v", err)
	}
	if err := q.push(&item{size: 1}, mostItems, mostBytes); err != nil {
		t.Errorf("work that someone waits for: %v", err)
	}
	if n := len(q.take()); n != 5 {
		t.Errorf("%d taken", n)
	}
	if err := q.push(&item{size: noteBytes}, noteItems, noteBytes); err != nil {
		t.Errorf("after the queue was emptied: %v", err)
	}
}

func TestOneWriter(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "made", "on the way %41?#")
	if _, err := Open(t.Context(), "sqlite:x.db", dir, Options{ReadOnly: true}); err == nil || !strings.Contains(err.Error(), "there is no file") {
		t.Fatalf("reading what is not there: %v", err)
	}
	dir = filepath.Join(t.TempDir(), "made", "on the way %41")
	c := open(t, dir)
	if _, err := Open(t.Context(), "sqlite:catalogue.db", dir, Options{}); !errors.Is(err, durable.ErrLocked) {
		t.Errorf("a second writer: %v", err)
	}
	if err := c.Append(t.Context(), note("a", 1)); err != nil {
		t.Fatal(err)
	}
	r, err := Open(t.Context(), "sqlite:catalogue.db", dir, Options{ReadOnly: true, Registerer: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	if j, jerr := r.Journal(t.Context(), "a"); jerr != nil || len(j) != 1 {
		t.Errorf("a reader sees %v, %v", j, jerr)
	}
	if err = r.Append(t.Context(), note("a", 2)); !errors.Is(err, ErrClosed) {
		t.Errorf("a reader appends: %v", err)
	}
	if _, err = r.read.ExecContext(t.Context(), "DELETE FROM journal"); err == nil {
		t.Error("a reader deletes")
	}
	if err = r.Close(t.Context()); err != nil {
		t.Error(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil || info.Mode()&fs.ModePerm != 0o600 {
			t.Errorf("%s: %v, %v", f.Name(), info.Mode(), err)
		}
	}
}

func TestCommitsAreDurable(t *testing.T) {
	t.Parallel()
	c := open(t, t.TempDir())
	err := c.await(t.Context(), "ask", 0, func(s *session) error {
		var mode string
		var sync int
		if err := s.conn.QueryRowContext(t.Context(), "PRAGMA journal_mode").Scan(&mode); err != nil {
			return err
		}
		if err := s.conn.QueryRowContext(t.Context(), "PRAGMA synchronous").Scan(&sync); err != nil {
			return err
		}
		if mode != "wal" || sync != 2 {
			t.Errorf("the writer's journal_mode is %s, synchronous %d", mode, sync)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := open(t, dir)
	exec(t, c, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, 1)")
	if err := c.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), "sqlite:catalogue.db", dir, Options{}); err == nil || !strings.Contains(err.Error(), "newer recorderbot") {
		t.Errorf("opened: %v", err)
	}
}

func TestURL(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"sqlite:a.db":                           "/base/a.db",
		"sqlite:sub/../a b.db":                  "/base/a b.db",
		"sqlite:/abs/a.db":                      "/abs/a.db",
		"sqlite:///abs/a.db":                    "/abs/a.db",
		"sqlite://a.db":                         "error: absolute path",
		"sqlite:":                               "error: names no file",
		"sqlite:dir/":                           "error: names no file",
		"sqlite::memory:":                       "error: would not survive",
		"sqlite:a.db?mode=memory":               "error: may not contain",
		"":                                      "error: no url",
		"a.db":                                  "error: no scheme",
		"mysql://secret@h/db":                   `error: unknown scheme "mysql"`,
		"postgres://user:secret@host/catalogue": "error: PostgreSQL is not in this version",
	} {
		got, err := sqlitePath(url, "/base")
		if fault, ok := strings.CutPrefix(want, "error: "); ok {
			if err == nil || !strings.Contains(err.Error(), fault) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%q: %q, %v", url, got, err)
			}
		} else if err != nil || got != want {
			t.Errorf("%q: %q, %v", url, got, err)
		}
	}
}

// BenchmarkAppend shows what group commit is for: each Append is durable on
// return, and the callers share the fsyncs.
func BenchmarkAppend(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprint(callers), func(b *testing.B) {
			c := open(b, b.TempDir())
			work := make(chan int)
			done := make(chan error)
			for i := range callers {
				go func() {
					id := recorder.CallID(fmt.Sprint("call-", i))
					for n := range work {
						if err := c.Append(context.Background(), note(id, n)); err != nil {
							done <- err
							return
						}
					}
					done <- nil
				}()
			}
			b.ResetTimer()
			for n := range b.N {
				work <- n
			}
			close(work)
			for range callers {
				if err := <-done; err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appends/s")
		})
	}
}

// TestDurable: it returns when the invite that was queued before it is there for
// others to see, and not while the writer is held up.
func TestDurable(t *testing.T) {
	t.Parallel()
	c := open(t, t.TempDir())
	release := hold(t, c)
	c.Invited(recorder.Invite{Call: recorder.CallRef{ID: "a"}})
	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Durable(impatient); !errors.Is(err, context.Canceled) {
		t.Errorf("with the writer held up: %v", err)
	}
	release()
	if err := c.Durable(t.Context()); err != nil {
		t.Fatal(err)
	}
	if call, err := c.Call(t.Context(), "a"); err != nil || !call.InviteKnown {
		t.Errorf("the invite is not there: %+v, %v", call, err)
	}
}
