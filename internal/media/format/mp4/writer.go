package mp4

import (
	"errors"
	"fmt"
	"io"
	"math"
	"time"
)

const (
	// MaxFrame is how large a frame may be, in bytes.
	MaxFrame = 6 << 20

	maxUnits    = 16 << 10       // of a frame
	maxHeld     = 64 << 10       // bytes of units that wait for a picture
	maxSample   = 8 << 20        // bytes of a sample: a start code of 3 bytes becomes a length of 4
	maxSamples  = 4096           // of a fragment
	maxBuffered = 8 << 20        // bytes of a fragment, unless a single frame has more
	maxTitle    = 4 << 10        // bytes
	maxTime     = 1 << 61        // ticks in either direction: 7,000 years
	nominal     = Timescale / 30 // of a last frame that is the first
	maxNominal  = Timescale      // of any last frame
	maxDuration = math.MaxUint32 // of a sample, in ticks: 429 s
)

// Errors of a [Writer]. What is wrong with a frame is told by its [Result].
var (
	// ErrNoVideo is returned by Close where no frame could be stored: nothing was
	// written to dst, for a file without a key frame can't say what it holds.
	ErrNoVideo = errors.New("no frame that can be decoded")
	// ErrClosed is returned by the methods of a closed writer.
	ErrClosed = errors.New("the mp4 is closed")
)

// Options say how a file is written. The zero value is fit for use.
type Options struct {
	// Origin is the time at which the file's timeline is 0, if FromOrigin is set. A
	// file that begins later than it shows nothing until its first frame; frames
	// before it are moved to it. Otherwise the timeline begins with the first stored
	// frame, and [Stats].Zero tells its time.
	Origin     int64
	FromOrigin bool
	// Fragment is how long a fragment is, which is how much of the end is lost where
	// the writer dies. 0: one second.
	Fragment time.Duration
	// Title is told to players; at most 4 KiB of UTF-8. It may be empty.
	Title string
	// Created is the time of the recording; zero: not told.
	Created time.Time
}

// A Frame is one access unit.
type Frame struct {
	// Time is when it is shown and decoded, in ticks of 100 ns. Frames are given in
	// order.
	Time int64
	// Data are its NAL units, Annex B. The writer keeps no reference.
	Data []byte
	// Key, Width and Height are what the source says of the frame. They are only
	// compared with what Data says; 0 pixels: not told.
	Key           bool
	Width, Height int
}

// A size is that of a picture, in pixels.
type size struct{ width, height int }

// A Writer writes fragmented MP4. It is not safe for concurrent use.
type Writer struct {
	dst  io.Writer
	seek io.WriteSeeker // dst, where it may be patched; or nil
	opts Options
	err  error // the first of dst, or ErrClosed

	sets    sets
	turn    uint64   // counts the frames; a held one has that of the next
	stored  uint64   // counts the samples
	fresh   []*set   // that came with the frame at hand
	units   [][]byte // of the frame at hand
	held    []byte   // units that wait for a picture, as a sample holds them
	broken  bool     // what the frames to come refer to is missing
	changed bool     // the parameter sets changed after the header was written
	stats   Stats
	shown   size  // of the last stored key frame
	told    size  // the same by the caller's word
	started bool  // the header is written
	entryAt int64 // where the sample entry's type is in the file
	mehdAt  int64 // where the room for mehd is
	indexAt int64 // where the room for the index is
	index   index

	// The fragment that is gathered. The last of samples has no duration yet.
	sequence uint32
	head     []byte
	data     []byte
	samples  []sample
	start    int64 // of samples[0], in the file's time
	last     int64 // of the last sample, in the file's time
	delta    int64 // between the last two frames; 0: there are none
}

// NewWriter begins a file on dst, which is only ever appended to. A player has to
// read all of the file to know how long it is. What a crash leaves of the last
// fragment must be cut off: see [Reader.Whole].
func NewWriter(dst io.Writer, opts Options) (*Writer, error) { return newWriter(dst, nil, opts) }

// NewSeekWriter begins a file at the start of dst, which must be empty. A fragment
// comes into force by a patch of four bytes once it is whole, so that whatever a
// crash leaves plays. Close fills in what is only known then: how long the file
// is, where its fragments are, and whether its parameter sets ever changed.
func NewSeekWriter(dst io.WriteSeeker, opts Options) (*Writer, error) {
	return newWriter(dst, dst, opts)
}

func newWriter(dst io.Writer, seek io.WriteSeeker, opts Options) (*Writer, error) {
	if opts.Fragment < 0 || opts.Fragment > time.Minute {
		return nil, fmt.Errorf("mp4: fragments of %v: from 0 to a minute is allowed", opts.Fragment)
	}
	if opts.Fragment == 0 {
		opts.Fragment = time.Second
	}
	if len(opts.Title) > maxTitle {
		return nil, fmt.Errorf("mp4: title of %d bytes: at most %d are allowed", len(opts.Title), maxTitle)
	}
	if opts.Origin != clamp(opts.Origin) {
		return nil, fmt.Errorf("mp4: origin at tick %d: beyond all times", opts.Origin)
	}
	w := &Writer{dst: dst, seek: seek, opts: opts}
	w.stats.Zero = opts.Origin
	return w, nil
}

// Stats returns what became of the frames so far.
func (w *Writer) Stats() Stats { return w.stats }

// Discontinuity says that frames before the next one are missing. The frames up to
// the next key frame are stored and marked as damaged, provided that the caller
// tells their size and it is that of the key frame before: with that, a player shows
// them with artifacts. Otherwise a key frame of another size may be among what is
// missing; such frames are [Undecodable], because there are players that stop for
// good at a frame that does not fit (see the package's comment).
func (w *Writer) Discontinuity() { w.broken = true }

// Frame takes a frame. What is wrong with the frame is told by the result; the
// error is that of dst, and stays.
func (w *Writer) Frame(f Frame) (Result, error) {
	if w.err != nil {
		return Result{}, w.err
	}
	au := w.examine(f.Data)
	r := w.judge(f, &au)
	switch r.Verdict {
	case Held:
		w.held = w.appendUnits(w.held)
	case Written, Damaged:
		if err := w.store(f, &au, &r); err != nil {
			return r, err
		}
		w.turn++
	case Undecodable:
		w.forget()
		w.turn++
	}
	w.stats.add(f, &r)
	return r, nil
}

// forget gives up the parameter sets that came with a frame which is not stored:
// what rests on them can't be shown either. Until the header is written they are
// not lost, for it will hold all sets that came; those that are held are older.
func (w *Writer) forget() {
	if !w.started {
		w.stats.Unplaced += int64(len(w.held))
		w.held = w.held[:0]
		return
	}
	for _, s := range w.fresh {
		*s = set{}
	}
}

// Close writes the last fragment. end is when the last frame's picture ends, in
// the caller's ticks; where it is not known (0) or not after that frame, the
// picture lasts as long as the one before it, at most a second. Close does not
// close dst.
func (w *Writer) Close(end int64) error {
	if w.err != nil {
		return w.err
	}
	w.stats.Unplaced += int64(len(w.held))
	w.held = nil
	if !w.started {
		w.err = ErrClosed
		return ErrNoVideo
	}
	if err := w.flush(w.end(end)); err != nil {
		return err
	}
	if err := w.complete(); err != nil {
		return err
	}
	w.err = ErrClosed
	return nil
}

// end returns when the last sample ends, in the file's time.
func (w *Writer) end(end int64) int64 {
	if end != 0 {
		if end = clamp(end) - w.stats.Zero; end > w.last {
			return end
		}
	}
	if w.delta > 0 {
		return w.last + min(w.delta, maxNominal)
	}
	return w.last + nominal
}

// write appends to dst.
func (w *Writer) write(b []byte) error {
	n, err := w.dst.Write(b)
	w.stats.Bytes += int64(n)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		w.err = fmt.Errorf("writing mp4: %w", err)
	}
	return w.err
}
