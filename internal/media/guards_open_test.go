package media

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/media/link"
	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/recorder"
	"github.com/recorderbot/recorderbot/internal/recorder/recordertest"
)

// made is a session on a host, attached, before anything was announced.
func (w *world) made(id recorder.CallID) (*session, *testSession) {
	w.tb.Helper()
	if _, err := w.service.CreateSession(w.tb.Context(), recorder.CallRef{ID: id}, recorder.Placement{}); err != nil {
		w.tb.Fatal(err)
	}
	s := w.placed(id)
	if !w.hosts[0].muteAtt {
		eventually(w.tb, "attachment", s.link.Attached)
	}
	return s, w.onHost(s)
}

// TestOpenSaysWhatItOpened: Open returns when the host has confirmed, with its
// first number, which is beside the frames, too; and it opens once.
func TestOpenSaysWhatItOpened(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	s, hs := w.made("c")
	hs.skip(6)
	permit := recordertest.Permit(t, "c")
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	opened, err := w.service.Open(ctx, permit)
	if err != nil || opened.FirstSeq != 7 || opened.At.IsZero() || opened.Recording != s.recording.ID() {
		t.Fatalf("%+v, %v", opened, err)
	}
	eventually(t, "the note beside the frames", func() bool {
		var note openedNote
		for r, err := range w.spool.Read(opened.Recording) {
			if err == nil && r.Type == spool.NoteType && r.Note.Kind == "opened" {
				err = json.Unmarshal(r.Note.Data, &note)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		return note.FirstSeq == 7
	})
	if _, err := w.service.Open(ctx, permit); err == nil {
		t.Error("opened twice")
	}
	if s.gate != gateShut {
		t.Errorf("an Open that failed leaves the gate %d", s.gate)
	}
}

// TestOpenSaysWhyNot: each way in which nothing is opened has its error, and the
// gate is shut behind it, whatever the host says later.
func TestOpenSaysWhyNot(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		host   func(*testHost)
		during func(*world, *session, context.CancelFunc) // once the gate is armed, or at once where it can't be
		want   error
	}{
		"no confirmation": {
			func(h *testHost) { h.muteOpen = true },
			func(*world, *session, context.CancelFunc) {}, context.DeadlineExceeded,
		},
		"cut": {
			func(h *testHost) { h.muteOpen = true },
			func(w *world, s *session, _ context.CancelFunc) { w.hosts[0].stop(); w.down(s) }, link.ErrDown,
		},
		"lost": {
			func(h *testHost) { h.muteOpen = true },
			func(_ *world, s *session, _ context.CancelFunc) { s.Lost(link.Loss{Reason: link.LossClosed}) }, ErrLost,
		},
		"shut": {
			func(h *testHost) { h.muteOpen = true },
			func(_ *world, s *session, _ context.CancelFunc) { s.shut() }, ErrEnding,
		},
		"ending": {
			func(h *testHost) { h.muteOpen = true },
			func(_ *world, s *session, _ context.CancelFunc) { s.end.Do(func() { close(s.ending) }) }, ErrEnding,
		},
		"given up": {
			func(h *testHost) { h.muteOpen = true },
			func(_ *world, _ *session, cancel context.CancelFunc) { cancel() }, context.Canceled,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, worldOptions{})
			tt.host(w.hosts[0])
			s, _ := w.made("c")
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			result := make(chan error, 1)
			go func() {
				_, err := w.service.Open(ctx, recordertest.Permit(t, "c"))
				result <- err
			}()
			eventually(t, "an armed gate", func() bool {
				s.mu.Lock()
				defer s.mu.Unlock()
				return s.gate == gateArmed
			})
			tt.during(w, s, cancel)
			err := <-result
			for _, one := range []error{context.DeadlineExceeded, context.Canceled, link.ErrDown, ErrLost, ErrEnding} {
				if errors.Is(err, one) != errors.Is(tt.want, one) {
					t.Errorf("%v, want %v", err, tt.want)
				}
			}
			if err == nil {
				t.Errorf("%v", err)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.gate != gateShut {
				t.Errorf("the gate is %d", s.gate)
			}
		})
	}
}

// TestOpenNothing: what was never there, is lost already, or is busy, is not opened;
// and no host hears of it.
func TestOpenNothing(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		before func(*testing.T, *session)
		call   recorder.CallID
		want   error
	}{
		"unknown": {func(*testing.T, *session) {}, "other", ErrUnknownCall},
		"lost":    {func(_ *testing.T, s *session) { s.Lost(link.Loss{Reason: link.LossClosed}) }, "c", ErrLost},
		"busy":    {func(_ *testing.T, s *session) { s.turns <- struct{}{} }, "c", context.DeadlineExceeded},
		"not attached": {func(_ *testing.T, s *session) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.attached = false
		}, "c", context.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, worldOptions{})
			s, hs := w.made("c")
			tt.before(t, s)
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			if _, err := w.service.Open(ctx, recordertest.Permit(t, tt.call)); !errors.Is(err, tt.want) {
				t.Errorf("%v", err)
			}
			if name == "busy" {
				<-s.turns
			}
			if s.recording != nil || hs.state().opens != 0 {
				t.Errorf("recording %v, %d times Open", s.recording, hs.state().opens)
			}
		})
	}
}

// TestBeginNeedsThePermit: one that is withdrawn before its evidence is durable
// begins nothing, and that is no fault of the disk.
func TestBeginNeedsThePermit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	s, _ := w.made("c")
	permit, withdraw := recordertest.PermitWith(t, "c")
	withdraw()
	if err := s.begin(t.Context(), permit); !errors.Is(err, recorder.ErrNotPermitted) {
		t.Errorf("%v", err)
	}
	if s.recording != nil || s.gate != gateClosed || s.beginning || s.failed {
		t.Errorf("recording %v, gate %d, beginning %v, failed %v", s.recording, s.gate, s.beginning, s.failed)
	}
}

// TestBeginStaysShut: a gate that was shut while the evidence was on its way to the
// disk is not armed by it.
func TestBeginStaysShut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	s, hs := w.made("c")
	s.shut()
	if err := s.begin(t.Context(), recordertest.Permit(t, "c")); err != nil {
		t.Fatal(err)
	}
	if s.gate != gateShut || !s.permit.Live() || s.recording == nil || s.beginning {
		t.Errorf("gate %d, permit %v, recording %v", s.gate, s.permit, s.recording)
	}
	// It stays so when the host confirms, and is sealed empty.
	s.Opened(1)
	hs.raw(canary(1))
	w.refused(s, afterSeal, 1)
	report, err := s.seal(t.Context(), recorder.SealOrder{Graceful: true}, time.Now())
	if err != nil || report.Recording != s.recording.ID() || report.Frames != 0 || report.Discarded != 1 {
		t.Errorf("%+v %v", report, err)
	}
	again, err := s.seal(t.Context(), recorder.SealOrder{}, time.Now())
	if err != nil || again != report {
		t.Errorf("%+v %v", again, err)
	}
}

// TestEnded: how a recording ends is said by what is known.
func TestEnded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	for name, tt := range map[string]struct {
		change func(*session)
		want   string
		last   uint64
	}{
		"silent":          {func(*session) {}, sealSilent, 19},
		"never open":      {func(s *session) { s.openedAt = time.Time{} }, sealUnused, 0},
		"paused":          {func(s *session) { s.gate, s.last = gatePaused, 25 }, sealPaused, 25},
		"paused, at zero": {func(s *session) { s.gate, s.next = gatePaused, 1 }, sealPaused, 0},
		"paused and shut": {func(s *session) { s.gate, s.last = gateShut, 25 }, sealPaused, 25},
		"closed":          {func(s *session) { s.lost = &link.Loss{Reason: link.LossClosed} }, sealClosed, 19},
		"lost":            {func(s *session) { s.lost, s.attached = &link.Loss{}, false }, sealCut, 19},
		"lost and shut":   {func(s *session) { s.lost, s.gate = &link.Loss{}, gateShut }, sealAbrupt, 19},
		"shut":            {func(s *session) { s.gate = gateShut }, sealAbrupt, 19},
		"withdrawn":       {func(s *session) { s.permit = recorder.Permit{} }, sealAbrupt, 19},
		"cut":             {func(s *session) { s.attached = false }, sealCut, 19},
	} {
		s := w.openedAt10Of(t, "ended-"+strings.NewReplacer(" ", "-", ",", "").Replace(name))
		s.mu.Lock()
		s.attached = true
		tt.change(s)
		if end, last := s.ended(); end != tt.want || last != tt.last {
			t.Errorf("%s: %s, last %d", name, end, last)
		}
		s.mu.Unlock()
	}
}
