package mp4_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/media/format/mp4"
)

// A showing is a file, and what a browser must make of it.
type showing struct {
	Name  string  `json:"name"`
	File  string  `json:"file"`
	Rate  float64 `json:"rate"`
	Seeks []seek  `json:"seeks"`

	file   []byte
	sizes  []string
	begin  float64 // seconds
	length float64 // seconds
	frames int     // that are decoded when all is played
}

type seek struct {
	To   float64 `json:"to"`   // seconds
	Want string  `json:"want"` // size and colour
}

// seen is what the page saw.
type seen struct {
	Name, Error          string
	Sizes, Seeks         []string
	Duration, Begin, End float64 // seconds
	Frames               int
}

// coloured are three clips: red, green and blue, of three sizes.
func coloured(tb testing.TB) []clip {
	tb.Helper()
	fill := func(colour string) []string { return []string{"-vf", "drawbox=color=" + colour + ":t=fill"} }
	return []clip{
		film(tb, 320, 180, 45, 15, fill("red")...),
		film(tb, 642, 362, 45, 45, fill("green")...),
		film(tb, 160, 90, 30, 10, fill("blue")...),
	}
}

// each calls fn for each frame of clips that follow each other.
func each(clips []clip, fn func(i int, c clip, k int)) {
	i := 0
	for _, c := range clips {
		for k := range c.frames {
			fn(i, c, k)
			i++
		}
	}
}

// showings are files of every kind that the package writes.
func showings(t *testing.T) []showing {
	t.Helper()
	clips := coloured(t)
	all := func(f *feed) { each(clips, func(i int, c clip, k int) { f.frame(at30(i), c, k) }) }
	sizes := []string{"320x180", "642x362", "160x90"}
	closed, _ := write(t, mp4.Options{}, all)
	plain, _ := write(t, mp4.Options{}, func(f *feed) { each(clips[:1], func(i int, c clip, k int) { f.frame(at30(i), c, k) }) })
	offset, _ := write(t, mp4.Options{FromOrigin: true, Origin: at30(-150)}, all)
	var appended bytes.Buffer
	w, err := mp4.NewWriter(&appended, mp4.Options{})
	if err != nil {
		t.Fatal(err)
	}
	all(&feed{tb: t, w: w})
	if err = w.Close(0); err != nil {
		t.Fatal(err)
	}
	var file journal
	if w, err = mp4.NewSeekWriter(&file, mp4.Options{}); err != nil {
		t.Fatal(err)
	}
	all(&feed{tb: t, w: w})
	if err = w.Close(0); err != nil {
		t.Fatal(err)
	}
	torn := file.torn(1+3+3+1, 100) // in the samples of the third fragment: each is three writes
	longGap, _ := write(t, mp4.Options{}, func(f *feed) {
		each(clips, func(i int, c clip, k int) { f.frame(at30(i)+int64(i/45)*600*mp4.Timescale, c, k) })
	})
	// Lost: frames in the first group, and the key frame of the second size.
	damaged, f := write(t, mp4.Options{}, func(f *feed) {
		each(clips, func(i int, c clip, k int) {
			if i >= 20 && i < 24 || i >= 43 && i < 50 {
				f.w.Discontinuity()
				return
			}
			f.frame(at30(i), c, k)
		})
	})
	if s := f.w.Stats(); s.Damaged.Frames != 6 || s.Undecodable.Frames != 40 {
		t.Fatalf("%+v", s)
	}
	seeks := []seek{{3.5, "160x90 blue"}, {0.7, "320x180 red"}, {2.9, "642x362 green"}, {1.6, "642x362 green"}, {3.9, "160x90 blue"}, {0, "320x180 red"}}
	return []showing{
		{Name: "closed", file: closed, sizes: sizes, length: 4, frames: 120},
		{Name: "sought", file: closed, Seeks: seeks, length: 4},
		{Name: "one size", file: plain, sizes: sizes[:1], length: 1.5, frames: 45},
		{Name: "appended", file: appended.Bytes(), sizes: sizes, length: 4, frames: 120},
		{Name: "appended, sought", file: appended.Bytes(), Seeks: seeks, length: 4},
		{Name: "torn", file: torn, sizes: sizes[:2], length: 3, frames: 90},
		{Name: "from an origin", file: offset, sizes: sizes, begin: 5, length: 9, frames: 120},
		{Name: "gaps", file: longGap, length: 1204, Seeks: []seek{
			{1204 - 0.5, "160x90 blue"}, {300, "320x180 red"}, {602.9, "642x362 green"}, {1100, "642x362 green"},
		}},
		{Name: "damaged", file: damaged, sizes: []string{"320x180", "160x90"}, length: 4, frames: 69},
	}
}

// Chromium plays every kind of file from a plain <video src>: to its end, through
// changes of size, gaps and damage; and finds its way in it.
func TestChromiumPlays(t *testing.T) {
	t.Parallel()
	browser := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			browser = path
			break
		}
	}
	if browser == "" {
		t.Skip("no Chromium here: install the package chromium to see that browsers play the files")
	}
	cases := showings(t)
	results := make(chan []byte, 1)
	mux := http.NewServeMux()
	for i := range cases {
		c := &cases[i]
		c.File, c.Rate, c.Seeks = fmt.Sprintf("/%d.mp4", i), 4, append([]seek{}, c.Seeks...)
		mux.HandleFunc(c.File, func(w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, c.File, time.Time{}, bytes.NewReader(c.file))
		})
	}
	mux.HandleFunc("/cases.json", func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(cases) })
	mux.HandleFunc("/player.html", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, "testdata/player.html") })
	mux.HandleFunc("POST /result", func(_ http.ResponseWriter, r *http.Request) {
		var b bytes.Buffer
		if _, err := b.ReadFrom(r.Body); err == nil {
			results <- b.Bytes()
		}
	})
	server := httptest.NewServer(mux)
	defer server.Close()

	var saw []seen
	if err := json.Unmarshal(visit(t, browser, server.URL+"/player.html", results), &saw); err != nil {
		t.Fatal(err)
	}
	if len(saw) != len(cases) {
		t.Fatalf("%d of %d files were shown", len(saw), len(cases))
	}
	for i, c := range cases {
		s := saw[i]
		end := c.length
		if len(c.Seeks) > 0 {
			end, s.Sizes = 0, nil
		}
		var want []string
		for _, k := range c.Seeks {
			want = append(want, k.Want)
		}
		// A browser counts in microseconds, and its count of frames comes a little late.
		near := func(a, b float64) bool { return math.Abs(a-b) < 0.002 }
		if s.Error != "" || !near(s.Duration, c.length) || !near(s.Begin, c.begin) || !near(s.End, end) ||
			!slices.Equal(s.Sizes, c.sizes) || !slices.Equal(s.Seeks, want) || s.Frames > c.frames || s.Frames < c.frames-5 {
			t.Errorf("%s: saw %+v, want %v, %v, from %v to %v s, %d frames", c.Name, s, c.sizes, want, c.begin, c.length, c.frames)
		}
	}
}

// visit opens a page and returns what it posts.
func visit(t *testing.T, browser, url string, results <-chan []byte) []byte {
	t.Helper()
	profile, err := os.MkdirTemp("", "chromium") //nolint:usetesting // a process that is dying may still write there
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	cmd := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--mute-audio", "--no-first-run",
		"--disable-background-networking", "--autoplay-policy=no-user-gesture-required", "--remote-debugging-port=0", "--user-data-dir="+profile, url)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // it ends what it started
	cmd.WaitDelay = 10 * time.Second
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err = cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		err = cmd.Wait()
		close(ended)
	}()
	defer func() {
		cancel()
		<-ended
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what it left
		_ = os.RemoveAll(profile)                           // what a process that is dying still writes stays behind
	}()
	select {
	case b := <-results:
		return b
	case <-ended:
		t.Fatalf("the browser ended: %v\n%s", err, errs.Bytes())
	case <-ctx.Done():
		t.Fatalf("the page does not come to its end\n%s", errs.Bytes())
	}
	return nil
}
