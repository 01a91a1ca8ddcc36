package cloud

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/recorderbot/recorderbot/internal/teamsim/trace"
)

// A Milestone is something that happens at most once in a call's life.
type Milestone string

// The milestones.
const (
	// Invited: the bot's HTTP reply to the invite has come.
	Invited Milestone = "invited"
	// Answered, Rejected: the bot's request was taken.
	Answered Milestone = "answered"
	Rejected Milestone = "rejected"
	// Established: on the platform's side, and the bot was told or the
	// notification is lost.
	Established Milestone = "established"
	// Recording, NotRecording, Failed: this status was applied for the first
	// time.
	Recording    Milestone = "recording"
	NotRecording Milestone = "notRecording"
	Failed       Milestone = "failed"
	// Left: the bot hung up.
	Left Milestone = "left"
	// Ended: the platform no longer knows the call.
	Ended Milestone = "ended"
	// Done: all that the bot is told about the call has been told.
	Done Milestone = "done"
)

// ErrNotReached is returned by Wait when the call is over without it.
var ErrNotReached = errors.New("the call ended without it")

// phase is where a call stands on the platform's side.
type phase uint8

const (
	phaseIncoming phase = iota
	phaseAnswered
	phaseEstablished
	phaseEnded
)

// A Call is one invite and what becomes of it. All methods are safe for
// concurrent use.
type Call struct {
	cloud      *Cloud
	spec       CallSpec
	style      Style
	ids        identities
	script     *script
	milestones map[Milestone]chan struct{} // closed once passed; the map is never changed

	over       chan struct{} // closed when phase becomes phaseEnded
	keepAlives chan struct{} // one for each keepAlive; capacity 1

	// pending are the goroutines of late and delayed notifications. Done waits
	// for them; none is begun after closing.
	pending sync.WaitGroup

	mu           sync.Mutex
	closing      bool
	phase        phase
	facts        Facts
	ending       Ending
	lingersUntil time.Time
	answer       answerRequest
	operations   map[string]*operation
	contexts     map[string]bool
	deliveries   []Delivery
	bent         []int
	held         []notification
	participants []Participant
	sequence     int64            // of the roster
	told         []Participant    // those of the last roster
	changed      map[string]int64 // the sequence that last brought a participant
	status       string
}

// An Ending is why a call ends, as resultInfo tells it.
type Ending struct {
	Code, Subcode int
	Message       string
}

// The endings that the platform itself brings about; codes as in
// fixtures/call_end_reason_codes.

func endConversation() Ending { return Ending{200, 5001, "The conversation has ended."} }

func endMediaFailed() Ending {
	return Ending{500, 7106, "Server Internal Error. DiagCode: 3003#7106.@"}
}

func endInactive() Ending { return Ending{408, 8537, "Call was inactive; no keepAlive."} }

func endLeft() Ending { return Ending{200, 5000, "The bot has left."} }

func endUnanswered() Ending { return Ending{408, 10057, "The invite was not answered in time."} }

// PlaceCall invites the bot and returns at once; the call lives by itself until
// End, the bot's hang-up, or Close.
func (c *Cloud) PlaceCall(ctx context.Context, spec CallSpec) (*Call, error) {
	if err := spec.complete(c); err != nil {
		return nil, fmt.Errorf("place a call: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("place a call: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, fmt.Errorf("place a call: %w", errClosed)
	}
	if spec.Number == 0 {
		c.placed++
		spec.Number = c.placed
	}
	call := newCall(c, spec)
	if _, twice := c.calls[call.ids.call]; twice {
		return nil, fmt.Errorf("place a call: %s exists, number %d was used before", call.ids.call, spec.Number)
	}
	c.calls[call.ids.call] = call
	c.work.Go(call.live)
	return call, nil
}

func newCall(c *Cloud, spec CallSpec) *Call {
	r := c.random(spec.Number)
	call := &Call{
		cloud:      c,
		spec:       spec,
		ids:        c.identitiesOf(r, spec),
		style:      newStyle(r).withRoster(rand.New(rand.NewPCG(c.opts.Seed, ^uint64(spec.Number)))), //nolint:gosec // as above
		script:     newScript(spec.Faults),
		milestones: make(map[Milestone]chan struct{}),
		over:       make(chan struct{}),
		keepAlives: make(chan struct{}, 1),
		operations: make(map[string]*operation),
		contexts:   make(map[string]bool),
		changed:    make(map[string]int64),
		deliveries: append([]Delivery(nil), spec.Deliveries...),
		bent:       make([]int, len(spec.Deliveries)),
		status:     "unknown",
	}
	if spec.Style != nil {
		call.style = *spec.Style
	}
	call.style = call.style.With(spec.Variants)
	for i := range call.deliveries {
		orDefault(&call.deliveries[i].Times, 1)
	}
	for _, m := range []Milestone{Invited, Answered, Rejected, Established, Recording, NotRecording, Failed, Left, Ended, Done} {
		call.milestones[m] = make(chan struct{})
	}
	call.participants = call.firstRoster(r)
	call.facts = Facts{Number: spec.Number, ID: call.ids.call, Tenant: spec.Tenant, Kind: spec.Kind, Chain: call.ids.chain, Style: call.style, Observed: call.ids.observed, ObservedUser: call.ids.observedUser, Pair: spec.Pair}
	return call
}

// ID is the call's canonical ID.
func (c *Call) ID() string { return c.ids.call }

func (c *Call) tenant() string { return c.spec.Tenant }

// Passed returns a channel that is closed when the milestone is passed.
func (c *Call) Passed(m Milestone) <-chan struct{} { return c.milestones[m] }

// Wait returns nil once the milestone is passed, ErrNotReached when the call is
// done without it, or the context's cause.
func (c *Call) Wait(ctx context.Context, m Milestone) error {
	select {
	case <-c.milestones[m]:
		return nil
	case <-c.milestones[Done]:
	case <-ctx.Done():
	}
	select {
	case <-c.milestones[m]:
		return nil
	default:
	}
	if err := context.Cause(ctx); err != nil {
		return fmt.Errorf("wait for call %s to be %s: %w", c.ids.call, m, err)
	}
	return fmt.Errorf("wait for call %s to be %s: %w", c.ids.call, m, ErrNotReached)
}

// pass must be called with mu held, or before the call is known to others.
func (c *Call) pass(m Milestone) {
	select {
	case <-c.milestones[m]:
	default:
		close(c.milestones[m])
	}
}

// End ends the call on the platform's side: from now on Graph does not know it,
// media stops, and the bot is told. The first ending wins; false means that the
// call was over. The zero Ending is that of an ordinary conversation.
func (c *Call) End(e Ending) bool {
	orDefault(&e, endConversation())
	return c.end(e, "")
}

func (c *Call) end(e Ending, m Milestone) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase == phaseEnded {
		return false
	}
	c.phase = phaseEnded
	c.ending = e
	c.facts.Ended, c.facts.EndCode, c.facts.EndSubcode = time.Now(), e.Code, e.Subcode
	if m == "" {
		c.lingersUntil = c.facts.Ended.Add(c.spec.Linger)
	}
	c.cloud.trace(trace.Event{Kind: trace.CallEnded, Call: c.ids.call, Detail: fmt.Sprintf("%d/%d %s", e.Code, e.Subcode, e.Message)})
	if m != "" {
		c.pass(m)
	}
	c.pass(Ended)
	close(c.over)
	return true
}

// known says whether Graph still knows the call. mu must be held.
func (c *Call) known() bool {
	return c.phase != phaseEnded || time.Now().Before(c.lingersUntil)
}

// live is the call's goroutine, from the invite to the last notification.
func (c *Call) live() {
	defer func() {
		c.mu.Lock()
		c.closing = true
		c.mu.Unlock()
		c.pending.Wait()
		c.mu.Lock()
		c.pass(Done)
		c.mu.Unlock()
	}()
	if c.style.DeletedFirst {
		c.overtaken()
		return
	}
	if c.awaitAnswer() {
		c.connect()
	}
	select {
	case <-c.over:
	case <-c.cloud.ctx.Done():
		c.disconnect()
		return
	}
	if c.style.MediaFirst {
		c.disconnect()
	}
	c.tellEnd()
	c.disconnect()
}

// overtaken is a call whose invite comes last of all.
func (c *Call) overtaken() {
	c.mu.Lock()
	c.facts.InviteSent = time.Now()
	c.mu.Unlock()
	c.end(endUnanswered(), "")
	c.tellEnd()
	c.invite()
}

// later runs f beside the call's own goroutine, unless the call is done.
func (c *Call) later(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closing {
		c.pending.Go(f)
	}
}

// awaitAnswer invites and says whether the bot answered in time.
func (c *Call) awaitAnswer() bool {
	sent := make(chan bool, 1)
	deadline := time.NewTimer(c.cloud.opts.AnswerWithin)
	defer deadline.Stop()
	c.mu.Lock()
	c.facts.InviteSent = time.Now()
	c.mu.Unlock()
	c.later(func() { sent <- c.invite() })
	for {
		select {
		case <-c.milestones[Answered]:
			return true
		case <-c.over:
			return false
		case took := <-sent:
			if !took {
				c.end(endUnanswered(), "")
				return false
			}
			sent = nil
		case <-deadline.C:
			// An answer that came at the last moment may have won.
			select {
			case <-c.milestones[Answered]:
				return true
			default:
				c.end(endUnanswered(), "")
				return false
			}
		case <-c.cloud.ctx.Done():
			return false
		}
	}
}

// connect lets media flow, tells the bot that the call is established, and
// watches its keepAlives until it ends.
func (c *Call) connect() {
	if m := c.spec.Media; m != nil && c.spec.EstablishAfter > 0 {
		if err := m.Connect(c.blob()); err != nil {
			c.cloud.trace(trace.Event{Kind: trace.SessionDisconnected, Call: c.ids.call, Detail: err.Error()})
			c.end(endMediaFailed(), "")
			return
		}
	}
	if !c.establish() {
		return
	}
	window := time.NewTimer(c.cloud.opts.KeepAliveWindow)
	defer window.Stop()
	for {
		select {
		case <-c.keepAlives:
			window.Reset(c.cloud.opts.KeepAliveWindow)
		case <-window.C:
			c.end(endInactive(), "")
			return
		case <-c.over:
			return
		case <-c.cloud.ctx.Done():
			return
		}
	}
}

func (c *Call) disconnect() {
	if m, blob := c.spec.Media, c.blob(); m != nil && blob != "" {
		m.Disconnect(blob)
	}
}

func (c *Call) blob() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.answer.blob
}

// pause waits, and returns false when the call is over first.
func (c *Call) pause(d time.Duration) bool {
	t := time.NewTimer(max(0, d))
	defer t.Stop()
	select {
	case <-t.C:
		select {
		case <-c.over:
			return false
		default:
			return true
		}
	case <-c.over:
	case <-c.cloud.ctx.Done():
	}
	return false
}
