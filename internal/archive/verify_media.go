package archive

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/recorderbot/recorderbot/internal/media/format"
	"github.com/recorderbot/recorderbot/internal/media/format/mp4"
)

// checkTrackFile reads a track's media to its end, and holds the manifest's numbers
// against it. A stream of which nothing can be shown has none but its bytes.
func checkTrackFile(ctx context.Context, folder string, t *Track) []Finding {
	var check func(io.Reader, *Track) error
	switch {
	case t.Kind == "audio":
		check = checkAudio
	case filepath.Ext(t.File) == ".mp4":
		check = checkVideo
	default:
		return nil
	}
	f, err := os.Open(filepath.Join(folder, t.File)) //nolint:gosec // G304: the caller names the folder
	if err == nil {
		defer f.Close() //nolint:errcheck // it was only read
		err = check(heeding{ctx, f}, t)
	}
	if err != nil {
		return []Finding{{FindingMedia, lawEvidence, t.File, err.Error()}}
	}
	return nil
}

func checkAudio(file io.Reader, t *Track) error {
	r, err := format.NewFLACReader(file)
	if err != nil {
		return err
	}
	if r.Samples() != t.Samples {
		return fmt.Errorf("%d samples, the manifest says %d", r.Samples(), t.Samples)
	}
	return gapsAreSilent(r, t.Gaps)
}

// checkVideo reads each frame. How many there are the manifest does not say to the
// frame: one that has parameter sets alone stands with the next.
func checkVideo(file io.Reader, t *Track) error {
	r, err := mp4.NewReader(bufio.NewReaderSize(file, 64<<10))
	if err != nil {
		return err
	}
	var frames, keys, damaged int64
	for {
		s, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("frame %d: %w", frames+1, err)
		}
		frames++
		if s.Sync {
			keys++
		}
		if s.Damaged {
			damaged++
		}
	}
	is := fmt.Sprintf("%d key frames, %d damaged, %d ticks, %d x %d", keys, damaged, r.End(), r.Info().Width, r.Info().Height)
	said := fmt.Sprintf("%d key frames, %d damaged, %d ticks, %d x %d", t.KeyFrames, t.DamagedFrames, t.DurationTicks, t.Width, t.Height)
	switch most := int64(t.Frames) - t.UndecodableFrames; { //nolint:gosec // G115: a number beyond is found
	case is != said:
		return fmt.Errorf("it has %s, the manifest says %s", is, said)
	case frames > most:
		return fmt.Errorf("it has %d frames, of %d", frames, most)
	}
	return nil
}

// checkMix mixes the tracks again.
func checkMix(ctx context.Context, folder string, m *Manifest) []Finding {
	var names []string
	for i := range m.Tracks {
		if t := &m.Tracks[i]; t.Kind == "audio" && t.Mode == "unmixed" {
			names = append(names, t.File)
		}
	}
	switch {
	case m.Mix == nil && len(names) == 0:
		return nil
	case m.Mix == nil:
		return []Finding{{FindingMedia, lawEvidence, MixName, "there is none of the unmixed tracks"}}
	}
	if err := holdMix(ctx, folder, names, *m.Mix); err != nil {
		return []Finding{{FindingMedia, lawEvidence, MixName, err.Error()}}
	}
	return nil
}

// gapsAreSilent reads all samples; those in gaps must be zero.
func gapsAreSilent(r io.Reader, gaps []Gap) error {
	pcm := make([]byte, 32<<10)
	for at := int64(0); ; {
		n, err := r.Read(pcm)
		for ; len(gaps) > 0 && gaps[0].AtSample < at+int64(n/2); gaps = gaps[1:] {
			g := gaps[0]
			from, to := max(g.AtSample, at)-at, min(g.AtSample+g.Samples, at+int64(n/2))-at
			if from < to && len(bytes.Trim(pcm[2*from:2*to], "\x00")) > 0 {
				return fmt.Errorf("the gap at sample %d is not silent", g.AtSample)
			}
			if g.AtSample+g.Samples > at+int64(n/2) {
				break // goes on in the next piece
			}
		}
		at += int64(n / 2)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
