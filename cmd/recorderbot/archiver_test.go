package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap/zaptest"

	"github.com/recorderbot/recorderbot/internal/archive"
	"github.com/recorderbot/recorderbot/internal/catalogue"
	"github.com/recorderbot/recorderbot/internal/media/durable/durabletest"
	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/recorder"
	"github.com/recorderbot/recorderbot/internal/recorder/recordertest"
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

// An attic is an archiver with its catalogue, spool and archive, and nothing
// that works behind.
type attic struct {
	*archiver

	dir       string
	assembler *archive.Assembler // the true one, whatever the archiver was given
}

func newAttic(t *testing.T) *attic {
	t.Helper()
	dir := durabletest.Dir(t)
	cat, err := catalogue.Open(t.Context(), "sqlite:catalogue.db", dir, catalogue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cat.Close(context.Background()) })
	log, err := spool.Open(t.Context(), spool.Options{Dir: filepath.Join(dir, "spool"), SegmentSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close(context.Background()) })
	assembler, err := archive.Open("file:archive", dir, archive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return &attic{newArchiver(assembler, cat, log, zaptest.NewLogger(t)), dir, assembler}
}

// keep records a call of a few frames, with its journal, to its outcome. Its
// seal is of the n-th minute. What is unwritten did not get into the journal.
func (a *attic) keep(t *testing.T, id string, n int, unwritten ...recorder.EntryKind) catalogue.Recording {
	t.Helper()
	call := recorder.CallID("call-" + id)
	permit := recordertest.Permit(t, call)
	evidence, err := permit.Evidence()
	if err != nil {
		t.Fatal(err)
	}
	a.catalogue.Invited(recorder.Invite{Call: recorder.CallRef{ID: call}, At: evidence.At, ObservedParticipant: "p"})
	type m map[string]any
	end := string(call) + "/2/notRecording"
	write := func(kind recorder.EntryKind, data any) {
		t.Helper()
		if slices.Contains(unwritten, kind) {
			return
		}
		if err = a.catalogue.Append(t.Context(), recorder.Entry{Call: call, Kind: kind, Data: data}); err != nil {
			t.Fatal(err)
		}
	}
	write(recorder.EntryAnnounce, m{"status": "recording", "clientContext": evidence.Context})
	write(recorder.EntryAnnounced, m{"clientContext": evidence.Context, "operation": evidence.Operation, "progress": "completed", "receipt": evidence.Receipt})
	write(recorder.EntryPermit, evidence)
	r, err := a.spool.Begin(t.Context(), permit, id, []byte(`{"audio":"mixed","firstSeq":1}`))
	if err != nil {
		t.Fatal(err)
	}
	write(recorder.EntryOpened, recorder.Opened{Recording: id, FirstSeq: 1, At: time.Now()})
	err = a.spool.Update(func(b *spool.Batch) {
		for seq := uint64(1); seq <= 5; seq++ {
			b.Frame(r, frame.Frame{Header: frame.Header{Seq: seq, Kind: frame.MixedAudio}, Payload: make([]byte, frame.AudioBytes)})
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = r.Seal(t.Context(), spool.Seal{LastSeq: 5, Cause: "paused"}); err != nil {
		t.Fatal(err)
	}
	report := recorder.SealReport{
		Recording: id, Frames: 5, Samples: 5 * frame.AudioSamples, LastSeq: 5, At: evidence.At.Add(time.Duration(n-60) * time.Minute),
	}
	write(recorder.EntrySealed, report)
	write(recorder.EntryAnnounce, m{"status": "notRecording", "clientContext": end})
	write(recorder.EntryAnnounced, m{"clientContext": end, "operation": "op-2", "progress": "completed"})
	err = a.catalogue.Conclude(t.Context(), recorder.Conclusion{Call: call, Outcome: recorder.OutcomeRecorded, Recordings: []recorder.SealReport{report}})
	if err != nil {
		t.Fatal(err)
	}
	rec, err := a.catalogue.Recording(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// chain checks the archive as check does, and that it holds so many.
func (a *attic) chain(t *testing.T, want int) {
	t.Helper()
	all, err := a.catalogue.Recordings(t.Context(), catalogue.Filter{State: catalogue.StateArchived})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != want {
		t.Errorf("%d recordings are archived, want %d", len(all), want)
	}
	for i, r := range all {
		all[i].Path = folderOf(a.assembler.Dir(), r)
	}
	for _, f := range checkArchive(all) {
		t.Error(f)
	}
}

// TestChainAfterACrash: we die between publishing and entering, and by the next
// start an older seal has come in. What is published goes first, and the chain
// of manifests has no fork.
func TestChainAfterACrash(t *testing.T) {
	t.Parallel()
	a := newAttic(t)
	a.keep(t, "r1", 1)
	if err := a.drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	job, err := a.job(t.Context(), a.keep(t, "r3", 3))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = a.assembler.Assemble(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	a.keep(t, "r2", 2) // it is sealed before r3, and late
	if err = a.drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.chain(t, 3)
}

// An odd assembler does something else to one recording.
type odd struct {
	assembler

	recording string
	assemble  func(context.Context, archive.Job) (archive.Result, error)
}

func (o odd) Assemble(ctx context.Context, j archive.Job) (archive.Result, error) {
	if j.Recording == o.recording {
		return o.assemble(ctx, j)
	}
	return o.assembler.Assemble(ctx, j)
}

// TestChainAfterAFailure: a folder is published, and then something fails.
// Nothing else is published before it is entered.
func TestChainAfterAFailure(t *testing.T) {
	t.Parallel()
	failed := errors.New("the disk does not answer")
	for name, result := range map[string]func(archive.Result) (archive.Result, error){
		"assembling": func(archive.Result) (archive.Result, error) { return archive.Result{}, failed },
		"entering":   func(r archive.Result) (archive.Result, error) { r.ManifestSHA256 = ""; return r, nil }, // is refused
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAttic(t)
			a.keep(t, "r1", 1)
			a.keep(t, "r2", 2)
			a.archiver.assembler = odd{a.assembler, "r1", func(ctx context.Context, j archive.Job) (archive.Result, error) {
				r, err := a.assembler.Assemble(ctx, j)
				if err != nil {
					t.Error(err)
				}
				return result(r)
			}}
			if err := a.drain(t.Context()); !errors.Is(err, errNotEntered) {
				t.Errorf("error %v, want %v", err, errNotEntered)
			}
			if a.assembler.There("r2") {
				t.Error("another was published before this one was entered")
			}
			a.archiver.assembler = a.assembler
			if err := a.drain(t.Context()); err != nil {
				t.Fatal(err)
			}
			a.chain(t, 2)
		})
	}
}

// TestDamagedFolderHoldsNobodyUp: what a person must look at is no link of the
// chain. Once it is taken away the recording is archived.
func TestDamagedFolderHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	a := newAttic(t)
	a.keep(t, "r1", 1)
	a.keep(t, "r2", 2)
	if err := os.Mkdir(a.assembler.Path("r1"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := a.drain(t.Context()); !errors.Is(err, archive.ErrDamaged) {
		t.Errorf("error %v, want %v", err, archive.ErrDamaged)
	}
	a.chain(t, 1)
	if err := os.Remove(a.assembler.Path("r1")); err != nil {
		t.Fatal(err)
	}
	if err := a.drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.chain(t, 2)
}

// TestPoisonedRecording: one at which we panic is given up and kept in the
// spool; the others are archived. What it holds is told to nobody.
func TestPoisonedRecording(t *testing.T) {
	t.Parallel()
	const secret = "what was said"
	for name, poison := range map[string]func(){
		"value":   func() { panic(secret) },
		"runtime": func() { _ = os.Args[len(os.Args)+len(secret)] },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAttic(t)
			a.keep(t, "r1", 1)
			a.keep(t, "r2", 2)
			hidden := filepath.Join(a.assembler.Dir(), ".r1.part")
			a.archiver.assembler = odd{a.assembler, "r1", func(context.Context, archive.Job) (archive.Result, error) {
				if err := os.Mkdir(hidden, 0o700); err != nil {
					t.Error(err)
				}
				poison()
				return archive.Result{}, nil
			}}
			err := a.drain(t.Context())
			if !errors.Is(err, errPanic) || strings.Contains(err.Error(), secret) {
				t.Errorf("error %v, want %v without content", err, errPanic)
			}
			a.chain(t, 1)
			rec, err := a.catalogue.Recording(t.Context(), "r1")
			if err != nil || rec.State != catalogue.StateFailed || !strings.Contains(rec.Detail, errPanic.Error()) || strings.Contains(rec.Detail, secret) {
				t.Errorf("%s: %q, %v", rec.State, rec.Detail, err)
			}
			for _, err := range a.spool.Read("r1") {
				if err != nil {
					t.Errorf("the spool has let go of it: %v", err)
				}
			}
			if _, err := os.Stat(hidden); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("its hidden folder is left: %v", err)
			}
			if err := a.drain(t.Context()); err != nil {
				t.Errorf("it is tried again: %v", err)
			}
		})
	}
}
