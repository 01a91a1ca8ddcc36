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
	"github.com/recorderbot/recorderbot/internal/media/quality"
	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/media/timeline"
)

// openTracks bounds the files that are open at a time; a recording with more
// tracks takes more passes over the spool.
const openTracks = 32

// A sink takes one track's media: a file in the making, or one that is compared.
type sink interface {
	silence(ctx context.Context, samples int64) error // may be a day: it heeds ctx
	payload(r spool.Record, gap bool) error           // gap: something is missing before it
	close() error                                     // whole, or an error
	abandon()                                         // after an error of any sink
}

// pour is one pass over the spool: it lays the payloads of the tracks from..to
// out as the timeline says.
func pour(ctx context.Context, j *Job, s *survey, from, to int, open func(t *timeline.Track) (sink, error)) (err error) {
	sinks := make([]sink, len(s.summary.Tracks))
	defer func() {
		for _, k := range sinks {
			if err != nil && k != nil {
				k.abandon()
			}
		}
	}()
	for i := from; i < to; i++ {
		if sinks[i], err = open(&s.summary.Tracks[i]); err != nil {
			return err
		}
	}
	cursor := timeline.NewCursor(s.summary)
	for r, err := range j.records(ctx, ignore) {
		if err == nil && r.Type == spool.FrameType {
			err = lay(ctx, cursor, sinks, r)
		}
		if err != nil {
			return fmt.Errorf("copying media: %w", err)
		}
	}
	for i, k := range sinks {
		if k == nil {
			continue
		}
		if err := k.silence(ctx, cursor.Rest(i)); err != nil {
			return fmt.Errorf("filling the end: %w", err)
		}
		if err := k.close(); err != nil {
			return err
		}
	}
	return nil
}

func lay(ctx context.Context, cursor *timeline.Cursor, sinks []sink, r spool.Record) error {
	i, silence, ok := cursor.Next(r.Header)
	if !ok || sinks[i] == nil {
		return nil
	}
	if silence > 0 {
		if err := sinks[i].silence(ctx, silence); err != nil {
			return err
		}
	}
	return sinks[i].payload(r, cursor.Gap())
}

// A flacSink writes a track of audio.
type flacSink struct {
	file *durable.Hidden
	flac *format.FLACWriter
	want int64

	meter *quality.Meter
}

// A rawSink writes a track of video of which no frame can be shown, as it came: H.264,
// Annex B. Gaps leave no trace in it; the manifest counts them.
type rawSink struct {
	file *durable.Hidden
	buf  *bufio.Writer
}

func newRawSink(file *durable.Hidden) *rawSink {
	return &rawSink{file, bufio.NewWriterSize(file, 64<<10)}
}

func (a *assembly) openSink(t *timeline.Track) (sink, error) {
	id, name := a.trackFile(t)
	file, err := durable.CreateHidden(filepath.Join(a.hidden, name), filePerm)
	if err != nil {
		return nil, fmt.Errorf("beginning track %s: %w", id, err)
	}
	if _, shown := a.films[id]; shown {
		return a.openFilm(id, file)
	}
	if !t.Kind.Audio() {
		return newRawSink(file), nil
	}
	flac, err := format.NewFLACWriterSized(file, a.tagsOf(id, t), t.Samples)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("beginning track %s: %w", id, err), file.Discard())
	}
	if a.meters == nil {
		a.meters = map[string]*quality.Meter{}
	}
	a.meters[id] = &quality.Meter{}
	return &flacSink{file, flac, t.Samples, a.meters[id]}, nil
}

func (k *flacSink) silence(ctx context.Context, n int64) error {
	k.meter.Silence(n)
	return k.flac.Silence(ctx, n)
}

func (k *flacSink) payload(r spool.Record, _ bool) error {
	k.meter.Add(r.Payload)
	return k.flac.PCM(r.Payload)
}

func (k *flacSink) abandon() { _ = k.file.Discard() }

func (k *flacSink) close() error {
	if n := k.flac.Samples(); n != k.want {
		return fmt.Errorf("%w: the spool gave %d samples in one pass and %d in another", ErrReadBack, k.want, n)
	}
	if err := k.flac.Close(); err != nil {
		return err
	}
	return k.file.Commit()
}

func (k *rawSink) silence(context.Context, int64) error { return nil }
func (k *rawSink) payload(r spool.Record, _ bool) error {
	_, err := k.buf.Write(r.Payload)
	return err
}
func (k *rawSink) abandon() { _ = k.file.Discard() }

func (k *rawSink) close() error {
	if err := k.buf.Flush(); err != nil {
		return fmt.Errorf("writing video: %w", err)
	}
	return k.file.Commit()
}

// A comparer holds a file against the spool.
type comparer struct {
	name string
	file *os.File
	src  io.Reader
	buf  []byte
	at   int64 // bytes compared
	raw  bool
}

func (a *assembly) openComparer(t *timeline.Track) (sink, error) {
	id, name := a.trackFile(t)
	if _, shown := a.films[id]; shown {
		return a.openFilmComparer(id, name)
	}
	c, err := a.rawComparer(name)
	switch {
	case err != nil:
		return nil, err
	case !t.Kind.Audio():
		return c, nil
	}
	flac, err := format.NewFLACReader(c.file)
	if err != nil {
		c.abandon()
		return nil, fmt.Errorf("reading back %s: %w", name, err)
	}
	c.src, c.raw = flac, false
	return c, nil
}

// rawComparer compares a file that holds what came as it came.
func (a *assembly) rawComparer(name string) (*comparer, error) {
	file, err := os.Open(filepath.Join(a.hidden, name)) //nolint:gosec // G304: a folder of ours
	if err != nil {
		return nil, fmt.Errorf("reading back: %w", err)
	}
	return &comparer{name: name, file: file, src: bufio.NewReaderSize(file, 64<<10), buf: make([]byte, frame.AudioBytes), raw: true}, nil
}

func (c *comparer) silence(ctx context.Context, samples int64) error {
	if c.raw {
		return nil
	}
	zero := make([]byte, frame.AudioBytes)
	for left := 2 * samples; left > 0; {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("reading back silence: %w", err)
		}
		n := min(left, int64(len(zero)))
		if err := c.equal(zero[:n]); err != nil {
			return err
		}
		left -= n
	}
	return nil
}

func (c *comparer) payload(r spool.Record, _ bool) error { return c.equal(r.Payload) }

func (c *comparer) equal(want []byte) error {
	for len(want) > 0 {
		n := min(len(want), len(c.buf))
		if _, err := io.ReadFull(c.src, c.buf[:n]); err != nil {
			return fmt.Errorf("%w: %s, byte %d of its media: %w", ErrReadBack, c.name, c.at, err)
		}
		if !bytes.Equal(c.buf[:n], want[:n]) {
			return fmt.Errorf("%w: %s, byte %d of its media", ErrReadBack, c.name, c.at)
		}
		c.at += int64(n)
		want = want[n:]
	}
	return nil
}

func (c *comparer) close() error {
	n, err := io.ReadFull(c.src, c.buf[:2])
	_ = c.file.Close()
	switch {
	case n != 0:
		return fmt.Errorf("%w: %s goes on after byte %d of its media", ErrReadBack, c.name, c.at)
	case !errors.Is(err, io.EOF):
		return fmt.Errorf("%w: %s, byte %d of its media: %w", ErrReadBack, c.name, c.at, err)
	}
	return nil
}

func (c *comparer) abandon() { _ = c.file.Close() }
