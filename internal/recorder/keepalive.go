package recorder

import (
	"context"
	"hash/fnv"
	"time"
)

// The platform ends a call after 45 minutes without a keepAlive and recommends
// one every 15 (Graph, call: keepAlive). What it accepted must not lie further
// back than 20 minutes: half of its patience is left for people.
const (
	keepAliveEvery = 10 * time.Minute
	keepAliveSoon  = time.Minute
	// keepAliveMost bounds what a Retry-After may ask for: one of half an hour,
	// after ten minutes, would leave a single try before the platform ends the call.
	// Two such in a row still leave the 20 minutes.
	keepAliveMost = 4 * time.Minute
	// keepAliveSpread is by how much calls differ, so that those that began or were
	// turned away together do not come together ever after: a part of the regular
	// interval, which becomes shorter, and a time that is added to what we were
	// asked to wait.
	keepAliveSpreadPart = 5
	keepAliveSpreadMost = keepAliveSoon / 2
)

// keepAlive is the same in every state that is in the call.
func keepAlive(t Timer) []Command {
	if t != TimerKeepAlive {
		return nil
	}
	return []Command{KeepAlive{}, SetTimer{TimerKeepAlive, keepAliveEvery}}
}

// keptAlive says what a reply to a keepAlive asks for: where nobody knows, ask
// again soon, well within the platform's 45 minutes, but not sooner than it asked
// for.
func keptAlive(ev KeepAliveReplied) []Command {
	if ev.OK || ev.Gone {
		return nil
	}
	return []Command{SetTimer{TimerKeepAlive, min(max(keepAliveSoon, ev.RetryAfter), keepAliveMost)}}
}

func (c *call) keepAlive(ctx context.Context) {
	c.do(ctx, requestTimeout, func(ctx context.Context) Event {
		began := time.Now()
		receipt, err := c.deps.platform.KeepAlive(ctx, c.inv.Call)
		f := faultOf(err)
		c.note(EntryKeepAlive, replyData(receipt, err, ""))
		if f != nil {
			return KeepAliveReplied{Gone: f.Kind == FaultGone, RetryAfter: f.RetryAfter}
		}
		c.kept.Store(began.UnixNano())
		return KeepAliveReplied{OK: true}
	})
}

// setKeepAlive is setTimer for keepAlives. One that is due is not put off: a state
// that is entered does not know how long the one before it has waited.
func (c *call) setKeepAlive(after time.Duration) {
	now := time.Now()
	// Established: the platform counts from here, but for a call that was taken up:
	// nobody here knows when the dead process kept it alive.
	if c.kept.CompareAndSwap(0, now.UnixNano()) && c.inherited {
		after = keepAliveSoon
	}
	after = spread(c.inv.Call.ID, after)
	if old := c.timers[TimerKeepAlive]; old != nil && old.at.Before(now.Add(after)) {
		return
	}
	c.startTimer(TimerKeepAlive, after)
}

// spread moves a keepAlive by a part that is the call's own. What we were asked to
// wait is waited in full.
func spread(id CallID, after time.Duration) time.Duration {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id))
	// The last bytes hardly reach the upper bits: mix.
	x := uint64(h.Sum32()) * 0x9E3779B97F4A7C15
	part := float64(x>>11) / (1 << 53)
	if after >= keepAliveEvery {
		return after - time.Duration(part*float64(after/keepAliveSpreadPart))
	}
	return after + time.Duration(part*float64(keepAliveSpreadMost))
}

// keepAliveAge is for how long the platform has accepted no keepAlive of a live
// call: the longest of all, in seconds.
func (r *Registry) keepAliveAge() float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	var age time.Duration
	for _, c := range r.calls {
		if kept := c.kept.Load(); kept != 0 {
			age = max(age, time.Since(time.Unix(0, kept)))
		}
	}
	return age.Seconds()
}
