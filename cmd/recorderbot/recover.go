package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/recorderbot/recorderbot/internal/catalogue"
	"github.com/recorderbot/recorderbot/internal/media"
	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// The bounds of recovery. Seals of many recordings share commits.
const (
	sealAtOnce = 64
	readAtOnce = 8
)

// A heritage is what a dead process has left: by call, its recordings in the spool
// that have no seal, and what is known of those that have one.
type heritage struct {
	mu       sync.Mutex // guards the maps while they are made
	unsealed map[recorder.CallID][]spool.Info
	sealed   map[recorder.CallID][]recorder.SealReport
	serials  map[string]uint64        // of the recordings in the spool: their order
	died     map[recorder.CallID]bool // a process sealed what another had left, and died before it said so
}

// recover takes stock of what a dead process has left, and takes up its calls: each
// goes on where it stood, under a permit of its own, or is brought to its end (see
// recorder.Takeover). Crash in here: the next start does the same again; each step
// is idempotent.
func (b *bot) recover(ctx context.Context) error {
	began := time.Now()
	h, err := b.takeStock(ctx)
	if err != nil {
		return err
	}
	if err = b.missLost(ctx); err != nil {
		return err
	}
	calls, err := b.catalogue.Unfinished(ctx)
	if err != nil {
		return err
	}
	live := make(map[recorder.CallID]bool, len(calls))
	for _, c := range calls {
		live[c.Invite.Call.ID] = true
	}
	if err = b.sealForgotten(ctx, h, live); err != nil {
		return err
	}
	ended, err := b.catalogue.EndedSince(ctx, time.Now().Add(-recorder.RememberEnded))
	if err != nil {
		return err
	}
	b.registry.Reserve(ended)
	if err = b.takeUp(ctx, h, calls); err != nil {
		return err
	}
	if len(calls) > 0 {
		b.log.Warn("calls of a dead process are taken up", zap.Int("calls", len(calls)), zap.Duration("took", time.Since(began)))
	}
	return nil
}

// missLost tells of recordings that were begun, and that neither spool nor archive
// has. It changes nothing: the spool's volume may only not be mounted, and what is
// there again at the next start is archived then.
func (b *bot) missLost(ctx context.Context) error {
	kept := map[string]bool{}
	for _, info := range b.spool.Recovered() {
		kept[info.ID] = true
	}
	missing := 0
	for _, state := range []catalogue.State{catalogue.StateOpen, catalogue.StateSealed} {
		all, err := b.catalogue.Recordings(ctx, catalogue.Filter{State: state, Limit: 1 << 30})
		if err != nil {
			return err
		}
		for _, r := range all {
			if kept[r.ID] || b.archiver.assembler.There(r.ID) {
				continue
			}
			missing++
			b.log.Error("a recording is neither in the spool nor in the archive: is spool.dir the right one, and mounted?",
				zap.String("recording", r.ID), zap.String("call", string(r.Call)))
		}
	}
	b.missing.Set(float64(missing))
	return nil
}

// takeStock looks at what the spool holds. What is archived already is let go of;
// what is sealed the catalogue is made to know.
func (b *bot) takeStock(ctx context.Context) (*heritage, error) {
	h := &heritage{
		unsealed: map[recorder.CallID][]spool.Info{}, sealed: map[recorder.CallID][]recorder.SealReport{},
		serials: map[string]uint64{}, died: map[recorder.CallID]bool{},
	}
	found := b.spool.Recovered()
	for _, info := range found {
		h.serials[info.ID] = info.Serial
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(sealAtOnce)
	for _, info := range found {
		g.Go(func() error { return b.takeStockOf(ctx, h, info) })
	}
	return h, g.Wait()
}

func (b *bot) takeStockOf(ctx context.Context, h *heritage, info spool.Info) error {
	rec, err := b.catalogue.Recording(ctx, info.ID)
	known := err == nil
	switch {
	case known && rec.State == catalogue.StateArchived:
		// The process died between archiving and letting go.
		return released(b.spool.Release(info.ID))
	case err != nil && !errors.Is(err, catalogue.ErrUnknown):
		return err
	case info.Call == "":
		// Its permit record is damaged: what it proves is for a person to say.
		b.log.Error("a recording in the spool has no readable permit; run recorderbot check", zap.String("recording", info.ID))
		if info.Sealed {
			return nil
		}
		seal, _ := media.Recovered(info, info.LastAt)
		_, err = b.spool.SealRecovered(ctx, info.ID, seal)
		return err
	case !info.Sealed:
		h.mu.Lock()
		defer h.mu.Unlock()
		h.unsealed[info.Call] = append(h.unsealed[info.Call], info)
		return nil
	}
	var report recorder.SealReport
	died := false
	if known && rec.State == catalogue.StateSealed {
		report = reportOf(rec) // exact
	} else if report, died, err = b.media.Inspect(ctx, info); err != nil {
		return err
	} else if err = b.catalogue.RecordingSealed(ctx, info.Call, report); err != nil {
		return fmt.Errorf("enter the seal of recording %s: %w", info.ID, err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sealed[info.Call] = append(h.sealed[info.Call], report)
	h.died[info.Call] = h.died[info.Call] || died
	return nil
}

// sealForgotten seals what belongs to no call that is to be taken up: one that has
// its outcome, for the disk hung when it got it, or one that the catalogue has lost.
func (b *bot) sealForgotten(ctx context.Context, h *heritage, live map[recorder.CallID]bool) error {
	for call, infos := range h.unsealed {
		if live[call] {
			continue
		}
		reports, err := b.sealDead(ctx, media.Parts(infos), time.Time{})
		if err != nil {
			return err
		}
		h.sealed[call] = append(h.sealed[call], reports...)
	}
	for call, reports := range h.sealed {
		if live[call] {
			continue
		}
		_, err := b.catalogue.OutcomeOf(ctx, call)
		switch {
		case errors.Is(err, catalogue.ErrUnknown): // its rows were lost
			err = b.concludeUnknown(ctx, call, reports)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// callLives is how long the platform keeps a call that says nothing (protocol.md
// §3.3): a recording that a dead process has left was over by then.
const callLives = 45 * time.Minute

// sealDead seals the recordings of one call that nobody goes on with. ended is when
// the platform said that the call was over; zero: it did not.
func (b *bot) sealDead(ctx context.Context, infos []spool.Info, ended time.Time) ([]recorder.SealReport, error) {
	if len(infos) == 0 {
		return nil, nil
	}
	last := infos[len(infos)-1]
	var reports []recorder.SealReport
	for _, e := range media.Endings(infos, overAt(last, ended), false) {
		sealed, err := b.spool.SealRecovered(ctx, e.Recording, e.Seal)
		if err != nil {
			return nil, fmt.Errorf("seal recording %s: %w", e.Recording, err)
		}
		e.Report.At = sealed.At
		if err = b.catalogue.RecordingSealed(ctx, last.Call, e.Report); err != nil {
			return nil, fmt.Errorf("enter the seal of recording %s: %w", e.Recording, err)
		}
		reports = append(reports, e.Report)
	}
	return reports, nil
}

// overAt is when a recording that a process left was over, at the latest.
func overAt(info spool.Info, ended time.Time) time.Time {
	until := time.Now()
	if most := info.LastAt.Add(callLives); most.Before(until) {
		until = most
	}
	if !ended.IsZero() && ended.Before(until) {
		until = ended
	}
	return until
}

// concludeUnknown ends a call of which nobody knows how to reach it any more.
func (b *bot) concludeUnknown(ctx context.Context, id recorder.CallID, reports []recorder.SealReport) error {
	end := recorder.Conclusion{
		Call: id, Outcome: recorder.OutcomeFailed, Cause: recorder.CauseProcessDied, Recordings: reports,
		Detail: "found without an outcome at start, and its invite is not in the catalogue", At: time.Now(),
	}
	err := b.catalogue.Conclude(ctx, end)
	switch {
	case errors.Is(err, recorder.ErrConcluded):
		return nil
	case err != nil:
		return fmt.Errorf("conclude call %s: %w", id, err)
	}
	b.registry.Reserve([]recorder.CallID{id})
	b.registry.Recovered(end)
	b.archiver.notify()
	return nil
}

// takeUp hands each call that has no outcome to the registry, with what its journal
// and the spool say.
func (b *bot) takeUp(ctx context.Context, h *heritage, calls []catalogue.Call) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(readAtOnce)
	for _, c := range calls {
		g.Go(func() error { return b.takeUpOne(ctx, h, c) })
	}
	return g.Wait()
}

func (b *bot) takeUpOne(ctx context.Context, h *heritage, c catalogue.Call) error {
	id := c.Invite.Call.ID
	journal, err := b.catalogue.Journal(ctx, id)
	if err != nil {
		return fmt.Errorf("journal of call %s: %w", id, err)
	}
	facts := factsOf(journal)
	unsealed, sealed := media.Parts(h.unsealed[id]), h.sealed[id]
	if !c.InviteKnown {
		reports, sealErr := b.sealDead(ctx, unsealed, facts.ended)
		if sealErr != nil {
			return sealErr
		}
		b.media.Adopt(media.Left{Call: c.Invite.Call, Session: facts.session})
		if err = b.media.Release(ctx, id, string(recorder.CauseProcessDied)); err != nil {
			b.log.Warn("a media session stays until its host disposes of it", zap.String("call", string(id)), zap.Error(err))
		}
		return b.concludeUnknown(ctx, id, append(sealed, reports...))
	}
	var rows []catalogue.Recording
	if facts.hasOthers(unsealed) { // of a thousand calls few have: each question costs a millisecond
		if rows, err = b.catalogue.Recordings(ctx, catalogue.Filter{Call: id, Limit: 1 << 10}); err != nil {
			return err
		}
	}
	t := recorder.Takeover{Memory: facts.memory, Session: facts.session, Unsealed: len(unsealed) > 0, Sealed: sealed, Died: h.died[id]}
	ending := facts.memory.Ending
	left := media.Left{
		Call: c.Invite.Call, Session: facts.session, Recordings: unsealed, Seen: facts.seen,
		Paused: facts.memory.State == "paused" || (ending != nil && ending.Pause),
	}
	for _, r := range rows {
		if r.State == catalogue.StateArchived || r.State == catalogue.StateFailed {
			t.Sealed = append(t.Sealed, reportOf(r))
		}
	}
	for _, info := range unsealed {
		left.Until = overAt(info, facts.ended)
	}
	if facts.ended.IsZero() {
		left.Until = time.Time{} // it may live
	}
	t.Sealed = h.inOrder(t.Sealed)
	left.Parts = len(t.Sealed)
	for _, r := range t.Sealed {
		left.After, left.AfterAt = r.Recording, r.LastAt
		left.AfterSeq = max(left.AfterSeq, r.LastSeq)
	}
	t.Lost = lost(facts.opened, unsealed, t.Sealed)
	b.media.Adopt(left)
	b.gate.Hold(c.Invite.Call.ID) // whatever the capacity: it is in progress
	b.registry.TakeUp(c.Invite, t)
	return nil
}

// inOrder sorts the recordings of a call as they were begun: each manifest names the
// one before. What is not in the spool any more was archived before the others.
func (h *heritage) inOrder(reports []recorder.SealReport) []recorder.SealReport {
	return slices.SortedStableFunc(slices.Values(reports), func(x, y recorder.SealReport) int {
		return cmp.Or(cmp.Compare(h.serials[x.Recording], h.serials[y.Recording]), x.At.Compare(y.At))
	})
}

// lost names a recording that was opened and that nobody has any more.
func lost(opened []string, unsealed []spool.Info, sealed []recorder.SealReport) string {
	kept := map[string]bool{}
	for _, info := range unsealed {
		kept[info.ID] = true
	}
	for _, r := range sealed {
		kept[r.Recording] = true
	}
	for _, id := range opened {
		if !kept[id] {
			return id
		}
	}
	return ""
}
