package archive

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/recorderbot/recorderbot/internal/media/durable"
	"github.com/recorderbot/recorderbot/internal/media/format"
)

// ExportWAV writes one track of audio of a folder as a WAV to the file dst,
// whole or not at all. track is the track's ID, for example "audio-mixed"; empty
// means the only one there is.
func ExportWAV(folder, track, dst string) error {
	b, err := readBounded(filepath.Join(folder, ManifestName))
	if err != nil {
		return fmt.Errorf("exporting wav: %w", err)
	}
	m, err := ReadManifest(b)
	if err != nil {
		return fmt.Errorf("exporting wav: %w", err)
	}
	t, err := m.audioTrack(track)
	if err != nil {
		return fmt.Errorf("exporting wav: %w", err)
	}
	for _, f := range m.Files {
		if f.Name != t.File {
			continue
		}
		if err := integrity(checkFile(context.Background(), folder, f)); err != nil {
			return fmt.Errorf("exporting wav: %w", err)
		}
	}
	return exportTrack(folder, t, dst)
}

// audioTrack finds a track of audio by its ID.
func (m *Manifest) audioTrack(id string) (*Track, error) {
	var ids []string
	var found *Track
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
func exportTrack(folder string, t *Track, dst string) error {
	src, err := os.Open(filepath.Join(folder, t.File)) //nolint:gosec // G304: the caller names the folder
	if err != nil {
		return fmt.Errorf("exporting wav: %w", err)
	}
	defer src.Close() //nolint:errcheck // it was only read
	flac, err := format.NewFLACReader(src)
	if err != nil {
		return fmt.Errorf("exporting wav: %w", err)
	}
	out, err := durable.CreateHidden(dst, 0o640)
	if err != nil {
		return fmt.Errorf("exporting wav: %w", err)
	}
	if err := format.WriteWAV(out, flac, t.Samples); err != nil {
		return errors.Join(fmt.Errorf("exporting wav: %w", err), out.Discard())
	}
	return out.Commit()
}
