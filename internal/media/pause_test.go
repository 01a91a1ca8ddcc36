package media

import (
	"testing"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// TestPauseBeforeAnythingIsBegun: an operator pauses in the moment between consent
// and Open. Nothing is recorded, and the call can be recorded all the same when it is
// resumed.
func TestPauseBeforeAnythingIsBegun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	consented, goOn := make(chan struct{}), make(chan struct{})
	first := true
	w.onPermit = func() {
		if first {
			first = false
			close(consented)
			<-goOn
		}
	}
	w.invite("c")
	<-consented
	if _, err := w.registry.Pause(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	close(goOn)
	if _, err := w.registry.Resume(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	s, hs := w.opened("c")
	hs.capture(5)
	w.stored(s, 5)
	w.hangUp("c")
	if end := w.end("c"); end.Outcome != recorder.OutcomeRecorded {
		t.Errorf("%+v", end)
	}
	if s.part != 1 || s.after != "" || s.joint != jointStart {
		t.Errorf("part %d after %q by %q", s.part, s.after, s.joint)
	}
}

// TestPauseDuringOpen: the same while the host is asked, and while the evidence waits
// for the disk: that Open was overtaken is no failure of the call.
func TestPauseDuringOpen(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.hosts[0].change(func() { w.hosts[0].muteOpen = true })
	w.invite("c")
	s := w.placed("c")
	eventually(t, "Open on the host", func() bool { return w.onHost(s).state().opens > 0 })
	if _, err := w.registry.Pause(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	w.hosts[0].change(func() { w.hosts[0].muteOpen = false })
	if _, err := w.registry.Resume(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	s, hs := w.opened("c")
	hs.capture(5)
	w.stored(s, 5)
	w.hangUp("c")
	if end := w.end("c"); end.Outcome == recorder.OutcomeFailed || len(end.Recordings) != 2 {
		t.Errorf("%+v", end)
	}
}

// TestNothingOfThePauseIsOpened: a host that has gone on numbering in a pause, and says
// that it opens with what it had then, is not believed: that was taken without leave.
func TestNothingOfThePauseIsOpened(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	_, hs := w.record("c")
	hs.capture(10)
	if _, err := w.registry.Pause(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	hs.skip(20) // 11 to 30 are of the pause
	if _, err := w.registry.Resume(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	s, _ := w.opened("c")
	s.mu.Lock()
	s.gate = gateArmed
	s.mu.Unlock()
	s.Opened(11)
	hs.skip(1) // it is sent by hand
	hs.raw(audio(11), audio(30), audio(31))
	w.stored(s, 31)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.first != 31 || s.discarded[beforeOpened] != 2 || s.missing != 0 {
		t.Errorf("from %d on, refused %v, %d missing", s.first, s.discarded, s.missing)
	}
}
