package main

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest"

	"github.com/recorderbot/recorderbot/internal/teamsim"
	"github.com/recorderbot/recorderbot/internal/teamsim/trace"
)

// takeOver starts a bot in this process that takes over from the one that runs, and
// waits until it answers.
func (r *rig) takeOver(t *testing.T) {
	t.Helper()
	r.sim.BotStarted("handover")
	before, err := ask(t.Context(), r.cfg)
	if err != nil {
		t.Fatal(err)
	}
	b, err := newHeir(t.Context(), r.cfg, zaptest.NewLogger(t, zaptest.Level(zapcore.InfoLevel)), nil, before)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.close() })
	if err = b.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.taken()
	r.bot = b
}

// serving starts a process that serves, and waits until it answers.
func (r *rig) serving(t *testing.T) *child {
	t.Helper()
	c := startChild(t, "serve", "--config", r.config.File)
	if err := waitOps(t.Context(), r.config.Ops, 20*time.Second); err != nil {
		t.Fatal(err)
	}
	return c
}

// handsOver waits for the end of a process whose calls were taken over.
func (r *rig) handsOver(t *testing.T, c *child) {
	t.Helper()
	if err := c.wait(t, 10*time.Second); err != nil {
		t.Errorf("the process that handed over: %v", err)
	}
	r.sim.BotStopped("handed over")
}

// TestHandover: a new process takes the live calls over from the old one while
// invites keep coming. Not a sample is lost, nobody who knocks is turned away, each
// call has one outcome, and the old process ends well.
func TestHandover(t *testing.T) {
	t.Parallel()
	const live, coming = 10, 40
	s := endless(t, live)
	more := s.Calls[0]
	more.Count, more.Rate, more.At = coming, 10, 500*time.Millisecond
	s.Calls = append(s.Calls, more)
	r := newRig(t, s, func(c *Config) { c.Shutdown.DrainLimit = 0 })
	old := r.serving(t)
	done := r.playing(t, live)
	r.takeOver(t)
	r.handsOver(t, old)
	r.awaitRecording(t, live+coming)
	<-time.After(500 * time.Millisecond) // of speech
	served := r.sim.Trace.Len()
	result := r.stopPlayed(t, done)
	r.noViolation(t, result)
	r.nothingLost(t, served)
	if diff := cmp.Diff(map[string]int{"recorded": live + coming}, r.outcomes(t)); diff != "" {
		t.Error(diff)
	}
	twice := 0
	for _, f := range result.Calls {
		got := statuses(f)
		if len(got) == 3 && got[1] == "recording" {
			got, twice = got[1:], twice+1
		}
		if !cmp.Equal(got, []string{"recording", "notRecording"}) || f.Left.IsZero() {
			t.Errorf("call %d announced %v, left %v", f.Number, statuses(f), f.Left)
		}
	}
	if twice < live {
		t.Errorf("%d calls were taken over, want %d at least", twice, live)
	}
	t.Logf("%d calls taken over; to answer %v", twice, result.Answer)
}

// nothingLost: not a sample is missing, nor said to be, and until so many events of the
// trace nobody was turned away.
func (r *rig) nothingLost(t *testing.T, until int) {
	t.Helper()
	for _, m := range r.manifests(t) {
		if m.GapSamples != 0 {
			t.Errorf("recording %s says that %d samples are missing", m.Recording, m.GapSamples)
		}
	}
	report := r.judge(teamsim.Result{})
	if report.GapSamples != 0 || report.SamplesStored == 0 {
		t.Errorf("samples sent %d, stored %d, in gaps %d", report.SamplesSent, report.SamplesStored, report.GapSamples)
	}
	for _, e := range r.sim.Trace.Events()[:until] {
		if (e.Kind != trace.InviteReplied && e.Kind != trace.NotificationReplied) || e.HTTP/100 == 2 {
			continue
		}
		// HTTP/1.1 knows no way to close a kept connection without the chance that a
		// request is on its way on it: that one is sent again.
		if e.HTTP == 0 && (strings.HasSuffix(e.Detail, "EOF") || strings.HasSuffix(e.Detail, "connection reset by peer")) {
			t.Logf("%s of call %s came on a connection that was being closed", e.Kind, e.Call)
			continue
		}
		t.Errorf("%s of call %s: %d %s", e.Kind, e.Call, e.HTTP, e.Detail)
	}
}

// TestHandoverOfProcesses: the same with two processes as an operator starts them,
// and the second one hands over to a third.
func TestHandoverOfProcesses(t *testing.T) {
	t.Parallel()
	const calls = 3
	r := newRig(t, endless(t, calls), nil)
	first := r.serving(t)
	done := r.playing(t, calls)
	next := first
	for range 2 {
		before := r.sim.Trace.Len()
		r.sim.BotStarted("handover")
		c := startChild(t, "serve", "--handover", "--config", r.config.File)
		r.handsOver(t, next)
		next = c
		r.attached(t, before, calls)
	}
	next.signal(t, syscall.SIGTERM)
	if err := r.awaitReadyz(t, "draining"); err != nil {
		t.Fatal(err)
	}
	next.signal(t, syscall.SIGTERM)
	if err := next.wait(t, 20*time.Second); err != nil {
		t.Errorf("exit: %v", err)
	}
	result := <-done
	for _, f := range result.Calls {
		if got := strings.Join(statuses(f), " "); got != "recording recording recording failed" {
			t.Errorf("announced %s", got)
		}
	}
	r.sim.BotRestarted("second signal")
	r.start(t)
	r.stop(t)
	r.noViolation(t, result)
	continued := 0
	for _, m := range r.manifests(t) {
		if m.Seal.Cause != "continued" {
			continue // cut by the second signal: what was under way is missing, and said to be
		}
		if continued++; m.GapSamples != 0 {
			t.Errorf("recording %s, which was handed over, says that %d samples are missing", m.Recording, m.GapSamples)
		}
	}
	if continued != 2*calls {
		t.Errorf("%d recordings were handed over, want %d", continued, 2*calls)
	}
}

// attached waits until so many sessions were attached since an event of the trace.
func (r *rig) attached(t *testing.T, since, sessions int) {
	t.Helper()
	open := map[string]bool{}
	_, err := r.sim.Trace.Wait(t.Context(), func(e trace.Event) bool {
		if e.Index >= since && e.Kind == trace.SessionAttached {
			open[e.Session] = true
		}
		return len(open) == sessions
	})
	if err != nil {
		t.Fatal(err)
	}
}
