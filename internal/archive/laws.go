package archive

import (
	"fmt"
	"time"

	"github.com/recorderbot/recorderbot/internal/media/timeline"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// sealContinued is the cause of a seal where a later process went on with the next
// frame.
const sealContinued = "continued"

// grace is how long frames that were admitted before the end may take to become
// durable after a failure was announced.
const grace = 2 * time.Second

// An orderCheck goes through a manifest's order receipts once.
type orderCheck struct {
	m        *Manifest
	findings []Finding
	at       map[string]int // of each of the recording's own steps, its index
	asked    map[string]int // of each client context, the index of its announcing
}

// checkOrder holds what a manifest tells to the laws. Order means both: place in
// the list, and what proves the place, which is numbers, and time where there are
// none.
func checkOrder(m *Manifest) []Finding {
	c := orderCheck{m: m, at: map[string]int{}, asked: map[string]int{}}
	c.chronicle()
	c.permit()
	c.media()
	c.seal()
	c.outcome()
	c.loud()
	return c.findings
}

func (c *orderCheck) found(kind FindingKind, law int, detail string, args ...any) {
	c.findings = append(c.findings, Finding{kind, law, "", fmt.Sprintf(detail, args...)})
}

// chronicle: own steps happen once, outcomes have their intention, nothing
// follows the end.
func (c *orderCheck) chronicle() {
	ended := -1
	for i, s := range c.m.Order {
		switch s.Step {
		case StepPermit, StepFirstDurable, StepLastDurable, StepSealed, StepOpened:
			if _, twice := c.at[s.Step]; twice {
				c.found(FindingChronicle, lawJournal, "step %s is there twice", s.Step)
			}
			c.at[s.Step] = i
		case StepAnnouncing:
			c.asked[s.ClientContext] = i
		case StepAnnounced:
			if q, ok := c.asked[s.ClientContext]; !ok || c.m.Order[q].Status != s.Status {
				c.found(FindingUnpaired, lawJournal, "outcome of %q (%s) without its intention before it", s.ClientContext, s.Status)
			}
		case StepEnded:
			ended = i
		case StepInvited, StepAnswered, StepEstablished, StepLeft:
		default:
			c.found(FindingChronicle, lawJournal, "unknown step %.40q", s.Step)
		}
	}
	if ended >= 0 {
		for _, s := range c.m.Order[ended+1:] {
			if s.Step == StepFirstDurable || s.Step == StepLastDurable || s.Step == StepAnnouncing {
				c.found(FindingChronicle, lawOutcome, "%s after the outcome", s.Step)
			}
		}
	}
}

// permit: law 1. A success reply to our announcement of "recording" came before
// the permit.
func (c *orderCheck) permit() {
	p, ok := c.at[StepPermit]
	if !ok {
		c.found(FindingPermit, lawPermit, "no step permit")
		return
	}
	e := c.m.Permit
	if e.Call != c.m.Call || e.Context == "" {
		c.found(FindingPermit, lawPermit, "the permit is of call %q, context %q", e.Call, e.Context)
	}
	for i, s := range c.m.Order[:p] {
		if s.Step == StepAnnounced && s.ClientContext == e.Context && c.success(s) {
			if c.contradicted(i, p) {
				c.found(FindingPermit, lawPermit, "the permit is of %v, its reply of %v", c.m.Order[p].At, s.At)
			}
			if q, ok := c.asked[s.ClientContext]; !ok || q > i {
				c.found(FindingPermit, lawPermit, "the reply to %q precedes its announcement", s.ClientContext)
			}
			return
		}
	}
	c.found(FindingPermit, lawPermit, "no success reply to %q, operation %q, precedes the permit", e.Context, e.Operation)
}

// success: 2xx (or no HTTP reply, but a notification) and completed.
func (c *orderCheck) success(s Step) bool {
	http := 0
	if s.Receipt != nil {
		http = s.Receipt.HTTPStatus
	}
	return s.Status == recorder.StatusRecording.String() && s.Progress == recorder.Completed.String() &&
		s.Operation == c.m.Permit.Operation && (http == 0 || http/100 == 2)
}

// media: law 1 again. No byte was stored before the permit.
func (c *orderCheck) media() {
	first, stored := c.at[StepFirstDurable]
	if stored != (c.m.Seal.Frames > 0) {
		c.found(FindingEarly, lawPermit, "%d frames in the seal, but step %s is there: %v", c.m.Seal.Frames, StepFirstDurable, stored)
	}
	for _, step := range []string{StepOpened, StepFirstDurable} {
		if i, ok := c.at[step]; ok {
			c.before(StepPermit, i, FindingEarly, lawPermit)
		}
	}
	if last, ok := c.at[StepLastDurable]; ok && stored && last < first {
		c.found(FindingChronicle, lawPermit, "the last frame precedes the first")
	}
}

// before finds fault where an own step does not precede the step at index i.
func (c *orderCheck) before(step string, i int, kind FindingKind, law int) {
	j, ok := c.at[step]
	s := c.m.Order[i]
	if !ok || j > i || c.contradicted(j, i) {
		c.found(kind, law, "%s %s of %v does not follow %s", s.Step, s.Status, s.At, step)
	}
}

// contradicted reports whether a step stands before another one and came after
// it. Clocks are set back, numbers are not: where both steps have one, or both are
// the spool's, time means nothing.
func (c *orderCheck) contradicted(earlier, later int) bool {
	a, b := c.m.Order[earlier], c.m.Order[later]
	switch {
	case a.Entry > 0 && b.Entry > 0:
		return a.Entry > b.Entry
	case a.Step == StepPermit && a.Entry > 0 && b.Step == StepFirstDurable, a.Step == StepLastDurable && b.Step == StepSealed && b.Entry > 0:
		return false // the spool has them in this order, or there was no manifest
	}
	return a.At.After(b.At)
}

// seal: law 2. The end was announced when everything was sealed.
func (c *orderCheck) seal() {
	sealed, ok := c.at[StepSealed]
	if !ok {
		c.found(FindingSeal, lawSeal, "no step sealed")
	}
	last, stored := c.at[StepLastDurable]
	if ok && stored && (last > sealed || c.contradicted(last, sealed)) {
		c.found(FindingLate, lawSeal, "frames were stored after the seal")
	}
	permit := c.at[StepPermit]
	for i, s := range c.m.Order {
		if s.Step != StepAnnouncing || i < permit {
			continue
		}
		switch s.Status {
		case recorder.StatusNotRecording.String():
			c.before(StepSealed, i, FindingSeal, lawSeal)
		case recorder.StatusFailed.String():
			if until := c.storedUntil(); stored && !c.sealedBefore(i) && until.After(s.At.Add(grace)) {
				c.found(FindingLate, lawSeal, "frames were stored until %v, failure was announced at %v", until, s.At)
			}
		}
	}
}

// storedUntil is when the last frame was stored, at the latest: where the clock
// was set back between it and the seal, the seal's time is.
func (c *orderCheck) storedUntil() time.Time {
	last := c.m.Order[c.at[StepLastDurable]].At
	if sealed, ok := c.at[StepSealed]; ok && c.m.Order[sealed].At.Before(last) {
		return c.m.Order[sealed].At
	}
	return last
}

// sealedBefore reports whether the seal's number proves that it precedes the step
// at index i.
func (c *orderCheck) sealedBefore(i int) bool {
	j, ok := c.at[StepSealed]
	return ok && j < i && c.m.Order[j].Entry > 0 && !c.contradicted(j, i) && c.m.Order[i].Entry > 0
}

// outcome: law 4. The outcome says what the tracks say.
func (c *orderCheck) outcome() {
	missing, stored := int64(min(c.m.FramesUnclaimed, 1)), c.m.StoredSamples
	for _, o := range c.m.Others {
		if c.m.Cause == CauseContinues {
			break // the outcome is the recording's own
		}
		missing, stored = missing+o.GapSamples, stored+o.Samples+o.Frames
	}
	for _, t := range c.m.Tracks {
		if t.Kind != "audio" {
			stored += int64(min(t.Frames, 1)) // of a call in which nobody spoke there may be video
		}
		for _, g := range t.Gaps {
			if g.Cause != timeline.Idle {
				missing += max(g.Samples, 1) // a gap in video has no samples
			}
		}
	}
	switch o, ok := recorder.ParseOutcome(c.m.Outcome); {
	case !ok || o == recorder.OutcomeRejected:
		c.found(FindingOutcome, lawOutcome, "outcome %.40q with a recording", c.m.Outcome)
	case o == recorder.OutcomeRecorded && missing > 0:
		c.found(FindingOutcome, lawOutcome, "outcome %s, but something is missing", o)
	case (o == recorder.OutcomeRecorded || o == recorder.OutcomeRecordedWithGaps) && stored == 0:
		c.found(FindingOutcome, lawOutcome, "outcome %s, but nothing is stored", o)
	case o == recorder.OutcomeRecordedWithGaps && missing == 0 && (len(c.m.Others) == 0 || c.m.Cause == CauseContinues):
		// Of the others only samples are told, and it may be their video.
		c.found(FindingOutcome, lawOutcome, "outcome %s, but nothing is missing", o)
	}
}

// loud: law 3. What failed is not told as recorded. The outcome's own cause says
// nothing of it: of a process that died after a good end, all is recorded.
func (c *orderCheck) loud() {
	o, _ := recorder.ParseOutcome(c.m.Outcome)
	if o != recorder.OutcomeRecorded && o != recorder.OutcomeRecordedWithGaps {
		return
	}
	if c.m.Seal.Cause != sealContinued && (c.m.Seal.Recovered || c.m.Seal.Cause == string(recorder.CauseProcessDied)) {
		c.found(FindingSilent, lawLoud, "outcome %s, but a later process had to seal it", o)
	}
	permit, ok := c.at[StepPermit]
	for i, s := range c.m.Order {
		if ok && c.m.Cause != CauseContinues && i > permit && s.Step == StepAnnouncing && s.Status == recorder.StatusFailed.String() {
			c.found(FindingSilent, lawLoud, "outcome %s, but failed was announced after the permit", o)
			return
		}
	}
}
