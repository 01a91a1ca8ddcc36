package recorder

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// mostPanics is how often a call may lose its state and still be ended in order.
const mostPanics = 3

// inboxSize bounds what the outside may have queued for one call. Notifications
// of one call are few; a full mailbox means that the call is stuck, and the
// sender is told so (503), which makes the platform send again.
const inboxSize = 64

// A call is the actor of one call: its goroutine owns the state, and nothing
// else reads or writes it.
type call struct {
	inv  Invite
	deps *deps
	log  *zap.Logger

	// in
	pressing *pressing  // from outside, and never refused
	inbox    chan Event // from outside; post never blocks
	results  chan Event // from our own work; each piece of work sends exactly one
	ticks    chan tick

	// owned by run
	timers map[Timer]*clock
	watch  monitor
	saying *saying // the latest announcement
	// The answer under way: what cuts it, and what is closed when it is over.
	cutAnswer context.CancelFunc
	answered  chan struct{}
	order     chan<- bool // of an operator who waits to hear whether it was taken
	panics    int         // of the machine, twice in a row
	// operations are the client contexts by operation, for notifications that
	// name the operation alone.
	operations map[OperationID]string

	orders chan order // of operators
	view   view

	rosters   sync.Mutex // held while one is noted and told, so that both have one order
	lists     lists      // guarded by rosters
	curiosity curiosity
	beside    atomic.Int64 // bytes that NoteBeside was given

	inherited bool          // owned by run: taken up from a dead process
	held      chan struct{} // closed: it may go on, see Registry.Hold; nil: it may at once
	kept      atomic.Int64  // when the platform last accepted a keepAlive, Unix ns; 0: none is due yet
	records   atomic.Bool   // it records, or is about to
	cut       atomic.Bool   // it ended with the process, not with the call
	released  atomic.Bool   // the sockets were disposed of; what comes later must be too
	work      sync.WaitGroup
	working   atomic.Int64  // pieces of work whose event was not taken yet
	rested    chan struct{} // one token: there may be one fewer
	over      chan struct{} // closed when nobody reads results any more
	done      chan struct{} // closed when run has returned and all work is over
}

// A clock is one running timer. A tick of a clock that was stopped or
// restarted in the meantime is dropped by its identity.
type clock struct {
	timer *time.Timer
	at    time.Time // when it runs down
}

type tick struct {
	timer Timer
	of    *clock
}

// deps is what all calls share.
type deps struct {
	platform  Platform
	media     Media
	ledger    Ledger
	metrics   *metrics
	log       *zap.Logger
	onFailure FailurePolicy
	concluded func(Invite, Conclusion)
	onRoster  func(CallID, Roster)
	freezing  chan struct{} // closed: the calls are left to another process
	handed    atomic.Int64  // calls that were
}

func newCall(inv Invite, d *deps) *call {
	return &call{
		inv: inv, deps: d,
		log:      d.log.With(zap.String(logCall, string(inv.Call.ID))),
		pressing: newPressing(),
		inbox:    make(chan Event, inboxSize),
		results:  make(chan Event),
		ticks:    make(chan tick),
		orders:   make(chan order),
		timers:   make(map[Timer]*clock),
		rested:   make(chan struct{}, 1),
		over:     make(chan struct{}),
		done:     make(chan struct{}),
	}
}

// post hands the call an event. It reports whether there was room for it.
func (c *call) post(ev Event) bool {
	select {
	case c.inbox <- ev:
		return true
	default:
		return false
	}
}

// run carries the call from invite to outcome, or from where a dead process has
// left it (left, nil for a new call). ctx ends only with the process, after every
// call had its chance to seal; or with a handover, and then the next process goes on.
func (c *call) run(ctx context.Context, refused Cause, left *Takeover) {
	defer close(c.done)
	defer c.work.Wait()
	defer close(c.over)
	defer c.stopTimers(allTimers())
	s, cmds := c.begin(refused, left)
	c.awaitTurn(ctx)
	for {
		for _, cmd := range cmds {
			c.performGuarded(ctx, cmd)
		}
		if _, over := s.(ended); over {
			break
		}
		ev := c.next(ctx)
		if ev == nil && ctx.Err() == nil { // frozen
			ev = c.last(ctx, s)
		}
		if ev == nil {
			c.cutOff(ctx, s)
			break
		}
		s, cmds = c.step(s, ev)
	}
	c.deps.metrics.leave(s.kind())
}

// begin and cutOff are apart from run so that its frame, in which thousands of
// calls wait, stays small.
func (c *call) begin(refused Cause, left *Takeover) (state, []Command) {
	l := leg{call: c.inv.Call.ID, onFailure: c.deps.onFailure}
	s, cmds := begin(l, refused)
	step := stepOf(eventBegin, beginData{refused, l.onFailure}, s, cmds)
	if left != nil {
		c.inherited = true
		s, cmds = resume(l, *left)
		step = stepOf(eventResume, left, s, cmds)
	}
	c.note(EntryState, step)
	c.deps.metrics.enter(s.kind())
	c.records.Store(recordsIn(s))
	c.show(s, nil)
	return s, cmds
}

// awaitTurn waits while the call is held. What is posted meanwhile waits with it. Where
// the process ends, or leaves its calls to the next one, there is no turn to wait for.
func (c *call) awaitTurn(ctx context.Context) {
	if c.held == nil {
		return
	}
	select {
	case <-c.held:
	case <-c.deps.freezing:
	case <-ctx.Done():
	}
}

// recordsIn reports whether a call in this state records, or is about to, or is to
// again after a pause: only then may it take on another participant.
func recordsIn(s state) bool {
	switch s := s.(type) {
	case invited, answering, announcing, recording, reviving, paused:
		return true
	case sealing:
		return s.end.pause
	case retracting:
		return s.end.pause && !s.stopped
	case rejecting, staying, leaving, ended:
	}
	return false
}

func (c *call) cutOff(ctx context.Context, s state) {
	c.cut.Store(true)
	select {
	case <-c.deps.freezing:
		c.deps.handed.Add(1)
	default:
	}
	if ctx.Err() == nil {
		c.log.Debug("call left to the next process", zap.String(logState, s.kind()))
		return
	}
	c.log.Warn("call cut off by the end of the process", zap.String(logState, s.kind()))
}

// next waits for an event; nil when the process ends or the calls are frozen. What presses goes first, and
// then our own results: they carry what is already durable.
func (c *call) next(ctx context.Context) Event {
	for {
		if ev := c.pressing.pop(); ev != nil {
			return ev
		}
		select {
		case ev := <-c.results:
			return ev
		default:
		}
		select {
		case <-c.pressing.wake:
		case ev := <-c.results:
			return ev
		case k := <-c.ticks:
			if ev := c.ticked(k); ev != nil {
				return ev
			}
		case ev := <-c.inbox:
			if !c.keepReply(ctx, ev) {
				return ev
			}
		case o := <-c.orders:
			c.order = o.taken
			return o.event
		case <-c.deps.freezing:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

// ticked is what a tick means: nothing, where its clock was stopped meanwhile.
func (c *call) ticked(k tick) Event {
	if c.timers[k.timer] != k.of {
		return nil
	}
	delete(c.timers, k.timer)
	return TimerFired{k.timer}
}

// keepReply makes an operation notification durable before the machine may
// learn of it: law 5 holds for replies on every way. It reports whether the
// event is one, and then it comes again as a result.
func (c *call) keepReply(ctx context.Context, ev Event) bool {
	r, ok := ev.(StatusReplied)
	if !ok {
		return false
	}
	if r.Operation.Context == "" {
		r.Operation.Context = c.operations[r.Operation.ID]
	}
	c.do(ctx, ledgerTimeout, func(ctx context.Context) Event {
		err := c.deps.ledger.Append(ctx, c.entry(EntryAnnounced, announced(r.Operation)))
		if err == nil || r.Operation.Progress == Failed { // a refusal counts in any case
			return r
		}
		// What is not durable is not learnt. The reply, a poll or another notification
		// tells the same; none of them is worth a recording.
		c.log.Warn("an operation notification is not journaled, and dropped", zap.Error(err))
		return nil
	})
	return true
}

// step feeds one event to the machine. A panic in it ends this call only, as
// failed: the state is what it was before the event.
func (c *call) step(s state, ev Event) (next state, cmds []Command) {
	// Only of an operation that runs is there more to be told.
	if r, _ := ev.(StatusReplied); r.Operation.Progress == Running && r.Operation.ID != "" && r.Operation.Context != "" {
		if c.operations == nil {
			c.operations = make(map[OperationID]string)
		}
		c.operations[r.Operation.ID] = r.Operation.Context
	}
	c.watch.saw(ev)
	next, cmds, panicked := c.on(s, ev)
	fed := ev
	if panicked != "" {
		fed = Crashed{panicked}
		if next, cmds, panicked = c.on(s, fed); panicked != "" {
			fed = nil
			next, cmds = c.giveUp(s, panicked)
		}
	}
	if next.kind() != s.kind() {
		c.deps.metrics.leave(s.kind())
		c.deps.metrics.enter(next.kind())
		c.log.Debug("state", zap.String(logState, next.kind()), zap.String("event", eventName(ev)))
	}
	c.records.Store(recordsIn(next)) // a pause may become the end in one state
	c.remember(fed, next, cmds)
	c.show(next, ev)
	if c.order != nil {
		c.order <- next.kind() != s.kind()
		c.order = nil
	}
	if len(cmds) > 0 {
		if _, ok := cmds[0].(Unexpected); ok {
			c.deps.metrics.unexpected.WithLabelValues(s.kind(), eventName(ev)).Inc()
		}
	}
	return next, cmds
}

// on asks the machine, and says so where it panicked. What a panic says may hold
// what nobody may log; its type and place are enough.
func (c *call) on(s state, ev Event) (next state, cmds []Command, panicked string) {
	defer func() {
		if r := recover(); r != nil {
			c.log.Error("panic in the state machine", zap.String("panic", fmt.Sprintf("%T", r)), zap.ByteString("stack", debug.Stack()))
			panicked = fmt.Sprintf("panic: %T", r)
		}
	}()
	next, cmds = s.on(ev)
	return next, cmds, ""
}

// giveUp goes on without the state that can't be asked any more: gate shut, sealed
// where it can be, told as failed. Where even that panics the call just ends.
func (c *call) giveUp(s state, detail string) (state, []Command) {
	c.panics++
	l := legOf(s)
	l.call, l.onFailure, l.asked = c.inv.Call.ID, c.deps.onFailure, max(l.asked, len(c.watch.asked))
	e := ending{status: StatusFailed, cause: CausePanic, detail: detail}
	permit := c.watch.permit
	permit.withdraw()
	if c.panics > mostPanics {
		return l.conclude(e)
	}
	next, cmds := retract(l, e)
	if c.watch.open || l.cut {
		cmds = append([]Command{SealMedia{l.call, permit, false}}, cmds...)
	}
	return next, cmds
}

// performGuarded keeps a panic in our own code to this call.
func (c *call) performGuarded(ctx context.Context, cmd Command) {
	defer func() {
		if r := recover(); r != nil {
			c.log.Error("panic in a call's command", zap.String("panic", fmt.Sprintf("%T", r)), zap.ByteString("stack", debug.Stack()))
			c.urgent(Crashed{fmt.Sprintf("panic: %T", r)})
		}
	}()
	c.perform(ctx, cmd)
}

// do starts a piece of work that ends in exactly one event, also when it
// panics or its time is up. The event is dropped only when the call is over.
func (c *call) do(ctx context.Context, limit time.Duration, f func(context.Context) Event) {
	c.working.Add(1)
	c.work.Go(func() {
		defer c.workOver()
		bounded, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		ev := c.guarded(bounded, f)
		if ev == nil {
			return
		}
		select {
		case c.results <- ev:
		case <-c.over:
		}
	})
}

func (c *call) guarded(ctx context.Context, f func(context.Context) Event) (ev Event) {
	defer func() {
		if r := recover(); r != nil {
			c.log.Error("panic in a call's work", zap.String("panic", fmt.Sprintf("%T", r)), zap.ByteString("stack", debug.Stack()))
			ev = Crashed{fmt.Sprintf("panic: %T", r)}
		}
	}()
	return f(ctx)
}
