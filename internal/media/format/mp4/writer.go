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
// what rests on them can't be shown either. Until the header is written nothing
// is lost, for it holds all sets that came.
func (w *Writer) forget() {
	if w.started {
		for _, s := range w.fresh {
			*s = set{}
		}
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
	w.stats.Unplaced = int64(len(w.held))
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

// begin writes the header: only with the first key frame is it known what it says.
func (w *Writer) begin(t int64, au *accessUnit) error {
	w.started = true
	if !w.opts.FromOrigin {
		w.stats.Zero = clamp(t)
	}
	h := header{
		kind: "avc3", sps: au.sps.parsed, title: w.opts.Title, created: w.opts.Created, patchable: w.seek != nil,
	}
	w.shown = size{h.sps.Width, h.sps.Height}
	w.stats.Width, w.stats.Height = w.shown.width, w.shown.height
	h.spss, h.ppss = w.sets.entry(au.sps, au.pps)
	head, entryAt, mehdAt := appendHeader(nil, h)
	w.entryAt, w.mehdAt, w.indexAt = int64(entryAt), int64(mehdAt), int64(len(head))
	if w.seek != nil {
		head = box(head, "free", func(b []byte) []byte { return append(b, make([]byte, indexRoom-8)...) })
	}
	return w.write(head)
}

// store makes a sample of a frame.
func (w *Writer) store(f Frame, au *accessUnit, r *Result) error {
	if !w.started {
		if err := w.begin(f.Time, au); err != nil {
			return err
		}
	}
	at := w.place(f.Time, r)
	bytes := len(w.held) + au.size
	if len(w.samples) > 0 && w.full(at, bytes, r.Key) {
		if err := w.flush(at); err != nil {
			return err
		}
	}
	if w.stored > 0 {
		w.delta = at - w.last
	}
	if n := len(w.samples); n > 0 {
		w.samples[n-1].duration = uint32(w.delta) //nolint:gosec // full saw to it that it fits
	} else {
		w.start = at
	}
	w.last, w.stats.Length = at, at
	w.data = w.appendUnits(append(w.data, w.held...))
	w.held = w.held[:0]
	w.samples = append(w.samples, sample{size: uint32(bytes), flags: au.flags(r.Verdict)}) //nolint:gosec // at most maxSample
	w.stored++
	if now := (size{r.Width, r.Height}); au.key {
		r.Resized, w.shown = now != w.shown, now
	}
	return nil
}

// appendUnits appends the units of the frame at hand.
func (w *Writer) appendUnits(b []byte) []byte {
	for _, unit := range w.units {
		b = appendSample(b, unit)
	}
	return b
}

// clamp keeps a time within what can be added and subtracted.
func clamp(t int64) int64 { return min(max(t, -maxTime), maxTime) }

// place returns a frame's time in the file: after the frame before, and not before
// the timeline begins.
func (w *Writer) place(t int64, r *Result) int64 {
	at := clamp(t) - w.stats.Zero
	var earliest int64
	if w.stored > 0 {
		earliest = w.last + 1
	}
	r.Moved = max(0, earliest-at)
	return max(at, earliest)
}

// full reports whether the fragment ends before a frame.
func (w *Writer) full(at int64, bytes int, key bool) bool {
	// The longer the file, the longer its fragments, for the index to hold them.
	length := max(int64(w.opts.Fragment/100), w.last/(maxRefs/8))
	if key && (at-w.start >= length || len(w.data) >= maxBuffered/2) {
		return true
	}
	return len(w.samples) == maxSamples || len(w.data)+bytes > maxBuffered || at-w.last > maxDuration
}

// flush writes the fragment, whose last sample lasts until end. A sample can't
// last longer than maxDuration: the next fragment says when it begins, and a
// player shows the last picture until then.
func (w *Writer) flush(end int64) error {
	w.samples[len(w.samples)-1].duration = uint32(min(end-w.last, maxDuration)) //nolint:gosec // not negative
	w.sequence++
	w.head = appendMoof(w.head[:0], w.sequence, w.start, w.samples)
	at := w.stats.Bytes
	if w.seek != nil {
		copy(w.head[4:], "free") // until its samples are there
	}
	if err := w.write(w.head); err != nil {
		return err
	}
	if err := w.write(w.data); err != nil {
		return err
	}
	if w.seek != nil {
		if err := w.patch(at+4, []byte("moof")); err != nil {
			return err
		}
	}
	w.index.add(w.start, int64(len(w.head)+len(w.data)), w.samples[0].flags&flagNoSync == 0)
	w.stats.Fragments++
	w.stats.Length = w.last + int64(w.samples[len(w.samples)-1].duration)
	w.samples, w.data = w.samples[:0], w.data[:0]
	return nil
}

// complete fills in what is known at the end. What is new comes into force by a
// patch of four bytes each.
func (w *Writer) complete() error {
	if w.seek == nil {
		return nil
	}
	mehd := appendMehd(nil, w.stats.Length)
	patches := []patch{{w.mehdAt + 8, mehd[8:]}, {w.mehdAt + 4, mehd[4:8]}}
	if !w.index.lost {
		sidx := w.index.append(nil, w.stats.Length)
		spare := indexRoom - len(sidx)
		patches = append(patches, patch{w.indexAt + int64(spare), sidx}, patch{w.indexAt, u32(nil, uint32(spare))}) //nolint:gosec // at most indexRoom
	}
	if !w.changed {
		patches = append(patches, patch{w.entryAt, []byte("avc1")})
	}
	for _, p := range patches {
		if err := w.patch(p.at, p.b); err != nil {
			return err
		}
	}
	return nil
}

// A patch is what is to stand somewhere in the file.
type patch struct {
	at int64
	b  []byte
}

// patch overwrites bytes of the file, and goes back to its end.
func (w *Writer) patch(at int64, b []byte) error {
	_, err := w.seek.Seek(at, io.SeekStart)
	if err == nil {
		_, err = w.seek.Write(b)
	}
	if err == nil {
		_, err = w.seek.Seek(w.stats.Bytes, io.SeekStart)
	}
	if err != nil {
		w.err = fmt.Errorf("writing mp4: going back to byte %d: %w", at, err)
	}
	return w.err
}
