package host_test

import (
	"fmt"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	pb "github.com/recorderbot/recorderbot/internal/media/link/mediahostv1"
	"github.com/recorderbot/recorderbot/internal/teamsim/host"
)

// BenchmarkThousandMixed is a second of a thousand sessions of mixed audio, sent and
// received.
func BenchmarkThousandMixed(b *testing.B) {
	benchmark(b, 1000, &pb.CreateSessionRequest{Audio: pb.AudioMode_AUDIO_MODE_MIXED})
}

// BenchmarkHundredCallsWithAll is the same of a hundred sessions with unmixed audio, two
// cameras and a screen.
func BenchmarkHundredCallsWithAll(b *testing.B) {
	benchmark(b, 100, &pb.CreateSessionRequest{Audio: unmixed, VideoSockets: 2, ScreenShare: true})
}

func benchmark(b *testing.B, sessions uint32, r *pb.CreateSessionRequest) {
	b.Helper()
	h, err := host.New(host.Options{Manual: true, Memory: 2 * time.Second})
	if err != nil {
		b.Fatal(err)
	}
	defer h.Close()
	conn, err := grpc.NewClient(h.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	c := pb.NewMediaHostClient(conn)
	link, err := c.Link(b.Context(), grpc.WaitForReady(true))
	if err != nil {
		b.Fatal(err)
	}
	for n := range sessions {
		r.SessionId, r.UnattachedTtlMs = fmt.Sprint("s", n), 1e9
		made, err := c.CreateSession(b.Context(), r)
		if err == nil {
			err = h.Connect(made.GetBlob())
		}
		if err == nil {
			err = link.Send(&pb.ToHost{Message: &pb.ToHost_Attach{Attach: &pb.Attach{SessionId: r.GetSessionId(), Handle: n, Lease: 1, FromSeq: 1}}})
		}
		if err == nil {
			err = link.Send(&pb.ToHost{Message: &pb.ToHost_Open{Open: &pb.Open{Handle: n}}})
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	for opened := uint32(0); opened < sessions; {
		m, err := link.Recv()
		if err != nil {
			b.Fatal(err)
		}
		if m.GetOpened() != nil {
			opened++
		}
	}
	h.Advance(time.Second)
	for n := range sessions * r.GetVideoSockets() {
		handle, socket := n/r.GetVideoSockets(), n%r.GetVideoSockets()
		if err := link.Send(&pb.ToHost{Message: &pb.ToHost_Subscribe{Subscribe: &pb.Subscribe{
			Handle: handle, Socket: socket, SourceId: 201 + socket, Height: 360,
		}}}); err != nil {
			b.Fatal(err)
		}
	}
	bytes := 0
	for b.Loop() {
		done := make(chan int)
		go func() {
			n := 0
			for paused := uint32(0); paused < sessions; {
				m, err := link.Recv()
				if err != nil {
					break
				}
				n += len(m.GetFrames().GetPacked())
				if m.GetPaused() != nil {
					paused++
				}
			}
			done <- n
		}()
		h.Advance(time.Second)
		for n := range sessions {
			if err := link.Send(&pb.ToHost{Message: &pb.ToHost_Pause{Pause: &pb.Pause{Handle: n}}}); err != nil {
				b.Fatal(err)
			}
			if err := link.Send(&pb.ToHost{Message: &pb.ToHost_Open{Open: &pb.Open{Handle: n}}}); err != nil {
				b.Fatal(err)
			}
		}
		bytes += <-done
	}
	b.ReportMetric(float64(bytes)/float64(b.N), "media-B/op")
}
