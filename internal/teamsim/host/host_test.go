package host_test

import (
	"errors"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/recorderbot/recorderbot/internal/media/link/mediahostv1"
	"github.com/recorderbot/recorderbot/internal/teamsim/host"
	"github.com/recorderbot/recorderbot/internal/teamsim/trace"
)

func TestFramesAreExactFromOpenToPaused(t *testing.T) {
	t.Parallel()
	log := trace.New()
	h := newHost(t, host.Options{Trace: log})
	c := dial(t, h)
	blob := create(t, c, "s1")
	l := openLink(t, c)
	if a := l.attach("s1", 7, 1, 1); a.GetNextSeq() != 1 || a.GetOldestSeq() != 0 || a.GetOpen() {
		t.Fatalf("Attached %v", a)
	}
	h.Advance(time.Second) // not connected
	if err := h.Connect(blob); err != nil {
		t.Fatal(err)
	}
	h.Advance(500 * time.Millisecond) // connected, not open: dropped at the source
	if first := l.open(7); first != 1 {
		t.Fatalf("Opened{%d}", first)
	}
	h.Advance(time.Second)
	frames := l.frames(7, 1, 50)
	l.pause(7)
	l.paused(50)
	h.Advance(time.Second)
	if first := l.open(7); first != 51 {
		t.Fatalf("opened again: first %d", first)
	}
	h.Advance(20 * time.Millisecond)
	again := l.frames(7, 51, 51)
	l.pause(7)
	l.paused(51)
	l.pause(7)
	l.paused(51) // idempotent

	r := h.Records()[0]
	for i, f := range frames {
		position := int64(25+i) * host.FrameSamples
		wantPayload(t, r, f, position)
		if want := r.MediaStart + position*host.TicksPerSample; f.time != want {
			t.Errorf("%v: media time %d, want %d", f, f.time, want)
		}
	}
	wantPayload(t, r, again[0], 125*host.FrameSamples)
	if len(r.Periods) != 2 || r.Periods[0].LastSeq != 50 || r.Periods[1].FirstSeq != 51 || r.Periods[1].LastSeq != 51 {
		t.Errorf("periods %+v", r.Periods)
	}
	l.ack(7, 51)
	e, err := log.Wait(t.Context(), func(e trace.Event) bool { return e.Kind == trace.LastAck && e.Seq == 51 })
	if err != nil || e.Session != "s1" {
		t.Errorf("LastAck: %v, %v", e, err)
	}
}

func TestCreateSessionIsStrictAndIdempotent(t *testing.T) {
	t.Parallel()
	h := newHost(t, host.Options{Capacity: 2})
	c := dial(t, h)
	blob := create(t, c, "s1")
	if again := create(t, c, "s1"); again != blob {
		t.Errorf("another blob for the same session: %s, %s", blob, again)
	}
	if b, err := host.ParseBlob(blob); err != nil || b.Session != "s1" || b.Host != h.ID() {
		t.Errorf("blob %+v, %v", b, err)
	}
	create(t, c, "s2")
	for name, m := range map[string]*pb.CreateSessionRequest{
		"no id":   {Audio: pb.AudioMode_AUDIO_MODE_MIXED},
		"no mode": {SessionId: "x"},
		"video":   {SessionId: "x", Audio: pb.AudioMode_AUDIO_MODE_MIXED, VideoSockets: 11},
	} {
		if _, err := c.CreateSession(t.Context(), m); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
	mixed := &pb.CreateSessionRequest{SessionId: "s3", Audio: pb.AudioMode_AUDIO_MODE_MIXED}
	if _, err := c.CreateSession(t.Context(), mixed); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("beyond capacity: %v", err)
	}
	for range 2 {
		if _, err := c.StopSession(t.Context(), &pb.StopSessionRequest{SessionId: "s1"}); err != nil {
			t.Errorf("stop: %v", err)
		}
	}
	if err := h.Connect(blob); !errors.Is(err, host.ErrNoSession) {
		t.Errorf("connect after stop: %v", err)
	}
	if err := h.Connect("{}"); err == nil {
		t.Error("an empty blob was taken")
	}
	info, err := c.GetInfo(t.Context(), &pb.GetInfoRequest{})
	if err != nil || info.GetSessions() != 1 || info.GetCapacity() != 2 || info.GetHostId() != h.ID() || info.GetEpoch() == "" {
		t.Errorf("info %v, %v", info, err)
	}
}

func TestHigherLeaseFencesLower(t *testing.T) {
	t.Parallel()
	h := newHost(t, host.Options{})
	first, c, _ := recording(t, h)
	h.Advance(100 * time.Millisecond)
	first.frames(1, 1, 5)
	first.ack(1, 2)
	second := openLink(t, dial(t, h))
	if reason := second.refused("s1", 9, 0); reason != pb.AttachRefused_REASON_STALE_LEASE {
		t.Errorf("stale lease: %v", reason)
	}
	if reason := second.refused("none", 9, 5); reason != pb.AttachRefused_REASON_UNKNOWN_SESSION {
		t.Errorf("unknown session: %v", reason)
	}
	create(t, c, "s2")
	if reason := first.refused("s2", 1, 1); reason != pb.AttachRefused_REASON_HANDLE_IN_USE {
		t.Errorf("handle in use: %v", reason)
	}
	if a := second.attach("s1", 9, 2, 4); !a.GetOpen() || a.GetNextSeq() != 6 || a.GetOldestSeq() != 3 {
		t.Errorf("Attached %v", a)
	}
	if g := first.next(); g.message.GetDetached().GetByLease() != 2 || g.message.GetDetached().GetHandle() != 1 {
		t.Errorf("want Detached by lease 2, got %v", g)
	}
	h.Advance(20 * time.Millisecond)
	second.frames(9, 4, 6)
	if reason := first.refused("s1", 1, 1); reason != pb.AttachRefused_REASON_STALE_LEASE {
		t.Errorf("the fenced one came back: %v", reason)
	}
	if a := first.attach("s1", 1, 2, 7); a.GetNextSeq() != 7 { // the same lease: the newest link wins
		t.Errorf("Attached %v", a)
	}
	if g := second.next(); g.message.GetDetached() == nil {
		t.Errorf("want Detached, got %v", g)
	}
}

func TestCutLosesNothingThatFitsTheRing(t *testing.T) {
	t.Parallel()
	h := newHost(t, host.Options{})
	l, c, _ := recording(t, h, host.Fault{Kind: host.FaultCut, At: 200 * time.Millisecond, For: 100 * time.Millisecond})
	h.Advance(200 * time.Millisecond)
	l.frames(1, 1, 10)
	l.ack(1, 6)
	h.Advance(400 * time.Millisecond)
	l.broken()
	l = openLink(t, c)
	if a := l.attach("s1", 3, 1, 7); !a.GetOpen() {
		t.Errorf("Attached %v", a)
	}
	frames := l.frames(3, 7, 30)
	l.pause(3)
	l.paused(30)
	r := h.Records()[0]
	for _, f := range frames {
		wantPayload(t, r, f, int64(f.seq-1)*host.FrameSamples)
	}
	if len(r.Breaks) != 1 || r.Breaks[0].Up.IsZero() || r.Breaks[0].Orderly {
		t.Errorf("breaks %+v", r.Breaks)
	}
}

func TestRingOverflowIsAnnounced(t *testing.T) {
	t.Parallel()
	h := newHost(t, host.Options{Memory: 400 * time.Millisecond})
	l, c, _ := recording(t, h,
		host.Fault{Kind: host.FaultSkip, At: 300 * time.Millisecond, For: 100 * time.Millisecond},
		host.Fault{Kind: host.FaultCut, At: 220 * time.Millisecond})
	h.Advance(200 * time.Millisecond)
	l.frames(1, 1, 10)
	l.ack(1, 10)
	h.Advance(900 * time.Millisecond) // 55 frames of media, 5 of them skipped before seq 16
	l.broken()
	l = openLink(t, c)
	a := l.attach("s1", 1, 1, 11)
	if a.GetOldestSeq() != 31 || a.GetNextSeq() != 51 {
		t.Fatalf("Attached %v", a)
	}
	start := h.Records()[0].MediaStart
	if g := l.gap(11, 5); g.GetReason() != pb.Gap_REASON_OVERFLOW || g.GetFromTime() != start+10*host.TicksPerFrame || g.GetToTime() != start+15*host.TicksPerFrame {
		t.Errorf("first gap %v", g)
	}
	if g := l.gap(16, 0); g.GetReason() != pb.Gap_REASON_PLATFORM || g.GetToTime()-g.GetFromTime() != 5*host.TicksPerFrame {
		t.Errorf("skip %v", g)
	}
	l.gap(16, 15)
	l.frames(1, 31, 50)
	if r := h.Records()[0]; len(r.Overflows) != 2 || r.Overflows[1].Samples != 15*host.FrameSamples {
		t.Errorf("overflows %+v", r.Overflows)
	}
}

func TestUnattachedSessionsAreDisposedOf(t *testing.T) {
	t.Parallel()
	h := newHost(t, host.Options{})
	c := dial(t, h)
	blob := create(t, c, "s1")
	create(t, c, "s2")
	l := openLink(t, c)
	l.attach("s2", 2, 1, 1)
	h.Advance(59 * time.Second)
	if err := h.Connect(blob); err != nil {
		t.Errorf("disposed of too early: %v", err)
	}
	h.Advance(2 * time.Second)
	if err := h.Connect(blob); !errors.Is(err, host.ErrNoSession) {
		t.Errorf("not disposed of: %v", err)
	}
	rs := h.Records()
	if rs[0].ClosedFor != "orphaned" || !rs[1].Closed.IsZero() {
		t.Errorf("records %+v", rs)
	}
	l.send(&pb.ToHost{Message: &pb.ToHost_Detach{Detach: &pb.Detach{Handle: 2}}})
	if reason := l.refused("s1", 1, 1); reason != pb.AttachRefused_REASON_UNKNOWN_SESSION {
		t.Errorf("attach to an orphan: %v", reason)
	}
	h.Advance(61 * time.Second)
	if rs := h.Records(); rs[1].ClosedFor != "orphaned" {
		t.Errorf("a detached session is kept for ever: %+v", rs[1])
	}
}

func TestStopSessionIsTold(t *testing.T) {
	t.Parallel()
	h := newHost(t, host.Options{})
	l, c, _ := recording(t, h)
	if _, err := c.StopSession(t.Context(), &pb.StopSessionRequest{SessionId: "s1", Reason: "ended"}); err != nil {
		t.Fatal(err)
	}
	if g := l.next(); g.message.GetSessionClosed().GetReason() != pb.SessionClosed_REASON_STOPPED {
		t.Errorf("want SessionClosed, got %v", g)
	}
}
