package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/recorderbot/recorderbot/internal/callbacks"
	"github.com/recorderbot/recorderbot/internal/graph"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// receiver hands what Teams says to the calls. It is the one place where the
// edge meets the core.
type receiver struct {
	registry *recorder.Registry
	durable  func(context.Context) error // the catalogue's
	webhook  string                      // ours
	newBot   string                      // of the bot that takes what we don't while we drain; may be empty
	joins    *prometheus.CounterVec      // reply
	log      *zap.Logger
}

// Receive hands over a batch. Handing over is idempotent, so that a batch of
// which one part found no room can be sent again whole.
func (r *receiver) Receive(ctx context.Context, from callbacks.Caller, ns []graph.Notification) error {
	for i := range ns {
		if err := r.owned(from, &ns[i]); err != nil {
			return err
		}
	}
	var busy error
	invited := false
	for i := range ns {
		if err := r.hand(from, &ns[i]); err != nil {
			busy = err
		}
		invited = invited || ns[i].Kind == graph.Invite
	}
	if invited {
		r.taken(ctx)
	}
	return busy
}

// takenLimit is how long an acknowledgement waits for the catalogue.
const takenLimit = 500 * time.Millisecond

// taken waits until the invite is in the catalogue: a call that we have
// acknowledged must have an outcome, whatever befalls us next (laws 4 and 5). If we
// crash before, the platform has no acknowledgement. The call itself does not wait,
// and a disk that hangs holds up nobody (law 8).
func (r *receiver) taken(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, takenLimit)
	defer cancel()
	if err := r.durable(ctx); err != nil {
		r.log.Warn("an invite is acknowledged before it is durable", zap.Error(err))
	}
}

// owned refuses a notification about a live call of another tenant before
// anything of the batch takes effect.
func (r *receiver) owned(from callbacks.Caller, n *graph.Notification) error {
	if tenant, live := r.registry.Tenant(n.Call); live && tenant != "" && tenant != from.Tenant {
		return fmt.Errorf("%w: the call belongs to another tenant", callbacks.ErrForbidden)
	}
	return nil
}

func (r *receiver) hand(from callbacks.Caller, n *graph.Notification) error {
	if n.Kind == graph.Invite && n.Invite != nil {
		inv := *n.Invite
		inv.Call.Tenant = from.Tenant
		if !r.registry.Invite(inv) {
			return fmt.Errorf("%w: the calls are being handed over", callbacks.ErrBusy)
		}
		return nil
	}
	// Evidence first: what the platform said, as it said it. A notification of a
	// call that is not live is ordinary: late, repeated, or of a life before.
	noted := r.note(n)
	if errors.Is(noted, recorder.ErrUnknownCall) {
		r.log.Debug("notification of no live call", zap.String("call", string(n.Call)), zap.Stringer("kind", n.Kind))
		return nil
	}
	for _, ev := range n.Events {
		if err := r.registry.Post(n.Call, ev); errors.Is(err, recorder.ErrBusy) {
			return fmt.Errorf("%w: %w", callbacks.ErrBusy, err)
		}
	}
	if noted != nil { // what moves the call has moved it; the evidence must come again
		return fmt.Errorf("%w: %w", callbacks.ErrBusy, noted)
	}
	return nil
}

// mostRawRoster bounds, in bytes, the rosters that are kept as written too: of a big
// meeting each one would be a megabyte.
const mostRawRoster = 64 << 10

func (r *receiver) note(n *graph.Notification) error {
	if n.Roster != nil {
		err := r.registry.NoteRoster(n.Call, *n.Roster)
		if err != nil || n.Unknown == 0 || len(n.Raw) > mostRawRoster {
			return err
		}
		// Something in it is new to us: the evidence is what the platform wrote.
		return r.registry.NoteBeside(n.Call, recorder.EntryNotification, rawOf(n), len(n.Raw))
	}
	return r.registry.Note(n.Call, recorder.EntryNotification, rawOf(n))
}

func rawOf(n *graph.Notification) notificationData {
	return notificationData{Kind: n.Kind.String(), Change: n.Change, Raw: string(n.Raw)}
}

type notificationData struct {
	Kind   string `json:"kind"`
	Change string `json:"change"`
	Raw    string `json:"raw"` // resource data as received, less tokens
}
