package main

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/teamsim"
)

// TestBacklogStaysWhileArchivingFails: between the tries of a failing archive
// the gauge says what waits, and the recording is archived once it can be.
func TestBacklogStaysWhileArchivingFails(t *testing.T) {
	t.Parallel()
	s, err := teamsim.Builtin("one-call")
	if err != nil {
		t.Fatal(err)
	}
	s.Calls[0].End.After = 500 * time.Millisecond
	r := newRig(t, s, nil)
	r.start(t)
	// A file where the archive's folder should be: nothing can be published.
	if err = os.RemoveAll(r.config.Archive); err != nil {
		t.Fatal(err)
	}
	if err = os.WriteFile(r.config.Archive, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err = r.sim.Run(t.Context(), r.config.URL); err != nil {
		t.Fatal(err)
	}
	err = poll(t.Context(), 10*time.Millisecond, func() error {
		if r.gauge(t, "recorderbot_archive_backlog_bytes") > 0 {
			return nil
		}
		return errors.New("no backlog")
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.bot.archiver.drain(t.Context()); err == nil {
		t.Fatal("archived into a file")
	}
	if r.gauge(t, "recorderbot_archive_backlog_bytes") <= 0 {
		t.Error("the backlog is gone although nothing was archived")
	}
	if err := os.Remove(r.config.Archive); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(r.config.Archive, 0o700); err != nil {
		t.Fatal(err)
	}
	r.bot.archiver.notify()
	r.stop(t)
	if got := r.outcomes(t); got["recorded"] != 1 {
		t.Errorf("%v", got)
	}
	r.proof(t)
}

func (r *rig) gauge(t *testing.T, name string) float64 {
	t.Helper()
	families, err := r.bot.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	return 0
}
