package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/recorder"
	"github.com/recorderbot/recorderbot/internal/teamsim"
	"github.com/recorderbot/recorderbot/internal/teamsim/host"
)

// pairOf is a scenario of one pair of bots, each of which loses something else.
func pairOf(name string, end time.Duration) teamsim.Scenario {
	return teamsim.Scenario{Name: name, Seed: 3, Settle: 5 * time.Second, Calls: []teamsim.Group{{
		People: []teamsim.Person{{Name: "Ada", Speaks: []teamsim.Times{{}}}, {Name: "Ben", Speaks: []teamsim.Times{{}}}},
		Media:  []host.Fault{{Kind: host.FaultGap, At: 500 * ms, For: 300 * ms}},
		Pair:   &teamsim.Pair{After: 100 * ms, Media: []host.Fault{{Kind: host.FaultGap, At: 1300 * ms, For: 300 * ms}}},
		End:    until(end),
	}}}
}

// second is another bot of the same simulation, which gets the second invites and has a
// state of its own.
func (r *rig) second(t *testing.T, o teamsim.BotOptions) *rig {
	t.Helper()
	s := &rig{dir: filepath.Join(r.dir, "second"), sim: r.sim}
	if err := os.Mkdir(s.dir, 0o750); err != nil {
		t.Fatal(err)
	}
	var err error
	if s.config, err = r.sim.WriteBotConfig(s.dir, o); err != nil {
		t.Fatal(err)
	}
	if s.cfg, err = loadConfig(s.config.File, nil); err != nil {
		t.Fatal(err)
	}
	r.sim.Paired = s.config.URL
	return s
}

// TestMergeOfTwoBots: the bots of a pair are two, each with its own state, and what they
// have together is made of both, found by the second's configuration or in its archive.
func TestMergeOfTwoBots(t *testing.T) {
	t.Parallel()
	r := newRig(t, pairOf("two-bots", 2*time.Second), nil)
	other := r.second(t, teamsim.BotOptions{SegmentSize: "4MiB"})
	r.start(t)
	other.start(t)
	result, err := r.sim.Run(t.Context(), r.config.URL)
	if err != nil || len(result.Faults) > 0 {
		t.Fatal(result.Faults, err)
	}
	r.stop(t)
	other.stop(t)
	report := r.sim.Judge(r.dir, nil, refereeLimits(r)) // the archives of both lie in it
	for _, v := range report.Violations {
		t.Error(v)
	}
	mine, others := r.manifests(t), other.manifests(t)
	if len(mine) != 1 || len(others) != 1 {
		t.Fatalf("%d and %d recordings", len(mine), len(others))
	}
	a, b := result.Calls[0].ID, result.Calls[1].ID
	folder := filepath.Join(other.config.Archive, others[0].Recording)
	for name, args := range map[string][]string{
		"by the second's configuration": {a, b, "--second-config", other.config.File},
		"by the second's folder":        {mine[0].Recording, folder},
	} {
		out := filepath.Join(t.TempDir(), "union")
		if code, said := command(r.dir, append([]string{"recordings", "merge", "--out", out}, args...)...); code != 0 {
			t.Errorf("%s: %s", name, said)
			continue
		}
		union := r.sim.JudgeUnion(r.dir, out, a, b)
		for _, v := range union.Violations {
			t.Errorf("%s: %s", name, v)
		}
		if union.GapSamples != 0 || union.Samples < 2*16000 {
			t.Errorf("%s: %d samples, %d missing in both", name, union.Samples, union.GapSamples)
		}
	}
	if code, said := command(r.dir, "recordings", "merge", a, b, "--out", filepath.Join(r.dir, "none")); code != 1 || !strings.Contains(said, b) {
		t.Errorf("of a call that is not in the catalogue: %d, %s", code, said)
	}
}

// TestMergeOfParts: both bots record in parts, one is paused meanwhile, and the union is
// of all of their recordings: what the other has of the pause, too.
func TestMergeOfParts(t *testing.T) {
	t.Parallel()
	s := pairOf("pair-parts", 4*time.Second)
	r := newRig(t, s, func(c *Config) { c.Recording.PartLength = Duration(time.Second) })
	r.start(t)
	done := r.playing(t, 2)
	id := recorder.CallID(r.sim.Cloud.Calls()[0].ID)
	<-time.After(1500 * time.Millisecond) // of speech
	if _, err := r.bot.registry.Pause(t.Context(), id); err != nil {
		t.Error(err)
	}
	<-time.After(500 * time.Millisecond) // of what the other bot alone may keep
	if _, err := r.bot.registry.Resume(t.Context(), id); err != nil {
		t.Error(err)
	}
	result := <-done
	r.stop(t)
	for _, v := range r.sim.Judge(r.config.Archive, nil, refereeLimits(r)).Violations {
		t.Error(v)
	}
	joints := map[string]int{}
	for _, m := range r.manifests(t) {
		joints[string(m.Call)+" "+m.Joint]++
	}
	if a, b := result.Calls[0].ID, result.Calls[1].ID; joints[a+" pause"] != 1 || joints[b+" part"] < 1 {
		t.Errorf("the recordings join by %v", joints)
	}
	r.mergePairs(t, result, nil)
}

// TestMergeRefused: what does not belong together, or is not what was published, is
// refused with a reason, and nothing is left of the attempt.
func TestMergeRefused(t *testing.T) {
	t.Parallel()
	s := pairOf("refused-pairs", time.Second)
	s.Calls = append(s.Calls, teamsim.Group{End: s.Calls[0].End})
	r := newRig(t, s, nil)
	other := r.second(t, teamsim.BotOptions{Recording: teamsim.Recording{Audio: "unmixed"}})
	r.start(t)
	other.start(t)
	result, err := r.sim.Run(t.Context(), r.config.URL)
	if err != nil {
		t.Fatal(err)
	}
	r.stop(t)
	other.stop(t)
	of := r.calls(t)
	a, alone := of[result.Calls[0].ID][0].Recording, of[result.Calls[2].ID][0].Recording
	apart := filepath.Join(other.config.Archive, other.manifests(t)[0].Recording)
	copied := func(change func(dir string)) string {
		dir := filepath.Join(t.TempDir(), "copy")
		if err := os.CopyFS(dir, os.DirFS(filepath.Join(r.config.Archive, alone))); err != nil {
			t.Fatal(err)
		}
		change(dir)
		return dir
	}
	missing := copied(func(dir string) { remove(t, filepath.Join(dir, "audio-mixed.flac")) })
	damaged := copied(func(dir string) { edited(t, filepath.Join(dir, "audio-mixed.flac"), "", "x") })
	faster := copied(func(dir string) {
		edited(t, filepath.Join(dir, "manifest.json"), `"sampleRate": 16000`, `"sampleRate": 48000`)
	})
	there := t.TempDir()
	for want, args := range map[string][]string{
		"neither call chain nor thread nor observed participant is the same": {a, alone},
		"one has mixed audio and the other unmixed":                          {a, apart},
		"it is the same recording twice":                                     {a, result.Calls[0].ID},
		"missing: audio-mixed.flac":                                          {a, missing},
		"hash: audio-mixed.flac":                                             {damaged, a},
		"sample rate 48000, want 16000":                                      {a, faster},
		"is there already; name another folder, or remove it":                {a, alone, "--out", there},
		"nowhere/recording is no folder of a recording":                      {a, "nowhere/recording"},
		"expected \"<second>\"":                                              {a},
		"catalogue: unknown":                                                 {a, "00000000-0000-4000-8000-000000000000"},
	} {
		dir := t.TempDir()
		if args[len(args)-1] != there {
			args = append(args, "--out", filepath.Join(dir, "union"))
		}
		if code, said := command(r.dir, append([]string{"recordings", "merge"}, args...)...); code == 0 || !strings.Contains(said, want) {
			t.Errorf("%v: %d, %s; want %q", args, code, said, want)
		}
		for _, place := range []string{dir, there} {
			if left, err := os.ReadDir(place); err != nil || len(left) != 0 {
				t.Errorf("%v: left %v, %v", args, left, err)
			}
		}
	}
	r.proof(t) // nothing was changed
}

func remove(t *testing.T, name string) {
	t.Helper()
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
}

// edited puts something in the place of something in a file; of nothing, at its end.
func edited(t *testing.T, name, old, with string) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(data), old, with, 1)
	if old == "" {
		text = string(data) + with
	}
	remove(t, name) // it can't be written
	if err = os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
