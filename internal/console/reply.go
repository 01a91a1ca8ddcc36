package console

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"time"
)

// An outcome is what came of a request: a metric label and a word of the log.
type outcome string

// The outcomes of requests.
const (
	outcomeDone         outcome = "done"
	outcomePending      outcome = "pending" // the order stands, its end is not known yet
	outcomeUnauthorized outcome = "unauthorized"
	outcomeForbidden    outcome = "forbidden"
	outcomeForeign      outcome = "foreignSite"
	outcomeNotFound     outcome = "notFound"
	outcomeMethod       outcome = "method"
	outcomeConflict     outcome = "conflict"
	outcomeSize         outcome = "size"
	outcomeContentType  outcome = "contentType"
	outcomeBody         outcome = "body"
	outcomeUnaudited    outcome = "unaudited" // the audit can't be written
	outcomeFailed       outcome = "failed"
)

func outcomes() []outcome {
	return []outcome{
		outcomeDone, outcomePending, outcomeUnauthorized, outcomeForbidden, outcomeForeign, outcomeNotFound, outcomeMethod, outcomeConflict,
		outcomeSize, outcomeContentType, outcomeBody, outcomeUnaudited, outcomeFailed,
	}
}

// A reply is what a request is answered with.
type reply struct {
	status    int
	outcome   outcome
	body      any    // JSON
	challenge string // the WWW-Authenticate header (RFC 6750 §3), for 401
	allow     string // the Allow header, for 405
	retry     time.Duration
	err       error  // for the log, and for the audit of an act
	detail    string // for the log: why a login was refused
}

func done(body any) reply { return reply{status: http.StatusOK, outcome: outcomeDone, body: body} }

func refuse(status int, o outcome, fault, remedy string) reply {
	return reply{status: status, outcome: o, body: Problem{fault, remedy}}
}

// unauthorized refuses a login. All faults look the same from outside; the log and
// the metric tell them apart.
func unauthorized(why refusal) reply {
	a := refuse(http.StatusUnauthorized, outcomeUnauthorized, "no valid credential",
		"send a token of the configuration (console.tokens) as Authorization: Bearer TOKEN, or show a client certificate (console.clients)")
	a.challenge, a.detail = `Bearer realm="recorderbot"`, string(why)
	if why != refusedNothing {
		a.challenge += `, error="invalid_token"`
	}
	return a
}

func tooMany(wait time.Duration) reply {
	a := refuse(http.StatusTooManyRequests, outcomeUnauthorized, "too many refused logins from this address", "wait, then send a valid token; client certificates are not held up")
	a.retry, a.detail = max(wait, time.Second), string(refusedGuessing)
	return a
}

func unavailable(o outcome, fault, remedy string, err error) reply {
	a := refuse(http.StatusServiceUnavailable, o, fault, remedy)
	a.retry, a.err = 5*time.Second, err
	return a
}

// write sends the reply.
func (a reply) write(w http.ResponseWriter) {
	body, err := json.Marshal(a.body)
	if err != nil { // a type of ours that JSON does not know
		a.status, body = http.StatusInternalServerError, []byte(`{"error":"internal error"}`)
	}
	body = append(body, '\n')
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if a.challenge != "" {
		h.Set("WWW-Authenticate", a.challenge)
	}
	if a.allow != "" {
		h.Set("Allow", a.allow)
	}
	if a.retry > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(a.retry.Seconds()))))
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(body) // who asked may be gone; what was done stays so
}
