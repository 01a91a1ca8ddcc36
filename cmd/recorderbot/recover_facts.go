package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// journalFacts is what a journal says about how far a call had come.
type journalFacts struct {
	rejected  string // the reason that the platform was given; empty: not rejected
	announced bool   // recording was asked for
	failed    bool   // failed was announced at some time: no end in good order comes after that
	retracted bool   // what was announced last, notRecording or failed, reached the platform
	left      bool   // the platform took our leaving
	gaps      bool
}

// endedWell reports that all was done but the entry of the outcome.
func (f journalFacts) endedWell() bool { return f.retracted && !f.failed }

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
	Status, ClientContext, Progress, Fault, Reason string
	GapSamples                                     uint64
	Receipt                                        recorder.Receipt
}

func (f *journalFacts) take(kind recorder.EntryKind, d factsData, asked map[string]string) {
	switch kind {
	case recorder.EntryReject:
		f.rejected = d.Reason
	case recorder.EntryAnnounce:
		asked[d.ClientContext] = d.Status
		// A new announcement undoes what was confirmed before.
		f.retracted = false
		f.announced = f.announced || d.Status == recorder.StatusRecording.String()
		f.failed = f.failed || d.Status == recorder.StatusFailed.String()
	case recorder.EntryAnnounced:
		// A notification names the context alone.
		status := asked[d.ClientContext]
		if status != "" && status != recorder.StatusRecording.String() {
			// Completed, or said into a call that was over: the ordinary end.
			f.retracted = f.retracted || d.Progress == recorder.Completed.String() || d.Receipt.HTTPStatus == http.StatusNotFound
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
