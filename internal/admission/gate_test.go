package admission

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// A world is what a gate measures. Time passes when the test says so.
type world struct {
	hosts    Hosts
	spool    Spool
	commits  Commits
	used     time.Duration
	failing  bool
	draining bool
	live     map[recorder.CallID]bool

	now  time.Time
	reg  *prometheus.Registry
	gate *Gate
}

// newWorld is one in which nothing is scarce, and its first measurement.
func newWorld(l Limits) *world {
	if l.SpoolRoom == 0 {
		l.SpoolRoom = 2 * time.Hour
	}
	w := &world{
		hosts: Hosts{Willing: true, Calls: 1 << 20}, spool: Spool{Free: 1 << 60, PerCall: 36_000},
		live: map[recorder.CallID]bool{}, now: time.Unix(1_800_000_000, 0), reg: prometheus.NewRegistry(),
	}
	w.gate = New(l, Sources{
		Hosts: func() Hosts { return w.hosts }, Spool: func() Spool { return w.spool },
		Commits: func() Commits { return w.commits }, CPU: func() (time.Duration, float64) { return w.used, 2 },
		JournalFailing: func() bool { return w.failing }, Draining: func() bool { return w.draining },
		Live: func(id recorder.CallID) bool { return w.live[id] },
	}, w.reg)
	w.gate.Measure(w.now)
	return w
}

// pass lets time pass. In each interval there are n commits of the given length,
// and so much of the two cores is used.
func (w *world) pass(d time.Duration, n uint64, took time.Duration, cpu float64) {
	for range int(d / MeasureEvery) {
		w.now = w.now.Add(MeasureEvery)
		w.commits.Count += n
		w.commits.Took += time.Duration(n) * took
		w.used += time.Duration(cpu * 2 * float64(MeasureEvery))
		w.gate.Measure(w.now)
	}
}

func (w *world) admit(name string) recorder.Cause {
	id := recorder.CallID(name)
	cause := w.gate.Admit(recorder.Invite{Call: recorder.CallRef{ID: id}})
	if cause == "" {
		w.live[id] = true
	}
	return cause
}

// fill admits calls until one is refused, and returns how many were admitted.
func (w *world) fill(name string) (n int, cause recorder.Cause) {
	for ; n < 10_000; n++ {
		if cause = w.admit(fmt.Sprint(name, n)); cause != "" {
			break
		}
	}
	return n, cause
}

func (w *world) end(name string) {
	delete(w.live, recorder.CallID(name))
	w.gate.Ended(recorder.Conclusion{Call: recorder.CallID(name), Outcome: recorder.OutcomeRecorded})
}

// TestLimits: each limit alone refuses, with its own cause, exactly when it is
// reached, and says so in its metric.
func TestLimits(t *testing.T) {
	t.Parallel()
	const perCall = 2 * 3600 * 36_000 // bytes, for two hours
	for name, tt := range map[string]struct {
		limits Limits
		change func(*world)
		calls  int
		cause  recorder.Cause
	}{
		"configured":       {Limits{Calls: 20}, func(*world) {}, 20, recorder.CauseAtCapacity},
		"hosts are full":   {Limits{}, func(w *world) { w.hosts.Calls = 30 }, 30, recorder.CauseHostsBusy},
		"hosts first":      {Limits{Calls: 31}, func(w *world) { w.hosts.Calls = 30 }, 30, recorder.CauseHostsBusy},
		"no willing host":  {Limits{}, func(w *world) { w.hosts = Hosts{Calls: 3} }, 0, recorder.CauseNoMediaHost},
		"no room":          {Limits{}, func(w *world) { w.spool.Free = 0 }, 0, recorder.CauseNoSpoolRoom},
		"room for ten":     {Limits{}, func(w *world) { w.spool.Free = 10 * perCall }, 10, recorder.CauseNoSpoolRoom},
		"a byte too few":   {Limits{}, func(w *world) { w.spool.Free = 10*perCall - 1 }, 9, recorder.CauseNoSpoolRoom},
		"others write":     {Limits{}, func(w *world) { w.spool.Free, w.spool.Rate = 10*perCall, 72_000 }, 8, recorder.CauseNoSpoolRoom},
		"more is written":  {Limits{}, func(w *world) { w.spool.Free, w.spool.Rate = perCall, 1e6 }, 0, recorder.CauseNoSpoolRoom},
		"less room needed": {Limits{SpoolRoom: time.Hour}, func(w *world) { w.spool.Free = 10 * perCall }, 20, recorder.CauseNoSpoolRoom},
		"a commit hangs":   {Limits{CommitLatency: time.Second}, func(w *world) { w.commits.Running = hangsAfter + 1 }, 0, recorder.CauseStorageSlow},
		"journal failing":  {Limits{}, func(w *world) { w.failing = true }, 0, recorder.CauseJournalFailed},
		"draining":         {Limits{}, func(w *world) { w.failing, w.draining = true, true }, 0, recorder.CauseDraining},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(tt.limits)
			tt.change(w)
			w.gate.Measure(w.now)
			n, cause := w.fill("c")
			if n != tt.calls || cause != tt.cause {
				t.Fatalf("%d calls admitted, then %q; want %d and %q", n, cause, tt.calls, tt.cause)
			}
			w.gate.Measure(w.now)
			for _, c := range causes() {
				if got := testutil.ToFloat64(w.gate.metrics.closed.WithLabelValues(string(c))); (got == 1) != (c == tt.cause) {
					t.Errorf("closed{%s} is %v", c, got)
				}
			}
			if n > 0 {
				w.end("c0")
				if cause := w.admit("next"); cause != "" {
					t.Errorf("refused as %q although one has ended", cause)
				}
			}
		})
	}
}

// TestRateOfRecordedCalls: calls that are recorded are in the rate and are not
// counted twice; those that are not recorded yet are counted.
func TestRateOfRecordedCalls(t *testing.T) {
	t.Parallel()
	const perCall = 2 * 3600 * 36_000
	w := newWorld(Limits{})
	w.spool.Free = 10 * perCall
	w.gate.Measure(w.now)
	for i := range 6 {
		if cause := w.admit(fmt.Sprint("c", i)); cause != "" {
			t.Fatal(cause)
		}
	}
	w.spool.Open, w.spool.Rate = 4, 4*36_000 // two are on their way
	w.gate.Measure(w.now)
	if n, cause := w.fill("d"); n != 4 || cause != recorder.CauseNoSpoolRoom {
		t.Errorf("%d more admitted, then %q; want 4", n, cause)
	}
}

// TestBurst: of a thousand invites at once exactly as many are admitted as there
// is room for, whatever was measured meanwhile.
func TestBurst(t *testing.T) {
	t.Parallel()
	w := newWorld(Limits{Calls: 300})
	var wg sync.WaitGroup
	var mu sync.Mutex
	verdicts := map[recorder.Cause]int{}
	for i := range 1000 {
		wg.Go(func() {
			inv := recorder.Invite{Call: recorder.CallRef{ID: recorder.CallID(fmt.Sprint(i))}}
			cause := w.gate.Admit(inv)
			mu.Lock()
			defer mu.Unlock()
			verdicts[cause]++
		})
	}
	wg.Go(func() {
		for range 100 {
			w.gate.Measure(w.now)
		}
	})
	wg.Wait()
	if verdicts[""] != 300 || verdicts[recorder.CauseAtCapacity] != 700 || w.gate.Calls() != 300 {
		t.Errorf("verdicts %v, %d places held", verdicts, w.gate.Calls())
	}
}

// TestHostsFillBetweenMeasurements: the sessions of the calls that were admitted
// since are seen in what the hosts say, or not yet; it makes no difference.
func TestHostsFillBetweenMeasurements(t *testing.T) {
	t.Parallel()
	w := newWorld(Limits{})
	w.hosts.Calls = 10
	w.gate.Measure(w.now)
	for i := range 7 {
		if cause := w.admit(fmt.Sprint("c", i)); cause != "" {
			t.Fatal(cause)
		}
		w.gate.Measure(w.now)
	}
	w.hosts.Calls = 8 // other processes have placed two
	w.gate.Measure(w.now)
	if n, cause := w.fill("d"); n != 1 || cause != recorder.CauseHostsBusy {
		t.Errorf("%d more, then %q; want one", n, cause)
	}
}

// TestRepeatedInvites: an invite that comes again takes no second place, also
// where there is none; one of a call that is over gives its place back by itself.
func TestRepeatedInvites(t *testing.T) {
	t.Parallel()
	w := newWorld(Limits{Calls: 1})
	for range 3 {
		if cause := w.admit("a"); cause != "" || w.gate.Calls() != 1 {
			t.Fatalf("%q, %d places", cause, w.gate.Calls())
		}
	}
	w.end("a")
	w.end("a")
	if cause := w.admit("a"); cause != "" {
		t.Fatal(cause)
	}
	delete(w.live, "a") // the recorder knows that it is over, and starts nothing
	w.pass(strayAfter, 0, 0, 0)
	if w.gate.Calls() != 1 {
		t.Error("the place was taken back at once")
	}
	w.pass(time.Second, 0, 0, 0)
	if w.gate.Calls() != 0 {
		t.Error("the place is held for ever")
	}
	if cause := w.admit("b"); cause != "" {
		t.Fatal(cause)
	}
	w.pass(time.Hour, 0, 0, 0)
	if w.gate.Calls() != 1 {
		t.Error("a live call has lost its place")
	}
}

// TestHold: a call that was taken over has a place, also beyond the limit.
func TestHold(t *testing.T) {
	t.Parallel()
	w := newWorld(Limits{Calls: 2})
	for _, id := range []recorder.CallID{"x", "y", "z"} {
		w.gate.Hold(id)
		w.live[id] = true
	}
	w.pass(time.Minute, 0, 0, 0)
	if cause := w.admit("a"); cause != recorder.CauseAtCapacity || w.gate.Calls() != 3 {
		t.Errorf("%q, %d places", cause, w.gate.Calls())
	}
	w.end("x")
	w.end("y")
	if cause := w.admit("a"); cause != "" {
		t.Error(cause)
	}
}

// TestNothingMeasured: who has looked at nothing admits nobody.
func TestNothingMeasured(t *testing.T) {
	t.Parallel()
	g := New(Limits{}, Sources{}, prometheus.NewRegistry())
	if cause := g.Admit(recorder.Invite{}); cause != recorder.CauseNoMediaHost {
		t.Errorf("%q", cause)
	}
}

// TestCounted: what was turned down for want of room is counted, once and by
// cause; the rest is not. All that is exported is there from the start.
func TestCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(Limits{Calls: 7})
	w.hosts.Calls = 9
	w.gate.Measure(w.now)
	if n := testutil.CollectAndCount(w.gate.metrics.refused); n != len(causes()) {
		t.Errorf("%d causes are exported, want %d", n, len(causes()))
	}
	for outcome, cause := range map[recorder.Outcome]recorder.Cause{
		recorder.OutcomeRejected: recorder.CauseHostsBusy, recorder.OutcomeFailed: recorder.CauseNoSpoolRoom, recorder.OutcomeRecorded: recorder.CauseCallEnded,
	} {
		w.gate.Ended(recorder.Conclusion{Call: "a", Outcome: outcome, Cause: cause})
	}
	w.gate.Ended(recorder.Conclusion{Call: "b", Outcome: recorder.OutcomeRejected, Cause: recorder.CauseNotPolicyInvite})
	err := testutil.CollectAndCompare(w.gate.metrics.refused, strings.NewReader(`
# HELP recorderbot_admission_refused_total Invites that were rejected for want of room, by cause.
# TYPE recorderbot_admission_refused_total counter
recorderbot_admission_refused_total{cause="atCapacity"} 0
recorderbot_admission_refused_total{cause="cpuBusy"} 0
recorderbot_admission_refused_total{cause="draining"} 0
recorderbot_admission_refused_total{cause="hostsBusy"} 1
recorderbot_admission_refused_total{cause="journalFailed"} 0
recorderbot_admission_refused_total{cause="noMediaHost"} 0
recorderbot_admission_refused_total{cause="noSpoolRoom"} 0
recorderbot_admission_refused_total{cause="storageSlow"} 0
`))
	if err != nil {
		t.Error(err)
	}
	capacity := func(limit string) float64 { return testutil.ToFloat64(w.gate.metrics.capacity.WithLabelValues(limit)) }
	if capacity(limitConfigured) != 7 || capacity(limitHosts) != 9 || capacity(limitSpool) < 1e6 {
		t.Errorf("capacity %v %v %v", capacity(limitConfigured), capacity(limitHosts), capacity(limitSpool))
	}
}
