package console

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/recorderbot/recorderbot/internal/catalogue"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// Recorder is what is commanded. recorder.Registry is one.
type Recorder interface {
	Calls() []recorder.View // those invited first first
	View(id recorder.CallID) (recorder.View, bool)
	// Pause, Resume and Stop return once the order is carried out. Their errors:
	// recorder.ErrUnknownCall, recorder.ErrConflict, recorder.ErrNotGiven, and, where the order stands
	// and its end is not known yet, that of ctx.
	Pause(ctx context.Context, id recorder.CallID) (recorder.View, error)
	Resume(ctx context.Context, id recorder.CallID) (recorder.View, error)
	Stop(ctx context.Context, id recorder.CallID) (recorder.View, error)
	// Drain refuses new calls from here on.
	Drain()
	Draining() bool
	Live() int
}

// Auditor keeps what was asked. Audit returns when the entry is durable.
type Auditor interface {
	Audit(ctx context.Context, e catalogue.AuditEntry) error
}

// The limits of a request.
const (
	// pollEvery is how soon a changed file of tokens or authorities is noticed.
	pollEvery = 2 * time.Second
	auditTime = 5 * time.Second
	// DefaultActTime is how long a request waits for its order to be carried out.
	DefaultActTime = 25 * time.Second
	// ReplyTime is what an http.Server has to allow from the end of the headers to
	// the end of the reply: body, audit, act, audit.
	ReplyTime = 2*auditTime + DefaultActTime + 15*time.Second
	// mostCalls bounds a list.
	mostCalls = 10_000
)

// Options make a [Server]. Recorder, Auditor and at least one identity are
// required.
type Options struct {
	Recorder     Recorder
	Auditor      Auditor
	Tokens       []Token
	ClientCAFile string // signs the certificates of Clients
	Clients      []Client
	// Reasons says what keeps the process from taking calls. nil: nothing.
	Reasons    func() []string
	Version    string
	ActTime    time.Duration         // default: DefaultActTime
	Registerer prometheus.Registerer // nil: unregistered
	Log        *zap.Logger           // nil: silent
}

func (o *Options) complete() error {
	var faults []error
	if o.Recorder == nil || o.Auditor == nil {
		faults = append(faults, errors.New("no recorder or no auditor"))
	}
	if len(o.Tokens) == 0 && len(o.Clients) == 0 {
		faults = append(faults, errors.New("neither tokens nor clients: nobody could use it"))
	}
	if (len(o.Clients) > 0) != (o.ClientCAFile != "") {
		faults = append(faults, errors.New("clients need an authority, and an authority clients"))
	}
	if o.Reasons == nil {
		o.Reasons = func() []string { return nil }
	}
	if o.ActTime <= 0 {
		o.ActTime = DefaultActTime
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	return errors.Join(faults...)
}

// A Server is the console's surface. It is safe for concurrent use.
type Server struct {
	options   Options
	keyring   *keyring
	authority *authority
	peers     *peers
	origin    *http.CrossOriginProtection
	m         *metrics
	log       *zap.Logger
	routes    *chi.Mux
}

// New checks the options and reads the tokens. A token that can't be read lets
// nobody in, and is looked for again: it stops nothing else.
func New(o Options) (*Server, error) {
	if err := o.complete(); err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	s := &Server{
		options: o, keyring: newKeyring(o.Tokens, o.Log), authority: newAuthority(o.ClientCAFile, o.Clients, o.Log),
		peers: newPeers(), origin: http.NewCrossOriginProtection(), m: newMetrics(o.Registerer), log: o.Log,
	}
	s.routes = s.router()
	return s, nil
}

// Run notices changed tokens and authorities until ctx ends, and returns nil.
func (s *Server) Run(ctx context.Context) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.keyring.poll()
			s.authority.poll()
		case <-ctx.Done():
			return nil
		}
	}
}

// TLS returns the listener's configuration, with what clients' certificates need.
func (s *Server) TLS(certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)) *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS13, GetCertificate: certificate, NextProtos: []string{"h2", "http/1.1"}}
	s.authority.ask(c)
	return c
}

// Handler returns the whole surface.
func (s *Server) Handler() http.Handler { return s.routes }

func (s *Server) router() *chi.Mux {
	r := chi.NewRouter()
	r.Use(s.guarded)
	r.NotFound(s.serve(func(*exchange) reply {
		return refuse(http.StatusNotFound, outcomeNotFound, "there is no such path", "the paths are in README.md, under Operating")
	}))
	r.MethodNotAllowed(s.serve(func(x *exchange) reply {
		a := refuse(http.StatusMethodNotAllowed, outcomeMethod, "the path does not take this method", "use the method that Allow names")
		a.allow = allowed(r, x.r.URL.EscapedPath())
		return a
	}))
	r.Get(Root+"/calls", s.action(actionList, s.list))
	r.Get(Root+"/calls/{id}", s.action(actionShow, s.show))
	r.Get(Root+"/status", s.action(actionStatus, s.status))
	r.Post(Root+"/calls/{id}/pause", s.action(actionPause, s.order(Recorder.Pause)))
	r.Post(Root+"/calls/{id}/resume", s.action(actionResume, s.order(Recorder.Resume)))
	r.Post(Root+"/calls/{id}/stop", s.action(actionStop, s.order(Recorder.Stop)))
	r.Post(Root+"/drain", s.action(actionDrain, s.drain))
	return r
}

// allowed is the method that a path takes: each has one.
func allowed(r *chi.Mux, path string) string {
	if r.Match(chi.NewRouteContext(), http.MethodGet, path) {
		return http.MethodGet
	}
	return http.MethodPost
}
