package main

import (
	"database/sql"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/teamsim"
	"github.com/recorderbot/recorderbot/internal/teamsim/referee"
)

// A badDisk fails from when it is told to.
type badDisk struct{ fault atomic.Pointer[spool.Fault] }

func (d *badDisk) do(what string) error {
	if f := d.fault.Load(); f != nil {
		return (*f)(what)
	}
	return nil
}

// fails is a fault of some doings.
func fails(with error, whats ...string) spool.Fault {
	return func(what string) error {
		if strings.Contains(strings.Join(whats, " "), what) {
			return fmt.Errorf("planted: %w", with)
		}
		return nil
	}
}

// TestDiskFaults: a disk that is full, that can't sync, or that has become
// read-only, in the midst of recordings. All calls are told as failed in time,
// the process ends, and the next one finds what was acknowledged.
func TestDiskFaults(t *testing.T) {
	t.Parallel()
	const calls = 3
	for name, fault := range map[string]spool.Fault{
		"disk full":       fails(syscall.ENOSPC, "write", "preallocate"),
		"fsync error":     fails(syscall.EIO, "sync"),
		"read-only spool": fails(syscall.EROFS, "open", "write", "preallocate"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var d badDisk
			r := newRig(t, endless(t, calls), func(c *Config) { c.Shutdown.DrainLimit, c.spoolFault = 0, d.do })
			r.start(t)
			done := r.playing(t, calls)
			d.fault.Store(&fault)
			r.sim.BotFault(name)
			select {
			case err := <-r.bot.fatal:
				t.Log(err)
			case <-t.Context().Done():
				t.Fatal("the process does not end")
			}
			result := <-done
			if err := r.bot.registry.Wait(t.Context()); err != nil { // until each has its outcome
				t.Fatal(err)
			}
			if got := r.failures(t)["storageFailed"]; got != calls {
				t.Errorf("the metric that the alert rests on says %d, not %d", got, calls)
			}
			_ = r.bot.shutdown(nil) // it says that the spool is broken
			d.fault.Store(nil)
			r.sim.BotRestarted(name)
			r.start(t)
			r.stop(t)
			r.failedInTime(t, result, calls)
		})
	}
}

// failedInTime judges a run in which all calls had to fail.
func (r *rig) failedInTime(t *testing.T, result teamsim.Result, calls int) {
	t.Helper()
	report := r.sim.Judge(r.config.Archive, nil, referee.Limits{})
	for _, v := range report.Violations {
		t.Error(v)
	}
	told := 0
	for _, c := range report.Calls {
		told += len(c.Failures)
	}
	if told < calls {
		t.Errorf("%d failures were told, of %d", told, calls)
	}
	for _, f := range result.Calls {
		if got := statuses(f); !cmp.Equal(got, []string{"recording", "failed"}) {
			t.Errorf("announced %v", got)
		}
	}
	r.proof(t)
	if diff := cmp.Diff(map[string]int{"failed": calls}, r.outcomes(t)); diff != "" {
		t.Error(diff)
	}
	t.Logf("failed at most %v after the fault", report.Told.Round(time.Millisecond))
}

// TestReadOnlySpoolAtStart: who can't store takes no call.
func TestReadOnlySpoolAtStart(t *testing.T) {
	t.Parallel()
	r := newRig(t, endless(t, 1), func(c *Config) { c.spoolFault = fails(syscall.EROFS, "open", "write", "preallocate") })
	b, err := newBot(t.Context(), r.cfg, zap.NewNop(), nil)
	if err == nil || !strings.Contains(err.Error(), syscall.EROFS.Error()) {
		t.Errorf("%v", err)
	}
	if b != nil {
		_ = b.close()
	}
}

// TestCatalogueLocked: somebody else holds the catalogue. What is recorded is not
// lost and a call that can't be journaled is not recorded, told as failed; when it
// is free again each has its outcome.
func TestCatalogueLocked(t *testing.T) {
	t.Parallel()
	s := endless(t, 1)
	s.Calls[0].End = until(2 * time.Second)
	late := s.Calls[0]
	late.At = 1200 * ms
	s.Calls = append(s.Calls, late)
	r := newRig(t, s, nil)
	r.start(t)
	done := r.playing(t, 1)
	db, err := sql.Open("sqlite", "file:"+r.config.Catalogue)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	hold, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err = hold.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	<-time.After(4 * time.Second) // both are over for the platform
	if _, err = hold.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	_ = hold.Close()
	result := <-done
	r.stop(t)
	for i, want := range [][]string{{"recording", "notRecording"}, {"failed"}} {
		if diff := cmp.Diff(want, statuses(result.Calls[i])); diff != "" {
			t.Errorf("call %d: %s", i, diff)
		}
	}
	r.noViolation(t, result)
	if diff := cmp.Diff(map[string]int{"recorded": 1, "failed": 1}, r.outcomes(t)); diff != "" {
		t.Error(diff)
	}
}
