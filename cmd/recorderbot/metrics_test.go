package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

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
	r.exported(t, true)
	if _, err = r.sim.Run(t.Context(), r.config.URL); err != nil {
		t.Fatal(err)
	}
	r.exported(t, false)
}

// exported compares what is exported with the list. Before the first call all of
// ours must be there, as 0: a rate sees only what follows a first value.
func (r *rig) exported(t *testing.T, all bool) {
	t.Helper()
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
	for _, name := range exported {
		if !slices.Contains(listed, name) {
			t.Errorf("%s is exported and not in deploy/metrics.txt", name)
		}
	}
	for _, name := range listed {
		if all && strings.HasPrefix(name, "recorderbot_") && !slices.Contains(exported, name) {
			t.Errorf("%s is listed, and not exported from the start", name)
		}
	}
}
