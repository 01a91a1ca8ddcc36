package mp4

import (
	"fmt"
	"io"
)

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
	if w.index.valid(w.stats.Length) {
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
		var n int
		if n, err = w.seek.Write(b); err == nil && n < len(b) {
			err = io.ErrShortWrite
		}
	}
	if err == nil {
		_, err = w.seek.Seek(w.stats.Bytes, io.SeekStart)
	}
	if err != nil {
		w.err = fmt.Errorf("writing mp4: going back to byte %d: %w", at, err)
	}
	return w.err
}
