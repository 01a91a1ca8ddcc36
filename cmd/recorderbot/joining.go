package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/recorderbot/recorderbot/internal/callbacks"
	"github.com/recorderbot/recorderbot/internal/graph"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// The replies to somebody's joining, as a metric has them.
const (
	joinAccepted  = "accept"
	joinElsewhere = "inviteNewBot"
	joinRejected  = "reject"
)

func newJoins(reg prometheus.Registerer) *prometheus.CounterVec {
	joins := promauto.With(reg).NewCounterVec(prometheus.CounterOpts{
		Name: "recorderbot_participants_joining_total",
		Help: "Participants of a recording policy who were about to join a call, by our reply (accept, inviteNewBot, reject).",
	}, []string{"reply"})
	for _, reply := range []string{joinAccepted, joinElsewhere, joinRejected} {
		joins.WithLabelValues(reply) // 0 from the start: a rate sees only what follows
	}
	return joins
}

// Joining answers whether a participant of the same policy joins a live call, as
// participantCapacity in our answer promised. A call that records, or will again, takes
// them on, also while we drain: the platform may ask again after that, and whoever is
// taken on must not be sent away. One that records no more must not take them on: to turn
// them down is to the platform a rejected invite, and may cost them their call, so it is
// asked for an invite of its own instead, which becomes another call: of ours, or, while
// we drain, of the bot that was named for that. Asked again, the answer is the same as
// long as the call is.
func (r *receiver) Joining(_ context.Context, from callbacks.Caller, n graph.Notification) ([]byte, error) {
	if err := r.owned(from, &n); err != nil {
		return nil, err
	}
	if r.registry.Frozen() { // the next process knows
		return nil, fmt.Errorf("%w: the calls are being handed over", callbacks.ErrBusy)
	}
	records, drains := r.registry.Records(n.Call), r.registry.Draining()
	noted := r.note(&n)
	switch {
	case errors.Is(noted, recorder.ErrUnknownCall):
		records = false
	case noted != nil: // nobody is taken on of whom the evidence is missing; it is asked again
		return nil, fmt.Errorf("%w: %w", callbacks.ErrBusy, noted)
	}
	reply, body := joinElsewhere, []byte(nil)
	switch {
	case records:
		reply, body = joinAccepted, graph.AcceptJoin()
	case drains && r.newBot != "":
		body = graph.InviteNewBot(r.newBot)
	case drains:
		reply, body = joinRejected, graph.RejectJoin()
	default:
		body = graph.InviteNewBot(r.webhook)
	}
	r.joins.WithLabelValues(reply).Inc()
	return body, nil
}
