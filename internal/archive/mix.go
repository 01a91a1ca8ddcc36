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

	"github.com/recorderbot/recorderbot/internal/media/durable"
	"github.com/recorderbot/recorderbot/internal/media/format"
	"github.com/recorderbot/recorderbot/internal/media/frame"
)

// MixName is the file in which all speakers of an unmixed recording are heard together.
const MixName = mixID + ".flac"

// mixID stands for it where a track's ID is asked for.
const mixID = "mix"

// mixBlock is how many samples are mixed at a time.
const mixBlock = 4096

// readAhead is how many bytes of all tracks together are read at a time, but for the
// least that is of use.
const readAhead = 1 << 20

// A Mix is the sum of all unmixed tracks: sample n of the mix is the sum of sample n of
// each, or, where that does not fit 16 bits, the largest or smallest number that does.
// Anybody can compute it again.
type Mix struct {
	File           string `json:"file"`
	Samples        int64  `json:"samples"`
	ClippedSamples int64  `json:"clippedSamples,omitempty"` // whose sum did not fit
}

// mixed are the files of the tracks that are mixed.
func (a *assembly) mixed() (names []string) {
	for i := range a.survey.summary.Tracks {
		if t := &a.survey.summary.Tracks[i]; t.Kind == frame.UnmixedAudio {
			_, name := a.trackFile(t)
			names = append(names, name)
		}
	}
	return names
}

// longest is how long the mix will be.
func (a *assembly) longest() (samples int64) {
	for i := range a.survey.summary.Tracks {
		if t := &a.survey.summary.Tracks[i]; t.Kind == frame.UnmixedAudio {
			samples = max(samples, t.Samples)
		}
	}
	return samples
}

// makeMix writes the mix, where there is something to be mixed.
func (a *assembly) makeMix(ctx context.Context) error {
	names := a.mixed()
	if len(names) == 0 {
		return nil
	}
	file, err := durable.CreateHidden(filepath.Join(a.hidden, MixName), filePerm)
	if err != nil {
		return fmt.Errorf("beginning the mix: %w", err)
	}
	flac, err := format.NewFLACWriterSized(file, a.tagsOf(mixID, nil), a.longest())
	if err == nil {
		a.mix, err = sumUp(ctx, a.hidden, names, flac.PCM)
	}
	if err == nil {
		err = flac.Close()
	}
	if err != nil {
		return errors.Join(fmt.Errorf("mixing: %w", err), file.Discard())
	}
	return file.Commit()
}

// readMix holds the mix against its tracks, once it is on the disk.
func (a *assembly) readMix(ctx context.Context) error {
	if a.mix == nil {
		return nil
	}
	if err := holdMix(ctx, a.hidden, a.mixed(), *a.mix); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrReadBack, MixName, err)
	}
	return nil
}

// holdMix mixes the tracks of a folder again, and holds its mix against that: sample by
// sample, and what is said of it.
func holdMix(ctx context.Context, dir string, names []string, said Mix) error {
	var open opened
	defer open.close()
	src, err := open.track(filepath.Join(dir, MixName), 64<<10)
	if err != nil {
		return err
	}
	got := make([]byte, 2*mixBlock)
	again, err := sumUp(ctx, dir, names, func(want []byte) error {
		if _, short := io.ReadFull(src, got[:len(want)]); short != nil {
			return fmt.Errorf("shorter than its tracks: %w", short)
		}
		if !bytes.Equal(got[:len(want)], want) {
			return errors.New("not the sum of its tracks")
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case *again != said:
		return fmt.Errorf("said to be %+v, and mixed again %+v", said, *again)
	case src.Samples() != said.Samples:
		return fmt.Errorf("%d samples, the tracks have %d", src.Samples(), said.Samples)
	}
	return nil
}

// sumUp mixes the tracks of a folder, all of which begin at the same instant.
func sumUp(ctx context.Context, dir string, names []string, out func(pcm []byte) error) (*Mix, error) {
	var open opened
	defer open.close()
	tracks := make([]io.Reader, len(names))
	for i, name := range names {
		r, err := open.track(filepath.Join(dir, name), max(readAhead/len(names), 4<<10))
		if err != nil {
			return nil, err
		}
		tracks[i] = r
	}
	m, err := format.NewMixer(out, len(names), mixBlock)
	if err != nil {
		return nil, err
	}
	pcm := make([]byte, 2*mixBlock)
	for at := int64(0); ; at += mixBlock {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		most := 0
		for i, t := range tracks {
			if t == nil {
				continue
			}
			n, err := io.ReadFull(t, pcm)
			switch {
			case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
				tracks[i] = nil // at its end, where number and MD5 were right
			case err != nil:
				return nil, fmt.Errorf("reading %s: %w", names[i], err)
			}
			if err = m.Add(i, at, pcm[:n]); err != nil {
				return nil, err
			}
			most = max(most, n/2)
		}
		if err := m.Flush(at + int64(most)); err != nil {
			return nil, err
		}
		if most < mixBlock {
			return &Mix{File: MixName, Samples: m.Samples(), ClippedSamples: m.Clipped()}, nil
		}
	}
}

// opened are files that are read beside each other.
type opened []*os.File

func (o *opened) close() {
	for _, file := range *o {
		_ = file.Close() // it was only read
	}
}

// track opens a FLAC, of which so many bytes are read at a time.
func (o *opened) track(name string, ahead int) (*format.FLACReader, error) {
	file, err := os.Open(name) //nolint:gosec // G304: the caller names the folder
	if err != nil {
		return nil, fmt.Errorf("reading a track: %w", err)
	}
	*o = append(*o, file)
	r, err := format.NewFLACReader(bufio.NewReaderSize(file, ahead))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", filepath.Base(name), err)
	}
	return r, nil
}
