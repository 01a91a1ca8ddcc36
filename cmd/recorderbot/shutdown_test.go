package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/recorderbot/recorderbot/internal/archive"
	"github.com/recorderbot/recorderbot/internal/teamsim"
	"github.com/recorderbot/recorderbot/internal/teamsim/cloud"
	"github.com/recorderbot/recorderbot/internal/teamsim/trace"
)

// endless is one call that only the bot ends.
func endless(t *testing.T, count int) teamsim.Scenario {
	t.Helper()
	s, err := teamsim.Builtin("one-call")
	if err != nil {
		t.Fatal(err)
	}
	s.Calls[0].Count = count
	s.Calls[0].End.Never, s.Calls[0].End.AtMost = true, time.Minute
	return s
}

// playing runs the scenario beside the test, and returns when every call is
// recorded and media has flowed for a while.
func (r *rig) playing(t *testing.T, calls int) <-chan teamsim.Result {
	t.Helper()
	done := make(chan teamsim.Result, 1)
	go func() {
		result, err := r.sim.Run(t.Context(), r.config.URL)
		if err != nil {
			t.Error(err)
		}
		done <- result
	}()
	acked := map[string]bool{}
	_, err := r.sim.Trace.Wait(t.Context(), func(e trace.Event) bool {
		if e.Kind == trace.FirstAck {
			acked[e.Session] = true
		}
		return len(acked) == calls
	})
	if err != nil {
		t.Fatal(err)
	}
	<-time.After(500 * time.Millisecond) // of speech
	return done
}

func (r *rig) noViolation(t *testing.T, result teamsim.Result) {
	t.Helper()
	result.Trace, result.Sessions = r.sim.Trace.Events(), r.sim.Sessions()
	for _, v := range r.judge(result).Violations {
		t.Error(v)
	}
	r.proof(t)
}

// TestDrainLimit: when the drain limit is over, calls are sealed, announced
// and left, in this order, and nothing is lost.
func TestDrainLimit(t *testing.T) {
	t.Parallel()
	r := newRig(t, endless(t, 5), func(c *Config) { c.Shutdown.DrainLimit = 0 })
	r.start(t)
	done := r.playing(t, 5)
	r.stop(t)
	r.noViolation(t, <-done)
	if diff := cmp.Diff(map[string]int{"recorded": 5}, r.outcomes(t)); diff != "" {
		t.Error(diff)
	}
}

// TestDrainKeepsLiveCalls: within the drain limit live calls go on to their
// end, and new ones are turned down as busy.
func TestDrainKeepsLiveCalls(t *testing.T) {
	t.Parallel()
	s, err := teamsim.Builtin("one-call")
	if err != nil {
		t.Fatal(err)
	}
	late := s.Calls[0]
	late.At = 1500 * time.Millisecond
	s.Calls[0].End.After = 3 * time.Second
	late.End.AtMost = 3 * time.Second
	s.Calls = append(s.Calls, late)
	r := newRig(t, s, nil)
	r.start(t)
	done := r.playing(t, 1)
	r.stop(t) // at about 0.6 s
	result := <-done
	r.noViolation(t, result)
	if diff := cmp.Diff(map[string]int{"recorded": 1, "rejected": 1}, r.outcomes(t)); diff != "" {
		t.Error(diff)
	}
	if result.Calls[1].RejectReason != "busy" {
		t.Errorf("the late call: %+v", result.Calls[1])
	}
}

// TestSecondSignal: seal at once, failed where a recording was cut, exit.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	r := newRig(t, endless(t, 1), nil)
	c := startChild(t, "serve", "--config", r.config.File)
	if err := waitOps(t.Context(), r.config.Ops, 20*time.Second); err != nil {
		t.Fatal(err)
	}
	done := r.playing(t, 1)
	c.signal(t, syscall.SIGTERM)
	if err := r.awaitReadyz(t, "draining"); err != nil {
		t.Fatal(err)
	}
	c.signal(t, syscall.SIGTERM)
	if err := c.wait(t, 20*time.Second); err != nil {
		t.Errorf("exit: %v", err)
	}
	result := <-done
	if got := statuses(result.Calls[0]); !cmp.Equal(got, []string{"recording", "failed"}) {
		t.Errorf("announced %v", got)
	}
	r.sim.BotRestarted("second signal")
	// Nobody waited for the archive: the next start finds the sealed recording.
	r.start(t)
	r.stop(t)
	r.noViolation(t, result)
	if diff := cmp.Diff(map[string]int{"failed": 1}, r.outcomes(t)); diff != "" {
		t.Error(diff)
	}
}

func statuses(f cloud.Facts) []string {
	var all []string
	for _, a := range f.Announcements {
		all = append(all, a.Status)
	}
	return all
}

// TestKill: a process that dies without a word in the middle of calls is followed
// by one that takes them over: it announces recording anew, attaches to the hosts,
// and goes on with the next frame. Not a sample is lost, and the calls end well.
func TestKill(t *testing.T) {
	t.Parallel()
	const calls = 3
	r := newRig(t, endless(t, calls), func(c *Config) { c.Shutdown.DrainLimit = 0 })
	first := startChild(t, "serve", "--config", r.config.File)
	if err := waitOps(t.Context(), r.config.Ops, 20*time.Second); err != nil {
		t.Fatal(err)
	}
	done := r.playing(t, calls)
	first.signal(t, syscall.SIGKILL)
	_ = first.wait(t, 10*time.Second)
	r.sim.BotRestarted("killed")
	r.start(t) // the next start, in this process
	r.awaitRecording(t, calls)
	<-time.After(500 * time.Millisecond) // of speech
	result := r.stopPlayed(t, done)
	for _, f := range result.Calls {
		if got := statuses(f); !cmp.Equal(got, []string{"recording", "recording", "notRecording"}) || f.Left.IsZero() {
			t.Errorf("announced %v, left %v", got, f.Left)
		}
	}
	if diff := cmp.Diff(map[string]int{"recorded": calls}, r.outcomes(t)); diff != "" {
		t.Error(diff)
	}
	r.noViolation(t, result)
	if n := len(r.manifests(t)); n != 2*calls {
		t.Errorf("%d recordings, want one before the crash and one after it for each call", n)
	}
}

// TestKillWhileTheCallEnds: a call that ended while nobody was there is sealed,
// with the time that nobody recorded missing, and ends as failed.
func TestKillWhileTheCallEnds(t *testing.T) {
	t.Parallel()
	s := endless(t, 1)
	s.Calls[0].End.Never, s.Calls[0].End.AtMost = false, 2*time.Second
	s.Calls[0].End.After = 1500 * time.Millisecond
	r := newRig(t, s, func(c *Config) { c.Shutdown.DrainLimit = 0 })
	first := startChild(t, "serve", "--config", r.config.File)
	if err := waitOps(t.Context(), r.config.Ops, 20*time.Second); err != nil {
		t.Fatal(err)
	}
	done := r.playing(t, 1)
	first.signal(t, syscall.SIGKILL)
	_ = first.wait(t, 10*time.Second)
	r.sim.BotStopped("killed")
	result := <-done
	r.sim.BotStarted("after the call's end")
	r.start(t)
	r.stop(t)
	if diff := cmp.Diff(map[string]int{"failed": 1}, r.outcomes(t)); diff != "" {
		t.Error(diff)
	}
	all := r.manifests(t)
	if len(all) != 1 || all[0].Cause != "processDied" || all[0].GapSamples == 0 || !all[0].Seal.Recovered {
		t.Errorf("%+v", all)
	}
	r.noViolation(t, result)
}

// awaitRecording waits until so many calls are being recorded.
func (r *rig) awaitRecording(t *testing.T, calls int) {
	t.Helper()
	err := poll(t.Context(), 5*time.Millisecond, func() error {
		n := 0
		for _, v := range r.bot.registry.Calls() {
			if v.State == "recording" && v.Recording != "" {
				n++
			}
		}
		if n < calls {
			return errNotReady
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// stopPlayed stops the bot, and then the scenario is over.
func (r *rig) stopPlayed(t *testing.T, done <-chan teamsim.Result) teamsim.Result {
	t.Helper()
	r.stop(t)
	return <-done
}

func (r *rig) manifests(t *testing.T) (all []archive.Manifest) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(r.config.Archive, "*", "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var m archive.Manifest
		if err := json.Unmarshal(data, &m); err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

// TestStorageFailure: a process that can store nothing more says so, fails its
// calls and ends, so that the next start can do better.
func TestStorageFailure(t *testing.T) {
	t.Parallel()
	r := newRig(t, endless(t, 1), func(c *Config) { c.Shutdown.DrainLimit = 0 })
	r.start(t)
	done := r.playing(t, 1)
	r.bot.media.OnFailure(errStorage)
	select {
	case err := <-r.bot.fatal:
		if !errors.Is(err, errStorage) {
			t.Error(err)
		}
	case <-t.Context().Done():
		t.Fatal("the process does not end")
	}
	if reply := readiness(r.bot.readyChecks()); reply.Ready {
		t.Error("ready to take calls")
	}
	result := <-done
	r.stop(t)
	if got := statuses(result.Calls[0]); !cmp.Equal(got, []string{"recording", "failed"}) {
		t.Errorf("announced %v", got)
	}
	if diff := cmp.Diff(map[string]int{"failed": 1}, r.outcomes(t)); diff != "" {
		t.Error(diff)
	}
}

var errStorage = errors.New("planted: the disk is gone")
