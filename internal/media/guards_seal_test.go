package media

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// A taker hands the recorder's orders to a test, which carries them out, or not.
type taker struct {
	*Service

	permits chan recorder.Permit
	orders  chan recorder.SealOrder
}

func (t *taker) Open(_ context.Context, p recorder.Permit) (recorder.Opened, error) {
	t.permits <- p
	return recorder.Opened{At: time.Now()}, nil
}

func (t *taker) Seal(ctx context.Context, o recorder.SealOrder) (recorder.SealReport, error) {
	t.orders <- o
	<-ctx.Done() // the permit is the test's until then
	return recorder.SealReport{}, ctx.Err()
}

// ordered takes a call through its recording, and returns the permit that was granted
// and the order that ended it.
func (w *world) ordered(id recorder.CallID, end func()) (recorder.Permit, recorder.SealOrder) {
	w.tb.Helper()
	t := &taker{w.service, make(chan recorder.Permit, 1), make(chan recorder.SealOrder, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	w.tb.Cleanup(cancel)
	w.registry = recorder.NewRegistry(ctx, recorder.Options{Platform: w, Media: t, Ledger: w})
	w.tb.Cleanup(func() { cancel(); _ = w.registry.Wait(context.Background()) })
	w.registry.Invite(recorder.Invite{
		Call: recorder.CallRef{ID: id, Platform: string(id), Tenant: "t"}, At: time.Now(), ObservedParticipant: "p",
	})
	permit := <-t.permits
	end()
	return permit, <-t.orders
}

// TestSealWithdraws: when Seal returns the permit is gone, whatever there was to seal.
func TestSealWithdraws(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]bool{"a recording": true, "nothing": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, worldOptions{})
			permit, order := w.ordered("c", func() { w.hangUp("c") })
			s, _ := w.made("d")
			w.service.mu.Lock()
			w.service.sessions["c"] = s // the call's own was released with its end
			w.service.mu.Unlock()
			if open {
				if _, err := w.service.Open(t.Context(), permit); err != nil {
					t.Fatal(err)
				}
			}
			if !permit.Live() || !order.Graceful {
				t.Fatalf("%v, graceful %v", permit, order.Graceful)
			}
			report, err := w.service.Seal(t.Context(), order)
			if err != nil || open != (report.Recording != "") {
				t.Errorf("%+v %v", report, err)
			}
			if permit.Live() || s.gate != gateShut {
				t.Errorf("%v, gate %d", permit, s.gate)
			}
		})
	}
}

// TestAbruptSealShutsFirst: before it waits for anybody.
func TestAbruptSealShutsFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	_, order := w.ordered("c", func() { w.registry.StopAll(recorder.CauseShutdown, true) })
	s, hs := w.made("d")
	w.service.mu.Lock()
	w.service.sessions["c"] = s
	w.service.mu.Unlock()
	s.turns <- struct{}{} // somebody else's turn
	sealed := make(chan error, 1)
	go func() {
		_, err := w.service.Seal(t.Context(), order)
		sealed <- err
	}()
	<-s.ending
	w.service.mu.Lock()
	delete(w.service.sessions, "c") // so that the release at the call's end does not find it
	w.service.mu.Unlock()
	eventually(t, "a gate that is shut", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.gate == gateShut
	})
	eventually(t, "Pause", func() bool { return hs.state().pauses > 0 })
	<-s.turns
	if err := <-sealed; err != nil {
		t.Error(err)
	}
}

// TestSealGivenUp: it says so, counts as failed, and is finished later.
func TestSealGivenUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	permit, order := w.ordered("c", func() { w.hangUp("c") })
	s, _ := w.made("d")
	w.service.mu.Lock()
	w.service.sessions["c"] = s
	w.service.mu.Unlock()
	if _, err := w.service.Open(t.Context(), permit); err != nil {
		t.Fatal(err)
	}
	s.turns <- struct{}{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.service.Seal(ctx, order); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if n := w.metric(`recorderbot_seal_seconds_count{outcome="sealed"}`); n != 0 {
		t.Errorf("%v counted as sealed", n)
	}
	eventually(t, "a gate that is shut", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.gate == gateShut && !permit.Live()
	})
	<-s.turns
	eventually(t, "the late seal", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return len(w.late) == 1 && w.late[0].Recording == s.recording.ID()
	})
}

// TestSealThatFails: it says of which call, and is counted so.
func TestSealThatFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	permit, order := w.ordered("c", func() { w.hangUp("c") })
	s, hs := w.made("d")
	w.service.mu.Lock()
	w.service.sessions["c"] = s
	w.service.mu.Unlock()
	if _, err := w.service.Open(t.Context(), permit); err != nil {
		t.Fatal(err)
	}
	w.stall(hs)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := w.service.Seal(ctx, order); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "call c") {
		t.Errorf("%v", err)
	}
	if n := w.metric(`recorderbot_seal_seconds_count{outcome="failed"}`); n != 1 {
		t.Errorf("%v counted as failed", n)
	}
}

// TestWithdrawnDrainsNoMore: a seal in good order that turns into a failed one does
// not wait for the host's last frame.
func TestWithdrawnDrainsNoMore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.hosts[0].change(func() { w.hosts[0].mutePaus = true })
	permit, order := w.ordered("c", func() { w.hangUp("c") })
	s, hs := w.made("d")
	w.service.mu.Lock()
	w.service.sessions["c"] = s
	w.service.mu.Unlock()
	if _, err := w.service.Open(t.Context(), permit); err != nil {
		t.Fatal(err)
	}
	sealed := make(chan struct{})
	go func() {
		defer close(sealed)
		_, _ = w.service.Seal(t.Context(), order)
	}()
	eventually(t, "Pause", func() bool { return hs.state().pauses > 0 })
	w.registry.StopAll(recorder.CauseShutdown, true)
	select {
	case <-sealed:
	case <-time.After(pausedLimit / 2):
		t.Error("the seal waits though the permit is gone")
	}
	if end, _ := s.ended(); end != sealAbrupt {
		t.Errorf("it ended %s", end)
	}
}
