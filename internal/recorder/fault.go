package recorder

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// FaultKind sorts a failed request by what the receiver does about it.
type FaultKind uint8

// The kinds of faults.
const (
	// FaultUnknown: no reply, a 5xx, or a reply nobody can read. The request may
	// have been carried out. Ask again with a fresh client context.
	FaultUnknown FaultKind = iota + 1
	// FaultThrottled: not carried out; ask again after RetryAfter.
	FaultThrottled
	// FaultRefused: the platform said no; asking again is pointless.
	FaultRefused
	// FaultGone: the platform no longer knows the call.
	FaultGone
)

// String returns the fault's word for logs and metrics.
func (k FaultKind) String() string {
	return name(k, "none", "unknown", "throttled", "refused", "gone")
}

// A Fault is an error of a request to the platform.
//
//nolint:errname // the field's word; it is a value in events as much as an error
type Fault struct {
	Kind       FaultKind
	Cause      Cause  // what it means for the call, where the code tells; else empty
	Code       string // the platform's error code, for example "8506"
	Message    string // the platform's words, shortened
	Remedy     string // what an administrator must do; empty if nothing
	RetryAfter time.Duration
	Receipt    Receipt
	Err        error // the transport's error, if that is what failed; in JSON its words
}

// plainFault is a Fault without its methods.
type plainFault Fault

// MarshalJSON writes the fault as the journal keeps it.
func (f Fault) MarshalJSON() ([]byte, error) {
	said := struct {
		plainFault
		Err string `json:",omitempty"`
	}{plainFault: plainFault(f)}
	if f.Err != nil {
		said.Err = f.Err.Error()
	}
	return json.Marshal(said)
}

// UnmarshalJSON reads what MarshalJSON wrote: a fault that says the same.
func (f *Fault) UnmarshalJSON(data []byte) error {
	var said struct {
		plainFault
		Err string
	}
	if err := json.Unmarshal(data, &said); err != nil {
		return err
	}
	*f = Fault(said.plainFault)
	if said.Err != "" {
		f.Err = errors.New(said.Err)
	}
	return nil
}

// Error says what failed and what to do.
func (f *Fault) Error() string {
	s := fmt.Sprintf("platform: %v (http %d, code %q): %s", f.Kind, f.Receipt.HTTPStatus, f.Code, f.Message)
	if f.Err != nil {
		s += ": " + f.Err.Error()
	}
	if f.Remedy != "" {
		s += "; " + f.Remedy
	}
	return s
}

// Unwrap returns the transport's error.
func (f *Fault) Unwrap() error { return f.Err }
