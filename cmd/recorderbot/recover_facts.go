package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// journalFacts is what a journal says about how far a call had come.
type journalFacts struct {
	rejected  bool
	announced bool // recording was asked for
	retracted bool // the end, notRecording or failed, was confirmed
	left      bool // the platform took our leaving
	gaps      bool
}

func (b *bot) journalFacts(ctx context.Context, id recorder.CallID) (journalFacts, error) {
	var f journalFacts
	entries, err := b.catalogue.Journal(ctx, id)
	if err != nil {
		return f, fmt.Errorf("journal of call %s: %w", id, err)
	}
	asked := map[string]string{} // client context → status
	for _, e := range entries {
		var d factsData
		if json.Unmarshal(e.Data, &d) != nil {
			continue // of another shape; its kind is not one of those below
		}
		f.take(recorder.EntryKind(e.Kind), d, asked)
	}
	return f, nil
}

// factsData is what the entries below have in common.
type factsData struct {
	Status, ClientContext, Progress, Fault string
	GapSamples                             uint64
}

func (f *journalFacts) take(kind recorder.EntryKind, d factsData, asked map[string]string) {
	switch kind {
	case recorder.EntryReject:
		f.rejected = true
	case recorder.EntryAnnounce:
		asked[d.ClientContext] = d.Status
		// A new announcement undoes what was confirmed before.
		f.retracted = false
		f.announced = f.announced || d.Status == recorder.StatusRecording.String()
	case recorder.EntryAnnounced:
		// A notification names the context alone.
		status := asked[d.ClientContext]
		if status != "" && status != recorder.StatusRecording.String() && d.Progress == recorder.Completed.String() {
			f.retracted = true
		}
	case recorder.EntryHangUp:
		f.left = f.left || d.Fault == ""
	case recorder.EntrySealed:
		f.gaps = f.gaps || d.GapSamples > 0
	case recorder.EntryInvite, recorder.EntrySession, recorder.EntryAnswer, recorder.EntryEstablished, recorder.EntryPermit,
		recorder.EntryOpened, recorder.EntryKeepAlive, recorder.EntryRoster, recorder.EntryNotification, recorder.EntryMedia,
		recorder.EntryFault, recorder.EntryState, recorder.EntryOutcome:
	}
}
