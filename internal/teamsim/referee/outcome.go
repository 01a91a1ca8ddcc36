package referee

import (
	"fmt"

	"github.com/recorderbot/recorderbot/internal/teamsim/host"
)

// taken tells whether the recorder took the call on: it said so, or acted on it.
func (c *call) taken() bool { return c.inviteTaken || !c.answered.IsZero() }

// judgeOutcome: every invite that was taken ends in exactly one outcome.
func (j *judge) judgeOutcome(c *call, r *CallReport) {
	if j.in.Outcomes == nil || !c.taken() || c.invited.IsZero() {
		return
	}
	outcomes := j.outcomes[plain(c.id)]
	if len(outcomes) != 1 {
		j.report.WithoutOutcome++
		j.add(4, KindOutcomeMissing, c.id, "the catalogue says %q; one outcome is due", outcomes)
		return
	}
	r.Catalogued = outcomes[0]
}

// outcomes: each recording's fits what it holds, and the call's fits all of them.
func (c *content) outcomes() {
	var samples int64
	all := c.report.GapSamples // of samples and of frames of video, in all recordings
	for _, m := range c.call.manifests {
		samples, all = samples+m.Samples, all+m.frames
		// Numbers that are missing, and of nobody knows whom, were lost where the host has
		// lost some; beside a speaker's silence nothing else shows them.
		if s := c.call.session; s != nil && (has(s, host.FaultHole, host.FaultGap) || len(s.Overflows) > 0 || c.truth.excuse) {
			all += int64(m.Unclaimed) //nolint:gosec // of a manifest: more than one is as good
		}
	}
	for _, m := range c.call.manifests {
		gaps := m.frames
		for _, e := range m.missing {
			gaps += e.length()
		}
		if fault := c.unfit(m.Outcome, m.Samples, gaps, all); fault != "" {
			c.add(4, KindOutcomes, c.call.id, "the outcome of %s is %q, %s", m.folder, m.Outcome, fault)
		}
	}
	catalogued := c.judge.outcomes[plain(c.call.id)]
	if len(catalogued) != 1 || len(c.call.manifests) == 0 {
		return
	}
	if fault := c.unfit(catalogued[0], samples, all, all); fault != "" {
		c.add(4, KindOutcomes, c.call.id, "the catalogue says %q, %s", catalogued[0], fault)
	}
}

// unfit says why an outcome does not go with that many samples, and that many of
// them, or frames of video, in gaps; all is how many are in the call's. An empty recording shows that there was leave, and nothing else.
func (c *content) unfit(outcome string, samples, gaps, all int64) string {
	switch outcome {
	case "recorded":
		if gaps > 0 {
			return fmt.Sprintf("though %d samples or frames are missing", gaps)
		}
	case "recordedWithGaps":
		if all == 0 && !c.truth.excuse {
			return "though nothing is missing"
		}
	case failed:
	case "notRecorded":
		if c.report.SamplesSent > 0 || c.report.SamplesStored > 0 || c.report.FramesStored > 0 {
			return "though there was something to record"
		}
	default:
		if outcome != "notRecorded" || samples > 0 {
			return "though a recording is there"
		}
	}
	return ""
}
