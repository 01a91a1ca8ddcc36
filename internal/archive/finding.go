package archive

import (
	"errors"
	"fmt"
)

// FindingKind says what is wrong with a folder: a word from a closed set.
type FindingKind string

// The kinds of findings. The first group means that the folder is not what was
// published; the second that it says something that must not be.
const (
	FindingUnreadable FindingKind = "unreadable" // a file or the folder can't be read
	FindingManifest   FindingKind = "manifest"   // missing, or not a manifest
	FindingMissing    FindingKind = "missing"    // a file that the manifest lists
	FindingStray      FindingKind = "stray"      // a file that it does not
	FindingHash       FindingKind = "hash"       // size or SHA-256 differ
	FindingMedia      FindingKind = "media"      // the file does not decode, or to another number of samples
	FindingCount      FindingKind = "count"      // samples, gaps and frames do not add up
	FindingEvents     FindingKind = "events"     // events.jsonl is no sequence of events

	FindingPermit    FindingKind = "permit"    // law 1: no success reply allowed these bytes
	FindingEarly     FindingKind = "early"     // law 1: media was stored before its permit
	FindingSeal      FindingKind = "seal"      // law 2: notRecording before the seal, or no seal
	FindingLate      FindingKind = "late"      // law 2: media was stored after the end was announced
	FindingUnpaired  FindingKind = "unpaired"  // law 5: an outcome without its intention
	FindingLost      FindingKind = "lost"      // law 4: frames that were durable are not here
	FindingOutcome   FindingKind = "outcome"   // law 4: the outcome contradicts what is stored
	FindingSilent    FindingKind = "silent"    // law 3: it failed, and the outcome does not say so
	FindingChronicle FindingKind = "chronicle" // steps or times in an order that cannot be
)

// A Finding is one thing that is wrong with a folder. It is an error.
type Finding struct { //nolint:errname // what check finds; the spool's has the same name
	Kind FindingKind
	// Law is the law of the design that is broken; 6, evidence, where the folder
	// itself is not sound.
	Law    int
	File   string // where it is about one
	Detail string // for people; no content
}

// Error says what was found.
func (f Finding) Error() string {
	if f.File != "" {
		return fmt.Sprintf("%s: %s: %s", f.Kind, f.File, f.Detail)
	}
	return fmt.Sprintf("%s: %s", f.Kind, f.Detail)
}

// integrity joins the findings that say that a folder is not what was published.
func integrity(findings []Finding) error {
	var errs []error
	for _, f := range findings {
		if f.Law == lawEvidence {
			errs = append(errs, f)
		}
	}
	return errors.Join(errs...)
}

// unreadable joins the findings that say that the disk did not answer.
func unreadable(findings []Finding) error {
	var errs []error
	for _, f := range findings {
		if f.Kind == FindingUnreadable {
			errs = append(errs, f)
		}
	}
	return errors.Join(errs...)
}

// The laws, as the design counts them.
const (
	lawPermit   = 1
	lawSeal     = 2
	lawLoud     = 3
	lawOutcome  = 4
	lawJournal  = 5
	lawEvidence = 6
)
