package cloud

import (
	"errors"
	"net/http"
	"time"

	"github.com/recorderbot/recorderbot/internal/teamsim/trace"
)

// serveAnswer takes the bot's answer: 202, empty.
func (c *Cloud) serveAnswer(w http.ResponseWriter, r *http.Request, q *request) {
	call := q.call
	c.trace(trace.Event{Kind: trace.AnswerReceived, Call: call.ids.call})
	e := trace.Event{Kind: trace.AnswerReplied, Call: call.ids.call}
	if err := call.takeAnswer(q.answer, q.fault.effective()); err != nil {
		c.sendRefusal(w, r, err, e, nil)
		return
	}
	c.send(w, r, q.fault, reply{status: http.StatusAccepted, event: e})
}

// takeAnswer is the answer's effect. What Graph says to a second answer is
// published nowhere: the same blob is taken again, as after a lost reply.
func (c *Call) takeAnswer(a answerRequest, effective bool) *refusalError {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	switch c.phase {
	case phaseIncoming:
		// The timer may be late; the deadline is not.
		if now.Sub(c.facts.InviteSent) > c.cloud.opts.AnswerWithin {
			return callUnknown()
		}
	case phaseAnswered, phaseEstablished:
		if a.blob != c.answer.blob {
			return badRequest(errors.New("the call was answered with another blob"))
		}
		return nil
	case phaseEnded:
		return callUnknown()
	}
	if c.facts.Answered.IsZero() {
		c.facts.Answered = now
	}
	if !effective {
		return nil
	}
	c.phase = phaseAnswered
	c.answer = a
	c.facts.Blob, c.facts.CallbackURI = a.blob, a.callbackURI
	c.pass(Answered)
	return nil
}

// serveReject takes the bot's no: 202, empty, and the call is over.
func (c *Cloud) serveReject(w http.ResponseWriter, r *http.Request, q *request) {
	call := q.call
	c.trace(trace.Event{Kind: trace.RejectReceived, Call: call.ids.call, Status: q.reason})
	e := trace.Event{Kind: trace.RejectReplied, Call: call.ids.call, Status: q.reason}
	call.mu.Lock()
	phase := call.phase
	if phase == phaseIncoming {
		call.facts.Rejected, call.facts.RejectReason = time.Now(), q.reason
	}
	call.mu.Unlock()
	switch phase {
	case phaseEnded:
		c.sendRefusal(w, r, callUnknown(), e, nil)
		return
	case phaseIncoming:
		if q.fault.effective() {
			call.end(Ending{}, Rejected)
		}
	case phaseAnswered, phaseEstablished:
		c.sendRefusal(w, r, badRequest(errors.New("reject does not end a call that was answered")), e, nil)
		return
	}
	c.send(w, r, q.fault, reply{status: http.StatusAccepted, event: e})
}

// serveDelete takes the bot's hang-up: 204, empty.
func (c *Cloud) serveDelete(w http.ResponseWriter, r *http.Request, q *request) {
	call := q.call
	c.trace(trace.Event{Kind: trace.HangUpReceived, Call: call.ids.call})
	call.mu.Lock()
	known := call.known()
	if known && call.facts.Left.IsZero() {
		call.facts.Left = time.Now()
	}
	call.mu.Unlock()
	if !known {
		c.refuse(w, r, call.ids.call, callUnknown())
		return
	}
	if q.fault.effective() {
		call.end(endLeft(), Left)
	}
	c.send(w, r, q.fault, reply{status: http.StatusNoContent})
}
