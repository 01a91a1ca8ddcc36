package media

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/link"
	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/media/timeline"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// upcoming makes another recording under a session's permit, as beginPart does.
func (w *world) upcoming(s *session, id string) *spool.Recording {
	w.tb.Helper()
	r, err := w.spool.Begin(w.tb.Context(), s.permit, id, nil)
	if err != nil {
		w.tb.Fatal(err)
	}
	return r
}

// hasSent has the host believe that it sent what the test feeds, and what is acknowledged.
func (w *world) hasSent(s *session) {
	w.tb.Helper()
	hs := w.onHost(s)
	hs.host.change(func() { hs.next = 1 << 40 })
}

// permitOf is what the spool has beside a recording's permit.
func (w *world) permitOf(id string) (m meta) {
	w.tb.Helper()
	for r, err := range w.spool.Read(id) {
		if err != nil {
			w.tb.Fatal(err)
		}
		if r.Type == spool.PermitType {
			if err = json.Unmarshal(r.Permit.Meta, &m); err != nil {
				w.tb.Fatal(err)
			}
		}
	}
	return m
}

// openedOf is what the note "opened" of a recording says.
func (w *world) openedOf(id string) (all []openedNote) {
	w.tb.Helper()
	for r, err := range w.spool.Read(id) {
		if err != nil {
			w.tb.Fatal(err)
		}
		var n openedNote
		if r.Type == spool.NoteType && r.Note.Kind == noteOpenedKind && json.Unmarshal(r.Note.Data, &n) == nil {
			all = append(all, n)
		}
	}
	return all
}

// openings are the recordings that the journal says were opened behind another.
func (w *world) openings() (all []recorder.Opened) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.notes {
		if o, ok := e.Data.(recorder.Opened); ok && e.Kind == recorder.EntryOpened && o.Previous != nil {
			all = append(all, o)
		}
	}
	return all
}

// isReleased reports that the spool has nothing of a recording any more.
func (w *world) isReleased(id string) bool {
	for _, err := range w.spool.Read(id) {
		return errors.Is(err, spool.ErrUnknown)
	}
	return false
}

// adrift is a timeline whose sound has moved by so many ticks against what is seen, once
// and for all.
func adrift(ticks int64) *timeline.Timeline {
	tl := timeline.New()
	tl.Start(1)
	tl.Believe(timeline.Belief{}) // a clock that leaps was set anew: nothing is missing
	for seq := uint64(1); seq <= 60; seq++ {
		f := audio(seq)
		if seq > 30 {
			f.MediaTime += ticks
		}
		tl.Frame(f.Header)
	}
	tl.Frame(unit(61, 7, frame.KeyFrame).Header)
	return tl
}

// TestWhenPartsAreDue: at what length, and how far off, and for which sessions.
func TestWhenPartsAreDue(t *testing.T) {
	t.Parallel()
	const off = int64(offMost / 100)
	now := time.Now()
	for name, tt := range map[string]struct {
		length time.Duration
		change func(*session)
		want   bool
	}{
		"as long as a part":       {time.Hour, func(s *session) { s.openedAt = now.Add(-time.Hour) }, true},
		"not so long":             {time.Hour, func(s *session) { s.openedAt = now.Add(1 - time.Hour) }, false},
		"without a length":        {0, func(s *session) { s.openedAt = now.Add(-1000 * time.Hour) }, false},
		"by its own beginning":    {time.Hour, func(s *session) { s.openedAt, s.partBegan = now.Add(-2*time.Hour), now.Add(-time.Minute) }, false},
		"its own is long ago":     {time.Hour, func(s *session) { s.openedAt, s.partBegan = now.Add(-2*time.Hour), now.Add(-time.Hour) }, true},
		"off":                     {0, func(s *session) { s.openedAt, s.line = now.Add(-leastPart), adrift(off) }, true},
		"nearly off":              {0, func(s *session) { s.openedAt, s.line = now.Add(-leastPart), adrift(off-1) }, false},
		"off, too soon":           {0, func(s *session) { s.openedAt, s.line = now.Add(1-leastPart), adrift(off) }, false},
		"the gate is armed":       {time.Hour, func(s *session) { s.openedAt, s.gate = now.Add(-time.Hour), gateArmed }, false},
		"the gate is shut":        {time.Hour, func(s *session) { s.openedAt, s.gate = now.Add(-time.Hour), gateShut }, false},
		"it failed":               {time.Hour, func(s *session) { s.openedAt, s.failed = now.Add(-time.Hour), true }, false},
		"another is on its way":   {time.Hour, func(s *session) { s.openedAt, s.parting = now.Add(-time.Hour), true }, true},
		"one was, and is not due": {time.Hour, func(s *session) { s.parting = true }, true},
	} {
		s := bare(now, 0)
		s.host = &host{}
		s.mu = &s.host.gates
		tt.change(s)
		v := &Service{sessions: map[recorder.CallID]*session{"c": s}, closed: true}
		v.opts.PartLength = tt.length
		v.parts(now)
		if s.parting != tt.want {
			t.Errorf("%s: a part is on its way: %v, want %v", name, s.parting, tt.want)
		}
	}
}

// TestOnePartAtATime: who closes, or has a part on its way, begins none.
func TestOnePartAtATime(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Service, *session){
		"closing":   func(v *Service, _ *session) { v.closed = true },
		"under way": func(_ *Service, s *session) { s.parting = true },
	} {
		w := newWorld(t, worldOptions{partLength: time.Hour})
		s, _ := w.record(recorder.CallID("c"))
		w.service.mu.Lock()
		s.mu.Lock()
		change(w.service, s)
		s.mu.Unlock()
		w.service.mu.Unlock()
		w.service.parts(time.Now().Add(2 * time.Hour))
		w.service.owned.Wait()
		s.mu.Lock()
		if s.part != 1 || !s.parting {
			t.Errorf("%s: part %d, another on its way: %v", name, s.part, s.parting)
		}
		s.mu.Unlock()
	}
}

// TestPartWaitsForItsTurn: whoever ends the recording goes first.
func TestPartWaitsForItsTurn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	s := w.openedAgo(t, time.Minute)
	w.hasSent(s)
	s.parting = true
	s.turns <- struct{}{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if s.nextPart(ctx); s.part != 1 || s.parting || len(s.turns) != 1 {
		t.Errorf("part %d, on its way %v, %d turns taken", s.part, s.parting, len(s.turns))
	}
	<-s.turns
	if s.nextPart(t.Context()); s.part != 2 || len(s.turns) != 0 {
		t.Errorf("part %d, %d turns taken", s.part, len(s.turns))
	}
}

// TestPartIsNotBegun: where the recording ends, or the spool takes nothing more, there is
// no further part, and the one that is open goes on as if nothing had been tried.
func TestPartIsNotBegun(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(w *world, s *session, withdraw func())
		ending bool
	}{
		"paused":    {func(_ *world, s *session, _ func()) { s.gate = gatePaused }, true},
		"shut":      {func(_ *world, s *session, _ func()) { s.gate = gateShut }, true},
		"ending":    {func(_ *world, s *session, _ func()) { close(s.ending) }, true},
		"lost":      {func(_ *world, s *session, _ func()) { s.lost = &link.Loss{} }, true},
		"withdrawn": {func(_ *world, _ *session, withdraw func()) { withdraw() }, true},
		"refused":   {func(w *world, _ *session, _ func()) { w.spool.Refuse(errors.New("disk full")) }, false},
	} {
		w := newWorld(t, worldOptions{})
		s, withdraw := w.permitted(t, "c")
		w.feed(s, audio(1))
		old, line := s.recording, s.line
		tt.change(w, s, withdraw)
		if next, err := s.beginPart(t.Context()); err == nil || next != nil || errors.Is(err, ErrEnding) != tt.ending {
			t.Errorf("%s: begun: %v, %v", name, next, err)
		}
		s.nextPart(t.Context())
		if s.part != 1 || s.recording != old || s.line != line || len(s.turns) != 0 {
			t.Errorf("%s: part %d in %s", name, s.part, s.recording.ID())
		}
		if all := w.openings(); len(all) != 0 {
			t.Errorf("%s: opened %+v", name, all)
		}
	}
}

// TestPartSaysWhatItIs: beside the permit, in the log, to the call and to the journal.
func TestPartSaysWhatItIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	s, _ := w.permitted(t, "c")
	w.hasSent(s)
	posted := make(chan recorder.MediaOpened, 9)
	s.service.opts.Post = func(id recorder.CallID, ev recorder.Event) {
		if o, ok := ev.(recorder.MediaOpened); ok && id == "c" {
			posted <- o
		}
	}
	s.after, s.part = "before", 4
	w.run(s, 1, 7, 0)
	old, opened, before := s.recording, s.openedAt, time.Now()
	s.nextPart(t.Context())
	next := s.recording
	m := w.permitOf(next.ID())
	if next == old || m.FirstSeq != 8 || m.Part != 5 || m.Continues != old.ID() || m.Joint != jointPart || m.Call != "c" || m.Session != s.id {
		t.Errorf("beside the permit of %s: %+v", next.ID(), m)
	}
	if next.Value != s.link {
		t.Error("what is durable of the part is not told to the host")
	}
	notes := w.openedOf(next.ID())
	if len(notes) != 1 || notes[0].FirstSeq != 8 || notes[0].At.Before(before) {
		t.Errorf("noted %+v", notes)
	}
	if s.first != 8 || s.next != 8 || s.part != 5 || s.after != old.ID() || s.joint != jointPart {
		t.Errorf("the part begins with %d, next is %d; part %d after %s by %s", s.first, s.next, s.part, s.after, s.joint)
	}
	seal := w.sealOf(old.ID())
	var sm sealMeta
	if err := json.Unmarshal(seal.Meta, &sm); err != nil {
		t.Fatal(err)
	}
	want := sealMeta{FirstSeq: 1, LastSeq: 7, Samples: 7 * frame.AudioSamples}
	if seal.Cause != sealContinued || seal.LastSeq != 7 || cmp.Diff(want, sm) != "" {
		t.Errorf("%+v with %+v", seal, sm)
	}
	told := (<-posted).Opened
	report := recorder.SealReport{
		Recording: old.ID(), Frames: 7, Samples: 7 * frame.AudioSamples, LastSeq: 7, FirstAt: opened, LastAt: s.partBegan,
	}
	if told.Recording != next.ID() || told.FirstSeq != 8 || told.At.Before(before) || told.Previous == nil ||
		cmp.Diff(report, *told.Previous, cmpopts.IgnoreFields(report, "At")) != "" {
		t.Errorf("told of %+v behind %+v", told, told.Previous)
	}
	if all := w.openings(); len(all) != 1 || all[0].Recording != next.ID() {
		t.Errorf("the journal says %+v", all)
	}
	s.nextPart(t.Context())
	if report := (<-posted).Opened.Previous; report.Frames != 0 || report.LastSeq != 7 || report.FirstAt != told.At {
		t.Errorf("the part without frames: %+v", report)
	}
}

// TestUnusedPart: where the gate shuts, or the end is asked for, between the evidence and
// the first frame, nothing has changed and the new recording is released; so it is where
// the spool does not take the word where it begins.
func TestUnusedPart(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*testing.T, *session, *spool.Recording){
		"shut":   func(_ *testing.T, s *session, _ *spool.Recording) { s.gate = gateShut },
		"paused": func(_ *testing.T, s *session, _ *spool.Recording) { s.gate = gatePaused },
		"ending": func(_ *testing.T, s *session, _ *spool.Recording) { close(s.ending) },
		"sealed": func(t *testing.T, _ *session, next *spool.Recording) {
			t.Helper()
			if _, err := next.Seal(t.Context(), spool.Seal{}); err != nil {
				t.Error(err)
			}
		},
	} {
		w := newWorld(t, worldOptions{})
		s, _ := w.permitted(t, "c")
		w.run(s, 1, 3, 0)
		s.held, s.missing = 3, 4
		next := w.upcoming(s, "next")
		old, line := s.recording, s.line
		change(t, s, next)
		s.goOnIn(t.Context(), next)
		if s.recording != old || s.line != line || s.part != 1 || s.first != 1 || s.held != 3 || s.missing != 4 || !s.partBegan.IsZero() {
			t.Errorf("%s: part %d in %s from %d", name, s.part, s.recording.ID(), s.first)
		}
		if !w.isReleased("next") {
			t.Errorf("%s: the unused part stays", name)
		}
		if all := w.openings(); len(all) != 0 {
			t.Errorf("%s: opened %+v", name, all)
		}
		if k := w.kept(old.ID()); k.seal != nil {
			t.Errorf("%s: sealed %+v", name, k.seal)
		}
	}
}

// TestUnusedPartStays: what can't be sealed can't be released, and the next start finds it.
func TestUnusedPartStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	s, _ := w.permitted(t, "c")
	next := w.upcoming(s, "next")
	w.spool.Refuse(errors.New("disk full"))
	s.goOnIn(t.Context(), next)
	if s.part != 1 || len(w.openings()) != 0 {
		t.Errorf("part %d", s.part)
	}
}

// TestPartWithoutASeal: where the part before can't be sealed nobody is told that it was:
// the next start seals it. Frames go on.
func TestPartWithoutASeal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	s := w.openedAgo(t, time.Minute)
	w.feed(s, audio(1))
	next := w.upcoming(s, "next")
	letGo := w.stallAlone()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.goOnIn(ctx, next)
	if all := w.openings(); len(all) != 0 {
		t.Errorf("told of %+v", all)
	}
	letGo()
	w.feed(s, audio(2))
	if s.next != 3 || s.recording != next || s.part != 2 {
		t.Errorf("next is %d, part %d in %s", s.next, s.part, s.recording.ID())
	}
}
