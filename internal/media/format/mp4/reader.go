package mp4

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"time"
)

// An Error says what is wrong with a file, or with what this package takes for one.
type Error struct {
	Offset int64 // where the faulty part begins, in bytes
	Fault  string
	cut    bool
}

// Error names the fault and its place.
func (e *Error) Error() string { return fmt.Sprintf("mp4, byte %d: %s", e.Offset, e.Fault) }

// Unwrap is io.ErrUnexpectedEOF where the file ends too early: what was read
// before is whole.
func (e *Error) Unwrap() error {
	if e.cut {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// Info is what a file's header says.
type Info struct {
	Entry         string // avc1 or avc3
	SPS           SPS    // the first
	Width, Height int    // of the track, in pixels
	Title         string
	Created       time.Time // zero: not told
	// Length is how long the file is, in ticks; 0: it was never closed, or its
	// writer could not go back to say so.
	Length int64
}

// A Sample is a frame as it was stored.
type Sample struct {
	// Time and Duration are in ticks; Time counts from the begin of the file's
	// timeline.
	Time, Duration int64
	// Sync reports a key frame that a player can begin at, Damaged that what the
	// frame refers to is missing.
	Sync, Damaged bool
	// Data are the NAL units, in the form of [Canonical]. It is valid until the next
	// call of Next.
	Data []byte
}

// A Reader reads files as a [Writer] writes them, and no others: it exists to
// show that what was stored is what was given. Its memory is bounded by the size
// of a frame. It is not safe for concurrent use.
type Reader struct {
	src    *bufio.Reader
	info   Info
	at     int64 // bytes that are read
	err    error // why there is no next sample
	buffer []byte

	sequence uint32   // of the last fragment
	table    []sample // of the fragment at hand
	samples  []sample // those of table that are not yet read
	time     int64    // of samples[0]
	end      int64    // of the last sample that was read
	whole    int64    // bytes up to the end of the last whole fragment
}

// NewReader reads a file's header.
func NewReader(src io.Reader) (*Reader, error) {
	r := &Reader{src: bufio.NewReaderSize(src, 64<<10)}
	if err := r.header(); err != nil {
		return nil, err
	}
	r.whole = r.at
	return r, nil
}

// Info returns what the header says.
func (r *Reader) Info() Info { return r.info }

// Whole returns how many bytes the header and the fragments have that were read
// to their end. A file that a crash cut off plays once it is truncated to them.
func (r *Reader) Whole() int64 { return r.whole }

// End returns when the last sample that was read ends, in ticks.
func (r *Reader) End() int64 { return r.end }

// Next returns the next frame. After the last one it returns io.EOF. A file that
// was cut off yields its whole samples, and then an [Error] that is
// io.ErrUnexpectedEOF, unless the cut is between two fragments of a file that
// does not say how long it is.
func (r *Reader) Next() (Sample, error) {
	for len(r.samples) == 0 && r.err == nil {
		r.err = r.fragment()
	}
	if r.err != nil {
		return Sample{}, r.err
	}
	s := r.samples[0]
	at := r.at
	if r.buffer, r.err = r.read(r.buffer[:0], int64(s.size)); r.err != nil {
		return Sample{}, r.err
	}
	if err := sampleToAnnexB(r.buffer); err != nil {
		r.err = &Error{Offset: at, Fault: err.Error()}
		return Sample{}, r.err
	}
	r.samples = r.samples[1:]
	out := Sample{
		Time: r.time, Duration: int64(s.duration), Data: r.buffer,
		Sync: s.flags&flagNoSync == 0, Damaged: s.flags&flagDamaged != 0,
	}
	r.time += out.Duration
	r.end = r.time
	if len(r.samples) == 0 {
		r.whole = r.at
	}
	return out, nil
}

// read appends n bytes of the file to b.
func (r *Reader) read(b []byte, n int64) ([]byte, error) {
	at, before := r.at, int64(len(b))
	// Grown as bytes come: a file that lies about sizes costs only its own.
	for left := n; left > 0; {
		step := min(left, 256<<10)
		have := len(b)
		if need := have + int(step); need > cap(b) {
			b = append(b, make([]byte, step)...)
		} else {
			b = b[:need]
		}
		got, err := io.ReadFull(r.src, b[have:])
		r.at += int64(got)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return b[:have+got], &Error{
				Offset: at, Fault: fmt.Sprintf("%d bytes are to follow, %d do", n, int64(have+got)-before), cut: true,
			}
		}
		if err != nil {
			return b, fmt.Errorf("reading mp4: %w", err)
		}
		left -= step
	}
	return b, nil
}

// skip reads over n bytes.
func (r *Reader) skip(n int64) error {
	at := r.at
	got, err := io.CopyN(io.Discard, r.src, n)
	r.at += got
	if errors.Is(err, io.EOF) {
		return &Error{Offset: at, Fault: fmt.Sprintf("%d bytes are to follow, %d do", n, got), cut: true}
	}
	if err != nil {
		return fmt.Errorf("reading mp4: %w", err)
	}
	return nil
}

// next reads a box's size, without its header, and its type. At the end of the
// file it returns io.EOF.
func (r *Reader) next() (kind string, size int64, err error) {
	at := r.at
	if _, err = r.src.Peek(1); errors.Is(err, io.EOF) {
		return "", 0, io.EOF
	}
	b, err := r.read(nil, 8)
	if err != nil {
		return "", 0, err
	}
	p := parser{b: b}
	size = int64(p.u32()) - 8
	kind = string(p.b)
	if size < 0 {
		// 0 (to the end of the file) and 1 (64 bits) are never written.
		return "", 0, &Error{Offset: at, Fault: fmt.Sprintf("box %q of %d bytes", kind, size+8)}
	}
	return kind, size, nil
}

// fragment reads up to the next fragment's first sample.
func (r *Reader) fragment() error {
	for {
		at := r.at
		kind, size, err := r.next()
		if errors.Is(err, io.EOF) {
			return r.finish()
		}
		if err != nil {
			return err
		}
		switch kind {
		case "free", "sidx":
			err = r.skip(size)
		case "moof":
			return r.moof(at, size)
		case "mdat":
			err = &Error{Offset: at, Fault: "samples of a fragment that never came into force", cut: true}
		default:
			err = &Error{Offset: at, Fault: fmt.Sprintf("box %q where a fragment is expected", kind)}
		}
		if err != nil {
			return err
		}
	}
}

// finish holds the file's end to its header.
func (r *Reader) finish() error {
	if r.sequence == 0 {
		return &Error{Offset: r.at, Fault: "no fragment", cut: true}
	}
	if r.info.Length != 0 && r.info.Length != r.end {
		return &Error{
			Offset: r.at, Fault: fmt.Sprintf("ends at tick %d, but its header says %d", r.end, r.info.Length), cut: r.end < r.info.Length,
		}
	}
	return io.EOF
}
