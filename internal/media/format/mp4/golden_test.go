package mp4_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/recorderbot/recorderbot/internal/media/format/formattest"
	"github.com/recorderbot/recorderbot/internal/media/format/mp4"
)

var update = flag.Bool("update", false, "write the golden file anew")

// tiny are five frames of 32 × 32 pixels, the first and the fourth of them key
// frames, made once with libx264.
func tiny(tb testing.TB) [][]byte {
	tb.Helper()
	b, err := os.ReadFile("testdata/tiny.h264")
	if err != nil {
		tb.Fatal(err)
	}
	return accessUnits(tb, b)
}

// Files that were written by an older version are read, and the same frames make
// the same file.
func TestGolden(t *testing.T) {
	t.Parallel()
	var got bytes.Buffer
	w, err := mp4.NewWriter(&got, mp4.Options{
		Title: "golden", Created: time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC), Fragment: 100 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	f := &feed{tb: t, w: w}
	for i, data := range tiny(t) {
		f.give(mp4.Frame{Time: 1000 + at30(i), Data: data})
	}
	if err = w.Close(0); err != nil {
		t.Fatal(err)
	}
	const path = "testdata/tiny.mp4"
	if *update {
		if err = os.WriteFile(path, got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Error("differs from " + path + "; if it should, run with -update")
	}
	info, samples, err := read(want)
	if err != nil {
		t.Fatal(err)
	}
	same(t, samples, f.want)
	if info.Entry != "avc3" || info.SPS.Profile != 66 || info.Width != 32 || info.Title != "golden" || info.Length != 0 {
		t.Errorf("%+v", info)
	}
	if diff := cmp.Diff(want, bytes.Join(boxes(want), nil)); diff != "" {
		t.Error(diff)
	}
}

// boxes are the outermost boxes of a file.
func boxes(b []byte) (all [][]byte) {
	for len(b) >= 8 {
		n := int(uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3]))
		all, b = append(all, b[:n]), b[n:]
	}
	return all
}

// Each byte of the header and the tables matters to the reader, or is one that only
// players use; none makes it crash, or read other samples without saying so.
func TestEveryByteTurned(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile("testdata/tiny.mp4")
	if err != nil {
		t.Fatal(err)
	}
	_, want, err := read(file)
	if err != nil {
		t.Fatal(err)
	}
	tables := map[int]bool{} // bytes of each moof, and of the sizes and types of boxes
	at := 0
	for _, b := range boxes(file) {
		for i := range b {
			tables[at+i] = i < 8 || string(b[4:8]) == "moof"
		}
		at += len(b)
	}
	for i := range file {
		for bit := range 8 {
			turned := bytes.Clone(file)
			turned[i] ^= 1 << bit
			_, got, err := read(turned)
			if err != nil || !tables[i] {
				continue
			}
			if cmp.Equal(got, want) {
				t.Errorf("byte %d, bit %d: not noticed, and nothing depends on it", i, bit)
			}
		}
	}
}

// A file that is not as it was written is told.
func TestReaderRefuses(t *testing.T) {
	t.Parallel()
	closed, _ := write(t, mp4.Options{Fragment: 100 * time.Millisecond}, func(f *feed) {
		for i, data := range tiny(f.tb) {
			f.give(mp4.Frame{Time: at30(i), Data: data})
		}
	})
	for name, c := range map[string]struct {
		spoil func(b [][]byte) [][]byte
		want  string
		cut   bool
	}{
		"nothing spoiled":              {func(b [][]byte) [][]byte { return b }, "", false},
		"the last fragment is missing": {func(b [][]byte) [][]byte { return b[:len(b)-2] }, "ends at tick 1000000, but its header says 1666666", true},
		"the first is missing":         {func(b [][]byte) [][]byte { return slices.Delete(b, 4, 6) }, "number of the fragment is 0x2, must be 0x1", false},
		"one came twice":               {func(b [][]byte) [][]byte { return append(b, b[6:]...) }, "number of the fragment is 0x2, must be 0x3", false},
		"a header that says less": {func(b [][]byte) [][]byte {
			b[1][bytes.Index(b[1], []byte("mehd"))+15]--
			return b
		}, "ends at tick 1666666, but its header says 1666665", false},
		"back in time": {func(b [][]byte) [][]byte {
			b[6][bytes.Index(b[6], []byte("tfdt"))+15]--
			return b
		}, "begins at tick 999999, before the end of the fragment before it, 1000000", false},
		"a unit that ends in zero": {func(b [][]byte) [][]byte {
			b[7][len(b[7])-1] = 0
			return b
		}, "a NAL unit holds a start code or ends in zero", false},
		"a start code": {func(b [][]byte) [][]byte {
			copy(b[5][8+8:], "\x00\x00\x01")
			return b
		}, "a NAL unit holds a start code or ends in zero", false},
		"a unit of no length": {func(b [][]byte) [][]byte {
			copy(b[5][8:], "\x00\x00\x00\x00")
			return b
		}, "a NAL unit is empty or longer than its sample", false},
		"a unit that is too long": {func(b [][]byte) [][]byte {
			b[5][9] = 1
			return b
		}, "a NAL unit is empty or longer than its sample", false},
		"samples that never came into force": {func(b [][]byte) [][]byte {
			copy(b[6][4:], "free")
			return b
		}, "samples of a fragment that never came into force", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := read(bytes.Join(c.spoil(boxes(bytes.Clone(closed))), nil))
			got := ""
			if err != nil {
				got = err.Error()
			}
			if !strings.HasSuffix(got, c.want) || (c.want == "") != (err == nil) || errors.Is(err, io.ErrUnexpectedEOF) != c.cut {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// The reader asks for no more memory than a file has bytes, whatever it claims.
//
//nolint:paralleltest // it measures memory
func TestReaderIsBounded(t *testing.T) {
	file, err := os.ReadFile("testdata/tiny.mp4")
	if err != nil {
		t.Fatal(err)
	}
	moof := bytes.Index(file, []byte("moof")) - 4
	lying := append(bytes.Clone(file[:moof]), bytes.Repeat([]byte{0xff, 0xff, 0xff, 0xff}, 2)...)
	for name, b := range map[string][]byte{
		"no mp4":          []byte("RIFF1234WAVE"),
		"empty":           {},
		"a large moov":    append(append([]byte{}, file[:24]...), 0x7f, 0, 0, 0, 'm', 'o', 'o', 'v'),
		"an endless box":  append(append([]byte{}, file[:moof]...), 0, 0, 0, 0, 'f', 'r', 'e', 'e'),
		"a box of 64 bit": append(append([]byte{}, file[:moof]...), 0, 0, 0, 1, 'm', 'd', 'a', 't', 0, 0, 0, 0, 0, 0, 0, 9),
		"lying":           lying,
		"no fragment":     file[:moof],
	} {
		if _, samples, fault := read(b); fault == nil || len(samples) > 0 {
			t.Errorf("%s: %d samples, %v", name, len(samples), fault)
		}
	}
	// A first sample of 8 MiB, less what the others have, in an mdat to match.
	large := bytes.Clone(file)
	size := large[bytes.Index(large, []byte("trun"))+20:]
	mdat := large[bytes.Index(large, []byte("mdat"))-4:]
	more := 8<<20 - binary.BigEndian.Uint32(size)
	binary.BigEndian.PutUint32(size, 8<<20)
	binary.BigEndian.PutUint32(mdat, binary.BigEndian.Uint32(mdat)+more)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, samples, err := read(large)
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 || len(samples) > 0 || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%d bytes of memory; %d samples, %v", n, len(samples), err)
	}
}

// FuzzReader holds the reader to its bounds; and what it reads can be written and
// read again, unless the frames are none for a writer.
func FuzzReader(f *testing.F) {
	file, err := os.ReadFile("testdata/tiny.mp4")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(file)
	closed, _ := write(f, mp4.Options{Title: "x"}, func(f *feed) {
		for i, data := range tiny(f.tb) {
			f.give(mp4.Frame{Time: at30(i), Data: data})
		}
	})
	f.Add(closed)
	f.Add(file[:len(file)-5])
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := mp4.NewReader(bytes.NewReader(b))
		if err != nil {
			return
		}
		w, _ := mp4.NewWriter(io.Discard, mp4.Options{FromOrigin: true})
		begun, total := false, 0
		for {
			s, err := r.Next()
			if err != nil {
				if _, again := r.Next(); !errors.Is(again, err) {
					t.Fatalf("%v, and then %v", err, again)
				}
				break
			}
			if s.Duration < 1 || s.Time < 0 || r.End() != s.Time+s.Duration || len(s.Data) < 5 {
				t.Fatalf("%+v", s)
			}
			if total += len(s.Data); total > len(b) {
				t.Fatalf("%d bytes of samples in a file of %d", total, len(b))
			}
			again, err := mp4.Canonical(nil, s.Data)
			if err != nil || !bytes.Equal(again, s.Data) {
				t.Fatalf("not canonical: % x, %v", s.Data, err)
			}
			res, err := w.Frame(mp4.Frame{Time: s.Time, Data: s.Data})
			if err != nil {
				t.Fatal(err)
			}
			if begun = begun || res.Verdict == mp4.Written; begun && res.Verdict.Stored() && res.Moved != 0 && total == len(s.Data) {
				t.Fatalf("moved by %d", res.Moved)
			}
		}
	})
}

// FuzzWriter gives it frames that are parts of the input, and reads them back.
func FuzzWriter(f *testing.F) {
	var seed []byte
	for _, data := range tiny(f) {
		seed = append(append(seed, byte(len(data)>>8), byte(len(data)), 33), data...)
	}
	f.Add(seed)
	f.Add(append([]byte{0, byte(len(keyA)), 0}, keyA...))
	f.Fuzz(func(t *testing.T, b []byte) {
		var m formattest.Memory
		w, err := mp4.NewSeekWriter(&m, mp4.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var want []mp4.Sample
		var held []byte
		at := int64(0)
		for len(b) > 3 {
			n := min(int(b[0])<<8|int(b[1]), len(b)-3)
			at += int64(int8(b[2]))
			data := b[3 : 3+n]
			b = b[3+n:]
			var r mp4.Result
			if r, err = w.Frame(mp4.Frame{Time: at, Data: data, Width: 32, Height: 32}); err != nil {
				t.Fatal(err)
			}
			switch {
			case r.Verdict == mp4.Undecodable && len(want) == 0:
				held = nil
			case r.Verdict == mp4.Held:
				held, _ = mp4.Canonical(held, data)
			case r.Verdict.Stored():
				held, _ = mp4.Canonical(held, data)
				want = append(want, mp4.Sample{Time: at - w.Stats().Zero + r.Moved, Sync: r.Key, Damaged: r.Verdict == mp4.Damaged, Data: held})
				held = nil
			}
		}
		if err = w.Close(0); len(want) == 0 {
			return
		}
		_, got, readErr := read(m.B)
		if err != nil || readErr != nil {
			t.Fatal(err, readErr)
		}
		for i := range want {
			if i < len(got) {
				want[i].Sync = want[i].Sync && got[i].Sync // a key frame may lean on sets elsewhere
			}
		}
		same(t, got, want)
		plays(t, m.B, got)
	})
}

// Writing costs little more than moving the bytes, and no memory a frame.
func BenchmarkWriter(b *testing.B) {
	c := film(b, 1280, 720, 60, 30)
	w, err := mp4.NewWriter(io.Discard, mp4.Options{})
	if err != nil {
		b.Fatal(err)
	}
	n := 0
	for _, data := range c.frames {
		n += len(data)
	}
	b.SetBytes(int64(n / len(c.frames)))
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if r, err := w.Frame(mp4.Frame{Time: at30(i), Data: c.frames[i%len(c.frames)]}); err != nil || r.Verdict != mp4.Written {
			b.Fatal(r, err)
		}
		i++
	}
}

func BenchmarkReader(b *testing.B) {
	c := film(b, 1280, 720, 60, 30)
	file, f := write(b, mp4.Options{}, func(f *feed) {
		for i := range c.frames {
			f.frame(at30(i), c, i)
		}
	})
	b.SetBytes(int64(len(file)))
	b.ReportAllocs()
	for b.Loop() {
		r, err := mp4.NewReader(bytes.NewReader(file))
		n := 0
		for ; err == nil; n++ {
			_, err = r.Next()
		}
		if n-1 != len(f.want) {
			b.Fatal(n, err)
		}
	}
}
