package media

import (
	"errors"
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/recorder"
	"github.com/recorderbot/recorderbot/internal/recorder/recordertest"
)

// nothing checks that a call was sealed without a recording, and that no host
// was ever told to open.
func (w *world) nothing(id recorder.CallID, s *session, hs *testSession) {
	w.tb.Helper()
	if end := w.end(id); end.Outcome != recorder.OutcomeNotRecorded {
		w.tb.Errorf("%+v", end)
	}
	if r := w.report(id); r.Recording != "" || r.Frames != 0 || r.Samples != 0 || r.GapSamples != 0 {
		w.tb.Errorf("%+v", r)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gate != gateShut || s.recording != nil || hs.state().open {
		w.tb.Errorf("gate %d, recording %v, host %+v", s.gate, s.recording, hs.state().open)
	}
}

// TestCallEndsBeforeOpen: the call ends after consent and before Open: there is
// nothing to seal, and Open, when it comes, opens nothing.
func TestCallEndsBeforeOpen(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	consented, goOn := make(chan struct{}), make(chan struct{})
	w.onPermit = func() {
		close(consented)
		<-goOn
	}
	w.invite("c")
	<-consented
	s, hs := w.placed("c"), w.hosts[0].session(0)
	w.hangUp("c")
	w.end("c")
	close(goOn)
	w.close() // Open has returned
	w.nothing("c", s, hs)
}

// TestCallEndsDuringBegin: the same while the evidence waits for the disk.
func TestCallEndsDuringBegin(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	_, other := w.record("other")
	letGo := w.stall(other)
	w.invite("c")
	s := w.placed("c")
	eventually(t, "Begin", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.beginning
	})
	hs := w.onHost(s)
	began := time.Now()
	w.hangUp("c")
	w.nothing("c", s, hs)
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %v", took)
	}
	letGo()
	w.hangUp("other")
	if end := w.end("other"); end.Outcome != recorder.OutcomeRecorded {
		t.Errorf("%+v", end)
	}
}

// TestShutStaysShut: what is shut for good can't be opened with a live permit
// either: nothing is begun, and the host hears no Open.
func TestShutStaysShut(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*session){
		"shut":   func(s *session) { s.shut() },
		"ending": func(s *session) { s.end.Do(func() { close(s.ending) }) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, worldOptions{})
			if _, err := w.service.CreateSession(t.Context(), recorder.CallRef{ID: "c"}, recorder.Placement{}); err != nil {
				t.Fatal(err)
			}
			s, hs := w.placed("c"), w.hosts[0].session(0)
			eventually(t, "attachment", s.link.Attached)
			end(s)
			_, err := w.service.Open(t.Context(), recordertest.Permit(t, "c"))
			if !errors.Is(err, ErrEnding) {
				t.Errorf("%v", err)
			}
			if s.recording != nil || hs.state().open {
				t.Errorf("recording %v, host open %v", s.recording, hs.state().open)
			}
		})
	}
}
