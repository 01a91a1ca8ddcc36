package main

import (
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/teamsim"
	"github.com/recorderbot/recorderbot/internal/teamsim/referee"
	"github.com/recorderbot/recorderbot/internal/teamsim/trace"
)

// figuresVariable is how many calls are live; without it nothing is measured. See
// scripts/recovery.sh.
const (
	figuresVariable = "RECORDERBOT_TEST_FIGURES"
	speedVariable   = "RECORDERBOT_TEST_SPEED" // of the media
)

// TestFigures measures what a crash, an upgrade and a drain cost, with real processes
// on a real disk beside the simulator, which plays two media hosts in full.
func TestFigures(t *testing.T) {
	calls, err := strconv.Atoi(os.Getenv(figuresVariable))
	if err != nil {
		t.Skipf("%s says for how many calls", figuresVariable)
	}
	// The simulator on one core, so that the other is the recorder's.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(max(1, runtime.NumCPU()/2)))
	t.Run("kill", func(t *testing.T) { figures(t, calls, true) })
	t.Run("handover", func(t *testing.T) { figures(t, max(1, calls/5), false) })
}

// newFigures is newRig on a real disk, with so many calls on two hosts.
func newFigures(t *testing.T, calls int) *rig {
	t.Helper()
	s := endless(t, calls)
	s.Calls[0].Rate, s.Calls[0].End.AtMost = 50, 10*time.Minute
	s.Media.Hosts = 2
	if speed, err := strconv.ParseFloat(os.Getenv(speedVariable), 64); err == nil {
		s.Media.Speed = speed
	}
	s.Settle = time.Minute
	r := &rig{dir: t.TempDir()}
	var err error
	if r.sim, err = teamsim.Start(s, teamsim.Options{Dir: filepath.Join(r.dir, "simulator")}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.sim.Close() })
	if r.config, err = r.sim.WriteBotConfig(r.dir, teamsim.BotOptions{SegmentSize: "64MiB"}); err != nil {
		t.Fatal(err)
	}
	if r.cfg, err = loadConfig(r.config.File, nil); err != nil {
		t.Fatal(err)
	}
	return r
}

// figures takes calls from one process to the next, by a kill or by a handover, and
// then drains that one.
func figures(t *testing.T, calls int, kill bool) {
	t.Helper()
	r := newFigures(t, calls)
	t.Setenv("RECORDERBOT_SHUTDOWN_DRAINLIMIT", "0s")
	first := r.serving(t)
	done := r.playing(t, calls)
	<-time.After(2 * time.Second) // of speech
	watch := r.watchAcks(t)
	before, began := r.sim.Trace.Len(), time.Now()
	var next *child
	if kill {
		first.signal(t, syscall.SIGKILL)
		_ = first.wait(t, 10*time.Second)
		r.sim.BotRestarted("killed")
		began = time.Now()
		next = startChild(t, "serve", "--config", r.config.File)
	} else {
		r.sim.BotStarted("handover")
		next = startChild(t, "serve", "--handover", "--config", r.config.File)
	}
	ready := make(chan time.Duration, 1)
	go func() {
		err := poll(t.Context(), 10*time.Millisecond, func() error { return askReady(t.Context(), http.DefaultClient, r.config.Ops) })
		if err != nil {
			t.Error(err)
		}
		ready <- time.Since(began)
	}()
	r.attached(t, before, calls)
	recovered := time.Since(began)
	if !kill {
		r.handsOver(t, first)
	}
	<-time.After(2 * time.Second) // of speech
	silence := watch()
	what, up := "handover", "" // there is always one that is ready
	if kill {
		what, up = "kill -9", " ready after "+round(<-ready).String()+","
	}
	t.Logf("FIGURE %s, %d open recordings:%s all attached again after %v; without an acknowledgement %v at most, %v in the median",
		what, calls, up, round(recovered), round(slices.Max(silence)), round(silence[len(silence)/2]))
	began = time.Now()
	next.signal(t, syscall.SIGTERM)
	_, err := r.sim.Trace.Wait(t.Context(), func() func(trace.Event) bool {
		n := 0
		return func(e trace.Event) bool {
			if e.Kind == trace.HangUpReceived {
				n++
			}
			return n == calls
		}
	}())
	if err != nil {
		t.Fatal(err)
	}
	left := time.Since(began)
	if err := next.wait(t, 3*time.Minute); err != nil {
		t.Errorf("exit: %v", err)
	}
	t.Logf("FIGURE drain, %d open recordings: all sealed, announced and left after %v; ended after %v", calls, round(left), round(time.Since(began)))
	<-done
	r.archived(t)
	report := r.sim.Judge(r.config.Archive, nil, referee.Limits{})
	for i, v := range report.Violations {
		if i < 20 {
			t.Error(v)
		}
	}
	t.Logf("FIGURE referee, %s and drain, %d calls: samples sent %d, stored %d, lost as recorded gaps %d; violations %d; outcomes %v",
		what, calls, report.SamplesSent, report.SamplesStored, report.GapSamples, len(report.Violations), r.outcomes(t))
}

// archived lets a last start archive what the drain had no time for.
func (r *rig) archived(t *testing.T) {
	t.Helper()
	r.sim.BotStarted("archives the rest")
	r.start(t)
	if err := r.bot.archiver.settle(t.Context()); err != nil {
		t.Error(err)
	}
	if err := r.bot.shutdown(nil); err != nil {
		t.Error(err)
	}
}

// watchAcks watches how long each session hears no acknowledgement. The function
// returned says how long that was, sorted.
func (r *rig) watchAcks(t *testing.T) func() []time.Duration {
	t.Helper()
	type seen struct {
		acked uint64
		at    time.Time
		most  time.Duration
	}
	all := map[string]*seen{}
	stop, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			now := time.Now()
			for _, s := range r.sim.Sessions() {
				one := all[s.Session]
				if one == nil {
					one = &seen{at: now}
					all[s.Session] = one
				}
				one.most = max(one.most, now.Sub(one.at))
				if s.Acked > one.acked {
					one.acked, one.at = s.Acked, now
				}
			}
			select {
			case <-tick.C:
			case <-stop:
				return
			}
		}
	}()
	return func() []time.Duration {
		close(stop)
		<-over
		var most []time.Duration
		for _, one := range all {
			most = append(most, one.most)
		}
		slices.Sort(most)
		return most
	}
}

func round(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
