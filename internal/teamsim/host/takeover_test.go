package host_test

import (
	"runtime"
	"testing"
	"time"

	pb "github.com/recorderbot/recorderbot/internal/media/link/mediahostv1"
	"github.com/recorderbot/recorderbot/internal/teamsim/host"
)

// TestHandoverLosesNothing: a session that is taken from a link that still stands
// stays open, and goes on behind what its new owner has.
func TestHandoverLosesNothing(t *testing.T) {
	t.Parallel()
	h := newHost(t, host.Options{})
	older, c, _ := recording(t, h)
	h.Advance(200 * time.Millisecond)
	older.frames(1, 1, 10)
	older.ack(1, 6)
	for h.Records()[0].Acked != 6 { // it is under way on another link than Attach
		runtime.Gosched()
	}
	newer := openLink(t, c)
	a := newer.attach("s1", 9, 2, 7)
	if !a.GetOpen() || a.GetOldestSeq() != 7 || a.GetNextSeq() != 11 {
		t.Errorf("Attached %v", a)
	}
	if d := older.next().message.GetDetached(); d.GetHandle() != 1 || d.GetByLease() != 2 {
		t.Errorf("the older link was told %v", d)
	}
	h.Advance(100 * time.Millisecond)
	newer.frames(9, 7, 15)
	if reason := older.refused("s1", 1, 1); reason != pb.AttachRefused_REASON_STALE_LEASE {
		t.Errorf("the older lease: %v", reason)
	}
	h.Advance(20 * time.Millisecond)
	newer.frames(9, 16, 16) // nothing was taken from it
	if r := h.Records()[0]; len(r.Periods) != 1 || len(r.Overflows) != 0 || r.Lease != 2 {
		t.Errorf("record %+v", r)
	}
}

// TestNumbersAcrossAPause: frames of a pause take no numbers, and media time goes
// on; what both sides of it had that is no longer held is a gap for each.
func TestNumbersAcrossAPause(t *testing.T) {
	t.Parallel()
	h := newHost(t, host.Options{Memory: 400 * time.Millisecond})
	l, c, _ := recording(t, h)
	h.Advance(200 * time.Millisecond)
	l.frames(1, 1, 10)
	l.ack(1, 4)
	l.pause(1)
	l.paused(10)
	h.Advance(300 * time.Millisecond) // the pause
	if first := l.open(1); first != 11 {
		t.Errorf("Opened %d", first)
	}
	h.Advance(100 * time.Millisecond)
	start := h.Records()[0].MediaStart
	for i, f := range l.frames(1, 11, 15) {
		if want := start + int64(25+i)*host.TicksPerFrame; f.time != want {
			t.Errorf("frame %d has time %d, want %d", f.seq, f.time, want)
		}
	}
	// All of it is forgotten, also what was captured before the pause.
	for seq := uint64(16); seq < 41; seq += 5 {
		h.Advance(100 * time.Millisecond)
		l.frames(1, seq, seq+4)
	}
	l = openLink(t, c)
	if a := l.attach("s1", 1, 2, 5); a.GetOldestSeq() != 21 || a.GetNextSeq() != 41 {
		t.Errorf("Attached %v", a)
	}
	if g := l.gap(5, 6); g.GetFromTime() != start+4*host.TicksPerFrame || g.GetToTime() != start+10*host.TicksPerFrame {
		t.Errorf("before the pause: %v", g)
	}
	if g := l.gap(11, 10); g.GetFromTime() != start+25*host.TicksPerFrame || g.GetToTime() != start+35*host.TicksPerFrame {
		t.Errorf("behind the pause: %v", g)
	}
	for i, f := range l.frames(1, 21, 40) {
		if got := f.flags&4 != 0; got != (i == 0) {
			t.Errorf("frame %d: first after a gap: %v", f.seq, got)
		}
	}
}

// TestClockStep: the times are others, and no frame is missing.
func TestClockStep(t *testing.T) {
	t.Parallel()
	h := newHost(t, host.Options{})
	l, _, _ := recording(t, h, host.Fault{Kind: host.FaultClockStep, At: 100 * time.Millisecond, For: time.Hour, Reason: "back"})
	h.Advance(200 * time.Millisecond)
	start := h.Records()[0].MediaStart
	for i, f := range l.frames(1, 1, 10) {
		want := start + int64(i)*host.TicksPerFrame
		if i >= 5 {
			want -= int64(time.Hour / 100)
		}
		if f.time != want {
			t.Errorf("frame %d has time %d, want %d", f.seq, f.time, want)
		}
	}
}

// TestMemoryIsOfTime: what is not acknowledged is forgotten when its time is over,
// also when nothing new comes.
func TestMemoryIsOfTime(t *testing.T) {
	t.Parallel()
	h := newHost(t, host.Options{Memory: time.Second})
	l, c, _ := recording(t, h)
	h.Advance(200 * time.Millisecond)
	l.frames(1, 1, 10)
	l.pause(1)
	l.paused(10)
	h.Advance(2 * time.Second)
	l = openLink(t, c)
	if a := l.attach("s1", 1, 2, 1); a.GetOpen() || a.GetOldestSeq() != 0 || a.GetNextSeq() != 11 {
		t.Errorf("Attached %v", a)
	}
	l.gap(1, 10)
}
