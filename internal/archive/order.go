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
// spool proves about this recording put in by time: the two are written by one
// process, with one clock.
func orderOf(j *Job, s *survey) []Step {
	steps := journalSteps(j)
	at := func(when time.Time, step string) {
		if when.IsZero() {
			return
		}
		n := Step{Step: step, At: clean(when)}
		if step == StepPermit {
			e := s.permit.Evidence
			n.Status, n.Progress = recorder.StatusRecording.String(), recorder.Completed.String()
			n.ClientContext, n.Operation = e.Context, e.Operation
		}
		i := slices.IndexFunc(steps, func(o Step) bool { return o.At.After(n.At) })
		if i < 0 {
			i = len(steps)
		}
		steps = slices.Insert(steps, i, n)
	}
	at(s.permitAt, StepPermit)
	at(s.firstAt, StepFirstDurable)
	at(s.lastAt, StepLastDurable)
	at(s.sealAt, StepSealed)
	return steps
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
			Operation: d.Operation, Progress: d.Progress, Fault: d.Fault, Receipt: d.Receipt,
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
