package mp4_test

import (
	"bytes"
	"errors"
	"io"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/recorderbot/recorderbot/internal/media/format/formattest"
	"github.com/recorderbot/recorderbot/internal/media/format/mp4"
)

// Units made by hand: enough of each for a muxer, too little for a decoder.
func pps(id, sps uint64) []byte { return append([]byte{0x68}, bitstring(ue(id), ue(sps), "0 0 1")...) }

func slice(header byte, pps uint64, rest ...byte) []byte {
	return append(append([]byte{header}, bitstring(ue(0), ue(7), ue(pps))...), append(rest, 0x80)...)
}

var (
	spsA, spsB = plainSPS(0, 40, 30), plainSPS(0, 80, 45) // 640 × 480, 1280 × 720
	pps0       = pps(0, 0)
	idr, p     = slice(0x65, 0, 1, 2, 3), slice(0x41, 0, 9, 8)
	keyA, keyB = annexB(spsA, pps0, idr), annexB(spsB, pps0, idr)
)

// What becomes of each frame, and what is in the file at last.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	type step struct {
		gap     bool // frames before it are missing
		data    []byte
		width   int // as told
		verdict mp4.Verdict
		fault   mp4.Fault
		joined  bool // what was held is in front of it
		notSync bool // though it is a key frame
	}
	w, d, h, u := mp4.Written, mp4.Damaged, mp4.Held, mp4.Undecodable
	heights := map[int]int{640: 480, 1280: 720}
	for name, c := range map[string]struct {
		steps []step
		entry string
	}{
		"before the first key frame": {[]step{
			{data: annexB(p), verdict: u, fault: mp4.NoKeyFrame},
			{data: annexB(spsA, pps0, p), verdict: u, fault: mp4.NoKeyFrame},
			{data: annexB(idr, pps(0, 1)), verdict: u, fault: mp4.NoSets}, // the header could not hold both
			{data: annexB(pps0, idr), verdict: w},                         // the other set is in the header
			{data: annexB(p), verdict: w},
		}, "avc1"},
		"key frames whose sets never came": {[]step{
			{data: annexB(idr), verdict: u, fault: mp4.NoSets},
			{data: annexB(pps0, idr), verdict: u, fault: mp4.NoSets},
			{data: annexB(spsA, pps(1, 0), idr), verdict: w}, // it rests on the other one
			{data: annexB(slice(0x65, 2)), verdict: u, fault: mp4.NoSets},
			{data: annexB(p), width: 640, verdict: u, fault: mp4.LostSets}, // the first told no size
			{data: annexB(idr), verdict: u, fault: mp4.LostSets},
			{data: keyA, verdict: w},
		}, "avc1"},
		"no pictures": {[]step{
			{data: keyA, verdict: w},
			{data: nil, verdict: u, fault: mp4.NotAnnexB},
			{data: keyA, verdict: w},
			{data: []byte{0, 0, 0, 1}, verdict: u, fault: mp4.NotAnnexB},
			{data: []byte{0, 0, 1, 0, 0, 1, 0}, verdict: u, fault: mp4.NotAnnexB},
			{data: append([]byte{7}, keyA...), verdict: u, fault: mp4.NotAnnexB},
			{data: make([]byte, 100), verdict: u, fault: mp4.NotAnnexB},
			{data: make([]byte, mp4.MaxFrame+1), verdict: u, fault: mp4.TooLarge},
			{data: bytes.Repeat([]byte{0, 0, 1, 9}, 16<<10+1), verdict: u, fault: mp4.TooLarge},
			{data: annexB(p), verdict: u, fault: mp4.LostSets},
		}, "avc1"},
		"sets in buffers of their own": {[]step{
			{data: annexB(spsA), verdict: h},
			{data: annexB(pps0), verdict: h},
			{data: annexB(idr), verdict: w, joined: true},
			{data: annexB([]byte{9, 0xf0}), verdict: h},
			{data: annexB(p), verdict: w, joined: true},
			{data: annexB(spsB), verdict: h},
			{data: annexB(pps0, idr), verdict: w, joined: true},
		}, "avc3"},
		"more than can be held": {[]step{
			{data: keyA, verdict: w},
			{data: annexB(append([]byte{6}, bytes.Repeat([]byte{5}, 60<<10)...)), verdict: h},
			{data: annexB(append([]byte{6}, bytes.Repeat([]byte{5}, 6<<10)...)), verdict: u, fault: mp4.NoPicture},
			{data: annexB(p), verdict: u, fault: mp4.LostSets},
			{data: keyA, verdict: w, joined: true},
		}, "avc1"},
		"a gap, the size is the same": {[]step{
			{data: keyA, width: 640, verdict: w},
			{data: annexB(p), width: 640, verdict: w},
			{gap: true, data: annexB(p), width: 640, verdict: d, fault: mp4.Discontinuous},
			{data: annexB(p), width: 640, verdict: d, fault: mp4.Discontinuous},
			{data: annexB(idr), width: 640, verdict: w},
			{data: annexB(p), width: 640, verdict: w},
		}, "avc1"},
		"a gap, the size is another or not told": {[]step{
			{data: keyA, width: 640, verdict: w},
			{gap: true, data: annexB(p), width: 1280, verdict: u, fault: mp4.LostSets},
			{data: annexB(p), verdict: u, fault: mp4.LostSets},
			{data: annexB(idr), width: 1280, verdict: u, fault: mp4.LostSets},
			{data: annexB(p), width: 640, verdict: d, fault: mp4.Discontinuous},
			{data: keyB, width: 1280, verdict: w},
			{data: annexB(p), width: 1280, verdict: w},
		}, "avc3"},
		"a gap in front of a key frame": {[]step{
			{data: keyA, verdict: w},
			{gap: true, data: keyB, verdict: w},
			{data: annexB(p), verdict: w},
		}, "avc3"},
		"sets that came with what is not in the file": {[]step{
			{data: keyA, width: 640, verdict: w},
			{gap: true, data: annexB(pps(1, 0), p), width: 1280, verdict: u, fault: mp4.LostSets},
			{data: annexB(slice(0x65, 1)), width: 640, verdict: u, fault: mp4.NoSets},
			{data: annexB(pps(1, 0), slice(0x41, 1)), width: 640, verdict: d, fault: mp4.Discontinuous},
			{data: annexB(slice(0x65, 1)), width: 640, verdict: w, notSync: true},
		}, "avc3"},
		"key frames that lean on sets elsewhere": {[]step{
			{data: keyA, verdict: w},
			{data: annexB(idr), verdict: w}, // on those in the header
			{data: keyB, verdict: w},
			{data: annexB(idr), verdict: w, notSync: true}, // on those of the sample before
			{data: keyA, verdict: w},
		}, "avc3"},
		"a set that can't be read": {[]step{
			{data: keyA, verdict: w},
			{data: annexB([]byte{0x67, 66, 0xc0, 30}, p), verdict: w},
			{data: annexB(idr), verdict: w, notSync: true}, // it may have replaced the one in the header
			{data: keyA, verdict: w},
		}, "avc3"},
		"units of all kinds, and padding": {[]step{
			{data: append(append([]byte{0, 0, 0, 0, 0, 1, 9, 0x10, 0, 0, 0, 0}, keyA...), 0, 0, 0), verdict: w},
			{data: []byte("\x00\x00\x01\x06\x05\x01\x80\x00\x00\x01\x41\xe2\x80\x00\x00\x00\x01\x41\xe2\x81\x00\x00\x01\x0c\xff\xff\x80\x00"), verdict: w},
			{data: annexB(slice(0x42, 0), []byte{0x43, 1, 2}, []byte{0x44, 3, 4}), verdict: w}, // partitions A, B, C
			{data: annexB([]byte{0x43, 1, 2}), verdict: u, fault: mp4.NoSets},                  // without A
		}, "avc1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, f := write(t, mp4.Options{}, func(f *feed) {
				var held []byte
				for i, s := range c.steps {
					if s.gap {
						f.w.Discontinuity()
					}
					r := f.give(mp4.Frame{Time: at30(i + 1), Data: s.data, Key: bytes.Contains(s.data, idr[:1]), Width: s.width, Height: heights[s.width]})
					if r.Verdict != s.verdict || r.Fault != s.fault || r.Moved != 0 {
						t.Errorf("step %d: %v %q, want %v %q", i, r.Verdict, r.Fault, s.verdict, s.fault)
					}
					if r.Verdict == mp4.Held {
						held = append(held, canonical(t, s.data)...)
					}
					if last := len(f.want) - 1; r.Verdict.Stored() {
						f.want[last].Sync = r.Key && !s.notSync
						if s.joined {
							f.want[last].Data = append(bytes.Clone(held), f.want[last].Data...)
							held = nil
						}
					}
				}
			})
			info, got, err := read(b)
			if err != nil || info.Entry != c.entry {
				t.Errorf("%s, %v", info.Entry, err)
			}
			same(t, got, f.want)
			st := f.w.Stats()
			if n := st.Written.Frames + st.Damaged.Frames + st.Held.Frames + st.Undecodable.Frames; n != int64(len(c.steps)) {
				t.Errorf("%d frames counted, of %d", n, len(c.steps))
			}
		})
	}
}

// A frame is given up with its time and size, and a file without a picture is none.
func TestNothingDecodable(t *testing.T) {
	t.Parallel()
	var dst bytes.Buffer
	w, err := mp4.NewWriter(&dst, mp4.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i, data := range [][]byte{annexB(spsA), annexB(p), annexB(p), annexB(p, p)} {
		if _, err := w.Frame(mp4.Frame{Time: int64(100 + i), Data: data}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(0); !errors.Is(err, mp4.ErrNoVideo) || dst.Len() != 0 {
		t.Errorf("%v, and %d bytes", err, dst.Len())
	}
	n := int64(len(annexB(p)))
	want := mp4.Stats{
		Held:        mp4.Span{Frames: 1, Bytes: int64(4 + len(spsA)), First: 100, Last: 100},
		Undecodable: mp4.Span{Frames: 3, Bytes: 4 * n, First: 101, Last: 103},
		Unplaced:    int64(4 + len(spsA)),
	}
	if diff := cmp.Diff(want, w.Stats()); diff != "" {
		t.Errorf("stats (-want +got):\n%s", diff)
	}
	if _, err := w.Frame(mp4.Frame{Data: keyA}); !errors.Is(err, mp4.ErrClosed) || !errors.Is(w.Close(0), mp4.ErrClosed) {
		t.Errorf("a frame after Close: %v", err)
	}
}

// The bytes win over the caller's word, which is counted.
func TestWordAgainstBytes(t *testing.T) {
	t.Parallel()
	_, f := write(t, mp4.Options{}, func(f *feed) {
		for i, c := range []struct {
			frame        mp4.Frame
			key, resized bool
			width        int
			wrongKey     bool
			wrongSize    bool
		}{
			{mp4.Frame{Data: keyA, Width: 640, Height: 480}, true, false, 640, true, false},
			{mp4.Frame{Data: annexB(p), Key: true}, false, false, 640, true, false},
			{mp4.Frame{Data: keyA, Key: true, Width: 640, Height: 481}, true, false, 640, false, true},
			{mp4.Frame{Data: keyB, Key: true, Height: 480}, true, true, 1280, false, true},
			{mp4.Frame{Data: annexB(p), Width: 1280, Height: 720}, false, false, 1280, false, false},
			{mp4.Frame{Data: keyA, Key: true}, true, true, 640, false, false},
		} {
			c.frame.Time = int64(i)
			if r := f.give(c.frame); r.Key != c.key || r.Resized != c.resized || r.Width != c.width || r.KeyWrong != c.wrongKey || r.SizeWrong != c.wrongSize {
				t.Errorf("frame %d: %+v", i, r)
			}
		}
		if r := f.give(mp4.Frame{Time: 9, Data: annexB([]byte{0x67, 66}, p)}); !r.SetsUnread || r.Verdict != mp4.Written {
			t.Errorf("a set that can't be read: %+v", r)
		}
	})
	if s := f.w.Stats(); s.KeyWrong != 2 || s.SizeWrong != 2 || s.Resized != 2 || s.Keys != 4 || s.SetsUnread != 1 || s.Width != 640 || s.Height != 480 {
		t.Errorf("%+v", s)
	}
}

// Times in the file, and how long each frame lasts.
func TestTimes(t *testing.T) {
	t.Parallel()
	const s = mp4.Timescale
	for name, c := range map[string]struct {
		options   mp4.Options
		times     []int64
		end       int64 // for Close
		want      []int64
		durations []int64
		zero      int64
		moved     int64
		most      int64
	}{
		"from the first":         {times: []int64{7 * s, 8 * s, 8*s + 1}, want: []int64{0, s, s + 1}, durations: []int64{s, 1, 1}, zero: 7 * s},
		"from the origin":        {options: mp4.Options{FromOrigin: true, Origin: 5 * s}, times: []int64{7 * s, 8 * s}, want: []int64{2 * s, 3 * s}, durations: []int64{s, s}, zero: 5 * s},
		"before the origin":      {options: mp4.Options{FromOrigin: true, Origin: 8 * s}, times: []int64{7 * s, 9 * s}, want: []int64{0, s}, durations: []int64{s, s}, zero: 8 * s, moved: 1, most: s},
		"a single frame":         {times: []int64{-3}, want: []int64{0}, durations: []int64{s / 30}, zero: -3},
		"a told end":             {times: []int64{s, 2 * s}, end: 5*s + 3, want: []int64{0, s}, durations: []int64{s, 3*s + 3}, zero: s},
		"an end too early":       {times: []int64{s, 2 * s}, end: 2 * s, want: []int64{0, s}, durations: []int64{s, s}, zero: s},
		"an end too late to say": {times: []int64{s}, end: math.MaxInt64, want: []int64{0}, durations: []int64{math.MaxUint32}, zero: s},
		"a slow end":             {times: []int64{s, 9 * s}, want: []int64{0, 8 * s}, durations: []int64{8 * s, s}, zero: s},
		"equal and backwards": {
			times: []int64{s, s, s, s - 50, s + 100}, want: []int64{0, 1, 2, 3, 100}, durations: []int64{1, 1, 1, 97, 97}, zero: s, moved: 3, most: 53,
		},
		"a gap as long as a sample may be": {
			times: []int64{s, s + math.MaxUint32}, want: []int64{0, math.MaxUint32}, durations: []int64{math.MaxUint32, s}, zero: s,
		},
		"a longer gap": {
			times: []int64{s, 2 * s, 2*s + math.MaxUint32 + 1, 3*s + math.MaxUint32 + 1},
			want:  []int64{0, s, s + math.MaxUint32 + 1, 2*s + math.MaxUint32 + 1}, durations: []int64{s, math.MaxUint32, s, s}, zero: s,
		},
		"the ends of time": {
			times: []int64{math.MinInt64, math.MaxInt64, math.MaxInt64, 0}, want: []int64{0, 1 << 62, 1<<62 + 1, 1<<62 + 2},
			durations: []int64{math.MaxUint32, 1, 1, 1}, zero: -1 << 61, moved: 2, most: 1<<61 + 2,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var m formattest.Memory
			w, err := mp4.NewSeekWriter(&m, c.options)
			if err != nil {
				t.Fatal(err)
			}
			for i, at := range c.times {
				data := annexB(p)
				if i == 0 {
					data = keyA
				}
				if r, fault := w.Frame(mp4.Frame{Time: at, Data: data}); fault != nil || r.Verdict != mp4.Written {
					t.Fatal(r, fault)
				}
			}
			if err = w.Close(c.end); err != nil {
				t.Fatal(err)
			}
			info, got, err := read(m.B)
			if err != nil {
				t.Fatal(err)
			}
			var times, durations []int64
			for _, s := range got {
				times, durations = append(times, s.Time), append(durations, s.Duration)
			}
			if diff := cmp.Diff([][]int64{c.want, c.durations}, [][]int64{times, durations}); diff != "" {
				t.Errorf("times and durations (-want +got):\n%s", diff)
			}
			st := w.Stats()
			if last := len(times) - 1; st.Zero != c.zero || st.Moved != c.moved || st.MovedMost != c.most ||
				st.Length != times[last]+durations[last] || info.Length != st.Length {
				t.Errorf("%+v, and %d in the file", st, info.Length)
			}
		})
	}
}

func TestOptionsAreRefused(t *testing.T) {
	t.Parallel()
	for _, o := range []mp4.Options{
		{Fragment: -1}, {Fragment: time.Hour}, {Title: string(make([]byte, 5000))}, {Origin: math.MinInt64}, {Origin: math.MaxInt64},
	} {
		if _, err := mp4.NewWriter(io.Discard, o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}

// A faulty writes so many bytes and seeks so often, and then no more.
type faulty struct {
	formattest.Memory
	writes, seeks int
	short         bool
}

var errDisk = errors.New("the disk is gone")

func (d *faulty) Write(p []byte) (int, error) {
	if d.writes--; d.writes >= 0 {
		return d.Memory.Write(p)
	}
	n, _ := d.Memory.Write(p[:len(p)/2])
	if d.short {
		return n, nil
	}
	return n, errDisk
}

func (d *faulty) Seek(to int64, whence int) (int64, error) {
	if d.seeks--; d.seeks < 0 {
		return 0, errDisk
	}
	return d.Memory.Seek(to, whence)
}

// Whichever write or seek fails, the writer says so, then and ever after.
func TestDiskFails(t *testing.T) {
	t.Parallel()
	run := func(d *faulty) error {
		w, err := mp4.NewSeekWriter(d, mp4.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 4 {
			if _, err = w.Frame(mp4.Frame{Time: at30(30 * i), Data: keyA}); err != nil {
				break
			}
		}
		if err == nil {
			err = w.Close(0)
		}
		if err != nil {
			_, again := w.Frame(mp4.Frame{Time: 1 << 50, Data: keyA})
			if !errors.Is(again, err) || !errors.Is(w.Close(0), err) {
				t.Errorf("forgets %v: %v", err, again)
			}
		}
		return err
	}
	const many = 1 << 20
	writes, seeks := 0, 0
	for ; run(&faulty{writes: writes, seeks: many}) != nil; writes++ {
		if err := run(&faulty{writes: writes, seeks: many}); !errors.Is(err, errDisk) {
			t.Errorf("write %d fails: %v", writes, err)
		}
		if err := run(&faulty{writes: writes, seeks: many, short: true}); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("write %d is short: %v", writes, err)
		}
	}
	for ; run(&faulty{writes: many, seeks: seeks}) != nil; seeks++ {
		if err := run(&faulty{writes: many, seeks: seeks}); !errors.Is(err, errDisk) {
			t.Errorf("seek %d fails: %v", seeks, err)
		}
	}
	// The header; head, samples and patch of four fragments; five patches at the end.
	if writes != 1+4*3+5 || seeks != 2*(4+5) {
		t.Errorf("%d writes, %d seeks", writes, seeks)
	}
}
