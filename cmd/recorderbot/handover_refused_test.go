package main

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"github.com/recorderbot/recorderbot/internal/recorder"
	"github.com/recorderbot/recorderbot/internal/teamsim/cloud"
	"github.com/recorderbot/recorderbot/internal/teamsim/trace"
)

// TestHandoverRefused: whatever is wrong is said with its remedy, and the running
// process goes on: not a call is touched.
func TestHandoverRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t, endless(t, 2), func(c *Config) { c.Shutdown.DrainLimit = 0 })
	if _, err := ask(t.Context(), r.cfg); err == nil || !strings.Contains(err.Error(), "start without --handover") {
		t.Errorf("nobody runs: %v", err)
	}
	r.start(t)
	path, err := handoverSocket(r.cfg)
	if err != nil {
		t.Fatal(err)
	}
	if info, statErr := os.Stat(path); statErr != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket's mode: %v, %v", info, statErr)
	}
	done := r.playing(t, 2)
	began := r.sim.Trace.Len()
	r.refused(t)
	r.leftInTheMiddle(t)
	r.badHeir(t)
	// It can still be taken over.
	if _, err = r.bot.registry.Pause(t.Context(), r.bot.registry.Calls()[0].Call); err != nil {
		t.Error(err)
	}
	for _, e := range r.sim.Trace.Events()[began:] {
		if e.Kind == trace.LinkDown || e.Kind == trace.SessionAttached {
			t.Errorf("the running process was disturbed: %+v", e)
		}
	}
	r.bot.registry.Drain()
	if _, err = ask(t.Context(), r.cfg); err == nil || !strings.Contains(err.Error(), "is draining: wait for its end") {
		t.Errorf("draining: %v", err)
	}
	r.noViolation(t, r.stopPlayed(t, done))
	if _, err = os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the socket is left behind: %v", err)
	}
}

// refused: what the new process says of itself is not what the running one needs.
func (r *rig) refused(t *testing.T) {
	t.Helper()
	good, err := describe(r.cfg)
	if err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*handoverRequest){
		"correct catalogue.url": func(q *handoverRequest) { q.Catalogue += "2" },
		"correct spool.dir":     func(q *handoverRequest) { q.Spool += "2" },
		"drain it (SIGTERM)":    func(q *handoverRequest) { q.Protocol++ },
	} {
		q := good
		change(&q)
		p := &predecessor{conn: r.dialHandover(t)}
		if err := p.hear(q); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
		p.close()
	}
}

// leftInTheMiddle: who asks and says nothing, or nonsense, or dies with our sockets in
// its hands, has changed nothing.
func (r *rig) leftInTheMiddle(t *testing.T) {
	t.Helper()
	for _, line := range []string{"", "nonsense\n", "{}\n", strings.Repeat("x", handoverLine+1)} {
		conn := r.dialHandover(t)
		if _, err := conn.Write([]byte(line)); err != nil {
			t.Log(err) // it had enough
		}
		_ = conn.Close()
	}
	for _, word := range []any{nil, handoverWord{}, handoverWord{Ready: true}} {
		p, err := ask(t.Context(), r.cfg)
		if err != nil {
			t.Fatal(err)
		}
		if word != nil {
			if err := say(p.conn, word); err != nil {
				t.Error(err)
			}
		}
		p.close()
	}
}

// badHeir: a new process that could not serve finds out before it takes over.
func (r *rig) badHeir(t *testing.T) {
	t.Helper()
	bad := *r.cfg
	bad.Listen.Callbacks.CertFile = filepath.Join(r.dir, "nowhere.pem")
	before, err := ask(t.Context(), &bad)
	if err != nil {
		t.Fatal(err)
	}
	_, err = newHeir(t.Context(), &bad, zap.NewNop(), nil, before)
	if err == nil || !strings.Contains(err.Error(), "nowhere.pem") || !strings.Contains(err.Error(), "the running process goes on") {
		t.Errorf("%v", err)
	}
}

func (r *rig) dialHandover(t *testing.T) *net.UnixConn {
	t.Helper()
	path, err := handoverSocket(r.cfg)
	if err != nil {
		t.Fatal(err)
	}
	c, err := (&net.Dialer{}).DialContext(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	conn, _ := c.(*net.UnixConn)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// TestHandoverDiesInTheMiddle: the new process dies when the old one has let go. The
// old one says so with its exit code, and any later start recovers the calls.
func TestHandoverDiesInTheMiddle(t *testing.T) {
	t.Parallel()
	const calls = 3
	r := newRig(t, endless(t, calls), func(c *Config) { c.Shutdown.DrainLimit = 0 })
	old := r.serving(t)
	done := r.playing(t, calls)
	before, err := ask(t.Context(), r.cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := say(before.conn, handoverWord{Accept: true}); err != nil {
		t.Fatal(err)
	}
	var word handoverWord
	if _, err := hear(before.conn, handoverDone, &word); err != nil || word.Calls != calls || word.Fault != "" {
		t.Fatalf("%+v: %v", word, err)
	}
	before.close()
	if err := old.wait(t, 10*time.Second); err == nil {
		t.Error("the old process ended as if all were well")
	}
	r.sim.BotRestarted("the new one died")
	r.start(t)
	r.awaitRecording(t, calls)
	<-time.After(500 * time.Millisecond) // of speech
	r.noViolation(t, r.stopPlayed(t, done))
	r.nothingLost(t, 0)
	if diff := cmp.Diff(map[string]int{"recorded": calls}, r.outcomes(t)); diff != "" {
		t.Error(diff)
	}
}

// TestHandoverInEveryState: calls that are paused, being announced and being sealed
// are taken over as they are: the paused one stays so until it is resumed, the
// announced one is recorded, the sealed one gets its outcome.
func TestHandoverInEveryState(t *testing.T) {
	t.Parallel()
	s := endless(t, 4)
	waits := s.Calls[0]
	waits.Count, waits.At = 1, 500*time.Millisecond
	waits.Faults = []cloud.Fault{{
		Op: cloud.OpStatus, Status: "recording", Body: cloud.BodyRunning, Later: &cloud.Later{Progress: "completed", After: 4 * time.Second},
	}}
	s.Calls = append(s.Calls, waits)
	r := newRig(t, s, func(c *Config) { c.Shutdown.DrainLimit = 0 })
	r.start(t)
	old := r.bot
	done := r.playing(t, 4)
	if _, err := r.sim.Trace.Wait(t.Context(), func(e trace.Event) bool {
		return e.Kind == trace.StatusReplied && e.Progress == "running"
	}); err != nil {
		t.Fatal(err)
	}
	live := old.registry.Calls()
	if _, err := old.registry.Pause(t.Context(), live[0].Call); err != nil {
		t.Fatal(err)
	}
	// One is on its way out, and one on its way to a pause, when they are frozen.
	go func() { _, _ = old.registry.Stop(context.WithoutCancel(t.Context()), live[1].Call) }()
	go func() { _, _ = old.registry.Pause(context.WithoutCancel(t.Context()), live[2].Call) }()
	over := make(chan error, 1)
	go func() { over <- old.handOver(<-old.heirs) }()
	r.takeOver(t)
	if err := <-over; err != nil {
		t.Error(err)
	}
	r.sim.BotStopped("handed over")
	r.awaitRecording(t, 2) // one that was recorded, one that was being announced
	for _, id := range []recorder.CallID{live[0].Call, live[2].Call} {
		v, _ := r.bot.registry.View(id)
		if v.State == "recording" {
			continue // it was frozen before it heard of the pause
		}
		if _, err := r.bot.registry.Resume(t.Context(), id); err != nil {
			t.Errorf("resume in state %s: %v", v.State, err)
		}
	}
	<-time.After(500 * time.Millisecond) // of speech
	served := r.sim.Trace.Len()
	r.noViolation(t, r.stopPlayed(t, done))
	r.nothingLost(t, served)
	if diff := cmp.Diff(map[string]int{"recorded": 5}, r.outcomes(t)); diff != "" {
		t.Error(diff)
	}
}
