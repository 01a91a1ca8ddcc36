package main

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/recorderbot/recorderbot/internal/catalogue"
	"github.com/recorderbot/recorderbot/internal/recorder"
	"github.com/recorderbot/recorderbot/internal/teamsim"
)

var errNotReady = errors.New("not ready")

type catalogueReader = *catalogue.Catalogue

// read opens the catalogue for reading.
func (r *rig) read(t *testing.T, f func(context.Context, catalogueReader) error) {
	t.Helper()
	c, err := catalogue.Open(t.Context(), r.cfg.Catalogue.URL, filepath.Dir(r.cfg.file), catalogue.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close(context.WithoutCancel(t.Context())) }()
	if err := f(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

// rejections reads from the catalogue why calls were turned down.
func (r *rig) rejections(t *testing.T) map[recorder.Cause]int {
	t.Helper()
	counts := map[recorder.Cause]int{}
	r.read(t, func(ctx context.Context, c catalogueReader) error {
		all, err := c.Invites(ctx, catalogue.Filter{})
		for i := range all {
			if all[i].Outcome == recorder.OutcomeRejected.String() {
				counts[all[i].Cause]++
			}
		}
		return err
	})
	return counts
}

// TestScenarios plays every built-in scenario against the real bot. The
// referee finds no violation, the disk proves the order, and each call has the
// outcome that its scenario leads to.
func TestScenarios(t *testing.T) {
	t.Parallel()
	want := map[string]map[string]int{
		"camera-again":           {"recorded": 1},
		"conversations":          {"recorded": 9},
		"ended-before-consent":   {"notRecorded": 4},
		"demo":                   {"recorded": 1},
		"everything":             {"recorded": 2},
		"forged":                 {"recorded": 1},
		"gaps":                   {"recordedWithGaps": 4},
		"grouping":               {"recorded": 2},
		"host-lost":              {"failed": 2, "recorded": 3},
		"hundred-calls":          {"recorded": 100},
		"link-cut":               {"recorded": 4},
		"lost-established":       {"recorded": 2},
		"new-bot":                {"failed": 1, "recorded": 2},
		"no-host":                {"recorded": 4, "rejected": 1},
		"not-policy":             {"recorded": 1, "rejected": 1},
		"notifications":          {"recorded": 5},
		"one-call":               {"recorded": 1},
		"overload":               {"recorded": 20, "rejected": 20},
		"pair":                   {"failed": 2, "recorded": 3, "recordedWithGaps": 9},
		"pair-hosts":             {"failed": 1, "recorded": 1, "recordedWithGaps": 2},
		"pair-streams":           {"recordedWithGaps": 4},
		"refused":                {"failed": 3},
		"streams-lost":           {"recordedWithGaps": 3},
		"running-then-completed": {"failed": 1, "recorded": 3},
		"throttled":              {"recorded": 2},
		"unknown-outcome":        {"recorded": 7},
	}
	rejected := map[string]map[recorder.Cause]int{
		"no-host":    {recorder.CauseNoMediaHost: 1},
		"not-policy": {recorder.CauseNotPolicyInvite: 1},
		"overload":   {recorder.CauseHostsBusy: 20},
	}
	files := map[string][]string{"camera-again": {"video-*[0-9].mp4", "video-*-2.mp4", "screen-*[0-9].mp4", "screen-*-2.mp4"}}
	for _, name := range teamsim.BuiltinNames() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := teamsim.Builtin(name)
			if err != nil {
				t.Fatal(err)
			}
			r := newRig(t, s, nil)
			r.start(t)
			result, verdict := r.run(t)
			for _, v := range verdict.Violations {
				t.Error(v)
			}
			if a := verdict.Account; a.Samples == 0 || a.Sum() != a.Samples || a.Error != 0 || a.Wrong != 0 {
				t.Errorf("where the samples have gone: %v", &a)
			}
			r.proof(t)
			if diff := cmp.Diff(want[name], r.outcomes(t)); diff != "" {
				t.Errorf("outcomes of %d calls: -want +got\n%s", len(result.Calls), diff)
			}
			if diff := cmp.Diff(rejected[name], r.rejections(t), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("why calls were turned down: -want +got\n%s", diff)
			}
			t.Logf("%v", &verdict.Account)
			for _, pattern := range files[name] {
				if there, err := filepath.Glob(filepath.Join(r.config.Archive, "*", pattern)); err != nil || len(there) == 0 {
					t.Errorf("no %s: %v", pattern, err)
				}
			}
			r.mergePairs(t, result, gapsInBoth[name])
			t.Logf("to answer %v; to reject %v", result.Answer, result.Reject)
		})
	}
}
