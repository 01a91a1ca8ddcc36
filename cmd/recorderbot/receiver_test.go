package main

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
)

// TestTakenWaitsForTheCatalogue: an invite is acknowledged when it is durable, and
// a catalogue that hangs holds the acknowledgement up for no longer than that.
func TestTakenWaitsForTheCatalogue(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ takes, want time.Duration }{
		"durable": {takes: 30 * time.Millisecond, want: 30 * time.Millisecond},
		"hangs":   {takes: time.Hour, want: takenLimit},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := &receiver{log: zap.NewNop(), durable: func(ctx context.Context) error {
					select {
					case <-time.After(c.takes):
						return nil
					case <-ctx.Done():
						return context.Cause(ctx)
					}
				}}
				began := time.Now()
				r.taken(t.Context())
				if took := time.Since(began); took != c.want {
					t.Errorf("it took %v, want %v", took, c.want)
				}
			})
		})
	}
}

// TestRawRosters: what is new to us in a roster is kept as it was written, and not once
// more for everything that happens in a long meeting.
func TestRawRosters(t *testing.T) {
	t.Parallel()
	const rosters = 300
	invite := payload(t, "notif_incoming_policy_recording.json")
	bodies := []string{invite}
	for i := range rosters {
		bodies = append(bodies, fmt.Sprintf(`{"@odata.type":"#microsoft.graph.commsNotifications","value":[{"changeType":"updated","resourceUrl":"/communications/calls/%s/participants",
			"resourceData":[{"id":"p1","isMuted":%v,"brandNew":"%s"}]}]}`, transferred, i%2 == 0, strings.Repeat("x", 10_000)))
	}
	d := newDesk(t, bodies...)
	code, out := command(d.dir, "recordings", "show", "--journal", transferred)
	if raw, all := strings.Count(out, "brandNew"), len(regexp.MustCompile(`(?m)Z +roster `).FindAllString(out, -1)); code != 0 || raw < 10 || raw > 110 || all != rosters {
		t.Errorf("%d rosters, %d as they were written", all, raw)
	}
}
