package teamsim

import (
	"crypto/tls"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/recorderbot/recorderbot/internal/teamsim/cloud"
	"github.com/recorderbot/recorderbot/internal/teamsim/host"
	"github.com/recorderbot/recorderbot/internal/teamsim/trace"
)

// AppID is the simulated bot's application ID.
const AppID = "0efc74f7-41c3-47a4-8775-7259bfef4241"

// TenantID is the n-th simulated tenant, from 0.
func TenantID(n int) string { return fmt.Sprintf("932899f8-2ea1-4604-8413-%012d", n) }

// Options of a simulation that are not part of the scenario.
type Options struct {
	// Dir is an empty folder for certificates and the bot's configuration.
	Dir string
	// CloudAddr is where the cloud listens; default 127.0.0.1:0.
	CloudAddr string
	// Log may be nil.
	Log *zap.Logger
}

// A Sim is one running simulation: a cloud and its media hosts.
type Sim struct {
	Scenario Scenario
	PKI      *PKI
	Cloud    *cloud.Cloud
	Hosts    []*host.Host
	Trace    *trace.Log

	dir     string
	tenants []string
	log     *zap.Logger
}

// Start brings up a cloud and its media hosts. The caller must Close them.
func Start(s Scenario, o Options) (_ *Sim, err error) {
	s.complete()
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("start the simulation %q: %w", s.Name, err)
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("start the simulation: %w", err)
	}
	pki, err := WritePKI(filepath.Join(dir, "tls"))
	if err != nil {
		return nil, err
	}
	sim := &Sim{Scenario: s, PKI: pki, Trace: trace.New(), dir: dir, log: o.Log}
	defer func() {
		if err != nil {
			err = errors.Join(err, sim.Close())
		}
	}()
	for n := range s.Tenants {
		sim.tenants = append(sim.tenants, TenantID(n))
	}
	if err := sim.startHosts(); err != nil {
		return nil, err
	}
	return sim, sim.startCloud(o)
}

func (s *Sim) startHosts() error {
	for n := range s.Scenario.Media.Hosts {
		h, err := host.New(host.Options{
			ID: fmt.Sprintf("mediahost-%d", n),
			TLS: &tls.Config{
				Certificates: []tls.Certificate{s.PKI.Host},
				ClientAuth:   tls.RequireAndVerifyClientCert,
				ClientCAs:    s.PKI.Roots,
				MinVersion:   tls.VersionTLS13,
			},
			Trace:  s.Trace,
			Seed:   int64(s.Scenario.Seed), //nolint:gosec // bits only
			Speed:  s.Scenario.Media.Speed,
			Jitter: s.Scenario.Media.Jitter,
			Faults: s.Scenario.Media.Faults,
		})
		if err != nil {
			return fmt.Errorf("start the simulation: %w", err)
		}
		s.Hosts = append(s.Hosts, h)
	}
	return nil
}

func (s *Sim) startCloud(o Options) (err error) {
	t := s.Scenario.Timing
	options := cloud.Options{
		AppID:                 AppID,
		Tenants:               s.tenants,
		Secret:                s.PKI.Secret,
		Addr:                  o.CloudAddr,
		TLS:                   s.PKI.Cloud,
		BotCA:                 s.PKI.Roots,
		Media:                 fleet{s.Hosts, nil},
		Trace:                 s.Trace,
		Seed:                  s.Scenario.Seed,
		Faults:                s.Scenario.Faults,
		AnswerWithin:          t.AnswerWithin,
		KeepAliveWindow:       t.KeepAliveWindow,
		AccessTokenLifetime:   t.AccessTokenLifetime,
		CallbackTokenLifetime: t.CallbackTokenLifetime,
		RefuseEarlyStatus:     s.Scenario.RefuseEarlyStatus,
		Log:                   o.Log,
	}
	// Only the credential that the bot is given is registered.
	if s.Scenario.Credential == "certificate" {
		options.Secret, options.Certificate = "", s.PKI.Credential
	}
	s.Cloud, err = cloud.New(options)
	return err
}

// Close ends calls, cloud and hosts at once.
func (s *Sim) Close() error {
	var err error
	if s.Cloud != nil {
		err = s.Cloud.Close()
	}
	for _, h := range s.Hosts {
		h.Close()
	}
	return err
}

// Sessions returns the truth about every media session, by creation.
func (s *Sim) Sessions() []host.SessionRecord {
	var all []host.SessionRecord
	for _, h := range s.Hosts {
		all = append(all, h.Records()...)
	}
	slices.SortStableFunc(all, func(a, b host.SessionRecord) int { return a.Created.Compare(b.Created) })
	return all
}

// A fleet finds the host that a blob names. It implements cloud.Media.
type fleet struct {
	hosts  []*host.Host
	faults []host.Fault // injected when a session is connected
}

func (f fleet) of(blob string) (*host.Host, error) {
	b, err := host.ParseBlob(blob)
	if err != nil {
		return nil, err
	}
	for _, h := range f.hosts {
		if h.ID() == b.Host {
			return h, nil
		}
	}
	return nil, fmt.Errorf("the blob names host %q, which does not exist", b.Host)
}

// Connect lets media flow, after the faults of the call's script are in place.
func (f fleet) Connect(blob string) error {
	h, err := f.of(blob)
	if err != nil {
		return err
	}
	if len(f.faults) > 0 {
		if err := h.Inject(blob, f.faults...); err != nil {
			return err
		}
	}
	return h.Connect(blob)
}

// Disconnect ends the media; a session that is gone has none.
func (f fleet) Disconnect(blob string) {
	if h, err := f.of(blob); err == nil {
		h.Disconnect(blob)
	}
}

// settled waits until every session that was connected is disposed of, or the
// scenario's patience ends.
func (s *Sim) settled(until <-chan time.Time, stop <-chan struct{}) {
	check := time.NewTicker(20 * time.Millisecond)
	defer check.Stop()
	for {
		open := slices.ContainsFunc(s.Sessions(), func(r host.SessionRecord) bool {
			return r.Closed.IsZero() && !r.Connected.IsZero()
		})
		if !open {
			return
		}
		select {
		case <-check.C:
		case <-until:
			return
		case <-stop:
			return
		}
	}
}
