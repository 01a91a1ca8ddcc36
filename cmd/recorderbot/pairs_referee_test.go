package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/teamsim"
)

// TestRefereeOfUnions: the referee finds nothing wrong with a union, and sees what is done
// to it.
func TestRefereeOfUnions(t *testing.T) {
	t.Parallel()
	s := pairOf("spoilt-union", 2500*time.Millisecond)
	s.Recording = teamsim.Recording{Audio: "unmixed", Video: "360p", Cameras: 1}
	s.Calls[0].People[0].Audio, s.Calls[0].People[0].Cameras = 11, []teamsim.Camera{{Source: 12}}
	r := newRig(t, s, nil)
	r.start(t)
	result, verdict := r.run(t)
	for _, v := range verdict.Violations {
		t.Error(v)
	}
	a, b := result.Calls[0].ID, result.Calls[1].ID
	whole := filepath.Join(t.TempDir(), "union")
	if code, said := command(r.dir, "recordings", "merge", a, b, "--out", whole); code != 0 {
		t.Fatal(said)
	}
	audio := func(u *unionText) *trackText { return u.track("audio-11") }
	video := func(u *unionText) *trackText { return u.track("video-12") }
	for want, spoil := range map[string]func(u *unionText, dir string){
		"":                                    func(*unionText, string) {},
		"there is no track of source":         func(u *unionText, _ string) { u.Tracks = u.Tracks[1:] },
		"there is no track of camera 12":      func(u *unionText, _ string) { u.Tracks = u.Tracks[:len(u.Tracks)-1] },
		"there are two tracks of":             func(u *unionText, _ string) { u.Tracks = append(u.Tracks, u.Tracks[0]) },
		"is not what was sent":                func(u *unionText, _ string) { audio(u).MediaTime += 200_000 },
		"begins between two samples":          func(u *unionText, _ string) { audio(u).MediaTime++ },
		"which does not have them":            func(u *unionText, _ string) { audio(u).from(func(i int) int { return 1 - i }) },
		"is missing in both, and not zero":    func(u *unionText, _ string) { audio(u).from(func(int) int { return -1 }) },
		"does not follow sample":              func(u *unionText, _ string) { audio(u).Parts[1].AtSample++ },
		"the parts are":                       func(u *unionText, _ string) { audio(u).Parts = audio(u).Parts[:1] },
		"samples, not":                        func(u *unionText, _ string) { audio(u).Samples++ },
		"is none that either could show then": func(u *unionText, _ string) { video(u).MediaTime += 100_000 },
		"frames, not":                         func(u *unionText, _ string) { video(u).Frames-- },
		"and their mix is there: false":       func(u *unionText, _ string) { u.Mix = nil },
		"and hash":                            func(_ *unionText, dir string) { edited(t, filepath.Join(dir, "audio-11.flac"), "", "x") },
		"is of neither call":                  func(u *unionText, _ string) { u.Recordings[0]["recording"] = "another" },
	} {
		dir := filepath.Join(t.TempDir(), "union")
		if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
			t.Fatal(err)
		}
		var u unionText
		name := filepath.Join(dir, "union.json")
		data, err := os.ReadFile(name)
		if err == nil {
			err = json.Unmarshal(data, &u)
		}
		if err != nil {
			t.Fatal(err)
		}
		spoil(&u, dir)
		if data, err = json.Marshal(u); err != nil {
			t.Fatal(err)
		}
		edited(t, name, "", "") // to be written
		if err = os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
		var said []string
		for _, v := range r.sim.JudgeUnion(r.config.Archive, dir, a, b).Violations {
			said = append(said, v.String())
		}
		if all := strings.Join(said, "\n"); want == "" && all != "" || !strings.Contains(all, want) {
			t.Errorf("want %q in\n%s", want, all)
		}
	}
}

// A unionText is as much of union.json as is spoilt here.
type unionText struct {
	Recordings []map[string]any `json:"recordings"`
	Tracks     []*trackText     `json:"tracks"`
	Mix        any              `json:"mix,omitempty"`
}

type trackText struct {
	ID         string         `json:"id"`
	File       map[string]any `json:"file"`
	Kind       string         `json:"kind"`
	Mode       string         `json:"mode"`
	SourceID   uint32         `json:"sourceId"`
	MediaTime  int64          `json:"mediaTime"`
	Samples    int64          `json:"samples"`
	GapSamples int64          `json:"gapSamples"`
	Parts      []struct {
		AtSample int64 `json:"atSample"`
		Samples  int64 `json:"samples"`
		From     int   `json:"from"`
	} `json:"parts"`
	Frames int64 `json:"frames"`
}

// from changes what all parts are said to be from.
func (t *trackText) from(other func(int) int) {
	for i := range t.Parts {
		t.Parts[i].From = other(t.Parts[i].From)
	}
}

func (u *unionText) track(id string) *trackText {
	for _, t := range u.Tracks {
		if t.ID == id {
			return t
		}
	}
	return &trackText{}
}
