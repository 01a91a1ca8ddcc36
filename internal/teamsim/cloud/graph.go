package cloud

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/recorderbot/recorderbot/internal/teamsim/trace"
)

// Graph's error codes, as seen in public reports.
const (
	codeNoToken     = "InvalidAuthenticationToken"
	codeBadRequest  = "8500"
	codeTooEarly    = "8501"
	codeNotPolicy   = "8506"
	codeCallUnknown = "8522"
	codeNoMedia     = "8523"
	codeNoConsent   = "7504"
)

// A request is one authorised, well-formed request to a call.
type request struct {
	op   Op
	call *Call
	// rest is what follows the operation's name in the path.
	rest  string
	fault *Fault

	answer answerRequest
	status statusRequest
	reason string
}

// A refusalError is an error that becomes Graph's error envelope.
type refusalError struct {
	status  int
	code    string
	message string
	// violation: the bot did what is not documented.
	violation bool
}

func (r *refusalError) Error() string { return fmt.Sprintf("%d %s: %s", r.status, r.code, r.message) }

func callUnknown() *refusalError {
	return &refusalError{status: http.StatusNotFound, code: codeCallUnknown, message: "Call not found."}
}

func badRequest(err error) *refusalError {
	code := codeBadRequest
	if errors.Is(err, errMissingMedia) {
		code = codeNoMedia
	}
	return &refusalError{status: http.StatusBadRequest, code: code, message: err.Error(), violation: true}
}

// handleGraph serves /v1.0/communications/calls/{id}…. The order of checks is
// Graph's gateway's: path, method, token, body, call.
func (c *Cloud) handleGraph(w http.ResponseWriter, r *http.Request) {
	c.stats.requests.Add(1)
	if r.Header.Get("client-request-id") == "" {
		c.stats.withoutRequestID.Add(1)
	}
	if r.Header.Get("Scenario-Id") == "" {
		c.stats.withoutScenario.Add(1)
	}
	id, req, err := c.readRequest(w, r)
	if err != nil {
		c.refuse(w, r, id, err)
		return
	}
	req.fault = req.call.script.next(req.op, req.status.status)
	if req.fault == nil {
		req.fault = c.script.next(req.op, req.status.status)
	}
	if req.fault != nil {
		c.trace(trace.Event{Kind: trace.FaultInjected, Call: id, Status: req.status.status, Context: req.status.context, HTTP: req.fault.HTTP, Detail: req.fault.String()})
	}
	switch req.op { //nolint:exhaustive // the others are lookups
	case OpAnswer:
		c.serveAnswer(w, r, req)
	case OpReject:
		c.serveReject(w, r, req)
	case OpStatus:
		c.serveStatus(w, r, req)
	case OpDelete:
		c.serveDelete(w, r, req)
	default:
		c.serveLookup(w, r, req)
	}
}

// readRequest reads and checks everything but the call's state.
func (c *Cloud) readRequest(w http.ResponseWriter, r *http.Request) (string, *request, error) {
	part, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, callsPath), "/")
	id, err := canonical(part)
	if err != nil {
		return "", nil, &refusalError{http.StatusNotFound, codeCallUnknown, err.Error(), true}
	}
	req := &request{}
	if err = req.route(r.Method, rest); err != nil {
		return id, nil, err
	}
	if r.URL.RawQuery != "" {
		return id, nil, badRequest(fmt.Errorf("query %q is not documented for %s", r.URL.RawQuery, req.op))
	}
	tenant, err := c.authorise(r)
	if err != nil {
		return id, nil, &refusalError{http.StatusUnauthorized, codeNoToken, err.Error(), true}
	}
	if err := req.read(w, r); err != nil {
		return id, nil, err
	}
	c.trace(trace.Event{Kind: trace.RequestReceived, Call: id, Status: req.status.status, Context: req.status.context, Detail: string(req.op)})
	c.mu.Lock()
	req.call = c.calls[id]
	c.mu.Unlock()
	if req.call == nil {
		// A call that never was: the bot made it up.
		return id, nil, &refusalError{http.StatusNotFound, codeCallUnknown, "Call not found.", true}
	}
	if tenant != req.call.tenant() {
		return id, nil, &refusalError{http.StatusUnauthorized, codeNoToken, "the token is of tenant " + tenant + ", the call is not", true}
	}
	return id, req, nil
}

// route finds the operation. Graph takes actions with and without their
// namespace; both were seen to work.
func (q *request) route(method, rest string) error {
	name, tail, _ := strings.Cut(strings.TrimPrefix(rest, "microsoft.graph."), "/")
	q.rest = tail
	want := http.MethodPost
	switch name {
	case "answer":
		q.op = OpAnswer
	case "reject":
		q.op = OpReject
	case "updateRecordingStatus":
		q.op = OpStatus
	case "keepAlive":
		q.op = OpKeepAlive
	case "participants":
		q.op, want = OpParticipants, http.MethodGet
	case "operations":
		q.op, want = OpGetOperation, http.MethodGet
	case "":
		q.op, want = OpGetCall, http.MethodGet
		if method == http.MethodDelete {
			q.op, want = OpDelete, http.MethodDelete
		}
	default:
		return &refusalError{http.StatusNotFound, "BadRequest", "Resource not found for the segment '" + name + "'.", true}
	}
	if (tail == "") == (q.op == OpGetOperation) || strings.Contains(tail, "/") {
		return &refusalError{http.StatusNotFound, "BadRequest", "path /" + rest + " is not documented", true}
	}
	if method != want {
		return &refusalError{http.StatusMethodNotAllowed, "Request_BadRequest", fmt.Sprintf("%s takes %s, not %s", q.op, want, method), true}
	}
	return nil
}

// read decodes the body strictly.
func (q *request) read(w http.ResponseWriter, r *http.Request) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	switch {
	case r.Context().Err() != nil:
		// Whoever asks has given the request up: it says nothing, and nothing is done.
		return &refusalError{http.StatusBadRequest, "Request_BadRequest", "the request was given up", false}
	case err != nil:
		return badRequest(fmt.Errorf("read the body: %w", err))
	}
	if q.op != OpAnswer && q.op != OpReject && q.op != OpStatus {
		if len(body) != 0 {
			return badRequest(fmt.Errorf("%s has no request body", q.op))
		}
		return nil
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return &refusalError{http.StatusUnsupportedMediaType, "Request_BadRequest", fmt.Sprintf("content type %q is not application/json", r.Header.Get("Content-Type")), true}
	}
	switch q.op { //nolint:exhaustive // the three that have a body
	case OpAnswer:
		q.answer, err = decodeAnswer(body)
	case OpReject:
		q.reason, err = decodeReject(body)
	default:
		q.status, err = decodeStatus(body)
	}
	if err != nil {
		return badRequest(fmt.Errorf("%s: %w", q.op, err))
	}
	return nil
}

// accessClaims are what Graph reads out of an access token.
type accessClaims struct {
	tenant  string
	expires time.Time
}

// accessCache saves verifying one token thousands of times.
type accessCache struct {
	mu     sync.Mutex
	tokens map[string]accessClaims
}

// authorise verifies the bearer token and returns its tenant.
func (c *Cloud) authorise(r *http.Request) (string, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if token == "" || !strings.EqualFold(scheme, "Bearer") {
		return "", errors.New("access token is empty")
	}
	c.access.mu.Lock()
	known, ok := c.access.tokens[token]
	c.access.mu.Unlock()
	if ok && time.Now().Before(known.expires) {
		return known.tenant, nil
	}
	var claims struct {
		jwt.RegisteredClaims
		Tenant string `json:"tid"`
		App    string `json:"appid"`
	}
	_, err := jwt.ParseWithClaims(token, &claims,
		func(*jwt.Token) (any, error) { return &c.accessKey.PublicKey, nil },
		jwt.WithValidMethods([]string{"ES256"}),
		jwt.WithAudience(c.Root()),
		jwt.WithExpirationRequired())
	if err != nil {
		return "", fmt.Errorf("access token: %w", err)
	}
	if claims.App != c.opts.AppID {
		return "", errors.New("access token of another app")
	}
	c.access.mu.Lock()
	defer c.access.mu.Unlock()
	c.access.tokens[token] = accessClaims{claims.Tenant, claims.ExpiresAt.Time}
	return claims.Tenant, nil
}

// refuse writes Graph's error envelope, and traces what it is a violation.
func (c *Cloud) refuse(w http.ResponseWriter, r *http.Request, call string, err error) {
	var f *refusalError
	if !errors.As(err, &f) {
		f = badRequest(err)
	}
	if f.violation {
		c.violate(call, fmt.Sprintf("%s %s: %s", r.Method, r.URL.Path, f.Error()))
	}
	writeError(w, r, f.status, f.code, f.message)
}

// writeError is the envelope of fixtures/error_400_8523_missing_mediaconfig.
func writeError(w http.ResponseWriter, r *http.Request, status int, code, message string) {
	id := graphHeaders(w, r)
	w.WriteHeader(status)
	_, _ = w.Write(mustJSON(map[string]any{"error": map[string]any{
		"code":    code,
		"message": message,
		"innerError": map[string]any{
			"date":              time.Now().UTC().Format("2006-01-02T15:04:05"),
			"request-id":        id,
			"client-request-id": r.Header.Get("client-request-id"),
		},
	}}))
}

// graphHeaders sets what every reply of Graph carries and returns request-id.
func graphHeaders(w http.ResponseWriter, r *http.Request) string {
	id := uuid.NewString()
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("request-id", id)
	if v := r.Header.Get("client-request-id"); v != "" {
		h.Set("client-request-id", v)
	} else {
		h.Set("client-request-id", id)
	}
	if v := r.Header.Get("Scenario-Id"); v != "" {
		h.Set("scenario-id", v)
	}
	h.Set("x-ms-ags-diagnostic", `{"ServerInfo":{"DataCenter":"Simulated","Slice":"E","Ring":"5","ScaleUnit":"001","RoleInstance":"SIM0000"}}`)
	return id
}

// canonical reads a GUID in any form and returns it dashed, in lower case.
func canonical(id string) (string, error) {
	u, err := uuid.Parse(id)
	if err != nil || len(id) != 36 && len(id) != 32 {
		return "", fmt.Errorf("call ID %q is not a GUID", id)
	}
	return u.String(), nil
}
