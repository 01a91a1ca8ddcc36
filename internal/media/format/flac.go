package format

import (
	"bufio"
	"context"
	"crypto/md5" //nolint:gosec // FLAC's own checksum, RFC 9639 §8.2; integrity is SHA-256's business
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
)

// MaxSamples is how many samples a FLAC can say it holds: 36 bits (RFC 9639
// §8.2), 49 days of them.
const MaxSamples = 1<<36 - 1

// ErrFLACTooLong is returned for more samples than [MaxSamples].
var ErrFLACTooLong = errors.New("more samples than a flac can hold")

// A FLACWriter encodes samples. It is not safe for concurrent use. Once its
// destination has failed it is spent: Close returns that error again.
type FLACWriter struct {
	dst io.WriteSeeker
	out *bufio.Writer
	enc *frameEncoder
	n   int // samples in enc.samples that wait
	// total counts samples of frames, at counts their bytes.
	total, at int64
	// smallest and largest are the sizes of encoded frames, in bytes.
	smallest, largest uint32
	seek              seekTable
	sum               hash.Hash
	zeros             []byte
}

// NewFLACWriter begins a FLAC at the start of dst, which must be empty. The
// writer seeks in it when it is closed; it never closes it. Where the length is
// known, [NewFLACWriterSized] makes a better seek table.
func NewFLACWriter(dst io.WriteSeeker, tags []Tag) (*FLACWriter, error) {
	return NewFLACWriterSized(dst, tags, unknownLength)
}

// NewFLACWriterSized is NewFLACWriter for about so many samples: the seek table
// has a point for every ten seconds of them, at most 4096. With fewer samples,
// points stay empty; with more, they are 20 seconds apart, or 40, and so on.
func NewFLACWriterSized(dst io.WriteSeeker, tags []Tag, samples int64) (*FLACWriter, error) {
	w := &FLACWriter{
		dst: dst, out: bufio.NewWriterSize(dst, 32<<10), enc: newFrameEncoder(),
		seek: newSeekTable(samples), zeros: make([]byte, 2*blockSamples),
		sum: md5.New(), //nolint:gosec // see the import
	}
	head := append(make([]byte, 0, 1024), "fLaC"...)
	head = w.streamInfo(appendBlock(head, blockStreamInfo, streamInfoSize), make([]byte, md5.Size))
	head = w.seek.append(appendBlock(head, blockSeekTable, w.seek.size()))
	head, err := appendTags(head, tags)
	if err != nil {
		return nil, err
	}
	_, err = w.out.Write(head)
	if err != nil {
		return nil, fmt.Errorf("beginning flac: %w", err)
	}
	return w, nil
}

// PCM appends samples, given as s16le. Beyond [MaxSamples] it is
// [ErrFLACTooLong], and nothing is appended.
func (w *FLACWriter) PCM(pcm []byte) error {
	if len(pcm)%2 != 0 {
		return fmt.Errorf("encoding flac: %d bytes are no whole number of samples", len(pcm))
	}
	if err := w.room(int64(len(pcm) / 2)); err != nil {
		return err
	}
	_, _ = w.sum.Write(pcm) // a hash never fails
	for len(pcm) > 0 {
		to := w.enc.samples[maxOrder+w.n:]
		k := min(len(to), len(pcm)/2)
		for i := range to[:k] {
			to[i] = int32(int16(binary.LittleEndian.Uint16(pcm[2*i:]))) //nolint:gosec // s16le
		}
		pcm = pcm[2*k:]
		if err := w.fill(k); err != nil {
			return err
		}
	}
	return nil
}

// Silence appends n samples of digital silence. A day of it takes a while: ctx
// ends it between two blocks. Beyond [MaxSamples] it is [ErrFLACTooLong], and
// nothing is appended.
func (w *FLACWriter) Silence(ctx context.Context, n int64) error {
	if err := w.room(n); err != nil {
		return err
	}
	for n > 0 {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("encoding silence: %w", err)
		}
		k := int(min(n, int64(blockSamples-w.n)))
		_, _ = w.sum.Write(w.zeros[:2*k]) // a hash never fails
		clear(w.enc.samples[maxOrder+w.n:][:k])
		n -= int64(k)
		if err := w.fill(k); err != nil {
			return err
		}
	}
	return nil
}

// room reports an error where n more samples are too many.
func (w *FLACWriter) room(n int64) error {
	if have := w.Samples(); n > MaxSamples-have {
		return fmt.Errorf("encoding flac: %w: %d and %d", ErrFLACTooLong, have, n)
	}
	return nil
}

// fill counts k more samples that wait, and encodes them when they are a block.
func (w *FLACWriter) fill(k int) error {
	if w.n += k; w.n < blockSamples {
		return nil
	}
	return w.block()
}

// block encodes what waits.
func (w *FLACWriter) block() error {
	b := w.enc.frame(uint32(w.total/blockSamples), w.n) //nolint:gosec // 26 bits
	w.seek.add(seekPoint{w.total, w.at, w.n})
	if _, err := w.out.Write(b); err != nil {
		return fmt.Errorf("writing flac: %w", err)
	}
	size := uint32(len(b)) //nolint:gosec // at most maxFrame
	if w.smallest == 0 || size < w.smallest {
		w.smallest = size
	}
	w.largest = max(w.largest, size)
	w.total += int64(w.n)
	w.at += int64(len(b))
	w.n = 0
	return nil
}

// Close encodes what waits and completes the header: seek table, then number of
// samples and MD5. A crash before its end leaves a file that says 0 samples. It
// neither syncs nor closes the destination.
func (w *FLACWriter) Close() error {
	if w.n > 0 {
		if err := w.block(); err != nil {
			return err
		}
	}
	if err := w.out.Flush(); err != nil {
		return fmt.Errorf("writing flac: %w", err)
	}
	err := w.rewrite(seekTableAt, w.seek.append(nil))
	if err == nil {
		err = w.rewrite(streamInfoAt, w.streamInfo(nil, w.sum.Sum(nil)))
	}
	if err == nil {
		_, err = w.dst.Seek(0, io.SeekEnd)
	}
	if err != nil {
		return fmt.Errorf("completing flac header: %w", err)
	}
	return nil
}

func (w *FLACWriter) rewrite(at int64, b []byte) error {
	if _, err := w.dst.Seek(at, io.SeekStart); err != nil {
		return err
	}
	_, err := w.dst.Write(b)
	return err
}

// Samples returns how many samples were given so far.
func (w *FLACWriter) Samples() int64 { return w.total + int64(w.n) }
