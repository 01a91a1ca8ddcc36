package graph

import (
	"bytes"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// The platform's error codes that an administrator can do something about, or
// that mean more than their HTTP status (protocol: cloud communications error
// envelope; the codes are numeric strings).
const (
	codeConsentMissing = "7504"
	codeNotPolicyCall  = "8506"
	codeCallNotFound   = "8522"
	codeNoMediaConfig  = "8523"
)

// failed is the fault of a request that got no reply, or was not even sent.
func failed(err error, receipt recorder.Receipt) *recorder.Fault {
	if _, ok := errors.AsType[*tokenError](err); ok {
		return tokenFault(err)
	}
	return unknown(err, receipt)
}

// page tells whether a success is a web page: something between us and Graph
// has answered in its place.
func page(re reply) bool {
	kind, _, err := mime.ParseMediaType(re.header.Get("Content-Type"))
	return err == nil && kind == "text/html"
}

func aPage(re reply) *recorder.Fault {
	return &recorder.Fault{
		Kind: recorder.FaultUnknown, Message: "a success with a web page instead of an answer", Receipt: re.receipt,
		Remedy: remedyProxy,
	}
}

const remedyProxy = "something between us and Graph answers in its place: check proxy, firewall and endpoints.graph"

// A code is written as a string or as a number.
type code string

// UnmarshalJSON takes both, and nothing for the rest.
func (c *code) UnmarshalJSON(data []byte) error {
	*c = code(strings.Trim(string(data), `"`))
	return nil
}

// unknown is the fault of a request that got no reply, or none that can be
// read: it may have been carried out.
func unknown(err error, receipt recorder.Receipt) *recorder.Fault {
	return &recorder.Fault{Kind: recorder.FaultUnknown, Message: "no reply that can be read", Err: err, Receipt: receipt}
}

// faultOf reads a reply that is no success.
func faultOf(re reply, operation string) *recorder.Fault {
	f := &recorder.Fault{Receipt: re.receipt, RetryAfter: retryAfter(re.header, time.Now())}
	var envelope struct {
		Error struct {
			Code    code   `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	ours := true // Graph's word, and not that of something between us
	if json.Unmarshal(re.body, &envelope) == nil {
		f.Code, f.Message = shorten(string(envelope.Error.Code)), shorten(strings.ToValidUTF8(envelope.Error.Message, "?"))
	} else {
		f.Message = "the reply is not JSON" // often a proxy's HTML page
		ours = json.Valid(re.body) || len(bytes.TrimSpace(re.body)) == 0
	}
	f.Kind = kindOf(re.status, f.Code, ours)
	explain(f)
	if !ours && f.Kind == recorder.FaultUnknown && re.status < 500 {
		f.Remedy = remedyProxy
	}
	if f.Kind == recorder.FaultGone {
		f.Cause = recorder.CauseCallGone
		if operation == opAnswer { // after five seconds the platform forgets the call
			f.Cause = recorder.CauseAnswerTooLate
		}
	}
	return f
}

// kindOf sorts a reply that is no success. That a call is gone ends its
// recording, so it is believed of Graph alone: a proxy's or a load balancer's
// page of 404 says nothing about the call.
func kindOf(status int, code string, ours bool) recorder.FaultKind {
	switch {
	case code == codeCallNotFound:
		return recorder.FaultGone
	case status == http.StatusNotFound, status == http.StatusGone:
		if !ours {
			return recorder.FaultUnknown
		}
		return recorder.FaultGone
	case status == http.StatusTooManyRequests:
		return recorder.FaultThrottled
	case status >= 500, status == http.StatusRequestTimeout, status < 400:
		return recorder.FaultUnknown
	}
	return recorder.FaultRefused
}

// explain says what an administrator must do.
func explain(f *recorder.Fault) {
	switch f.Code {
	case codeConsentMissing:
		f.Cause = recorder.CauseConsentMissing
		f.Remedy = "have an administrator of the call's tenant consent to Calls.AccessMedia.All and Calls.JoinGroupCall.All of this application"
	case codeNotPolicyCall:
		f.Cause = recorder.CauseNotPolicyCall
		f.Remedy = "the bot was not invited by a recording policy: assign the policy to the user with Grant-CsTeamsComplianceRecordingPolicy, and make no other calls to this bot"
	case codeCallNotFound:
		f.Remedy = "none if the call has ended; after an invite, the answer came later than 5 s: host the bot near its users"
	case codeNoMediaConfig:
		f.Cause = recorder.CauseAnswerRefused
		f.Remedy = "the media host gave no blob that Teams takes: check its version, certificate and public address"
	default: // the code, such as InvalidAuthenticationToken, says less than the status
		if f.Receipt.HTTPStatus == http.StatusUnauthorized || f.Receipt.HTTPStatus == http.StatusForbidden {
			f.Remedy = "check the application's credential, its permissions Calls.AccessMedia.All and Calls.JoinGroupCall.All, and the tenant's consent"
		}
	}
}
