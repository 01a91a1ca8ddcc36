package mp4_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/recorderbot/recorderbot/internal/media/format/formattest"
	"github.com/recorderbot/recorderbot/internal/media/format/mp4"
)

// A decoder is as much of one as knows which parameter sets it was given. It reads
// units by other code than the package's.
type decoder struct{ sps, pps map[string]string }

func newDecoder() decoder { return decoder{map[string]string{}, map[string]string{}} }

// numbers reads Exp-Golomb numbers from a unit.
func numbers(unit []byte, skip, n int) (all []string) {
	s := ""
	for _, c := range bytes.ReplaceAll(unit[min(skip, len(unit)):], []byte{0, 0, 3}, []byte{0, 0}) {
		s += fmt.Sprintf("%08b", c)
	}
	for range n {
		z := strings.IndexByte(s, '1')
		if z < 0 || len(s) < 2*z+1 {
			return append(all, "?", "?", "?")
		}
		all, s = append(all, s[z:2*z+1]), s[2*z+1:]
	}
	return all
}

// atMost compares one of the numbers.
func atMost(number string, most int) bool {
	n, err := strconv.ParseInt(number, 2, 64)
	return err == nil && n-1 <= int64(most)
}

// decode takes the units of a sample and returns what its slices rest on; missing
// is set where that never came.
func (d decoder) decode(annexB []byte) (rests string, missing bool) {
	for _, u := range units(annexB) {
		switch u[0] & 31 {
		case 7:
			if s, err := mp4.ParseSPS(u); err == nil {
				d.sps[strings.TrimLeft(ue(uint64(s.ID)), "0")] = string(u)
			}
		case 8:
			if n := numbers(u, 1, 2); n[1] != "?" && atMost(n[0], 255) && atMost(n[1], 31) {
				d.pps[n[0]] = string(u)
			}
		case 1, 5:
			pps := d.pps[numbers(u, 1, 3)[2]]
			sps := ""
			if pps != "" {
				sps = d.sps[numbers([]byte(pps), 1, 2)[1]]
			}
			missing = missing || sps == ""
			rests += pps + sps
		}
	}
	return rests, missing
}

// entrySets are the parameter sets in the header of a file.
func entrySets(file []byte) (sets []byte) {
	b := file[bytes.Index(file, []byte("avcC"))+4+5:]
	for _, mask := range []byte{31, 255} {
		n := b[0] & mask
		b = b[1:]
		for range n {
			size := binary.BigEndian.Uint16(b)
			sets = append(sets, annexB(b[2:2+size])...)
			b = b[2+size:]
		}
	}
	return sets
}

// plays holds a file to what a player needs: at each sample, and after beginning at
// any sync sample, all sets that slices rest on are known, and are the same ones.
func plays(t interface{ Fatalf(string, ...any) }, file []byte, samples []mp4.Sample) {
	linear := newDecoder()
	linear.decode(entrySets(file))
	for i, s := range samples {
		rests, missing := linear.decode(s.Data)
		if missing {
			t.Fatalf("sample %d rests on sets that are not in the file", i)
		}
		if !s.Sync {
			continue
		}
		fresh := newDecoder()
		fresh.decode(entrySets(file))
		if again, missing := fresh.decode(s.Data); missing || again != rests {
			t.Fatalf("sync sample %d rests on sets that a player which begins there does not have", i)
		}
	}
	if !samples[0].Sync {
		t.Fatalf("begins with no sync sample")
	}
}

// drawUnit draws a unit that may be in a frame.
func drawUnit(t *rapid.T) []byte {
	id := rapid.Uint64Range(0, 2)
	switch rapid.IntRange(0, 9).Draw(t, "unit") {
	case 0:
		return plainSPS(id.Draw(t, "sps"), rapid.IntRange(1, 3).Draw(t, "width"), 2)
	case 1, 2:
		return pps(id.Draw(t, "pps"), rapid.Uint64Range(0, 1).Draw(t, "sps"))
	case 3:
		return []byte{9, 0xf0}
	case 4:
		return slice(0x65, id.Draw(t, "pps"), 1)
	default:
		return slice(0x41, id.Draw(t, "pps"), rapid.SliceOfN(rapid.ByteMin(4), 0, 300).Draw(t, "payload")...)
	}
}

// Whatever comes, in whatever order: each frame is counted once; what the file
// holds is what was stored, byte for byte and tick for tick; and it plays.
func TestNothingIsLostSilently(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var m formattest.Memory
		w, err := mp4.NewSeekWriter(&m, mp4.Options{
			Fragment:   time.Duration(rapid.IntRange(1, 100).Draw(t, "fragment")) * time.Millisecond,
			FromOrigin: rapid.Bool().Draw(t, "from origin"), Origin: rapid.Int64Range(-1e6, 1e6).Draw(t, "origin"),
		})
		if err != nil {
			t.Fatal(err)
		}
		var want []mp4.Sample
		var held []byte
		unplaced := 0
		counts := map[mp4.Verdict]int64{}
		at := rapid.Int64Range(-1e9, 1e9).Draw(t, "begin")
		for range rapid.IntRange(1, 60).Draw(t, "frames") {
			if rapid.IntRange(0, 9).Draw(t, "gap") == 0 {
				w.Discontinuity()
			}
			var data []byte
			for range rapid.IntRange(0, 4).Draw(t, "units") {
				data = append(append(data, "\x00\x00\x00\x01"[rapid.IntRange(0, 1).Draw(t, "code"):]...), drawUnit(t)...)
				data = append(data, make([]byte, rapid.IntRange(0, 2).Draw(t, "padding"))...)
			}
			width := rapid.SampledFrom([]int{0, 16, 32}).Draw(t, "told")
			var r mp4.Result
			if r, err = w.Frame(mp4.Frame{Time: at, Data: data, Width: width, Height: width}); err != nil {
				t.Fatal(err)
			}
			counts[r.Verdict]++
			switch {
			case r.Verdict == mp4.Undecodable && len(want) == 0:
				unplaced, held = unplaced+len(held), nil
			case r.Verdict == mp4.Held:
				held, _ = mp4.Canonical(held, data)
			case r.Verdict.Stored():
				held, _ = mp4.Canonical(held, data)
				want = append(want, mp4.Sample{Time: at - w.Stats().Zero + r.Moved, Damaged: r.Verdict == mp4.Damaged, Data: held})
				held = nil
			}
			at += rapid.OneOf(rapid.Int64Range(-1000, 1e6), rapid.SampledFrom([]int64{0, -1, 333_333, math.MaxUint32 + 7})).Draw(t, "delta")
		}
		err = w.Close(0)
		s := w.Stats()
		for v, span := range map[mp4.Verdict]mp4.Span{
			mp4.Written: s.Written, mp4.Damaged: s.Damaged, mp4.Held: s.Held, mp4.Undecodable: s.Undecodable,
		} {
			if span.Frames != counts[v] {
				t.Fatalf("%d frames are %v, %d are counted", counts[v], v, span.Frames)
			}
		}
		if s.Unplaced != int64(unplaced+len(held)) {
			t.Fatalf("%d bytes are held at last, %d were before, %d are counted", len(held), unplaced, s.Unplaced)
		}
		if len(want) == 0 {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		checkFile(t, m.B, want, s)
	})
}

// checkFile reads a file back.
func checkFile(t *rapid.T, file []byte, want []mp4.Sample, s mp4.Stats) {
	info, got, err := read(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(want) || info.Length != s.Length || s.Bytes != int64(len(file)) {
		t.Fatalf("%d samples of %d, %d ticks of %d, %d bytes of %d", len(got), len(want), info.Length, s.Length, len(file), s.Bytes)
	}
	for i, g := range got {
		if g.Time != want[i].Time || g.Damaged != want[i].Damaged || !bytes.Equal(g.Data, want[i].Data) {
			t.Fatalf("sample %d: time %d, damaged %t, %d bytes; want %d, %t, %d", i, g.Time, g.Damaged, len(g.Data), want[i].Time, want[i].Damaged, len(want[i].Data))
		}
		if i > 0 {
			if d := min(g.Time-got[i-1].Time, math.MaxUint32); d < 1 || got[i-1].Duration != d {
				t.Fatalf("sample %d lasts %d ticks, not %d", i-1, got[i-1].Duration, d)
			}
		}
	}
	plays(t, file, got)
}
