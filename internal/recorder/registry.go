package recorder

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// The registry's errors.
var (
	// ErrUnknownCall: no such call is live. The platform repeats and reorders
	// its notifications, so this is ordinary.
	ErrUnknownCall = errors.New("recorder: no such call")
	// ErrBusy: the call's mailbox is full; send again later.
	ErrBusy = errors.New("recorder: the call can't take more events now")
)

// RememberEnded is how long an ended call's ID is remembered, so that a late
// duplicate of its invite does not start it again. Notifications that come an hour
// late were seen (protocol.md §1.1).
const RememberEnded = 2 * time.Hour

// Options are what a Registry needs.
type Options struct {
	Platform  Platform
	Media     Media
	Ledger    Ledger
	OnFailure FailurePolicy
	// Admit says why an invite can't be taken now, or returns "". It must not
	// block. nil admits all.
	Admit func(Invite) Cause
	// Concluded is told of each outcome once it is catalogued. It must not block.
	Concluded func(Invite, Conclusion)
	// OnRoster is told of each roster of a live call once it is noted in its journal,
	// notifications and replies to our own questions, in the journal's order. Its At is
	// the entry's. It is called by whoever brings the roster, one at a time for a call:
	// it must not block, nor write to the roster. nil: nobody asks.
	OnRoster   func(CallID, Roster)
	Registerer prometheus.Registerer
	Log        *zap.Logger
}

// A Registry is the map of live calls. It is safe for concurrent use.
type Registry struct {
	ctx   context.Context //nolint:containedctx // ends with the process: calls outlive the requests that start them
	cut   context.CancelFunc
	opts  Options
	deps  *deps
	mu    sync.Mutex // guards what follows; never held while a call works
	calls map[CallID]*call
	ended map[CallID]struct{}
	past  []pastCall // of ended, oldest first
	drain bool
	// frozen: the calls are left to another process, see Freeze.
	frozen bool
	fewer  chan struct{} // closed and made anew when a call ends
	held   chan struct{} // given to each call that is taken up; nil: they go on at once
}

// A pastCall is remembered for a while, so that late notifications are taken
// for what they are.
type pastCall struct {
	id CallID
	at time.Time
}

// NewRegistry returns an empty registry. ctx ends the calls at once, so it must
// outlive Wait.
func NewRegistry(ctx context.Context, o Options) *Registry {
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	ctx, cut := context.WithCancel(ctx)
	r := &Registry{
		ctx: ctx, cut: cut, opts: o,
		deps: &deps{
			platform: o.Platform, media: o.Media, ledger: o.Ledger, onFailure: o.OnFailure,
			metrics: newMetrics(o.Registerer), log: o.Log, concluded: o.Concluded, onRoster: o.OnRoster,
			freezing: make(chan struct{}),
		},
		calls: make(map[CallID]*call),
		ended: make(map[CallID]struct{}),
		fewer: make(chan struct{}),
	}
	r.deps.metrics.keepAlives(o.Registerer, r.keepAliveAge)
	return r
}

// Invite starts a call. A repeated invite is taken for what it is and changes
// nothing. It reports false, and nothing was begun, where the calls are frozen: the
// platform is to come again, to the next process.
func (r *Registry) Invite(inv Invite) (taken bool) {
	if r.Frozen() {
		return false
	}
	refused := r.refusal(inv)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.calls[inv.Call.ID] != nil {
		return true
	}
	if _, known := r.ended[inv.Call.ID]; known {
		return true
	}
	if r.frozen {
		return false
	}
	if r.drain && refused == "" {
		refused = CauseDraining
	}
	c := newCall(inv, r.deps)
	c.records.Store(refused == "") // whoever asks before it has begun
	r.calls[inv.Call.ID] = c
	// Here, so that nothing of the call can be journaled before its invite.
	r.deps.ledger.Invited(inv)
	go func() {
		defer r.forget(inv.Call.ID)
		c.run(r.ctx, refused, nil)
	}()
	return true
}

// Hold keeps the calls that are taken up from here on from going on until GoOn. They are
// live: what is said to them, and of them, is taken and kept, and a repeated invite
// starts nothing. So the doors can be opened as soon as all are known, and what the
// calls have to do, a thousand at once, does not come before that.
func (r *Registry) Hold() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held == nil {
		r.held = make(chan struct{})
	}
}

// GoOn lets them go on.
func (r *Registry) GoOn() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held != nil {
		close(r.held)
		r.held = nil
	}
}

// TakeUp takes up a call that a dead process has left without an outcome. The
// media side has adopted its session by then. It changes nothing where the call is
// live.
func (r *Registry) TakeUp(inv Invite, t Takeover) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.calls[inv.Call.ID] != nil {
		return
	}
	c := newCall(inv, r.deps)
	c.held = r.held
	r.calls[inv.Call.ID] = c
	t.OnFailure = r.deps.onFailure
	go func() {
		defer r.forget(inv.Call.ID)
		c.run(r.ctx, "", &t)
	}()
}

// Reserve makes the IDs of calls of an earlier life known as ended, so that
// late notifications and invites of theirs start nothing.
func (r *Registry) Reserve(ids []CallID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range ids {
		r.remember(id, time.Now())
	}
}

func (r *Registry) refusal(inv Invite) Cause {
	switch {
	case inv.ObservedParticipant == "":
		return CauseNotPolicyInvite
	case r.opts.Admit != nil:
		return r.opts.Admit(inv)
	}
	return ""
}

// forget takes an ended call off the map, and ended calls off the memory when
// it is time.
func (r *Registry) forget(id CallID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.calls, id)
	close(r.fewer)
	r.fewer = make(chan struct{})
	r.remember(id, time.Now())
}

// remember needs the lock.
func (r *Registry) remember(id CallID, now time.Time) {
	r.ended[id] = struct{}{}
	r.past = append(r.past, pastCall{id, now})
	for len(r.past) > 0 && now.Sub(r.past[0].at) > RememberEnded {
		delete(r.ended, r.past[0].id)
		r.past = r.past[1:]
	}
}

func (r *Registry) live(id CallID) *call {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.calls[id]
}

// Post hands an event to a call. It never blocks. What it took is worked off,
// whatever comes: under the lock, so that Freeze finds it. An UnknownSource is
// dropped, and that is no error, where the call has asked a short while ago.
func (r *Registry) Post(id CallID, ev Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.calls[id]
	switch {
	case r.frozen:
		return ErrBusy
	case c == nil:
		return ErrUnknownCall
	}
	if _, asks := ev.(UnknownSource); asks {
		return c.wonder()
	}
	if !c.post(ev) {
		return ErrBusy
	}
	return nil
}

// Urge hands an event to a call even if its mailbox is full: what ends a
// recording must not be lost. Events of one call keep their order, and go before
// all that were posted. It never blocks. An UnknownSource is not that urgent: it goes
// the way of Post.
func (r *Registry) Urge(id CallID, ev Event) error {
	c := r.live(id)
	if c == nil {
		return ErrUnknownCall
	}
	if _, asks := ev.(UnknownSource); asks {
		return c.wonder()
	}
	c.urgent(ev)
	return nil
}

// Note adds an entry to a live call's journal: what the platform said that
// moves no state, such as a roster. Where the journal has no room the platform
// is to send again: ErrBusy.
func (r *Registry) Note(id CallID, kind EntryKind, data any) error {
	c := r.live(id)
	switch {
	case r.Frozen():
		return ErrBusy
	case c == nil:
		return ErrUnknownCall
	case !c.deps.ledger.Note(c.entry(kind, data)):
		return ErrBusy
	}
	return nil
}

// mostBeside bounds, in bytes for each call, what NoteBeside adds.
const mostBeside = 1 << 20

// NoteBeside adds an entry, as Note does, of what the journal has in another form too. Of
// one call there is not much of that: what comes with every roster of a day says the same
// again.
func (r *Registry) NoteBeside(id CallID, kind EntryKind, data any, size int) error {
	if c := r.live(id); c != nil && c.beside.Add(int64(size)) > mostBeside {
		return nil
	}
	return r.Note(id, kind, data)
}

// NoteRoster adds a roster to a live call's journal, as Note does, and tells
// Options.OnRoster of it.
func (r *Registry) NoteRoster(id CallID, roster Roster) error {
	c := r.live(id)
	switch {
	case r.Frozen():
		return ErrBusy
	case c == nil:
		return ErrUnknownCall
	case !c.noteRoster(roster):
		return ErrBusy
	}
	return nil
}

// Tenant returns the tenant of a live call.
func (r *Registry) Tenant(id CallID) (string, bool) {
	c := r.live(id)
	if c == nil {
		return "", false
	}
	return c.inv.Call.Tenant, true
}

// Records reports whether a call is live and records, or is about to: such a one
// may take on further participants.
func (r *Registry) Records(id CallID) bool {
	c := r.live(id)
	return c != nil && c.records.Load()
}

// Live returns how many calls have no outcome yet.
func (r *Registry) Live() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.calls)
}

// Recovered counts the outcome of a call of an earlier life, so that alerts see
// what a crash has cost.
func (r *Registry) Recovered(end Conclusion) { r.deps.metrics.concluded(end) }

// Drain refuses new calls from here on.
func (r *Registry) Drain() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drain = true
	r.deps.metrics.draining.Set(1)
}

// Draining reports whether new calls are refused.
func (r *Registry) Draining() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.drain
}

// StopAll asks every live call to end: sealed, announced, left. Abrupt seals
// at once and announces failed where a recording is cut.
func (r *Registry) StopAll(cause Cause, abrupt bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.calls {
		c.urgent(StopRequested{Cause: cause, Abrupt: abrupt})
	}
}

// urgent hands over an event that must not be lost to a full mailbox.
func (c *call) urgent(ev Event) { c.pressing.push(ev) }

// Wait returns when no call is live, or with ctx's error.
func (r *Registry) Wait(ctx context.Context) error {
	for {
		r.mu.Lock()
		live, fewer := len(r.calls), r.fewer
		r.mu.Unlock()
		if live == 0 {
			return nil
		}
		select {
		case <-fewer:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
