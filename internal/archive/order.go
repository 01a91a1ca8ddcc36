package archive

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// stepData is what journal entries carry that an order receipt needs. Their
// members are a subset of these; what does not fit is not a step's business.
type stepData struct {
	Status    string               `json:"status"`
	Context   string               `json:"clientContext"`
	Operation recorder.OperationID `json:"operation"`
	Progress  string               `json:"progress"`
	Fault     string               `json:"fault"`
	Receipt   *recorder.Receipt    `json:"receipt"`
	Recording string               `json:"recording"`
	State     string               `json:"state"`
}

// orderOf lists what happened to the call, in the journal's order, with what the
// spool proves about this recording put in where it belongs. Its permit follows
// the journal's entry of that permit, which is durable before the spool is asked;
// its seal precedes the journal's entry that tells of it. Clocks are set back in
// mid-call, so time decides only where the journal has no such entry: one that
// could not be written. Between permit and seal the spool's own order counts.
func orderOf(j *Job, s *survey) []Step {
	o := order{journalSteps(j)}
	allowed, told := anchors(j, s)
	e := s.permit.Evidence
	permit := o.put(Step{
		Step: StepPermit, At: s.permitAt, Status: recorder.StatusRecording.String(), Progress: recorder.Completed.String(),
		ClientContext: e.Context, Operation: e.Operation, Entry: allowed,
	}, 0, len(o.steps), allowed)
	sealed := o.put(Step{Step: StepSealed, At: s.sealAt, Entry: told}, permit+1, len(o.steps), told-1)
	if s.frames > 0 {
		first := o.put(Step{Step: StepFirstDurable, At: s.firstAt}, permit+1, sealed, 0)
		o.put(Step{Step: StepLastDurable, At: s.lastAt}, first+1, sealed+1, 0)
	}
	return o.steps
}

// anchors returns the numbers of the journal's entries about this recording's
// permit and seal; 0 where there is none.
func anchors(j *Job, s *survey) (permit, sealed int64) {
	for _, e := range j.Events {
		var d stepData
		if json.Unmarshal(e.Data, &d) != nil {
			continue // of another shape, so of another kind
		}
		switch {
		case e.Kind == string(recorder.EntryPermit) && d.Context == s.permit.Evidence.Context:
			permit = e.Seq
		case e.Kind == string(recorder.EntrySealed) && d.Recording == j.Recording && sealed == 0:
			// It is told again where a call ends that was to be resumed.
			sealed = e.Seq
		}
	}
	return permit, sealed
}

// An order is a list of steps in the making.
type order struct{ steps []Step }

// put inserts a step between the indexes lo and hi and returns where: behind all
// steps up to the journal's entry with the number after, else, where there is no
// such number, by time.
func (o *order) put(n Step, lo, hi int, after int64) int {
	n.At = clean(n.At)
	at := lo
	for i, s := range o.steps[lo:hi] {
		if after > 0 && (s.Step == StepInvited || s.Entry > 0 && s.Entry <= after) {
			at = lo + i + 1
		}
	}
	if after <= 0 {
		at = hi
		if i := slices.IndexFunc(o.steps[lo:hi], func(s Step) bool { return s.At.After(n.At) }); i >= 0 {
			at = lo + i
		}
	}
	o.steps = slices.Insert(o.steps, at, n)
	return at
}

// journalSteps turns the journal's entries into steps. The permit and the seal
// are left to the spool, which is the stronger evidence.
func journalSteps(j *Job) []Step {
	var steps []Step
	seen := map[string]bool{}
	add := func(step string, e Event, d stepData) {
		seen[step] = true
		steps = append(steps, Step{
			Step: step, At: clean(e.At), Status: d.Status, ClientContext: d.Context,
			Operation: d.Operation, Progress: d.Progress, Fault: d.Fault, Receipt: d.Receipt, Entry: e.Seq,
		})
	}
	for _, e := range inOrder(j.Events) {
		var d stepData
		if json.Unmarshal(e.Data, &d) != nil {
			d = stepData{} // an entry of another shape; that it happened still counts
		}
		switch recorder.EntryKind(e.Kind) { //nolint:exhaustive // the others are no steps
		case recorder.EntryInvite:
			add(StepInvited, e, stepData{})
		case recorder.EntryAnswer:
			add(StepAnswered, e, d)
		case recorder.EntryEstablished:
			add(StepEstablished, e, stepData{})
		case recorder.EntryState:
			// The call is announced as soon as it is established.
			if d.State == "announcing" && !seen[StepEstablished] {
				add(StepEstablished, e, stepData{})
			}
		case recorder.EntryAnnounce:
			add(StepAnnouncing, e, d)
		case recorder.EntryAnnounced:
			add(StepAnnounced, e, d)
		case recorder.EntryOpened:
			if d.Recording == j.Recording {
				add(StepOpened, e, stepData{})
			}
		case recorder.EntryHangUp:
			add(StepLeft, e, d)
		case recorder.EntryOutcome:
			add(StepEnded, e, stepData{})
		}
	}
	if !seen[StepInvited] && !j.Facts.InvitedAt.IsZero() {
		steps = slices.Insert(steps, 0, Step{Step: StepInvited, At: clean(j.Facts.InvitedAt)})
	}
	if !seen[StepEnded] && !j.Conclusion.At.IsZero() {
		steps = append(steps, Step{Step: StepEnded, At: clean(j.Conclusion.At)})
	}
	return nameStatus(steps)
}

// inOrder returns the journal by number.
func inOrder(events []Event) []Event {
	events = slices.Clone(events)
	slices.SortStableFunc(events, func(a, b Event) int { return cmp.Compare(a.Seq, b.Seq) })
	return events
}

// nameStatus gives an outcome that the platform told on its own the status of
// the announcement that it answers.
func nameStatus(steps []Step) []Step {
	asked := map[string]string{}
	for i := range steps {
		s := &steps[i]
		switch {
		case s.Step == StepAnnouncing:
			asked[s.ClientContext] = s.Status
		case s.Step == StepAnnounced && s.Status == "":
			s.Status = asked[s.ClientContext]
		}
	}
	return steps
}

// clean makes a time that is written and read back as the same.
func clean(t time.Time) time.Time { return t.Round(0).UTC() }
