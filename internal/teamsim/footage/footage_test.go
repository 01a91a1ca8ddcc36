package footage_test

import (
	"bytes"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/recorderbot/recorderbot/internal/teamsim/footage"
)

// TestClipsAreWhatThePlatformHandsOver: the units are those of the platform's
// documentation, and together they are the file.
func TestClipsAreWhatThePlatformHandsOver(t *testing.T) {
	t.Parallel()
	for _, c := range everyClip(t) {
		keys := 0
		for i, u := range c.Units {
			kinds := fmt.Sprint(kindsOf(u.Data))
			want := "[1]"
			if u.Key {
				want = "[7 8 5]"
				keys++
			}
			if kinds != want {
				t.Errorf("%s-%d: unit %d has NAL units %s, want %s", c.Name, c.Height, i, kinds, want)
			}
		}
		if keys < 2 || keys == len(c.Units) || c.NextKey(1) == 0 || c.NextKey(len(c.Units)-1) != 0 {
			t.Errorf("%s-%d: %d of %d units are key frames", c.Name, c.Height, keys, len(c.Units))
		}
	}
}

// everyClip is each clip in each of its sizes.
func everyClip(t *testing.T) []*footage.Clip {
	t.Helper()
	var all []*footage.Clip
	for _, name := range footage.Names() {
		for _, lines := range []int{180, 360, 720} {
			c, err := footage.Find(name, lines)
			if err != nil {
				t.Fatal(err)
			}
			if len(all) == 0 || all[len(all)-1] != c {
				all = append(all, c)
			}
		}
	}
	if len(all) != 7 {
		t.Fatalf("%d clips", len(all))
	}
	return all
}

func kindsOf(unit []byte) []int {
	var kinds []int
	for _, nal := range bytes.Split(unit, []byte{0, 0, 1})[1:] {
		kinds = append(kinds, int(nal[0]&0x1f))
	}
	return kinds
}

func TestFindTakesWhatIsNearest(t *testing.T) {
	t.Parallel()
	for lines, want := range map[int]uint16{90: 180, 180: 180, 359: 180, 360: 360, 1080: 360} {
		if c, err := footage.Find(footage.Camera, lines); err != nil || c.Height != want || c.Width != want*16/9 {
			t.Errorf("%d lines: %v, %v", lines, c, err)
		}
	}
	if _, err := footage.Find("film", 360); err == nil || !strings.Contains(err.Error(), "slides") {
		t.Errorf("an unknown clip: %v", err)
	}
}

func TestOnePictureIsLargerThanAMessage(t *testing.T) {
	t.Parallel()
	c, err := footage.Find(footage.Slides, 720)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range c.Units {
		if len(u.Data) > 64<<10 {
			return
		}
	}
	t.Error("none is")
}

// TestDecodesFromEveryKeyFrame: looped, and entered at any key frame, a clip decodes
// without a word from ffmpeg, one picture a unit, in its size.
func TestDecodesFromEveryKeyFrame(t *testing.T) {
	t.Parallel()
	ffmpeg, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("needs ffmpeg")
	}
	for _, c := range everyClip(t) {
		t.Run(fmt.Sprint(c.Name, c.Height), func(t *testing.T) {
			t.Parallel()
			var stream []byte
			units := 0
			add := func(from, n int) {
				for i := range n {
					stream = append(stream, c.Units[(from+i)%len(c.Units)].Data...)
					units++
				}
			}
			last := c.NextKey(len(c.Units)/2 + 1) // jump about between groups, and over the end
			add(0, 3)
			add(c.NextKey(1), 5)
			add(last, len(c.Units)+3)
			cmd := exec.CommandContext(t.Context(), ffmpeg, "-nostdin", "-v", "warning", "-err_detect", "explode",
				"-f", "h264", "-i", "-", "-f", "rawvideo", "-fps_mode", "passthrough", "-")
			var complaints bytes.Buffer
			cmd.Stdin, cmd.Stderr = bytes.NewReader(stream), &complaints
			out, err := cmd.Output()
			if err != nil || complaints.Len() > 0 {
				t.Errorf("ffmpeg: %v: %s", err, &complaints)
			}
			if want := units * int(c.Width) * int(c.Height) * 3 / 2; len(out) != want {
				t.Errorf("%d bytes were decoded, want %d", len(out), want)
			}
			if c.Name == footage.Sync && (!white(out, 0, c) || white(out, 3, c) || white(out, 4, c)) {
				t.Error("the flash is not in the first picture alone")
			}
		})
	}
}

// white tells whether the middle of a picture is.
func white(raw []byte, picture int, c *footage.Clip) bool {
	luma := raw[picture*int(c.Width)*int(c.Height)*3/2:]
	return luma[int(c.Height/2)*int(c.Width)+int(c.Width/2)] > 230
}

func TestBeepBeginsAtOnce(t *testing.T) {
	t.Parallel()
	b := footage.Beep()
	if len(b) != 16000 || b[0] < 10_000 || b[959] == 0 {
		t.Errorf("%d samples, the first is %d, the 960th %d", len(b), b[0], b[959])
	}
	for i, s := range b[960:] {
		if s != 0 {
			t.Fatalf("sample %d is %d", 960+i, s)
		}
	}
}
