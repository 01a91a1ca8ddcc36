package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/recorderbot/recorderbot/internal/catalogue"
	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// The bounds of recovery. Seals of many recordings share commits.
const (
	sealAtOnce = 64
	tellAtOnce = 16
	tellLimit  = 10 * time.Second
)

// A leftover is a call that a dead process has left without an outcome.
type leftover struct {
	call    catalogue.Call
	reports []recorder.SealReport
	facts   journalFacts
}

// recover takes stock of what a dead process has left. When it returns, every
// recording is sealed with what is durable: a permit never survives its
// process, so nothing more can be stored for them. The calls themselves are
// ended by endAll, behind the open doors: new calls don't wait for old ones.
// Crash in here: the next start does the same again; each step is idempotent.
func (b *bot) recover(ctx context.Context) ([]leftover, error) {
	reports, err := b.sealLeftovers(ctx)
	if err != nil {
		return nil, err
	}
	calls, err := b.catalogue.Unfinished(ctx)
	if err != nil {
		return nil, err
	}
	known := make(map[recorder.CallID]bool, len(calls))
	for _, c := range calls {
		known[c.Invite.Call.ID] = true
	}
	for id := range reports {
		_, err := b.catalogue.Call(ctx, id)
		switch {
		case errors.Is(err, catalogue.ErrUnknown) && !known[id]:
			// The spool knows a call that the catalogue does not: its rows were lost.
			calls = append(calls, catalogue.Call{Invite: recorder.Invite{Call: recorder.CallRef{ID: id}}})
		case err != nil && !errors.Is(err, catalogue.ErrUnknown):
			return nil, err
		}
	}
	left := make([]leftover, 0, len(calls))
	ids := make([]recorder.CallID, 0, len(calls))
	for _, c := range calls {
		id := c.Invite.Call.ID
		facts, err := b.journalFacts(ctx, id)
		if err != nil {
			return nil, err
		}
		left = append(left, leftover{c, reports[id], facts})
		ids = append(ids, id)
	}
	b.registry.Reserve(ids)
	return left, nil
}

// sealLeftovers seals what the spool holds unsealed, makes the catalogue know
// each seal, and lets go of what is archived already.
func (b *bot) sealLeftovers(ctx context.Context) (map[recorder.CallID][]recorder.SealReport, error) {
	var mu sync.Mutex // guards reports
	reports := map[recorder.CallID][]recorder.SealReport{}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(sealAtOnce)
	for _, info := range b.spool.Recovered() {
		g.Go(func() error {
			if rec, err := b.catalogue.Recording(ctx, info.ID); err == nil && rec.State == catalogue.StateArchived {
				// The process died between archiving and letting go.
				return released(b.spool.Release(info.ID))
			}
			report, err := b.sealLeftover(ctx, info)
			if err != nil || report.Recording == "" {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			reports[info.Call] = append(reports[info.Call], report)
			return nil
		})
	}
	return reports, g.Wait()
}

func (b *bot) sealLeftover(ctx context.Context, info spool.Info) (recorder.SealReport, error) {
	report := recorder.SealReport{
		Recording: info.ID, Frames: info.Frames, LastSeq: info.LastSeq, FirstAt: info.FirstAt, LastAt: info.LastAt, At: info.LastAt,
	}
	if !info.Sealed {
		sealed, err := b.spool.SealRecovered(ctx, info.ID, spool.Seal{LastSeq: info.LastSeq, Cause: string(recorder.CauseProcessDied)})
		if err != nil {
			return recorder.SealReport{}, fmt.Errorf("seal recording %s: %w", info.ID, err)
		}
		report.At = sealed.At
	}
	if info.Call == "" {
		// Its permit record is damaged: what it proves is for a person to say.
		b.log.Error("a recording in the spool has no readable permit; run recorderbot check", zap.String("recording", info.ID))
		return recorder.SealReport{}, nil
	}
	if err := b.catalogue.RecordingSealed(ctx, info.Call, report); err != nil {
		return recorder.SealReport{}, fmt.Errorf("enter the seal of recording %s: %w", info.ID, err)
	}
	return report, nil
}

// endAll brings the calls to their end: the platform is told that recording
// failed, the call is left, and each call gets its outcome. What ctx cuts off
// is found again by the next start.
func (b *bot) endAll(ctx context.Context, left []leftover) {
	var g errgroup.Group
	g.SetLimit(tellAtOnce)
	for _, l := range left {
		g.Go(func() error {
			if err := b.endCall(ctx, l); err != nil && ctx.Err() == nil {
				b.log.Error("a call of a dead process has no outcome yet", zap.Error(err))
			}
			b.archiver.notify()
			return nil
		})
	}
	_ = g.Wait()
	if len(left) > 0 {
		b.log.Warn("calls of a dead process were brought to an end", zap.Int("calls", len(left)))
	}
}

// endCall ends one call that has no outcome.
func (b *bot) endCall(ctx context.Context, l leftover) error {
	id := l.call.Invite.Call.ID
	end := recorder.Conclusion{
		Call: id, Outcome: recorder.OutcomeFailed, Cause: recorder.CauseProcessDied, Recordings: l.reports,
		Detail: "found without an outcome at start", At: time.Now(),
	}
	switch {
	case l.facts.retracted && len(l.reports) > 0:
		// All was done but the outcome's entry.
		end.Outcome = recorder.OutcomeRecorded
		if l.facts.gaps {
			end.Outcome = recorder.OutcomeRecordedWithGaps
		}
	case !l.facts.announced && len(l.reports) == 0:
		end.Outcome = recorder.OutcomeNotRecorded
	}
	if l.call.InviteKnown && !l.facts.rejected {
		b.tellEnd(ctx, l.call.Invite.Call, l.facts)
	}
	if err := b.catalogue.Conclude(ctx, end); err != nil && !errors.Is(err, recorder.ErrConcluded) {
		return fmt.Errorf("conclude call %s: %w", id, err)
	}
	return nil
}

// tellEnd tells the platform that the recording failed, where it may still
// believe otherwise, and leaves the call. The recording is sealed by now. The
// platform may have dropped the call long ago, or be away itself: both are
// ordinary, and both are journaled.
func (b *bot) tellEnd(ctx context.Context, call recorder.CallRef, f journalFacts) {
	ctx, cancel := context.WithTimeout(ctx, tellLimit)
	defer cancel()
	if f.announced && !f.retracted {
		clientContext := fmt.Sprintf("%s/recovered-%d/failed", call.ID, time.Now().UnixMilli())
		b.keep(ctx, call.ID, recorder.EntryAnnounce, map[string]any{"status": "failed", "clientContext": clientContext})
		op, err := b.graph.Announce(ctx, call, recorder.StatusFailed, clientContext)
		said := map[string]any{"status": "failed", "clientContext": clientContext, "operation": op.ID, "progress": op.Progress.String(), "receipt": op.Receipt}
		if err != nil {
			said["fault"] = err.Error()
		}
		b.keep(ctx, call.ID, recorder.EntryAnnounced, said)
	}
	if f.left {
		return
	}
	receipt, err := b.graph.HangUp(ctx, call)
	said := map[string]any{"receipt": receipt}
	if err != nil {
		said["fault"] = err.Error()
	}
	b.keep(ctx, call.ID, recorder.EntryHangUp, said)
}

func (b *bot) keep(ctx context.Context, id recorder.CallID, kind recorder.EntryKind, data any) {
	if err := b.catalogue.Append(ctx, recorder.Entry{Call: id, At: time.Now(), Kind: kind, Data: data}); err != nil {
		b.log.Error("journal", zap.String("call", string(id)), zap.Error(err))
	}
}
