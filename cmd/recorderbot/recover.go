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

// The bounds of recovery.
const (
	sealAtOnce = 64 // seals of many recordings share commits
	// goOnReady is how long the calls wait for keys, tokens and media hosts. They need
	// them, too; and a thousand that ask at once would put them off for everybody.
	goOnReady = 500 * time.Millisecond
)

// A heritage is what a dead process has left: by call, its recordings in the spool
// that have no seal, and what is known of those that have one.
type heritage struct {
	mu       sync.Mutex // guards the maps while they are made
	unsealed map[recorder.CallID][]spool.Info
	sealed   map[recorder.CallID][]recorder.SealReport
	serials  map[string]uint64              // of the recordings in the spool: their order
	died     map[recorder.CallID]bool       // a process sealed what another had left, and died before it said so
	entered  map[string]catalogue.Recording // by ID: what the catalogue has as open or sealed
}

// recover takes stock of what a dead process has left, and takes up its calls: each
// goes on where it stood, under a permit of its own, or is brought to its end (see
// recorder.Takeover). Crash in here: the next start does the same again; each step
// is idempotent.
func (b *bot) recover(ctx context.Context) error {
	began := time.Now()
	var past recollection
	select {
	case past = <-b.recollected:
	case <-ctx.Done():
		return ctx.Err()
	}
	if past.err != nil {
		return past.err
	}
	calls := past.calls
	h, err := b.takeStock(ctx, past.entered)
	if err != nil {
		return err
	}
	b.missLost(h)
	live := make(map[recorder.CallID]bool, len(calls))
	for _, c := range calls {
		live[c.Invite.Call.ID] = true
	}
	if err = b.sealForgotten(ctx, h, live); err != nil {
		return err
	}
	b.registry.Reserve(past.ended)
	if err = b.takeUp(ctx, h, calls, past.facts); err != nil {
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
func (b *bot) missLost(h *heritage) {
	missing := 0
	for id, r := range h.entered {
		if _, kept := h.serials[id]; kept || b.archiver.assembler.There(id) {
			continue
		}
		missing++
		b.log.Error("a recording is neither in the spool nor in the archive: is spool.dir the right one, and mounted?",
			zap.String("recording", id), zap.String("call", string(r.Call)))
	}
	b.missing.Set(float64(missing))
}

// takeStock looks at what the spool holds. What is archived already is let go of;
// what is sealed the catalogue is made to know.
func (b *bot) takeStock(ctx context.Context, entered map[string]catalogue.Recording) (*heritage, error) {
	h := &heritage{
		unsealed: map[recorder.CallID][]spool.Info{}, sealed: map[recorder.CallID][]recorder.SealReport{},
		serials: map[string]uint64{}, died: map[recorder.CallID]bool{}, entered: entered,
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
	rec, known := h.entered[info.ID]
	var err error
	if !known { // archived, given up, or lost: few are
		rec, err = b.catalogue.Recording(ctx, info.ID)
		known = err == nil
	}
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
// and the spool say. They do not go on yet, see goOn.
func (b *bot) takeUp(ctx context.Context, h *heritage, calls []catalogue.Call, facts map[recorder.CallID]journalFacts) error {
	var several []recorder.CallID
	for _, c := range calls {
		if id := c.Invite.Call.ID; c.InviteKnown && facts[id].hasOthers(h.unsealed[id]) {
			several = append(several, id)
		}
	}
	rows, err := b.catalogue.RecordingsOf(ctx, several)
	if err != nil {
		return err
	}
	b.registry.Hold()
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(sealAtOnce)
	for _, c := range calls {
		id := c.Invite.Call.ID
		if c.InviteKnown {
			b.takeUpOne(h, c, facts[id], rows[id])
			continue
		}
		g.Go(func() error { return b.giveUp(ctx, h, c, facts[id]) })
	}
	return g.Wait()
}

// goOn lets the calls that were taken up go on.
func (b *bot) goOn(ctx context.Context) {
	if b.registry.Live() > 0 {
		if err := b.awaitReady(ctx, goOnReady, "signing keys", "tokens", "media hosts"); err != nil {
			b.log.Warn("the calls of a dead process go on although not all is ready", zap.Error(err))
		}
	}
	b.registry.GoOn()
}

// giveUp ends a call whose invite is lost.
func (b *bot) giveUp(ctx context.Context, h *heritage, c catalogue.Call, facts journalFacts) error {
	id := c.Invite.Call.ID
	reports, err := b.sealDead(ctx, media.Parts(h.unsealed[id]), facts.ended)
	if err != nil {
		return err
	}
	b.media.Adopt(media.Left{Call: c.Invite.Call, Session: facts.session})
	if err = b.media.Release(ctx, id, string(recorder.CauseProcessDied)); err != nil {
		b.log.Warn("a media session stays until its host disposes of it", zap.String("call", string(id)), zap.Error(err))
	}
	return b.concludeUnknown(ctx, id, append(h.sealed[id], reports...))
}

func (b *bot) takeUpOne(h *heritage, c catalogue.Call, facts journalFacts, rows []catalogue.Recording) {
	id := c.Invite.Call.ID
	unsealed, sealed := media.Parts(h.unsealed[id]), h.sealed[id]
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
