package referee_test

import (
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/recorderbot/recorderbot/internal/teamsim/host"
	"github.com/recorderbot/recorderbot/internal/teamsim/referee"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const ms = time.Millisecond

func platformGap() host.Fault {
	return host.Fault{Kind: host.FaultGap, At: 400 * ms, For: 200 * ms}
}

// TestCorrectBotHasNoViolations: whatever the host does, a recorder that keeps
// the laws is not blamed.
func TestCorrectBotHasNoViolations(t *testing.T) {
	t.Parallel()
	for name, faults := range map[string][]host.Fault{
		"plain":       nil,
		"gap":         {platformGap()},
		"skip":        {{Kind: host.FaultSkip, At: 400 * ms, For: 100 * ms}},
		"silent skip": {{Kind: host.FaultSilentSkip, At: 400 * ms, For: 300 * ms}},
		"hole":        {{Kind: host.FaultHole, At: 400 * ms, For: 60 * ms}},
		"duplicate":   {{Kind: host.FaultDuplicate, At: 400 * ms, Frames: 5}},
		"malformed":   {{Kind: host.FaultMalformed, At: 400 * ms, Frames: 2}},
		"absurd time": {{Kind: host.FaultAbsurdTime, At: 400 * ms, Frames: 3}},
		"stray":       {{Kind: host.FaultUnknownHandle, At: 400 * ms, Frames: 5}},
		"early, late": {{Kind: host.FaultEarly}, {Kind: host.FaultLate}},
		"cut":         {{Kind: host.FaultCut, At: 400 * ms, For: 50 * ms}},
		"stall":       {{Kind: host.FaultStall, At: 400 * ms, For: 100 * ms}},
		"failure":     {{Kind: host.FaultStreamFailure, At: 400 * ms}},
		"closed":      {{Kind: host.FaultSessionClosed, At: 400 * ms}},
		"killed":      {{Kind: host.FaultKill, At: 400 * ms, For: 20 * ms}},
		"detached":    {{Kind: host.FaultDetached, At: 400 * ms}},
		"several":     {platformGap(), {Kind: host.FaultCut, At: 700 * ms, For: 20 * ms}, {Kind: host.FaultSkip, At: 900 * ms, For: 100 * ms}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := referee.Judge(play(t, "", faults...))
			for _, v := range r.Violations {
				t.Error(v)
			}
			// What was under way when a host died is lost, it may be all.
			if len(r.Calls) != 1 || r.SamplesSent == 0 || (r.SamplesStored == 0 && name != "killed") {
				t.Fatalf("report %+v", r)
			}
			if len(faults) == 0 && (r.SamplesStored != r.SamplesSent || r.GapSamples != 0 || r.Calls[0].Outcome != "recorded") {
				t.Errorf("report %+v", r)
			}
		})
	}
}

// TestSeveralRecordingsOfACall: after a takeover, and after a pause.
func TestSeveralRecordingsOfACall(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"taken over", "paused and resumed"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			r := referee.Judge(play(t, way))
			for _, v := range r.Violations {
				t.Error(v)
			}
			if len(r.Calls[0].Recordings) != 2 || r.SamplesStored != r.SamplesSent || r.GapSamples != 0 {
				t.Errorf("report %+v", r)
			}
		})
	}
}

// TestTakenOverLate: what the host had forgotten is one gap at the beginning of
// the second recording, exact.
func TestTakenOverLate(t *testing.T) {
	t.Parallel()
	r := referee.Judge(play(t, "taken over late"))
	for _, v := range r.Violations {
		t.Error(v)
	}
	if r.Recordings != 2 || r.GapSamples == 0 || r.SamplesStored+r.GapSamples != r.SamplesSent || r.LostUnrecorded != 0 {
		t.Errorf("report %+v", r)
	}
	r = referee.Judge(play(t, "taken over late, and silent about it"))
	if r.LostUnrecorded == 0 || r.SamplesStored+r.LostUnrecorded != r.SamplesSent {
		t.Errorf("report %+v", r)
	}
}

func TestGapsAreCounted(t *testing.T) {
	t.Parallel()
	r := referee.Judge(play(t, "", platformGap(), host.Fault{Kind: host.FaultSkip, At: 800 * ms, For: 100 * ms}))
	if r.GapSamples != 15*320 || r.SamplesStored != r.SamplesSent || r.Calls[0].Outcome != "recordedWithGaps" {
		t.Errorf("report %+v", r)
	}
}

// TestEveryFaultOfABotIsFound: each fault has its own kind; other kinds may
// follow from it.
func TestEveryFaultOfABotIsFound(t *testing.T) {
	t.Parallel()
	failure := host.Fault{Kind: host.FaultStreamFailure, At: 400 * ms}
	for _, c := range []struct {
		fault string
		want  []string
		host  []host.Fault
	}{
		{"gate open early", []string{referee.KindOpenBeforeSuccess, referee.KindStoredBeforeSuccess}, nil},
		{"stores early frames", []string{referee.KindStoredBeforeSuccess}, []host.Fault{{Kind: host.FaultEarly, Frames: 20}}},
		{"never announced", []string{referee.KindOpenBeforeSuccess, referee.KindArchiveWithoutPermit, referee.KindStoredBeforeSuccess}, nil},
		{"context reused", []string{referee.KindContext}, nil},
		{"context of another call", []string{referee.KindContext}, nil},
		{"no context", []string{referee.KindContext}, nil},
		{"notRecording before paused", []string{referee.KindPausedTooLate}, nil},
		{"notRecording before durable", []string{referee.KindDurableTooLate}, nil},
		{"notRecording missing", []string{referee.KindNotRecordingMissing}, nil},
		{"recording continued", []string{referee.KindRecordedAfterStop, referee.KindPausedTooLate}, nil},
		{"stores late frames", []string{referee.KindStoredAfterSeal}, []host.Fault{{Kind: host.FaultLate}}},
		{"failed missing", []string{referee.KindFailedMissing}, []host.Fault{failure}},
		{"recording refused", []string{referee.KindFailedMissing}, nil},
		{"never opened", []string{referee.KindAnnouncedButNotRecording}, nil},
		{"answer too late", []string{referee.KindAnswerTooLate}, nil},
		{"never answered", []string{referee.KindAnswerMissing}, nil},
		{"frame lost", []string{referee.KindFrameLost}, nil},
		{"first frame lost", []string{referee.KindHeadLost}, nil},
		{"tail lost", []string{referee.KindTailLost}, nil},
		{"frame duplicated", []string{referee.KindFrameDuplicated}, nil},
		{"samples shifted", []string{referee.KindSamplesShifted}, nil},
		{"samples shifted later", []string{referee.KindSamplesShifted}, nil},
		{"one sample wrong", []string{referee.KindSamplesWrong}, nil},
		{"silent zeros", []string{referee.KindGapUndeclared}, nil},
		{"silent gap", []string{referee.KindGapUndeclared}, []host.Fault{platformGap()}},
		{"gap closed", []string{referee.KindGapClosed}, []host.Fault{platformGap()}},
		{"gap not silent", []string{referee.KindGapNotSilent}, []host.Fault{platformGap()}},
		{"gap unfounded", []string{referee.KindAckedButLost}, nil},
		{"gap too long", []string{referee.KindFrameDuplicated}, []host.Fault{platformGap()}},
		{"manifest counts", []string{referee.KindManifestCounts}, nil},
		{"outcome wrong", []string{referee.KindOutcomes}, nil},
		{"file changed", []string{referee.KindArchiveBroken}, nil},
		{"no archive", []string{referee.KindArchiveMissing}, nil},
		{"taken over before it is allowed", []string{referee.KindAttachedBeforeSuccess}, nil},
		{"taken over under the old lease", []string{referee.KindLeaseNotHigher}, nil},
		{"taken over into one recording", []string{referee.KindPermitOutlived}, nil},
		{"taken over with a hole", []string{referee.KindFrameLost}, nil},
		{"taken over by nobody", []string{referee.KindFailedMissing, referee.KindNotRecordingMissing}, nil},
		{"taken over late, and silent about it", []string{referee.KindFrameLost}, nil},
		{"announced again", []string{referee.KindAnnouncedAgain}, nil},
		{"paused within a recording", []string{referee.KindPermitOutlived, referee.KindPauseInGap}, nil},
		{"paused and resumed without asking", []string{referee.KindOpenBeforeSuccess, referee.KindArchiveWithoutPermit}, nil},
		{"paused, and told as taken over", []string{referee.KindParts}, nil},
		{"no outcome", []string{referee.KindOutcomeMissing}, nil},
		{"archived twice", []string{referee.KindArchiveExtra}, nil},
		{"stranger's call", []string{referee.KindArchiveUnknown, referee.KindArchiveMissing}, nil},
	} {
		t.Run(c.fault, func(t *testing.T) {
			t.Parallel()
			in := play(t, c.fault, c.host...)
			if c.fault == "never opened" || c.fault == "never answered" {
				in.Limits = referee.Limits{Fail: 1, Slack: 1, Answer: 1}
			}
			switch c.fault {
			case "announced again":
				in.Limits.Slack = time.Millisecond
			case "taken over by nobody":
				in.Limits = referee.Limits{Fail: 1, Slack: 1, Bridge: 1, Recover: 1}
			}
			var kinds []string
			for _, v := range referee.Judge(in).Violations {
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
