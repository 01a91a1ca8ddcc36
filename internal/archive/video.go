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
	"github.com/recorderbot/recorderbot/internal/media/format/mp4"
	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/media/timeline"
)

// A film gives the frames of a track to an mp4 writer, each time the same.
type film struct {
	w     *mp4.Writer
	place place
}

// frame gives one. gap: something is missing before it.
func (f *film) frame(rec spool.Record, gap bool) (mp4.Frame, mp4.Result, error) {
	h := rec.Header
	if gap || h.Flags&frame.AfterGap != 0 {
		f.w.Discontinuity()
	}
	one := mp4.Frame{Time: f.place.next(h, rec.At), Data: rec.Payload, Key: h.Flags&frame.KeyFrame != 0, Width: int(h.Width), Height: int(h.Height)}
	r, err := f.w.Frame(one)
	if err != nil {
		err = fmt.Errorf("writing video: %w", err)
	}
	return one, r, err
}

// A preview finds out what the file of a track will hold, and whether it can hold
// anything: without a key frame there is nothing to be shown.
type preview struct {
	film
	keep func(mp4.Stats, uint64, error)
}

// film is one that is given to w.
func (a *assembly) film(w *mp4.Writer) film { return film{w, place{offset: a.survey.offsets.median()}} }

// openPreview looks at tracks of video; the others have none.
func (a *assembly) openPreview(t *timeline.Track) (sink, error) {
	if t.Kind.Audio() {
		return nil, nil //nolint:nilnil // nothing to look at
	}
	w, err := mp4.NewWriter(io.Discard, mp4.Options{})
	if err != nil {
		return nil, fmt.Errorf("looking at video: %w", err)
	}
	id, _ := trackID(t)
	return &preview{a.film(w), func(s mp4.Stats, strays uint64, err error) {
		a.mistimed += strays
		if a.films == nil {
			a.films = map[string]mp4.Stats{}
		}
		if err == nil {
			a.films[id] = s
		}
	}}, nil
}

func (k *preview) silence(context.Context, int64) error { return nil }
func (k *preview) abandon()                             {}

func (k *preview) payload(rec spool.Record, gap bool) error {
	_, _, err := k.frame(rec, gap)
	return err
}

func (k *preview) close() error {
	err := k.w.Close(0)
	k.keep(k.w.Stats(), k.place.strays, err)
	if errors.Is(err, mp4.ErrNoVideo) {
		return nil
	}
	return err
}

// videoFile names the file of a track of video: an mp4, or, where no frame of it can be
// shown, the stream as it came.
func (a *assembly) videoFile(id string) string {
	if _, ok := a.films[id]; ok {
		return id + ".mp4"
	}
	return id + ".h264"
}

// A filmSink writes a track of video, undecoded.
type filmSink struct {
	film
	file *durable.Hidden
}

func (a *assembly) openFilm(id string, file *durable.Hidden) (sink, error) {
	w, err := mp4.NewSeekWriter(file, mp4.Options{Title: a.job.Recording + " " + id, Created: a.survey.started()})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("beginning track %s: %w", id, err), file.Discard())
	}
	return &filmSink{a.film(w), file}, nil
}

func (k *filmSink) silence(context.Context, int64) error { return nil }
func (k *filmSink) abandon()                             { _ = k.file.Discard() }

func (k *filmSink) payload(rec spool.Record, gap bool) error {
	_, _, err := k.frame(rec, gap)
	return err
}

func (k *filmSink) close() error {
	if err := k.w.Close(0); err != nil {
		return fmt.Errorf("writing video: %w", err)
	}
	return k.file.Commit()
}

// A filmComparer holds an mp4 against the spool: each frame that the file is to hold is
// there, byte for byte and at its time, and nothing else is.
type filmComparer struct {
	film
	name string
	file *os.File
	src  *mp4.Reader
	zero int64
	held []byte // units that stand in front of the next frame's
	want []byte
	n    int64
}

func (a *assembly) openFilmComparer(id, name string) (sink, error) {
	w, err := mp4.NewWriter(io.Discard, mp4.Options{})
	if err != nil {
		return nil, fmt.Errorf("reading back %s: %w", name, err)
	}
	file, err := os.Open(filepath.Join(a.hidden, name)) //nolint:gosec // G304: a folder of ours
	if err != nil {
		return nil, fmt.Errorf("reading back: %w", err)
	}
	src, err := mp4.NewReader(bufio.NewReaderSize(file, 64<<10))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %s: %w", ErrReadBack, name, err), file.Close())
	}
	return &filmComparer{film: a.film(w), name: name, file: file, src: src, zero: a.films[id].Zero}, nil
}

func (k *filmComparer) silence(context.Context, int64) error { return nil }
func (k *filmComparer) abandon()                             { _ = k.file.Close() }

func (k *filmComparer) payload(rec spool.Record, gap bool) error {
	f, r, err := k.frame(rec, gap)
	switch {
	case err != nil:
		return err
	case r.Verdict == mp4.Held:
		k.held, err = mp4.Canonical(k.held, rec.Payload)
		return err
	case !r.Verdict.Stored():
		if k.n == 0 {
			k.held = k.held[:0]
		}
		return nil
	}
	if k.want, err = mp4.Canonical(append(k.want[:0], k.held...), rec.Payload); err != nil {
		return fmt.Errorf("reading back %s: %w", k.name, err)
	}
	k.held = k.held[:0]
	got, err := k.src.Next()
	k.n++
	switch {
	case err != nil:
		return fmt.Errorf("%w: %s, frame %d: %w", ErrReadBack, k.name, k.n, err)
	case !bytes.Equal(got.Data, k.want):
		return fmt.Errorf("%w: %s, frame %d has other bytes", ErrReadBack, k.name, k.n)
	case got.Time+k.zero != f.Time+r.Moved:
		return fmt.Errorf("%w: %s, frame %d is at tick %d, not %d", ErrReadBack, k.name, k.n, got.Time+k.zero, f.Time+r.Moved)
	}
	return nil
}

func (k *filmComparer) close() error {
	_, err := k.src.Next()
	_ = k.file.Close()
	switch {
	case err == nil:
		return fmt.Errorf("%w: %s goes on after frame %d", ErrReadBack, k.name, k.n)
	case !errors.Is(err, io.EOF):
		return fmt.Errorf("%w: %s, after frame %d: %w", ErrReadBack, k.name, k.n, err)
	}
	return nil
}
