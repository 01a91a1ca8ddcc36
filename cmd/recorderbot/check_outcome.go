package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/recorderbot/recorderbot/internal/catalogue"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// The findings of a call's outcome.
var (
	errCallGone       = errors.New("law 4: the call is not in the catalogue, and its journal or its outcome is")
	errOutcomeGone    = errors.New("law 4: the call has ended in its journal, and has no outcome")
	errOutcomeUnsaid  = errors.New("law 4: an outcome that the call's journal does not have")
	errOutcomeDiffers = errors.New("law 4: the outcome is not the journal's")
	errFailedRecorded = errors.New("law 3: failed was announced after the permit, and the outcome says nothing of it")
)

// lookUp reads a call's journal and its outcome, nil for none. Beside a live
// service the call may end between the two: an outcome that is in the journal is
// looked for again. Both are entered in one transaction.
func lookUp(ctx context.Context, cat *catalogue.Catalogue, id recorder.CallID) ([]catalogue.JournalEntry, *catalogue.Outcome, error) {
	end, err := outcomeOf(ctx, cat, id)
	if err != nil {
		return nil, nil, err
	}
	journal, err := cat.Journal(ctx, id)
	if err == nil && end == nil && slices.ContainsFunc(journal, isOutcome) {
		end, err = outcomeOf(ctx, cat, id)
	}
	return journal, end, err
}

func outcomeOf(ctx context.Context, cat *catalogue.Catalogue, id recorder.CallID) (*catalogue.Outcome, error) {
	o, err := cat.OutcomeOf(ctx, id)
	if errors.Is(err, catalogue.ErrUnknown) {
		return nil, nil //nolint:nilnil // it has none yet
	}
	return &o, err
}

func isOutcome(e catalogue.JournalEntry) bool { return e.Kind == string(recorder.EntryOutcome) }

// checkOutcome holds a call's outcome, nil for none, to its journal. More than one
// entry is checkJournal's.
func checkOutcome(journal []catalogue.JournalEntry, end *catalogue.Outcome) (faults []error) {
	switch at := slices.IndexFunc(journal, isOutcome); {
	case at < 0 && end != nil:
		faults = append(faults, fmt.Errorf("%w: %s", errOutcomeUnsaid, end.Outcome))
	case at >= 0 && end == nil:
		faults = append(faults, fmt.Errorf("%w (entry %d)", errOutcomeGone, journal[at].Seq))
	case at >= 0:
		var said struct {
			Outcome, Detail string
			Cause           recorder.Cause
		}
		err := json.Unmarshal(journal[at].Data, &said)
		if err != nil || said.Outcome != end.Outcome || said.Cause != end.Cause || said.Detail != end.Detail {
			faults = append(faults, fmt.Errorf("%w (entry %d): %s (%s %q), not %s (%s %q)", errOutcomeDiffers, journal[at].Seq,
				end.Outcome, end.Cause, end.Detail, said.Outcome, said.Cause, said.Detail))
		}
	}
	if seq := failedAt(journal); seq > 0 && end != nil && goodEnd(end.Outcome) {
		faults = append(faults, fmt.Errorf("%w: %s (entry %d)", errFailedRecorded, end.Outcome, seq))
	}
	return faults
}

// goodEnd reports whether an outcome claims that all was recorded, or all but the
// gaps that are told.
func goodEnd(outcome string) bool {
	return outcome == recorder.OutcomeRecorded.String() || outcome == recorder.OutcomeRecordedWithGaps.String()
}

// failedAt returns the number of the first entry that announces failed after a
// permit, 0 for none.
func failedAt(journal []catalogue.JournalEntry) int64 {
	permitted := false
	for _, e := range journal {
		var d struct{ Status string }
		switch {
		case e.Kind == string(recorder.EntryPermit):
			permitted = true
		case !permitted || e.Kind != string(recorder.EntryAnnounce):
		case json.Unmarshal(e.Data, &d) == nil && d.Status == recorder.StatusFailed.String():
			return e.Seq
		}
	}
	return 0
}
