package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestDrainOfManyCalls: SIGTERM with twenty live calls. Those that end within the drain
// limit end by themselves, the others are sealed, announced and left when it is over,
// who comes meanwhile is turned down, and not a sample is lost.
func TestDrainOfManyCalls(t *testing.T) {
	t.Parallel()
	const each = 10
	s := endless(t, each)
	short, late := s.Calls[0], s.Calls[0]
	short.End.Never, short.End.After = false, 2500*time.Millisecond
	late.Count, late.At = 1, 1700*time.Millisecond
	s.Calls = append(s.Calls, short, late)
	r := newRig(t, s, func(c *Config) { c.Shutdown.DrainLimit = Duration(3500 * time.Millisecond) })
	r.start(t)
	done := r.playing(t, 2*each)
	served := r.sim.Trace.Len()
	began := time.Now()
	result := r.stopPlayed(t, done)
	if took := time.Since(began); took < 3500*time.Millisecond {
		t.Errorf("it did not wait for the limit: %v", took)
	}
	r.noViolation(t, result)
	r.nothingLost(t, served)
	if diff := cmp.Diff(map[string]int{"recorded": 2 * each, "rejected": 1}, r.outcomes(t)); diff != "" {
		t.Error(diff)
	}
	causes := map[string]int{}
	for _, m := range r.manifests(t) {
		causes[string(m.Cause)]++
	}
	if diff := cmp.Diff(map[string]int{"callEnded": each, "shutdown": each}, causes); diff != "" {
		t.Error(diff)
	}
	if got := result.Calls[2*each].RejectReason; got != "busy" {
		t.Errorf("the late call was rejected as %q", got)
	}
}
