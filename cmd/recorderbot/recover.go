package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/recorderbot/recorderbot/internal/catalogue"
	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// recoverAtOnce bounds how many calls are brought to their end at a time.
const recoverAtOnce = 16

// recover brings to an end what a dead process has left: recordings are sealed
// with what is durable, the platform is told that recording failed, the call
// is left, and each call gets its outcome. A permit never survives its
// process, so nothing more can be stored for them. Crash in here: the next
// start does the same again; each step is idempotent.
func (b *bot) recover(ctx context.Context) error {
	reports, err := b.sealRecovered(ctx)
	if err != nil {
		return err
	}
	calls, err := b.catalogue.Unfinished(ctx)
	if err != nil {
		return err
	}
	known := make(map[recorder.CallID]bool, len(calls))
	for _, c := range calls {
		known[c.Invite.Call.ID] = true
	}
	for id := range reports {
		if _, err := b.catalogue.Call(ctx, id); errors.Is(err, catalogue.ErrUnknown) && !known[id] {
			// The spool knows a call that the catalogue does not: its rows were lost.
			calls = append(calls, catalogue.Call{Invite: recorder.Invite{Call: recorder.CallRef{ID: id}}})
		}
	}
	var g errgroup.Group
	g.SetLimit(recoverAtOnce)
	for _, c := range calls {
		g.Go(func() error { return b.endCall(ctx, c, reports[c.Invite.Call.ID]) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if len(calls) > 0 {
		b.log.Warn("calls of a dead process were brought to an end", zap.Int("calls", len(calls)))
	}
	b.archiver.notify()
	return nil
}

// sealRecovered seals what the spool holds unsealed, and makes the catalogue
// know each seal.
func (b *bot) sealRecovered(ctx context.Context) (map[recorder.CallID][]recorder.SealReport, error) {
	reports := map[recorder.CallID][]recorder.SealReport{}
	for _, info := range b.spool.Recovered() {
		report := recorder.SealReport{
			Recording: info.ID, Frames: info.Frames, LastSeq: info.LastSeq, FirstAt: info.FirstAt, LastAt: info.LastAt, At: info.LastAt,
		}
		if !info.Sealed {
			sealed, err := b.spool.SealRecovered(ctx, info.ID, spool.Seal{LastSeq: info.LastSeq, Cause: string(recorder.CauseProcessDied)})
			if err != nil {
				return nil, fmt.Errorf("seal recording %s: %w", info.ID, err)
			}
			report.At = sealed.At
		}
		if err := b.catalogue.RecordingSealed(ctx, info.Call, report); err != nil {
			return nil, fmt.Errorf("enter the seal of recording %s: %w", info.ID, err)
		}
		reports[info.Call] = append(reports[info.Call], report)
	}
	return reports, nil
}

// endCall ends one call that has no outcome.
func (b *bot) endCall(ctx context.Context, c catalogue.Call, reports []recorder.SealReport) error {
	id := c.Invite.Call.ID
	facts, err := b.journalFacts(ctx, id)
	if err != nil {
		return err
	}
	end := recorder.Conclusion{
		Call: id, Outcome: recorder.OutcomeFailed, Cause: recorder.CauseProcessDied, Recordings: reports,
		Detail: "found without an outcome at start", At: time.Now(),
	}
	switch {
	case facts.retracted && len(reports) > 0:
		// All was done but the outcome's entry.
		end.Outcome = recorder.OutcomeRecorded
		if facts.gaps {
			end.Outcome = recorder.OutcomeRecordedWithGaps
		}
	case !facts.announced && len(reports) == 0:
		end.Outcome = recorder.OutcomeNotRecorded
	}
	if facts.answered && !facts.retracted && c.InviteKnown {
		b.tellFailed(ctx, c.Invite.Call, facts.announced)
	}
	if err := b.catalogue.Conclude(ctx, end); err != nil && !errors.Is(err, recorder.ErrConcluded) {
		return fmt.Errorf("conclude call %s: %w", id, err)
	}
	return nil
}

// journalFacts is what a journal says about how far a call had come.
type journalFacts struct {
	answered  bool
	announced bool // recording was asked for
	retracted bool // notRecording was confirmed
	gaps      bool
}

func (b *bot) journalFacts(ctx context.Context, id recorder.CallID) (journalFacts, error) {
	var f journalFacts
	entries, err := b.catalogue.Journal(ctx, id)
	if err != nil {
		return f, fmt.Errorf("journal of call %s: %w", id, err)
	}
	for _, e := range entries {
		var d struct {
			Status     string
			Progress   string
			GapSamples uint64
		}
		if json.Unmarshal(e.Data, &d) != nil {
			continue // of another shape; the kind is enough
		}
		switch recorder.EntryKind(e.Kind) {
		case recorder.EntrySession, recorder.EntryAnswer:
			f.answered = true // perhaps: the session was there to answer with
		case recorder.EntryAnnounce:
			f.announced = f.announced || d.Status == recorder.StatusRecording.String()
		case recorder.EntryAnnounced:
			f.retracted = f.retracted || d.Status == recorder.StatusNotRecording.String() && d.Progress == recorder.Completed.String()
		case recorder.EntrySealed:
			f.gaps = f.gaps || d.GapSamples > 0
		case recorder.EntryInvite, recorder.EntryReject, recorder.EntryEstablished, recorder.EntryPermit, recorder.EntryOpened,
			recorder.EntryKeepAlive, recorder.EntryHangUp, recorder.EntryRoster, recorder.EntryNotification, recorder.EntryMedia,
			recorder.EntryFault, recorder.EntryState, recorder.EntryOutcome:
			// How far the call had come does not rest on these.
		}
	}
	return f, nil
}

// tellFailed tells the platform that the recording failed, and leaves the
// call. The recording is sealed by now. The platform may have dropped the call
// long ago, or be away itself: both are ordinary, and both are journaled.
func (b *bot) tellFailed(ctx context.Context, call recorder.CallRef, announced bool) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if announced {
		clientContext := fmt.Sprintf("%s/recovered-%d/failed", call.ID, time.Now().UnixMilli())
		b.keep(ctx, call.ID, recorder.EntryAnnounce, map[string]any{"status": "failed", "clientContext": clientContext})
		op, err := b.graph.Announce(ctx, call, recorder.StatusFailed, clientContext)
		said := map[string]any{"status": "failed", "clientContext": clientContext, "operation": op.ID, "progress": op.Progress.String(), "receipt": op.Receipt}
		if err != nil {
			said["fault"] = err.Error()
		}
		b.keep(ctx, call.ID, recorder.EntryAnnounced, said)
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
