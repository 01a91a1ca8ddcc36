package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"go.uber.org/zap"

	"github.com/recorderbot/recorderbot/internal/admission"
	"github.com/recorderbot/recorderbot/internal/archive"
	"github.com/recorderbot/recorderbot/internal/callbacks"
	"github.com/recorderbot/recorderbot/internal/catalogue"
	consoleapi "github.com/recorderbot/recorderbot/internal/console"
	"github.com/recorderbot/recorderbot/internal/graph"
	"github.com/recorderbot/recorderbot/internal/media"
	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// maxConnections bounds the callback listener: strangers with idle connections
// must not use up the descriptors that the spool needs. Teams uses few.
const maxConnections = 2048

// A bot is the whole service, wired. The order of its fields is the order in
// which they are made; they are closed the other way round.
type bot struct {
	cfg     *Config
	log     *zap.Logger
	metrics *prometheus.Registry
	before  *predecessor // whose calls we take over; nil: nobody's

	catalogue *catalogue.Catalogue
	receiver  *receiver
	callbacks *callbacks.Server
	spool     *spool.Log
	hooks     media.Hooks // from the spool to the media side, which is made later
	media     *media.Service
	graph     *graph.Client
	gate      *admission.Gate
	registry  *recorder.Registry
	archiver  *archiver
	// stopArchiver leaves what it has under way to the next start.
	stopArchiver context.CancelFunc

	missing prometheus.Gauge // recordings that start-up found nowhere

	console *consoleapi.Server // nil: none is configured

	doors            []door
	callbackListener net.Listener // TLS
	consoleListener  net.Listener // TLS; nil: no console
	opsListener      net.Listener

	life      context.Context    //nolint:containedctx // of everything that runs behind, from newBot to close
	cancel    context.CancelFunc // ends life
	answering atomic.Bool        // the callback doors are open
	heirs     chan *heir         // who takes over; at most one, ever
	handing   atomic.Bool        // one does
	running   sync.WaitGroup
	closers   []closer
	// concluded, if set, is told of each outcome (the demo shows it).
	concluded   func(recorder.Invite, recorder.Conclusion)
	recollected chan recollection // one, soon after the catalogue is open
	fatal       chan error        // this process is lost: stop taking calls, end, recover at start
}

// A closer is a named step of the shutdown.
type closer struct {
	name  string
	limit time.Duration
	close func(context.Context) error
}

// newBot wires a bot. On error everything made so far is closed again.
func newBot(ctx context.Context, cfg *Config, log *zap.Logger, concluded func(recorder.Invite, recorder.Conclusion)) (*bot, error) {
	return newHeir(ctx, cfg, log, concluded, nil)
}

// newHeir is newBot that takes over from a running process, where there is one.
func newHeir(
	ctx context.Context, cfg *Config, log *zap.Logger, concluded func(recorder.Invite, recorder.Conclusion), before *predecessor,
) (*bot, error) {
	b := &bot{
		cfg: cfg, log: log, metrics: prometheus.NewRegistry(), before: before, concluded: concluded,
		fatal: make(chan error, 1), heirs: make(chan *heir, 1), recollected: make(chan recollection, 1),
	}
	b.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), buildInfo())
	b.missing = promauto.With(b.metrics).NewGauge(prometheus.GaugeOpts{
		Name: "recorderbot_recordings_missing", Help: "Recordings that the last start found neither in the spool nor in the archive.",
	})
	b.life, b.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if before != nil {
		b.later("word with the process before", time.Second, func(context.Context) error { before.close(); return nil })
	}
	for _, step := range []struct {
		name string
		make func(context.Context) error
	}{
		{"listen", b.makeListeners},
		{"prepare Graph", b.makeGraph},
		{"take over", b.takeOver},
		{"open the catalogue", b.makeCatalogue},
		{"prepare the callbacks", b.makeCallbacks},
		{"open the spool", b.makeSpool},
		{"let others take over", b.makeHandover},
		{"connect the media hosts", b.makeMedia},
		{"prepare the calls", b.makeRegistry},
		{"open the archive", b.makeArchiver},
		{"prepare the console", b.makeConsole},
	} {
		if err := step.make(b.life); err != nil {
			_ = b.close() // what failed first is what to tell
			return nil, fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return b, nil
}

// later adds a step to the shutdown. Steps run in reverse.
func (b *bot) later(name string, limit time.Duration, f func(context.Context) error) {
	b.closers = append(b.closers, closer{name, limit, f})
}

func (b *bot) makeListeners(context.Context) (err error) {
	if b.callbackListener, err = b.listen(doorCallbacks, b.cfg.Listen.Callbacks.Address, maxConnections); err != nil {
		return err
	}
	if b.opsListener, err = b.listen(doorOps, b.cfg.Listen.Ops.Address, 0); err != nil {
		return err
	}
	if b.cfg.consoleServed() {
		b.consoleListener, err = b.listen(doorConsole, b.cfg.Listen.Console.Address, maxConsoleConnections)
	}
	return err
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (b *bot) makeCatalogue(ctx context.Context) (err error) {
	b.catalogue, err = catalogue.Open(ctx, b.cfg.Catalogue.URL, filepath.Dir(b.cfg.file), catalogue.Options{
		Registerer: b.metrics, Log: b.log.Named("catalogue"),
	})
	if err != nil {
		return err
	}
	b.later("catalogue", 10*time.Second, b.catalogue.Close)
	b.running.Go(func() { b.recollected <- b.recollect(ctx) })
	return nil
}

func (b *bot) makeSpool(ctx context.Context) (err error) {
	b.spool, err = spool.Open(ctx, spool.Options{
		Dir: b.cfg.path(b.cfg.Spool.Dir), SegmentSize: int64(b.cfg.Spool.SegmentSize),
		CommitInterval: time.Duration(b.cfg.Spool.CommitInterval), Registerer: b.metrics, Log: b.log.Named("spool"),
		OnDurable: b.hooks.OnDurable, OnFailure: b.spoolFailed, Fault: b.cfg.spoolFault,
	})
	if err == nil {
		b.later("spool", 10*time.Second, b.spool.Close)
	}
	return err
}

// spoolFailed: what the log holds is safe, and nothing can be added. The calls
// are failed (law 3), and the process ends so that the next start recovers.
func (b *bot) spoolFailed(err error) {
	b.hooks.OnFailure(err)
	b.lost(err)
}

// sealedLate enters a seal that came when its call was over: the disk had hung.
func (b *bot) sealedLate(id recorder.CallID, report recorder.SealReport) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := b.catalogue.RecordingSealed(ctx, id, report); err != nil {
		b.log.Error("a late seal is not entered; the next start will see to it", zap.String("call", string(id)), zap.Error(err))
		return
	}
	b.archiver.notify()
}

// lost ends the process: nothing can be recorded by it any more.
func (b *bot) lost(err error) {
	b.log.Error("storage has failed; this process ends", zap.Error(err))
	select {
	case b.fatal <- fmt.Errorf("storage: %w", err):
	default: // said already
	}
}

func (b *bot) makeMedia(ctx context.Context) (err error) {
	m := b.cfg.MediaHosts
	identity, err := callbacks.NewCertReloader(b.cfg.path(m.CertFile), b.cfg.path(m.KeyFile), b.log.Named("media"))
	if err != nil {
		return fmt.Errorf("mediaHosts.certFile: %w", err)
	}
	identity.Register(b.metrics, "mediaHosts")
	b.running.Go(func() { _ = identity.Run(ctx) }) // nil by contract
	pool, err := certPool(b.cfg.path(m.CAFile))
	if err != nil {
		return fmt.Errorf("mediaHosts.caFile: %w", err)
	}
	b.media, err = media.New(media.Options{
		Bridge: b.cfg.bridge,
		Hosts:  m.Addresses, Spool: b.spool, Streams: b.cfg.Recording.streams(), Policies: b.cfg.policies(), PartLength: time.Duration(b.cfg.Recording.PartLength), Hooks: &b.hooks,
		TLS: &tls.Config{MinVersion: tls.VersionTLS13, GetClientCertificate: identity.GetClientCertificate, RootCAs: pool},
		// A call that is not live any more has no use for it.
		Post: func(id recorder.CallID, ev recorder.Event) {
			_ = b.registry.Urge(id, ev)
			if opened, ok := ev.(recorder.MediaOpened); ok && opened.Opened.Previous != nil {
				b.running.Go(func() { b.archivePart(ctx) })
			}
		},
		Note:      func(e recorder.Entry) bool { return b.catalogue.Note(e) },
		OnFailure: b.lost, LateSeal: b.sealedLate, Registerer: b.metrics, Log: b.log.Named("media"),
	})
	if err != nil {
		return err
	}
	b.later("media hosts", 5*time.Second, b.media.Close)
	return nil
}

// partLimit is how long the archive of a part waits for the catalogue to know of it;
// later it is found without being told.
const partLimit = 10 * time.Second

// archivePart has the archiver look for a recording whose call goes on in another.
func (b *bot) archivePart(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, partLimit)
	defer cancel()
	if b.catalogue.Append(ctx) == nil {
		b.archiver.notify()
	}
}

func certPool(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil //nolint:nilnil // no pool means the system's
	}
	data, err := os.ReadFile(file) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, errors.New("no PEM certificate in " + file)
	}
	return pool, nil
}

func (b *bot) makeGraph(context.Context) error {
	pool, err := certPool(b.cfg.path(b.cfg.Endpoints.CAFile))
	if err != nil {
		return fmt.Errorf("endpoints.caFile: %w", err)
	}
	b.graph, err = graph.New(graph.Options{
		Cloud: b.cfg.Cloud, Root: b.cfg.Endpoints.Graph, Authority: b.cfg.Endpoints.Authority, AppID: b.cfg.App.ID,
		Credential: graph.Credential{
			CertificateFile: b.cfg.path(b.cfg.App.Credential.CertificateFile), SecretFile: b.cfg.path(b.cfg.App.Credential.SecretFile),
		},
		CallbackURI: b.cfg.callbackURI(), Modalities: []string{"audio"}, ParticipantCapacity: b.cfg.Recording.ParticipantCapacity,
		CA: pool, Registerer: b.metrics, Log: b.log.Named("graph"), UserAgent: "recorderbot/" + buildVersion(),
	})
	return err
}

func (b *bot) makeRegistry(ctx context.Context) error {
	policy := recorder.FailureLeave
	if b.cfg.Recording.OnFailure == "stay" {
		policy = recorder.FailureStay
	}
	b.gate = b.newGate()
	b.registry = recorder.NewRegistry(ctx, recorder.Options{
		Platform: b.graph, Media: b.media, Ledger: b.catalogue, OnFailure: policy,
		Admit: b.gate.Admit, Concluded: b.callOver, OnRoster: b.media.Roster, Registerer: b.metrics, Log: b.log.Named("recorder"),
	})
	b.receiver.registry = b.registry
	return nil
}

func (b *bot) callOver(inv recorder.Invite, end recorder.Conclusion) {
	b.gate.Ended(end)
	b.archiver.notify()
	if b.concluded != nil {
		b.concluded(inv, end)
	}
}

func (b *bot) makeArchiver(context.Context) error {
	assembler, err := archive.Open(b.cfg.Archive.URL, filepath.Dir(b.cfg.file), archive.Options{
		Registerer: b.metrics, Log: b.log.Named("archive"),
	})
	if err != nil {
		return err
	}
	b.archiver = newArchiver(assembler, b.catalogue, b.spool, b.log.Named("archive"))
	return nil
}

// makeCallbacks also begins to fetch what the platform's word is checked with, and what
// it is answered with: with the spool it takes longest of all. Nobody is heard before
// start opens the doors.
func (b *bot) makeCallbacks(ctx context.Context) error {
	e := b.cfg.Endpoints
	pool, err := certPool(b.cfg.path(e.CAFile))
	if err != nil {
		return fmt.Errorf("endpoints.caFile: %w", err)
	}
	b.receiver = &receiver{
		durable: b.catalogue.Durable, webhook: b.cfg.callbackURI(), newBot: b.cfg.Recording.NewBot, joins: newJoins(b.metrics), log: b.log.Named("callbacks"),
	}
	b.callbacks, err = callbacks.New(callbacks.Options{
		AppID: b.cfg.App.ID, Tenants: b.cfg.App.Tenants, OpenIDConfigurationURL: e.OpenIDConfiguration, Issuers: e.Issuers, CA: pool,
		Receiver: b.receiver, Registerer: b.metrics, Log: b.log.Named("callbacks"),
	})
	if err != nil {
		return err
	}
	b.running.Go(func() {
		if err := b.callbacks.Run(ctx); err != nil && ctx.Err() == nil {
			b.log.Error("signing keys", zap.Error(err))
		}
	})
	if b.before == nil { // else it was warmed before the other was asked to go
		b.graph.Warm(ctx, b.cfg.App.Tenants)
	}
	return nil
}

func buildInfo() prometheus.Collector {
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "recorderbot_build_info", Help: "1, with the version of the program.",
	}, []string{"version", "goversion"})
	g.WithLabelValues(buildVersion(), goVersion()).Set(1)
	return g
}
