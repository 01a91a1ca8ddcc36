package media

import (
	"testing"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// TestSealedLate: a seal that was given up while the disk hung is made when the
// disk answers, with all that is missing, and reported once.
func TestSealedLate(t *testing.T) {
	t.Parallel()
	for name, waiting := range map[string]int{"the seal waits for its commit": 10, "the spool takes nothing": 9000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, worldOptions{})
			s, hs := w.record("c")
			hs.capture(10)
			w.stored(s, 10)
			letGo := w.stall(hs)
			hs.capture(waiting)
			if end := w.end("c"); end.Outcome != recorder.OutcomeFailed || end.Cause != recorder.CauseStorageFailed {
				t.Errorf("%+v", end)
			}
			if n := len(w.lately()); n != 0 {
				t.Fatalf("%d late seals while the disk hangs", n)
			}
			letGo()
			eventually(t, "the late seal", func() bool { return len(w.lately()) > 0 })
			k := w.kept(s.recording.ID())
			w.close()
			late := w.lately()
			if len(late) != 1 || late[0].Recording != s.recording.ID() || k.seal == nil {
				t.Fatalf("%+v, sealed: %+v", late, k.seal)
			}
			if r := late[0]; r.Frames != uint64(len(k.seqs)) || r.Samples != r.Frames*320 || r.Frames < 11 || r.GapSamples == 0 || len(k.gaps) != 1 {
				t.Errorf("%+v, %d frames and %d gaps in the spool", r, len(k.seqs), len(k.gaps))
			}
		})
	}
}

// TestNoLateSealOfWhatIsLost: a process that has failed seals nothing any more,
// and Close does not wait for it.
func TestNoLateSealOfWhatIsLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	_, hs := w.record("c")
	w.stall(hs)
	w.end("c")
	w.service.OnFailure(errStalled)
	w.service.owned.Wait()
	if late := w.lately(); len(late) != 0 {
		t.Errorf("%+v", late)
	}
}

func (w *world) lately() []recorder.SealReport {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]recorder.SealReport(nil), w.late...)
}
