package mp4_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/media/format/mp4"
)

// checkIndex holds the index to the fragments, and returns how many it names; -1
// where there is none.
func checkIndex(t *testing.T, file []byte, length int64) int {
	t.Helper()
	var index, fragment []byte
	n := -1
	at := int64(0) // of the next fragment, in ticks
	for _, b := range boxes(file) {
		switch string(b[4:8]) {
		case "sidx":
			if binary.BigEndian.Uint32(b[16:]) != mp4.Timescale || binary.BigEndian.Uint64(b[28:]) != 0 {
				t.Errorf("timescale or offset: % x", b[:36])
			}
			at = int64(binary.BigEndian.Uint64(b[20:]))
			n, index = int(binary.BigEndian.Uint32(b[36:])), b[40:]
		case "moof":
			fragment = b
		case "mdat":
			if n < 0 {
				continue
			}
			if len(index) < 12 {
				t.Fatal("a fragment is not in the index")
			}
			size, duration := binary.BigEndian.Uint32(index), int64(binary.BigEndian.Uint32(index[4:]))
			tfdt := bytes.Index(fragment, []byte("tfdt"))
			trun := bytes.Index(fragment, []byte("trun"))
			start := int64(binary.BigEndian.Uint64(fragment[tfdt+8:]))
			flags := binary.BigEndian.Uint32(fragment[trun+24:])
			if int(size) != len(fragment)+len(b) || start != at || flags != 2<<24 {
				t.Fatalf("fragment at tick %d of %d bytes, flags %#x; the index says tick %d, %d bytes", start, len(fragment)+len(b), flags, at, size)
			}
			at += duration
			index = index[12:]
		}
	}
	if n >= 0 && (len(index) > 0 || at != length) {
		t.Fatalf("index of %d ticks and %d bytes too many; the file has %d ticks", at, len(index), length)
	}
	return n
}

// The index names every fragment, or there is none.
func TestIndex(t *testing.T) {
	t.Parallel()
	const s = mp4.Timescale
	p30 := func(f *feed, from int64, n int) {
		for i := range n {
			f.give(mp4.Frame{Time: from + at30(i), Data: annexB(p)})
		}
	}
	for name, c := range map[string]struct {
		options mp4.Options
		fill    func(*feed)
		want    int
	}{
		"two groups": {mp4.Options{}, func(f *feed) {
			f.give(mp4.Frame{Time: 5, Data: keyA})
			p30(f, 100_000, 60)
			f.give(mp4.Frame{Time: 3 * s, Data: keyA})
		}, 2},
		"from an origin": {mp4.Options{FromOrigin: true, Origin: -7 * s}, func(f *feed) {
			f.give(mp4.Frame{Data: keyA})
			f.give(mp4.Frame{Time: s, Data: keyB})
		}, 2},
		"groups shorter than a fragment": {mp4.Options{Fragment: 10 * time.Second}, func(f *feed) {
			for i := range 30 {
				f.give(mp4.Frame{Time: int64(i) * s, Data: keyA})
			}
		}, 3},
		"a group of more samples than a fragment has": {mp4.Options{}, func(f *feed) {
			f.give(mp4.Frame{Time: -1, Data: keyA})
			p30(f, 0, 4096)
		}, -1},
		"a group of more bytes than a fragment has": {mp4.Options{}, func(f *feed) {
			f.give(mp4.Frame{Data: keyA})
			large := annexB(slice(0x41, 0, bytes.Repeat([]byte{5}, 5<<20)...))
			f.give(mp4.Frame{Time: 1, Data: large})
			f.give(mp4.Frame{Time: 2, Data: large})
		}, -1},
		"groups of many bytes": {mp4.Options{Fragment: time.Minute}, func(f *feed) {
			large := annexB(spsA, pps0, slice(0x65, 0, bytes.Repeat([]byte{5}, 5<<20)...))
			for i := range 3 {
				f.give(mp4.Frame{Time: int64(2 * i), Data: large})
				f.give(mp4.Frame{Time: int64(2*i + 1), Data: keyA})
			}
		}, 4}, // each ends the one before that has 4 MiB
		"more fragments than there is room for": {mp4.Options{Fragment: 1}, func(f *feed) {
			for i, at := 0, int64(0); i < 2060; i, at = i+1, at+at/256+1 {
				f.give(mp4.Frame{Time: at, Data: keyA})
			}
		}, -1},
		"a gap as long as the index can say": {mp4.Options{}, func(f *feed) {
			f.give(mp4.Frame{Data: keyA})
			f.give(mp4.Frame{Time: math.MaxUint32, Data: keyA})
		}, 2},
		"a longer gap": {mp4.Options{}, func(f *feed) {
			f.give(mp4.Frame{Data: keyA})
			f.give(mp4.Frame{Time: math.MaxUint32 + 1, Data: keyA})
		}, -1},
		"a last fragment longer than the index can say": {mp4.Options{}, func(f *feed) {
			f.give(mp4.Frame{Data: keyA})
			f.give(mp4.Frame{Time: math.MaxUint32, Data: annexB(p)})
		}, -1},
		"a key frame that leans on the one before": {mp4.Options{}, func(f *feed) {
			f.give(mp4.Frame{Data: keyA})
			f.give(mp4.Frame{Time: s, Data: keyB})
			f.give(mp4.Frame{Time: 2 * s, Data: annexB(idr)})
		}, -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, f := write(t, c.options, c.fill)
			if n := checkIndex(t, b, f.w.Stats().Length); n != c.want {
				t.Errorf("index of %d fragments, want %d", n, c.want)
			}
			_, got, err := read(b)
			if err != nil || len(got) != len(f.want) {
				t.Errorf("%d samples of %d, %v", len(got), len(f.want), err)
			}
		})
	}
}

// A day has room in the index: fragments become longer.
func TestIndexOfADay(t *testing.T) {
	t.Parallel()
	b, f := write(t, mp4.Options{}, func(f *feed) {
		for i := range 24 * 60 * 60 / 2 {
			if _, err := f.w.Frame(mp4.Frame{Time: int64(i) * 2 * mp4.Timescale, Data: keyA}); err != nil {
				f.tb.Fatal(err)
			}
		}
	})
	if n := checkIndex(t, b, f.w.Stats().Length); n < 256 || n > 2048 {
		t.Errorf("index of %d fragments", n)
	}
}
