package media

import (
	"testing"
	"time"

	pb "github.com/recorderbot/recorderbot/internal/media/link/mediahostv1"
	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// TestOpenIsUnanswered: a host that never confirms Open opens no gate, then or
// later, and the cause says so.
func TestOpenIsUnanswered(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	h := w.hosts[0]
	h.change(func() { h.muteOpen = true })
	w.invite("c")
	hs := h.session(0)
	s := w.placed("c")
	eventually(t, "an armed gate", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.gate == gateArmed
	})
	hs.raw(canary(1))
	w.refused(s, beforeOpened, 1)
	armed := time.Now()
	w.onEnd = func(recorder.CallID) {
		hs.say(&pb.FromHost{Message: &pb.FromHost_Opened{Opened: &pb.Opened{Handle: hs.handle, FirstSeq: 1}}})
		hs.raw(canary(1), canary(2))
		w.refused(s, afterSeal, 2)
	}
	eventually(t, "failed", func() bool { return w.heard("c failed") })
	if took := time.Since(armed); took > 2*time.Second {
		t.Errorf("failed was announced after %v", took)
	}
	end := w.end("c")
	if end.Outcome != recorder.OutcomeFailed || end.Cause != recorder.CauseMediaSilentAtOpen {
		t.Errorf("%+v", end)
	}
	w.whole(w.report("c").Recording)
	w.close()
	if w.onDisk(canaryBytes) {
		t.Error("a frame that nothing allowed is on the disk")
	}
}

// TestAttachIsUnanswered: a host that takes the session and says no more.
func TestAttachIsUnanswered(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.hosts[0].change(func() { w.hosts[0].muteAtt = true })
	w.invite("c")
	if end := w.end("c"); end.Outcome != recorder.OutcomeFailed || end.Cause != recorder.CauseMediaSilentAtOpen {
		t.Errorf("%+v", end)
	}
}

// TestCallEndsDuringOpen: the seal does not wait for an Open that waits, and a
// call that ended before anything came is no failure.
func TestCallEndsDuringOpen(t *testing.T) {
	t.Parallel()
	for name, mute := range map[string]func(*testHost){
		"attaching": func(h *testHost) { h.muteAtt = true },
		"opening":   func(h *testHost) { h.muteOpen = true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, worldOptions{})
			w.hosts[0].change(func() { mute(w.hosts[0]) })
			w.invite("c")
			s := w.placed("c")
			eventually(t, "Open", func() bool { return len(s.turns) == 1 })
			began := time.Now()
			w.hangUp("c")
			end := w.end("c")
			if took := time.Since(began); took > time.Second {
				t.Errorf("it took %v", took)
			}
			if end.Outcome != recorder.OutcomeNotRecorded {
				t.Errorf("%+v", end)
			}
		})
	}
}

// TestDeadPeer: the network swallows everything without a word. The link notices,
// connects again, and nothing is lost.
func TestDeadPeer(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	h := newTestHost(t, ca, "host-a")
	p := newPipe(t, h.addr)
	w := blankWorld(t, worldOptions{})
	w.hosts = []*testHost{h}
	w.begin([]string{p.addr}, ca.client(t), worldOptions{}, spool.Options{SegmentSize: 4 << 20})
	s, hs := w.record("c")
	hs.capture(50)
	w.stored(s, 50)
	p.freeze()
	hs.capture(50)
	began := time.Now()
	w.down(s)
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("noticed after %v", took)
	}
	hs.capture(50)
	p.thaw()
	w.stored(s, 150)
	w.hangUp("c")
	end := w.end("c")
	w.whole(w.report("c").Recording, upTo(1, 150)...)
	if end.Outcome != recorder.OutcomeRecorded {
		t.Errorf("%+v", end)
	}
}

// TestOpenDuringCut: Open waits a little for a link that is down.
func TestOpenDuringCut(t *testing.T) {
	t.Parallel()
	for name, back := range map[string]bool{"comes back": true, "stays away": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, worldOptions{asks: true})
			h := w.hosts[0]
			w.invite("c")
			h.session(0)
			s := w.placed("c")
			eventually(t, "attachment", func() bool {
				return s.link.Attached()
			})
			h.stop()
			w.down(s)
			close(w.consent)
			if back {
				h.start()
				_, hs := w.opened("c")
				hs.capture(5)
				w.stored(s, 5)
				w.hangUp("c")
				w.end("c")
				w.whole(w.report("c").Recording, upTo(1, 5)...)
				return
			}
			if end := w.end("c"); end.Outcome != recorder.OutcomeFailed || end.Cause != recorder.CauseMediaLost {
				t.Errorf("%+v", end)
			}
		})
	}
}

// TestOpenedIsLostInTheCut: the host opened, but its Opened never arrived.
func TestOpenedIsLostInTheCut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	h := w.hosts[0]
	h.change(func() { h.muteOpen = true })
	w.invite("c")
	hs := h.session(0)
	s := w.placed("c")
	eventually(t, "an armed gate", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.gate == gateArmed
	})
	h.stop()
	w.down(s)
	h.change(func() { h.muteOpen, hs.open = false, true })
	hs.capture(7)
	h.start()
	w.stored(s, 7)
	w.hangUp("c")
	w.end("c")
	w.whole(w.report("c").Recording, upTo(1, 7)...)
}
