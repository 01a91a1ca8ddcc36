package mp4_test

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/recorderbot/recorderbot/internal/media/format/mp4"
)

// Sizes, profiles and depths are read as ffprobe reads them.
func TestParseSPSAgreesWithFFprobe(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		width, height int
		args          []string
		want          mp4.SPS
	}{
		{320, 180, nil, mp4.SPS{Profile: 66, Chroma: 1}},
		{642, 362, nil, mp4.SPS{Profile: 66, Chroma: 1}}, // cropped both ways
		{1920, 1080, nil, mp4.SPS{Profile: 66, Chroma: 1}},
		{16, 16, []string{"-profile:v", "main"}, mp4.SPS{Profile: 77, Chroma: 1}},
		{100, 98, []string{"-profile:v", "high"}, mp4.SPS{Profile: 100, Chroma: 1}},
		{100, 100, []string{"-profile:v", "high", "-flags", "+ildct", "-top", "1"}, mp4.SPS{Profile: 100, Chroma: 1}}, // fields
		{98, 98, []string{"-profile:v", "high422", "-pix_fmt", "yuv422p"}, mp4.SPS{Profile: 122, Chroma: 2}},
		{99, 99, []string{"-profile:v", "high444", "-pix_fmt", "yuv444p", "-vf", "scale=99:99"}, mp4.SPS{Profile: 244, Chroma: 3}},
		{98, 98, []string{"-profile:v", "high10", "-pix_fmt", "yuv420p10le"}, mp4.SPS{Profile: 110, Chroma: 1, LumaBits: 10, ChromaBits: 10}},
		{99, 99, []string{"-profile:v", "high", "-pix_fmt", "gray", "-vf", "scale=99:99"}, mp4.SPS{Profile: 100, Chroma: 0}},
		{320, 240, []string{"-profile:v", "high", "-x264opts", "cqm=jvt"}, mp4.SPS{Profile: 100, Chroma: 1}}, // scaling lists
		{320, 240, []string{"-color_primaries", "bt709", "-color_trc", "bt709", "-colorspace", "bt709", "-aspect", "21:9"}, // VUI
			mp4.SPS{Profile: 66, Chroma: 1}},
	} {
		t.Run(fmt.Sprint(c.width, c.height, c.args), func(t *testing.T) {
			t.Parallel()
			b := film(t, c.width, c.height, 1, 1, c.args...).frames[0]
			got, err := mp4.ParseSPS(units(b)[0])
			if err != nil {
				t.Fatal(err)
			}
			p := ffprobe(t, onDisk(t, "one.h264", b))
			if s := p.Streams[0]; got.Width != s.Width || got.Height != s.Height || int(got.Level) != s.Level {
				t.Errorf("%d × %d, level %d; ffprobe says %d × %d, %d", got.Width, got.Height, got.Level, s.Width, s.Height, s.Level)
			}
			want := c.want
			want.Width, want.Height, want.Level, want.Compatibility = c.width, c.height, got.Level, got.Compatibility
			if want.LumaBits == 0 {
				want.LumaBits, want.ChromaBits = 8, 8
			}
			if got != want {
				t.Errorf("%+v, want %+v", got, want)
			}
		})
	}
}

// bitstring is a payload from bits; emulation prevention is put in as an encoder
// does.
func bitstring(parts ...string) (b []byte) {
	s := strings.ReplaceAll(strings.Join(parts, ""), " ", "") + "1"
	s += strings.Repeat("0", (8-len(s)%8)%8)
	zeros := 0
	for ; len(s) > 0; s = s[8:] {
		n, _ := strconv.ParseUint(s[:8], 2, 8)
		c := byte(n)
		if zeros >= 2 && c <= 3 {
			b, zeros = append(b, 3), 0
		}
		if zeros++; c != 0 {
			zeros = 0
		}
		b = append(b, c)
	}
	return b
}

// ue is v as Exp-Golomb.
func ue(v uint64) string {
	s := fmt.Sprintf("%b", v+1)
	return strings.Repeat("0", len(s)-1) + s
}

// plainSPS is a Baseline set of w by h macroblocks, uncropped.
func plainSPS(id uint64, w, h int) []byte {
	return append([]byte{0x67, 66, 0xc0, 30}, bitstring(ue(id), ue(0), ue(2), ue(1), "0", ue(uint64(w-1)), ue(uint64(h-1)), "1 1 0 0")...)
}

func TestParseSPSByHand(t *testing.T) {
	t.Parallel()
	s, err := mp4.ParseSPS(plainSPS(31, 40, 30))
	if err != nil || s != (mp4.SPS{31, 66, 0xc0, 30, 640, 480, 1, 8, 8}) {
		t.Errorf("%+v, %v", s, err)
	}
	// pic_order_cnt_type 1 with offsets as large as they may be, and so many zero
	// bits that emulation prevention steps in.
	most := ue(1<<32 - 3)
	b := append([]byte{0x67, 66, 0xc0, 30},
		bitstring(ue(0), ue(0), ue(1), "1", most, ue(0), ue(2), most, ue(0), ue(1), "0", ue(79), ue(44), "1 1 0 0")...)
	if !strings.Contains(hex.EncodeToString(b), "000003") {
		t.Fatal("no emulation prevention: the test tests nothing")
	}
	if s, err = mp4.ParseSPS(b); err != nil || s.Width != 1280 || s.Height != 720 {
		t.Errorf("%+v, %v", s, err)
	}
	for n := range b[:len(b)-1] {
		if s, err := mp4.ParseSPS(b[:n]); err == nil {
			t.Errorf("cut to %d bytes: %+v", n, s)
		}
	}
}

func TestParseSPSRefuses(t *testing.T) {
	t.Parallel()
	head := []byte{0x67, 66, 0xc0, 30}
	for name, payload := range map[string]string{
		"an ID of 32":       ue(32),
		"an endless number": strings.Repeat("0", 100),
		"a number of 33 bits": ue(0) + ue(0) + ue(1) + "1" + strings.Repeat("0", 32) + "1" + strings.Repeat("0", 31) + "1" +
			ue(0) + ue(0) + ue(1) + "0" + ue(79) + ue(44) + "1 1 0 0",
		"too many pictures":  ue(0) + ue(0) + ue(2) + ue(17),
		"a picture too wide": ue(0) + ue(0) + ue(2) + ue(1) + "0" + ue(4096) + ue(0) + "1 1 0 0",
		"all cropped":        ue(0) + ue(0) + ue(2) + ue(1) + "0" + ue(0) + ue(0) + "1 1 1" + ue(4) + ue(4) + ue(0) + ue(0) + "0",
		"more cropped":       ue(0) + ue(0) + ue(2) + ue(1) + "0" + ue(0) + ue(0) + "1 1 1" + ue(65535) + ue(65535) + ue(0) + ue(0) + "0",
	} {
		if s, err := mp4.ParseSPS(append(head[:4:4], bitstring(payload)...)); err == nil {
			t.Errorf("%s: %+v", name, s)
		}
	}
	for _, b := range [][]byte{nil, {0x67}, {0x68, 66, 0, 30, 0xff}, {0xe7, 66, 0, 30, 0xff}} {
		if s, err := mp4.ParseSPS(b); err == nil {
			t.Errorf("% x: %+v", b, s)
		}
	}
}

func FuzzParseSPS(f *testing.F) {
	f.Add(plainSPS(0, 80, 45))
	f.Add([]byte{0x67, 100, 0, 40, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, 0x01, 0x10, 0, 0, 3, 0, 0x10, 0, 0, 3, 3, 0xc0, 0xf1, 0x42, 0x99, 0x60})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := mp4.ParseSPS(b)
		if err == nil && (s.Width < 1 || s.Width > 65535 || s.Height < 1 || s.Height > 65535 || s.ID > 31) {
			t.Errorf("%+v", s)
		}
	})
}
