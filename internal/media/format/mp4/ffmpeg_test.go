package mp4_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/recorderbot/recorderbot/internal/media/format/mp4"
)

// pictures returns the checksum of each decoded picture.
func pictures(tb testing.TB, path string, input ...string) (sums []string) {
	tb.Helper()
	args := append([]string{"-v", "error"}, input...)
	args = append(args, "-i", path, "-fps_mode", "passthrough", "-autoscale", "0", "-f", "framemd5", "-")
	for line := range strings.Lines(string(output(tb, "ffmpeg", args...))) {
		if fields := strings.Split(line, ","); len(fields) == 6 && line[0] != '#' {
			sums = append(sums, strings.TrimSpace(fields[4])+strings.TrimSpace(fields[5])) // size and MD5
		}
	}
	return sums
}

// probe is what ffprobe says of a file.
type probe struct {
	Packets []struct {
		PTS, DTS, Duration int64
		Flags              string
	}
	Streams []struct {
		CodecName     string `json:"codec_name"`
		CodecTag      string `json:"codec_tag_string"`
		Profile       string
		Width, Height int
		Level         int
		TimeBase      string `json:"time_base"`
		StartPTS      int64  `json:"start_pts"`
		HasB          int    `json:"has_b_frames"`
	}
	Format struct {
		StartTime string `json:"start_time"`
		Duration  string
		Tags      map[string]string
	}
}

func ffprobe(tb testing.TB, path string) (p probe) {
	tb.Helper()
	out := output(tb, "ffprobe", "-v", "error", "-of", "json", "-show_packets", "-show_streams", "-show_format", path)
	if err := json.Unmarshal(out, &p); err != nil {
		tb.Fatal(err)
	}
	return p
}

// threeSizes writes three clips, one after the other, at uneven times.
func threeSizes(f *feed) (times []int64, raw []byte) {
	i := 0
	for _, c := range []clip{film(f.tb, 320, 180, 45, 15), film(f.tb, 642, 362, 30, 30), film(f.tb, 160, 90, 20, 10)} {
		for k := range c.frames {
			at := 38_104_121_949_150_000 + at30(i) + int64(i*i%7)*12_345
			if r := f.frame(at, c, k); r.Verdict != mp4.Written || r.KeyWrong || r.SizeWrong || r.SetsUnread || r.Moved != 0 ||
				r.Resized != (k == 0 && i > 0) || r.Width != c.width || r.Height != c.height {
				f.tb.Fatalf("frame %d: %+v", i, r)
			}
			times = append(times, at-38_104_121_949_150_000)
			raw = append(raw, c.frames[k]...)
			i++
		}
	}
	return times, raw
}

// What ffmpeg decodes from the file is, picture by picture, what it decodes from
// the byte stream, though the size changes twice; and the times are exact.
func TestFFmpegSeesThePicturesAndTheTimes(t *testing.T) {
	t.Parallel()
	created := time.Date(2026, 11, 29, 6, 7, 8, 0, time.UTC)
	var times []int64
	var raw []byte
	b, f := write(t, mp4.Options{Title: "Anna's camera – ü", Created: created}, func(f *feed) { times, raw = threeSizes(f) })
	file := onDisk(t, "video.mp4", b)

	want := pictures(t, onDisk(t, "video.h264", raw), "-f", "h264")
	if got := pictures(t, file); len(want) != 95 || !slices.Equal(got, want) {
		t.Errorf("%d pictures, want %d, or others", len(got), len(want))
	}
	p := ffprobe(t, file)
	for i, packet := range p.Packets {
		if packet.PTS != times[i] || packet.DTS != times[i] || (packet.Flags[0] == 'K') != f.want[i].Sync {
			t.Fatalf("packet %d: %+v, want tick %d", i, packet, times[i])
		}
	}
	s := p.Streams[0]
	if len(p.Packets) != 95 || s.TimeBase != "1/10000000" || s.CodecName != "h264" || s.CodecTag != "avc3" ||
		s.Profile != "Constrained Baseline" || s.Width != 320 || s.Height != 180 {
		t.Errorf("%d packets of %+v", len(p.Packets), s)
	}
	length := f.w.Stats().Length
	if p.Format.StartTime != "0.000000" || p.Format.Duration != fmt.Sprintf("%d.%06d", length/mp4.Timescale, (length%mp4.Timescale+5)/10) {
		t.Errorf("from %s, %s long; want %d ticks", p.Format.StartTime, p.Format.Duration, length)
	}
	if p.Format.Tags["title"] != "Anna's camera – ü" || p.Format.Tags["creation_time"] != "2026-11-29T06:07:08.000000Z" {
		t.Errorf("tags %v", p.Format.Tags)
	}

	info, samples, err := read(b)
	if err != nil {
		t.Fatal(err)
	}
	same(t, samples, f.want)
	wantInfo := mp4.Info{
		Entry: "avc3", SPS: info.SPS, Width: 320, Height: 180, Title: "Anna's camera – ü", Created: created, Length: length,
	}
	if diff := cmp.Diff(wantInfo, info); diff != "" {
		t.Errorf("info (-want +got):\n%s", diff)
	}
}

// Profiles beyond what the platform sends are told to players too.
func TestFFmpegPlaysHigh10(t *testing.T) {
	t.Parallel()
	c := film(t, 98, 66, 10, 5, "-profile:v", "high10", "-pix_fmt", "yuv420p10le")
	b, f := write(t, mp4.Options{}, func(f *feed) {
		for i := range c.frames {
			f.frame(at30(i), c, i)
		}
	})
	if got, want := pictures(t, onDisk(t, "video.mp4", b)), pictures(t, onDisk(t, "video.h264", bytes.Join(c.frames, nil)), "-f", "h264"); !slices.Equal(got, want) {
		t.Errorf("%d pictures, want %d, or others", len(got), len(want))
	}
	at := bytes.Index(b, []byte("avcC"))
	if end := at - 4 + int(b[at-1]); !bytes.Equal(b[end-4:end], []byte{0xfd, 0xfa, 0xfa, 0}) { // 4:2:0, 10 and 10 bits, no extensions
		t.Errorf("avcC ends in % x", b[end-4:end])
	}
	info, got, err := read(b)
	if err != nil || info.Entry != "avc1" || info.SPS.LumaBits != 10 {
		t.Errorf("%+v, %v", info, err)
	}
	same(t, got, f.want)
}
