package cloud

import (
	"net/http"

	"github.com/recorderbot/recorderbot/internal/teamsim/trace"
)

// serveLookup serves keepAlive and the three questions.
func (c *Cloud) serveLookup(w http.ResponseWriter, r *http.Request, q *request) {
	call := q.call
	if q.op == OpKeepAlive {
		c.trace(trace.Event{Kind: trace.KeepAliveReceived, Call: call.ids.call})
	}
	call.mu.Lock()
	known := call.known()
	call.mu.Unlock()
	if !known {
		c.refuse(w, r, call.ids.call, callUnknown())
		return
	}
	p := reply{status: http.StatusOK}
	switch q.op { //nolint:exhaustive // the others have handlers of their own
	case OpKeepAlive:
		if q.fault.effective() {
			call.keptAlive()
		}
	case OpGetCall:
		p.body = call.resource()
	case OpParticipants:
		p.body = map[string]any{
			"@odata.context": c.Root() + "/v1.0/$metadata#communications/calls('" + call.ids.call + "')/participants",
			"value":          call.roster(),
		}
	case OpGetOperation:
		body, err := call.poll(q)
		if err != nil {
			c.refuse(w, r, call.ids.call, err)
			return
		}
		p.body = body
	default:
		panic("teamsim: no lookup: " + q.op)
	}
	c.send(w, r, q.fault, p)
}

func (c *Call) keptAlive() {
	c.mu.Lock()
	c.facts.KeepAlives++
	c.mu.Unlock()
	select {
	case c.keepAlives <- struct{}{}:
	default: // one that was not yet seen serves for both
	}
}

// poll is GET operations/{id}.
func (c *Call) poll(q *request) (any, *refusalError) {
	id, err := canonical(q.rest)
	if err != nil {
		return nil, badRequest(err)
	}
	c.mu.Lock()
	op := c.operations[id]
	var body map[string]any
	if op != nil {
		body = op.body()
	}
	c.mu.Unlock()
	if op == nil {
		return nil, &refusalError{http.StatusNotFound, "8523", "Operation not found.", true}
	}
	bent, progress := bend(body, q.fault)
	if progress = readable(q.fault, progress); progress != "" {
		c.heard(op, progress)
	}
	return bent, nil
}
