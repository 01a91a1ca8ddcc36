package cloud

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/recorderbot/recorderbot/internal/teamsim/trace"
)

// A reply is what the bot would get were there no fault.
type reply struct {
	status   int
	location string
	body     any // nil: empty
	// event is added to the trace just before the first byte is written; its
	// HTTP, Code and Progress are set to what the bot is really told.
	event trace.Event
	// note, where given, is told the event as it was added.
	note func(trace.Event)
}

// send writes the reply, bent by the fault if there is one.
func (c *Cloud) send(w http.ResponseWriter, r *http.Request, f *Fault, p reply) {
	if f == nil {
		p.event.HTTP = p.status
		c.traceReply(p)
		p.write(w, r, 1, false)
		return
	}
	wait(c.ctx, f.Delay)
	switch {
	case f.Drop || f.Lose:
		p.event.HTTP, p.event.Progress = 0, ""
		c.traceReply(p)
		panic(http.ErrAbortHandler)
	case f.HTTP >= 400:
		code, message := f.errorWords()
		p.event.HTTP, p.event.Code, p.event.Progress = f.HTTP, code, ""
		c.traceReply(p)
		setRetryAfter(w, f.RetryAfter)
		if f.Body == BodyHTML {
			writeHTML(w, f.HTTP)
			return
		}
		writeError(w, r, f.HTTP, code, message)
		return
	case f.HTTP != 0:
		p.status = f.HTTP
	}
	p.event.HTTP = p.status
	switch f.Body {
	case BodyHTML:
		p.event.Progress = ""
		c.traceReply(p)
		writeHTML(w, p.status)
	case BodyEmpty:
		p.event.Progress, p.body = "", nil
		c.traceReply(p)
		p.write(w, r, 1, false)
	case BodyTruncated, BodyCut:
		p.event.Progress = ""
		c.traceReply(p)
		p.write(w, r, 2, f.Body == BodyCut)
	default:
		c.traceReply(p)
		p.write(w, r, 1, false)
	}
}

// sendRefusal writes an error that the call's state demands.
func (c *Cloud) sendRefusal(w http.ResponseWriter, r *http.Request, f *refusalError, e trace.Event, note func(trace.Event)) {
	if f.violation {
		c.violate(e.Call, fmt.Sprintf("%s %s: %s", r.Method, r.URL.Path, f.Error()))
	}
	e.HTTP, e.Code = f.status, f.code
	c.traceReply(reply{event: e, note: note})
	writeError(w, r, f.status, f.code, f.message)
}

// traceReply adds the event of a reply, where the operation has one.
func (c *Cloud) traceReply(p reply) {
	if p.event.Kind == "" {
		return
	}
	e := c.trace(p.event)
	if p.note != nil {
		p.note(e)
	}
}

// write sends the first part of the body: all of it, or 1/part. cut announces
// the whole length and then breaks the connection.
func (p reply) write(w http.ResponseWriter, r *http.Request, part int, cut bool) {
	graphHeaders(w, r)
	if p.location != "" {
		w.Header().Set("Location", p.location)
	}
	if p.body == nil {
		w.Header().Del("Content-Type")
		w.WriteHeader(p.status)
		return
	}
	body := mustJSON(p.body)
	if cut {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(p.status)
	_, _ = w.Write(body[:len(body)/part])
	if cut {
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

// errorWords are the error envelope's members.
func (f *Fault) errorWords() (code, message string) {
	code, message = f.Code, f.Message
	if message == "" {
		switch code {
		case codeNoConsent:
			message = "Insufficient enterprise tenant permissions, cannot access this API."
		case codeNotPolicy:
			message = "API call not allowed for non-Compliance Recording call"
		case codeCallUnknown:
			message = "Call not found."
		default:
			message = http.StatusText(f.HTTP)
		}
	}
	if code == "" {
		code = map[int]string{
			http.StatusUnauthorized:        codeNoToken,
			http.StatusForbidden:           codeNoConsent,
			http.StatusNotFound:            codeCallUnknown,
			http.StatusTooManyRequests:     "TooManyRequests",
			http.StatusServiceUnavailable:  "ServiceUnavailable",
			http.StatusInternalServerError: "InternalServerError",
		}[f.HTTP]
		if code == "" {
			code = strconv.Itoa(f.HTTP)
		}
	}
	return code, message
}
