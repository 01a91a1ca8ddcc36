package graph

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	msal "github.com/AzureAD/microsoft-authentication-library-for-go/apps/errors"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// A tokenError says why there is no token. It never holds MSAL's own text:
// that quotes replies whole, an access token that could not be read included.
type tokenError struct {
	code   string // AADSTS number, OAuth error code or a word of ours
	final  bool   // asking again is pointless
	cause  recorder.Cause
	remedy string
	err    error // of the transport
}

// Error says what was wrong and what to do.
func (e *tokenError) Error() string {
	s := "graph: no access token (" + e.code + "): " + e.remedy
	if e.err != nil {
		s += ": " + e.err.Error()
	}
	return s
}

// Unwrap returns the transport's error.
func (e *tokenError) Unwrap() error { return e.err }

// tokenFault is the fault of a request that was not sent for want of a token.
func tokenFault(err error) *recorder.Fault {
	f := &recorder.Fault{Kind: recorder.FaultUnknown, Message: "not sent: no access token", Err: err}
	if refused, ok := errors.AsType[*tokenError](err); ok {
		f.Code, f.Cause = refused.code, refused.cause
		if refused.final {
			f.Kind = recorder.FaultRefused
		}
	}
	return f
}

// readTokenError sorts what MSAL says, in our own words.
func readTokenError(err error) error {
	var call msal.CallErr
	var network interface{ Timeout() bool } // net.Error, *url.Error, a context's end
	switch {
	case errors.As(err, &call) && call.Resp != nil:
		return readAuthority(call.Resp)
	case strings.Contains(err.Error(), "does not match authority"):
		return &tokenError{code: "issuer", final: true, remedy: "the authority's OpenID configuration names an issuer on another host: check cloud and endpoints.authority"}
	case errors.As(err, &network):
		return &tokenError{code: "network", err: err, remedy: "the authority can't be reached: check DNS, proxy, firewall and endpoints.authority"}
	}
	return &tokenError{code: "unreadable", remedy: "the authority's reply can't be read: check proxy, firewall and endpoints.authority"}
}

// readAuthority reads an OAuth error (RFC 6749 §5.2) with Entra ID's numbers.
func readAuthority(res *http.Response) error {
	e := &tokenError{code: "http" + strconv.Itoa(res.StatusCode), remedy: "check proxy, firewall and endpoints.authority"}
	var said struct {
		Error string  `json:"error"`
		Codes []int64 `json:"error_codes"`
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, 64<<10)) // from memory: MSAL has read it
	if err != nil || json.Unmarshal(body, &said) != nil || said.Error == "" {
		return e
	}
	e.code, e.remedy = shorten(said.Error), "Entra ID refuses the application: look the code up, and check app.id, app.tenants and app.credential"
	if len(said.Codes) > 0 {
		e.code = "AADSTS" + strconv.FormatInt(said.Codes[0], 10)
		if cause, remedy := aadsts(said.Codes[0]); remedy != "" {
			e.cause, e.remedy = cause, remedy
		}
	}
	passing := said.Error == "temporarily_unavailable" || said.Error == "server_error" || res.StatusCode == http.StatusTooManyRequests
	e.final = !passing && res.StatusCode >= 400 && res.StatusCode < 500
	return e
}

// aadsts says what the most frequent of Entra ID's numbers mean for us (Entra
// ID, "authentication and authorization error codes").
func aadsts(number int64) (recorder.Cause, string) {
	switch number {
	case 700016, 65001, 650052, 7000112:
		return recorder.CauseConsentMissing, "the application is unknown, disabled or without consent in the call's tenant: have its administrator consent"
	case 7000215:
		return "", "the client secret is wrong: put the secret's value, not its ID, into app.credential.secretFile"
	case 7000222:
		return "", "the client secret has expired: make a new one for app.credential.secretFile"
	case 700027, 700030, 700021, 700023, 700024:
		return "", "Entra ID does not take our certificate: upload it to the bot's registration, and check this machine's clock"
	case 90002, 900023, 90027:
		return "", "the call's tenant does not exist in this cloud: check app.tenants and cloud"
	case 53003:
		return "", "Conditional Access blocks the application: exclude it, or allow this machine's address"
	}
	return "", ""
}
