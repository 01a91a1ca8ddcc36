package referee_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"

	pb "github.com/recorderbot/recorderbot/internal/media/link/mediahostv1"
	"github.com/recorderbot/recorderbot/internal/teamsim/host"
	"github.com/recorderbot/recorderbot/internal/teamsim/referee"
	"github.com/recorderbot/recorderbot/internal/teamsim/speech"
	"github.com/recorderbot/recorderbot/internal/teamsim/trace"
)

// A bot is a minimal recorder that keeps the laws, but for its fault. It speaks
// gRPC with a real simulated host, and writes its part of the cloud's trace
// itself.
type bot struct {
	t     *testing.T
	fault string
	log   *trace.Log
	h     *host.Host
	call  string
	n     int // announcements

	client pb.MediaHostClient
	link   pb.MediaHost_LinkClient
	blob   string
	frames map[uint64]stored
	high   uint64 // highest seq stored
	first  uint64 // Opened
	last   uint64 // Paused; 0: not yet
	failed bool   // the host told that the media is lost
	open   bool
	early  bool // the host has FaultEarly
	lease  uint64
	begin  int64    // media time that the recording begins at; 0: with its first frame
	cuts   []uint64 // last seq of each recording but the last
	kill   func()   // breaks the link
}

type stored struct {
	time    int64
	payload []byte
}

const session = "5f0c1b1e-0000-4000-8000-000000000001"

// conversation is decoded once for all tests.
var conversation = sync.OnceValues(func() (*host.Audio, error) {
	pcm, err := speech.Mix(30)
	return host.NewAudio(pcm), err
})

// play runs one call of about a second of media, and returns what is to be
// judged.
func play(t *testing.T, fault string, hostFaults ...host.Fault) referee.Input {
	t.Helper()
	speak, err := conversation()
	if err != nil {
		t.Fatal(err)
	}
	audio := func(string) *host.Audio { return speak }
	log := trace.New()
	h, err := host.New(host.Options{Trace: log, Speed: 10, Memory: 8 * time.Second, Faults: hostFaults, Audio: audio})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	b := &bot{t: t, fault: fault, log: log, h: h, call: uuid.NewString(), frames: make(map[uint64]stored), lease: 1}
	for _, f := range hostFaults {
		b.early = b.early || f.Kind == host.FaultEarly
	}
	b.connect()
	b.answer()
	b.record()
	b.finish()
	dir := t.TempDir()
	b.store(dir)
	if b.is("no outcome") {
		return referee.Input{Trace: log.Events(), Sessions: h.Records(), Blobs: map[string]string{b.call: b.blob}, ArchiveDir: dir, Outcomes: map[string][]string{}}
	}
	return referee.Input{
		Trace: log.Events(), Sessions: h.Records(), Blobs: map[string]string{b.call: b.blob}, ArchiveDir: dir,
	}
}

func (b *bot) is(fault string) bool { return b.fault == fault }

func (b *bot) saw(e trace.Event) {
	e.Call = b.call
	b.log.Add(e)
}

// announce is a request and its reply, as the cloud would trace them.
func (b *bot) announce(status string) {
	b.n++
	clientContext := fmt.Sprintf("%s/%d/%s", b.call, b.n, status)
	if b.is("context reused") {
		clientContext = b.call + "/1/recording"
	}
	if b.is("context of another call") {
		clientContext = uuid.NewString() + "/1/" + status
	}
	if b.is("no context") {
		clientContext = ""
	}
	b.saw(trace.Event{Kind: trace.StatusReceived, Status: status, Context: clientContext})
	reply := trace.Event{Kind: trace.StatusReplied, Status: status, Context: clientContext, HTTP: 200, Progress: "completed"}
	if b.is("recording refused") && status == "recording" {
		reply.HTTP, reply.Progress, reply.Code = 403, "", "8506"
	}
	b.saw(reply)
}

func (b *bot) connect() {
	conn, err := grpc.NewClient(b.h.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: 5 * time.Millisecond, Multiplier: 1, MaxDelay: 5 * time.Millisecond}, MinConnectTimeout: time.Second}))
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = conn.Close() })
	b.client = pb.NewMediaHostClient(conn)
}

func (b *bot) answer() {
	invite := trace.Event{Kind: trace.InviteSent, At: time.Now()}
	if b.is("answer too late") {
		invite.At = invite.At.Add(-6 * time.Second)
	}
	b.saw(invite)
	b.saw(trace.Event{Kind: trace.InviteReplied, HTTP: 202})
	r, err := b.client.CreateSession(b.t.Context(), &pb.CreateSessionRequest{SessionId: session, Audio: pb.AudioMode_AUDIO_MODE_MIXED})
	if err != nil {
		b.t.Fatal(err)
	}
	b.blob = r.GetBlob()
	if b.is("never answered") {
		return
	}
	b.saw(trace.Event{Kind: trace.AnswerReceived})
	if err := b.h.Connect(b.blob); err != nil {
		b.t.Fatal(err)
	}
	b.attach()
}

// attach opens a link and takes the session onto it, where the last one ended.
func (b *bot) attach() {
	ctx, cancel := context.WithCancel(b.t.Context())
	b.kill = cancel
	b.t.Cleanup(cancel)
	link, err := b.client.Link(ctx, grpc.WaitForReady(true))
	if err != nil {
		b.t.Fatal(err)
	}
	b.link = link
	b.send(&pb.ToHost{Message: &pb.ToHost_Attach{Attach: &pb.Attach{SessionId: session, Handle: 1, Lease: b.lease, FromSeq: b.high + 1}}})
}

func (b *bot) send(m *pb.ToHost) {
	if err := b.link.Send(m); err != nil {
		b.t.Logf("send: %v", err) // Recv will tell
	}
}

func (b *bot) pause() {
	b.send(&pb.ToHost{Message: &pb.ToHost_Pause{Pause: &pb.Pause{Handle: 1}}})
}

func (b *bot) ack() {
	b.send(&pb.ToHost{Message: &pb.ToHost_Acks{Acks: &pb.Acks{Acks: []*pb.Ack{{Handle: 1, DurableSeq: b.high}}}}})
}

// record is the time from established to sealed.
func (b *bot) record() {
	if b.is("never answered") {
		return
	}
	b.saw(trace.Event{Kind: trace.CallEstablished})
	if b.early {
		b.wait(50 * time.Millisecond) // the host sends what it must not
	}
	openNow := func() {
		b.send(&pb.ToHost{Message: &pb.ToHost_Open{Open: &pb.Open{Handle: 1}}})
		b.open = true
	}
	if b.is("gate open early") {
		openNow()
		b.until(func() bool { return b.high >= 10 })
	}
	if !b.is("never announced") {
		b.announce("recording")
	}
	if b.is("never opened") || b.is("recording refused") {
		return
	}
	if !b.open {
		openNow()
	}
	b.until(b.enough)
	switch {
	case strings.HasPrefix(b.fault, "taken over"):
		b.takeOver()
	case b.is("announced again"):
		b.wait(20 * time.Millisecond)
		b.announce("recording")
		b.wait(20 * time.Millisecond)
	case strings.HasPrefix(b.fault, "paused"):
		b.pause()
		b.until(func() bool { return b.last > 0 })
		b.acknowledged()
		b.announce("notRecording")
		if !b.is("paused within a recording") {
			b.cuts = append(b.cuts, b.last)
		}
		b.wait(30 * time.Millisecond)
		if !b.is("paused and resumed without asking") {
			b.announce("recording")
		}
		b.first, b.last = 0, 0
		openNow()
		b.until(b.enough)
	}
}

// takeOver: the process dies; another one finds what is durable and goes on.
func (b *bot) takeOver() {
	if !b.is("taken over into one recording") {
		b.cuts = append(b.cuts, b.high)
	}
	b.kill()
	b.saw(trace.Event{Kind: trace.BotStopped, Detail: "killed"})
	if b.is("taken over by nobody") {
		b.wait(30 * time.Millisecond)
		b.saw(trace.Event{Kind: trace.BotStarted})
		b.open = false // it does nothing about the call
		return
	}
	if strings.HasPrefix(b.fault, "taken over late") {
		b.wait(1200 * time.Millisecond) // the host forgets
	}
	b.saw(trace.Event{Kind: trace.BotStarted})
	if !b.is("taken over under the old lease") {
		b.lease = 2
	}
	b.first, b.last = 0, 0
	if b.is("taken over with a hole") {
		b.wait(100 * time.Millisecond) // there are as many
		b.high += 10
	}
	if b.is("taken over before it is allowed") {
		b.attach()
		b.until(b.enough)
	}
	b.announce("recording")
	if !b.is("taken over before it is allowed") {
		b.attach() // still open: the frames come at once
	}
	b.until(b.enough)
}

// enough: half a second of media.
func (b *bot) enough() bool {
	begin := b.first
	for _, cut := range b.cuts {
		begin = max(begin, cut)
	}
	return b.first > 0 && b.high >= begin+60 || b.failed
}

// until takes what comes until done. A broken link is opened again.
func (b *bot) until(done func() bool) {
	deadline := time.Now().Add(10 * time.Second)
	for !done() {
		if time.Now().After(deadline) {
			b.t.Fatalf("%q: the bot waits in vain: first %d, high %d, last %d", b.fault, b.first, b.high, b.last)
		}
		m, err := b.link.Recv()
		if err != nil {
			b.attach()
			continue
		}
		switch m := m.GetMessage().(type) {
		case *pb.FromHost_Frames:
			b.take(m.Frames.GetPacked())
			if !b.is("notRecording before durable") {
				b.ack()
			}
		case *pb.FromHost_Attached:
			if m.Attached.GetOpen() && b.first == 0 {
				b.first = b.high + 1
			}
		case *pb.FromHost_Opened:
			b.first = m.Opened.GetFirstSeq()
		case *pb.FromHost_Paused:
			b.last = max(1, m.Paused.GetLastSeq())
		case *pb.FromHost_StreamFailure, *pb.FromHost_SessionClosed, *pb.FromHost_AttachRefused, *pb.FromHost_Detached:
			b.failed = true
		}
	}
}

// take is the gate.
func (b *bot) take(packed []byte) {
	for len(packed) > 0 {
		n := binary.LittleEndian.Uint32(packed)
		seq := binary.LittleEndian.Uint64(packed[8:])
		payload := packed[48 : 48+n]
		mine := binary.LittleEndian.Uint32(packed[4:]) == 1 && n == 640
		inTime := b.first > 0 && (b.last == 0 || seq <= b.last)
		if mine && (inTime || b.is("stores early frames") && b.first == 0 || b.is("stores late frames") && b.last > 0) {
			b.frames[seq] = stored{int64(binary.LittleEndian.Uint64(packed[16:])), bytes.Clone(payload)}
			b.high = max(b.high, seq)
		}
		packed = packed[48+n:]
	}
}

// finish is the end: pause, seal, announce, leave.
func (b *bot) finish() {
	defer func() { b.saw(trace.Event{Kind: trace.HangUpReceived}); b.saw(trace.Event{Kind: trace.CallEnded}) }()
	if !b.open {
		if b.is("recording refused") {
			b.wait(30 * time.Millisecond)
		}
		return
	}
	switch {
	case b.failed && !b.is("failed missing"):
		b.announce("failed")
		return
	case b.is("notRecording before paused"):
		b.announce("notRecording")
	case b.is("recording continued"):
		b.announce("notRecording")
		high := b.high
		b.until(func() bool { return b.high > high+20 })
	}
	b.pause()
	if b.failed {
		b.announce("notRecording")
		return
	}
	b.until(func() bool { return b.last > 0 })
	if b.is("stores late frames") {
		last := b.last
		b.until(func() bool { return b.high > last+3 })
	}
	if b.is("notRecording before durable") {
		b.last = b.high
		b.announce("notRecording")
		b.wait(100 * time.Millisecond)
		b.ack()
	}
	if _, err := b.client.GetInfo(b.t.Context(), &pb.GetInfoRequest{}); err != nil {
		b.t.Fatal(err)
	}
	b.acknowledged()
	if !b.is("notRecording before paused") && !b.is("recording continued") && !b.is("notRecording before durable") && !b.is("notRecording missing") {
		b.announce("notRecording")
	}
}

// acknowledged waits until the host has got the last acknowledgement.
func (b *bot) acknowledged() {
	ctx, cancel := context.WithTimeout(b.t.Context(), 5*time.Second)
	defer cancel()
	_, err := b.log.Wait(ctx, func(e trace.Event) bool { return e.Kind == trace.LastAck && e.Seq >= b.last })
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bot) wait(d time.Duration) {
	select {
	case <-time.After(d):
	case <-b.t.Context().Done():
	}
}
