package media

import (
	"errors"
	"strings"
	"testing"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// failures is what Options.OnFailure was told so far.
func (w *world) failures() []error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]error(nil), w.broken...)
}

// TestStorageFails: law 3 for every recording, no new calls, and the process is
// told, once, that it must end.
func TestStorageFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	_, hs := w.record("a")
	w.record("b")
	hs.capture(3)
	if err := w.service.Failed(); err != nil || len(w.failures()) > 0 {
		t.Errorf("failed before anything happened: %v %v", err, w.failures())
	}
	planted := errors.New("planted")
	w.service.OnFailure(planted)
	w.service.OnFailure(errors.New("another"))
	for _, id := range []recorder.CallID{"a", "b"} {
		if end := w.end(id); end.Outcome != recorder.OutcomeFailed || end.Cause != recorder.CauseStorageFailed {
			t.Errorf("%+v", end)
		}
	}
	if _, err := w.service.CreateSession(t.Context(), recorder.CallRef{ID: "c"}, ""); !errors.Is(err, recorder.ErrNoMediaHost) {
		t.Errorf("a new call was taken: %v", err)
	}
	if got := w.failures(); len(got) != 1 || !errors.Is(got[0], planted) {
		t.Errorf("the process was told %v", got)
	}
	if err := w.service.Failed(); !errors.Is(err, planted) || strings.Contains(err.Error(), "another") {
		t.Errorf("Failed says %v", err)
	}
}
