package media

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	pb "github.com/recorderbot/recorderbot/internal/media/link/mediahostv1"
	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// childEnv makes the test binary a media host: its value is a directory with
// ca.pem, cert.pem and key.pem.
const childEnv = "MEDIA_TEST_CHILD"

// The benchmarks: everything on, TLS, CRC, real spool, commits of 20 ms; the host
// is a child process, so that its CPU is not counted.
//
//	go test ./internal/media -run '^$' -bench Link -benchtime 1x
//
// and for figures that can be compared, one core for each side:
//
//	go test -c -o media.test ./internal/media
//	MEDIA_TEST_CHILD_CPU=0 taskset -c 1 ./media.test -test.run '^$' -test.bench Link -test.benchtime 1x
func BenchmarkLink1000(b *testing.B) { benchLink(b, 1000) }

func BenchmarkLink4000(b *testing.B) { benchLink(b, 4000) }

func benchLink(b *testing.B, streams int) {
	b.Helper()
	ca := newAuthority(b)
	address, stop := startChild(b, ca)
	defer stop()
	w := blankWorld(b, worldOptions{})
	w.begin([]string{address}, ca.client(b), worldOptions{}, spool.Options{})
	defer w.close()
	before := rss(b)
	for i := range streams {
		w.invite(recorder.CallID("call-" + strconv.Itoa(i)))
		if i%50 == 49 { // a call needs commits of its own; they share
			id := recorder.CallID("call-" + strconv.Itoa(i))
			eventually(b, "open gates", func() bool {
				s := w.service.session(id)
				return s != nil && s.isOpen()
			})
		}
	}
	eventually(b, "all gates", func() bool {
		for _, s := range w.service.all() {
			if !s.isOpen() {
				return false
			}
		}
		return len(w.service.all()) == streams
	})
	frames := func() float64 { return w.metric(`recorderbot_media_frames_total{kind="mixedAudio"}`) }
	for b.Loop() {
		<-time.After(time.Second) // warm
		runtime.GC()
		f0, h0, c0, t0, g0 := frames(), w.histogram("recorderbot_media_link_durable_seconds"), cpu(b), time.Now(), allocs()
		<-time.After(8 * time.Second)
		f1, h1, c1, took, g1 := frames(), w.histogram("recorderbot_media_link_durable_seconds"), cpu(b), time.Since(t0), allocs()
		got := f1 - f0
		want := float64(streams) * 50 * took.Seconds()
		if got < want*0.97 || got > want*1.03 {
			b.Errorf("%.0f frames came of %.0f: the run is void", got, want)
		}
		b.ReportMetric((c1-c0).Seconds()/(got/50/3600), "CPU-s/stream-h")
		b.ReportMetric((c1-c0).Seconds()/took.Seconds(), "cores")
		b.ReportMetric(quantile(h0, h1, 0.50)*1000, "p50-ms")
		b.ReportMetric(quantile(h0, h1, 0.99)*1000, "p99-ms")
		b.ReportMetric(float64(g1-g0)/got, "allocs/frame")
		b.ReportMetric(float64(rss(b)-before)/float64(streams)/1024, "KiB/stream")
		b.ReportMetric(float64(rss(b))/(1<<20), "RSS-MiB")
		b.ReportMetric(0, "ns/op")
	}
	for _, s := range w.service.all() {
		s.mu.Lock()
		if n := s.refused(); n > 0 || len(s.announced) > 0 {
			b.Errorf("%d frames refused", n)
		}
		s.mu.Unlock()
	}
}

func (s *session) isOpen() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gate == gateOpen
}

func cpu(b *testing.B) time.Duration {
	b.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func allocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}

func rss(b *testing.B) int64 {
	b.Helper()
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Skip("memory is read from /proc")
	}
	pages, err := strconv.ParseInt(strings.Fields(string(data))[1], 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

func (w *world) histogram(name string) *dto.Histogram {
	w.tb.Helper()
	all, err := w.reg.Gather()
	if err != nil {
		w.tb.Fatal(err)
	}
	for _, f := range all {
		if f.GetName() == name {
			return f.GetMetric()[0].GetHistogram()
		}
	}
	w.tb.Fatalf("there is no %s", name)
	return nil
}

// quantile of what came between two readings, by interpolation in its bucket.
func quantile(a, b *dto.Histogram, q float64) float64 {
	want := q * float64(b.GetSampleCount()-a.GetSampleCount())
	low, seen := 0.0, 0.0
	for i, bucket := range b.GetBucket() {
		n := float64(bucket.GetCumulativeCount() - a.GetBucket()[i].GetCumulativeCount())
		if n >= want {
			return low + (bucket.GetUpperBound()-low)*(want-seen)/max(n-seen, 1)
		}
		low, seen = bucket.GetUpperBound(), n
	}
	return low
}

func startChild(b *testing.B, ca *authority) (address string, stop func()) {
	b.Helper()
	dir := b.TempDir()
	cert := ca.issue(b)
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		b.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"ca.pem":   {Type: "CERTIFICATE", Bytes: ca.cert.Raw},
		"cert.pem": {Type: "CERTIFICATE", Bytes: cert.Certificate[0]},
		"key.pem":  {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err = os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	cmd := exec.CommandContext(b.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+dir)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err = cmd.Start(); err != nil {
		b.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(line), func() {
		_ = in.Close()
		_ = cmd.Wait()
	}
}

// runChild is the child's main: a host that plays noise in real time to
// whoever opens, until its standard input ends.
func runChild() int {
	if err := playChild(os.Getenv(childEnv)); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func playChild(dir string) error {
	if cpu, err := strconv.Atoi(os.Getenv(childEnv + "_CPU")); err == nil {
		var set unix.CPUSet
		set.Set(cpu)
		for _, id := range threads() {
			if err := unix.SchedSetaffinity(id, &set); err != nil {
				return err
			}
		}
	}
	cert, err := tls.LoadX509KeyPair(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	if err != nil {
		return err
	}
	root, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(root) {
		return errors.New("no authority")
	}
	lis, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := grpc.NewServer(grpc.ForceServerCodecV2(rawCodec{}), grpc.InitialWindowSize(8<<20), grpc.InitialConnWindowSize(16<<20),
		grpc.Creds(credentials.NewTLS(&tls.Config{
			MinVersion: tls.VersionTLS13, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert, Certificates: []tls.Certificate{cert},
		})))
	pb.RegisterMediaHostServer(server, &player{})
	_, _ = fmt.Fprintln(os.Stdout, lis.Addr())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		server.Stop()
	}()
	return server.Serve(lis)
}

// threads are this process's; those to come inherit their affinity.
func threads() (ids []int) {
	all, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return []int{0}
	}
	for _, e := range all {
		if id, err := strconv.Atoi(e.Name()); err == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

// rawCodec is protobuf, but for messages that are bytes already.
type rawCodec struct{}

type rawMessage []byte

func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	if raw, ok := v.(rawMessage); ok {
		return mem.BufferSlice{mem.SliceBuffer(raw)}, nil
	}
	b, err := proto.Marshal(v.(proto.Message))
	return mem.BufferSlice{mem.SliceBuffer(b)}, err
}

func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	return proto.Unmarshal(data.Materialize(), v.(proto.Message))
}

// A player is a media host that costs as little as it can.
type player struct {
	pb.UnimplementedMediaHostServer
}

func (*player) GetInfo(context.Context, *pb.GetInfoRequest) (*pb.HostInfo, error) {
	return &pb.HostInfo{HostId: "player", Epoch: "1", Health: pb.Health_HEALTH_NORMAL, Capacity: 1 << 20}, nil
}

func (*player) CreateSession(_ context.Context, r *pb.CreateSessionRequest) (*pb.CreateSessionResponse, error) {
	return &pb.CreateSessionResponse{Blob: r.GetSessionId(), Epoch: "1"}, nil
}

func (*player) StopSession(context.Context, *pb.StopSessionRequest) (*pb.StopSessionResponse, error) {
	return &pb.StopSessionResponse{}, nil
}

// slots is how many phases the streams have within 20 ms.
const slots = 4

type playing struct {
	seq  uint64
	open bool
	slot int
}

func (*player) Link(stream grpc.BidiStreamingServer[pb.ToHost, pb.FromHost]) error {
	var mu sync.Mutex // guards what follows, and sending
	all := map[uint32]*playing{}
	var order []uint32
	var over atomic.Bool
	defer over.Store(true)
	go func() {
		noise := make([]byte, frame.AudioBytes)
		for i := range noise {
			noise[i] = byte(rand.Uint32()) | 1
		}
		next := time.Now()
		for slot := 0; !over.Load(); slot = (slot + 1) % slots {
			next = next.Add(20 * time.Millisecond / slots)
			<-time.After(time.Until(next))
			mu.Lock()
			packed := make([]byte, 0, frame.MaxMessage)
			for _, handle := range order {
				p := all[handle]
				if !p.open || p.slot != slot {
					continue
				}
				p.seq++
				binary.LittleEndian.PutUint64(noise, p.seq)
				packed = frame.AppendPacked(packed, handle, frame.Frame{Header: frame.Header{
					Seq: p.seq, Kind: frame.MixedAudio, MediaTime: frame.Ticks(next),
				}, Payload: noise})
				if len(packed)+frame.HeaderBytes+frame.AudioBytes > frame.MaxMessage {
					_ = stream.SendMsg(envelope(packed))
					packed = make([]byte, 0, frame.MaxMessage)
				}
			}
			if len(packed) > 0 {
				_ = stream.SendMsg(envelope(packed))
			}
			mu.Unlock()
		}
	}()
	for {
		m, err := stream.Recv()
		if err != nil {
			return nil
		}
		mu.Lock()
		switch m := m.GetMessage().(type) {
		case *pb.ToHost_Attach:
			h := m.Attach.GetHandle()
			all[h] = &playing{slot: len(order) % slots}
			order = append(order, h)
			_ = stream.Send(&pb.FromHost{Message: &pb.FromHost_Attached{Attached: &pb.Attached{Handle: h, NextSeq: 1}}})
		case *pb.ToHost_Open:
			all[m.Open.GetHandle()].open = true
			_ = stream.Send(&pb.FromHost{Message: &pb.FromHost_Opened{Opened: &pb.Opened{Handle: m.Open.GetHandle(), FirstSeq: 1}}})
		case *pb.ToHost_Pause:
			p := all[m.Pause.GetHandle()]
			p.open = false
			_ = stream.Send(&pb.FromHost{Message: &pb.FromHost_Paused{Paused: &pb.Paused{Handle: m.Pause.GetHandle(), LastSeq: p.seq}}})
		}
		mu.Unlock()
	}
}

// envelope wraps packed frames as FromHost{Frames}.
func envelope(packed []byte) rawMessage {
	inner := protowire.SizeTag(1) + protowire.SizeBytes(len(packed))
	b := make([]byte, 0, inner+16)
	b = protowire.AppendTag(b, 1, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(inner))
	b = protowire.AppendTag(b, 1, protowire.BytesType)
	return protowire.AppendBytes(b, packed)
}
