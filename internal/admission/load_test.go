package admission

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// flips counts how often the gate opens or shuts while the world does something.
func (w *world) flips(d time.Duration, each func(i int)) (n int) {
	was := w.admits()
	for i := range int(d / MeasureEvery) {
		each(i)
		if now := w.admits(); now != was {
			was, n = now, n+1
		}
	}
	return n
}

// admits tries with a call that ends at once.
func (w *world) admits() bool {
	if w.admit("probe") != "" {
		return false
	}
	w.end("probe")
	return true
}

// TestCommitLatency: slow commits shut the gate after some seconds, one slow commit
// does not, and it opens when they are well below the limit again.
func TestCommitLatency(t *testing.T) {
	t.Parallel()
	const limit = 200 * time.Millisecond
	w := newWorld(Limits{CommitLatency: limit})
	w.pass(10*time.Second, 12, 2*time.Millisecond, 0)
	w.pass(MeasureEvery, 1, 900*time.Millisecond, 0)
	if cause := w.admit("a"); cause != "" {
		t.Errorf("refused as %q for one slow commit", cause)
	}
	w.pass(10*time.Second, 12, 2*time.Millisecond, 0)
	w.pass(2*time.Second, 1, 300*time.Millisecond, 0)
	if cause := w.admit("b"); cause != "" {
		t.Errorf("refused as %q after two seconds", cause)
	}
	w.pass(8*time.Second, 1, 300*time.Millisecond, 0)
	if cause := w.admit("c"); cause != recorder.CauseStorageSlow {
		t.Errorf("%q after ten seconds of slow commits", cause)
	}
	w.pass(time.Minute, 2, 150*time.Millisecond, 0)
	if cause := w.admit("d"); cause != recorder.CauseStorageSlow {
		t.Errorf("%q although commits are hardly faster than the limit", cause)
	}
	w.pass(10*time.Second, 12, 2*time.Millisecond, 0)
	if cause := w.admit("e"); cause != "" {
		t.Errorf("refused as %q although the disk is fast again", cause)
	}
}

// TestCommitUnderWay: a commit that has not come back counts as it is.
func TestCommitUnderWay(t *testing.T) {
	t.Parallel()
	w := newWorld(Limits{CommitLatency: 200 * time.Millisecond})
	w.commits.Running = hangsAfter
	w.pass(MeasureEvery, 0, 0, 0)
	if cause := w.admit("a"); cause != "" {
		t.Errorf("refused as %q already", cause)
	}
	w.commits.Running++
	w.pass(MeasureEvery, 0, 0, 0)
	if cause := w.admit("b"); cause != recorder.CauseStorageSlow {
		t.Errorf("%q while a commit hangs", cause)
	}
	w.commits.Running = 0
	w.pass(MeasureEvery, 12, time.Millisecond, 0)
	if cause := w.admit("c"); cause != "" {
		t.Errorf("refused as %q after a short hang", cause)
	}
}

// TestIdleDisk: without calls there are no commits, and what was measured when
// there were fades: else nobody would ever be admitted again.
func TestIdleDisk(t *testing.T) {
	t.Parallel()
	w := newWorld(Limits{CommitLatency: 200 * time.Millisecond})
	w.pass(30*time.Second, 1, time.Second, 0)
	if cause := w.admit("a"); cause != recorder.CauseStorageSlow {
		t.Fatalf("%q", cause)
	}
	w.pass(30*time.Second, 0, 0, 0)
	if cause := w.admit("a"); cause != "" {
		t.Errorf("refused as %q by an idle disk", cause)
	}
}

// TestCPU: the process being busy shuts the gate, a burst does not, and about the
// limit it does not flap.
func TestCPU(t *testing.T) {
	t.Parallel()
	w := newWorld(Limits{CPU: 0.9})
	w.pass(20*time.Second, 0, 0, 0.5)
	w.pass(3*time.Second, 0, 0, 1)
	if cause := w.admit("a"); cause != "" {
		t.Errorf("refused as %q after a burst", cause)
	}
	w.pass(20*time.Second, 0, 0, 0.97)
	if cause := w.admit("b"); cause != recorder.CauseCPUBusy {
		t.Errorf("%q at 97 %%", cause)
	}
	w.pass(time.Minute, 0, 0, 0.85)
	if cause := w.admit("c"); cause != recorder.CauseCPUBusy {
		t.Errorf("%q at 85 %%: too near", cause)
	}
	w.pass(20*time.Second, 0, 0, 0.6)
	if cause := w.admit("d"); cause != "" {
		t.Errorf("refused as %q at 60 %%", cause)
	}
	n := w.flips(5*time.Minute, func(i int) {
		w.pass(MeasureEvery, 0, 0, []float64{0.99, 0.83}[i/40%2]) // ten seconds each
	})
	if n > 1 {
		t.Errorf("the gate flapped %d times about its limit", n)
	}
}

// TestLoadDoesNotMatter: limits of 0 are none.
func TestLoadDoesNotMatter(t *testing.T) {
	t.Parallel()
	w := newWorld(Limits{})
	w.commits.Running = time.Minute
	w.pass(time.Minute, 1, time.Minute, 1)
	if cause := w.admit("a"); cause != "" {
		t.Errorf("refused as %q", cause)
	}
}

// TestClock: a clock that steps back, or a process that slept, shuts nothing.
func TestClock(t *testing.T) {
	t.Parallel()
	w := newWorld(Limits{CommitLatency: time.Second, CPU: 0.5})
	w.used += time.Hour
	w.gate.Measure(w.now)
	w.gate.Measure(w.now.Add(-time.Hour))
	if cause := w.admit("a"); cause != "" {
		t.Errorf("refused as %q when the clock stepped", cause)
	}
	w.now = w.now.Add(10 * time.Hour)
	w.gate.Measure(w.now)
	if cause := w.admit("b"); cause != "" {
		t.Errorf("refused as %q after a sleep", cause)
	}
}

// TestRun measures by itself until it is told to stop.
func TestRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var asked []time.Time
		g := New(Limits{SpoolRoom: time.Hour}, Sources{
			Hosts: func() Hosts { asked = append(asked, time.Now()); return Hosts{Willing: true, Calls: 1} },
			Spool: func() Spool { return Spool{Free: 1 << 40, PerCall: 1} }, Commits: func() Commits { return Commits{} },
			CPU: func() (time.Duration, float64) { return 0, 1 }, JournalFailing: func() bool { return false },
			Draining: func() bool { return false }, Live: func(recorder.CallID) bool { return true },
		}, prometheus.NewRegistry())
		go g.Run(t.Context())
		<-time.After(time.Second + time.Millisecond)
		synctest.Wait()
		if len(asked) != 4 {
			t.Errorf("measured at %v", asked)
		}
		if cause := g.Admit(recorder.Invite{}); cause != "" {
			t.Errorf("refused as %q", cause)
		}
	})
}
