package media

import (
	"context"
	"crypto/tls"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	pb "github.com/recorderbot/recorderbot/internal/media/link/mediahostv1"
)

// A testHost is a media host with a memory but without a clock: frames come
// when the test says so. It keeps the contract, and breaks it where told to.
type testHost struct {
	pb.UnimplementedMediaHostServer

	tb   testing.TB
	tls  *tls.Config
	addr string

	mu       sync.Mutex
	info     *pb.HostInfo
	server   *grpc.Server
	sessions map[string]*testSession
	order    []*testSession
	current  *testLink
	attaches []*pb.Attach
	stopped  []string
	refuse   error         // CreateSession's answer
	hang     chan struct{} // CreateSession waits for it
	muteOpen bool          // Open is not answered
	mutePaus bool          // Pause is not answered
	muteAtt  bool          // Attach is not answered
	refused  pb.AttachRefused_Reason
	ringMost int // frames that the ring holds; 0: all
}

// A testLink is one stream.
type testLink struct {
	mu     sync.Mutex
	stream grpc.BidiStreamingServer[pb.ToHost, pb.FromHost]
}

func (l *testLink) send(m *pb.FromHost) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.stream.Send(m) // a cut is what some tests are about
}

func newTestHost(tb testing.TB, ca *authority, id string) *testHost {
	tb.Helper()
	h := &testHost{tb: tb, tls: ca.server(tb), sessions: map[string]*testSession{}, info: &pb.HostInfo{
		HostId: id, Epoch: "epoch-1", Region: "EUNO", Health: pb.Health_HEALTH_NORMAL, Capacity: 100_000,
		SdkVersion: "1.33", SdkReleased: frame.Ticks(time.Now().Add(-48 * time.Hour)),
	}}
	h.start()
	tb.Cleanup(h.stop)
	return h
}

// start listens, at the same address as before.
func (h *testHost) start() {
	h.tb.Helper()
	addr := h.addr
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	var lis net.Listener
	var err error
	for range 100 { // the port may still be on its way back to us
		if lis, err = (&net.ListenConfig{}).Listen(context.Background(), "tcp", addr); err == nil {
			break
		}
		<-time.After(10 * time.Millisecond)
	}
	if err != nil {
		h.tb.Fatal(err)
	}
	h.addr = lis.Addr().String()
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(h.tls)), grpc.InitialWindowSize(8<<20), grpc.InitialConnWindowSize(16<<20))
	pb.RegisterMediaHostServer(server, h)
	h.mu.Lock()
	h.server = server
	h.mu.Unlock()
	go func() { _ = server.Serve(lis) }()
}

// stop breaks all connections and listens no more. Sessions stay.
func (h *testHost) stop() {
	h.mu.Lock()
	server := h.server
	h.server = nil
	h.mu.Unlock()
	if server != nil {
		server.Stop()
	}
}

// restart is another process at the same address.
func (h *testHost) restart() {
	h.stop()
	h.mu.Lock()
	h.sessions = map[string]*testSession{}
	h.info.Epoch += "+"
	h.mu.Unlock()
	h.start()
}

func (h *testHost) GetInfo(context.Context, *pb.GetInfoRequest) (*pb.HostInfo, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.copyInfo(), nil
}

func (h *testHost) copyInfo() *pb.HostInfo {
	i := h.info
	return &pb.HostInfo{
		HostId: i.GetHostId(), Epoch: i.GetEpoch(), Region: i.GetRegion(), Health: i.GetHealth(), Capacity: i.GetCapacity(),
		Draining: i.GetDraining(), Sessions: i.GetSessions(), SdkVersion: i.GetSdkVersion(), SdkReleased: i.GetSdkReleased(),
	}
}

func (h *testHost) CreateSession(ctx context.Context, r *pb.CreateSessionRequest) (*pb.CreateSessionResponse, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if hang := h.hang; hang != nil {
		h.mu.Unlock()
		select {
		case <-hang:
		case <-ctx.Done():
			h.mu.Lock()
			return nil, ctx.Err()
		}
		h.mu.Lock()
	}
	if h.refuse != nil {
		return nil, h.refuse
	}
	if h.sessions[r.GetSessionId()] == nil {
		s := &testSession{host: h, id: r.GetSessionId(), next: 1, made: r}
		h.sessions[s.id] = s
		h.order = append(h.order, s)
	}
	return &pb.CreateSessionResponse{Blob: "blob:" + r.GetSessionId(), Epoch: h.info.GetEpoch()}, nil
}

func (h *testHost) StopSession(_ context.Context, r *pb.StopSessionRequest) (*pb.StopSessionResponse, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stopped = append(h.stopped, r.GetSessionId())
	delete(h.sessions, r.GetSessionId())
	return &pb.StopSessionResponse{}, nil
}

func (h *testHost) Link(stream grpc.BidiStreamingServer[pb.ToHost, pb.FromHost]) error {
	l := &testLink{stream: stream}
	h.mu.Lock()
	h.current = l
	h.mu.Unlock()
	for {
		m, err := stream.Recv()
		if err != nil {
			h.mu.Lock()
			for _, s := range h.sessions {
				if s.link == l {
					s.link = nil
				}
			}
			h.mu.Unlock()
			return nil
		}
		h.mu.Lock()
		if err := h.hear(l, m); err != nil {
			h.mu.Unlock()
			h.tb.Errorf("the recorder broke the contract: %v", err)
			return err
		}
		h.mu.Unlock()
	}
}

// hear does what the recorder says, and checks that it may. Under mu.
func (h *testHost) hear(l *testLink, m *pb.ToHost) error {
	if a := m.GetAttach(); a != nil {
		return h.attach(l, a)
	}
	if h.hearVideo(l, m) {
		return nil
	}
	var handle uint32
	switch m := m.GetMessage().(type) {
	case *pb.ToHost_Open:
		handle = m.Open.GetHandle()
	case *pb.ToHost_Pause:
		handle = m.Pause.GetHandle()
	case *pb.ToHost_Detach:
		handle = m.Detach.GetHandle()
	case *pb.ToHost_Acks:
		seen := map[uint32]bool{}
		for _, a := range m.Acks.GetAcks() {
			if seen[a.GetHandle()] {
				return status.Errorf(codes.InvalidArgument, "two acks for handle %d in one message", a.GetHandle())
			}
			seen[a.GetHandle()] = true
			if s := h.byHandle(l, a.GetHandle()); s != nil {
				if a.GetDurableSeq() >= s.next || a.GetDurableSeq() < s.acked {
					return status.Errorf(codes.InvalidArgument, "ack %d after %d, next is %d", a.GetDurableSeq(), s.acked, s.next)
				}
				s.acked = a.GetDurableSeq()
				s.ackMsgs++
				s.ring = slices.DeleteFunc(s.ring, func(f frame.Frame) bool { return f.Seq <= s.acked })
			}
		}
		return nil
	}
	s := h.byHandle(l, handle)
	if s == nil {
		return nil // stopped in the meantime
	}
	switch m.GetMessage().(type) {
	case *pb.ToHost_Open:
		s.opens++
		if !h.muteOpen {
			s.open = true
			l.send(&pb.FromHost{Message: &pb.FromHost_Opened{Opened: &pb.Opened{Handle: handle, FirstSeq: s.next}}})
		}
	case *pb.ToHost_Pause:
		s.open = false
		s.pauses++
		if !h.mutePaus {
			l.send(&pb.FromHost{Message: &pb.FromHost_Paused{Paused: &pb.Paused{Handle: handle, LastSeq: s.next - 1}}})
		}
	case *pb.ToHost_Detach:
		s.link = nil
	}
	return nil
}

func (h *testHost) byHandle(l *testLink, handle uint32) *testSession {
	for _, s := range h.sessions {
		if s.link == l && s.handle == handle {
			return s
		}
	}
	return nil
}

func (h *testHost) attach(l *testLink, a *pb.Attach) error {
	h.attaches = append(h.attaches, a)
	if h.muteAtt {
		return nil
	}
	s := h.sessions[a.GetSessionId()]
	reason := h.refused
	switch {
	case reason != 0:
	case s == nil:
		reason = pb.AttachRefused_REASON_UNKNOWN_SESSION
	case a.GetLease() <= s.lease:
		reason = pb.AttachRefused_REASON_STALE_LEASE
	case h.byHandle(l, a.GetHandle()) != nil:
		return status.Errorf(codes.InvalidArgument, "handle %d in use", a.GetHandle())
	}
	if reason != 0 {
		l.send(&pb.FromHost{Message: &pb.FromHost_AttachRefused{AttachRefused: &pb.AttachRefused{Handle: a.GetHandle(), Reason: reason}}})
		return nil
	}
	if a.GetFromSeq() != s.acked+1 && a.GetFromSeq() <= s.acked {
		return status.Errorf(codes.InvalidArgument, "from %d, acknowledged %d", a.GetFromSeq(), s.acked)
	}
	s.link, s.handle, s.lease = l, a.GetHandle(), a.GetLease()
	oldest := uint64(0)
	var again []byte
	for _, f := range s.ring {
		if f.Seq >= a.GetFromSeq() {
			if oldest == 0 {
				oldest = f.Seq
			}
			again = frame.AppendPacked(again, s.handle, f)
		}
	}
	l.send(&pb.FromHost{Message: &pb.FromHost_Attached{Attached: &pb.Attached{
		Handle: s.handle, OldestSeq: oldest, NextSeq: s.next, Open: s.open,
	}}})
	s.sendPacked(again)
	return nil
}

// session waits for the nth session that the host has made.
func (h *testHost) session(n int) *testSession {
	h.tb.Helper()
	var s *testSession
	eventually(h.tb, "a session on the host", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		if len(h.order) > n {
			s = h.order[n]
		}
		return s != nil
	})
	return s
}

func (h *testHost) change(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
}

// tell sends the host's info as it is now.
func (h *testHost) tell() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.current.send(&pb.FromHost{Message: &pb.FromHost_Info{Info: h.copyInfo()}})
}
