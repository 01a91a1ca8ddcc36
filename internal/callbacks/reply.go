package callbacks

import (
	"net/http"
	"strconv"
)

// A reason says why a request was not handed over: a metric label and a word in
// the access log. Those of bodies that don't decode are graph.DecodeError's.
type reason string

// The reasons, in the order of the checks.
const (
	reasonMethod       reason = "method"
	reasonPath         reason = "path"
	reasonSize         reason = "size"
	reasonNoToken      reason = "noToken"        // no Authorization header
	reasonMalformed    reason = "malformedToken" // not one bearer token, no JWT, or a claim missing
	reasonAlgorithm    reason = "algorithm"
	reasonIssuer       reason = "issuer"
	reasonAudience     reason = "audience"
	reasonExpired      reason = "expired"
	reasonNotYetValid  reason = "notYetValid"
	reasonTenant       reason = "unknownTenant" // not on the allow list
	reasonUnknownKey   reason = "unknownKey"
	reasonNoKeys       reason = "keysUnavailable"
	reasonSignature    reason = "signature"
	reasonContentType  reason = "contentType"
	reasonBody         reason = "body" // did not arrive whole
	reasonDecode       reason = "decode"
	reasonJoinings     reason = "manyJoinings"
	reasonTenantDiffer reason = "tenantDiffers" // token's and notification's
	reasonForbidden    reason = "forbidden"     // the receiver: another tenant's call
	reasonBusy         reason = "busy"
	reasonReceiver     reason = "receiver" // failed
	reasonPanic        reason = "panic"
)

// reasons are all of them but those of a body that does not decode.
func reasons() []string {
	return []string{
		string(reasonMethod), string(reasonPath), string(reasonSize), string(reasonNoToken), string(reasonMalformed), string(reasonAlgorithm),
		string(reasonIssuer), string(reasonAudience), string(reasonExpired), string(reasonNotYetValid), string(reasonTenant),
		string(reasonUnknownKey), string(reasonNoKeys), string(reasonSignature), string(reasonContentType), string(reasonBody),
		string(reasonDecode), string(reasonJoinings), string(reasonTenantDiffer), string(reasonForbidden), string(reasonBusy),
		string(reasonReceiver), string(reasonPanic),
	}
}

// A reply is what a request is answered with.
type reply struct {
	status  int
	reason  reason // empty: handed over
	text    string // one line for people; tells a stranger nothing
	payload []byte // instead of text: JSON
	retry   int    // Retry-After in seconds; 0: none
	// challenge is the WWW-Authenticate header (RFC 6750 §3), for 401.
	challenge string
	err       error // for the log only
}

// refuse is a reply that hands nothing over.
func refuse(status int, why reason, text string) reply {
	return reply{status: status, reason: why, text: text}
}

// unauthorized refuses a token. The sender is a stranger until proven otherwise,
// so all faults look the same from outside; the log and the metric tell them
// apart.
func unauthorized(why reason) reply {
	return reply{
		status: http.StatusUnauthorized, reason: why, text: "invalid token",
		challenge: `Bearer error="invalid_token"`,
	}
}

// unavailable refuses for now: the sender shall come again.
func unavailable(why reason, seconds int, text string, err error) reply {
	return reply{status: http.StatusServiceUnavailable, reason: why, text: text, retry: seconds, err: err}
}

// write sends the reply.
func (a reply) write(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if a.challenge != "" {
		h.Set("WWW-Authenticate", a.challenge)
	}
	if a.retry > 0 {
		h.Set("Retry-After", strconv.Itoa(a.retry))
	}
	body := a.payload
	switch {
	case body != nil:
		h.Set("Content-Type", "application/json; charset=utf-8")
	case a.text != "":
		h.Set("Content-Type", "text/plain; charset=utf-8")
		body = append([]byte(a.text), '\n')
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(a.status)
	_, _ = w.Write(body) // the sender may be gone; what was handed over stays so
}
