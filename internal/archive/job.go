package archive

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// Errors of an Assembler that its caller may want to tell apart. All others are
// of the disk or the spool and may pass: the job can be run again.
var (
	// ErrJob: the job contradicts itself or the spool; running it again is
	// pointless.
	ErrJob = errors.New("archive: the job cannot be done as it stands")
	// ErrUnsealed: the recording has no seal yet.
	ErrUnsealed = errors.New("archive: the recording is not sealed")
	// ErrDamaged: a folder with the recording's name is there, but is not sound.
	// It is left as it is; a person must look.
	ErrDamaged = errors.New("archive: the published folder is damaged")
	// ErrReadBack: what was written is not what was read.
	ErrReadBack = errors.New("archive: reading back gives something else than was written")
	// ErrBusy: the same recording is being assembled right now.
	ErrBusy = errors.New("archive: the recording is being assembled already")
)

// A Job says what to archive.
type Job struct {
	Recording string // ID, and the folder's name
	// Read yields the recording's records; it is called several times and must
	// yield the same each time (spool.Log.Read).
	Read       func() iter.Seq2[spool.Record, error]
	Facts      Facts
	Conclusion recorder.Conclusion
	// GoesOn: the call is not over, and has no outcome yet. Another recording of it goes
	// on behind this one.
	GoesOn   bool
	Others   []Other // recordings of the call
	Events   []Event // the call's journal, by Seq
	Previous string  // SHA-256 of the newest published manifest, hex; empty: none
	Software string  // our version
}

// Facts are what the invite said about the call.
type Facts struct {
	Call                recorder.CallID
	InvitedAt           time.Time
	Tenant              string
	CallChain           string
	ThreadID            string
	ObservedParticipant string
	ObservedUser        string
	ApplicationInstance string
	Policy              string
	Direction           string
	Region              string
	Parties             []recorder.Party
	Fields              []recorder.Fact
}

// FactsOf takes the facts from an invite.
func FactsOf(inv recorder.Invite) Facts {
	return Facts{
		Call: inv.Call.ID, InvitedAt: inv.At, Tenant: inv.Call.Tenant, CallChain: inv.CallChain, ThreadID: inv.ThreadID,
		ObservedParticipant: inv.ObservedParticipant, ObservedUser: inv.ObservedUser,
		ApplicationInstance: inv.ApplicationInstance, Policy: inv.Policy, Direction: inv.Direction, Region: inv.Region,
		Parties: inv.Parties, Fields: inv.Facts,
	}
}

// An Event is one line of the call's journal.
type Event struct {
	Seq  int64
	At   time.Time
	Kind string // a recorder.EntryKind
	Data json.RawMessage
}

func (j *Job) check() error {
	switch {
	case !validID(j.Recording):
		return fmt.Errorf("%w: recording %.140q is no name of a folder", ErrJob, j.Recording)
	case j.Read == nil:
		return fmt.Errorf("%w: nothing to read", ErrJob)
	case j.Facts.Call == "":
		return fmt.Errorf("%w: no call", ErrJob)
	case j.Conclusion.Call != j.Facts.Call:
		return fmt.Errorf("%w: the conclusion is of call %q, the facts are of %q", ErrJob, j.Conclusion.Call, j.Facts.Call)
	case j.GoesOn && j.Conclusion.Outcome != 0:
		return fmt.Errorf("%w: outcome %v of a call that goes on", ErrJob, j.Conclusion.Outcome)
	case j.GoesOn:
	case j.Conclusion.Outcome < recorder.OutcomeRecorded || j.Conclusion.Outcome >= recorder.OutcomeRejected:
		return fmt.Errorf("%w: outcome %v cannot have a recording", ErrJob, j.Conclusion.Outcome)
	case j.Previous != "" && !validHash(j.Previous):
		return fmt.Errorf("%w: previous %.80q is no SHA-256", ErrJob, j.Previous)
	}
	return nil
}

// report returns what the media side said about this recording at its end; zero
// where the process died before.
func (j *Job) report() recorder.SealReport {
	for _, r := range j.Conclusion.Recordings {
		if r.Recording == j.Recording {
			return r
		}
	}
	return recorder.SealReport{}
}

// A Result is what was published.
type Result struct {
	Path           string // the folder
	ManifestSHA256 string // hex
	Samples        int64
	GapSamples     int64 // missing; silence of a speaker is not
	Bytes          int64 // of all files
	StartedAt      time.Time
	EndedAt        time.Time
	Tracks         []Track
	// Flags are what was found in the recording that a person may want to look at:
	// words for catalogue.Flags.
	Flags []string
}
