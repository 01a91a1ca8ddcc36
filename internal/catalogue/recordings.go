package catalogue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// A State is how far a recording has come. It never goes back.
type State string

// The states of a recording.
const (
	StateOpen     State = "open"     // the gate was opened
	StateSealed   State = "sealed"   // all of it is in the spool
	StateArchived State = "archived" // all of it is in the archive, verified
	StateFailed   State = "failed"   // it could not be archived; the spool keeps it
)

// A Recording is one recording of a call. In a list it may be a call that has
// none: then the ID, the state and all that is of a recording are empty.
type Recording struct {
	ID             string
	Call           recorder.CallID
	Tenant         string
	ObservedUser   string
	Policy         string
	Direction      string
	InvitedAt      time.Time
	Outcome        string // of the call; empty while it has none
	Cause          recorder.Cause
	OutcomeDetail  string // of the call, with what an administrator must do
	OpenedAt       time.Time
	SealedAt       time.Time
	StartedAt      time.Time // first frame
	EndedAt        time.Time // last frame
	Frames         int64
	Samples        int64 // audio samples stored, all tracks
	GapSamples     int64 // known to be missing
	Discarded      int64 // frames refused before consent or after the seal
	LastSeq        int64
	State          State
	Path           string // the folder's name in the archive; a whole path where an older version entered it
	ManifestSHA256 string
	Bytes          int64    // in the archive
	Detail         string   // why it could not be archived
	Flags          []string // what the archive found in it, see Flags
}

// An Archived is what the archive says of a recording that it has verified.
type Archived struct {
	Recording      string
	Path           string // relative to the archive: it may be moved
	ManifestSHA256 string
	Samples        int64
	GapSamples     int64
	Bytes          int64
	StartedAt      time.Time
	EndedAt        time.Time
	Flags          []string // what it found
}

const recordingColumns = `SELECT COALESCE(r.id, ''), COALESCE(r.call, c.id), COALESCE(c.tenant, ''), COALESCE(c.observed_user, ''),
		COALESCE(c.policy, ''), COALESCE(c.direction, ''), COALESCE(c.invited_at, 0), COALESCE(o.outcome, ''), COALESCE(o.cause, ''),
		COALESCE(o.detail, ''), COALESCE(r.opened_at, 0), COALESCE(r.sealed_at, 0), COALESCE(r.started_at, 0), COALESCE(r.ended_at, 0),
		COALESCE(r.frames, 0), COALESCE(r.samples, 0), COALESCE(r.gap_samples, 0), COALESCE(r.discarded, 0), COALESCE(r.last_seq, 0),
		COALESCE(r.state, ''), COALESCE(r.path, ''), COALESCE(r.manifest_sha256, ''), COALESCE(r.bytes, 0), COALESCE(r.detail, '') `

const fromRecordings = recordingColumns + `FROM recordings r LEFT JOIN calls c ON c.id = r.call LEFT JOIN outcomes o ON o.call = r.call `

func scanRecording(rs *sql.Rows) (Recording, error) {
	var r Recording
	var invited, opened, sealed, started, ended int64
	err := rs.Scan(&r.ID, &r.Call, &r.Tenant, &r.ObservedUser, &r.Policy, &r.Direction, &invited, &r.Outcome, &r.Cause,
		&r.OutcomeDetail, &opened, &sealed, &started, &ended, &r.Frames, &r.Samples, &r.GapSamples, &r.Discarded, &r.LastSeq,
		&r.State, &r.Path, &r.ManifestSHA256, &r.Bytes, &r.Detail)
	r.InvitedAt, r.OpenedAt, r.SealedAt, r.StartedAt, r.EndedAt = instant(invited), instant(opened), instant(sealed), instant(started), instant(ended)
	return r, err
}

// RecordingSealed enters what the spool holds of a recording. The journal's
// entry "sealed" and the call's conclusion do so too; the first wins. A
// recording that was never entered is entered now: recovery finds such ones.
func (c *Catalogue) RecordingSealed(ctx context.Context, call recorder.CallID, r recorder.SealReport) error {
	if r.Recording == "" || call == "" {
		return errors.New("catalogue: a recording needs an ID and a call")
	}
	return c.await(ctx, "seal a recording", len(r.Recording), func(s *session) error { return s.sealed(call, r) })
}

// RecordingArchived enters that a recording is in the archive and verified.
// Repeating it keeps the recording's place in the chain of manifests.
// ErrUnknown: there is no such recording.
func (c *Catalogue) RecordingArchived(ctx context.Context, a Archived) error {
	if a.ManifestSHA256 == "" || a.Path == "" {
		return fmt.Errorf("catalogue: recording %s can't be archived without a path and a manifest", a.Recording)
	}
	return c.await(ctx, "archive a recording", len(a.Path), func(s *session) error {
		err := known(s.put(putArchived, a.Path, a.ManifestSHA256, a.Samples, a.GapSamples, a.Bytes, nanos(a.StartedAt), nanos(a.EndedAt), a.Recording))
		if err != nil {
			return err
		}
		return s.flags(a.Recording, a.Flags)
	})
}

// RecordingFailed enters that a recording can't be archived, and why. It stays
// in the spool. ErrUnknown: there is no such recording, or it is archived.
func (c *Catalogue) RecordingFailed(ctx context.Context, id, detail string) error {
	detail = clean(detail)
	return c.await(ctx, "fail a recording", len(detail), func(s *session) error { return known(s.put(putFailed, detail, id)) })
}

func known(n int64, err error) error {
	if err == nil && n == 0 {
		return ErrUnknown
	}
	return err
}

// Recording returns one recording, or ErrUnknown.
func (c *Catalogue) Recording(ctx context.Context, id string) (Recording, error) {
	all, err := c.recordings(ctx, fromRecordings+`WHERE r.id = ?`, id)
	switch {
	case err != nil:
		return Recording{}, err
	case len(all) == 0:
		return Recording{}, fmt.Errorf("catalogue: recording %s: %w", id, ErrUnknown)
	}
	return all[0], nil
}

// PendingArchive returns the recordings that can be archived now, oldest seal
// first: sealed, and their call has its outcome.
func (c *Catalogue) PendingArchive(ctx context.Context) ([]Recording, error) {
	all, err := rows(ctx, c.read, scanRecording, fromRecordings+`WHERE r.state = 'sealed' AND (o.call IS NOT NULL OR (r.frames > 0
		AND EXISTS (SELECT 1 FROM recordings n WHERE n.call = r.call AND n.opened_at > r.opened_at))) ORDER BY r.sealed_at, r.id`)
	if err != nil {
		return nil, fmt.Errorf("catalogue: recordings to be archived: %w", err)
	}
	return all, nil
}

// LastManifest returns the SHA-256 of the newest archived manifest: the next
// one names it as its previous. Empty where nothing is archived.
func (c *Catalogue) LastManifest(ctx context.Context) (string, error) {
	var sum string
	err := c.read.QueryRowContext(ctx, `SELECT manifest_sha256 FROM recordings WHERE archive_number > 0 ORDER BY archive_number DESC LIMIT 1`).Scan(&sum)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("catalogue: last manifest: %w", err)
	}
	return sum, nil
}
