package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/recorderbot/recorderbot/internal/archive"
	"github.com/recorderbot/recorderbot/internal/catalogue"
	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// archiveRetry is how long the archiver waits before it looks again unasked,
// so that a full or missing archive is not hammered. The spool holds what waits.
const archiveRetry = 30 * time.Second

// An archiver turns ended calls' recordings into folders of the archive, one
// after the other since each manifest names the one before. Its queue is the
// catalogue, so a crash loses no work: what is sealed and not archived is
// found again.
type archiver struct {
	assembler assembler
	catalogue *catalogue.Catalogue
	spool     *spool.Log
	log       *zap.Logger
	wake      chan struct{}
	idle      chan chan struct{} // asks to be told when the queue is empty
}

// An assembler is what an archive.Assembler does.
type assembler interface {
	Assemble(ctx context.Context, j archive.Job) (archive.Result, error)
	There(recording string) bool
	Sweep(recording string) error
	Backlog(bytes int64)
}

func newArchiver(a *archive.Assembler, c *catalogue.Catalogue, s *spool.Log, log *zap.Logger) *archiver {
	return &archiver{assembler: a, catalogue: c, spool: s, log: log, wake: make(chan struct{}, 1), idle: make(chan chan struct{})}
}

// notify says that there may be work. It never blocks.
func (a *archiver) notify() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// run works until ctx ends. A recording under way is finished or left hidden;
// the next start takes it up again.
func (a *archiver) run(ctx context.Context) {
	retry := time.NewTimer(0)
	defer retry.Stop()
	var waiting []chan struct{}
	for {
		select {
		case <-ctx.Done():
			return
		case w := <-a.idle:
			waiting = append(waiting, w)
			a.notify()
		case <-a.wake:
		case <-retry.C:
		}
		err := a.drain(ctx)
		// Also without a failure: a seal may have come in after its call's end.
		retry.Reset(archiveRetry)
		if err != nil && ctx.Err() == nil {
			a.log.Error("archiving failed; it is tried again", zap.Error(err), zap.Duration("after", archiveRetry))
			continue
		}
		for _, w := range waiting {
			close(w)
		}
		waiting = nil
	}
}

// settle returns when nothing is left to archive, or with ctx's error.
func (a *archiver) settle(ctx context.Context) error {
	done := make(chan struct{})
	select {
	case a.idle <- done:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// drain archives all that is pending. What a crash has left published and not
// entered comes first, whatever was sealed before it: its manifest names the
// last one that is entered, and any other published meanwhile would name the
// same, so that the chain had a fork.
func (a *archiver) drain(ctx context.Context) error {
	pending, err := a.catalogue.PendingArchive(ctx)
	if err != nil {
		return fmt.Errorf("list pending recordings: %w", err)
	}
	slices.SortStableFunc(pending, func(x, y catalogue.Recording) int {
		return cmp.Compare(a.place(x), a.place(y))
	})
	var errs []error
	// What failed still waits: the gauge must not say otherwise between tries.
	waiting := backlog(pending...)
	a.assembler.Backlog(waiting)
	for _, rec := range pending {
		err := a.one(ctx, rec)
		if err != nil {
			errs = append(errs, fmt.Errorf("recording %s: %w", rec.ID, err))
		} else {
			waiting -= backlog(rec)
			a.assembler.Backlog(waiting)
		}
		if ctx.Err() != nil || errors.Is(err, errNotEntered) {
			break // the next manifest must name this one, and could not
		}
	}
	return errors.Join(errs...)
}

// place is a recording's place in the queue: those with a folder are first.
func (a *archiver) place(rec catalogue.Recording) int {
	if a.assembler.There(rec.ID) {
		return 0
	}
	return 1
}

// errNotEntered: a folder is published and the catalogue does not know. It is
// found again at the next try, and nothing else is published before.
var errNotEntered = errors.New("its folder is published and not entered")

// released takes it for done that the spool has let go of a recording already.
func released(err error) error {
	if errors.Is(err, spool.ErrUnknown) {
		return nil
	}
	return err
}

// backlog is what waits for the archive, in bytes of audio.
func backlog(pending ...catalogue.Recording) (bytes int64) {
	for _, rec := range pending {
		bytes += 2 * (rec.Samples + rec.GapSamples)
	}
	return bytes
}

// one archives a recording. Crash after publishing: the folder is found
// published and verified, and only the catalogue and the spool are brought up.
func (a *archiver) one(ctx context.Context, rec catalogue.Recording) error {
	result, err := a.guarded(ctx, rec)
	if err == nil {
		err = a.archived(ctx, rec, result)
	}
	switch {
	case err == nil:
	case errors.Is(err, archive.ErrJob), errors.Is(err, errPanic), errors.Is(err, catalogue.ErrUnknown):
		// Trying again is pointless. The spool keeps it, and an alert calls a person.
		// A folder that is there in spite of it is no link of the chain.
		return errors.Join(err, a.catalogue.RecordingFailed(ctx, rec.ID, err.Error()))
	case errors.Is(err, archive.ErrDamaged):
		// No link of the chain: once a person has taken it away, it is made anew.
		return err
	case a.assembler.There(rec.ID):
		return fmt.Errorf("%w: %w", errNotEntered, err)
	default:
		return err
	}
	if err := released(a.spool.Release(rec.ID)); err != nil {
		return fmt.Errorf("release its spool: %w", err)
	}
	a.log.Info("recording archived", zap.String("recording", rec.ID), zap.String("path", result.Path),
		zap.Int64("samples", result.Samples), zap.Int64("gapSamples", result.GapSamples))
	return nil
}

// errPanic: this recording makes us panic, and would again.
var errPanic = errors.New("panic while archiving")

// guarded assembles a recording. A panic ends this recording's archiving, not
// the process and its live calls. Its value may quote what was recorded: only a
// runtime error's own words are kept. The run itself is counted as failed.
func (a *archiver) guarded(ctx context.Context, rec catalogue.Recording) (result archive.Result, err error) {
	defer func() {
		value := recover()
		if value == nil {
			return
		}
		err = fmt.Errorf("%w: %s", errPanic, ownWords(value))
		a.log.Error("panic while archiving; the spool keeps the recording", zap.String("recording", rec.ID),
			zap.Error(err), zap.ByteString("stack", debug.Stack()))
		// Crash before this: the hidden folder stays, and takes room.
		err = errors.Join(err, a.assembler.Sweep(rec.ID))
	}()
	job, err := a.job(ctx, rec)
	if err != nil {
		return archive.Result{}, err
	}
	return a.assembler.Assemble(ctx, job)
}

// ownWords describes a panic without content.
func ownWords(value any) string {
	if err, ok := value.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("of type %T", value)
}

// job gathers what the archive needs to know of a recording.
func (a *archiver) job(ctx context.Context, rec catalogue.Recording) (archive.Job, error) {
	call, err := a.catalogue.Call(ctx, rec.Call)
	if err != nil {
		return archive.Job{}, err
	}
	end, err := a.catalogue.OutcomeOf(ctx, rec.Call)
	goesOn := errors.Is(err, catalogue.ErrUnknown)
	if err != nil && !goesOn {
		return archive.Job{}, err
	}
	outcome, ok := recorder.ParseOutcome(end.Outcome)
	if !ok && !goesOn {
		return archive.Job{}, fmt.Errorf("the catalogue has the outcome %q, which this version does not know", end.Outcome)
	}
	journal, err := a.catalogue.Journal(ctx, rec.Call)
	if err != nil {
		return archive.Job{}, err
	}
	previous, err := a.catalogue.LastManifest(ctx)
	if err != nil {
		return archive.Job{}, err
	}
	job := archive.Job{
		Recording: rec.ID, Read: func() iter.Seq2[spool.Record, error] { return a.spool.Read(rec.ID) },
		GoesOn: goesOn, Facts: archive.FactsOf(call.Invite), Previous: previous, Software: buildVersion(),
		Conclusion: recorder.Conclusion{
			Call: rec.Call, Outcome: outcome, Cause: end.Cause, Detail: end.Detail, At: end.At,
			Recordings: []recorder.SealReport{reportOf(rec)},
		},
	}
	of, err := a.catalogue.RecordingsOf(ctx, []recorder.CallID{rec.Call}) // by index: what is archived costs the same however much there is
	if err != nil {
		return archive.Job{}, err
	}
	all := of[rec.Call]
	for _, o := range all[:min(len(all), mostParts)] {
		if o.ID != rec.ID {
			job.Others = append(job.Others, archive.Other{Recording: o.ID, Samples: o.Samples, GapSamples: o.GapSamples, Frames: o.Frames, EndedAt: o.EndedAt})
		}
	}
	job.Events = eventsOf(journal)
	return job, nil
}

// mostParts is how many recordings of one call are told of in the manifest of another: a
// day of the shortest parts that can be configured, and more.
const mostParts = 1 << 11

func reportOf(rec catalogue.Recording) recorder.SealReport {
	positive := func(n int64) uint64 { return uint64(max(n, 0)) }
	return recorder.SealReport{
		Recording: rec.ID, Frames: positive(rec.Frames), Samples: positive(rec.Samples), GapSamples: positive(rec.GapSamples),
		Discarded: positive(rec.Discarded), LastSeq: positive(rec.LastSeq), FirstAt: rec.StartedAt, LastAt: rec.EndedAt, At: rec.SealedAt,
	}
}

func (a *archiver) archived(ctx context.Context, rec catalogue.Recording, r archive.Result) error {
	return a.catalogue.RecordingArchived(ctx, catalogue.Archived{
		Recording: rec.ID, Path: filepath.Base(r.Path), ManifestSHA256: r.ManifestSHA256, Samples: r.Samples, GapSamples: r.GapSamples,
		Bytes: r.Bytes, StartedAt: r.StartedAt, EndedAt: r.EndedAt, Flags: r.Flags,
	})
}
