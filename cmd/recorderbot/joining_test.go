package main

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/zap"

	"github.com/recorderbot/recorderbot/internal/callbacks"
	"github.com/recorderbot/recorderbot/internal/catalogue"
	"github.com/recorderbot/recorderbot/internal/graph"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// TestJoining: whoever joins is taken on by a call that records, and by no other; nobody
// is turned away for whom there is a bot; and asked again the answer is the same.
func TestJoining(t *testing.T) {
	t.Parallel()
	const ours, others = "https://bot.example.com/api/calls", "https://bot-2.example.com/api/calls"
	for name, tt := range map[string]struct {
		newBot        string
		live, drained bool
		want          string // of the reply
		counted       string
	}{
		"a call that records":                 {"", true, false, "acceptJoinResponse", joinAccepted},
		"no such call":                        {"", false, false, ours, joinElsewhere},
		"no such call, while we drain":        {"", false, true, "rejectJoinResponse", joinRejected},
		"records, while we drain":             {"", true, true, "acceptJoinResponse", joinAccepted},
		"records, and another bot is there":   {others, true, true, "acceptJoinResponse", joinAccepted},
		"no such call, and another is there":  {others, false, true, others, joinElsewhere},
		"another bot is there, and no matter": {others, true, false, "acceptJoinResponse", joinAccepted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cut := context.WithCancel(context.Background())
			metrics := prometheus.NewRegistry()
			cat, err := catalogue.Open(t.Context(), "sqlite:catalogue.db", t.TempDir(), catalogue.Options{Log: zap.NewNop(), Registerer: metrics})
			if err != nil {
				t.Fatal(err)
			}
			registry := recorder.NewRegistry(ctx, recorder.Options{Platform: waiting{}, Media: waiting{}, Ledger: cat, Registerer: metrics, Log: zap.NewNop()})
			t.Cleanup(func() {
				cut()
				if err := errors.Join(registry.Wait(context.Background()), cat.Close(context.Background())); err != nil {
					t.Error(err)
				}
			})
			r := &receiver{registry: registry, durable: cat.Durable, webhook: ours, newBot: tt.newBot, joins: newJoins(metrics), log: zap.NewNop()}
			const call = "c"
			if tt.live {
				registry.Invite(recorder.Invite{Call: recorder.CallRef{ID: call, Tenant: deskTenant}, ObservedParticipant: "p"})
			}
			from := callbacks.Caller{Tenant: deskTenant}
			for i := range 2 {
				if tt.drained && (!tt.live || i > 0) { // whoever is taken on stays that, though we drain since
					registry.Drain()
				}
				reply, err := r.Joining(t.Context(), from, graph.Notification{Kind: graph.ParticipantJoining, Call: call, Raw: []byte("{}")})
				if err != nil || !strings.Contains(string(reply), tt.want) {
					t.Errorf("%s, %v; want %s", reply, err, tt.want)
				}
			}
			if n := testutil.ToFloat64(r.joins.WithLabelValues(tt.counted)); n != 2 {
				t.Errorf("%v counted as %s", n, tt.counted)
			}
			if tt.live {
				if _, err := r.Joining(t.Context(), callbacks.Caller{Tenant: "another"}, graph.Notification{Call: call}); !errors.Is(err, callbacks.ErrForbidden) {
					t.Errorf("another tenant's participant: %v", err)
				}
			}
		})
	}
}
