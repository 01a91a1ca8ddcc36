package callbacks

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/recorderbot/recorderbot/internal/graph"
)

// Path is where the platform sends invites and notifications.
const Path = "/api/calls"

// DefaultOpenIDConfiguration is where the calling service of the public cloud
// publishes its keys. No source is known for the other clouds.
const DefaultOpenIDConfiguration = "https://api.aps.skype.com/v1/.well-known/OpenIdConfiguration"

// DefaultMaxBody bounds a request's body, in bytes: a whole roster of a meeting of a
// thousand has one megabyte and more.
const DefaultMaxBody = 4 << 20

// DefaultIssuers returns the issuers that Microsoft's own samples accept.
func DefaultIssuers() []string {
	return []string{"https://graph.microsoft.com", "https://api.botframework.com"}
}

// Errors by which a [Receiver] turns notifications down.
var (
	// ErrBusy: no room at the moment. The sender is told to come again (503).
	ErrBusy = errors.New("callbacks: no room for the notifications")
	// ErrForbidden: a notification speaks of a call that belongs to another
	// tenant than the caller's: the token is not valid for it (401).
	ErrForbidden = errors.New("callbacks: the call belongs to another tenant")
)

// A Receiver takes notifications. Its methods are called concurrently, return
// soon (they queue, they do not work), and are given a context with a short
// deadline that does not end when the sender goes away: what has arrived is
// ours. Notifications come as they were sent: duplicated, reordered, late.
type Receiver interface {
	// Receive takes all of ns or none. nil means that they are handed over; an
	// error other than ErrBusy and ErrForbidden is our own failure (503). It may
	// see the same notifications again after an error.
	Receive(ctx context.Context, from Caller, ns []graph.Notification) error
	// Joining decides whether one more participant joins a call that is being
	// recorded, and returns the JSON to reply with. The platform repeats it, so
	// it is idempotent.
	Joining(ctx context.Context, from Caller, n graph.Notification) (reply []byte, err error)
}

// Options make a [Server]. AppID, Tenants and Receiver are required.
type Options struct {
	AppID   string   // the bot's application ID: the audience of tokens
	Tenants []string // tenants whose calls are recorded here
	// OpenIDConfigurationURL is where the keys are found; https only.
	// Default: DefaultOpenIDConfiguration.
	OpenIDConfigurationURL string
	Issuers                []string       // default: DefaultIssuers
	CA                     *x509.CertPool // trusted for the keys; nil: the system's
	Receiver               Receiver
	MaxBody                int64                 // bytes; default: DefaultMaxBody
	Registerer             prometheus.Registerer // nil: unregistered
	Log                    *zap.Logger           // nil: silent
}

func (o *Options) complete() error {
	var faults []error
	if strings.TrimSpace(o.AppID) == "" {
		faults = append(faults, errors.New("no application ID: without it any bot's token would do"))
	}
	if len(o.Tenants) == 0 {
		faults = append(faults, errors.New("no tenants: list those whose calls are recorded"))
	}
	for _, t := range o.Tenants {
		if strings.TrimSpace(t) == "" {
			faults = append(faults, errors.New("an empty tenant ID in the list of tenants"))
		}
	}
	if o.Receiver == nil {
		faults = append(faults, errors.New("no receiver"))
	}
	if o.OpenIDConfigurationURL == "" {
		o.OpenIDConfigurationURL = DefaultOpenIDConfiguration
	}
	if err := checkURL(o.OpenIDConfigurationURL); err != nil {
		faults = append(faults, fmt.Errorf("OpenID configuration: %w", err))
	}
	if len(o.Issuers) == 0 {
		o.Issuers = DefaultIssuers()
	}
	if o.MaxBody <= 0 {
		o.MaxBody = DefaultMaxBody
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	return errors.Join(faults...)
}

// A Server verifies, decodes and hands over what the platform sends. It is
// safe for concurrent use.
type Server struct {
	options  Options
	receiver Receiver
	source   *source
	keys     *keySet
	verifier *verifier
	m        *metrics
	log      *zap.Logger
	handler  http.Handler
}

// New checks the options, all faults at once, and makes a Server. It touches
// no network; Run does.
func New(o Options) (*Server, error) {
	if err := o.complete(); err != nil {
		return nil, fmt.Errorf("callbacks: %w", err)
	}
	s := &Server{
		options: o, receiver: o.Receiver, m: newMetrics(o.Registerer), log: o.Log,
		source: newSource(o.OpenIDConfigurationURL, o.CA),
	}
	s.keys = newKeySet(s.source.keys, s.m, s.log)
	s.verifier = newVerifier(o.AppID, o.Issuers, o.Tenants, s.keys, s.m)
	s.handler = s.routes()
	return s, nil
}

// Run reads the platform's keys and keeps them fresh until ctx ends. It returns
// nil, and only then: a failed read is logged, counted and tried again. Stop it
// after the last request has been served.
func (s *Server) Run(ctx context.Context) error {
	defer s.source.close()
	s.keys.run(ctx)
	return nil
}

// Ready says why the server cannot verify tokens, or nil. Keys that could not
// be refreshed still count: Teams' tokens are signed with them until it rotates.
func (s *Server) Ready() error {
	if s.keys.current.Load() != nil {
		return nil
	}
	err := s.keys.fault()
	if err == nil {
		err = errors.New("not read yet")
	}
	return fmt.Errorf("callbacks: no signing keys of the platform, so every notification is turned away; "+
		"check that %s can be reached from here and that its certificate is trusted: %w",
		s.options.OpenIDConfigurationURL, err)
}

// Handler returns the whole surface: POST Path.
func (s *Server) Handler() http.Handler { return s.handler }

func (s *Server) routes() http.Handler {
	r := chi.NewRouter()
	r.NotFound(s.serve(func(*exchange) reply {
		return refuse(http.StatusNotFound, reasonPath, "not found")
	}))
	r.MethodNotAllowed(s.serve(func(x *exchange) reply {
		x.w.Header().Set("Allow", http.MethodPost)
		return refuse(http.StatusMethodNotAllowed, reasonMethod, "only POST is served here")
	}))
	r.Post(Path, s.serve(s.post))
	return r
}
