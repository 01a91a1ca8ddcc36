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

// restFile names the file of those frames of a track that its mp4 can't hold: who has the
// recording before can decode them behind it.
func restFile(id string) string { return id + "-rest.h264" }

// A filmSink writes a track of video, undecoded.
type filmSink struct {
	film
	file *durable.Hidden
	rest *rawSink // of the frames that can't be shown; nil: there are none
}

func (a *assembly) openFilm(id string, file *durable.Hidden) (sink, error) {
	w, err := mp4.NewSeekWriter(file, mp4.Options{Title: a.job.Recording + " " + id, Created: a.survey.started()})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("beginning track %s: %w", id, err), file.Discard())
	}
	k := &filmSink{film: a.film(w), file: file}
	if a.films[id].Undecodable.Frames > 0 {
		rest, err := durable.CreateHidden(filepath.Join(a.hidden, restFile(id)), filePerm)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("beginning the rest of track %s: %w", id, err), file.Discard())
		}
		k.rest = newRawSink(rest)
	}
	return k, nil
}

func (k *filmSink) silence(context.Context, int64) error { return nil }

func (k *filmSink) abandon() {
	_ = k.file.Discard()
	if k.rest != nil {
		k.rest.abandon()
	}
}

func (k *filmSink) payload(rec spool.Record, gap bool) error {
	_, r, err := k.frame(rec, gap)
	if err == nil && r.Verdict == mp4.Undecodable && k.rest != nil { // the preview saw the same
		err = k.rest.payload(rec, gap)
	}
	return err
}

func (k *filmSink) close() error {
	if err := k.w.Close(0); err != nil {
		return fmt.Errorf("writing video: %w", err)
	}
	if k.rest != nil {
		if err := k.rest.close(); err != nil {
			return err
		}
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
	rest *comparer // of what the file does not hold; nil: nothing
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
	k := &filmComparer{film: a.film(w), name: name, file: file, src: src, zero: a.films[id].Zero}
	if a.films[id].Undecodable.Frames > 0 {
		if k.rest, err = a.rawComparer(restFile(id)); err != nil {
			return nil, errors.Join(err, file.Close())
		}
	}
	return k, nil
}

func (k *filmComparer) silence(context.Context, int64) error { return nil }

func (k *filmComparer) abandon() {
	_ = k.file.Close()
	if k.rest != nil {
		k.rest.abandon()
	}
}

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
		if k.rest != nil {
			return k.rest.payload(rec, gap)
		}
		return fmt.Errorf("%w: %s: a frame can't be shown, and was looked for in no file", ErrReadBack, k.name)
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
	if k.rest != nil {
		if bad := k.rest.close(); bad != nil {
			return bad
		}
	}
	switch {
	case err == nil:
		return fmt.Errorf("%w: %s goes on after frame %d", ErrReadBack, k.name, k.n)
	case !errors.Is(err, io.EOF):
		return fmt.Errorf("%w: %s, after frame %d: %w", ErrReadBack, k.name, k.n, err)
	}
	return nil
}
