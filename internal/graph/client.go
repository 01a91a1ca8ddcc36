package graph

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// maxReply bounds the body of a reply. Rosters are the largest.
const maxReply = 4 << 20

// Options are what a Client needs.
type Options struct {
	Cloud     string // see CloudEndpoints
	Root      string // overrides the cloud's Graph root: https://host:port
	Authority string // overrides the cloud's authority root
	AppID     string
	Credential
	// CallbackURI is where the platform sends what follows an invite; https.
	CallbackURI         string
	Modalities          []string       // of the answer; default audio
	ParticipantCapacity int            // of the answer; 0 or 1: no grouping
	CA                  *x509.CertPool // nil: the system's
	Registerer          prometheus.Registerer
	Log                 *zap.Logger
	UserAgent           string
}

// A Client makes the requests that calls need. It implements
// recorder.Platform, and is safe for concurrent use.
type Client struct {
	opts    Options
	base    string // root and version
	http    *http.Client
	tokens  *tokens
	metrics *metrics
	log     *zap.Logger

	refused refusals // of announcements, for their tokens
}

var _ recorder.Platform = (*Client)(nil)

// New checks the options and returns a client. It makes no request.
func New(o Options) (*Client, error) {
	c, err := CloudEndpoints(o.Cloud)
	if err != nil {
		return nil, err
	}
	if o.Root == "" {
		o.Root = c.Graph
	}
	if o.Authority == "" {
		o.Authority = c.Authority
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if len(o.Modalities) == 0 {
		o.Modalities = []string{"audio"}
	}
	var faults []error
	for name, root := range map[string]string{"graph root": o.Root, "authority": o.Authority, "callback URI": o.CallbackURI} {
		if u, fault := url.Parse(root); fault != nil || u.Scheme != "https" || u.Host == "" {
			faults = append(faults, fmt.Errorf("graph: the %s %q is not an https URL", name, root))
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	o.Root, o.Authority = strings.TrimSuffix(o.Root, "/"), strings.TrimSuffix(o.Authority, "/")
	// A redirect is never followed: it would send an announcement or our secret
	// a second time, and take a stranger's word for Graph's.
	client := &http.Client{
		Transport:     bounded{transport(o.CA)},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	m := newMetrics(o.Registerer)
	t, err := newTokens(o, client, m)
	if err != nil {
		return nil, err
	}
	return &Client{opts: o, base: o.Root + "/v1.0/communications/calls/", http: client, tokens: t, metrics: m, log: o.Log}, nil
}

func transport(ca *x509.CertPool) *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: ca},
		ForceAttemptHTTP2:   true,
		MaxIdleConns:        256,
		MaxIdleConnsPerHost: 128,
		IdleConnTimeout:     90 * time.Second,
		TLSHandshakeTimeout: 4 * time.Second,
		// All calls share a connection. One that stands and is dead (a NAT forgot
		// it) is noticed before an answer's five seconds are over.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 1500 * time.Millisecond, PingTimeout: time.Second},
	}
}

// bounded bounds what is read of any reply: MSAL reads them whole.
type bounded struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(resp.Body, maxReply+1), resp.Body}
	return resp, nil
}

// A request is one kind of request to a call.
type request struct {
	operation string // metric label
	method    string
	path      string // after the call's ID, with a slash; empty: the call itself
	page      string // a whole URL instead: a list's next page
	body      any
	repeat    bool // 429, 503 and 504 may be asked again here
	few       bool // but not often: who asks will ask again
	limit     time.Duration
}

// A reply is what came back, read whole.
type reply struct {
	status  int
	header  http.Header
	body    []byte
	receipt recorder.Receipt
	token   string // what the request carried
}

// send makes a request, and makes it again where the request's class and time
// allow. The error is a *recorder.Fault.
func (c *Client) send(ctx context.Context, call recorder.CallRef, r request) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, r.limit)
	defer cancel()
	retry := newRetry(r.few)
	refreshed := false
	for {
		re, err := c.once(ctx, call, r)
		var fault *recorder.Fault
		switch {
		case err != nil:
			fault = failed(err, re.receipt)
		case re.status/100 == 2:
			if page(re) {
				return re, aPage(re)
			}
			if !r.repeat {
				c.refused.forget(call.ID)
			}
			return re, nil
		case re.status == http.StatusUnauthorized:
			// The token was fine by its own dates and is refused. Nothing was
			// carried out: another token may do, but not a third.
			c.tokens.drop(call.Tenant, re.token)
			if r.repeat && !refreshed {
				refreshed = true
				continue
			}
			fault = faultOf(re, r.operation)
			if !r.repeat && c.refused.first(call.ID, time.Now()) {
				fault.Kind = recorder.FaultThrottled
			}
		default:
			fault = faultOf(re, r.operation)
		}
		if !r.repeat || !again(re.status) {
			return re, fault
		}
		if !retry.wait(ctx, fault.RetryAfter) {
			return re, fault
		}
	}
}

// again says whether a status means that asking again later may help, and
// that nothing was carried out.
func again(status int) bool {
	switch status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

func (c *Client) once(ctx context.Context, call recorder.CallRef, r request) (reply, error) {
	token, err := c.tokens.get(ctx, call.Tenant)
	if err != nil {
		return reply{}, err
	}
	req, err := c.build(ctx, call, r, token)
	if err != nil {
		return reply{}, err
	}
	re := reply{token: token, receipt: recorder.Receipt{ClientRequestID: req.Header.Get("client-request-id"), SentAt: time.Now()}}
	resp, err := c.http.Do(req)
	re.receipt.RepliedAt = time.Now()
	code := codeNoReply
	defer func() { c.metrics.request(r.operation, code, re.receipt) }()
	if err != nil {
		return re, err
	}
	defer func() { _ = resp.Body.Close() }()
	code = fmt.Sprint(resp.StatusCode)
	re.status, re.header = resp.StatusCode, resp.Header
	re.receipt = receiptOf(resp, re.receipt)
	re.body, err = io.ReadAll(io.LimitReader(resp.Body, maxReply+1))
	re.receipt.RepliedAt = time.Now()
	switch {
	case err != nil:
		return re, fmt.Errorf("read the reply: %w", err)
	case len(re.body) > maxReply:
		return re, fmt.Errorf("the reply has more than %d bytes", maxReply)
	}
	return re, nil
}

func (c *Client) build(ctx context.Context, call recorder.CallRef, r request, token string) (*http.Request, error) {
	var body io.Reader = http.NoBody
	if r.body != nil {
		data, err := json.Marshal(r.body)
		if err != nil {
			return nil, fmt.Errorf("write the request: %w", err)
		}
		body = bytes.NewReader(data)
	}
	id := call.Platform
	if id == "" {
		id = string(call.ID)
	}
	address := c.base + url.PathEscape(id) + r.path
	if r.page != "" {
		address = r.page
	}
	req, err := http.NewRequestWithContext(ctx, r.method, address, body)
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	h := req.Header
	h.Set("Authorization", "Bearer "+token)
	h.Set("Accept", "application/json")
	h.Set("client-request-id", uuid.NewString())
	h.Set("Scenario-Id", scenarioOf(call.Scenario, id))
	if c.opts.UserAgent != "" {
		h.Set("User-Agent", c.opts.UserAgent)
	}
	if r.body != nil {
		h.Set("Content-Type", "application/json")
	}
	return req, nil
}

func receiptOf(resp *http.Response, sent recorder.Receipt) recorder.Receipt {
	sent.HTTPStatus = resp.StatusCode
	sent.RequestID = shorten(resp.Header.Get("request-id"))
	sent.ScenarioID = shorten(resp.Header.Get("scenario-id"))
	sent.Location = shorten(resp.Header.Get("Location"))
	sent.Date = shorten(resp.Header.Get("Date"))
	if id := resp.Header.Get("client-request-id"); id != "" {
		sent.ClientRequestID = shorten(id)
	}
	return sent
}
