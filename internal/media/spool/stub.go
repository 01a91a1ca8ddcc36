package spool

import (
	"context"
	"errors"
	"iter"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

var errStub = errors.New("spool: not written yet")

type files interface{}
type disk struct{}

// A Log is an append-only log of many recordings.
type Log struct{}

// A Recording is an open recording of this process.
type Recording struct {
	id string
	// Value is the owner's; set it before the recording is used in an Update.
	Value any
}

// A Batch is what one Update appends.
type Batch struct{}

// Report is what Check found.
type Report struct{ Findings []Finding }

// Finding is one fault.
type Finding struct{ Kind, Detail string }

// Open opens the log.
func Open(context.Context, Options) (*Log, error) { return nil, errStub }

// Recovered returns the recordings found at Open that were not released.
func (*Log) Recovered() []Info { return nil }

// Begin begins a recording; the permit is durable when it returns.
func (*Log) Begin(_ context.Context, _ recorder.Permit, _ string, _ []byte) (*Recording, error) {
	return nil, errStub
}

// Update appends all that fn appends to one commit.
func (*Log) Update(func(*Batch)) error { return errStub }

// Frame appends a frame.
func (*Batch) Frame(*Recording, frame.Frame) bool { return false }

// Gap appends a gap; false where the recording is sealed.
func (*Batch) Gap(*Recording, frame.Gap) bool { return false }

// Note appends a note; false where the permit is not live or the recording is sealed.
func (*Batch) Note(*Recording, string, []byte) bool { return false }

// Seal ends the recording.
func (*Recording) Seal(context.Context, Seal) (Sealed, error) { return Sealed{}, errStub }

// ID returns the recording's ID.
func (r *Recording) ID() string { return r.id }

// SealRecovered seals a recording that was found unsealed at Open.
func (*Log) SealRecovered(_ context.Context, _ string, _ Seal) (Sealed, error) {
	return Sealed{}, errStub
}

// Read yields a recording's durable records in order.
func (*Log) Read(string) iter.Seq2[Record, error] { return func(func(Record, error) bool) {} }

// Release gives the recording's space back.
func (*Log) Release(string) error { return errStub }

// SecondsLeft says how long there is room at the current rate.
func (*Log) SecondsLeft() float64 { return 0 }

// Close commits what is waiting and closes the log.
func (*Log) Close(context.Context) error { return nil }

// Check checks a log offline.
func Check(string) (Report, error) { return Report{}, errStub }
