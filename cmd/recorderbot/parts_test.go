package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/archive"
	"github.com/recorderbot/recorderbot/internal/teamsim"
	"github.com/recorderbot/recorderbot/internal/teamsim/cloud"
	"github.com/recorderbot/recorderbot/internal/teamsim/referee"
)

// TestLongCallInParts: a call that is longer than a part is archived in several
// recordings, the first while it goes on, and the referee finds each sample once.
func TestLongCallInParts(t *testing.T) {
	t.Parallel()
	s := teamsim.Scenario{Name: "long", Seed: 5, Settle: 5 * time.Second, Calls: []teamsim.Group{
		{End: teamsim.End{When: cloud.Recording, After: 4 * time.Second, AtMost: 30 * time.Second}},
	}}
	r := newRig(t, s, func(c *Config) { c.Recording.PartLength = Duration(time.Second) })
	r.start(t)
	if _, err := r.sim.Run(t.Context(), r.config.URL); err != nil {
		t.Fatal(err)
	}
	r.stop(t)
	report := r.sim.Judge(r.config.Archive, nil, referee.Limits{Bridge: r.cfg.bridge})
	for _, v := range report.Violations {
		t.Error(v)
	}
	if report.LostUnrecorded != 0 || report.SamplesSent != report.SamplesStored {
		t.Errorf("%d samples sent, %d stored, %d lost unrecorded", report.SamplesSent, report.SamplesStored, report.LostUnrecorded)
	}
	r.proof(t)
	names, err := filepath.Glob(filepath.Join(r.config.Archive, "*", archive.ManifestName))
	if err != nil {
		t.Fatal(err)
	}
	var parts []int
	early := 0 // archived while the call went on
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		m, err := archive.ReadManifest(data)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, m.Part)
		if m.Part > 1 && m.Joint != "part" {
			t.Errorf("part %d joins by %q", m.Part, m.Joint)
		}
		if m.Cause == archive.CauseContinues {
			early++
		}
		if m.Outcome != "recorded" {
			t.Errorf("part %d: outcome %s", m.Part, m.Outcome)
		}
	}
	slices.Sort(parts)
	if len(parts) < 3 || parts[0] != 1 || parts[len(parts)-1] != len(parts) {
		t.Errorf("parts %v", parts)
	}
	if early == 0 {
		t.Error("nothing was archived while the call went on")
	}
}

// TestEverythingInParts: speakers apart, cameras and screens go on in another recording
// too, and each frame is in one of them: in its film, or, before the first key frame,
// beside it.
func TestEverythingInParts(t *testing.T) {
	t.Parallel()
	r := newRig(t, everything(), func(c *Config) { c.Recording.PartLength = Duration(time.Second) })
	r.start(t)
	if _, err := r.sim.Run(t.Context(), r.config.URL); err != nil {
		t.Fatal(err)
	}
	r.stop(t)
	report := r.sim.Judge(r.config.Archive, nil, referee.Limits{Bridge: r.cfg.bridge})
	for _, v := range report.Violations {
		t.Error(v)
	}
	if report.Recordings < 3 || report.FramesSent == 0 || report.FramesSent != report.FramesStored+report.FramesUndecodable || report.SamplesSent != report.SamplesStored {
		t.Errorf("%d recordings; of %d frames of video %d are in films, %d beside them; of %d samples %d",
			report.Recordings, report.FramesSent, report.FramesStored, report.FramesUndecodable, report.SamplesSent, report.SamplesStored)
	}
	r.proof(t)
}
