package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/recorderbot/recorderbot/internal/teamsim"
)

// TestMetricsAreListed compares what the running bot exports, after a call of
// every kind, with deploy/metrics.txt: alerts and dashboards rest on that list.
func TestMetricsAreListed(t *testing.T) {
	t.Parallel()
	s, err := teamsim.Builtin("one-call")
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, s, nil)
	r.start(t)
	if _, err = r.sim.Run(t.Context(), r.config.URL); err != nil {
		t.Fatal(err)
	}
	families, err := r.bot.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var exported []string
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), "recorderbot_") {
			exported = append(exported, f.GetName())
		}
	}
	data, err := os.ReadFile(filepath.Join("..", "..", "deploy", "metrics.txt"))
	if err != nil {
		t.Fatal(err)
	}
	listed := strings.Fields(string(data))
	slices.Sort(exported)
	slices.Sort(listed)
	// What has had nothing to count yet is not exported: only names that are
	// exported and not listed are faults, and those listed that nobody makes.
	for _, name := range exported {
		if !slices.Contains(listed, name) {
			t.Errorf("%s is exported and not in deploy/metrics.txt", name)
		}
	}
	if diff := cmp.Diff(listed, exported); diff != "" {
		t.Logf("listed and not seen in this run (-):\n%s", diff)
	}
}
