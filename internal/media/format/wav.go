package format

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/recorderbot/recorderbot/internal/media/frame"
)

const (
	wavHeader = 44
	// maxWAV is what a RIFF's 32-bit sizes can say: 37 hours.
	maxWAV = (math.MaxUint32 - (wavHeader - 8)) / 2
)

// ErrTooLong is returned for more samples than a WAV can hold.
var ErrTooLong = errors.New("a wav holds at most 37 hours; use the flac")

// WriteWAV copies samples, s16le, from src to dst as a WAV. The number of
// samples goes first, so it must be known; a source that has fewer or more is an
// error, and what was written then is no WAV.
func WriteWAV(dst io.Writer, src io.Reader, samples int64) error {
	if samples < 0 || samples > maxWAV {
		return fmt.Errorf("writing wav of %d samples: %w", samples, ErrTooLong)
	}
	size := uint32(2 * samples)
	h := make([]byte, 0, wavHeader)
	h = append(h, "RIFF"...)
	h = binary.LittleEndian.AppendUint32(h, wavHeader-8+size)
	h = append(h, "WAVEfmt "...)
	h = binary.LittleEndian.AppendUint32(h, 16)
	h = binary.LittleEndian.AppendUint16(h, 1) // PCM
	h = binary.LittleEndian.AppendUint16(h, 1) // channels
	h = binary.LittleEndian.AppendUint32(h, frame.SampleRate)
	h = binary.LittleEndian.AppendUint32(h, 2*frame.SampleRate)
	h = binary.LittleEndian.AppendUint16(h, 2)
	h = binary.LittleEndian.AppendUint16(h, 16)
	h = append(h, "data"...)
	h = binary.LittleEndian.AppendUint32(h, size)
	if _, err := dst.Write(h); err != nil {
		return fmt.Errorf("writing wav: %w", err)
	}
	// The source is read to its end: a longer one shows itself, and one that
	// checks itself at its end (FLACReader) does. Even reads suit both.
	n, err := io.CopyBuffer(struct{ io.Writer }{dst}, struct{ io.Reader }{src}, make([]byte, 32<<10))
	if err != nil {
		return fmt.Errorf("writing wav: %w", err)
	}
	if n != 2*samples {
		return fmt.Errorf("writing wav: %d bytes of samples came, not %d: %w", n, 2*samples, ErrUnfinished)
	}
	return nil
}

// A WAVError says what is wrong with a WAV.
type WAVError struct {
	Offset int64 // where the faulty part begins, in bytes
	Fault  string
}

// Error names the fault and its place.
func (e *WAVError) Error() string { return fmt.Sprintf("wav, byte %d: %s", e.Offset, e.Fault) }

// ReadWAV reads a WAV's header and returns its samples, s16le, and their number.
// It takes 16 kHz, 16 bit, one channel only. The reader fails with
// io.ErrUnexpectedEOF where the file is shorter than it says.
func ReadWAV(src io.Reader) (samples io.Reader, n int64, err error) {
	b := make([]byte, 12)
	if err := readFull(src, b, 0); err != nil {
		return nil, 0, err
	}
	if string(b[:4]) != "RIFF" || string(b[8:]) != "WAVE" {
		return nil, 0, &WAVError{0, "not a RIFF of type WAVE"}
	}
	known := false
	for at := int64(12); ; {
		if err := readFull(src, b[:8], at); err != nil {
			return nil, 0, err
		}
		size := int64(binary.LittleEndian.Uint32(b[4:]))
		switch string(b[:4]) {
		case "fmt ":
			if err := readFormat(src, size, at); err != nil {
				return nil, 0, err
			}
			known = true
		case "data":
			switch {
			case !known:
				return nil, 0, &WAVError{at, "samples before their format"}
			case size%2 != 0:
				return nil, 0, &WAVError{at, "half a sample"}
			}
			return &exact{src, size}, size / 2, nil
		default: // LIST and the like
			if skipped, err := io.CopyN(io.Discard, src, size+size%2); err != nil {
				return nil, 0, &WAVError{at, fmt.Sprintf("chunk of %d bytes ends after %d", size, skipped)}
			}
		}
		at += 8 + size + size%2
	}
}

func readFull(src io.Reader, b []byte, at int64) error {
	if _, err := io.ReadFull(src, b); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return &WAVError{at, "the file ends before its samples"}
		}
		return fmt.Errorf("reading wav: %w", err)
	}
	return nil
}

func readFormat(src io.Reader, size, at int64) error {
	if size < 16 || size > 64 {
		return &WAVError{at, fmt.Sprintf("format of %d bytes", size)}
	}
	b := make([]byte, size+size%2)
	if err := readFull(src, b, at); err != nil {
		return err
	}
	codec, channels := binary.LittleEndian.Uint16(b), binary.LittleEndian.Uint16(b[2:])
	rate, bits := binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint16(b[14:])
	if codec != 1 || channels != 1 || rate != frame.SampleRate || bits != 16 {
		return &WAVError{at, fmt.Sprintf("codec %d, %d channels, %d Hz, %d bit; need PCM (1), one channel, 16 kHz, 16 bit",
			codec, channels, rate, bits)}
	}
	return nil
}

// exact reads n bytes, neither more nor fewer.
type exact struct {
	src io.Reader
	n   int64
}

func (e *exact) Read(p []byte) (int, error) {
	if e.n == 0 {
		return 0, io.EOF
	}
	n, err := e.src.Read(p[:min(int64(len(p)), e.n)])
	e.n -= int64(n)
	if errors.Is(err, io.EOF) {
		err = nil
		if e.n > 0 {
			err = io.ErrUnexpectedEOF
		}
	}
	return n, err
}
