package link

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/experimental"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/link/mediahostv1"
)

// The link's errors.
var (
	// ErrDown: there is no connection to the host now.
	ErrDown = errors.New("link: not connected to the media host")
	// ErrFull: the link carries as many sessions as it can.
	ErrFull = errors.New("link: too many sessions")
	// ErrEpoch: the host's process is not the one that this link knows.
	ErrEpoch = errors.New("link: the media host has been restarted")
)

// Defaults of Options.
const (
	// DefaultBridge is how long a host keeps what is not acknowledged.
	DefaultBridge = 30 * time.Second

	firstBackOff = 100 * time.Millisecond
	mostBackOff  = time.Second
	infoTimeout  = 3 * time.Second
	// maxReceive is a message with one frame of 4 MiB, and room for its envelope.
	maxReceive = 4<<20 + 1<<16
	// window is how much may be under way to us: half a second of a thousand
	// streams. What comes beyond waits in the host, which notices.
	window = 16 << 20
)

// A Handler hears what is not about one session.
type Handler interface {
	// Frames takes a message of frames, from the link's reader. It may block:
	// that is the back-pressure on the host. m is only valid during the call.
	Frames(m Message)
	// Broken: the host broke the contract in a way that changes nothing. It must
	// not block, and it comes as often as the host does it.
	Broken(f Fault)
	// Changed: the link went up or down, or the host told its Info.
	Changed()
}

// Options are what a Link needs.
type Options struct {
	Address string // host:port
	// TLS has our certificate and the authorities that may vouch for the host.
	TLS     *tls.Config
	Handler Handler
	// Bridge is how long a session may be without attachment before it is lost;
	// 0 is DefaultBridge.
	Bridge time.Duration
	Log    *zap.Logger
}

// A Link is one connection to one media host. It is safe for concurrent use.
type Link struct {
	opts   Options
	log    *zap.Logger
	conn   *grpc.ClientConn
	client mediahostv1.MediaHostClient

	table table
	acks  acks
	heard atomic.Int64  // when the host was last heard, Unix ns
	wake  chan struct{} // there is something to send

	mu       sync.Mutex // see doc.go
	up       bool
	since    time.Time // up, or down, since
	known    bool      // info is valid
	info     Info
	infos    uint64 // that came
	sessions map[string]*Session
	queue    []*mediahostv1.ToHost // to be sent on this connection
}

// New makes a link. It connects when Run is called.
func New(o Options) (*Link, error) {
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.Bridge == 0 {
		o.Bridge = DefaultBridge
	}
	if o.TLS == nil {
		return nil, fmt.Errorf("link to %s: no TLS configuration; media hosts are reached over mutual TLS only", o.Address)
	}
	conn, err := grpc.NewClient(o.Address,
		grpc.WithTransportCredentials(scrubbing{credentials.NewTLS(o.TLS)}),
		experimental.WithBufferPool(newScrubbedPool()),
		grpc.WithNoProxy(), // media stays on the private network
		grpc.WithDisableServiceConfig(),
		grpc.WithDisableRetry(),
		grpc.WithInitialWindowSize(window),
		grpc.WithInitialConnWindowSize(window),
		grpc.WithReadBufferSize(readBuffer),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: backoff.Config{
				BaseDelay: firstBackOff, Multiplier: 1.6, Jitter: 0.2, MaxDelay: mostBackOff,
			},
			MinConnectTimeout: infoTimeout,
		}),
	)
	if err != nil {
		return nil, fmt.Errorf("link to %s: %w", o.Address, err)
	}
	return &Link{
		opts: o, log: o.Log, conn: conn, client: mediahostv1.NewMediaHostClient(conn),
		wake: make(chan struct{}, 1), since: time.Now(), sessions: make(map[string]*Session),
	}, nil
}

// Close ends the connection. Run closes too.
func (l *Link) Close() { _ = l.conn.Close() }

// Attach takes a session onto the link: at once where the link is up, else as
// soon as it is. The owner hears how it goes.
func (l *Link) Attach(id string, owner Owner) (*Session, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if old := l.sessions[id]; old != nil {
		return nil, fmt.Errorf("attach session %s: attached already", id)
	}
	if len(l.sessions) >= maxSessions/2 {
		return nil, fmt.Errorf("attach session %s: %w", id, ErrFull)
	}
	s := &Session{link: l, id: id, owner: owner, since: time.Now()}
	l.take(s)
	return s, nil
}

// take puts a session on the link. Under mu.
func (l *Link) take(s *Session) {
	l.sessions[s.id] = s
	if l.up {
		l.attach(s)
	}
}

// A Hold is what is known of a session that somebody else had attached.
type Hold struct {
	// FromSeq is the first frame that is not on stable storage; 0: unknown, and what
	// the host holds is not asked for.
	FromSeq uint64
	// Fresh: what the host holds is asked for by nobody, as after a pause.
	Fresh bool
	// Lease is the highest that may have been used.
	Lease uint64
}

// Adopt makes a session that exists on the host, and that this link does not have
// yet: Session.Attach takes it. What is asked of it before (Open) is asked as soon
// as it is attached.
func (l *Link) Adopt(id string, owner Owner, h Hold) *Session {
	s := &Session{link: l, id: id, owner: owner, lease: h.Lease, fresh: h.Fresh || h.FromSeq == 0}
	if h.FromSeq > 0 {
		s.durable = h.FromSeq - 1
	}
	return s
}

// attach sends Attach under a new handle. Under mu.
func (l *Link) attach(s *Session) {
	if s.handle != 0 {
		l.table.unbind(s.handle)
	}
	if s.handle = l.table.bind(s); s.handle == 0 {
		return // stays without attachment; the watchdog ends it
	}
	s.asked, s.opens, s.pauses = false, 0, 0
	s.allHeard() // nothing is under way any more
	s.lease = max(s.lease+1, uint64(time.Now().UnixMilli()))
	l.send(&mediahostv1.ToHost{Message: &mediahostv1.ToHost_Attach{Attach: &mediahostv1.Attach{
		SessionId: s.id, Handle: s.handle, Lease: s.lease, FromSeq: s.DurableSeq() + 1,
	}}})
}

// send queues a message for the connection. Under mu.
func (l *Link) send(m *mediahostv1.ToHost) {
	if l.up {
		l.queue = append(l.queue, m)
		l.kick()
	}
}

func (l *Link) kick() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// drop forgets a session. Under mu.
func (l *Link) drop(s *Session) {
	s.over, s.attached = true, false
	s.ackAs.Store(0)
	if l.sessions[s.id] == s {
		delete(l.sessions, s.id)
	}
	if s.handle != 0 {
		l.table.unbind(s.handle)
		s.handle = 0
	}
}

// lose ends a session that its owner did not end. It reports false where that
// has happened already.
func (l *Link) lose(s *Session, loss Loss) {
	l.mu.Lock()
	gone := s.over
	if !gone {
		l.drop(s)
	}
	l.mu.Unlock()
	if !gone {
		s.owner.Lost(loss)
	}
}

// State is how a link is.
type State struct {
	Up       bool
	Since    time.Time // up, or down, since
	Known    bool      // Info is valid: the host was reached at least once
	Info     Info
	Infos    uint64 // how often the host has told it
	Attached int    // sessions of ours
}

// State returns how the link is now.
func (l *Link) State() State {
	l.mu.Lock()
	defer l.mu.Unlock()
	return State{Up: l.up, Since: l.since, Known: l.known, Info: l.info, Infos: l.infos, Attached: len(l.sessions)}
}

// AudioMode says what audio a session delivers.
type AudioMode uint8

// The modes.
const (
	Mixed   AudioMode = iota // one stream
	Unmixed                  // up to four speakers
)

// CreateSession makes a call's sockets and returns the opaque blob for the
// answer. Errors of the host keep their gRPC status.
func (l *Link) CreateSession(ctx context.Context, id string, sockets Sockets, unattachedTTL time.Duration) (string, error) {
	state := l.State()
	if !state.Up {
		return "", ErrDown
	}
	req := &mediahostv1.CreateSessionRequest{
		SessionId: id, Audio: mediahostv1.AudioMode_AUDIO_MODE_MIXED,
		UnattachedTtlMs: uint32(unattachedTTL.Milliseconds()), //nolint:gosec // G115: a minute
		VideoSockets:    uint32(sockets.Video),                //nolint:gosec // G115: ten at most
		ScreenShare:     sockets.Screen,
	}
	if sockets.Audio == Unmixed {
		req.Audio = mediahostv1.AudioMode_AUDIO_MODE_UNMIXED
	}
	reply, err := l.client.CreateSession(ctx, req)
	switch {
	case err != nil:
		return "", fmt.Errorf("create a session on %s: %w", l.opts.Address, err)
	case reply.GetEpoch() != state.Info.Epoch:
		return "", fmt.Errorf("create a session on %s: %w", l.opts.Address, ErrEpoch)
	case reply.GetBlob() == "":
		return "", fmt.Errorf("create a session on %s: the host returned no blob", l.opts.Address)
	}
	return reply.GetBlob(), nil
}

// StopSession disposes of a session's sockets. reason goes to the host's log:
// no content, no names.
func (l *Link) StopSession(ctx context.Context, id, reason string) error {
	_, err := l.client.StopSession(ctx, &mediahostv1.StopSessionRequest{SessionId: id, Reason: reason})
	if err != nil {
		return fmt.Errorf("stop session on %s: %w", l.opts.Address, err)
	}
	return nil
}

// A Message is the packed frames of one message.
type Message struct {
	link   *Link
	packed []byte
}

// An Item is one frame of a message. Owner is nil where the handle is nobody's.
// Where Fault is not nil the frame broke the contract and is not there.
type Item struct {
	Owner Owner
	Frame frame.Frame
	Fault *frame.PackError
}

// Items appends the message's frames to dst, in order. A frame that breaks the
// contract is an item of its own and the others are not affected, as long as it
// can be told where they begin. The items are only valid as long as the message.
func (m Message) Items(dst []Item) []Item {
	rest := m.packed
	add := func(handle uint32, f frame.Frame) error {
		dst = append(dst, Item{Owner: m.link.table.owner(handle), Frame: f})
		return nil
	}
	for len(rest) > 0 {
		bad, ok := errors.AsType[*frame.PackError](frame.Unpack(rest, add))
		if !ok {
			break
		}
		// Nothing was added yet: what is before the fault is fine.
		_ = frame.Unpack(rest[:bad.Offset], add)
		dst = append(dst, Item{Owner: m.link.table.owner(bad.Handle), Fault: bad})
		rest = rest[bad.Offset:]
		rest = rest[min(packedLength(rest), len(rest)):]
	}
	return dst
}

// live are the sessions now.
func (l *Link) live() []*Session {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.liveLocked()
}

// liveLocked is live under mu.
func (l *Link) liveLocked() []*Session {
	all := make([]*Session, 0, len(l.sessions))
	for _, s := range l.sessions {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b *Session) int { return int(a.handle) - int(b.handle) })
	return all
}
