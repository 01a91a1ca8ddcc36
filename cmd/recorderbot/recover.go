package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
	tellAtOnce = 64
	// tellLimit is long: after a reboot the network may take its time, and a leg or
	// a banner that stays behind is worse than a late outcome.
	tellLimit = 2 * time.Minute
	tellFirst = 200 * time.Millisecond // between tries; doubles up to
	tellMost  = 5 * time.Second
)

// A leftover is a call that a dead process has left without an outcome.
type leftover struct {
	call    catalogue.Call
	reports []recorder.SealReport
	cut     bool // a recording had no seal: the process died while it recorded
}

// recover takes stock of what a dead process has left. When it returns, every
// recording is sealed with what is durable: a permit never survives its
// process, so nothing more can be stored for them. The calls themselves are
// ended by endAll, behind the open doors: new calls don't wait for old ones.
// Crash in here: the next start does the same again; each step is idempotent.
func (b *bot) recover(ctx context.Context) ([]leftover, error) {
	reports, cut, err := b.sealLeftovers(ctx)
	if err != nil {
		return nil, err
	}
	if err = b.missLost(ctx); err != nil {
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
		_, err = b.catalogue.Call(ctx, id)
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
		left = append(left, leftover{c, reports[id], cut[id]})
		ids = append(ids, id)
	}
	ended, err := b.catalogue.EndedSince(ctx, time.Now().Add(-recorder.RememberEnded))
	if err != nil {
		return nil, err
	}
	b.registry.Reserve(append(ids, ended...))
	return left, nil
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

// sealLeftovers seals what the spool holds unsealed, makes the catalogue know
// each seal, and lets go of what is archived already. cut are the calls whose
// recording had no seal.
func (b *bot) sealLeftovers(ctx context.Context) (reports map[recorder.CallID][]recorder.SealReport, cut map[recorder.CallID]bool, err error) {
	var mu sync.Mutex // guards what is returned
	reports, cut = map[recorder.CallID][]recorder.SealReport{}, map[recorder.CallID]bool{}
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
			cut[info.Call] = cut[info.Call] || !info.Sealed
			return nil
		})
	}
	return reports, cut, g.Wait()
}

// callLives is how long the platform keeps a call that says nothing (protocol.md
// §3.3): a recording that a dead process has left was over by then.
const callLives = 45 * time.Minute

// lostUntil is when a recording that the process left was over: when the platform
// said that the call was, or else now, for all we know.
func (b *bot) lostUntil(ctx context.Context, info spool.Info) time.Time {
	until := time.Now()
	if most := info.LastAt.Add(callLives); most.Before(until) {
		until = most
	}
	journal, err := b.catalogue.Journal(ctx, info.Call)
	if err != nil {
		return until // the longer loss is the honest one
	}
	for _, e := range journal {
		var d notificationData
		if e.Kind == string(recorder.EntryNotification) && json.Unmarshal(e.Data, &d) == nil && d.Change == "deleted" && e.At.Before(until) {
			until = e.At
		}
	}
	return until
}

func (b *bot) sealLeftover(ctx context.Context, info spool.Info) (recorder.SealReport, error) {
	until := info.LastAt
	if !info.Sealed {
		until = b.lostUntil(ctx, info)
	}
	seal, report := media.Recovered(info, until)
	if !info.Sealed {
		sealed, err := b.spool.SealRecovered(ctx, info.ID, seal)
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

// endCall ends one call that has no outcome. A panic ends this one only; the next
// start tries again.
func (b *bot) endCall(ctx context.Context, l leftover) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("ending call %s: panic: %v", l.call.Invite.Call.ID, r)
		}
	}()
	id := l.call.Invite.Call.ID
	facts, err := b.journalFacts(ctx, id)
	if err != nil {
		return err
	}
	if l.call.InviteKnown && facts.rejected == "" {
		b.tellEnd(ctx, l.call.Invite.Call, facts)
	}
	end := concludeLeftover(l, facts)
	if err := b.catalogue.Conclude(ctx, end); err != nil {
		if errors.Is(err, recorder.ErrConcluded) {
			return nil
		}
		return fmt.Errorf("conclude call %s: %w", id, err)
	}
	b.registry.Recovered(end)
	return nil
}

// concludeLeftover says how a call ended that a dead process has left. Only one of
// which all was done, in good order, but the entry of its outcome may count as
// recorded.
func concludeLeftover(l leftover, f journalFacts) recorder.Conclusion {
	end := recorder.Conclusion{
		Call: l.call.Invite.Call.ID, Outcome: recorder.OutcomeFailed, Cause: recorder.CauseProcessDied, Recordings: l.reports,
		Detail: "found without an outcome at start", At: time.Now(),
	}
	frames := uint64(0)
	for _, r := range l.reports {
		frames += r.Frames
		f.gaps = f.gaps || r.GapSamples > 0
	}
	switch {
	case l.cut || f.failed:
	case f.rejected != "" && len(l.reports) == 0:
		end.Outcome, end.Detail = recorder.OutcomeRejected, "rejected as "+f.rejected+"; "+end.Detail
	case f.endedWell() && frames > 0 && f.gaps:
		end.Outcome = recorder.OutcomeRecordedWithGaps
	case f.endedWell() && frames > 0:
		end.Outcome = recorder.OutcomeRecorded
	case f.endedWell() && len(l.reports) > 0, !f.announced && len(l.reports) == 0:
		end.Outcome = recorder.OutcomeNotRecorded
	}
	return end
}

// tellEnd tells the platform that the recording failed, where it may still
// believe otherwise, and leaves the call. The recording is sealed by now. The
// platform may have dropped the call long ago, which is ordinary, or be away
// itself: then it is tried for a while. All of it is journaled.
func (b *bot) tellEnd(ctx context.Context, call recorder.CallRef, f journalFacts) {
	ctx, cancel := context.WithTimeout(ctx, tellLimit)
	defer cancel()
	if f.announced && !f.retracted {
		insist(ctx, func() error { return b.tellFailed(ctx, call) })
	}
	if f.left {
		return
	}
	insist(ctx, func() error {
		receipt, err := b.graph.HangUp(ctx, call)
		said := map[string]any{"receipt": receipt}
		if err != nil {
			said["fault"] = err.Error()
		}
		b.keep(ctx, call.ID, recorder.EntryHangUp, said)
		return err
	})
}

// tellFailed announces failed once, under a fresh context.
func (b *bot) tellFailed(ctx context.Context, call recorder.CallRef) error {
	clientContext := fmt.Sprintf("%s/recovered-%d/failed", call.ID, time.Now().UnixMilli())
	b.keep(ctx, call.ID, recorder.EntryAnnounce, map[string]any{"status": "failed", "clientContext": clientContext})
	op, err := b.graph.Announce(ctx, call, recorder.StatusFailed, clientContext)
	said := map[string]any{"status": "failed", "clientContext": clientContext, "operation": op.ID, "progress": op.Progress.String(), "receipt": op.Receipt}
	if f, ok := errors.AsType[*recorder.Fault](err); ok {
		said["fault"], said["receipt"] = f.Error(), f.Receipt
	}
	b.keep(ctx, call.ID, recorder.EntryAnnounced, said)
	return err
}

// insist does something until it is done, or refused, or ctx ends.
func insist(ctx context.Context, do func() error) {
	for pause := tellFirst; ; pause = min(2*pause, tellMost) {
		f, ok := errors.AsType[*recorder.Fault](do())
		if !ok || f.Kind == recorder.FaultGone || f.Kind == recorder.FaultRefused {
			return
		}
		next := time.NewTimer(max(pause, f.RetryAfter))
		select {
		case <-next.C:
		case <-ctx.Done():
			next.Stop()
			return
		}
	}
}

func (b *bot) keep(ctx context.Context, id recorder.CallID, kind recorder.EntryKind, data any) {
	if err := b.catalogue.Append(ctx, recorder.Entry{Call: id, At: time.Now(), Kind: kind, Data: data}); err != nil {
		b.log.Error("journal", zap.String("call", string(id)), zap.Error(err))
	}
}
