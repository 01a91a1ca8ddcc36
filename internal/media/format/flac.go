package format

import (
	"bufio"
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // FLAC's own checksum, RFC 9639 §8.2; integrity is SHA-256's business
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/mewkiz/flac"
	flacframe "github.com/mewkiz/flac/frame"
	"github.com/mewkiz/flac/meta"

	"github.com/recorderbot/recorderbot/internal/media/frame"
)

const (
	blockSamples = 4096 // RFC 9639 §9.1.1; what flac(1) uses
	// streamInfoAt and streamInfoSize: the STREAMINFO block's body follows the
	// signature and the block's header (RFC 9639 §6, §8.1).
	streamInfoAt   = 4 + 4
	streamInfoSize = 34
)

// MaxSamples is how many samples a FLAC can say it holds: 36 bits (RFC 9639
// §8.2), 49 days of them.
const MaxSamples = 1<<36 - 1

// ErrFLACTooLong is returned for more samples than [MaxSamples].
var ErrFLACTooLong = errors.New("more samples than a flac can hold")

// A Tag is a Vorbis comment, for example {"ARTIST", "Anna"}.
type Tag struct{ Name, Value string }

// A FLACWriter encodes samples. It is not safe for concurrent use.
type FLACWriter struct {
	dst     io.WriteSeeker
	out     *counter
	enc     *flac.Encoder
	frame   flacframe.Frame
	sub     flacframe.Subframe
	samples []int32 // up to blockSamples that wait
	total   uint64
	// smallest and largest are the sizes of encoded frames, in bytes.
	smallest, largest uint32
	sum               hash.Hash
	pcm               []byte
}

// counter counts bytes on their way into a buffer.
type counter struct {
	*bufio.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.n += int64(n)
	return n, err
}

// NewFLACWriter begins a FLAC at the start of dst, which must be empty. The
// writer seeks in it when it is closed; it never closes it.
func NewFLACWriter(dst io.WriteSeeker, tags []Tag) (*FLACWriter, error) {
	w := &FLACWriter{
		dst: dst, out: &counter{Writer: bufio.NewWriterSize(dst, 32<<10)},
		samples: make([]int32, 0, blockSamples), pcm: make([]byte, 2*blockSamples),
		sum: md5.New(), //nolint:gosec // see the import
	}
	w.frame.Subframes = []*flacframe.Subframe{&w.sub}
	comment := &meta.VorbisComment{Vendor: "recorderbot"}
	for _, t := range tags {
		if err := t.check(); err != nil {
			return nil, err
		}
		comment.Tags = append(comment.Tags, [2]string{t.Name, t.Value})
	}
	info := &meta.StreamInfo{
		BlockSizeMin: blockSamples, BlockSizeMax: blockSamples,
		SampleRate: frame.SampleRate, NChannels: 1, BitsPerSample: 16,
	}
	var err error
	w.enc, err = flac.NewEncoder(w.out, info, &meta.Block{
		// The library computes the length, but takes 0 for an empty block.
		Header: meta.Header{Type: meta.TypeVorbisComment, Length: 1}, Body: comment,
	})
	if err != nil {
		return nil, fmt.Errorf("beginning flac: %w", err)
	}
	w.enc.EnablePredictionAnalysis(true)
	return w, nil
}

// check holds a tag to RFC 9639 §8.6: names are printable ASCII without "=".
func (t Tag) check() error {
	for _, c := range []byte(t.Name) {
		if c < 0x20 || c > 0x7d || c == '=' {
			return fmt.Errorf("flac tag name %q: byte %#x is not allowed", t.Name, c)
		}
	}
	if t.Name == "" || len(t.Name)+len(t.Value) > 64<<10 {
		return fmt.Errorf("flac tag name %q: empty, or name and value of more than 64 KiB", t.Name)
	}
	return nil
}

// PCM appends samples, given as s16le. Beyond [MaxSamples] it is [ErrFLACTooLong], and
// nothing is appended.
func (w *FLACWriter) PCM(pcm []byte) error {
	if len(pcm)%2 != 0 {
		return fmt.Errorf("encoding flac: %d bytes are no whole number of samples", len(pcm))
	}
	if err := w.room(int64(len(pcm) / 2)); err != nil {
		return err
	}
	for ; len(pcm) > 0; pcm = pcm[2:] {
		w.samples = append(w.samples, int32(int16(binary.LittleEndian.Uint16(pcm)))) //nolint:gosec // s16le
		if len(w.samples) == blockSamples {
			if err := w.block(); err != nil {
				return err
			}
		}
	}
	return nil
}

// Silence appends n samples of digital silence. A day of it takes a while: ctx
// ends it between two blocks. Beyond [MaxSamples] it is [ErrFLACTooLong], and nothing is
// appended.
func (w *FLACWriter) Silence(ctx context.Context, n int64) error {
	if err := w.room(n); err != nil {
		return err
	}
	for n > 0 {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("encoding silence: %w", err)
		}
		k := min(n, int64(blockSamples-len(w.samples)))
		from := len(w.samples)
		w.samples = w.samples[:from+int(k)]
		clear(w.samples[from:])
		n -= k
		if len(w.samples) == blockSamples {
			if err := w.block(); err != nil {
				return err
			}
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

// block encodes what waits.
func (w *FLACWriter) block() error {
	n := len(w.samples)
	for i, s := range w.samples {
		binary.LittleEndian.PutUint16(w.pcm[2*i:], uint16(s)) //nolint:gosec // low half is the sample
	}
	_, _ = w.sum.Write(w.pcm[:2*n]) // a hash never fails
	w.frame.Header = flacframe.Header{
		HasFixedBlockSize: true, BlockSize: uint16(n), //nolint:gosec // at most blockSamples
		SampleRate: frame.SampleRate, Channels: flacframe.ChannelsMono, BitsPerSample: 16,
	}
	w.sub = flacframe.Subframe{
		SubHeader: flacframe.SubHeader{Pred: w.prediction()}, Samples: w.samples, NSamples: n,
	}
	before := w.out.n
	if err := w.enc.WriteFrame(&w.frame); err != nil {
		return fmt.Errorf("encoding flac: %w", err)
	}
	size := uint32(w.out.n - before) //nolint:gosec // a frame is some kilobytes
	if w.smallest == 0 || size < w.smallest {
		w.smallest = size
	}
	w.largest = max(w.largest, size)
	w.total += uint64(n)
	w.samples = w.samples[:0]
	return nil
}

// prediction leaves the choice to the library, but for a block of one value: it
// would compute all the others first, and a gap may be a day of them.
func (w *FLACWriter) prediction() flacframe.Pred {
	for _, s := range w.samples[1:] {
		if s != w.samples[0] {
			return flacframe.PredVerbatim // to be analysed
		}
	}
	return flacframe.PredConstant
}

// Close encodes what waits and completes the header: number of samples and MD5.
// A crash before its end leaves a file that says 0 samples. It neither syncs nor
// closes the destination.
func (w *FLACWriter) Close() error {
	if len(w.samples) > 0 {
		if err := w.block(); err != nil {
			return err
		}
	}
	if err := w.out.Flush(); err != nil {
		return fmt.Errorf("writing flac: %w", err)
	}
	if _, err := w.dst.Seek(streamInfoAt, io.SeekStart); err != nil {
		return fmt.Errorf("completing flac header: %w", err)
	}
	if _, err := w.dst.Write(w.streamInfo()); err != nil {
		return fmt.Errorf("completing flac header: %w", err)
	}
	if _, err := w.dst.Seek(0, io.SeekEnd); err != nil {
		return fmt.Errorf("completing flac header: %w", err)
	}
	return nil
}

// streamInfo is the body of the STREAMINFO block (RFC 9639 §8.2). The library's
// own would take a short last block for the smallest block size, which the RFC
// excludes, and leaves the frame sizes unknown.
func (w *FLACWriter) streamInfo() []byte {
	const channels, bits = 1, 16
	b := make([]byte, 0, streamInfoSize)
	b = binary.BigEndian.AppendUint16(b, blockSamples)
	b = binary.BigEndian.AppendUint16(b, blockSamples)
	b = append(b, byte(w.smallest>>16), byte(w.smallest>>8), byte(w.smallest)) //nolint:gosec // 24 bits, bytewise
	b = append(b, byte(w.largest>>16), byte(w.largest>>8), byte(w.largest))    //nolint:gosec // 24 bits, bytewise
	b = binary.BigEndian.AppendUint64(b, frame.SampleRate<<44|(channels-1)<<41|(bits-1)<<36|w.total)
	return w.sum.Sum(b)
}

// Samples returns how many samples were given so far.
func (w *FLACWriter) Samples() int64 {
	return int64(w.total) + int64(len(w.samples)) //nolint:gosec // a count of samples
}

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
