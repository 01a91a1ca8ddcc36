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
	// PKI may be that of an earlier simulation; nil: a new one, in Dir/tls.
	PKI *PKI
	// CloudAddr is where the cloud listens; default 127.0.0.1:0.
	CloudAddr string
	// Outside is what media hosts play in frames that they must not send: before
	// consent and after its end; nil: what they play in the others.
	Outside []int16
	// Log may be nil.
	Log *zap.Logger
}

// A Sim is one running simulation: a cloud and its media hosts.
type Sim struct {
	Scenario Scenario
	PKI      *PKI
	Cloud    *cloud.Cloud
	Hosts    host.Hosts
	Trace    *trace.Log

	// Paired is the webhook of the second bot of a pair, which gets the second invites;
	// empty: there is one bot, which gets both. To be set before Run.
	Paired string

	tenants []string
	log     *zap.Logger
}

// Start brings up a cloud and its media hosts. The caller must Close them.
func Start(s Scenario, o Options) (_ *Sim, err error) {
	s.complete()
	if err = s.check(); err != nil {
		return nil, fmt.Errorf("start the simulation %q: %w", s.Name, err)
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	sim := &Sim{Scenario: s, PKI: o.PKI, Trace: trace.New(), log: o.Log}
	if sim.PKI == nil {
		var dir string
		if dir, err = filepath.Abs(o.Dir); err != nil {
			return nil, fmt.Errorf("start the simulation: %w", err)
		}
		if sim.PKI, err = WritePKI(filepath.Join(dir, "tls")); err != nil {
			return nil, err
		}
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, sim.Close())
		}
	}()
	for n := range s.Tenants {
		sim.tenants = append(sim.tenants, TenantID(n))
	}
	if err := sim.startHosts(o.Outside); err != nil {
		return nil, err
	}
	if err := sim.startCloud(o); err != nil {
		return nil, err
	}
	if err := sim.rehearse(); err != nil {
		return nil, err
	}
	return sim, nil
}

// rehearse checks every script before a call is placed.
func (s *Sim) rehearse() error {
	var faults []error
	nowhere := host.Blob{Host: s.Hosts[0].ID(), Epoch: "none", Session: "none"}.String()
	for i, g := range s.Scenario.Calls {
		st, err := s.rehearsed(&g)
		if err != nil {
			faults = append(faults, fmt.Errorf("scenario %q: calls[%d]: %w", s.Scenario.Name, i, err))
			continue
		}
		if err := s.Hosts.SetCast(nowhere, st.cast); !errors.Is(err, host.ErrNoSession) {
			faults = append(faults, fmt.Errorf("scenario %q: calls[%d]: people: %w", s.Scenario.Name, i, err))
		}
		// A host looks at the faults before it looks for the session.
		if err := s.Hosts.Inject(nowhere, st.faults...); !errors.Is(err, host.ErrNoSession) {
			faults = append(faults, fmt.Errorf("scenario %q: calls[%d]: media: %w", s.Scenario.Name, i, err))
		}
	}
	return errors.Join(faults...)
}

// rehearsed is the stage of a group's calls, with the faults of both of a pair.
func (s *Sim) rehearsed(g *Group) (*stage, error) {
	legs := []Group{*g}
	if g.Pair != nil {
		legs = append(legs, g.second())
	}
	var all *stage
	for i := range legs {
		st, err := s.stage(&legs[i], leg{number: 1 + i, first: 1, second: i == 1})
		if err == nil {
			err = s.Cloud.Check(s.spec(&legs[i], leg{number: 1 + i, first: 1, second: i == 1}, st))
		}
		if err != nil {
			return nil, err
		}
		if all == nil {
			all = st
			continue
		}
		all.faults = slices.Concat(all.faults, st.faults)
	}
	return all, nil
}

func (s *Sim) startHosts(outside []int16) error {
	var canary *host.Audio
	if outside != nil {
		canary = host.NewAudio(outside)
	}
	for n := range s.Scenario.Media.Hosts {
		h, err := host.New(host.Options{
			ID: fmt.Sprintf("mediahost-%d", n),
			TLS: &tls.Config{
				Certificates: []tls.Certificate{s.PKI.Host},
				ClientAuth:   tls.RequireAndVerifyClientCert,
				ClientCAs:    s.PKI.Roots,
				MinVersion:   tls.VersionTLS13,
			},
			Trace:    s.Trace,
			Capacity: s.Scenario.Media.Capacity,
			Seed:     int64(s.Scenario.Seed), //nolint:gosec // bits only
			Speed:    s.Scenario.Media.Speed,
			Jitter:   s.Scenario.Media.Jitter,
			Memory:   s.Scenario.Media.Memory,
			Faults:   s.Scenario.Media.Faults,
			Outside:  canary,

			VideoMemory: s.Scenario.Media.VideoMemory,
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
		Media:                 s.Hosts,
		Trace:                 s.Trace,
		Seed:                  s.Scenario.Seed,
		SigningKey:            s.PKI.Signing,
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
	s.Hosts.Close()
	return err
}

// Sessions returns the truth about every media session, by creation.
func (s *Sim) Sessions() []host.SessionRecord { return s.Hosts.Records() }

// A stage is what a call's media is to be: its faults and who is heard and seen are put
// in place before it flows.
type stage struct {
	host.Hosts
	faults []host.Fault
	cast   host.Cast
	people []Person
	begun  chan time.Time // when the media began; capacity 1
}

// A leg is one call of a group, with what it has from others.
type leg struct {
	number int // its own
	first  int // of the group's first call
	// Of a pair: what both hear, and whether it is the second.
	room   *host.Room
	second bool
}

// people is the number by which the people and their voices are chosen: of a pair the
// first one's.
func (l leg) people() int {
	if l.second {
		return l.number - 1
	}
	return l.number
}

func (s *Sim) stage(g *Group, l leg) (*stage, error) {
	cast, err := s.cast(g, l.people(), s.sources(l.people()))
	if err != nil {
		return nil, err
	}
	cast.Room = l.room
	if l.second {
		cast.Ahead = g.Pair.Ahead
	}
	return &stage{s.Hosts, g.Media, cast, g.people(s.Scenario.Seed, l.people()), make(chan time.Time, 1)}, nil
}

// Connect implements cloud.Media.
func (s *stage) Connect(blob string) error {
	if err := s.Inject(blob, s.faults...); err != nil {
		return err
	}
	if err := s.SetCast(blob, s.cast); err != nil {
		return err
	}
	if err := s.Hosts.Connect(blob); err != nil {
		return err
	}
	began := time.Now()
	if s.cast.Room != nil {
		began = s.cast.Room.Began()
	}
	select {
	case s.begun <- began:
	default: // not the first time
	}
	return nil
}

// settled waits until every session that was connected is disposed of, or the
// scenario's patience ends.
func (s *Sim) settled(until <-chan time.Time, stop <-chan struct{}) {
	check := time.NewTicker(20 * time.Millisecond)
	defer check.Stop()
	for {
		if !slices.ContainsFunc(s.Hosts, (*host.Host).Connected) {
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
