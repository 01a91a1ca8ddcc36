package referee

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
