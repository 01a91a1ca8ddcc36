package host_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"

	pb "github.com/recorderbot/recorderbot/internal/media/link/mediahostv1"
	"github.com/recorderbot/recorderbot/internal/teamsim/host"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A got is one frame or one other message, as received.
type got struct {
	handle        uint32
	seq           uint64
	time, sender  int64
	stream        host.Stream
	flags, socket byte
	width, height uint16
	payload       []byte
	message       *pb.FromHost // nil for a frame
}

func (g got) String() string {
	if g.message != nil {
		return g.message.String()
	}
	return fmt.Sprintf("frame %d/%d", g.handle, g.seq)
}

// newHost starts a manual host.
func newHost(t *testing.T, opt host.Options) *host.Host {
	t.Helper()
	opt.Manual = opt.Speed == 0
	noise := rand.New(rand.NewPCG(1, 2))
	pcm := make([]int16, 7*16000+11)
	for i := range pcm {
		pcm[i] = int16(noise.Int())
	}
	opt.Audio = func(string) *host.Audio { return host.NewAudio(pcm) }
	h, err := host.New(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h
}

func dial(t *testing.T, h *host.Host, options ...grpc.DialOption) pb.MediaHostClient {
	t.Helper()
	if len(options) == 0 {
		options = append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))
	}
	options = append(options, grpc.WithConnectParams(grpc.ConnectParams{
		MinConnectTimeout: 5 * time.Second,
		Backoff:           backoff.Config{BaseDelay: 10 * time.Millisecond, Multiplier: 1.1, MaxDelay: 20 * time.Millisecond},
	}))
	conn, err := grpc.NewClient(h.Addr(), options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return pb.NewMediaHostClient(conn)
}

func create(t *testing.T, c pb.MediaHostClient, id string) string {
	t.Helper()
	r, err := c.CreateSession(t.Context(), &pb.CreateSessionRequest{
		SessionId: id, Audio: pb.AudioMode_AUDIO_MODE_MIXED, UnattachedTtlMs: 60_000,
	}, grpc.WaitForReady(true))
	if err != nil {
		t.Fatal(err)
	}
	return r.GetBlob()
}

// A tlink is the recorder's end of a link.
type tlink struct {
	t      *testing.T
	stream pb.MediaHost_LinkClient
	in     chan got
	err    error // set before in is closed
}

func openLink(t *testing.T, c pb.MediaHostClient) *tlink {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	stream, err := c.Link(ctx, grpc.WaitForReady(true))
	if err != nil {
		t.Fatal(err)
	}
	l := &tlink{t: t, stream: stream, in: make(chan got, 1<<16)}
	t.Cleanup(func() {
		cancel()
		for range l.in {
		}
	})
	go l.read()
	l.info()
	return l
}

func (l *tlink) read() {
	defer close(l.in)
	for {
		m, err := l.stream.Recv()
		if err != nil {
			l.err = err
			return
		}
		if f := m.GetFrames(); f != nil {
			if n := len(f.GetPacked()); n > 64<<10 && n != 48+int(binary.LittleEndian.Uint32(f.GetPacked())) {
				l.t.Errorf("a message of %d bytes, with more than a frame", n)
			}
			for b := f.GetPacked(); len(b) > 0; {
				n := binary.LittleEndian.Uint32(b)
				l.in <- got{
					handle: binary.LittleEndian.Uint32(b[4:]), seq: binary.LittleEndian.Uint64(b[8:]),
					time: int64(binary.LittleEndian.Uint64(b[16:])), sender: int64(binary.LittleEndian.Uint64(b[24:])),
					stream: host.Stream{Kind: b[36], Source: binary.LittleEndian.Uint32(b[32:])}, flags: b[37], socket: b[38],
					width: binary.LittleEndian.Uint16(b[40:]), height: binary.LittleEndian.Uint16(b[42:]), payload: b[48 : 48+n],
				}
				if b[39] != 0 || binary.LittleEndian.Uint32(b[44:]) != 0 {
					l.t.Errorf("frame %d: what is to be zero is not", binary.LittleEndian.Uint64(b[8:]))
				}
				b = b[48+n:]
			}
			continue
		}
		l.in <- got{message: m}
	}
}

func (l *tlink) send(m *pb.ToHost) {
	l.t.Helper()
	if err := l.stream.Send(m); err != nil {
		l.t.Fatalf("send: %v", err)
	}
}

// next returns what comes next; HostInfo is skipped.
func (l *tlink) next() got {
	l.t.Helper()
	for {
		select {
		case g, ok := <-l.in:
			if !ok {
				l.t.Fatalf("the link ended: %v", l.err)
			}
			if g.message.GetInfo() == nil {
				return g
			}
		case <-time.After(5 * time.Second):
			l.t.Fatal("nothing came")
		}
	}
}

// broken waits for the link to end.
func (l *tlink) broken() {
	l.t.Helper()
	timeout := time.After(5 * time.Second)
	for {
		select {
		case _, ok := <-l.in:
			if !ok {
				return
			}
		case <-timeout:
			l.t.Fatal("the link still stands")
		}
	}
}

// info waits for the greeting.
func (l *tlink) info() *pb.HostInfo {
	l.t.Helper()
	g := <-l.in
	if g.message.GetInfo() == nil {
		l.t.Fatalf("a link begins with HostInfo, got %v", g)
	}
	return g.message.GetInfo()
}

func (l *tlink) attach(id string, handle uint32, lease, from uint64) *pb.Attached {
	l.t.Helper()
	l.send(&pb.ToHost{Message: &pb.ToHost_Attach{Attach: &pb.Attach{SessionId: id, Handle: handle, Lease: lease, FromSeq: from}}})
	g := l.next()
	if g.message.GetAttached() == nil {
		l.t.Fatalf("want Attached, got %v", g)
	}
	return g.message.GetAttached()
}

func (l *tlink) refused(id string, handle uint32, lease uint64) pb.AttachRefused_Reason {
	l.t.Helper()
	l.send(&pb.ToHost{Message: &pb.ToHost_Attach{Attach: &pb.Attach{SessionId: id, Handle: handle, Lease: lease, FromSeq: 1}}})
	g := l.next()
	if g.message.GetAttachRefused() == nil {
		l.t.Fatalf("want AttachRefused, got %v", g)
	}
	return g.message.GetAttachRefused().GetReason()
}

func (l *tlink) open(handle uint32) uint64 {
	l.t.Helper()
	l.send(&pb.ToHost{Message: &pb.ToHost_Open{Open: &pb.Open{Handle: handle}}})
	g := l.next()
	if g.message.GetOpened() == nil {
		l.t.Fatalf("want Opened, got %v", g)
	}
	return g.message.GetOpened().GetFirstSeq()
}

func (l *tlink) pause(handle uint32) {
	l.t.Helper()
	l.send(&pb.ToHost{Message: &pb.ToHost_Pause{Pause: &pb.Pause{Handle: handle}}})
}

func (l *tlink) ack(handle uint32, seq uint64) {
	l.t.Helper()
	l.send(&pb.ToHost{Message: &pb.ToHost_Acks{Acks: &pb.Acks{Acks: []*pb.Ack{{Handle: handle, DurableSeq: seq}}}}})
}

// frames expects the frames first to last of a handle, and returns them.
func (l *tlink) frames(handle uint32, first, last uint64) []got {
	l.t.Helper()
	var out []got
	for seq := first; seq <= last; seq++ {
		g := l.next()
		if g.message != nil || g.handle != handle || g.seq != seq {
			l.t.Fatalf("want frame %d/%d, got %v", handle, seq, g)
		}
		out = append(out, g)
	}
	return out
}

// paused expects Paused, with nothing before.
func (l *tlink) paused(last uint64) {
	l.t.Helper()
	g := l.next()
	if p := g.message.GetPaused(); p == nil || p.GetLastSeq() != last {
		l.t.Fatalf("want Paused{%d}, got %v", last, g)
	}
}

func (l *tlink) gap(first, count uint64) *pb.Gap {
	l.t.Helper()
	g := l.next()
	if m := g.message.GetGap(); m == nil || m.GetFirstSeq() != first || m.GetCount() != count {
		l.t.Fatalf("want Gap{%d, %d}, got %v", first, count, g)
	}
	return g.message.GetGap()
}

// recording is a session that is open on a link under handle 1.
func recording(t *testing.T, h *host.Host, faults ...host.Fault) (*tlink, pb.MediaHostClient, string) {
	t.Helper()
	c := dial(t, h)
	blob := create(t, c, "s1")
	if err := h.Connect(blob); err != nil {
		t.Fatal(err)
	}
	if err := h.Inject(blob, faults...); err != nil {
		t.Fatal(err)
	}
	l := openLink(t, c)
	l.attach("s1", 1, 1, 1)
	if first := l.open(1); first != 1 {
		t.Fatalf("Opened{%d}", first)
	}
	return l, c, blob
}

// wantPayload checks a frame against the audio of its session.
func wantPayload(t *testing.T, r host.SessionRecord, g got, position int64) {
	t.Helper()
	want := make([]int16, host.FrameSamples)
	r.Audio.Samples(position, want)
	if len(g.payload) != 2*len(want) {
		t.Fatalf("%v: %d bytes", g, len(g.payload))
	}
	for i, s := range want {
		if int16(binary.LittleEndian.Uint16(g.payload[2*i:])) != s {
			t.Fatalf("%v: sample %d differs from position %d", g, i, position)
		}
	}
}
