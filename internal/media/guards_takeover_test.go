package media

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/link"
	"github.com/recorderbot/recorderbot/internal/media/timeline"
	"github.com/recorderbot/recorderbot/internal/recorder"
	"github.com/recorderbot/recorderbot/internal/recorder/recordertest"
)

// noted are the details of what was noted of a call under a name.
func (w *world) noted(call recorder.CallID, what string) (details []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.notes {
		if m, ok := e.Data.(mediaEntry); ok && e.Call == call && m.What == what {
			details = append(details, m.Detail)
		}
	}
	return details
}

// TestAttachedAgain: what each attachment means to a session.
func TestAttachedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	for name, tt := range map[string]struct {
		gate     gate
		was      bool // the host had closed its gate before
		attached link.Attached
		hostShut bool
		failed   bool
		notes    int
	}{
		"still open":        {gateOpen, false, link.Attached{Next: 20, Open: true, Again: true}, false, false, 1},
		"closed meanwhile":  {gateOpen, false, link.Attached{Next: 20, Again: true}, true, false, 1},
		"closed before":     {gateOpen, true, link.Attached{Next: 20, Open: true, Again: true}, true, false, 1},
		"not open with us":  {gateArmed, false, link.Attached{Next: 20, Again: true}, false, false, 1},
		"for the first":     {gateArmed, false, link.Attached{Next: 20}, false, false, 0},
		"the host is ahead": {gateOpen, false, link.Attached{Next: 21, Open: true, Again: true}, false, false, 1},
		"counted anew":      {gateOpen, false, link.Attached{Next: 19, Open: true, Again: true}, false, true, 1},
		"once shut":         {gateShut, false, link.Attached{Next: 19, Open: true, Again: true}, false, false, 1},
	} {
		s := newSession(w.service, w.service.hosts[0], recorder.CallRef{ID: recorder.CallID(name)}, name, Streams{})
		s.gate, s.first, s.next, s.hostShut = tt.gate, 10, 20, tt.was
		if s.cutAt = time.Now().Add(-time.Hour); !tt.attached.Again {
			s.first, s.next = 0, 0
		}
		s.Attached(tt.attached)
		if s.hostShut != tt.hostShut || s.failed != tt.failed || !s.cutAt.IsZero() {
			t.Errorf("%s: host shut %v, failed %v, cut at %v", name, s.hostShut, s.failed, s.cutAt)
		}
		notes := w.noted(s.call.ID, "attachedAgain")
		if len(notes) != tt.notes || len(notes) > 0 && notes[0][:len("after 1h")] != "after 1h" {
			t.Errorf("%s: noted %q", name, notes)
		}
	}
	w.refusedGaps(0)
}

// TestOpensWhereItGoesOn: at the next frame after what is stored, wherever the host
// begins, and what lies between is lost.
func TestOpensWhereItGoesOn(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ from, first, then, lost uint64 }{
		"at the next":       {101, 101, 101, 0},
		"further on":        {101, 121, 101, 20},
		"before":            {101, 90, 101, 0},
		"nothing is stored": {1, 31, 1, 30},
		"nobody was before": {0, 31, 31, 0},
	} {
		s := bare(time.Now(), 0)
		s.host = &host{}
		s.gate, s.mu, s.from = gateArmed, &s.host.gates, tt.from
		if lost := s.opens(tt.first); lost != tt.lost || s.first != tt.then || s.next != tt.then {
			t.Errorf("%s: %d lost, first %d, next %d", name, lost, s.first, s.next)
		}
	}
}

// TestUnconfirmed: where the host was told to send and never said that it did, all the
// time is missing, in whole frames, from the number on that it had foretold.
func TestUnconfirmed(t *testing.T) {
	t.Parallel()
	told := time.Now()
	for name, tt := range map[string]struct {
		change func(*session)
		after  time.Duration
		frames int64
		first  uint64
	}{
		"a frame":         {func(*session) {}, 20 * time.Millisecond, 1, 7},
		"and a bit":       {func(*session) {}, 21 * time.Millisecond, 2, 7},
		"no time":         {func(*session) {}, 0, 0, 0},
		"time goes back":  {func(*session) {}, -time.Second, 0, 0},
		"nothing is told": {func(s *session) { s.hostNext = 0 }, time.Second, 50, 1},
		"never asked":     {func(s *session) { s.toldAt = time.Time{} }, time.Second, 0, 0},
		"unmixed":         {func(s *session) { s.streams, s.kind = Streams{Unmixed: true}, frame.UnmixedAudio }, time.Second, 0, 0},
		"of a dead one's": {func(s *session) { s.left = &left{} }, time.Second, 0, 0},
	} {
		s := &session{kind: frame.MixedAudio, line: timeline.New(), toldAt: told, hostNext: 7}
		tt.change(s)
		g, missing := s.unconfirmed(told.Add(tt.after))
		if !missing {
			g = frame.Gap{}
		}
		if missing != (tt.frames > 0) || g.ToTime-g.FromTime != tt.frames*frame.TicksPerFrame || g.FirstSeq != tt.first || g.Count != 0 {
			t.Errorf("%s: %+v, %v", name, g, missing)
		}
		if !missing {
			continue
		}
		if g.Kind != frame.MixedAudio || g.Cause != frame.CauseTail || g.FromTime != frame.Ticks(told) {
			t.Errorf("%s: %+v", name, g)
		}
		s.line.Gap(g)
		if stored, all := totals(s.line.Finish(0)); stored != 0 || all != tt.frames*frame.AudioSamples {
			t.Errorf("%s: %d samples stored, %d missing", name, stored, all)
		}
	}
}

// TestLetOpen: a seal waits for an Open under way, and not for long.
func TestLetOpen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &session{turns: make(chan struct{}, 1)}
		s.letOpen(t.Context())
		s.turns <- struct{}{} // and here nobody has kept the turn
		began := time.Now()
		s.letOpen(t.Context())
		if took := time.Since(began); took != letOpenLimit {
			t.Errorf("gave up after %v", took)
		}
		go func() {
			<-time.After(letOpenLimit / 2)
			<-s.turns
		}()
		began = time.Now()
		s.letOpen(t.Context())
		if took := time.Since(began); took != letOpenLimit/2 || len(s.turns) != 0 {
			t.Errorf("%d turns taken after %v", len(s.turns), took)
		}
	})
}

// TestEndLetsOpen: the call ends while the host confirms Open slowly: the seal gives it
// a moment, and what was sent until the end, and is not stored, is missing.
func TestEndLetsOpen(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	h := w.hosts[0]
	h.change(func() { h.muteOpen = true })
	s, hs := w.made("c")
	permit, end := w.leave()
	opened := make(chan error, 1)
	go func() {
		_, err := w.service.Open(t.Context(), permit)
		opened <- err
	}()
	eventually(t, "Open at the host", func() bool { return hs.state().opens > 0 })
	order := end(false)
	began := time.Now()
	sealed := make(chan recorder.SealReport, 1)
	go func() {
		r, err := w.service.Seal(t.Context(), order)
		if err != nil {
			t.Error(err)
		}
		sealed <- r
	}()
	<-s.ending // the Open was not let be over in time
	if waited := time.Since(began); waited < letOpenLimit {
		t.Errorf("the seal gave it %v", waited)
	}
	if err := <-opened; err == nil {
		t.Error("opened")
	}
	if r := <-sealed; r.Recording == "" || r.Frames != 0 || r.GapSamples == 0 {
		t.Errorf("%+v", r)
	}
}

// TestAbruptSealLetsNothing: what failed has no moment to give to an Open under way.
func TestAbruptSealLetsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	_, end := w.leave()
	order := end(true)
	waited := letOpenLimit
	for range 5 { // a machine that is busy may take as long once
		s := newSession(w.service, w.service.hosts[0], recorder.CallRef{ID: "c"}, "c", Streams{})
		s.link = s.host.link.Adopt("c", s, link.Hold{})
		w.service.mu.Lock()
		w.service.sessions["c"] = s
		w.service.mu.Unlock()
		s.turns <- struct{}{} // an Open's
		began, sealed := time.Now(), make(chan error, 1)
		go func() {
			_, err := w.service.Seal(t.Context(), order)
			sealed <- err
		}()
		<-s.ending
		waited = min(waited, time.Since(began))
		<-s.turns
		if err := <-sealed; err != nil {
			t.Error(err)
		}
		w.service.mu.Lock()
		delete(w.service.sessions, "c")
		w.service.mu.Unlock()
	}
	if waited >= letOpenLimit {
		t.Errorf("it waited %v", waited)
	}
}

// TestShutDuringBegin: where the gate was shut while the evidence was on its way to
// the disk, the host hears no Open.
func TestShutDuringBegin(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	_, other := w.record("other")
	s, hs := w.made("c")
	permit := recordertest.Permit(t, "c")
	letGo := w.stall(other)
	opened := make(chan error, 1)
	go func() {
		_, err := w.service.Open(t.Context(), permit)
		opened <- err
	}()
	eventually(t, "Begin", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.beginning
	})
	s.shut()
	letGo()
	if err := <-opened; !errors.Is(err, ErrEnding) {
		t.Errorf("%v", err)
	}
	if err := s.link.Heard(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := hs.state().opens; n != 0 || s.recording == nil {
		t.Errorf("the host heard %d Opens; recording %v", n, s.recording)
	}
}

// TestAbruptSealMeasuresNothing: the word that a recording failed does not wait until
// it is known exactly what the one before it misses.
func TestAbruptSealMeasuresNothing(t *testing.T) {
	t.Parallel()
	w, next := mortal(t)
	n, hs := w.died(next)
	n.service.measuring <- struct{}{} // others are being measured
	defer func() { <-n.service.measuring }()
	n.service.Adopt(n.found(hs.id))
	permit, end := n.leave()
	opened, err := n.service.Open(t.Context(), permit)
	if err != nil {
		t.Fatal(err)
	}
	order := end(true)
	began := time.Now()
	report, err := n.service.Seal(t.Context(), order)
	if took := time.Since(began); err != nil || took >= measureWait || report.Previous == nil || report.Previous.Recording != opened.Previous.Recording {
		t.Errorf("%+v, %v after %v", report, err, took)
	}
}

// TestLeftThatCantBeSealed: the seal says so, and Open does not stand in its way.
func TestLeftThatCantBeSealed(t *testing.T) {
	t.Parallel()
	w, next := mortal(t)
	n, hs := w.died(next)
	left := n.found(hs.id)
	left.Recordings[0].ID = "unknown to the spool"
	n.service.Adopt(left)
	permit, end := n.leave()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if opened, err := n.service.Open(ctx, permit); err != nil || opened.Previous != nil || opened.FirstSeq != 101 {
		t.Fatalf("%+v, %v", opened, err)
	}
	if report, err := n.service.Seal(ctx, end(false)); err == nil {
		t.Errorf("%+v", report)
	}
}
