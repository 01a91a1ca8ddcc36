package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/archive"
	"github.com/recorderbot/recorderbot/internal/media/format/mp4"
	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/teamsim"
	"github.com/recorderbot/recorderbot/internal/teamsim/cloud"
	"github.com/recorderbot/recorderbot/internal/teamsim/referee"
)

// everything is a call of two speakers, a third whom no roster names, a camera and a
// shared screen.
func everything() teamsim.Scenario {
	return teamsim.Scenario{
		Name: "everything", Seed: 9, Settle: 5 * time.Second,
		Recording: teamsim.Recording{Audio: "unmixed", Video: "360p", Cameras: 2, ScreenShare: true},
		Calls: []teamsim.Group{{
			People: []teamsim.Person{
				{Name: "Anna", Audio: 101, Cameras: []teamsim.Camera{{Source: 201}}},
				{Name: "Ben", Audio: 102, Screens: []teamsim.Camera{{Source: 301, From: 500 * time.Millisecond}}},
				{Name: "Nobody", Audio: 103, Hidden: true, Speaks: []teamsim.Times{{From: time.Second, To: 3 * time.Second}}},
			},
			End: teamsim.End{When: cloud.Recording, After: 5 * time.Second, AtMost: 30 * time.Second},
		}},
	}
}

// TestEverythingACallCarries: speakers apart, one of them without a name, their mix, a
// camera and a screen, in files that players open.
func TestEverythingACallCarries(t *testing.T) {
	t.Parallel()
	r := newRig(t, everything(), nil)
	r.start(t)
	result, err := r.sim.Run(t.Context(), r.config.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range result.Faults {
		t.Errorf("the simulation itself: %s", f)
	}
	r.stop(t)
	report := r.sim.Judge(r.config.Archive, nil, referee.Limits{Bridge: r.cfg.bridge})
	for _, v := range report.Violations {
		t.Error(v)
	}
	r.proof(t)
	folder, m := r.onlyRecording(t)
	who := map[string]int{}
	for _, tr := range m.Tracks {
		who[tr.ID] = len(tr.Participants)
		t.Logf("%s: %d frames, %d samples, gaps %v, participants %+v, %dx%d, keys %d, undecodable %d", tr.ID, tr.Frames, tr.Samples, tr.Gaps, tr.Participants, tr.Width, tr.Height, tr.KeyFrames, tr.UndecodableFrames)
		if tr.Frames == 0 || tr.UndecodableFrames != 0 {
			t.Errorf("%s: %d frames, %d that can't be shown", tr.ID, tr.Frames, tr.UndecodableFrames)
		}
		probe(t, filepath.Join(folder, tr.File))
	}
	for id, named := range map[string]int{"audio-101": 1, "audio-102": 1, "audio-103": 0, "video-201": 1, "screen-301": 1} {
		if n, there := who[id]; !there || n != named {
			t.Errorf("track %s: there %v, %d participants, want %d", id, there, n, named)
		}
	}
	if !slices.Contains(m.Flags, "missingSpeaker") {
		t.Errorf("flags %v: nobody is told that a speaker has no name", m.Flags)
	}
	if m.Mix == nil {
		t.Fatal("no mix")
	}
	probe(t, filepath.Join(folder, m.Mix.File))
}

// onlyRecording is the folder and the manifest of the one recording that there is.
func (r *rig) onlyRecording(t *testing.T) (string, *archive.Manifest) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(r.config.Archive, "*", archive.ManifestName))
	if err != nil || len(names) != 1 {
		t.Fatalf("%v, %v", names, err)
	}
	data, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	m, err := archive.ReadManifest(data)
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Dir(names[0]), m
}

// TestSkew: a flash and a beep that were at the same instant are at the same instant in
// the files, within one frame of video.
func TestSkew(t *testing.T) {
	t.Parallel()
	r := newRig(t, teamsim.Scenario{
		Name: "skew", Seed: 9, Settle: 5 * time.Second,
		Recording: teamsim.Recording{Audio: "unmixed", Video: "360p", Cameras: 1},
		Calls: []teamsim.Group{{
			People: []teamsim.Person{{Name: "Clock", Audio: 101, Voice: "beep", Cameras: []teamsim.Camera{{Source: 201, Clip: "sync"}}}, {Name: "Ben", Audio: 102, Silent: true}},
			End:    teamsim.End{When: cloud.Recording, After: 6 * time.Second, AtMost: 30 * time.Second},
		}},
	}, nil)
	r.start(t)
	if _, err := r.sim.Run(t.Context(), r.config.URL); err != nil {
		t.Fatal(err)
	}
	r.stop(t)
	folder, m := r.onlyRecording(t)
	var beeps, flashes []int64
	for _, tr := range m.Tracks {
		switch tr.ID {
		case "audio-101":
			beeps = onsets(t, filepath.Join(folder, tr.File), tr.MediaTime)
		case "video-201":
			flashes = brightFrames(t, filepath.Join(folder, tr.File), tr.MediaTime)
		}
	}
	if len(flashes) < 3 {
		t.Fatalf("%d beeps, %d flashes", len(beeps), len(flashes))
	}
	worst, compared := time.Duration(0), 0
	for _, flash := range flashes {
		nearest := time.Hour
		for _, beep := range beeps {
			nearest = min(nearest, (time.Duration(flash-beep) * 100).Abs())
		}
		if nearest > 500*time.Millisecond {
			continue // the beep was before consent, or behind the end
		}
		worst, compared = max(worst, nearest), compared+1
	}
	t.Logf("%d flashes and beeps, at most %v apart", compared, worst)
	if compared < 3 || worst > time.Second/30 {
		t.Errorf("%d flashes and beeps are up to %v apart", compared, worst)
	}
}

// onsets are the media times, in ticks, at which sound begins behind half a second of
// silence.
func onsets(t *testing.T, name string, begins int64) (all []int64) {
	t.Helper()
	pcm, err := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-i", name, "-f", "s16le", "-").Output()
	if err != nil {
		t.Fatal(err)
	}
	quiet := 0
	for i := 0; i+1 < len(pcm); i += 2 {
		if pcm[i] == 0 && pcm[i+1] == 0 {
			quiet++
			continue
		}
		if quiet >= 8000 {
			all = append(all, begins+int64(i/2)*frame.TicksPerSample)
		}
		quiet = 0
	}
	return all
}

// brightFrames are the media times, in ticks, of the frames that are white.
func brightFrames(t *testing.T, name string, begins int64) (all []int64) {
	t.Helper()
	light, err := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-i", name, "-vf", "scale=1:1:flags=area,format=gray", "-vsync", "passthrough", "-f", "rawvideo", "-").Output()
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close() //nolint:errcheck // it was only read
	movie, err := mp4.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range light {
		sample, err := movie.Next()
		if err != nil {
			t.Fatalf("picture %d of %d: %v", i, len(light), err)
		}
		if l > 200 {
			all = append(all, begins+sample.Time)
		}
	}
	return all
}

// probe has real programs read a file.
func probe(t *testing.T, name string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-xerror", "-i", name, "-f", "null", "-").CombinedOutput()
	if err != nil || len(strings.TrimSpace(string(out))) > 0 {
		t.Errorf("ffmpeg on %s: %v, %s", filepath.Base(name), err, out)
	}
}
