package referee_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/recorderbot/recorderbot/internal/teamsim/host"
	"github.com/recorderbot/recorderbot/internal/teamsim/referee"
)

// balanced: every sample of every session is in exactly one place.
func balanced(t *testing.T, r referee.Report) {
	t.Helper()
	a := r.Account
	if a.Error != 0 || a.Wrong != 0 || a.Sum() != a.Samples || a.Samples == 0 || a.Stored != r.SamplesStored {
		t.Errorf("%v; the sum is %d", &a, a.Sum())
	}
}

// TestAccount: what is before consent, stored, missing, paused, and behind the end, are
// all samples of the session, and each place has what belongs there.
func TestAccount(t *testing.T) {
	t.Parallel()
	early := host.Fault{Kind: host.FaultEarly} // there is something before consent
	gap := host.Fault{Kind: host.FaultGap, At: 900 * ms, For: 200 * ms, Source: ada}
	for name, c := range map[string]struct {
		way     string
		unmixed bool
		host    host.Fault
		gaps    map[string]int64
	}{
		"mixed":           {host: early},
		"mixed, a gap":    {host: platformGap(), gaps: map[string]int64{"time": 3200}},
		"mixed, paused":   {way: "paused and resumed", host: early},
		"unmixed":         {unmixed: true, host: early},
		"unmixed, a gap":  {unmixed: true, host: gap, gaps: map[string]int64{"overflow": 3200}},
		"unmixed, paused": {unmixed: true, way: "paused and resumed", host: early},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			judged := play
			if c.unmixed {
				judged = gatherAsIs
			}
			r := referee.Judge(judged(t, c.way, c.host))
			balanced(t, r)
			a := r.Account
			early := c.unmixed || c.gaps != nil || a.BeforeConsent > 0
			if !early || a.Stored <= 0 || (c.way != "") != (a.Paused > 0) || c.unmixed != (a.Idle > 0) {
				t.Error(&a)
			}
			for cause, n := range c.gaps {
				if a.Gaps[cause] != n || a.Missing() != n {
					t.Errorf("%v, want %d of %s", &a, n, cause)
				}
			}
		})
	}
}

// TestAccountOfABrokenArchive: one sample that is accounted for nowhere or twice is one
// error, whatever else is wrong.
func TestAccountOfABrokenArchive(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fault string
		judge func(t *testing.T, fault string, faults ...host.Fault) referee.Input
		host  []host.Fault
		want  int64 // samples; 0: some
	}{
		{"gap told too long", play, []host.Fault{platformGap()}, 1},
		{"gap told too short", play, []host.Fault{platformGap()}, 1},
		{"gap filled too long", play, []host.Fault{platformGap()}, 1},
		{"gap filled too short", play, []host.Fault{platformGap()}, 1},
		{"gap without cause", play, []host.Fault{platformGap()}, 3200},
		{"a sample too many", play, nil, 1},
		{"a sample too few", play, nil, 1},
		{"one sample wrong", play, nil, 320}, // all of its frame
		{"frame lost", play, nil, 320},
		{"frame duplicated", play, nil, 320},
		{"tail lost", play, nil, 640},
		{"first frame lost", play, nil, 320},
		{"stores early frames", play, []host.Fault{{Kind: host.FaultEarly, Frames: 20}}, 0},
		{"stores late frames", play, []host.Fault{{Kind: host.FaultLate}}, 0},
		{"paused within a recording", play, nil, 0},
		{"archived twice", play, nil, 0},
		{"silence too long", gatherAsIs, nil, 0},
		{"silence not silent", gatherAsIs, nil, 1},
		{"silence not told", gatherAsIs, nil, 0},
		{"speech told as silence", gatherAsIs, nil, 640},
		{"speech told as loss", gatherAsIs, nil, 640},
		{"one sample wrong", gatherAsIs, nil, 320},
		{"speaker dropped", gatherAsIs, nil, 0},
		{"speakers exchanged", gatherAsIs, nil, 0},
	} {
		t.Run(c.fault, func(t *testing.T) {
			t.Parallel()
			r := referee.Judge(c.judge(t, c.fault, c.host...))
			a := r.Account
			t.Log(&a)
			found := slices.ContainsFunc(r.Violations, func(v referee.Violation) bool { return v.Kind == referee.KindAccounting })
			if !found || a.Error == 0 || c.want != 0 && a.Error != c.want {
				t.Errorf("found %v, error %d, want %d: %v", found, a.Error, c.want, r.Violations)
			}
		})
	}
}

func gatherAsIs(t *testing.T, fault string, faults ...host.Fault) referee.Input {
	t.Helper()
	return gather(t, fault, nil, faults...)
}

// TestAccountLacksARecording: of a call in two recordings the second is gone.
func TestAccountLacksARecording(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]referee.Input{
		"mixed": play(t, "taken over"), "unmixed": gather(t, "taken over", nil), "mixed, paused": play(t, "paused and resumed"),
	} {
		whole := referee.Judge(in)
		balanced(t, whole)
		if err := os.RemoveAll(filepath.Join(in.ArchiveDir, "b")); err != nil {
			t.Fatal(err)
		}
		r := referee.Judge(in)
		if lost := whole.SamplesStored - r.SamplesStored; lost <= 0 || r.Account.Error != lost {
			t.Errorf("%s: %d samples are gone: %v", name, lost, &r.Account)
		}
	}
}
