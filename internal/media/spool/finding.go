package spool

import (
	"errors"
	"fmt"
	"time"
)

// A FindingKind says what is wrong.
type FindingKind string

// The kinds of finding.
const (
	BeforePermit   FindingKind = "beforePermit"   // law 1: a record before its recording's permit record
	AfterSeal      FindingKind = "afterSeal"      // law 2: a record after its recording's seal
	BadPermit      FindingKind = "badPermit"      // a permit record that proves nothing
	BadSeal        FindingKind = "badSeal"        // a seal that does not fit what is sealed
	BadOrder       FindingKind = "badOrder"       // frames that do not ascend
	BadRecord      FindingKind = "badRecord"      // a record that cannot be read
	BadCommit      FindingKind = "badCommit"      // a damaged commit: acknowledged bytes are lost
	BadTable       FindingKind = "badTable"       // a segment's table is damaged, or does not fit the log
	MissingSegment FindingKind = "missingSegment" // a segment that unreleased recordings need is not there
	ShortSegment   FindingKind = "shortSegment"   // a segment's file was cut: what was acknowledged behind is lost
)

// A Finding is one fault of a log on disk.
type Finding struct {
	Kind       FindingKind
	Segment    string // the file's name
	Generation uint64
	Offset     int64  // bytes from the beginning of the segment
	Commit     uint64 // number of the last whole commit before, or of the one at fault
	Serial     uint64 // of the recording; 0: not of one
	Recording  string // its ID, where known
	Detail     string
}

// String says all that is known of the fault.
func (f Finding) String() string {
	s := fmt.Sprintf("%s: %s at byte %d (generation %d, commit %d)", f.Segment, f.Kind, f.Offset, f.Generation, f.Commit)
	if f.Serial != 0 {
		s += fmt.Sprintf(", recording %q (serial %d)", f.Recording, f.Serial)
	}
	return s + ": " + f.Detail
}

// A FindingError is a finding as an error.
type FindingError struct{ Finding }

// Error implements error.
func (e *FindingError) Error() string { return e.String() }

// A Report is what Check has found.
type Report struct {
	Segments   int // that hold records
	Commits    int
	Records    int
	Frames     int
	Bytes      int64 // of commits
	LastCommit uint64
	Recordings []Held // that were not released, in the order in which they were begun
	Findings   []Finding
}

// Held is a recording that the log holds.
type Held struct {
	ID       string
	SealedAt time.Time // when the seal's commit was begun; zero: it is not sealed
}

// Err returns all findings as one error (of FindingErrors), nil where there are none.
func (r Report) Err() error {
	errs := make([]error, 0, len(r.Findings))
	for _, f := range r.Findings {
		errs = append(errs, &FindingError{f})
	}
	return errors.Join(errs...)
}

// A DamageError is what Read yields in place of a record that cannot be read.
// Reading goes on behind it.
type DamageError struct {
	Recording string
	Segment   string // the file's name
	Offset    int64  // bytes from the beginning of the segment
	Err       error
}

// Error implements error.
func (e *DamageError) Error() string {
	return fmt.Sprintf("recording %s: damaged in %s at byte %d: %v", e.Recording, e.Segment, e.Offset, e.Err)
}

// Unwrap returns what was wrong.
func (e *DamageError) Unwrap() error { return e.Err }
