package admission

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// MeasureEvery is how often Run measures.
const MeasureEvery = 250 * time.Millisecond

// strayAfter is how long a place is held for a call that is not live: between Admit
// and the call's first moment pass microseconds, and a call that is over gives its
// place back itself.
const strayAfter = 5 * time.Second

// Limits are what the operator has set.
type Limits struct {
	Calls         int           // at once; 0: what hosts and spool have room for
	SpoolRoom     time.Duration // that the spool must have with the new call
	CommitLatency time.Duration // of the spool, smoothed; 0: it does not matter
	CPU           float64       // of the cores that we may use, 0 to 1, smoothed; 0: it does not matter
}

// A Gate admits calls. It is safe for concurrent use.
type Gate struct {
	limits  Limits
	sources Sources
	metrics *metrics

	measuring sync.Mutex // guards what follows: one measurement at a time
	commits   smooth
	cpu       smooth
	last      measured

	view atomic.Pointer[view] // what was measured last, condensed

	mu    sync.Mutex // guards calls; nothing is called under it
	calls map[recorder.CallID]time.Time
}

// New returns a gate that admits nobody before the first measurement.
func New(l Limits, s Sources, reg prometheus.Registerer) *Gate {
	g := &Gate{
		limits: l, sources: s, metrics: newMetrics(reg), calls: make(map[recorder.CallID]time.Time),
		commits: smooth{limit: l.CommitLatency.Seconds(), open: commitOpen},
		cpu:     smooth{limit: l.CPU, open: cpuOpen},
	}
	g.view.Store(&view{closed: recorder.CauseNoMediaHost})
	return g
}

// Run measures until ctx ends.
func (g *Gate) Run(ctx context.Context) {
	tick := time.NewTicker(MeasureEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			g.Measure(now)
		}
	}
}

// Admit says why a call can't be taken now; "" means that it has a place, which it
// keeps until Ended. It never waits. For a call that has a place it says so again:
// the platform repeats its invites.
func (g *Gate) Admit(inv recorder.Invite) recorder.Cause {
	v := g.view.Load()
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, held := g.calls[inv.Call.ID]; held {
		return ""
	}
	if cause := v.refusal(len(g.calls)); cause != "" {
		return cause
	}
	g.hold(inv.Call.ID, v.at)
	return ""
}

// Hold gives a place to a call that is there already, as one that a dead process
// has left and that this one goes on recording. It asks for no room.
func (g *Gate) Hold(id recorder.CallID) {
	v := g.view.Load()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.hold(id, v.at)
}

// hold needs the lock.
func (g *Gate) hold(id recorder.CallID, now time.Time) {
	g.calls[id] = now
	g.metrics.calls.Set(float64(len(g.calls)))
}

// Ended gives the call's place back, where it has one, and counts it where it was
// turned down for want of room.
func (g *Gate) Ended(end recorder.Conclusion) {
	if end.Outcome == recorder.OutcomeRejected {
		g.metrics.rejected(end.Cause)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.calls, end.Call)
	g.metrics.calls.Set(float64(len(g.calls)))
}

// Calls returns how many calls hold a place.
func (g *Gate) Calls() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.calls)
}

// sweep takes back the places that nobody gives back, and returns how many are
// held.
func (g *Gate) sweep(now time.Time) int {
	g.mu.Lock()
	var old []recorder.CallID
	for id, since := range g.calls {
		if now.Sub(since) > strayAfter {
			old = append(old, id)
		}
	}
	g.mu.Unlock()
	var stray []recorder.CallID
	for _, id := range old {
		if !g.sources.Live(id) {
			stray = append(stray, id)
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, id := range stray {
		// Whoever was given the place anew meanwhile keeps it.
		if now.Sub(g.calls[id]) > strayAfter {
			delete(g.calls, id)
		}
	}
	g.metrics.calls.Set(float64(len(g.calls)))
	return len(g.calls)
}
