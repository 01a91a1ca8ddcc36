package media

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/recorderbot/recorderbot/internal/media/link"
	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// The package's errors.
var (
	// ErrUnknownCall: no session of that call is here.
	ErrUnknownCall = errors.New("media: no session of that call")
	// ErrLost: the call's session on the media host is gone.
	ErrLost = errors.New("media: the session is lost")
	// ErrEnding: the recording is being sealed or released.
	ErrEnding = errors.New("media: the recording is ending")
)

// Limits of time. Each says what ends when it has passed.
const (
	placeLimit    = 1500 * time.Millisecond // CreateSession, all hosts together
	placeLeast    = 300 * time.Millisecond  // what one host gets at least
	unattachedTTL = time.Minute             // the host keeps a session that nobody attached
	openLimit     = 1500 * time.Millisecond // Open, from permit to Opened: then law 3 has two seconds, and failed must be said
	letOpenLimit  = 250 * time.Millisecond  // a graceful seal waits for an Open under way
	pausedLimit   = 2 * time.Second         // a graceful seal waits for Paused
	ackLimit      = 250 * time.Millisecond  // a seal waits for its last acknowledgement to be sent
	stopLimit     = 2 * time.Second         // StopSession
	downAlert     = 2 * time.Second         // a link is down for the alert's sake
	stuckLimit    = time.Second             // all frames of an open session are refused
	silentLimit   = 5 * time.Second         // an open session hears nothing
	muteLimit     = 10 * time.Second        // an open session has never heard anything: it fails
	stallLimit    = 1500 * time.Millisecond // a commit is under way: open recordings fail
	hangsAtOpen   = time.Second             // a commit is under way: an Open that ran out of time waited for the disk
	storageLimit  = 10 * time.Second        // a commit is under way, or the spool takes nothing: the process fails
	watchEvery    = 250 * time.Millisecond
	// stallLimit, this, a seal that is given up at once, the journal's hurry (300 ms)
	// and the request: law 3's two seconds.
	storageEvery = 50 * time.Millisecond
)

// Options are what a Service needs.
type Options struct {
	Hosts []string    // addresses of the media hosts, host:port
	TLS   *tls.Config // our certificate, and who vouches for the hosts
	Spool *spool.Log
	// Streams are what of a call is recorded, and Policies what of a call by that policy.
	Streams  Streams
	Policies map[string]Streams
	// PartLength is how long a recording may become before the call goes on in another;
	// 0: as long as the call, where it has not too many tracks.
	PartLength time.Duration
	// Post hands an event to a call: it ends a recording, or makes it, so it must not
	// be lost, and events of one call keep their order. It must not block.
	Post func(recorder.CallID, recorder.Event)
	// Note queues a journal entry; it must not block. nil: nothing is noted.
	Note func(recorder.Entry) bool
	// Hooks, where given, are bound to the service: see Hooks.
	Hooks *Hooks
	// OnFailure is told, once, that storage has failed for good: this process
	// records nothing more and must end, so that another can. The open recordings
	// were told before. It comes from the goroutine that noticed, with nothing
	// locked, possibly before New has returned, and must not block. It may be nil.
	OnFailure func(error)
	// LateSeal, where not nil, is told that a recording was sealed after all whose
	// Seal had been given up because the disk hung: once for each such recording,
	// possibly after Release, from a goroutine that Close waits for. It may block.
	LateSeal func(recorder.CallID, recorder.SealReport)
	// Bridge is how long a cut of a link may last before its sessions are lost;
	// 0: as long as a host keeps frames.
	Bridge     time.Duration
	Registerer prometheus.Registerer
	Log        *zap.Logger
}

// Hooks break the circle between spool and service: they are given to the spool
// when it is opened, and bound when the service is made. The zero value is ready.
type Hooks struct {
	service atomic.Pointer[Service]
	failure atomic.Pointer[error]
}

// OnDurable is for spool.Options.
func (h *Hooks) OnDurable(ds []spool.Durable) {
	if s := h.service.Load(); s != nil {
		s.OnDurable(ds)
	}
}

// OnFailure is for spool.Options.
func (h *Hooks) OnFailure(err error) {
	h.failure.Store(&err)
	if s := h.service.Load(); s != nil {
		s.OnFailure(err)
	}
}

func (h *Hooks) bind(s *Service) {
	h.service.Store(s)
	if err := h.failure.Load(); err != nil {
		s.OnFailure(*err)
	}
}

// A Service is the media side of all calls of this process. It implements
// recorder.Media and is safe for concurrent use.
type Service struct {
	opts    Options
	log     *zap.Logger
	metrics *metrics
	hosts   []*host
	failure atomic.Pointer[error] // set: the spool takes nothing more

	late      late
	measuring chan struct{}  // one measures at a time
	owned     sync.WaitGroup // the goroutines of late, and those that measure

	places sync.Mutex // guards the hosts' seats; only a link's state is asked, and changed, under it

	mu       sync.Mutex // guards what follows; nothing else is called under it
	sessions map[recorder.CallID]*session
	left     map[recorder.CallID]*left // what dead processes have left, until it is released
	closed   bool                      // no late seal begins any more
}

var _ recorder.Media = (*Service)(nil)

// New makes a service. It reaches for its hosts when Run is called.
func New(o Options) (*Service, error) {
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.Note == nil {
		o.Note = func(recorder.Entry) bool { return true }
	}
	switch {
	case len(o.Hosts) == 0:
		return nil, errors.New("media: no media hosts; name at least one in mediaHosts.addresses")
	case o.Spool == nil || o.Post == nil:
		return nil, errors.New("media: Options need Spool and Post")
	}
	errs := []error{o.Streams.check()}
	for _, t := range o.Policies {
		errs = append(errs, t.check())
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	s := &Service{
		opts: o, log: o.Log, metrics: newMetrics(o.Registerer), late: newLate(),
		measuring: make(chan struct{}, 1),
		sessions:  make(map[recorder.CallID]*session), left: make(map[recorder.CallID]*left),
	}
	for _, address := range o.Hosts {
		h, err := newHost(s, address)
		if err != nil {
			s.closeHosts()
			return nil, fmt.Errorf("media: %w", err)
		}
		s.hosts = append(s.hosts, h)
	}
	s.countHosts()
	if o.Hooks != nil {
		o.Hooks.bind(s)
	}
	return s, nil
}

// Run keeps the links to all hosts until ctx ends. Open recordings must be
// sealed before: without their links they lose what is under way.
func (s *Service) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for _, h := range s.hosts {
		wg.Go(func() { _ = h.link.Run(ctx) })
	}
	wg.Go(func() { s.watch(ctx) })
	wg.Go(func() { s.watchStorage(ctx) })
	wg.Go(func() { s.tidy(ctx) })
	wg.Wait()
	return nil
}

// Close shuts every gate, waits for late seals, ten seconds at most, and closes
// the connections. Call it after Run has returned and before the spool is closed.
func (s *Service) Close(ctx context.Context) error {
	for _, one := range s.all() {
		one.shut()
	}
	s.closeLate(ctx)
	s.closeHosts()
	return nil
}

func (s *Service) closeHosts() {
	for _, h := range s.hosts {
		h.link.Close()
	}
}

func (s *Service) session(call recorder.CallID) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[call]
}

func (s *Service) all() []*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*session, 0, len(s.sessions))
	for _, one := range s.sessions {
		all = append(all, one)
	}
	return all
}

// Discarded returns how many frames of a live call were not stored, by reason.
func (s *Service) Discarded(call recorder.CallID) map[string]uint64 {
	one := s.session(call)
	if one == nil {
		return nil
	}
	one.mu.Lock()
	defer one.mu.Unlock()
	return one.discards()
}

// OnDurable is called by the spool's commit. It moves acknowledgements to their
// links, and measures.
func (s *Service) OnDurable(ds []spool.Durable) {
	now := time.Now().UnixNano()
	for _, h := range s.hosts {
		h.link.BeginAcks()
	}
	for i := range ds {
		if one, ok := ds[i].Recording.Value.(*link.Session); ok {
			one.Durable(ds[i].Seq, now)
		}
	}
	for _, h := range s.hosts {
		h.link.EndAcks()
		if t := h.timed.Load(); t != nil && t.session.DurableSeq() >= t.seq {
			s.metrics.durable.Observe(float64(now-t.at) / 1e9)
			h.timed.Store(nil)
		}
	}
}

// watch looks for what nobody would tell: time that passes.
func (s *Service) watch(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := time.Now()
		s.countHosts()
		s.listen(now)
		s.watchVideo()
		s.watchSpeakers()
		s.parts(now)
	}
}
