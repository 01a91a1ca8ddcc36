package main

import (
	"context"
	"time"

	"github.com/recorderbot/recorderbot/internal/catalogue"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// A recollection is what the catalogue knows of what an earlier process has left.
type recollection struct {
	entered map[string]catalogue.Recording // by ID: those that are open or sealed
	calls   []catalogue.Call               // without an outcome, oldest first
	facts   map[recorder.CallID]journalFacts
	ended   []recorder.CallID // lately
	err     error             // set: the rest is not whole
}

// recollect reads it. It is done while the spool is opened: this one computes, that one
// waits for the disk. Nobody writes to the catalogue before recovery has both.
func (b *bot) recollect(ctx context.Context) (past recollection) {
	past.entered = map[string]catalogue.Recording{}
	for _, state := range []catalogue.State{catalogue.StateOpen, catalogue.StateSealed} {
		all, err := b.catalogue.Recordings(ctx, catalogue.Filter{State: state, Limit: 1 << 30})
		if err != nil {
			return recollection{err: err}
		}
		for _, r := range all {
			past.entered[r.ID] = r
		}
	}
	if past.calls, past.err = b.catalogue.Unfinished(ctx); past.err != nil {
		return past
	}
	if past.facts, past.err = b.readFacts(ctx, past.calls); past.err != nil {
		return past
	}
	past.ended, past.err = b.catalogue.EndedSince(ctx, time.Now().Add(-recorder.RememberEnded))
	return past
}

// readFacts reads the journals of calls.
func (b *bot) readFacts(ctx context.Context, calls []catalogue.Call) (map[recorder.CallID]journalFacts, error) {
	ids := make([]recorder.CallID, len(calls))
	for i, c := range calls {
		ids[i] = c.Invite.Call.ID
	}
	journals, err := b.catalogue.Journals(ctx, ids, factsBrief())
	if err != nil {
		return nil, err
	}
	facts := make(map[recorder.CallID]journalFacts, len(calls))
	for id, journal := range journals {
		f := factsOf(journal)
		if f.mute { // an older version wrote it
			if journal, err = b.catalogue.Journal(ctx, id); err != nil {
				return nil, err
			}
			f = factsOf(journal)
		}
		facts[id] = f
	}
	return facts, nil
}
