package main

import (
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/teamsim"
	"github.com/recorderbot/recorderbot/internal/teamsim/cloud"
	"github.com/recorderbot/recorderbot/internal/teamsim/host"
)

const ms = time.Millisecond

func until(after time.Duration) teamsim.End {
	return teamsim.End{When: cloud.Recording, After: after, AtMost: 30 * time.Second}
}

// TestHostFaults: media hosts that go away, hang and come back, each with a call
// of its own. What they remember, and what the bot bridges, is a tenth of what it
// is in life, so a cut of a tenth of a second stands for one of a second, one of a
// second for ten, one of six for a minute.
func TestHostFaults(t *testing.T) {
	t.Parallel()
	trials := []trial{
		{name: "cut for 1 s and 10 s", want: []string{"recorded/callEnded"}, call: teamsim.Group{
			End: until(3 * time.Second), Media: []host.Fault{{Kind: host.FaultCut, At: 500 * ms, For: 100 * ms}, {Kind: host.FaultCut, At: 1200 * ms, For: time.Second}},
		}},
		{name: "cut for 60 s", want: []string{"failed/mediaLost"}, call: teamsim.Group{
			End: until(9 * time.Second), Media: []host.Fault{{Kind: host.FaultCut, At: 500 * ms, For: 6 * time.Second}},
		}},
		{name: "ended while cut", want: []string{"recorded/callEnded", "failed/sealFailed", "failed/mediaLost", "recordedWithGaps/callEnded"}, call: teamsim.Group{
			End: until(time.Second), Media: []host.Fault{{Kind: host.FaultCut, At: 500 * ms, For: 2 * time.Second}},
		}},
		{name: "slow", want: []string{"recorded/callEnded"}, call: teamsim.Group{
			End: until(3 * time.Second), Media: []host.Fault{{Kind: host.FaultStall, At: 400 * ms, For: time.Second}},
		}},
		{name: "killed, back under a new epoch", want: []string{"failed/mediaLost"}, call: teamsim.Group{
			End: until(4 * time.Second), Media: []host.Fault{{Kind: host.FaultKill, At: 500 * ms, For: 300 * ms}},
		}},
		{name: "killed for good", want: []string{"failed/mediaLost"}, call: teamsim.Group{
			End: until(9 * time.Second), Media: []host.Fault{{Kind: host.FaultKill, At: 500 * ms, For: time.Minute}},
		}},
		{name: "overloaded", want: []string{"recorded/callEnded"}, call: teamsim.Group{
			End: until(3 * time.Second), Media: []host.Fault{{Kind: host.FaultOverload, At: 300 * ms, For: time.Second}},
		}},
		{name: "draining", want: []string{"recorded/callEnded"}, call: teamsim.Group{
			End: until(3 * time.Second), Media: []host.Fault{{Kind: host.FaultDrain, At: 300 * ms}},
		}},
	}
	s := teamsim.Scenario{Name: "host-faults", Seed: 32, Settle: 20 * time.Second, Media: teamsim.Media{Hosts: len(trials), Memory: 3 * time.Second}}
	try(t, s, trials, func(c *Config) { c.bridge = 3 * time.Second })
}

// TestHostForgets: a cut, or a standstill, that is longer than what the host
// remembers, and not too long to be bridged, is one gap, exact.
func TestHostForgets(t *testing.T) {
	t.Parallel()
	trials := []trial{
		{name: "cut", want: []string{"recordedWithGaps/callEnded"}, call: teamsim.Group{
			End: until(5 * time.Second), Media: []host.Fault{{Kind: host.FaultCut, At: 500 * ms, For: 2 * time.Second}},
		}},
		{name: "stalled", want: []string{"recordedWithGaps/callEnded"}, call: teamsim.Group{
			End: until(5 * time.Second), Media: []host.Fault{{Kind: host.FaultStall, At: 500 * ms, For: 2 * time.Second}},
		}},
	}
	s := teamsim.Scenario{Name: "host-forgets", Seed: 33, Settle: 20 * time.Second, Media: teamsim.Media{Hosts: len(trials), Memory: time.Second}}
	report := try(t, s, trials, nil)
	if report.GapSamples == 0 || report.SamplesStored+report.GapSamples != report.SamplesSent {
		t.Errorf("%d samples sent, %d stored, %d in gaps", report.SamplesSent, report.SamplesStored, report.GapSamples)
	}
}

// TestSessionFaults: sockets that are lost, taken away or mute, and media that is
// not what it should be; and calls that end in the midst of it.
func TestSessionFaults(t *testing.T) {
	t.Parallel()
	media := func(name string, want []string, after time.Duration, faults ...host.Fault) trial {
		return trial{name: name, want: want, call: teamsim.Group{Media: faults, End: until(after)}}
	}
	lost := []string{"failed/mediaLost"}
	whole, holed := []string{"recorded/callEnded"}, []string{"recordedWithGaps/callEnded"}
	trials := []trial{
		media("stream failure", lost, 4*time.Second, host.Fault{Kind: host.FaultStreamFailure, At: 500 * ms}),
		media("session closed", lost, 4*time.Second, host.Fault{Kind: host.FaultSessionClosed, At: 500 * ms}),
		media("taken away", lost, 4*time.Second, host.Fault{Kind: host.FaultDetached, At: 500 * ms}),
		media("never opened", []string{"failed/mediaOpenTimeout"}, 12*time.Second, host.Fault{Kind: host.FaultNeverOpened}),
		media("never paused", whole, time.Second, host.Fault{Kind: host.FaultNeverPaused}),
		media("frames before consent and behind the end", whole, time.Second, host.Fault{Kind: host.FaultEarly}, host.Fault{Kind: host.FaultLate}),
		media("gaps", holed, 2*time.Second,
			host.Fault{Kind: host.FaultGap, At: 300 * ms, For: 200 * ms, Reason: "overflow"}, host.Fault{Kind: host.FaultGap, At: 700 * ms, For: 100 * ms, Reason: "host"},
			host.Fault{Kind: host.FaultSkip, At: time.Second, For: 200 * ms}, host.Fault{Kind: host.FaultHole, At: 1400 * ms, For: 100 * ms}),
		media("clock put forward", whole, 2*time.Second, host.Fault{Kind: host.FaultClockStep, At: 500 * ms, For: time.Hour}),
		media("clock put back", whole, 2*time.Second, host.Fault{Kind: host.FaultClockStep, At: 500 * ms, For: time.Hour, Reason: "back"}),
		media("clock put back a little", whole, 2*time.Second, host.Fault{Kind: host.FaultClockStep, At: 500 * ms, For: 300 * ms, Reason: "back"}),
		media("closed with the call", whole, time.Second, host.Fault{Kind: host.FaultCloseOnDisconnect}),
		media("ended while it seals", []string{"failed/mediaLost", "recorded/callEnded"}, 520*ms, host.Fault{Kind: host.FaultNeverPaused}, host.Fault{Kind: host.FaultStreamFailure, At: 500 * ms}),
		media("strays", whole, time.Second, host.Fault{Kind: host.FaultUnknownHandle, At: 300 * ms, Frames: 10}, host.Fault{Kind: host.FaultDuplicate, At: 600 * ms, Frames: 10}),
	}
	try(t, teamsim.Scenario{Name: "session-faults", Seed: 34, Settle: 20 * time.Second}, trials, nil)
}
