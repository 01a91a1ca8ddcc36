package media

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/link"
	pb "github.com/recorderbot/recorderbot/internal/media/link/mediahostv1"
	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/recorder"
	"github.com/recorderbot/recorderbot/internal/recorder/recordertest"
)

// direct is a session that is open on a real spool, without a link: the test
// speaks for the reader, and nobody acknowledges.
func (w *world) direct(tb testing.TB, id string) *session {
	tb.Helper()
	permit := recordertest.Permit(tb, recorder.CallID(id))
	s := newSession(w.service, w.service.hosts[0], recorder.CallRef{ID: recorder.CallID(id)}, id, Streams{})
	var err error
	if _, err = s.host.link.CreateSession(tb.Context(), id, link.Sockets{}, time.Minute); err != nil {
		tb.Fatal(err)
	}
	if s.link, err = s.host.link.Attach(id, s); err != nil {
		tb.Fatal(err)
	}
	// What the host says of itself must not come in the midst of the test.
	eventually(tb, "attachment", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.attached
	})
	if s.recording, err = w.spool.Begin(tb.Context(), permit, id, nil); err != nil {
		tb.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.permit, s.gate = permit, gateArmed
	return s
}

// TestSumIsExact: whatever a host sends and announces, in whatever order: numbers
// are stored once and in order, and stored + missing is everything from the first
// to the last, to the sample.
func TestSumIsExact(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		s := w.direct(t, "property-"+time.Now().Format("150405.000000000")+"-"+string(rune('a'+n%26)))
		first := rapid.Uint64Range(1, 50).Draw(rt, "first")
		defer s.link.Detach()
		s.Opened(first)
		at, next := first, first
		var stored []uint64
		for range rapid.IntRange(0, 60).Draw(rt, "steps") {
			switch rapid.IntRange(0, 5).Draw(rt, "step") {
			case 0: // a hole
				at += rapid.Uint64Range(1, 9).Draw(rt, "hole")
			case 1: // an announcement, true or not
				s.Gap(frame.Gap{
					Kind: frame.MixedAudio, FirstSeq: at + rapid.Uint64Range(0, 6).Draw(rt, "ahead"),
					Count: rapid.Uint64Range(1, 9).Draw(rt, "count"), Cause: frame.CauseOverflow,
				})
			case 2: // an old number
				w.feed(s, audio(rapid.Uint64Range(0, next-1).Draw(rt, "old")))
			case 3: // a wild number
				w.feed(s, audio(at+rapid.Uint64Range(2*maxHole+100, 1<<62).Draw(rt, "wild")))
			default:
				for range rapid.IntRange(1, 5).Draw(rt, "run") {
					w.feed(s, audio(at))
					stored = append(stored, at)
					at++
					next = at
				}
			}
		}
		last := at - 1 + rapid.Uint64Range(0, 5).Draw(rt, "tail")
		s.Paused(last)
		s.mu.Lock()
		sum := s.line.Finish(s.last)
		have, missing := totals(sum)
		s.mu.Unlock()
		if want := int64(last-first+1) * 320; have+missing != want && (len(stored) > 0 || last >= first) {
			rt.Fatalf("%d stored + %d missing = %d samples, want %d", have, missing, have+missing, want)
		}
		if have != int64(len(stored))*320 {
			rt.Fatalf("%d samples of %d frames", have, len(stored))
		}
		if _, err := s.recording.Seal(t.Context(), spool.Seal{LastSeq: last}); err != nil {
			rt.Fatal(err)
		}
		if got := w.kept(s.recording.ID()).seqs; !slices.Equal(got, stored) {
			rt.Fatalf("stored %v, want %v", got, stored)
		}
	})
}

// feed hands a session one frame, as the reader does.
func (w *world) feed(s *session, f frame.Frame) {
	w.tb.Helper()
	err := w.spool.Update(func(b *spool.Batch) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.take(b, &f, time.Now())
	})
	if err != nil {
		w.tb.Error(err)
	}
}

// TestPermitEndsAtAnyMoment: frames pour in while the permit is withdrawn; what
// the spool has when Seal returns is all it ever has, and it is a beginning of
// what was sent.
func TestPermitEndsAtAnyMoment(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	_, hs := w.record("c")
	pouring := make(chan struct{})
	over := make(chan struct{})
	go func() {
		defer close(over)
		for i := 0; ; i++ {
			hs.capture(7)
			if i == 20 {
				close(pouring)
			}
			select {
			case <-w.ended("c"):
				hs.raw(audio(hs.state().next), audio(hs.state().next+1))
				return
			default:
			}
		}
	}()
	<-pouring
	w.registry.StopAll(recorder.CauseShutdown, true)
	w.end("c")
	r := w.report("c")
	before := w.kept(r.Recording)
	<-over
	w.close()
	if uint64(len(before.seqs)) != r.Frames || before.seal == nil || before.seal.Frames != r.Frames {
		t.Errorf("%d frames, reported %+v, sealed %+v", len(before.seqs), r, before.seal)
	}
	if !slices.Equal(before.seqs, upTo(1, r.Frames)) {
		t.Errorf("stored %v", before.seqs)
	}
}

func (w *world) ended(id recorder.CallID) <-chan struct{} {
	done := make(chan struct{})
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, ok := w.ends[id]; ok {
		close(done)
	}
	return done
}

// TestSpeakers: who speaks is kept only while the gate is open.
func TestSpeakers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{asks: true})
	w.invite("c")
	hs := w.hosts[0].session(0)
	eventually(t, "attachment", func() bool { return hs.state().link != nil })
	speak := func(source uint32) {
		hs.say(&pb.FromHost{Message: &pb.FromHost_ActiveSpeakers{ActiveSpeakers: &pb.ActiveSpeakers{
			Handle: hs.handle, BeforeSeq: 1, SourceIds: []uint32{source},
		}}})
	}
	speak(111_111)
	hs.raw(canary(1))
	w.refused(w.placed("c"), beforeConsent, 1)
	close(w.consent)
	s, _ := w.opened("c")
	speak(222_222)
	hs.capture(5)
	w.stored(s, 5)
	w.hangUp("c")
	w.end("c")
	if w.onDisk([]byte("111111")) || !w.onDisk([]byte("222222")) {
		t.Error("who spoke before consent is on the disk, or who spoke after is not")
	}
}
