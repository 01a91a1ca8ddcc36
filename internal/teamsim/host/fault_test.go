package host_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/recorderbot/recorderbot/internal/media/link/mediahostv1"
	"github.com/recorderbot/recorderbot/internal/teamsim/host"
)

const afterGap = 4

func TestGapIsAnnouncedWithItsCount(t *testing.T) {
	t.Parallel()
	h := newHost(t, host.Options{})
	l, _, _ := recording(t, h, host.Fault{Kind: host.FaultGap, At: 100 * time.Millisecond, For: 200 * time.Millisecond, Reason: "host"})
	h.Advance(time.Second)
	l.frames(1, 1, 5)
	if g := l.gap(6, 10); g.GetReason() != pb.Gap_REASON_HOST || g.GetToTime()-g.GetFromTime() != 10*host.TicksPerFrame {
		t.Errorf("gap %v", g)
	}
	frames := l.frames(1, 16, 50)
	if frames[0].flags&afterGap == 0 || frames[1].flags&afterGap != 0 {
		t.Error("the flag is not on the first frame after the gap alone")
	}
	wantPayload(t, h.Records()[0], frames[0], 15*host.FrameSamples)
}

func TestGapIsRepeatedAfterReattachUntilAcknowledged(t *testing.T) {
	t.Parallel()
	h := newHost(t, host.Options{})
	l, c, _ := recording(t, h,
		host.Fault{Kind: host.FaultGap, At: 100 * time.Millisecond, For: 100 * time.Millisecond},
		host.Fault{Kind: host.FaultSkip, At: 300 * time.Millisecond, For: 100 * time.Millisecond})
	h.Advance(600 * time.Millisecond)
	l.frames(1, 1, 5)
	l.gap(6, 5)
	l.frames(1, 11, 15)
	l.gap(16, 0)
	l.frames(1, 16, 25)
	l.ack(1, 5)
	again := openLink(t, c)
	again.attach("s1", 1, 1, 6)
	again.gap(6, 5)
	again.frames(1, 11, 15)
	again.gap(16, 0)
	again.frames(1, 16, 25)
	again.ack(1, 15)
	third := openLink(t, c)
	third.attach("s1", 1, 1, 16)
	third.gap(16, 0)
	third.frames(1, 16, 25)
	third.ack(1, 16)
	fourth := openLink(t, c)
	fourth.attach("s1", 1, 1, 17)
	fourth.frames(1, 17, 25)
}

func TestHolesAndJumps(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind     host.FaultKind
		nextSeq  uint64
		announce bool
	}{
		{host.FaultHole, 11, false},
		{host.FaultSkip, 6, true},
		{host.FaultSilentSkip, 6, false},
	} {
		t.Run(string(c.kind), func(t *testing.T) {
			t.Parallel()
			h := newHost(t, host.Options{})
			l, _, _ := recording(t, h, host.Fault{Kind: c.kind, At: 100 * time.Millisecond, For: 100 * time.Millisecond})
			h.Advance(400 * time.Millisecond)
			l.frames(1, 1, 5)
			if c.announce {
				l.gap(6, 0)
			}
			frames := l.frames(1, c.nextSeq, c.nextSeq+9)
			l.pause(1)
			l.paused(c.nextSeq + 9)
			r := h.Records()[0]
			wantPayload(t, r, frames[0], 10*host.FrameSamples)
			if frames[0].time != r.MediaStart+10*host.TicksPerFrame {
				t.Errorf("media time %d", frames[0].time-r.MediaStart)
			}
			if len(r.Gaps) != 1 || r.Gaps[0].Announced != c.announce || r.Gaps[0].Samples != 5*host.FrameSamples {
				t.Errorf("gaps %+v", r.Gaps)
			}
		})
	}
}

func TestOddFrames(t *testing.T) {
	t.Parallel()
	h := newHost(t, host.Options{})
	at := func(frame int) time.Duration { return time.Duration(frame) * 20 * time.Millisecond }
	l, _, _ := recording(t, h,
		host.Fault{Kind: host.FaultDuplicate, At: at(2)},
		host.Fault{Kind: host.FaultMalformed, At: at(4)},
		host.Fault{Kind: host.FaultAbsurdTime, At: at(6), Frames: 3},
		host.Fault{Kind: host.FaultUnknownHandle, At: at(10)})
	h.Advance(at(12))
	l.frames(1, 1, 3)
	l.frames(1, 3, 4)
	if f := l.frames(1, 5, 5); len(f[0].payload) != 638 {
		t.Errorf("malformed frame has %d bytes", len(f[0].payload))
	}
	odd := l.frames(1, 6, 10)
	start := h.Records()[0].MediaStart
	if odd[1].time <= start+24*3600*10_000_000 || odd[2].time != -1 || odd[3].time != 0 || odd[4].time != start+9*host.TicksPerFrame {
		t.Errorf("times %d %d %d %d", odd[1].time, odd[2].time, odd[3].time, odd[4].time)
	}
	l.frames(1, 11, 11)
	l.frames(0xDEADBEEF, 11, 11)
	l.frames(1, 12, 12)
	for _, f := range odd {
		wantPayload(t, h.Records()[0], f, int64(f.seq-1)*host.FrameSamples)
	}
}

func TestFramesOutsideTheOpenTime(t *testing.T) {
	t.Parallel()
	h := newHost(t, host.Options{Faults: []host.Fault{{Kind: host.FaultEarly, Frames: 3}, {Kind: host.FaultLate, Frames: 2}}})
	c := dial(t, h)
	blob := create(t, c, "s1")
	if err := h.Connect(blob); err != nil {
		t.Fatal(err)
	}
	l := openLink(t, c)
	l.attach("s1", 1, 1, 1)
	h.Advance(100 * time.Millisecond)
	l.frames(1, 1, 3)
	if first := l.open(1); first != 4 {
		t.Fatalf("Opened{%d}", first)
	}
	h.Advance(100 * time.Millisecond)
	l.frames(1, 4, 8)
	l.pause(1)
	l.paused(8)
	h.Advance(100 * time.Millisecond)
	l.frames(1, 9, 10)
	r := h.Records()[0]
	if len(r.Runs) != 3 || !r.Runs[0].Outside || r.Runs[1].Outside || !r.Runs[2].Outside {
		t.Errorf("runs %+v", r.Runs)
	}
}

func TestSilenceOnControl(t *testing.T) {
	t.Parallel()
	h := newHost(t, host.Options{Faults: []host.Fault{{Kind: host.FaultNeverOpened}}})
	c := dial(t, h)
	if err := h.Connect(create(t, c, "s1")); err != nil {
		t.Fatal(err)
	}
	l := openLink(t, c)
	l.attach("s1", 1, 1, 1)
	l.send(&pb.ToHost{Message: &pb.ToHost_Open{Open: &pb.Open{Handle: 1}}})
	if reason := l.refused("none", 2, 1); reason != pb.AttachRefused_REASON_UNKNOWN_SESSION { // Open has been read by now
		t.Error(reason)
	}
	h.Advance(200 * time.Millisecond)
	if first := l.open(1); first != 1 { // and nothing came in between
		t.Errorf("Opened{%d}", first)
	}

	h2 := newHost(t, host.Options{})
	l2, _, _ := recording(t, h2, host.Fault{Kind: host.FaultNeverPaused})
	h2.Advance(100 * time.Millisecond)
	l2.frames(1, 1, 5)
	l2.pause(1)
	if reason := l2.refused("none", 2, 1); reason != pb.AttachRefused_REASON_UNKNOWN_SESSION {
		t.Error(reason)
	}
	h2.Advance(100 * time.Millisecond)
	l2.pause(1)
	l2.paused(5)
}

func TestSessionsEndByThemselves(t *testing.T) {
	t.Parallel()
	for _, kind := range []host.FaultKind{host.FaultSessionClosed, host.FaultStreamFailure, host.FaultDetached} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			h := newHost(t, host.Options{})
			l, _, _ := recording(t, h, host.Fault{Kind: kind, At: 100 * time.Millisecond})
			h.Advance(200 * time.Millisecond)
			if kind != host.FaultDetached { // a fenced link gets nothing more
				l.frames(1, 1, 5)
			}
			g := l.next()
			switch kind { //nolint:exhaustive // the three of this test
			case host.FaultSessionClosed:
				if g.message.GetSessionClosed().GetReason() != pb.SessionClosed_REASON_PLATFORM {
					t.Errorf("got %v", g)
				}
			case host.FaultStreamFailure:
				if g.message.GetStreamFailure() == nil {
					t.Errorf("got %v", g)
				}
			default:
				if g.message.GetDetached().GetByLease() != 2 {
					t.Errorf("got %v", g)
				}
			}
		})
	}
}

func TestCloseOnDisconnect(t *testing.T) {
	t.Parallel()
	h := newHost(t, host.Options{})
	l, _, blob := recording(t, h, host.Fault{Kind: host.FaultCloseOnDisconnect})
	h.Advance(100 * time.Millisecond)
	h.Disconnect(blob)
	h.Advance(100 * time.Millisecond)
	l.frames(1, 1, 5)
	if g := l.next(); g.message.GetSessionClosed() == nil {
		t.Errorf("got %v", g)
	}
}

func TestKillLosesEverything(t *testing.T) {
	t.Parallel()
	h := newHost(t, host.Options{})
	l, c, blob := recording(t, h)
	before, err := c.GetInfo(t.Context(), &pb.GetInfoRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if err = h.InjectHost(host.Fault{Kind: host.FaultKill}); err != nil {
		t.Fatal(err)
	}
	l.broken()
	again := openLink(t, c)
	if reason := again.refused("s1", 1, 9); reason != pb.AttachRefused_REASON_UNKNOWN_SESSION {
		t.Errorf("attach after death: %v", reason)
	}
	after, err := c.GetInfo(t.Context(), &pb.GetInfoRequest{})
	if err != nil || after.GetEpoch() == before.GetEpoch() || after.GetHostId() != before.GetHostId() {
		t.Errorf("%v, then %v, %v", before, after, err)
	}
	h.Disconnect(blob) // changes nothing
	if blob == create(t, c, "s1") {
		t.Error("the new epoch gave the old blob")
	}
	if err = h.Connect(blob); !errors.Is(err, host.ErrNoSession) {
		t.Errorf("the old blob reached a session of the new epoch: %v", err)
	}
}

func TestStallKeepsTheLinkAndTheFrames(t *testing.T) {
	t.Parallel()
	h := newHost(t, host.Options{})
	l, _, _ := recording(t, h, host.Fault{Kind: host.FaultStall, At: 100 * time.Millisecond, For: time.Second})
	h.Advance(80 * time.Millisecond)
	l.frames(1, 1, 4)
	h.Advance(time.Second)
	select {
	case g := <-l.in:
		if g.seq > 5 {
			t.Errorf("%v during the stall", g)
		}
	default:
	}
	h.Advance(time.Second)
	for seq := uint64(0); seq < 104; {
		seq = l.next().seq
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	m := &pb.CreateSessionRequest{SessionId: "s1", Audio: pb.AudioMode_AUDIO_MODE_MIXED}
	for name, c := range map[string]struct {
		fault host.Fault
		want  codes.Code
	}{
		"exhausted":   {host.Fault{Kind: host.FaultRefuse}, codes.ResourceExhausted},
		"unavailable": {host.Fault{Kind: host.FaultRefuse, Reason: "unavailable"}, codes.Unavailable},
		"hang":        {host.Fault{Kind: host.FaultRefuse, Reason: "hang"}, codes.DeadlineExceeded},
		"overload":    {host.Fault{Kind: host.FaultOverload}, codes.ResourceExhausted},
		"drain":       {host.Fault{Kind: host.FaultDrain}, codes.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, host.Options{})
			client := dial(t, h)
			l := openLink(t, client)
			if err := h.InjectHost(c.fault); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			if _, err := client.CreateSession(ctx, m); status.Code(err) != c.want {
				t.Errorf("got %v", err)
			}
			if info := l.infoAfter(c.fault.Kind); info != nil && info.GetHealth() == pb.Health_HEALTH_NORMAL && !info.GetDraining() {
				t.Errorf("info %v", info)
			}
		})
	}
}

// infoAfter returns the HostInfo that a fault leads to; nil where it leads to none.
func (l *tlink) infoAfter(kind host.FaultKind) *pb.HostInfo {
	l.t.Helper()
	if kind != host.FaultOverload && kind != host.FaultDrain {
		return nil
	}
	return l.info()
}

func TestFaultsAreChecked(t *testing.T) {
	t.Parallel()
	h := newHost(t, host.Options{})
	blob := create(t, dial(t, h), "s1")
	for _, f := range []host.Fault{
		{Kind: "nonsense"},
		{Kind: host.FaultGap},
		{Kind: host.FaultGap, For: time.Second, Reason: "because"},
		{Kind: host.FaultRefuse, Reason: "because"},
		{Kind: host.FaultCut, At: -1},
	} {
		if err := h.Inject(blob, f); err == nil {
			t.Errorf("%+v was taken", f)
		}
	}
	if err := h.InjectHost(host.Fault{Kind: host.FaultGap, For: time.Second}); err == nil {
		t.Error("a session's fault was taken for the host")
	}
}

func TestASlowLinkOverflowsTheRing(t *testing.T) {
	t.Parallel()
	h := newHost(t, host.Options{Memory: 400 * time.Millisecond})
	l, _, _ := recording(t, h, host.Fault{Kind: host.FaultStall, At: 0, For: time.Second})
	h.Advance(1100 * time.Millisecond)
	gone := uint64(0)
	for g := l.next(); ; g = l.next() {
		if m := g.message.GetGap(); m != nil {
			if m.GetFirstSeq() != gone+1 || m.GetReason() != pb.Gap_REASON_OVERFLOW {
				t.Fatalf("after frame %d: %v", gone, m)
			}
			gone += m.GetCount()
			continue
		}
		if gone++; g.seq != gone {
			t.Fatalf("want frame %d, got %v", gone, g)
		}
		if gone == 55 {
			break
		}
	}
	if r := h.Records()[0]; len(r.Overflows) == 0 {
		t.Error("no overflow in the record")
	}
}
