package format

import (
	"bytes"
	"crypto/md5" //nolint:gosec // FLAC's own checksum, RFC 9639 §8.2; integrity is SHA-256's business
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/mewkiz/flac"
	"github.com/mewkiz/flac/meta"

	"github.com/recorderbot/recorderbot/internal/media/frame"
)

// A FLACReader decodes samples and checks them. It is not safe for concurrent
// use.
type FLACReader struct {
	stream *flac.Stream
	tags   []Tag
	left   []int32
	read   uint64
	sum    hash.Hash
	done   bool
}

// Errors of a FLACReader.
var (
	// ErrFormat: a FLAC, but not 16 kHz, 16 bit, one channel.
	ErrFormat = errors.New("not 16 kHz, 16 bit, one channel")
	// ErrUnfinished: the header names no samples, or another number than there
	// are: the writer was never closed, or the file was cut.
	ErrUnfinished = errors.New("number of samples differs from the header's")
	// ErrChecksum: the samples are not those that were written.
	ErrChecksum = errors.New("samples differ from the header's md5")
)

// NewFLACReader reads the header of a FLAC.
func NewFLACReader(src io.Reader) (*FLACReader, error) {
	s, err := flac.Parse(src)
	if err != nil {
		return nil, fmt.Errorf("reading flac header: %w", err)
	}
	if s.Info.SampleRate != frame.SampleRate || s.Info.NChannels != 1 || s.Info.BitsPerSample != 16 {
		return nil, fmt.Errorf("reading flac header: %w but %d Hz, %d bit, %d channels",
			ErrFormat, s.Info.SampleRate, s.Info.BitsPerSample, s.Info.NChannels)
	}
	r := &FLACReader{stream: s, sum: md5.New()} //nolint:gosec // see the import
	for _, b := range s.Blocks {
		if c, ok := b.Body.(*meta.VorbisComment); ok {
			for _, t := range c.Tags {
				r.tags = append(r.tags, Tag{t[0], t[1]})
			}
		}
	}
	return r, nil
}

// Samples returns how many samples the header promises.
func (r *FLACReader) Samples() int64 { return int64(r.stream.Info.NSamples) } //nolint:gosec // 36 bits

// Tags returns the Vorbis comments, in order.
func (r *FLACReader) Tags() []Tag { return r.tags }

// Read decodes samples as s16le into pcm, whose length must be even. Like any
// io.Reader it may fill less of it. At the end it returns io.EOF, but only if
// number and MD5 of the samples are the header's.
func (r *FLACReader) Read(pcm []byte) (int, error) {
	if len(pcm)%2 != 0 {
		return 0, fmt.Errorf("decoding flac into %d bytes: %w", len(pcm), io.ErrShortBuffer)
	}
	for len(r.left) == 0 {
		if err := r.next(); err != nil {
			return 0, err
		}
	}
	n := 0
	for n+2 <= len(pcm) && len(r.left) > 0 {
		binary.LittleEndian.PutUint16(pcm[n:], uint16(r.left[0])) //nolint:gosec // low half is the sample
		r.left = r.left[1:]
		n += 2
	}
	_, _ = r.sum.Write(pcm[:n]) // a hash never fails
	return n, nil
}

// next decodes a frame.
func (r *FLACReader) next() error {
	if r.done {
		return io.EOF
	}
	f, err := r.stream.ParseNext()
	if err == io.EOF { //nolint:errorlint // the library returns it bare at the end, wrapped inside a frame
		return r.finish()
	}
	if err != nil {
		return fmt.Errorf("decoding flac after %d samples: %w", r.read, err)
	}
	if len(f.Subframes) != 1 || f.BitsPerSample != 0 && f.BitsPerSample != 16 {
		return fmt.Errorf("decoding flac after %d samples: %w", r.read, ErrFormat)
	}
	r.left = f.Subframes[0].Samples
	if r.read += uint64(len(r.left)); r.read > r.stream.Info.NSamples {
		return fmt.Errorf("decoding flac: %w: more than %d", ErrUnfinished, r.stream.Info.NSamples)
	}
	return nil
}

func (r *FLACReader) finish() error {
	if r.read != r.stream.Info.NSamples {
		return fmt.Errorf("decoding flac: %w: %d, not %d", ErrUnfinished, r.read, r.stream.Info.NSamples)
	}
	if !bytes.Equal(r.sum.Sum(nil), r.stream.Info.MD5sum[:]) {
		return fmt.Errorf("decoding flac: %w", ErrChecksum)
	}
	r.done = true
	return io.EOF
}
