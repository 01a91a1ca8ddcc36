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
	wavHeader  = 44
	rf64Header = wavHeader + 8 + ds64Size
	ds64Size   = 28
	// inDS64 in place of a 32-bit size says that the ds64 chunk has it (EBU Tech
	// 3306 §3).
	inDS64 = math.MaxUint32
	// maxRIFF is how many samples the 32-bit sizes of a RIFF can say: 37 hours.
	maxRIFF = (math.MaxUint32 - (wavHeader - 8)) / 2
	maxWAV  = (math.MaxInt64 - rf64Header) / 2
)

// ErrWAVSamples is returned for a number of samples that no WAV can hold.
var ErrWAVSamples = errors.New("no number of samples of a wav")

// WriteWAV copies samples, s16le, from src to dst as a WAV; beyond 4 GiB as an
// RF64 (EBU Tech 3306), which players of large WAVs read alike. The number of
// samples goes first, so it must be known; a source that has fewer or more is an
// error, and what was written then is no WAV.
func WriteWAV(dst io.Writer, src io.Reader, samples int64) error {
	if samples < 0 || samples > maxWAV {
		return fmt.Errorf("writing wav: %w: %d", ErrWAVSamples, samples)
	}
	if _, err := dst.Write(wavHead(uint64(samples))); err != nil {
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

// wavHead is all that goes before the samples.
func wavHead(samples uint64) []byte {
	h := make([]byte, 0, rf64Header)
	data := uint32(inDS64)
	if samples <= maxRIFF {
		data = uint32(2 * samples)
		h = append(h, "RIFF"...)
		h = binary.LittleEndian.AppendUint32(h, wavHeader-8+data)
		h = append(h, "WAVE"...)
	} else {
		h = append(h, "RF64"...)
		h = binary.LittleEndian.AppendUint32(h, inDS64)
		h = append(h, "WAVEds64"...)
		h = binary.LittleEndian.AppendUint32(h, ds64Size)
		h = binary.LittleEndian.AppendUint64(h, rf64Header-8+2*samples) // of the file
		h = binary.LittleEndian.AppendUint64(h, 2*samples)              // of the data chunk
		h = binary.LittleEndian.AppendUint64(h, samples)
		h = binary.LittleEndian.AppendUint32(h, 0) // no other large chunks
	}
	h = append(h, "fmt "...)
	h = binary.LittleEndian.AppendUint32(h, 16)
	h = binary.LittleEndian.AppendUint16(h, 1) // PCM
	h = binary.LittleEndian.AppendUint16(h, 1) // channels
	h = binary.LittleEndian.AppendUint32(h, frame.SampleRate)
	h = binary.LittleEndian.AppendUint32(h, 2*frame.SampleRate)
	h = binary.LittleEndian.AppendUint16(h, 2)
	h = binary.LittleEndian.AppendUint16(h, 16)
	h = append(h, "data"...)
	return binary.LittleEndian.AppendUint32(h, data)
}

// A WAVError says what is wrong with a WAV.
type WAVError struct {
	Offset int64 // where the faulty part begins, in bytes
	Fault  string
}

// Error names the fault and its place.
func (e *WAVError) Error() string { return fmt.Sprintf("wav, byte %d: %s", e.Offset, e.Fault) }

// ReadWAV reads a WAV's or RF64's header and returns its samples, s16le, and
// their number. It takes 16 kHz, 16 bit, one channel only. The reader fails with
// io.ErrUnexpectedEOF where the file is shorter than it says.
func ReadWAV(src io.Reader) (samples io.Reader, n int64, err error) {
	b := make([]byte, 12)
	if err = readFull(src, b, 0); err != nil {
		return nil, 0, err
	}
	riff, large := string(b[:4]) == "RIFF", string(b[:4]) == "RF64"
	if !riff && !large || string(b[8:]) != "WAVE" {
		return nil, 0, &WAVError{0, "not a RIFF or RF64 of type WAVE"}
	}
	known, data := false, int64(-1)
	for at := int64(12); ; {
		if err = readFull(src, b[:8], at); err != nil {
			return nil, 0, err
		}
		size := int64(binary.LittleEndian.Uint32(b[4:]))
		switch kind := string(b[:4]); {
		case kind == "fmt ":
			if err = readFormat(src, size, at); err != nil {
				return nil, 0, err
			}
			known = true
		case kind == "ds64" && large:
			if data, err = readDS64(src, size, at); err != nil {
				return nil, 0, err
			}
		case kind == "data":
			if large && size == inDS64 {
				size = data
			}
			if fault := dataFault(known, size); fault != "" {
				return nil, 0, &WAVError{at, fault}
			}
			return &exact{src, size}, size / 2, nil
		default: // LIST and the like
			if skipped, fault := io.CopyN(io.Discard, src, size+size%2); fault != nil {
				return nil, 0, &WAVError{at, fmt.Sprintf("chunk of %d bytes ends after %d", size, skipped)}
			}
		}
		at += 8 + size + size%2
	}
}

func dataFault(known bool, size int64) string {
	switch {
	case !known:
		return "samples before their format"
	case size < 0:
		return "the size is in a ds64 chunk, and there is none"
	case size%2 != 0:
		return "half a sample"
	}
	return ""
}

// readDS64 returns the size of the data chunk (EBU Tech 3306 §3). Sizes of others,
// which may follow, are of no interest.
func readDS64(src io.Reader, size, at int64) (data int64, err error) {
	if size < ds64Size || size > 64<<10 {
		return 0, &WAVError{at, fmt.Sprintf("ds64 of %d bytes", size)}
	}
	b := make([]byte, size+size%2)
	if err := readFull(src, b, at); err != nil {
		return 0, err
	}
	n := binary.LittleEndian.Uint64(b[8:])
	if n > math.MaxInt64 {
		return 0, &WAVError{at, fmt.Sprintf("data of %d bytes", n)}
	}
	return int64(n), nil
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
