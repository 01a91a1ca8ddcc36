package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/recorderbot/recorderbot/internal/recorder"
	"github.com/recorderbot/recorderbot/internal/teamsim"
)

// value reads one series of the bot; the label, where there is one, has this value.
func (r *rig) value(t *testing.T, name, label string) float64 {
	t.Helper()
	families, err := r.bot.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && (label == "" || m.GetLabel()[0].GetValue() == label) {
				return m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	t.Fatalf("there is no %s of %q", name, label)
	return 0
}

// TestOverload: twice as many calls as are configured are offered. Those that were
// admitted lose nothing, the others are turned down and counted, each once, and when
// the first are over there is room again.
func TestOverload(t *testing.T) {
	t.Parallel()
	const most = 6
	group := func(count int, at time.Duration) teamsim.Group {
		return teamsim.Group{Count: count, At: at, Rate: 24, End: teamsim.End{After: 4 * time.Second, AtMost: time.Minute}}
	}
	s := teamsim.Scenario{Name: "configured", Seed: 7, Calls: []teamsim.Group{group(2*most, 0), group(3, 12*time.Second)}}
	r := newRig(t, s, func(c *Config) { c.Capacity.Calls = most })
	r.start(t)
	if got := r.value(t, "recorderbot_admission_capacity", "configured"); got != most {
		t.Errorf("the capacity is %v", got)
	}
	result, err := r.sim.Run(t.Context(), r.config.URL)
	if err != nil {
		t.Fatal(err)
	}
	if err = poll(t.Context(), 5*time.Millisecond, func() error {
		if r.value(t, "recorderbot_admission_calls", "") > 0 {
			return errNotReady
		}
		return nil
	}); err != nil {
		t.Errorf("places are held for calls that are over: %v", err)
	}
	if got := r.value(t, "recorderbot_admission_refused_total", string(recorder.CauseAtCapacity)); got != most {
		t.Errorf("%v rejections are counted", got)
	}
	for _, name := range []string{"recorderbot_admission_cpu_ratio", "recorderbot_admission_commit_seconds"} {
		if got := r.value(t, name, ""); got <= 0 || got > 1 {
			t.Errorf("%s is %v", name, got)
		}
	}
	r.stop(t)
	result.Trace, result.Sessions = r.sim.Trace.Events(), r.sim.Sessions()
	for _, v := range r.judge(result).Violations {
		t.Error(v)
	}
	r.proof(t)
	if diff := cmp.Diff(map[string]int{"recorded": most + 3, "rejected": most}, r.outcomes(t)); diff != "" {
		t.Errorf("outcomes: -want +got\n%s", diff)
	}
	if diff := cmp.Diff(map[recorder.Cause]int{recorder.CauseAtCapacity: most}, r.rejections(t)); diff != "" {
		t.Errorf("why calls were turned down: -want +got\n%s", diff)
	}
	for _, c := range result.Calls {
		if !c.Rejected.IsZero() && c.RejectReason != "busy" {
			t.Errorf("call %d was rejected as %q", c.Number, c.RejectReason)
		}
	}
	t.Logf("to answer %v; to reject %v", result.Answer, result.Reject)
}
