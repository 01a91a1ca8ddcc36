package cloud

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/recorderbot/recorderbot/internal/teamsim/trace"
)

const (
	openIDPath = "/v1/.well-known/OpenIdConfiguration"
	keysPath   = "/v1/.well-known/keys"
	callsPath  = "/v1.0/communications/calls/"
)

// A Cloud is one running simulated Microsoft. All methods are safe for
// concurrent use.
type Cloud struct {
	opts      Options
	listener  net.Listener
	server    *http.Server
	client    *http.Client
	keys      *keyRing
	accessKey *ecdsa.PrivateKey
	tokens    tokenCache
	access    accessCache
	script    *script
	stats     stats

	// ctx ends at Close and with it every call's goroutine; work waits for them.
	ctx    context.Context
	cancel context.CancelCauseFunc
	work   sync.WaitGroup

	webhook atomic.Pointer[string]

	mu     sync.Mutex
	calls  map[string]*Call    // by canonical ID, also ended ones
	used   map[string]struct{} // jti of client assertions
	placed int                 // calls that took their number from here
	closed bool
}

// stats counts what is no violation but worth knowing.
type stats struct {
	withoutRequestID, withoutScenario, requests, notifications, retried atomic.Int64
}

// Stats are the counts of a run.
type Stats struct {
	// Requests to Graph; those without client-request-id; those without
	// Scenario-Id.
	Requests, WithoutClientRequestID, WithoutScenarioID int64
	// Notifications sent, with repetitions; Retried of them because the bot did
	// not take the first.
	Notifications, Retried int64
}

var errClosed = errors.New("the simulated cloud is closed")

// New starts a cloud. The caller must Close it.
func New(o Options) (*Cloud, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("start the simulated cloud: %w", err)
	}
	c := &Cloud{
		opts:   o,
		tokens: tokenCache{tokens: make(map[string]cachedToken)},
		access: accessCache{tokens: make(map[string]accessClaims)},
		script: newScript(o.Faults),
		calls:  make(map[string]*Call),
		used:   make(map[string]struct{}),
	}
	c.SetWebhook(o.Webhook)
	if c.keys, err = newKeyRing(o.SigningKey); err != nil {
		return nil, err
	}
	// Access tokens are opaque to a bot: any algorithm will do.
	if c.accessKey, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, fmt.Errorf("start the simulated cloud: %w", err)
	}
	if c.listener, err = (&net.ListenConfig{}).Listen(context.Background(), "tcp", o.Addr); err != nil {
		return nil, fmt.Errorf("start the simulated cloud: %w", err)
	}
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	c.client = &http.Client{
		Transport: &http.Transport{
			TLSClientConfig:     &tls.Config{RootCAs: o.BotCA, MinVersion: tls.VersionTLS12},
			MaxIdleConnsPerHost: 64,
			IdleConnTimeout:     30 * time.Second,
		},
		// The service follows a redirection of an invite by itself; here it is
		// left to the caller to see it.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	c.server = &http.Server{
		Handler:           c,
		ReadHeaderTimeout: 10 * time.Second,
		TLSConfig: &tls.Config{
			Certificates: []tls.Certificate{o.TLS},
			MinVersion:   tls.VersionTLS12,
			NextProtos:   []string{"h2", "http/1.1"},
		},
		ErrorLog: zap.NewStdLog(o.Log),
	}
	c.work.Go(func() { _ = c.server.ServeTLS(c.listener, "", "") })
	return c, nil
}

// Close ends all calls at once and the server with them.
func (c *Cloud) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.cancel(errClosed)
	err := c.server.Close()
	c.work.Wait()
	c.client.CloseIdleConnections()
	if err != nil {
		return fmt.Errorf("close the simulated cloud: %w", err)
	}
	return nil
}

// Root is https://host:port: root of Graph and of the authority, without
// version and tenant.
func (c *Cloud) Root() string { return "https://" + c.listener.Addr().String() }

// OpenIDConfigurationURL is that of the calling service's keys.
func (c *Cloud) OpenIDConfigurationURL() string { return c.Root() + openIDPath }

// Trace returns the log of what was seen and sent.
func (c *Cloud) Trace() *trace.Log { return c.opts.Trace }

// SetWebhook says where invites go from now on.
func (c *Cloud) SetWebhook(url string) { c.webhook.Store(&url) }

// Webhook is where invites go.
func (c *Cloud) Webhook() string { return *c.webhook.Load() }

// AddFault puts a fault behind those of Options.
func (c *Cloud) AddFault(f Fault) error {
	if err := f.check(); err != nil {
		return fmt.Errorf("add a fault: %w", err)
	}
	c.script.add(f)
	return nil
}

// Stats returns the counts so far.
func (c *Cloud) Stats() Stats {
	return Stats{
		Requests:               c.stats.requests.Load(),
		WithoutClientRequestID: c.stats.withoutRequestID.Load(),
		WithoutScenarioID:      c.stats.withoutScenario.Load(),
		Notifications:          c.stats.notifications.Load(),
		Retried:                c.stats.retried.Load(),
	}
}

// Calls returns the facts of all calls placed so far, in order of their
// numbers.
func (c *Cloud) Calls() []Facts {
	c.mu.Lock()
	calls := make([]*Call, 0, len(c.calls))
	for _, call := range c.calls {
		calls = append(calls, call)
	}
	c.mu.Unlock()
	return sortedFacts(calls)
}

// ServeHTTP implements http.Handler: OpenID, authority and Graph by path.
func (c *Cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch path := r.URL.Path; {
	case path == openIDPath || path == keysPath:
		if r.Method != http.MethodGet {
			c.refusePath(w, r, http.StatusMethodNotAllowed, "keys are read with GET only")
			return
		}
		if path == openIDPath {
			c.handleOpenID(w, r)
		} else {
			c.handleKeys(w, r)
		}
	case strings.HasPrefix(path, callsPath):
		c.handleGraph(w, r)
	default:
		tenant, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
		if _, err := uuid.Parse(tenant); err != nil {
			c.refusePath(w, r, http.StatusNotFound, "no such path")
			return
		}
		c.handleAuthority(w, r, strings.ToLower(tenant), rest)
	}
}

// refusePath refuses a request that is documented nowhere.
func (c *Cloud) refusePath(w http.ResponseWriter, r *http.Request, status int, why string) {
	c.violate("", fmt.Sprintf("%s %s: %s", r.Method, r.URL.Path, why))
	writeError(w, r, status, http.StatusText(status), why)
}

func (c *Cloud) trace(e trace.Event) trace.Event { return c.opts.Trace.Add(e) }

func (c *Cloud) violate(call, detail string) {
	c.trace(trace.Event{Kind: trace.Violation, Call: call, Detail: detail})
	c.opts.Log.Warn("violation", zap.String("call", call), zap.String("detail", detail))
}

// firstUse remembers a client assertion's ID.
func (c *Cloud) firstUse(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.used[id]; ok {
		return false
	}
	c.used[id] = struct{}{}
	return true
}

// wait pauses for d, or until ctx ends.
func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
