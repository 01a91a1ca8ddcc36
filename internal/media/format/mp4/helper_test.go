package mp4_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/recorderbot/recorderbot/internal/media/format/formattest"
	"github.com/recorderbot/recorderbot/internal/media/format/mp4"
)

// output runs a program that was not written by us, which the Makefile installs
// before `make test`, and returns what it prints.
func output(tb testing.TB, name string, args ...string) []byte {
	tb.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		tb.Fatalf("%s is missing: run `make test`, which installs it, or install the package ffmpeg: %v", name, err)
	}
	var errs bytes.Buffer
	cmd := exec.CommandContext(tb.Context(), path, args...)
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil || errs.Len() > 0 {
		tb.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, errs.Bytes())
	}
	return out
}

// A clip is H.264 as the platform gives it: Baseline, a buffer a frame.
type clip struct {
	width, height int
	frames        [][]byte // Annex B
}

// film makes a clip of moving pictures. Extra arguments come after the encoder's.
func film(tb testing.TB, width, height, frames, gop int, extra ...string) clip {
	tb.Helper()
	args := []string{
		"-v", "error", "-f", "lavfi", "-i", fmt.Sprintf("testsrc2=size=%dx%d:rate=30", width, height),
		"-frames:v", fmt.Sprint(frames), "-c:v", "libx264", "-preset", "veryfast", "-profile:v", "baseline", "-pix_fmt", "yuv420p",
		"-x264-params", fmt.Sprintf("keyint=%d:min-keyint=%[1]d:scenecut=0:bframes=0:slices=1:threads=1", gop),
	}
	args = append(args, extra...)
	args = append(args, "-bsf:v", "filter_units=remove_types=6", "-f", "h264", "-")
	c := clip{width, height, accessUnits(tb, output(tb, "ffmpeg", args...))}
	if len(c.frames) != frames {
		tb.Fatalf("%d frames came of %d", len(c.frames), frames)
	}
	return c
}

// units splits Annex B by another way than the package's.
func units(annexB []byte) [][]byte {
	var all [][]byte
	for i := 0; i+3 < len(annexB); i++ {
		if string(annexB[i:i+3]) != "\x00\x00\x01" {
			continue
		}
		end := i + 3
		for end < len(annexB) && !strings.HasPrefix(string(annexB[end:min(end+3, len(annexB))]), "\x00\x00\x01") {
			end++
		}
		if u := bytes.TrimRight(annexB[i+3:end], "\x00"); len(u) > 0 {
			all = append(all, u)
		}
	}
	return all
}

// accessUnits splits a byte stream into pictures: each ends with a slice behind
// which a new picture begins.
func accessUnits(tb testing.TB, stream []byte) (all [][]byte) {
	tb.Helper()
	var au []byte
	sliced := false
	for _, u := range units(stream) {
		slice := u[0]&31 == 1 || u[0]&31 == 5
		// A first_mb_in_slice of 0 is a bit that is set.
		if sliced && (!slice || u[1]&0x80 != 0) {
			all, au, sliced = append(all, au), nil, false
		}
		code := "\x00\x00\x01"
		if len(au) == 0 {
			code = "\x00" + code
		}
		au = append(append(au, code...), u...)
		sliced = sliced || slice
	}
	return append(all, au)
}

// annexB joins units.
func annexB(units ...[]byte) (b []byte) {
	for _, u := range units {
		b = append(append(b, 0, 0, 0, 1), u...)
	}
	return b
}

func canonical(tb testing.TB, b []byte) []byte {
	tb.Helper()
	c, err := mp4.Canonical(nil, b)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// onDisk returns the path of a file that other programs can read.
func onDisk(tb testing.TB, name string, b []byte) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

// at30 is the time of the i-th frame at 30 a second, in ticks.
func at30(i int) int64 { return int64(i) * mp4.Timescale / 30 }

// A feed writes frames and holds the writer to its word.
type feed struct {
	tb   testing.TB
	w    *mp4.Writer
	want []mp4.Sample // what a reader must find, but for durations
}

func (f *feed) frame(time int64, c clip, i int) mp4.Result {
	f.tb.Helper()
	return f.give(mp4.Frame{
		Time: time, Data: c.frames[i], Key: bytes.Contains(c.frames[i], []byte{0, 0, 1, 0x65}), Width: c.width, Height: c.height,
	})
}

func (f *feed) give(frame mp4.Frame) mp4.Result {
	f.tb.Helper()
	r, err := f.w.Frame(frame)
	if err != nil {
		f.tb.Fatal(err)
	}
	if r.Verdict.Stored() {
		f.want = append(f.want, mp4.Sample{
			Time: frame.Time - f.w.Stats().Zero + r.Moved, Sync: r.Key, Damaged: r.Verdict == mp4.Damaged, Data: canonical(f.tb, frame.Data),
		})
	}
	return r
}

// write makes a file that is patched at its end.
func write(tb testing.TB, o mp4.Options, fill func(*feed)) ([]byte, *feed) {
	tb.Helper()
	var m formattest.Memory
	w, err := mp4.NewSeekWriter(&m, o)
	if err != nil {
		tb.Fatal(err)
	}
	f := &feed{tb: tb, w: w}
	fill(f)
	if err := w.Close(0); err != nil {
		tb.Fatal(err)
	}
	if m.At != int64(len(m.B)) || w.Stats().Bytes != m.At {
		tb.Fatalf("stands at byte %d of %d, and counted %d", m.At, len(m.B), w.Stats().Bytes)
	}
	return m.B, f
}

// read returns all samples and how the file ends.
func read(b []byte) (mp4.Info, []mp4.Sample, error) {
	r, err := mp4.NewReader(bytes.NewReader(b))
	if err != nil {
		return mp4.Info{}, nil, err
	}
	var all []mp4.Sample
	for {
		s, err := r.Next()
		if errors.Is(err, io.EOF) {
			return r.Info(), all, nil
		}
		if err != nil {
			return r.Info(), all, err
		}
		s.Data = bytes.Clone(s.Data)
		all = append(all, s)
	}
}

// same holds what was read to what was written: bytes, flags, times, and
// durations, which reach from a frame to the next.
func same(tb testing.TB, got, want []mp4.Sample) {
	tb.Helper()
	if len(got) != len(want) {
		tb.Fatalf("%d samples of %d", len(got), len(want))
	}
	for i, g := range got {
		w := want[i]
		if g.Time != w.Time || g.Sync != w.Sync || g.Damaged != w.Damaged || !bytes.Equal(g.Data, w.Data) {
			tb.Fatalf("sample %d: time %d, sync %t, damaged %t, %d bytes; want %d, %t, %t, %d", i,
				g.Time, g.Sync, g.Damaged, len(g.Data), w.Time, w.Sync, w.Damaged, len(w.Data))
		}
		if i+1 < len(want) {
			if d := min(want[i+1].Time-w.Time, 1<<32-1); g.Duration != d {
				tb.Fatalf("sample %d lasts %d ticks, not %d", i, g.Duration, d)
			}
		}
	}
}
