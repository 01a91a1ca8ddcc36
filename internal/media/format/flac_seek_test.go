package format_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/mewkiz/flac"
	"github.com/mewkiz/flac/meta"
	"pgregory.net/rapid"

	"github.com/recorderbot/recorderbot/internal/media/format"
	"github.com/recorderbot/recorderbot/internal/media/format/formattest"
	"github.com/recorderbot/recorderbot/internal/teamsim/speech"
)

const tenSeconds = 160_000

// seekable encodes samples with a seek table for as many as hint says.
func seekable(tb testing.TB, samples []byte, hint int64) []byte {
	tb.Helper()
	var m formattest.Memory
	w, err := format.NewFLACWriterSized(&m, []format.Tag{{Name: "CALL", Value: "c"}}, hint)
	if err == nil {
		err = w.PCM(samples)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		tb.Fatal(err)
	}
	return m.B
}

// points returns the seek points of a FLAC that lead somewhere, the number of
// all, and where the first frame begins.
func points(tb testing.TB, file []byte) (points []meta.SeekPoint, all, frames int) {
	tb.Helper()
	s, err := flac.Parse(bytes.NewReader(file))
	if err != nil {
		tb.Fatal(err)
	}
	frames = 4 + 4 + 34
	for _, b := range s.Blocks {
		frames += 4 + int(b.Length)
		table, ok := b.Body.(*meta.SeekTable)
		if !ok {
			continue
		}
		all = len(table.Points)
		for i, p := range table.Points {
			if p.SampleNum == meta.PlaceholderPoint {
				continue
			}
			if len(points) != i {
				tb.Errorf("point %d comes after an empty one", i)
			}
			points = append(points, p)
		}
	}
	return points, all, frames
}

// Every point leads to its frame. The points are ten seconds apart, or 20, 40 and
// so on where more samples came than were expected; there is room for as many as the
// hint asks for.
func TestFLACSeekTable(t *testing.T) {
	t.Parallel()
	mix, err := speech.Mix(300)
	if err != nil {
		t.Fatal(err)
	}
	all := pcm(mix)
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(0, len(mix)).Draw(rt, "samples")
		hint := rapid.OneOf(rapid.Just(int64(n)), rapid.Int64Range(-1, int64(len(mix))), rapid.Int64()).Draw(rt, "hint")
		file := seekable(t, all[:2*n], hint)
		got, room, frames := points(t, file)
		if most := max(2, max(hint, 0)/tenSeconds+1); int64(room) > most || room < 2 || room > 4096 {
			rt.Errorf("%d points for %d samples", room, hint)
		}
		interval := tenSeconds
		for ; n > interval*room; interval *= 2 {
		}
		if want := (n + interval - 1) / interval; len(got) != want {
			// The last frame may begin before the time of a point that is due in it.
			if len(got) != want-1 || (want-1)*interval < n-1024 {
				rt.Errorf("%d points, want %d, %d samples apart", len(got), want, interval)
			}
		}
		for i, p := range got {
			if late := int(p.SampleNum) - i*interval; late < 0 || late >= 1024 {
				rt.Errorf("point %d is at sample %d, want one every %d", i, p.SampleNum, interval)
			}
			// What begins there is a FLAC, if a header goes before it.
			tail := append(bytes.Clone(file[:frames]), file[frames+int(p.Offset):]...)
			s, err := flac.Parse(bytes.NewReader(tail))
			if err != nil {
				rt.Fatal(err)
			}
			f, err := s.ParseNext()
			if err != nil || f.Num*1024 != p.SampleNum || int(p.NSamples) != len(f.Subframes[0].Samples) {
				rt.Errorf("point %d leads to another frame: %+v, %v", i, f, err)
			}
		}
	})
}

// Others find a time by the table, and the samples there.
func TestFLACIsSoughtByOthers(t *testing.T) {
	t.Parallel()
	mix, err := speech.Mix(95)
	if err != nil {
		t.Fatal(err)
	}
	want := pcm(mix)
	path := onDisk(t, "a.flac", seekable(t, want, int64(len(mix))))
	list := string(output(t, "metaflac", "--list", "--block-type=SEEKTABLE", path))
	if !strings.Contains(list, "seek points: 10\n") || strings.Contains(list, "PLACEHOLDER") {
		t.Errorf("metaflac says\n%s", list)
	}
	for i := range 10 {
		at := (i*tenSeconds + 1023) / 1024 * 1024
		if line := fmt.Sprintf("point %d: sample_number=%d, ", i, at); !strings.Contains(list, line) {
			t.Errorf("metaflac does not say %q:\n%s", line, list)
		}
	}
	for _, r := range [][2]int{{0, 1}, {159_999, 160_001}, {160_767, 160_768}, {700_000, 705_000}, {len(mix) - 10, len(mix)}} {
		got := output(t, "flac", "--decode", "--silent", "--stdout", "--force-raw-format", "--endian=little", "--sign=signed",
			fmt.Sprintf("--skip=%d", r[0]), fmt.Sprintf("--until=%d", r[1]), path)
		if !bytes.Equal(got, want[2*r[0]:2*r[1]]) {
			t.Errorf("flac returns other samples than %d to %d", r[0], r[1])
		}
	}
	got := output(t, "ffmpeg", "-v", "error", "-ss", "80", "-i", path, "-f", "s16le", "-")
	if !bytes.Equal(got, want[2*80*16000:]) {
		t.Errorf("ffmpeg returns %d bytes from second 80, want %d, or others", len(got), len(want)-2*80*16000)
	}
}

// Days of it have a small table, and numbers of frames of all sizes.
func TestFLACOfAnHourAndMore(t *testing.T) {
	t.Parallel()
	const samples = 1 << 26 // 70 minutes: the numbers of the last frames take four bytes
	file := encode(t, func(w *format.FLACWriter) error { return w.Silence(t.Context(), samples+1) })
	if len(file) > samples/64 {
		t.Errorf("%d bytes of silence", len(file))
	}
	got, room, _ := points(t, file)
	if room != 61 || len(got) < room/2 {
		t.Errorf("%d points of %d", len(got), room)
	}
	path := onDisk(t, "a.flac", file)
	output(t, "flac", "--silent", "--test", "--warnings-as-errors", path)
	probe := string(output(t, "ffprobe", "-v", "error", "-show_entries", "stream=duration_ts", "-of", "csv=p=0", path))
	if want := fmt.Sprint(samples + 1); strings.TrimSpace(probe) != want {
		t.Errorf("ffprobe says %q samples, want %s", probe, want)
	}
}
