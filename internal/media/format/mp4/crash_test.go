package mp4_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/recorderbot/recorderbot/internal/media/format/formattest"
	"github.com/recorderbot/recorderbot/internal/media/format/mp4"
)

// A journal is a file that remembers each of its writes.
type journal struct {
	formattest.Memory
	ops []op
}

type op struct {
	at int64
	b  []byte
}

func (j *journal) Write(p []byte) (int, error) {
	j.ops = append(j.ops, op{j.At, bytes.Clone(p)})
	return j.Memory.Write(p)
}

// torn returns the file after n writes, and the begin of the next one.
func (j *journal) torn(n, begin int) []byte {
	var m formattest.Memory
	for i, o := range j.ops[:n+1] {
		m.At = o.at
		if i == n {
			o.b = o.b[:begin]
		}
		_, _ = m.Write(o.b)
	}
	return m.B
}

// cuts are places in a write of n bytes to stop at. Four bytes are either written
// or not.
func cuts(n int) []int {
	if n == 4 {
		return []int{0}
	}
	all := []int{0, 1, 4, 8, 9, 50, 100, 101, n / 2, n - 1}
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(c int) bool { return c < 0 || c >= n })
}

// A writer that dies leaves a file that plays: all whole fragments, whichever
// write it died in, and wherever in it.
func TestCrashLeavesAFileThatPlays(t *testing.T) {
	t.Parallel()
	var file journal
	w, err := mp4.NewSeekWriter(&file, mp4.Options{Title: "crash"})
	if err != nil {
		t.Fatal(err)
	}
	f := &feed{tb: t, w: w}
	raw, whole := twoGroups(f, func() int { return len(file.ops) })
	whole[len(file.ops)] = len(f.want)
	if err := w.Close(0); err != nil {
		t.Fatal(err)
	}
	want := pictures(t, onDisk(t, "video.h264", raw), "-f", "h264")
	frames := 0
	for n, o := range file.ops {
		if n == 0 {
			continue // there is no header yet
		}
		for _, begin := range cuts(len(o.b)) {
			b := file.torn(n, begin)
			r, err := mp4.NewReader(bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			got := 0
			for err == nil {
				if _, err = r.Next(); err == nil {
					got++
				}
			}
			if got < frames || !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("write %d, cut at %d: %d samples, want %d: %v", n, begin, got, frames, err)
			}
			frames = got
			if frames > 0 && (begin == 0 || begin == 1 || begin == 101) { // the others are spared, for time
				if got := pictures(t, onDisk(t, "torn.mp4", b)); !slices.Equal(got, want[:frames]) {
					t.Fatalf("write %d, cut at %d: %d pictures, want %d, or others", n, begin, len(got), frames)
				}
			}
		}
	}
	if frames != len(want) {
		t.Errorf("%d samples at last, want %d", frames, len(want))
	}
}

// twoGroups writes two groups of pictures and notes how many frames are in whole
// fragments when done returns a new number.
func twoGroups(f *feed, done func() int) (raw []byte, whole map[int]int) {
	c := film(f.tb, 96, 64, 60, 40)
	whole = map[int]int{}
	for i, frame := range c.frames {
		before := done()
		f.frame(at30(i), c, i)
		if now := done(); now > before && i > 0 {
			whole[now] = i
		}
		raw = append(raw, frame...)
	}
	return raw, whole
}

// Where nothing can be patched, a file that is truncated to its whole fragments
// plays.
func TestWholeFragmentsPlay(t *testing.T) {
	t.Parallel()
	var file bytes.Buffer
	w, err := mp4.NewWriter(&file, mp4.Options{})
	if err != nil {
		t.Fatal(err)
	}
	f := &feed{tb: t, w: w}
	raw, whole := twoGroups(f, file.Len)
	if err := w.Close(0); err != nil {
		t.Fatal(err)
	}
	whole[file.Len()] = len(f.want)
	want := pictures(t, onDisk(t, "video.h264", raw), "-f", "h264")
	played := 0
	for cut := range file.Len() + 1 {
		r, err := mp4.NewReader(bytes.NewReader(file.Bytes()[:cut]))
		for err == nil {
			_, err = r.Next()
		}
		_, atEnd := whole[cut]
		if errors.Is(err, io.EOF) != atEnd || !atEnd && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("cut at byte %d: %v", cut, err)
		}
		if r == nil || cut%1000 != 0 && !atEnd {
			continue
		}
		frames, ok := whole[int(r.Whole())]
		if !ok {
			continue // the header alone
		}
		if got := pictures(t, onDisk(t, "cut.mp4", file.Bytes()[:r.Whole()])); !slices.Equal(got, want[:frames]) {
			t.Errorf("cut at byte %d, truncated to %d: %d pictures, want %d, or others", cut, r.Whole(), len(got), frames)
		}
		played++
	}
	if len(whole) != 2 || played < 4 {
		t.Errorf("whole fragments at %v, %d of them played", whole, played)
	}
}
