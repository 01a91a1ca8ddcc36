package main

import (
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/recorderbot/recorderbot/internal/recorder"
	"github.com/recorderbot/recorderbot/internal/teamsim/referee"
)

// TestPausedCalls: each of several calls is paused twice by an operator. Each time
// between is a recording of its own, nothing of a pause is stored, and nothing
// else is missing.
func TestPausedCalls(t *testing.T) {
	t.Parallel()
	const calls = 3
	s := endless(t, calls)
	s.Calls[0].End = until(4 * time.Second)
	r := newRig(t, s, nil)
	r.start(t)
	done := r.playing(t, calls)
	for range 2 {
		for _, f := range r.sim.Cloud.Calls() {
			if _, err := r.bot.registry.Pause(t.Context(), recorder.CallID(f.ID)); err != nil {
				t.Error(err)
			}
		}
		<-time.After(300 * time.Millisecond) // of what nobody may keep
		for _, f := range r.sim.Cloud.Calls() {
			if _, err := r.bot.registry.Resume(t.Context(), recorder.CallID(f.ID)); err != nil {
				t.Error(err)
			}
		}
		<-time.After(500 * time.Millisecond) // of speech
	}
	result := <-done
	r.stop(t)
	report := r.sim.Judge(r.config.Archive, nil, referee.Limits{})
	for _, v := range report.Violations {
		t.Error(v)
	}
	if report.Recordings != 3*calls || report.SamplesStored != report.SamplesSent || report.GapSamples != 0 {
		t.Errorf("%d recordings, %d samples sent, %d stored, %d in gaps", report.Recordings, report.SamplesSent, report.SamplesStored, report.GapSamples)
	}
	want := []string{"recording", "notRecording", "recording", "notRecording", "recording", "notRecording"}
	for _, f := range result.Calls {
		if diff := cmp.Diff(want, statuses(f)); diff != "" {
			t.Error(diff)
		}
	}
	r.proof(t)
	if diff := cmp.Diff(map[string]int{"recorded": calls}, r.outcomes(t)); diff != "" {
		t.Error(diff)
	}
}

// TestKilledForLong: a process that is started again only when the hosts have
// forgotten a part goes on with a recording that begins with that gap, exact.
func TestKilledForLong(t *testing.T) {
	t.Parallel()
	const calls = 2
	s := endless(t, calls)
	s.Calls[0].End = until(7 * time.Second)
	s.Media.Memory = time.Second
	r := newRig(t, s, nil)
	first := startChild(t, "serve", "--config", r.config.File)
	if err := waitOps(t.Context(), r.config.Ops, 20*time.Second); err != nil {
		t.Fatal(err)
	}
	done := r.playing(t, calls)
	first.signal(t, syscall.SIGKILL)
	_ = first.wait(t, 10*time.Second)
	r.sim.BotStopped("killed")
	<-time.After(2 * time.Second) // twice what the hosts remember
	r.sim.BotStarted("again")
	r.start(t)
	result := <-done
	r.stop(t)
	report := r.sim.Judge(r.config.Archive, nil, referee.Limits{})
	for _, v := range report.Violations {
		t.Error(v)
	}
	if report.Recordings != 2*calls || report.GapSamples < calls*16000 || report.SamplesStored+report.GapSamples != report.SamplesSent {
		t.Errorf("%d recordings, %d samples sent, %d stored, %d in gaps", report.Recordings, report.SamplesSent, report.SamplesStored, report.GapSamples)
	}
	for _, f := range result.Calls {
		if diff := cmp.Diff([]string{"recording", "recording", "notRecording"}, statuses(f)); diff != "" {
			t.Error(diff)
		}
	}
	t.Logf("taken up %v after the start", report.TakenUp.Round(time.Millisecond))
	r.proof(t)
	if diff := cmp.Diff(map[string]int{"recordedWithGaps": calls}, r.outcomes(t)); diff != "" {
		t.Error(diff)
	}
}

// TestKilledInAPause: a call that was paused when its process died is still paused
// in the next one, which holds its session, and is recorded again only when somebody
// says so: behind the last of its recordings. Of the pauses nothing is stored.
func TestKilledInAPause(t *testing.T) {
	t.Parallel()
	r := newRig(t, endless(t, 1), func(c *Config) { c.Shutdown.DrainLimit = 0 })
	r.sim.BotStarted("at first")
	r.start(t)
	done := r.playing(t, 1)
	id := recorder.CallID(r.sim.Cloud.Calls()[0].ID)
	const pauses = 5
	want := []string{"recording"}
	for n := range pauses {
		if n > 0 {
			<-time.After(60 * time.Millisecond) // of what nobody may keep
			if _, err := r.bot.registry.Resume(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			<-time.After(60 * time.Millisecond) // of speech
		}
		if _, err := r.bot.registry.Pause(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		want = append(want, "notRecording", "recording")
	}
	want = append(want, "notRecording")
	// Everything of this process ends, and nothing is said any more.
	if err := r.bot.close(); err != nil {
		t.Error(err)
	}
	r.sim.BotRestarted("died in a pause")
	r.start(t)
	<-time.After(300 * time.Millisecond) // of what nobody may keep
	if v, ok := r.bot.registry.View(id); !ok || !v.Paused {
		t.Errorf("%+v", v)
	}
	if _, err := r.bot.registry.Resume(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	<-time.After(300 * time.Millisecond) // of speech
	r.stop(t)
	result := <-done
	report := r.sim.Judge(r.config.Archive, nil, referee.Limits{})
	for _, v := range report.Violations {
		t.Error(v)
	}
	if report.Recordings != pauses+1 || report.SamplesStored != report.SamplesSent || report.GapSamples != 0 {
		t.Errorf("%d recordings, %d samples sent, %d stored, %d in gaps", report.Recordings, report.SamplesSent, report.SamplesStored, report.GapSamples)
	}
	if diff := cmp.Diff(want, statuses(result.Calls[0])); diff != "" {
		t.Error(diff)
	}
	for _, m := range r.manifests(t) {
		if m.Part > 1 && (m.Joint != "pause" || len(m.Pauses) != 1 || m.Pauses[0].Samples <= 0) {
			t.Errorf("part %d: joint %s, pauses %+v", m.Part, m.Joint, m.Pauses)
		}
	}
	r.proof(t)
}
