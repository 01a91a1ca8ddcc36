package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/recorderbot/recorderbot/internal/media/durable"
	"github.com/recorderbot/recorderbot/internal/media/format"
)

// ErrChanged says that a folder is not what was published, so that nothing may
// leave it as that.
var ErrChanged = errors.New("archive: the folder is not what was published")

// ExportWAV writes one track of audio of a folder as a WAV to the file dst, which
// must not exist (else the error wraps fs.ErrExist), whole or not at all. track is
// the track's ID, for example "audio-mixed", or "mix"; empty means the one in which all
// speakers are heard, or the only one there is.
//
// The whole folder must be what was published: an edited manifest, or a cut
// journal, says that somebody was here. sum is the hash of its manifest that was
// noted outside it ([Result.ManifestSHA256]); else the error wraps [ErrChanged].
func ExportWAV(ctx context.Context, folder, sum, track, dst string) error {
	if err := exportWAV(ctx, folder, sum, track, dst); err != nil {
		return fmt.Errorf("exporting wav: %w", err)
	}
	return nil
}

func exportWAV(ctx context.Context, folder, sum, track, dst string) error {
	dst, err := filepath.Abs(dst) // a bare name would be hidden in another filesystem
	if err != nil {
		return err
	}
	// Before the work, not after it; what comes meanwhile is for CommitNew.
	if _, err = os.Lstat(dst); err == nil {
		return &fs.PathError{Op: "create", Path: dst, Err: fs.ErrExist}
	}
	m, got, findings := readFolder(ctx, folder, false)
	if err = ctx.Err(); err != nil {
		return err
	}
	if err = unreadable(findings); err != nil {
		return err
	}
	if err = integrity(findings); err != nil {
		return fmt.Errorf("%w: %w", ErrChanged, err)
	}
	if got != sum {
		return fmt.Errorf("%w: its manifest has the SHA-256 %s, %q was entered", ErrChanged, got, sum)
	}
	t, err := m.audioTrack(track)
	if err != nil {
		return err
	}
	return exportTrack(ctx, folder, t, dst)
}

// audioTrack finds a track of audio by its ID.
func (m *Manifest) audioTrack(id string) (*Track, error) {
	var ids []string
	var found *Track
	if m.Mix != nil {
		if id == "" || id == mixID {
			return &Track{ID: mixID, File: m.Mix.File, Samples: m.Mix.Samples}, nil
		}
		ids = append(ids, mixID)
	}
	for i := range m.Tracks {
		if t := &m.Tracks[i]; t.Kind == "audio" {
			ids = append(ids, t.ID)
			if t.ID == id || id == "" {
				found = t
			}
		}
	}
	switch {
	case id == "" && len(ids) > 1:
		return nil, fmt.Errorf("which track? there are %s", strings.Join(ids, ", "))
	case found == nil:
		return nil, fmt.Errorf("no track of audio %.140q; there are: %s", id, strings.Join(ids, ", "))
	}
	return found, nil
}

// exportTrack copies samples; the decoder checks them on the way.
func exportTrack(ctx context.Context, folder string, t *Track, dst string) error {
	src, err := os.Open(filepath.Join(folder, t.File)) //nolint:gosec // G304: the caller names the folder
	if err != nil {
		return err
	}
	defer src.Close() //nolint:errcheck // it was only read
	flac, err := format.NewFLACReader(src)
	if err != nil {
		return err
	}
	out, err := durable.CreateHidden(dst, 0o640)
	if err != nil {
		return err
	}
	if err := format.WriteWAV(out, heeding{ctx, flac}, t.Samples); err != nil {
		return errors.Join(err, out.Discard())
	}
	return out.CommitNew()
}
