package host

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	pb "github.com/recorderbot/recorderbot/internal/media/link/mediahostv1"
	"github.com/recorderbot/recorderbot/internal/teamsim/trace"
)

// ErrNoSession tells that the blob's session is not here: never made, disposed
// of, or lost with an earlier epoch.
var ErrNoSession = errors.New("the media host has no such session")

// OutsideSpeaker is the source ID of nobody, who speaks in Options.Outside.
const OutsideSpeaker = 3_405_691_582

// Options say what kind of host it is. The zero Options make a host that runs
// in real time on a free port of 127.0.0.1, without TLS.
type Options struct {
	ID       string // default "mediahost-0"
	Region   string // default "USEA"
	Endpoint string // what Teams would reach; default "<ID>.teamsim.invalid:8445"
	Address  string // to listen on; default 127.0.0.1:0
	// TLS is the server's side of mutual TLS. nil: no TLS at all, for tests.
	TLS *tls.Config
	// Trace, where given, gets sessions and links, not frames.
	Trace *trace.Log
	// Audio chooses what a session hears; default: the same conversation for
	// all, begun at a sample that depends on session and Seed.
	Audio func(session string) *Audio
	// Outside is what frames hold that are sent before Open or after Paused
	// (FaultEarly, FaultLate); default: what the session hears. With it, they are
	// said to be OutsideSpeaker's.
	Outside *Audio
	Seed    int64
	// Speed is how many seconds of media pass in a second; default 1. Holding
	// times (TTL, faults of the host) stay in real time.
	Speed float64
	// Manual: time passes only in Advance. For exact tests.
	Manual bool
	// Jitter delays what is captured by up to this much, by a fixed pattern;
	// media times stay exact.
	Jitter time.Duration
	// Memory is for how long, in media time, a session holds what was captured and
	// not acknowledged; default 30 s. Of video it is VideoMemory; default 2 s.
	Memory, VideoMemory time.Duration
	Capacity            uint32 // sessions; default 10 000
	SDKVersion          string // default "1.2.0.15690"
	// SDKReleased and CertificateNotAfter are told in HostInfo; defaults: a
	// month ago, in a year.
	SDKReleased, CertificateNotAfter time.Time
	// Speakers take turns every 2 s as ActiveSpeakers of mixed audio; none by default.
	Speakers []uint32
	// Cast is who is heard and seen in a session with unmixed audio or video, unless
	// SetCast says; default: DefaultCast of session and Seed.
	Cast func(session string) (Cast, error)
	// Faults are injected into every session at its creation.
	Faults []Fault
}

func (o Options) withDefaults() Options {
	if o.ID == "" {
		o.ID = "mediahost-0"
	}
	if o.Region == "" {
		o.Region = "USEA"
	}
	if o.Endpoint == "" {
		o.Endpoint = o.ID + ".teamsim.invalid:8445"
	}
	if o.Address == "" {
		o.Address = "127.0.0.1:0"
	}
	if o.Speed <= 0 {
		o.Speed = 1
	}
	if o.Memory == 0 {
		o.Memory = 30 * time.Second
	}
	if o.VideoMemory == 0 {
		o.VideoMemory = 2 * time.Second
	}
	if o.Cast == nil {
		o.Cast = func(session string) (Cast, error) { return DefaultCast(seedOf(session, o.Seed)) }
	}
	if o.Capacity == 0 {
		o.Capacity = 10_000
	}
	if o.SDKVersion == "" {
		o.SDKVersion = "1.2.0.15690"
	}
	if o.SDKReleased.IsZero() {
		o.SDKReleased = time.Now().AddDate(0, -1, 0)
	}
	if o.CertificateNotAfter.IsZero() {
		o.CertificateNotAfter = time.Now().AddDate(1, 0, 0)
	}
	return o
}

// A Host is one simulated media host. All methods are safe for concurrent use.
type Host struct {
	pb.UnimplementedMediaHostServer

	opt Options
	lis *listener
	srv *grpc.Server

	stop    context.CancelFunc
	stopped context.Context //nolint:containedctx // ends with the host; handlers wait on it
	tasks   sync.WaitGroup  // pacing, serving, link readers

	// mu guards everything below, and every session and link.
	mu       sync.Mutex
	clock    clock
	epoch    int
	sessions map[string]*session
	order    []*session // live, by creation
	past     []*session // disposed of, by disposal
	links    map[*link]struct{}
	pending  []timedFault // faults of the host that wait for their time
	state    hostState
	infoSent time.Time // wall
	// healthSent is what was last told to the links.
	healthSent pb.Health
}

// hostState is what faults of the host have done to it. Times are of the wall.
type hostState struct {
	stalledUntil time.Time
	downUntil    time.Time // cut or killed
	refuse       window
	refuseReason string
	overload     window
	draining     bool
}

// New starts a host. Close ends it.
func New(opt Options) (*Host, error) {
	opt = opt.withDefaults()
	for _, f := range opt.Faults {
		if err := f.check(false); err != nil {
			return nil, err
		}
	}
	if opt.Audio == nil {
		var err error
		if opt.Audio, err = defaultAudio(opt.Seed); err != nil {
			return nil, fmt.Errorf("media host %s: %w", opt.ID, err)
		}
	}
	lis, err := listen(opt.Address)
	if err != nil {
		return nil, fmt.Errorf("media host %s: %w", opt.ID, err)
	}
	stopped, stop := context.WithCancel(context.Background())
	h := &Host{
		opt: opt, lis: lis, stop: stop, stopped: stopped,
		clock:    newClock(opt.Manual, opt.Speed),
		epoch:    1,
		sessions: make(map[string]*session),
		links:    make(map[*link]struct{}),
	}
	var options []grpc.ServerOption
	if opt.TLS != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(opt.TLS)))
	}
	options = append(options, grpc.WaitForHandlers(true), grpc.InitialWindowSize(4<<20), grpc.InitialConnWindowSize(16<<20))
	h.srv = grpc.NewServer(options...)
	pb.RegisterMediaHostServer(h.srv, h)
	h.tasks.Go(func() { _ = h.srv.Serve(lis) }) // ends with Close; there is nobody to tell
	if !opt.Manual {
		h.tasks.Go(h.pace)
	}
	h.trace(trace.Event{Kind: trace.HostStarted})
	return h, nil
}

// Addr is where the host listens, host:port.
func (h *Host) Addr() string { return h.lis.Addr().String() }

// ID is the host's stable name.
func (h *Host) ID() string { return h.opt.ID }

// Close ends the host: sessions are closed (SHUTDOWN) without being told, the
// connections break.
func (h *Host) Close() {
	h.mu.Lock()
	for len(h.order) > 0 {
		h.dispose(h.order[0], "shutdown")
	}
	h.mu.Unlock()
	h.stop()
	h.srv.Stop()
	h.tasks.Wait()
	h.trace(trace.Event{Kind: trace.HostStopped})
}

// Connect lets the platform's media reach the session of the blob: position 0
// is now. The cloud calls it when the call was answered. It fails with
// ErrNoSession; a second Connect changes nothing.
func (h *Host) Connect(blob string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	s, err := h.find(blob)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	if s.rec.Connected.IsZero() {
		if err := h.enter(s); err != nil {
			return fmt.Errorf("connect: %w", err)
		}
		now := time.Now()
		s.rec.Connected = now
		h.begin(s)
		h.traceSession(s, trace.Event{Kind: trace.SessionConnected, At: now})
	}
	return nil
}

// Disconnect ends the platform's media for the session; what was captured is
// still sent. A session that is gone is none to disconnect.
func (h *Host) Disconnect(blob string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s, err := h.find(blob)
	if err != nil || s.rec.Connected.IsZero() || !s.rec.Disconnected.IsZero() {
		return
	}
	h.capture(s) // what was due by now
	s.rec.Disconnected = time.Now()
	h.traceSession(s, trace.Event{Kind: trace.SessionDisconnected})
	if s.has(FaultCloseOnDisconnect) {
		h.close(s, pb.SessionClosed_REASON_PLATFORM, "the call has ended")
	}
	h.wake()
}

// Records returns the truth about every session that ever was, by time of
// creation. The slices are the caller's.
func (h *Host) Records() []SessionRecord {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.records()
}

// Connected tells whether a session that was connected has not been disposed of.
func (h *Host) Connected() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.ContainsFunc(h.order, func(s *session) bool { return !s.rec.Connected.IsZero() })
}

// find returns the live session of a blob.
func (h *Host) find(blob string) (*session, error) {
	b, err := ParseBlob(blob)
	if err != nil {
		return nil, err
	}
	s := h.sessions[b.Session]
	if s == nil || s.rec.Blob != blob {
		return nil, fmt.Errorf("session %s on %s, epoch %s: %w", b.Session, b.Host, b.Epoch, ErrNoSession)
	}
	return s, nil
}

func (h *Host) trace(e trace.Event) {
	if h.opt.Trace != nil {
		e.Host = h.opt.ID
		h.opt.Trace.Add(e)
	}
}

func (h *Host) traceSession(s *session, e trace.Event) {
	e.Session = s.rec.Session
	h.trace(e)
}
