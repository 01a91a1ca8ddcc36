package media

import (
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/link"
	pb "github.com/recorderbot/recorderbot/internal/media/link/mediahostv1"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

func (w *world) down(s *session) {
	w.tb.Helper()
	eventually(w.tb, "the cut", func() bool { return !s.link.Attached() })
}

// TestCutIsBridged: a cut loses nothing that the host still holds, sends nothing
// twice, and takes a higher lease.
func TestCutIsBridged(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	h := w.hosts[0]
	s, hs := w.record("c")
	for range 3 {
		hs.capture(20)
		h.stop()
		w.down(s)
		hs.capture(20)
		h.start()
		eventually(t, "attachment", s.link.Attached)
	}
	hs.capture(20)
	w.hangUp("c")
	end := w.end("c")
	r := w.report("c")
	w.whole(r.Recording, upTo(1, 140)...)
	if end.Outcome != recorder.OutcomeRecorded || r.GapSamples != 0 {
		t.Errorf("%+v %+v", end, r)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.attaches) != 4 {
		t.Errorf("%d attaches", len(h.attaches))
	}
	for i, a := range h.attaches[1:] {
		if before := h.attaches[i]; a.GetLease() <= before.GetLease() || a.GetHandle() == before.GetHandle() {
			t.Errorf("attach %v after %v", a, before)
		}
	}
}

// TestCutOverflows: what the host could not hold is a gap of cause link.
func TestCutOverflows(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	h := w.hosts[0]
	h.change(func() { h.ringMost = 30 })
	s, hs := w.record("c")
	hs.capture(20)
	w.stored(s, 20)
	h.stop()
	w.down(s)
	hs.capture(100) // 21 to 120, of which 91 on are held
	h.start()
	w.stored(s, 120)
	// The host says so, too: nothing is counted twice.
	announce(hs, 21, 70, pb.Gap_REASON_OVERFLOW)
	hs.capture(10)
	w.hangUp("c")
	end := w.end("c")
	r := w.report("c")
	k := w.whole(r.Recording, append(upTo(1, 20), upTo(91, 130)...)...)
	if end.Outcome != recorder.OutcomeRecordedWithGaps || r.GapSamples != 70*320 || r.Samples != 60*320 {
		t.Errorf("%+v %+v", end, r)
	}
	if len(k.gaps) == 0 || k.gaps[0].Gap.Cause != frame.CauseLink || k.gaps[0].Gap.FirstSeq != 21 || k.gaps[0].Gap.Count != 70 {
		t.Errorf("gaps %+v", k.gaps)
	}
}

// TestHostIsLost: every way in which a session can be gone for good leads to
// failed within two seconds; what was admitted is sealed.
func TestHostIsLost(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		o    worldOptions
		lose func(*testHost, *testSession)
		end  recorder.Outcome
		gap  bool
	}{
		"another epoch": {worldOptions{}, func(h *testHost, _ *testSession) { h.restart() }, recorder.OutcomeFailed, true},
		"away too long": {worldOptions{bridge: 500 * time.Millisecond}, func(h *testHost, _ *testSession) { h.stop() }, recorder.OutcomeFailed, true},
		"not let in again": {worldOptions{}, func(h *testHost, _ *testSession) {
			h.change(func() { h.refused = pb.AttachRefused_REASON_STALE_LEASE })
			h.stop()
			h.start()
		}, recorder.OutcomeFailed, true},
		"handle in use for ever": {worldOptions{}, func(h *testHost, _ *testSession) {
			h.change(func() { h.refused = pb.AttachRefused_REASON_HANDLE_IN_USE })
			h.stop()
			h.start()
		}, recorder.OutcomeFailed, true},
		"sockets lost": {worldOptions{}, func(_ *testHost, s *testSession) {
			s.say(&pb.FromHost{Message: &pb.FromHost_StreamFailure{StreamFailure: &pb.StreamFailure{Handle: s.handle, Kind: 1, Detail: "x"}}})
		}, recorder.OutcomeFailed, false},
		"taken away": {worldOptions{}, func(_ *testHost, s *testSession) {
			s.say(&pb.FromHost{Message: &pb.FromHost_Detached{Detached: &pb.Detached{Handle: s.handle, ByLease: 1 << 62}}})
		}, recorder.OutcomeFailed, false},
		"shut down": {worldOptions{}, func(_ *testHost, s *testSession) {
			s.say(&pb.FromHost{Message: &pb.FromHost_SessionClosed{SessionClosed: &pb.SessionClosed{Handle: s.handle, Reason: pb.SessionClosed_REASON_SHUTDOWN}}})
		}, recorder.OutcomeFailed, false},
		"closed in good order": {worldOptions{}, func(_ *testHost, s *testSession) {
			s.say(&pb.FromHost{Message: &pb.FromHost_SessionClosed{SessionClosed: &pb.SessionClosed{Handle: s.handle, Reason: pb.SessionClosed_REASON_PLATFORM}}})
		}, recorder.OutcomeRecorded, false},
		"counting anew": {worldOptions{}, func(h *testHost, s *testSession) {
			h.stop()
			h.change(func() { s.next, s.ring, s.acked = 1, nil, 0 })
			h.start()
		}, recorder.OutcomeFailed, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tt.o)
			s, hs := w.record("c")
			hs.capture(40)
			w.stored(s, 40)
			began := time.Now()
			tt.lose(w.hosts[0], hs)
			end := w.end("c")
			if took := time.Since(began); took > 2*time.Second+tt.o.bridge {
				t.Errorf("it took %v", took)
			}
			r := w.report("c")
			k := w.whole(r.Recording, upTo(1, 40)...)
			if end.Outcome != tt.end || k.seal == nil {
				t.Errorf("%+v %+v", end, k.seal)
			}
			if tt.end == recorder.OutcomeFailed && end.Cause != recorder.CauseMediaLost {
				t.Errorf("cause %v", end.Cause)
			}
			for _, g := range k.gaps {
				if g.Gap.Cause != frame.CauseLink && g.Gap.Cause != frame.CauseTail {
					t.Errorf("gap %+v", g.Gap)
				}
			}
		})
	}
}

// TestSealDuringCut: the end of a call while its link is down: a bounded wait,
// then what is missing is a gap of cause link.
func TestSealDuringCut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	h := w.hosts[0]
	s, hs := w.record("c")
	hs.capture(50)
	w.stored(s, 50)
	h.stop()
	w.down(s)
	<-time.After(300 * time.Millisecond)
	began := time.Now()
	w.hangUp("c")
	end := w.end("c")
	if took := time.Since(began); took < pausedLimit || took > pausedLimit+time.Second {
		t.Errorf("it took %v", took)
	}
	r := w.report("c")
	k := w.whole(r.Recording, upTo(1, 50)...)
	if end.Outcome != recorder.OutcomeRecordedWithGaps || len(k.gaps) != 1 || k.gaps[0].Gap.Cause != frame.CauseLink || k.seal.Cause != sealCut {
		t.Fatalf("%+v\n%+v\n%+v", end, k.gaps, k.seal)
	}
	if missing := time.Duration(r.GapSamples) * time.Second / frame.SampleRate; missing < 250*time.Millisecond || missing > time.Second {
		t.Errorf("%v are missing", missing)
	}
}

// TestSealAfterCut: the link is back before the wait is over: nothing is missing.
func TestSealAfterCut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	h := w.hosts[0]
	s, hs := w.record("c")
	hs.capture(50)
	w.stored(s, 50)
	h.stop()
	w.down(s)
	hs.capture(20)
	w.hangUp("c")
	h.start()
	end := w.end("c")
	r := w.report("c")
	k := w.whole(r.Recording, upTo(1, 70)...)
	if end.Outcome != recorder.OutcomeRecorded || k.seal.Cause != sealPaused {
		t.Errorf("%+v %+v", end, k.seal)
	}
}

// TestHostNeverPauses: the wait for Paused is bounded, and frames go on being
// stored until it ends.
func TestHostNeverPauses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	h := w.hosts[0]
	h.change(func() { h.mutePaus = true })
	s, hs := w.record("c")
	hs.capture(50)
	w.stored(s, 50)
	w.hangUp("c")
	eventually(t, "Pause", func() bool { return hs.state().pauses > 0 })
	hs.skip(2) // before they are acknowledged
	hs.raw(audio(51), audio(52))
	end := w.end("c")
	k := w.whole(w.report("c").Recording, upTo(1, 52)...)
	if end.Outcome != recorder.OutcomeRecorded || k.seal.Cause != sealSilent {
		t.Errorf("%+v %+v", end, k.seal)
	}
}

// TestManyCallsInOneCut: all sessions of a host come back, each with its own.
func TestManyCallsInOneCut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	h := w.hosts[0]
	const n = 40
	ids := make([]recorder.CallID, n)
	ones, theirs := make([]*session, n), make([]*testSession, n)
	for i := range n {
		ids[i] = recorder.CallID("call-" + string(rune('A'+i)))
		ones[i], theirs[i] = w.record(ids[i])
		theirs[i].capture(10 + i)
	}
	h.stop()
	w.down(ones[0])
	for _, hs := range theirs {
		hs.capture(10)
	}
	h.start()
	for i, s := range ones {
		w.stored(s, uint64(20+i))
		w.hangUp(ids[i])
	}
	for i, id := range ids {
		if end := w.end(id); end.Outcome != recorder.OutcomeRecorded {
			t.Errorf("%+v", end)
		}
		w.whole(w.report(id).Recording, upTo(1, uint64(20+i))...)
	}
}

// TestLossReasonsHaveNames: every reason is a label of its own.
func TestLossReasonsHaveNames(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for r := link.LossCut; r <= link.LossReset; r++ {
		seen[r.String()] = true
	}
	for r := range reasons {
		seen[r.String()] = true
	}
	if len(seen) != int(link.LossReset)+int(reasons) || seen["unknown"] {
		t.Errorf("%v", seen)
	}
}

// TestWhatIsSentAgainShowsNothing: frames that a host sends again behind a cut,
// because it heard no acknowledgement, are refused and are no sign of a host that
// counts wrong: the next cut is bridged as ever.
func TestWhatIsSentAgainShowsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	s, hs := w.record("c")
	hs.capture(20)
	w.stored(s, 20)
	hs.raw(audio(20))
	w.refused(s, duplicate, 1)
	w.hosts[0].stop()
	w.down(s)
	<-time.After(stuckLimit + 4*watchEvery)
	w.hosts[0].start()
	w.hangUp("c")
	if end := w.end("c"); end.Outcome == recorder.OutcomeFailed {
		t.Errorf("%+v", end)
	}
}
