package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/catalogue"
	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/recorder"
	"github.com/recorderbot/recorderbot/internal/recorder/recordertest"
	"github.com/recorderbot/recorderbot/internal/teamsim"
)

// waiting leaves a sealed recording in the spool, and in the catalogue that it
// waits for the archive.
func (r *rig) waiting(t *testing.T, id recorder.CallID, recording string) {
	t.Helper()
	l, err := spool.Open(t.Context(), spool.Options{Dir: r.cfg.path(r.cfg.Spool.Dir), SegmentSize: int64(r.cfg.Spool.SegmentSize)})
	if err != nil {
		t.Fatal(err)
	}
	rec, err := l.Begin(t.Context(), recordertest.Permit(t, id), recording, []byte(`{"audio":"mixed","firstSeq":1}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = rec.Seal(t.Context(), spool.Seal{Cause: "paused"}); err != nil {
		t.Fatal(err)
	}
	if err = l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	cat, err := catalogue.Open(t.Context(), r.cfg.Catalogue.URL, filepath.Dir(r.cfg.file), catalogue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	cat.Invited(recorder.Invite{
		Call: recorder.CallRef{ID: id, Platform: string(id), Tenant: r.cfg.App.Tenants[0]}, At: time.Now(), ObservedParticipant: "p",
	})
	end := recorder.Conclusion{
		Call: id, Outcome: recorder.OutcomeNotRecorded, Cause: recorder.CauseNoMedia, At: time.Now(),
		Recordings: []recorder.SealReport{{Recording: recording, At: time.Now()}},
	}
	if err = cat.Conclude(t.Context(), end); err != nil {
		t.Fatal(err)
	}
	if err = cat.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestSpoolAway: a start without the spool's volume says what it misses, and
// spoils nothing: when the volume is there again all of it is archived.
func TestSpoolAway(t *testing.T) {
	t.Parallel()
	s, err := teamsim.Builtin("one-call")
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, s, nil)
	r.waiting(t, "e71f0300-9c1f-4d99-b5f4-2722e877d497", "rec-1")
	state := func() (got catalogue.State) {
		r.read(t, func(ctx context.Context, c catalogueReader) error {
			rec, fault := c.Recording(ctx, "rec-1")
			got = rec.State
			return fault
		})
		return got
	}
	dir := r.cfg.path(r.cfg.Spool.Dir)
	if err = os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	r.start(t)
	if n := r.gauge(t, "recorderbot_recordings_missing"); n != 1 {
		t.Errorf("%v recordings are missing", n)
	}
	r.stop(t)
	if got := state(); got != catalogue.StateSealed {
		t.Errorf("without the volume: %s", got)
	}
	if err = os.Rename(dir, dir+".empty"); err != nil {
		t.Fatal(err)
	}
	if err = os.Rename(dir+".away", dir); err != nil {
		t.Fatal(err)
	}
	r.start(t)
	if n := r.gauge(t, "recorderbot_recordings_missing"); n != 0 {
		t.Errorf("%v recordings are missing", n)
	}
	r.stop(t)
	if got := state(); got != catalogue.StateArchived {
		t.Errorf("with the volume: %s", got)
	}
}
