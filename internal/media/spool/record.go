package spool

import (
	"encoding/json"
	"time"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// RecordType is what a record says.
type RecordType uint8

// The types of record that Read yields.
const (
	PermitType RecordType = iota + 1 // leave to record; the first of each recording
	FrameType                        // media
	GapType                          // missing media
	NoteType                         // something worth keeping beside the media
	SealType                         // the end; the last of each recording
)

// String returns the type's name.
func (t RecordType) String() string {
	switch t {
	case PermitType:
		return "permit"
	case FrameType:
		return "frame"
	case GapType:
		return "gap"
	case NoteType:
		return "note"
	case SealType:
		return "seal"
	}
	return "unknown"
}

// A Record is one thing that the log says about a recording. Which fields count
// depends on Type.
type Record struct {
	Type RecordType
	// At is when the commit that holds the record was begun, by our clock.
	At time.Time
	// Header and Payload are a frame's. The payload is valid until the next
	// record is read.
	Header  frame.Header
	Payload []byte
	Gap     frame.Gap
	Note    Note
	Permit  *PermitRecord
	Seal    *SealRecord
}

// A PermitRecord says which reply allowed the recording.
type PermitRecord struct {
	ID       string            `json:"id"`
	Serial   uint64            `json:"serial"` // number of the recording in this log, from 1, never reused
	Evidence recorder.Evidence `json:"evidence"`
	Meta     json.RawMessage   `json:"meta,omitempty"` // the owner's facts
}

// A SealRecord says that nothing follows.
type SealRecord struct {
	LastSeq   uint64          `json:"lastSeq"`   // the last frame there was, as the owner knows it
	Cause     string          `json:"cause"`     // why it ended
	FirstSeq  uint64          `json:"firstSeq"`  // the first frame stored; 0: none
	StoredSeq uint64          `json:"storedSeq"` // the last frame stored; 0: none
	Frames    uint64          `json:"frames"`    // frames stored
	Recovered bool            `json:"recovered,omitempty"`
	Meta      json.RawMessage `json:"meta,omitempty"` // the owner's facts
}

// A Note is something worth keeping beside the media.
type Note struct {
	Kind string
	Data json.RawMessage
}

// A Seal is how its owner ends a recording.
type Seal struct {
	LastSeq uint64 // the last frame there was; 0: unknown or none
	Cause   string
	Meta    []byte // JSON; may be nil
	// Missing, where not nil, is a gap that is appended right before the seal, in the
	// same commit: both are there, or none.
	Missing *frame.Gap
}

// Sealed says what was sealed.
type Sealed struct {
	ID       string
	Serial   uint64
	At       time.Time // when the seal's commit was begun
	Commit   uint64    // number of the commit that holds the seal
	FirstSeq uint64    // the first frame stored; 0: none
	LastSeq  uint64    // the last frame stored; 0: none
	Frames   uint64    // frames stored
}

// Info says what the log knows of a recording.
type Info struct {
	ID       string
	Serial   uint64
	Call     recorder.CallID
	Evidence recorder.Evidence
	Meta     json.RawMessage
	Sealed   bool
	FirstSeq uint64    // the first frame stored; 0: none
	LastSeq  uint64    // the last frame stored; 0: none
	Frames   uint64    // frames stored
	FirstAt  time.Time // commit of the permit
	LastAt   time.Time // commit of the last record
}
