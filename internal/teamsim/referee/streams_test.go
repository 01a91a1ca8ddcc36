package referee_test

import (
	"slices"
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/teamsim/host"
	"github.com/recorderbot/recorderbot/internal/teamsim/referee"
)

// TestCorrectGathererHasNoViolations: whatever the host does, a recorder that keeps the
// laws is not blamed.
func TestCorrectGathererHasNoViolations(t *testing.T) {
	t.Parallel()
	noKey := func(_ *host.Options, c *host.Cast) { c.Cameras[0].NoKey, c.Cameras[1].NoKey = true, true }
	for name, c := range map[string]struct {
		way    string
		change func(*host.Options, *host.Cast)
		faults []host.Fault
	}{
		"plain":                 {"", nil, nil},
		"bare video":            {"bare video", nil, nil},
		"no mix":                {"no mix", nil, nil},
		"paused":                {"paused and resumed", nil, nil},
		"taken over":            {"taken over", nil, nil},
		"no key frame":          {"", noKey, nil},
		"no key frame, counted": {"counts as missing what can't be shown", noKey, nil},
		"gap":                   {"", nil, []host.Fault{{Kind: host.FaultGap, At: 900 * ms, For: 200 * ms}}},
		"gap of one":            {"", nil, []host.Fault{{Kind: host.FaultGap, At: 900 * ms, For: 200 * ms, Source: ada}}},
		"gap of a camera":       {"", nil, []host.Fault{{Kind: host.FaultGap, At: 900 * ms, For: 200 * ms, Source: bobSeen}}},
		"skip":                  {"", nil, []host.Fault{{Kind: host.FaultSkip, At: 900 * ms, For: 400 * ms}}},
		"silent skip":           {"", nil, []host.Fault{{Kind: host.FaultSilentSkip, At: 900 * ms, For: 400 * ms, Source: bob}}},
		"hole":                  {"", nil, []host.Fault{{Kind: host.FaultHole, At: 900 * ms, For: 60 * ms, Source: bob}}},
		"duplicate":             {"", nil, []host.Fault{{Kind: host.FaultDuplicate, At: 900 * ms, Frames: 9}}},
		"malformed":             {"", nil, []host.Fault{{Kind: host.FaultMalformed, At: 900 * ms, Frames: 2}}},
		"absurd":                {"", nil, []host.Fault{{Kind: host.FaultAbsurdTime, At: 900 * ms, Frames: 3, Source: bob}}},
		"stray":                 {"", nil, []host.Fault{{Kind: host.FaultUnknownHandle, At: 900 * ms, Frames: 5}}},
		"early, late":           {"", nil, []host.Fault{{Kind: host.FaultEarly}, {Kind: host.FaultLate}}},
		"cut":                   {"", nil, []host.Fault{{Kind: host.FaultCut, At: 900 * ms, For: 50 * ms}}},
		"long cut":              {"", func(o *host.Options, _ *host.Cast) { o.Speed, o.VideoMemory = 5, time.Second }, []host.Fault{{Kind: host.FaultCut, At: 900 * ms, For: 400 * ms}}},
		"longer cut":            {"", func(o *host.Options, _ *host.Cast) { o.Speed, o.VideoMemory, o.Memory = 5, time.Second, 2*time.Second }, []host.Fault{{Kind: host.FaultCut, At: 900 * ms, For: 600 * ms}}},
		"stall":                 {"", nil, []host.Fault{{Kind: host.FaultStall, At: 900 * ms, For: 60 * ms}}},
		"failure":               {"", nil, []host.Fault{{Kind: host.FaultStreamFailure, At: 1500 * ms}}},
		"killed":                {"", nil, []host.Fault{{Kind: host.FaultKill, At: 1500 * ms, For: 10 * ms}}},
		"inactive": {"", func(_ *host.Options, c *host.Cast) {
			c.Receive = append(c.Receive, host.Receive{Socket: 1, At: time.Second}, host.Receive{Socket: 1, At: 1300 * ms, Active: true})
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := referee.Judge(gather(t, c.way, c.change, c.faults...))
			for _, v := range r.Violations {
				t.Error(v)
			}
			if len(r.Calls) != 1 || r.SamplesSent == 0 || r.FramesSent == 0 {
				t.Fatalf("report %+v", r)
			}
			if len(c.faults) == 0 && c.change == nil && c.way != "taken over" && c.way != "paused and resumed" {
				whole(t, r)
			}
			if cuts := c.way == "taken over" || c.way == "paused and resumed"; cuts && (r.Recordings != 2 || r.SamplesStored != r.SamplesSent || r.FramesStored+r.FramesUndecodable != r.FramesSent) {
				t.Errorf("report %+v", r)
			}
		})
	}
}

// whole: all that was sent is there.
func whole(t *testing.T, r referee.Report) {
	t.Helper()
	if r.SamplesStored != r.SamplesSent || r.GapSamples != 0 || r.IdleSamples == 0 || r.FramesStored != r.FramesSent || r.FramesInGaps != 0 {
		t.Errorf("report %+v", r)
	}
	streams := r.Calls[0].Streams
	if len(streams) != 6 || streams[0].Source != ada || streams[5].Kind != host.KindScreen {
		t.Errorf("streams %+v", streams)
	}
	for _, s := range streams {
		if (s.Kind == host.KindUnmixed) == (s.SamplesSent == 0) || (s.Kind > host.KindUnmixed) == (s.FramesSent == 0) {
			t.Errorf("stream %+v", s)
		}
	}
}

// TestEveryFaultOfAGathererIsFound: each fault has its own kind; other kinds may follow
// from it.
func TestEveryFaultOfAGathererIsFound(t *testing.T) {
	t.Parallel()
	gap := []host.Fault{{Kind: host.FaultGap, At: 900 * ms, For: 200 * ms}}
	early, late := []host.Fault{{Kind: host.FaultEarly, Frames: 100}}, []host.Fault{{Kind: host.FaultLate, Frames: 100}}
	for _, c := range []struct {
		fault string
		want  []string
		host  []host.Fault
	}{
		{"speaker dropped", []string{referee.KindStreamMissing}, nil},
		{"camera dropped", []string{referee.KindStreamMissing}, nil},
		{"screen dropped", []string{referee.KindStreamMissing}, nil},
		{"speakers exchanged", []string{referee.KindSourceWrong}, nil},
		{"cameras exchanged", []string{referee.KindSourceWrong}, nil},
		{"a stranger's track", []string{referee.KindStreamUnknown}, nil},
		{"a stranger's camera", []string{referee.KindStreamUnknown}, nil},
		{"silence too long", []string{referee.KindTrackTime}, nil},
		{"silence too short", []string{referee.KindTrackTime}, nil},
		{"time stretched", []string{referee.KindSamplesShifted}, nil},
		{"track begins elsewhere", []string{referee.KindTrackTime}, nil},
		{"speech told as silence", []string{referee.KindAckedButLost}, nil},
		{"speech told as loss", []string{referee.KindAckedButLost}, nil},
		{"silence told as loss", []string{referee.KindGapUnfounded}, nil},
		{"silence not told", []string{referee.KindGapUndeclared}, nil},
		{"loss told as silence", []string{referee.KindLossAsIdle}, gap},
		{"silence not silent", []string{referee.KindGapNotSilent}, nil},
		{"one sample wrong", []string{referee.KindSamplesWrong}, nil},
		{"mix wrong", []string{referee.KindMixWrong}, nil},
		{"mix short", []string{referee.KindMixWrong}, nil},
		{"mix lacks one", []string{referee.KindMixWrong}, nil},
		{"frame of video lost", []string{referee.KindPictureLost}, nil},
		{"frame of video lost, and counted", []string{referee.KindAckedButLost}, nil},
		{"frame of video told as undecodable", []string{referee.KindAckedButLost}, nil},
		{"frames counted that are there", []string{referee.KindGapUnfounded}, nil},
		{"frame of video twice", []string{referee.KindPictureWrong}, nil},
		{"frame of video damaged", []string{referee.KindPictureWrong, referee.KindPictureLost}, nil},
		{"time of a frame", []string{referee.KindPictureTime}, nil},
		{"video stretched", []string{referee.KindPictureTime}, nil},
		{"video begins elsewhere", []string{referee.KindTrackTime}, nil},
		{"no key frame", []string{referee.KindPictureKey, referee.KindPictureLost}, nil},
		{"no key frame, and told so", []string{referee.KindPictureLost}, nil},
		{"no parameter sets", []string{referee.KindPictureKey}, nil},
		{"tail of video lost", []string{referee.KindPictureLost}, nil},
		{"paused within a recording", []string{referee.KindPermitOutlived, referee.KindPauseInGap}, nil},
		{"taken over into one recording", []string{referee.KindPermitOutlived}, nil},
		{"stores early frames", []string{referee.KindStoredBeforeSuccess}, early},
		{"stores late frames", []string{referee.KindStoredAfterSeal}, late},
	} {
		t.Run(c.fault, func(t *testing.T) {
			t.Parallel()
			var kinds []string
			for _, v := range referee.Judge(gather(t, c.fault, nil, c.host...)).Violations {
				t.Log(v)
				kinds = append(kinds, v.Kind)
			}
			for _, want := range c.want {
				if !slices.Contains(kinds, want) {
					t.Errorf("want %s, got %v", want, kinds)
				}
			}
		})
	}
}
