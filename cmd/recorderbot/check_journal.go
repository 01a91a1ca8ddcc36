package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/recorderbot/recorderbot/internal/catalogue"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// The findings of a journal.
var (
	errSaidUnasked   = errors.New("law 5: an announcement's outcome without its intention")
	errPermitUnbased = errors.New("law 1: a permit without a completed recording announcement")
	errEndUnsealed   = errors.New("law 2: notRecording was announced before the seal")
	errReopened      = errors.New("law 1: a recording was opened without a permit")
	errManyOutcomes  = errors.New("law 4: more than one outcome")
)

// unnamed is a recording whose entry does not name it: nobody knows its seal.
const unnamed = "?"

// checkJournal proves the order from one call's journal. A seal may be missing
// there: the recorder goes on where only the journal could not be written. So
// sealedAt is asked for what the archive or the spool has of a recording's seal,
// zero for none, before its absence is called a violation.
func checkJournal(journal []catalogue.JournalEntry, sealedAt func(recording string) time.Time) (faults []error) {
	intended, completed := map[string]string{}, map[string]bool{}
	permitted, open, outcomes := false, "", 0
	for _, e := range journal {
		var d struct {
			Status, ClientContext, Progress, Recording string
			Previous                                   struct{ Recording string }
		}
		if err := json.Unmarshal(e.Data, &d); err != nil {
			d.Status = "" // entries of other shapes
		}
		switch recorder.EntryKind(e.Kind) {
		case recorder.EntryAnnounce:
			intended[d.ClientContext] = d.Status
			if d.Status == recorder.StatusNotRecording.String() && open != "" {
				if at := sealedAt(open); at.IsZero() || at.After(e.At) {
					faults = append(faults, fmt.Errorf("%w (entry %d)", errEndUnsealed, e.Seq))
				}
			}
		case recorder.EntryAnnounced:
			if _, ok := intended[d.ClientContext]; !ok && d.Status != "" {
				faults = append(faults, fmt.Errorf("%w (entry %d)", errSaidUnasked, e.Seq))
			}
			if d.Progress == recorder.Completed.String() {
				completed[d.ClientContext] = true
			}
		case recorder.EntryPermit:
			if !completed[d.ClientContext] || intended[d.ClientContext] != recorder.StatusRecording.String() {
				faults = append(faults, fmt.Errorf("%w (entry %d)", errPermitUnbased, e.Seq))
			}
			permitted = true
		case recorder.EntryOpened:
			// A long recording goes on in another one under the same permit.
			if goesOn := open != "" && d.Previous.Recording == open; !permitted && !goesOn {
				faults = append(faults, fmt.Errorf("%w (entry %d)", errReopened, e.Seq))
			}
			permitted, open = false, cmp.Or(d.Recording, unnamed)
		case recorder.EntrySealed:
			open = ""
		case recorder.EntryOutcome:
			if outcomes++; outcomes > 1 {
				faults = append(faults, fmt.Errorf("%w (entry %d)", errManyOutcomes, e.Seq))
			}
		case recorder.EntryInvite, recorder.EntrySession, recorder.EntryAnswer, recorder.EntryReject, recorder.EntryEstablished,
			recorder.EntryKeepAlive, recorder.EntryHangUp, recorder.EntryRoster, recorder.EntryNotification, recorder.EntryMedia,
			recorder.EntryFault, recorder.EntryState, recorder.EntryOperator:
			// The order does not rest on these.
		}
	}
	return faults
}
