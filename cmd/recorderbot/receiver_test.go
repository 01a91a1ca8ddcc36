package main

import (
	"context"
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
