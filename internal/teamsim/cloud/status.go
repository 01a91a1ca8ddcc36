package cloud

import (
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/recorderbot/recorderbot/internal/teamsim/trace"
)

// An operation is Graph's updateRecordingStatusOperation. Its members are
// guarded by the call's mu, but for those that never change.
type operation struct {
	id      string
	context string
	status  string
	index   int // of its announcement in the call's facts

	progress string
	result   map[string]any // resultInfo; nil: none
}

// body is the operation as Graph writes it. mu must be held.
func (o *operation) body() map[string]any {
	b := map[string]any{
		"@odata.type":   "#microsoft.graph.updateRecordingStatusOperation",
		"clientContext": o.context,
		"id":            o.id,
		"resultInfo":    nil,
		"status":        o.progress,
	}
	if o.result != nil {
		b["resultInfo"] = o.result
	}
	return b
}

// serveStatus takes an announcement.
func (c *Cloud) serveStatus(w http.ResponseWriter, r *http.Request, q *request) {
	call, now := q.call, time.Now()
	c.trace(trace.Event{Kind: trace.StatusReceived, At: now, Call: call.ids.call, Status: q.status.status, Context: q.status.context})
	e := trace.Event{Kind: trace.StatusReplied, Call: call.ids.call, Status: q.status.status, Context: q.status.context}
	op, err := call.announce(q.status, q.fault, now)
	note := func(e trace.Event) { call.replied(op, e) }
	if err != nil {
		c.sendRefusal(w, r, err, e, note)
		return
	}
	if f := q.fault; f != nil && f.Later != nil {
		call.finishLater(op, *f.Later)
	}
	e.Operation = op.id
	p := reply{status: http.StatusOK, location: c.Root() + callsPath + call.ids.call + "/operations/" + op.id}
	call.mu.Lock()
	body := op.body()
	call.mu.Unlock()
	p.body, e.Progress = bend(body, q.fault)
	p.event, p.note = e, note
	c.send(w, r, q.fault, p)
}

// bend changes the operation as the fault's body demands, and returns the
// progress that it tells: none where it is somebody else's.
func bend(body map[string]any, f *Fault) (map[string]any, string) {
	progress, _ := body["status"].(string)
	if f == nil {
		return body, progress
	}
	switch f.Body {
	case BodyRunning, BodyNotStarted, BodyFailed:
		// announce has set the progress; a Later may have ended it already,
		// and yet the reply is what it was going to be.
		progress = f.Body
		body["status"], body["resultInfo"] = progress, nil
		if f.Body == BodyFailed {
			body["resultInfo"] = failure()
		}
	case BodyCapital:
		body["status"] = "Completed"
	case BodyForeign:
		body["clientContext"] = "someone-else/" + uuid.NewString()
		return body, ""
	default:
	}
	return body, progress
}

// readable is the progress that the bot can read from the reply.
func readable(f *Fault, progress string) string {
	if f == nil {
		return progress
	}
	switch f.Body {
	case BodyHTML, BodyTruncated, BodyCut, BodyEmpty:
		return ""
	}
	if f.Drop || f.Lose || f.HTTP >= 300 {
		return ""
	}
	return progress
}

func failure() map[string]any {
	return map[string]any{"@odata.type": "#microsoft.graph.resultInfo", "code": 500, "subcode": 8500, "message": "The recording status could not be set."}
}

// announce is the effect of an announcement.
func (c *Call) announce(s statusRequest, f *Fault, now time.Time) (*operation, *refusalError) {
	c.mu.Lock()
	defer c.mu.Unlock()
	op := &operation{id: uuid.NewString(), context: s.context, status: s.status, index: len(c.facts.Announcements), progress: progressCompleted}
	c.facts.Announcements = append(c.facts.Announcements, Announcement{Status: s.status, Context: s.context, Received: now})
	switch {
	case !c.known():
		return op, callUnknown()
	case c.phase == phaseIncoming:
		return op, badRequest(errors.New("the call was not answered"))
	case c.spec.Kind != KindPolicy:
		return op, &refusalError{http.StatusForbidden, codeNotPolicy, "API call not allowed for non-Compliance Recording call", false}
	case c.contexts[s.context]:
		// A bot that uses a context twice can't tell which reply is whose.
		return op, badRequest(errors.New("clientContext was used before in this call"))
	case c.cloud.opts.RefuseEarlyStatus && c.phase == phaseAnswered:
		return op, &refusalError{http.StatusBadRequest, codeTooEarly, "Call is not established.", false}
	}
	c.contexts[s.context] = true
	if f != nil {
		switch f.Body {
		case BodyRunning, BodyNotStarted:
			op.progress = f.Body
		case BodyFailed:
			op.progress, op.result = progressFailed, failure()
		default:
		}
	}
	if !f.effective() {
		return op, nil
	}
	c.operations[op.id] = op
	c.facts.Operations++
	c.facts.Announcements[op.index].Operation = op.id
	if op.progress == progressCompleted {
		c.apply(op)
	}
	return op, nil
}

// apply changes what the platform shows. mu must be held.
func (c *Call) apply(op *operation) {
	c.facts.Announcements[op.index].Applied = time.Now()
	c.status = op.status
	c.cloud.trace(trace.Event{Kind: trace.StatusApplied, Call: c.ids.call, Status: op.status, Context: op.context, Operation: op.id})
	c.pass(Milestone(op.status))
}

// replied notes what the bot is about to be told.
func (c *Call) replied(op *operation, e trace.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := &c.facts.Announcements[op.index]
	a.Replied, a.HTTP, a.Progress = e.At, e.HTTP, e.Progress
	if e.HTTP/100 == 2 && e.Progress == progressCompleted && a.Success.IsZero() {
		a.Success = e.At
	}
}

// finishLater ends an operation as scripted. With BeforeReply it returns only
// when the bot has taken the notification.
func (c *Call) finishLater(op *operation, l Later) {
	finish := func() {
		c.mu.Lock()
		if c.phase == phaseEnded || op.progress == progressCompleted || op.progress == progressFailed {
			c.mu.Unlock()
			return
		}
		op.progress = l.Progress
		if l.Progress == progressCompleted {
			c.apply(op)
		} else {
			op.result = failure()
		}
		body := op.body()
		c.mu.Unlock()
		if l.Silent {
			return
		}
		c.tellOperation(op, body)
	}
	if l.BeforeReply {
		if c.pause(l.After) {
			finish()
		}
		return
	}
	c.later(func() {
		if c.pause(l.After) {
			finish()
		}
	})
}

// heard notes that the bot is about to learn an operation's progress outside
// of the reply.
func (c *Call) heard(op *operation, progress string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := &c.facts.Announcements[op.index]
	if progress == progressCompleted && a.Success.IsZero() {
		a.Success = time.Now()
	}
	c.cloud.trace(trace.Event{Kind: trace.OperationNotified, Call: c.ids.call, Status: op.status, Context: op.context, Operation: op.id, Progress: progress})
}
