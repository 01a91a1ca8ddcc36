package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/teamsim"
	"github.com/recorderbot/recorderbot/internal/teamsim/cloud"
)

// TestMergeOfAPair: two bots of one conversation both record, and what they have together
// is written; what is of another conversation is not.
func TestMergeOfAPair(t *testing.T) {
	t.Parallel()
	end := teamsim.End{When: cloud.Recording, After: 2 * time.Second, AtMost: 30 * time.Second}
	r := newRig(t, teamsim.Scenario{Name: "pair", Seed: 3, Settle: 5 * time.Second, Calls: []teamsim.Group{
		{Count: 2, Together: true, End: end}, {End: end},
	}}, nil)
	r.start(t)
	if _, err := r.sim.Run(t.Context(), r.config.URL); err != nil {
		t.Fatal(err)
	}
	r.stop(t)
	chains := map[string][]string{}
	for _, m := range r.manifests(t) {
		chains[m.CallChain] = append(chains[m.CallChain], m.Recording)
	}
	var pair []string
	alone := ""
	for _, ids := range chains {
		if len(ids) == 2 {
			pair = ids
		} else {
			alone = ids[0]
		}
	}
	if len(pair) != 2 || alone == "" {
		t.Fatalf("recordings by conversation: %v", chains)
	}
	dir := filepath.Dir(r.config.File)
	out := filepath.Join(t.TempDir(), "both")
	if code, said := command(dir, "recordings", "merge", pair[0], pair[1], "--out", out); code != 0 || !strings.Contains(said, "audio-mixed: ") {
		t.Errorf("%d: %s", code, said)
	}
	probe(t, filepath.Join(out, "audio-mixed.flac"))
	for want, args := range map[string][]string{
		"is there already":        {pair[0], pair[1], "--out", out},
		"not of one conversation": {pair[0], alone, "--out", filepath.Join(t.TempDir(), "x")},
		"twice":                   {pair[0], pair[0], "--out", filepath.Join(t.TempDir(), "x")},
	} {
		if code, said := command(dir, append([]string{"recordings", "merge"}, args...)...); code != 1 || !strings.Contains(said, want) {
			t.Errorf("%v: %d, %s; want %q", args, code, said, want)
		}
	}
}
