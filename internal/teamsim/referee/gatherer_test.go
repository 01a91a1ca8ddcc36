package referee_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"

	pb "github.com/recorderbot/recorderbot/internal/media/link/mediahostv1"
	"github.com/recorderbot/recorderbot/internal/teamsim/footage"
	"github.com/recorderbot/recorderbot/internal/teamsim/host"
	"github.com/recorderbot/recorderbot/internal/teamsim/referee"
	"github.com/recorderbot/recorderbot/internal/teamsim/speech"
	"github.com/recorderbot/recorderbot/internal/teamsim/trace"
)

// A gatherer is a recorder of unmixed audio, cameras and screens that keeps the laws,
// but for its fault.
type gatherer struct {
	t     *testing.T
	fault string
	log   *trace.Log
	h     *host.Host
	call  string
	n     int

	client  pb.MediaHostClient
	link    pb.MediaHost_LinkClient
	blob    string
	watched map[uint32]uint32 // socket → source
	frames  map[uint64]gathered
	gaps    []*pb.Gap
	high    uint64 // all numbers up to it came, or were told of
	open    bool
	first   uint64
	last    uint64 // Paused
	paused  bool
	failed  bool
	lease   uint64
	cuts    []uint64 // last number of each recording but the last
	kill    func()   // breaks the link
	start   int64    // media time of the beginning
}

type gathered struct {
	seq     uint64
	time    int64
	stream  host.Stream
	key     bool
	payload []byte
}

const (
	ada, bob, cyd = 11, 12, 13
	adaSeen       = 21
	bobSeen       = 22
	slides        = 31
)

// voices are decoded once for all tests. They begin in the middle of a word.
var voices = sync.OnceValues(func() (heard [2]*host.Audio, err error) {
	for i, who := range []speech.Speaker{speech.A, speech.B} {
		pcm, e := speech.Voice(who)
		heard[i], err = host.NewAudio(pcm).From(8000), errors.Join(err, e)
	}
	return heard, err
})

// scene is about three seconds: Ada is heard twice, Bob in between, Cyd beeps; Ada's
// camera flashes, Bob's changes its size, and a screen is shared for a while.
func scene(t *testing.T) host.Cast {
	t.Helper()
	heard, err := voices()
	if err != nil {
		t.Fatal(err)
	}
	turns := func(spans ...host.Span) host.Turns { return host.Turns{Spans: spans} }
	return host.Cast{
		Speakers: []host.Speaker{
			{Source: ada, Voice: heard[0], Turns: turns(host.Span{To: 1200 * ms}, host.Span{From: 2000 * ms})},
			{Source: bob, Voice: heard[1], Turns: turns(host.Span{From: 800 * ms, To: 1800 * ms})},
			{Source: cyd, Voice: host.NewAudio(footage.Beep()), Turns: host.Turns{Spans: []host.Span{{To: 100 * ms}}, Every: time.Second}},
		},
		Cameras: []host.Camera{
			{Source: adaSeen, Clip: footage.Sync, On: host.Always()},
			{Source: bobSeen, Clip: footage.Camera, On: host.Always(), Sizes: []host.Size{{At: 0, Lines: 360}, {At: 1500 * ms, Lines: 180}}},
			{Source: slides, Clip: footage.Slides, Screen: true, On: turns(host.Span{From: 500 * ms, To: 2500 * ms})},
		},
		Receive: []host.Receive{{Socket: host.AllSockets, At: 50 * ms, Active: true}},
		Delay:   30 * ms,
	}
}

// gather runs one call of about three seconds of media, and returns what is to be
// judged.
func gather(t *testing.T, fault string, change func(*host.Options, *host.Cast), faults ...host.Fault) referee.Input {
	t.Helper()
	opt := host.Options{Trace: trace.New(), Speed: 10, Memory: 8 * time.Second, VideoMemory: 8 * time.Second, Faults: faults}
	cast := scene(t)
	if change != nil {
		change(&opt, &cast)
	}
	opt.Cast = func(string) (host.Cast, error) { return cast, nil }
	opt.Audio = func(string) *host.Audio { return cast.Speakers[0].Voice } // of mixed audio, which there is none of
	h, err := host.New(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	g := &gatherer{lease: 1, t: t, fault: fault, log: opt.Trace, h: h, call: uuid.NewString(), frames: map[uint64]gathered{}, watched: map[uint32]uint32{0: adaSeen, 1: bobSeen, 2: slides}}
	g.begin()
	g.record()
	g.end()
	dir := t.TempDir()
	g.archive(dir)
	return referee.Input{Trace: g.log.Events(), Sessions: h.Records(), Blobs: map[string]string{g.call: g.blob}, ArchiveDir: dir}
}

func (g *gatherer) is(fault string) bool { return g.fault == fault }

func (g *gatherer) saw(e trace.Event) {
	e.Call = g.call
	g.log.Add(e)
}

func (g *gatherer) announce(status string) {
	g.n++
	context := g.call + "/" + string(rune('0'+g.n)) + "/" + status
	g.saw(trace.Event{Kind: trace.StatusReceived, Status: status, Context: context})
	g.saw(trace.Event{Kind: trace.StatusReplied, Status: status, Context: context, HTTP: 200, Progress: "completed"})
}

func (g *gatherer) send(m *pb.ToHost) {
	if err := g.link.Send(m); err != nil {
		g.t.Logf("send: %v", err) // Recv will tell
	}
}

func (g *gatherer) begin() {
	conn, err := grpc.NewClient(g.h.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: 5 * ms, Multiplier: 1, MaxDelay: 5 * ms}, MinConnectTimeout: time.Second}))
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { _ = conn.Close() })
	g.client = pb.NewMediaHostClient(conn)
	g.saw(trace.Event{Kind: trace.InviteSent})
	g.saw(trace.Event{Kind: trace.InviteReplied, HTTP: 202})
	r, err := g.client.CreateSession(g.t.Context(), &pb.CreateSessionRequest{
		SessionId: session, Audio: pb.AudioMode_AUDIO_MODE_UNMIXED, VideoSockets: 2, ScreenShare: true,
	}, grpc.WaitForReady(true))
	if err != nil {
		g.t.Fatal(err)
	}
	g.blob = r.GetBlob()
	g.saw(trace.Event{Kind: trace.AnswerReceived})
	if err := g.h.Connect(g.blob); err != nil {
		g.t.Fatal(err)
	}
	g.start = g.h.Records()[0].MediaStart
	g.attach()
}

func (g *gatherer) attach() {
	ctx, cancel := context.WithCancel(g.t.Context())
	g.kill = cancel
	link, err := g.client.Link(ctx, grpc.WaitForReady(true))
	if err != nil {
		g.t.Fatal(err)
	}
	g.link = link
	g.send(&pb.ToHost{Message: &pb.ToHost_Attach{Attach: &pb.Attach{SessionId: session, Handle: 1, Lease: g.lease, FromSeq: g.high + 1}}})
}

func (g *gatherer) record() {
	g.saw(trace.Event{Kind: trace.CallEstablished})
	if strings.HasPrefix(g.fault, "stores early") {
		for len(g.of(host.Stream{Kind: host.KindVideo, Source: adaSeen})) < 5 { // status, subscriptions, and what must not come
			g.take()
		}
	}
	g.announce("recording")
	g.send(&pb.ToHost{Message: &pb.ToHost_Open{Open: &pb.Open{Handle: 1}}})
	switch {
	case strings.HasPrefix(g.fault, "paused"):
		g.until(1300 * ms)
		g.stop()
		g.announce("notRecording")
		if !g.is("paused within a recording") {
			g.cuts = append(g.cuts, g.last)
		}
		g.rest()
		g.announce("recording")
		g.paused = false
		g.send(&pb.ToHost{Message: &pb.ToHost_Open{Open: &pb.Open{Handle: 1}}})
	case strings.HasPrefix(g.fault, "taken over"):
		g.until(1300 * ms) // nobody speaks but Bob
		g.kill()
		g.saw(trace.Event{Kind: trace.BotStopped, Detail: "killed"})
		if !g.is("taken over into one recording") {
			g.cuts = append(g.cuts, g.high)
		}
		g.rest()
		g.saw(trace.Event{Kind: trace.BotStarted})
		g.announce("recording")
		g.lease = 2
		g.attach()
	}
	g.until(3 * time.Second)
}

// rest is a little time in which nothing is asked.
func (g *gatherer) rest() {
	select {
	case <-time.After(30 * ms):
	case <-g.t.Context().Done():
	}
}

// until takes what comes until there is so much media.
func (g *gatherer) until(media time.Duration) {
	for end := time.Now().Add(10 * time.Second); !g.failed && g.media() < media; {
		if g.take(); time.Now().After(end) {
			g.t.Fatalf("%q: the gatherer waits in vain: %v of media, %d frames, high %d, gaps %d; record %+v", g.fault, g.media(), len(g.frames), g.high, len(g.gaps), g.h.Records()[0].Breaks)
		}
	}
}

// media is how much has come.
func (g *gatherer) media() time.Duration {
	least, most := int64(1)<<62, int64(0)
	for _, f := range g.frames {
		if r := g.start; f.time >= r && f.time < r+int64(time.Minute/100) {
			least, most = min(least, f.time), max(most, f.time)
		}
	}
	return time.Duration(max(0, most-least)) * 100
}

// take takes one message.
func (g *gatherer) take() {
	m, err := g.link.Recv()
	if err != nil {
		g.attach()
		return
	}
	switch m := m.GetMessage().(type) {
	case *pb.FromHost_Frames:
		g.unpack(m.Frames.GetPacked())
		g.advance()
	case *pb.FromHost_Gap:
		if !slices.ContainsFunc(g.gaps, func(o *pb.Gap) bool {
			return o.GetFirstSeq() == m.Gap.GetFirstSeq() && o.GetSourceId() == m.Gap.GetSourceId()
		}) {
			g.gaps = append(g.gaps, m.Gap)
		}
		g.advance()
	case *pb.FromHost_ReceiveStatus:
		if m.ReceiveStatus.GetActive() {
			g.send(&pb.ToHost{Message: &pb.ToHost_Subscribe{Subscribe: &pb.Subscribe{
				Handle: 1, Socket: m.ReceiveStatus.GetSocket(), SourceId: g.watched[m.ReceiveStatus.GetSocket()], Height: 1080,
			}}})
		}
	case *pb.FromHost_SubscribeResult:
		if e := m.SubscribeResult.GetError(); e != "" {
			g.t.Errorf("subscribing: %s", e)
		}
	case *pb.FromHost_Opened:
		g.open, g.first = true, m.Opened.GetFirstSeq()
	case *pb.FromHost_Paused:
		g.paused, g.last = true, m.Paused.GetLastSeq()
	case *pb.FromHost_StreamFailure, *pb.FromHost_SessionClosed, *pb.FromHost_AttachRefused, *pb.FromHost_Detached:
		g.failed = true
	}
}

// unpack is the gate.
func (g *gatherer) unpack(b []byte) {
	for ; len(b) > 0; b = b[48+binary.LittleEndian.Uint32(b):] {
		f := gathered{
			seq: binary.LittleEndian.Uint64(b[8:]), time: int64(binary.LittleEndian.Uint64(b[16:])), key: b[37]&2 != 0,
			stream: host.Stream{Kind: b[36], Source: binary.LittleEndian.Uint32(b[32:])}, payload: bytes.Clone(b[48 : 48+binary.LittleEndian.Uint32(b)]),
		}
		inTime := g.open && f.seq >= g.first && (!g.paused || f.seq <= g.last)
		early := strings.HasPrefix(g.fault, "stores early") && !g.open || strings.HasPrefix(g.fault, "stores late") && g.paused
		sound := f.stream.Kind > host.KindUnmixed || len(f.payload) == 640
		if binary.LittleEndian.Uint32(b[4:]) == 1 && sound && (inTime || early) {
			g.frames[f.seq] = f
		}
	}
}

// advance acknowledges what follows without a hole, and what is behind one that nobody
// will fill.
func (g *gatherer) advance() {
	for seq := range g.frames {
		g.high = max(g.high, seq)
	}
	g.send(&pb.ToHost{Message: &pb.ToHost_Acks{Acks: &pb.Acks{Acks: []*pb.Ack{{Handle: 1, DurableSeq: g.high}}}}})
}

func (g *gatherer) end() {
	defer func() { g.saw(trace.Event{Kind: trace.HangUpReceived}); g.saw(trace.Event{Kind: trace.CallEnded}) }()
	if g.failed {
		g.announce("failed")
		return
	}
	g.stop()
	if strings.HasPrefix(g.fault, "stores late") {
		for n := len(g.frames); len(g.frames) < n+20; {
			g.take()
		}
	}
	g.announce("notRecording")
}

// stop pauses the host, and waits until it knows that all is durable.
func (g *gatherer) stop() {
	g.send(&pb.ToHost{Message: &pb.ToHost_Pause{Pause: &pb.Pause{Handle: 1}}})
	for !g.paused {
		g.take()
	}
	g.advance()
	if _, err := g.log.Wait(g.t.Context(), func(e trace.Event) bool { return e.Kind == trace.LastAck && e.Seq >= g.last }); err != nil {
		g.t.Fatal(err)
	}
}

// of returns a stream's frames, in order.
func (g *gatherer) of(s host.Stream) []gathered {
	var out []gathered
	for _, f := range g.frames {
		if f.stream == s {
			out = append(out, f)
		}
	}
	slices.SortFunc(out, func(a, b gathered) int { return cmp.Compare(a.seq, b.seq) })
	return out
}

// streams are all of which something came, or was told.
func (g *gatherer) streams() []host.Stream {
	var out []host.Stream
	for _, f := range g.frames {
		out = append(out, f.stream)
	}
	for _, o := range g.gaps {
		out = append(out, host.Stream{Kind: uint8(o.GetKind()), Source: o.GetSourceId()})
	}
	slices.SortFunc(out, func(a, b host.Stream) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Source, b.Source))
	})
	return slices.Compact(out)
}
