package recorder

import (
	"context"
	"time"
)

// Freeze stops every call where it stands, so that another process can take it up as
// it would after a crash: nothing is sealed, announced or left for its sake.
//
// What was taken from outside (Post, Invite) is worked off first, for whoever sent it
// was told that it is ours; from here on both refuse. Then each call goes on with
// what it has under way, limit at most, to where nothing would be lost by asking
// again: one that is being answered has its answer taken, one that is being opened is
// open. What is still under way then is cut off, and the next process finds it in the
// journal as it finds what a crash has cut.
//
// It returns how many calls were left to the next process once none works any more,
// or with ctx's error. The registry is of no use afterwards.
func (r *Registry) Freeze(ctx context.Context, limit time.Duration) (left int, err error) {
	r.mu.Lock()
	frozen := r.frozen
	r.frozen = true // no Post and no Invite succeeds from here on
	r.mu.Unlock()
	if !frozen {
		close(r.deps.freezing)
	}
	patience := time.AfterFunc(limit, r.cut)
	defer patience.Stop()
	err = r.Wait(ctx)
	r.cut()
	return int(r.deps.handed.Load()), err
}

// Frozen reports whether the calls are being left to another process.
func (r *Registry) Frozen() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.frozen
}

// last is next once the calls are frozen: what was taken, what is under way, and
// nothing new. It returns nil where the call can be left.
func (c *call) last(ctx context.Context, s state) Event {
	for ctx.Err() == nil { // what was cut off has failed for no reason of its own
		// Before all else: work that is seen as over here has handed over its event.
		resting := c.working.Load() == 0
		if ev := c.pressing.pop(); ev != nil {
			return ev
		}
		select {
		case ev := <-c.results:
			return ev
		case ev := <-c.inbox:
			if !c.keepReply(ctx, ev) {
				return ev
			}
			continue
		default:
		}
		if resting && canBeLeft(s) {
			return nil
		}
		select {
		case <-c.pressing.wake:
		case ev := <-c.results:
			return ev
		case k := <-c.ticks:
			if ev := c.ticked(k); ev != nil {
				return ev
			}
		case <-c.rested:
		case <-ctx.Done():
		}
	}
	return nil
}

// canBeLeft reports whether another process could go on from a state in which
// nothing is under way. The blob is in this one's memory alone: another could not
// answer with it once more.
func canBeLeft(s state) bool {
	a, _ := s.(answering) // in all others there is no doubt
	return a.doubt == "" || a.session.Blob == ""
}

// workOver counts a piece of work as done, and says so to a call that waits for it.
func (c *call) workOver() {
	c.working.Add(-1)
	select {
	case c.rested <- struct{}{}:
	default: // it has not looked since the last
	}
}
