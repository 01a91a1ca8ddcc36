package recorder

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// The errors of orders.
var (
	// ErrConflict: the call is in a state in which the order makes no sense, or it
	// could not be carried out.
	ErrConflict = errors.New("recorder: the call can't do that now")
	// ErrNotGiven: the call has not heard the order, and will not.
	ErrNotGiven = errors.New("recorder: the order was not given")
)

// A View is what an operator may know of a live call.
type View struct {
	Call         CallID
	Tenant       string
	State        string
	ObservedUser string
	Policy       string
	Region       string
	ThreadID     string
	Direction    string
	Recording    string // ID of the recording that is open; empty: none
	InvitedAt    time.Time
	Since        time.Time // in this state
	Paused       bool
}

// An order is an operator's event. taken is told whether the call had a use for it.
type order struct {
	event Event
	taken chan<- bool
}

// A view is what the outside may see of a call, and how it waits for a change.
type view struct {
	mu      sync.Mutex
	now     View
	changed chan struct{} // closed, and made anew, when it changes
}

func (v *view) look() (View, <-chan struct{}) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.changed == nil {
		v.changed = make(chan struct{})
	}
	return v.now, v.changed
}

// show brings the view up to date with a state that an event has led to.
func (c *call) show(s state, ev Event) {
	v := &c.view
	v.mu.Lock()
	defer v.mu.Unlock()
	next := v.now
	next.Call, next.State = c.inv.Call.ID, s.kind()
	if next.State != v.now.State {
		next.Since = time.Now()
	}
	switch s := s.(type) {
	case recording:
		if opened, ok := ev.(MediaOpened); ok {
			next.Recording = opened.Opened.Recording
		}
		next.Paused = false
	case paused:
		next.Recording, next.Paused = "", true
	case sealing:
		next.Paused = s.end.pause
	case invited, rejecting, answering, announcing, reviving, retracting, staying, leaving, ended:
		next.Recording = ""
	}
	if next == v.now {
		return
	}
	v.now = next
	if v.changed != nil {
		close(v.changed)
		v.changed = nil
	}
}

// View returns what is known of a live call.
func (r *Registry) View(id CallID) (View, bool) {
	c := r.live(id)
	if c == nil {
		return View{}, false
	}
	return c.seen(), true
}

// Calls returns the live calls, those invited first first.
func (r *Registry) Calls() []View {
	r.mu.Lock()
	live := make([]*call, 0, len(r.calls))
	for _, c := range r.calls {
		live = append(live, c)
	}
	r.mu.Unlock()
	all := make([]View, len(live))
	for i, c := range live {
		all[i] = c.seen()
	}
	slices.SortFunc(all, func(a, b View) int {
		if n := a.InvitedAt.Compare(b.InvitedAt); n != 0 {
			return n
		}
		return cmp.Compare(a.Call, b.Call)
	})
	return all
}

func (c *call) seen() View {
	v, _ := c.view.look()
	i := c.inv
	v.Call, v.Tenant, v.ObservedUser, v.Policy, v.Region = i.Call.ID, i.Call.Tenant, i.ObservedUser, i.Policy, i.Region
	v.ThreadID, v.Direction, v.InvitedAt = i.ThreadID, i.Direction, i.At
	return v
}

// Pause ends the recording and keeps the call: it is sealed, then notRecording is
// announced. It returns once that is confirmed. ErrConflict: the call was not being
// recorded, or could not be paused. Where ctx ends first the order stands.
func (r *Registry) Pause(ctx context.Context, id CallID) (View, error) {
	return r.order(ctx, id, "pause", PauseRequested{}, func(v View) progress {
		switch v.State {
		case "paused":
			return reached
		case "sealing", "retracting":
			return underWay
		}
		return missed
	})
}

// Resume records a paused call again, after a new success reply. It returns once
// the gate is open. ErrConflict: the call was not paused, or could not be resumed.
func (r *Registry) Resume(ctx context.Context, id CallID) (View, error) {
	return r.order(ctx, id, "resume", ResumeRequested{}, func(v View) progress {
		switch {
		case v.State == "recording" && v.Recording != "":
			return reached
		case v.State == "recording", v.State == "announcing":
			return underWay
		}
		return missed
	})
}

// Stop ends the recording and leaves the call. It returns once the call has its
// outcome.
func (r *Registry) Stop(ctx context.Context, id CallID) (View, error) {
	return r.order(ctx, id, "stop", StopRequested{Cause: CauseStopped}, func(View) progress { return underWay })
}

// progress is how far an order is from what it is to lead to.
type progress uint8

const (
	underWay progress = iota
	reached
	missed
)

// order gives an order once it is in the journal, and waits for what comes of it.
func (r *Registry) order(ctx context.Context, id CallID, action string, ev Event, how func(View) progress) (View, error) {
	c := r.live(id)
	if c == nil {
		return View{}, ErrUnknownCall
	}
	if err := c.append(ctx, ledgerTimeout, c.entry(EntryOperator, operatorData{action})); err != nil {
		return c.seen(), fmt.Errorf("%w: %s can't be journaled: %w", ErrNotGiven, action, err)
	}
	taken := make(chan bool, 1)
	select {
	case c.orders <- order{ev, taken}:
	case <-c.over:
		return c.seen(), ErrUnknownCall
	case <-ctx.Done():
		return c.seen(), fmt.Errorf("%w: %s: %w", ErrNotGiven, action, ctx.Err())
	}
	_, stops := ev.(StopRequested)
	select {
	case is := <-taken:
		if !is && !stops {
			return c.seen(), fmt.Errorf("%w: %s in state %s", ErrConflict, action, c.seen().State)
		}
	case <-c.over:
	}
	return c.await(ctx, action, stops, how)
}

func (c *call) await(ctx context.Context, action string, stops bool, how func(View) progress) (View, error) {
	for {
		v, changed := c.view.look()
		switch how(v) {
		case reached:
			return c.seen(), nil
		case missed:
			return c.seen(), fmt.Errorf("%w: %s led to state %s", ErrConflict, action, v.State)
		case underWay:
		}
		select {
		case <-changed:
		case <-c.done:
			if c.cut.Load() {
				return c.seen(), fmt.Errorf("%w: %s: this process ends, and the next one goes on", ErrConflict, action)
			}
			if stops {
				return c.seen(), nil
			}
			return c.seen(), fmt.Errorf("%w: %s: the call has ended", ErrConflict, action)
		case <-ctx.Done():
			return c.seen(), fmt.Errorf("%s: under way: %w", action, ctx.Err())
		}
	}
}
