package recorder

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// The recorder's sentinel errors.
var (
	// ErrNotPermitted is returned where a permit is missing, was refused its
	// evidence, or has been withdrawn.
	ErrNotPermitted = errors.New("recorder: recording is not permitted")
	// ErrNoMediaHost is returned where no media host can take a call.
	ErrNoMediaHost = errors.New("recorder: no media host can take the call")
	// ErrConcluded is returned where a call already has its outcome.
	ErrConcluded = errors.New("recorder: the call already has an outcome")
)

// A Permit is leave to persist the media of one call.
//
// Teams requires that updateRecordingStatus(recording) succeeds before any
// media is kept. A Permit is that success in the form of a value: it comes into
// being in one function, mint, which demands the completed operation as
// evidence. The zero Permit grants nothing. Copies share one fate: withdrawing
// one withdraws all.
type Permit struct{ g *grant }

type grant struct {
	evidence  Evidence
	withdrawn atomic.Bool
	ending    atomic.Bool // its recording is being sealed
}

// Evidence says which reply allowed a recording. It is stored before the first
// frame that it allows.
type Evidence struct {
	Call      CallID      `json:"call"`
	Operation OperationID `json:"operation"`
	Context   string      `json:"clientContext"`
	At        time.Time   `json:"at"`      // when completion was read
	Receipt   Receipt     `json:"receipt"` // of the request's own 2xx reply
}

// Evidence returns what the permit rests on. It fails once the permit has been
// withdrawn, and always for the zero Permit, so a caller that needs the call's
// name cannot forget to ask for leave.
func (p Permit) Evidence() (Evidence, error) {
	switch {
	case p.g == nil:
		return Evidence{}, ErrNotPermitted
	case p.g.withdrawn.Load():
		return Evidence{}, fmt.Errorf("%w: withdrawn", ErrNotPermitted)
	}
	return p.g.evidence, nil
}

// Live reports whether the permit grants anything now. It is cheap enough to
// be asked for each frame.
func (p Permit) Live() bool { return p.g != nil && !p.g.withdrawn.Load() }

// String says what the permit is worth now.
func (p Permit) String() string {
	switch {
	case p.g == nil:
		return "permit(none)"
	case p.g.withdrawn.Load():
		return "permit(withdrawn)"
	}
	return "permit(live)"
}

// withdraw ends the permit. Only the call that was granted it may do so.
func (p Permit) withdraw() {
	if p.g != nil {
		p.g.withdrawn.Store(true)
	}
}

// end notes that what was permitted is being sealed: the seal says from here on how
// the recording went.
func (p Permit) end() {
	if p.g != nil {
		p.g.ending.Store(true)
	}
}

func (p Permit) ends() bool { return p.g != nil && p.g.ending.Load() }

func (p Permit) call() CallID {
	if p.g == nil {
		return ""
	}
	return p.g.evidence.Call
}

// mint is the only source of permits. It trusts nobody, this package included:
// the operation must answer that very announcement of that very call, the
// announcement must have been "recording", the request itself must have got a
// 2xx (reply), and the operation must have completed. Removing any case below
// fails TestMintChecks.
func mint(a announcement, reply Receipt, op Operation) (Permit, error) {
	switch {
	case a.call == "":
		return Permit{}, fmt.Errorf("%w: announcement without a call", ErrNotPermitted)
	case a.status != StatusRecording:
		return Permit{}, fmt.Errorf("%w: operation %s answers %q", ErrNotPermitted, op.ID, a.status)
	case a.context == "" || op.Context != a.context:
		return Permit{}, fmt.Errorf("%w: operation %s answers %q, not %q", ErrNotPermitted, op.ID, op.Context, a.context)
	case op.Progress != Completed:
		return Permit{}, fmt.Errorf("%w: operation %s is %v", ErrNotPermitted, op.ID, op.Progress)
	case reply.HTTPStatus/100 != 2:
		return Permit{}, fmt.Errorf("%w: operation %s: the request got HTTP status %d", ErrNotPermitted, op.ID, reply.HTTPStatus)
	}
	return Permit{&grant{evidence: Evidence{
		Call: a.call, Operation: op.ID, Context: op.Context, At: op.At, Receipt: reply,
	}}}, nil
}
