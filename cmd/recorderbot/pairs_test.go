package main

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/recorderbot/recorderbot/internal/archive"
	"github.com/recorderbot/recorderbot/internal/teamsim"
	"github.com/recorderbot/recorderbot/internal/teamsim/referee"
)

// gapsInBoth are the pairs of each built-in scenario, by the number of the first call, in
// whose union a gap remains.
var gapsInBoth = map[string]map[int]bool{
	"pair":         {7: true},
	"pair-hosts":   {1: true},
	"pair-streams": {3: true},
}

// calls are the recordings of each call in the archive.
func (r *rig) calls(t *testing.T) map[string][]archive.Manifest {
	t.Helper()
	all := map[string][]archive.Manifest{}
	for _, m := range r.manifests(t) {
		all[string(m.Call)] = append(all[string(m.Call)], m)
	}
	return all
}

// mergePairs makes the union of each pair of calls, and lets the referee judge it.
func (r *rig) mergePairs(t *testing.T, result teamsim.Result, gaps map[int]bool) (reports []referee.UnionReport) {
	t.Helper()
	dir := filepath.Dir(r.config.File)
	for _, c := range result.Calls {
		if c.Pair < c.Number {
			continue
		}
		other := result.Calls[c.Pair-1]
		out := filepath.Join(t.TempDir(), "union-"+strconv.Itoa(c.Number))
		code, said := command(dir, "recordings", "merge", c.ID, other.ID, "--out", out)
		if len(r.calls(t)[c.ID]) == 0 || len(r.calls(t)[other.ID]) == 0 {
			if code != 1 || !strings.Contains(said, "has no recording; recordings show says why") {
				t.Errorf("pair %d, one of which has no recording: %d, %s", c.Number, code, said)
			}
			continue
		}
		if code != 0 {
			t.Errorf("pair %d: %s", c.Number, strings.TrimSpace(said))
			continue
		}
		t.Logf("pair %d: %s", c.Number, said)
		report := r.sim.JudgeUnion(r.config.Archive, out, c.ID, other.ID)
		for _, v := range report.Violations {
			t.Errorf("pair %d: %s", c.Number, v)
		}
		if remains := report.GapSamples > 0; remains != gaps[c.Number] {
			t.Errorf("pair %d: %d samples are missing in both", c.Number, report.GapSamples)
		}
		files, err := filepath.Glob(filepath.Join(out, "*.[fm][lp][a4]*"))
		if err != nil || len(files) == 0 {
			t.Errorf("pair %d: %v, %v", c.Number, files, err)
		}
		for _, name := range files { // the time base of the file: two frames may be closer than what a rate says
			said, err := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-xerror", "-i", name, "-vsync", "passthrough", "-enc_time_base", "-1", "-f", "null", "-").CombinedOutput()
			if err != nil || len(said) > 0 {
				t.Errorf("pair %d: ffmpeg on %s: %v, %s", c.Number, filepath.Base(name), err, said)
			}
		}
		reports = append(reports, report)
		r.linked(t, c.ID, other.ID, "sameParticipant, pairedRecorder, callChain")
		if code, said = command(dir, "recordings", "list", "--conversation", c.Chain); code != 0 || !strings.Contains(said, c.ID) || !strings.Contains(said, other.ID) {
			t.Errorf("pair %d: the list of the conversation: %d, %s", c.Number, code, said)
		}
	}
	return reports
}

// linked demands that each of two calls is shown as related to the other, by these links.
func (r *rig) linked(t *testing.T, a, b, links string) {
	t.Helper()
	for _, ids := range [][2]string{{a, b}, {b, a}} {
		code, said := command(filepath.Dir(r.config.File), "recordings", "show", ids[0])
		want := regexp.MustCompile(`(?m)^related call +` + ids[1] + ` .*\(` + links + `(, thread)?\)$`)
		if code != 0 || !want.MatchString(said) {
			t.Errorf("%s is not related to %s by %s: %d\n%s", ids[0], ids[1], links, code, said)
		}
	}
}

// refereeLimits are those of a rig's bot.
func refereeLimits(r *rig) referee.Limits { return referee.Limits{Bridge: r.cfg.bridge} }
