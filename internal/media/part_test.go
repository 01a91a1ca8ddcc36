package media

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	pb "github.com/recorderbot/recorderbot/internal/media/link/mediahostv1"
	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// reports are the seals of a call that has ended, the oldest first.
func (w *world) reports(id recorder.CallID) (all []recorder.SealReport) {
	w.tb.Helper()
	all = append(all, w.end(id).Recordings...)
	return all
}

// TestParts: a long recording goes on in another, and in another: each frame is in one of
// them, what was announced as missing is missing of the one that it lies in, and the call
// has them all.
func TestParts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	s, hs := w.record("c")
	hs.capture(10)
	w.stored(s, 10)
	s.nextPart(t.Context())
	hs.capture(10)
	w.stored(s, 20)
	// Announced ahead: frames 24 to 26, and the part ends before.
	hs.say(&pb.FromHost{Message: &pb.FromHost_Gap{Gap: &pb.Gap{Handle: hs.handle, Kind: 1, FirstSeq: 24, Count: 3, Reason: pb.Gap_REASON_HOST}}})
	hs.capture(2)
	w.stored(s, 22)
	s.nextPart(t.Context())
	hs.capture(1)
	hs.skip(3)
	hs.capture(4)
	w.stored(s, 30)
	w.hangUp("c")
	all := w.reports("c")
	if len(all) != 3 {
		t.Fatalf("%+v", all)
	}
	first := uint64(1)
	for i, want := range []struct{ frames, missing, last uint64 }{{10, 0, 10}, {12, 0, 22}, {5, 3, 30}} {
		r := all[i]
		if r.Frames != want.frames || r.GapSamples != want.missing*frame.AudioSamples || r.LastSeq != want.last {
			t.Errorf("part %d: %+v, want %+v", i+1, r, want)
		}
		k := w.kept(r.Recording)
		if len(k.seqs) == 0 || k.seqs[0] != first || k.seqs[len(k.seqs)-1] != want.last {
			t.Errorf("part %d holds %v, from %d", i+1, k.seqs, first)
		}
		cause := sealContinued
		if i == 2 {
			cause = sealPaused
		}
		if k.seal.Cause != cause {
			t.Errorf("part %d: sealed as %q, want %q", i+1, k.seal.Cause, cause)
		}
		first = want.last + 1
	}
	if end := w.end("c"); end.Outcome != recorder.OutcomeRecordedWithGaps {
		t.Errorf("%+v", end)
	}
	if s.part != 3 || s.joint != jointPart || s.after != all[1].Recording {
		t.Errorf("part %d after %s by %s", s.part, s.after, s.joint)
	}
}

// TestPartsKnowWhoSpeaks: the host tells when it changes, and a part may begin in the
// middle of what somebody says.
func TestPartsKnowWhoSpeaks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	s, hs := w.record("c")
	hs.capture(10)
	w.stored(s, 10)
	s.Speakers(11, []uint32{7, 9}, 7)
	s.nextPart(t.Context())
	hs.capture(10)
	w.stored(s, 20)
	s.nextPart(t.Context())
	hs.capture(10)
	w.stored(s, 30)
	s.Speakers(31, nil, 0)
	s.nextPart(t.Context())
	hs.capture(10)
	w.stored(s, 40)
	w.hangUp("c")
	var told []string
	for _, r := range w.reports("c") {
		said := ""
		for rec, err := range w.spool.Read(r.Recording) {
			if err != nil {
				t.Fatal(err)
			}
			if rec.Type == spool.NoteType && rec.Note.Kind == noteSpeakersKind {
				said += string(rec.Note.Data)
			}
		}
		told = append(told, said)
	}
	want := []string{
		`{"beforeSeq":11,"sources":[7,9],"dominant":7}`, `{"beforeSeq":11,"sources":[7,9],"dominant":7}`,
		`{"beforeSeq":21,"sources":[7,9],"dominant":7}{"beforeSeq":31,"sources":null,"dominant":0}`, "",
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// TestPartsBeginWithKeyFrames: the pictures of a part refer to none of the one before for
// longer than it takes to ask for key frames.
func TestPartsBeginWithKeyFrames(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{streams: seen})
	w.invite("c")
	w.placed("c")
	w.sends("c", 7, 9)
	s, hs := w.opened("c")
	asked := []string{"subscribe 0 to 7, 720 lines", "subscribe 2 to 9, 720 lines"}
	w.awaitAsked(hs, asked...)
	for _, r := range []*pb.SubscribeResult{{Handle: hs.handle, SourceId: 7}, {Handle: hs.handle, Socket: 2, SourceId: 9}} {
		hs.say(&pb.FromHost{Message: &pb.FromHost_SubscribeResult{SubscribeResult: r}})
	}
	hs.skip(3)
	screen := unit(3, 9, frame.KeyFrame)
	screen.Kind, screen.Socket = frame.Screen, 2
	hs.raw(voice(1, 1), unit(2, 7, frame.KeyFrame), screen)
	w.stored(s, 3)
	s.nextPart(t.Context())
	w.awaitAsked(hs, append(asked, "key frame 0", "key frame 2")...)
	w.hangUp("c")
	w.end("c")
}

// TestNoPartAtTheEnd: a recording that ends meanwhile has no further part, and nothing of
// the one that was begun stays.
func TestNoPartAtTheEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	s, hs := w.record("c")
	hs.capture(3)
	w.stored(s, 3)
	next, err := s.beginPart(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.shut()
	if _, ok := s.changeOver(next); ok {
		t.Error("the gate is shut, and a new part takes frames")
	}
	if _, err = s.beginPart(t.Context()); err == nil {
		t.Error("the gate is shut, and a new part is begun")
	}
	if s.part != 1 {
		t.Errorf("part %d", s.part)
	}
}

// TestPartsAreDue: by the length of the part, once at a time.
func TestPartsAreDue(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{partLength: time.Hour})
	s, hs := w.record("c")
	hs.capture(3)
	w.stored(s, 3)
	w.service.parts(time.Now().Add(59 * time.Minute))
	if s.part != 1 {
		t.Errorf("part %d", s.part)
	}
	w.service.parts(time.Now().Add(61 * time.Minute))
	eventually(t, "the next part", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.part == 2 && !s.parting
	})
	w.service.parts(time.Now().Add(59 * time.Minute))
	hs.capture(3)
	w.stored(s, 6)
	w.hangUp("c")
	if all := w.reports("c"); len(all) != 2 || all[1].Frames != 3 {
		t.Errorf("%+v", all)
	}
}

// TestPartsOfManySpeakers: a recording that many speak in goes on in another, but not
// every moment, and the one behind it has only those who go on speaking.
func TestPartsOfManySpeakers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{streams: Streams{Unmixed: true}})
	s, hs := w.record("c")
	speak := func(seq uint64) {
		f := audio(seq)
		f.Kind, f.Source = frame.UnmixedAudio, uint32(seq)
		hs.skip(1)
		hs.raw(f)
	}
	for seq := uint64(1); seq < manyTracks; seq++ {
		speak(seq)
	}
	w.stored(s, manyTracks-1)
	w.service.parts(time.Now().Add(leastPart))
	s.mu.Lock()
	if s.parting || s.part != 1 {
		t.Errorf("part %d with %d tracks", s.part, s.line.Tracks())
	}
	s.mu.Unlock()
	speak(manyTracks)
	w.stored(s, manyTracks)
	w.service.parts(time.Now().Add(leastPart / 2))
	s.mu.Lock()
	if s.parting || s.part != 1 {
		t.Errorf("part %d: a host that names ever more speakers makes recordings without end", s.part)
	}
	s.mu.Unlock()
	w.service.parts(time.Now().Add(leastPart))
	eventually(t, "the next part", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.part == 2 && !s.parting && s.line.Tracks() == 0
	})
	speak(manyTracks + 1)
	w.stored(s, manyTracks+1)
	w.hangUp("c")
	if all := w.reports("c"); len(all) != 2 || all[0].Frames != manyTracks || all[1].Frames != 1 {
		t.Errorf("%+v", all)
	}
}

// TestPartsOfADriftingClock: where sound and pictures have drifted apart by as much as can
// be noticed, the call goes on in another recording, in which they begin together; without
// pictures there is nothing to be off.
func TestPartsOfADriftingClock(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		video bool
		ppm   int64
		part  int
	}{"pictures": {true, 200, 2}, "sound alone": {false, 200, 1}, "a good clock": {true, 20, 1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, worldOptions{streams: Streams{Cameras: 1, Height: 360}})
			s, hs := w.record("c")
			hs.host.change(func() { hs.next = 1 << 40 }) // it has sent whatever is acknowledged
			seq := uint64(0)
			for i := range int64(3 * 60 * 50) { // 36 ms at 200 ppm
				seq++
				f := audio(seq)
				f.MediaTime = audio(1).MediaTime + i*frame.TicksPerFrame + i*frame.TicksPerFrame/1_000_000*tt.ppm
				w.feed(s, f)
				if tt.video && i%500 == 0 {
					seq++
					p := picture(seq, 0, frame.KeyFrame)
					p.MediaTime = f.MediaTime
					w.feed(s, p)
				}
			}
			s.mu.Lock()
			s.openedAt = s.openedAt.Add(-time.Hour) // not before, or the service's own watch begins a part amidst
			s.mu.Unlock()
			w.service.parts(time.Now())
			if tt.part == 1 {
				s.mu.Lock()
				defer s.mu.Unlock()
				if s.parting || s.part != 1 {
					t.Errorf("part %d, and another is due: %v; %d ticks off", s.part, s.parting, s.line.Adrift())
				}
				return
			}
			eventually(t, "the next part", func() bool {
				s.mu.Lock()
				defer s.mu.Unlock()
				return s.part == 2 && !s.parting && s.line.Adrift() == 0
			})
		})
	}
}

// TestDiesBetweenParts: the process dies when frames go to the new part and the old one is
// not sealed: the next one goes on behind the last frame of both.
func TestDiesBetweenParts(t *testing.T) {
	t.Parallel()
	for name, frames := range map[string]int{"a frame is there": 4, "none is there": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, next := mortal(t)
			s, hs := w.record("c")
			hs.capture(10)
			w.stored(s, 10)
			r, err := s.beginPart(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := s.changeOver(r); !ok {
				t.Fatal("not changed over")
			}
			hs.capture(frames)
			w.stored(s, uint64(10+frames))
			n := next(w)
			hs.capture(5)
			left := n.found(hs.id)
			if len(left.Recordings) != 2 {
				t.Fatalf("%+v", left.Recordings)
			}
			n.service.Adopt(left)
			permit, end := n.leave()
			opened, err := n.service.Open(t.Context(), permit)
			if err != nil || opened.FirstSeq != uint64(11+frames) {
				t.Fatalf("%+v, %v", opened, err)
			}
			n.stored(n.service.session("c"), uint64(15+frames))
			report, err := n.service.Seal(t.Context(), end(true))
			if err != nil || report.Frames != 5 || report.GapSamples != 0 || report.Previous == nil || report.Previous.Previous == nil {
				t.Fatalf("%+v, %v", report, err)
			}
			for _, p := range []*recorder.SealReport{report.Previous, report.Previous.Previous} {
				if p.GapSamples != 0 {
					t.Errorf("%+v", p)
				}
			}
			if seal := n.sealOf(left.Recordings[0].ID); seal.LastSeq != 10 || seal.Cause != sealContinued {
				t.Errorf("%+v", seal)
			}
		})
	}
}

// TestAbandonedPart: what was begun for nothing leaves no recording behind.
func TestAbandonedPart(t *testing.T) {
	t.Parallel()
	w, next := mortal(t)
	s, hs := w.record("c")
	hs.capture(3)
	w.stored(s, 3)
	r, err := s.beginPart(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	s.gate = gatePaused // as where the host has said that nothing follows
	s.last = 3
	s.mu.Unlock()
	s.goOnIn(t.Context(), r)
	n := next(w)
	if all := n.spool.Recovered(); slices.ContainsFunc(all, func(i spool.Info) bool { return i.Frames == 0 }) {
		t.Errorf("%+v", all)
	}
}
