package media

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// failures is what Options.OnFailure was told so far.
func (w *world) failures() []error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]error(nil), w.broken...)
}

// stall lets the disk hang, from a commit that is under way when it returns.
func (w *world) stall(hs *testSession) (letGo func()) {
	w.tb.Helper()
	still := make(chan struct{})
	w.mu.Lock()
	w.still = still
	w.mu.Unlock()
	letGo = sync.OnceFunc(func() {
		w.mu.Lock()
		w.still = nil
		w.mu.Unlock()
		close(still)
	})
	w.tb.Cleanup(letGo) // before the world closes
	hs.capture(1)
	eventually(w.tb, "a commit that hangs", func() bool { return w.spool.Stalled() > 50*time.Millisecond })
	return letGo
}

// TestDiskHangs: law 3: failed is announced within two seconds, for who records
// and for who was about to; and when the disk goes on in time nothing happened.
func TestDiskHangs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	s, hs := w.record("a")
	hs.capture(10)
	w.stored(s, 10)
	began := time.Now()
	letGo := w.stall(hs)
	w.invite("b")
	for _, id := range []recorder.CallID{"a", "b"} {
		eventually(t, "failed", func() bool { return w.heard(string(id) + " failed") })
		if took := time.Since(began); took > 2*time.Second || took < 1500*time.Millisecond {
			t.Errorf("failed of %s was announced after %v", id, took)
		}
		if end := w.end(id); end.Outcome != recorder.OutcomeFailed || end.Cause != recorder.CauseStorageFailed {
			t.Errorf("%+v", end)
		}
	}
	letGo()
	// The process is not lost: the next call is recorded.
	s, hs = w.record("c")
	hs.capture(5)
	w.stored(s, 5)
	w.hangUp("c")
	if end := w.end("c"); end.Outcome != recorder.OutcomeRecorded || w.service.Failed() != nil || len(w.failures()) > 0 {
		t.Errorf("%+v, %v", end, w.service.Failed())
	}
}

// TestDiskHesitates: what is over before law 3 needs it is an alert and nothing
// else.
func TestDiskHesitates(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	s, hs := w.record("a")
	hs.capture(10)
	w.stored(s, 10)
	letGo := w.stall(hs)
	hs.capture(20)
	eventually(t, "the alert", func() bool { return w.metric("recorderbot_spool_commit_stalled") == 1 })
	<-time.After(150 * time.Millisecond)
	letGo()
	eventually(t, "the end of the alert", func() bool { return w.metric("recorderbot_spool_commit_stalled") == 0 })
	hs.capture(20)
	w.stored(s, 51)
	w.hangUp("a")
	if end := w.end("a"); end.Outcome != recorder.OutcomeRecorded {
		t.Errorf("%+v", end)
	}
	w.whole(w.report("a").Recording, upTo(1, 51)...)
}

// TestDiskHangsDuringSeal: a call that is ending is told as well.
func TestDiskHangsDuringSeal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	s, hs := w.record("a")
	hs.capture(10)
	w.stored(s, 10)
	began := time.Now()
	w.stall(hs)
	w.hangUp("a")
	if end := w.end("a"); end.Outcome != recorder.OutcomeFailed {
		t.Errorf("%+v", end)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
}

// TestDiskStaysAway: a disk that does not come back ends the process.
func TestDiskStaysAway(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("ten seconds")
	}
	w := newWorld(t, worldOptions{})
	_, hs := w.record("a")
	w.stall(hs)
	<-time.After(storageLimit - time.Second)
	if err := w.service.Failed(); err != nil {
		t.Errorf("too soon: %v", err)
	}
	eventually(t, "the end of the process", func() bool { return len(w.failures()) == 1 })
	if w.service.Failed() == nil {
		t.Error("it is still ready")
	}
}

// TestStorageFails: law 3 for every recording, no new calls, and the process is
// told, once, that it must end.
func TestStorageFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	_, hs := w.record("a")
	w.record("b")
	hs.capture(3)
	if err := w.service.Failed(); err != nil || len(w.failures()) > 0 {
		t.Errorf("failed before anything happened: %v %v", err, w.failures())
	}
	planted := errors.New("planted")
	w.service.OnFailure(planted)
	w.service.OnFailure(errors.New("another"))
	for _, id := range []recorder.CallID{"a", "b"} {
		if end := w.end(id); end.Outcome != recorder.OutcomeFailed || end.Cause != recorder.CauseStorageFailed {
			t.Errorf("%+v", end)
		}
	}
	if _, err := w.service.CreateSession(t.Context(), recorder.CallRef{ID: "c"}, recorder.Placement{}); !errors.Is(err, recorder.ErrNoMediaHost) {
		t.Errorf("a new call was taken: %v", err)
	}
	if got := w.failures(); len(got) != 1 || !errors.Is(got[0], planted) {
		t.Errorf("the process was told %v", got)
	}
	if err := w.service.Failed(); !errors.Is(err, planted) || strings.Contains(err.Error(), "another") {
		t.Errorf("Failed says %v", err)
	}
}

// TestRunEndsWhileDiskHangs: a process whose disk has failed by hanging ends: the
// reader that waits for room in the spool is let go of, and the spool closes.
func TestRunEndsWhileDiskHangs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	_, hs := w.record("c")
	w.stall(hs)
	for range 40 {
		hs.capture(100) // more than waits outside the spool
	}
	eventually(t, "a reader that waits in the spool", func() bool {
		since := w.service.hosts[0].writing.Load()
		return since != 0 && time.Since(time.Unix(0, since)) > 50*time.Millisecond
	})
	began := time.Now()
	w.service.OnFailure(errors.New("the disk hangs"))
	w.end("c")
	w.stop()
	select {
	case <-w.done:
	case <-time.After(3 * time.Second):
		t.Fatal("Run has not returned")
	}
	if err := w.spool.Close(t.Context()); !errors.Is(err, spool.ErrFailed) {
		t.Errorf("the spool closed with %v", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the end took %v", took)
	}
}
