package media

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	pb "github.com/recorderbot/recorderbot/internal/media/link/mediahostv1"
	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// audio is the frame of a number: its payload is loud and tells the number.
func audio(seq uint64) frame.Frame {
	f := frame.Frame{Header: frame.Header{
		Seq: seq, Kind: frame.MixedAudio, MediaTime: 39_000_000_000_000_000 + int64(seq)*frame.TicksPerFrame,
	}, Payload: make([]byte, frame.AudioBytes)}
	for i := range f.Payload {
		f.Payload[i] = byte(seq) ^ byte(i*7) | 1
	}
	return f
}

// canary is a payload that must never be stored.
func canary(seq uint64) frame.Frame {
	f := audio(seq)
	copy(f.Payload, bytes.Repeat([]byte("never to be stored! "), 32))
	return f
}

var canaryBytes = []byte("never to be stored! never to be stored!")

// whole checks that a recording holds exactly these numbers, bit for bit.
func (w *world) whole(id string, seqs ...uint64) kept {
	w.tb.Helper()
	k := w.kept(id)
	if !slices.Equal(k.seqs, seqs) {
		w.tb.Errorf("stored %v, want %v", k.seqs, seqs)
	}
	for i, seq := range k.seqs {
		if !bytes.Equal(k.data[i], audio(seq).Payload) {
			w.tb.Errorf("frame %d is not what was sent", seq)
		}
	}
	return k
}

func upTo(first, last uint64) (all []uint64) {
	for s := first; s <= last; s++ {
		all = append(all, s)
	}
	return all
}

// TestWholeCall: the law, from invite to outcome, with frames at every moment at
// which none may be kept.
func TestWholeCall(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{asks: true})
	h := w.hosts[0]
	var acked, last uint64
	w.onEnd = func(recorder.CallID) {
		// The last acknowledgement was sent before; it takes a moment to arrive.
		eventually(t, "the last acknowledgement", func() bool {
			s := h.session(0).state()
			acked, last = s.acked, s.next-1
			return acked == last
		})
	}
	w.invite("c")
	hs := h.session(0)
	eventually(t, "attachment", func() bool { return hs.state().link != nil })
	s := w.placed("c")
	// Before consent a host that keeps the contract sends nothing; this one does.
	hs.capture(10)
	hs.raw(canary(1), canary(2), canary(3))
	w.refused(s, beforeConsent, 3)
	if w.onDisk(canaryBytes) {
		t.Fatal("a frame from before consent is on the disk")
	}
	close(w.consent)
	w.opened("c")
	hs.capture(100)
	w.stored(s, 100)
	hs.capture(23) // under way when the call ends
	w.hangUp("c")
	end := w.end("c")
	r := w.report("c")
	w.whole(r.Recording, upTo(1, 123)...)
	if end.Outcome != recorder.OutcomeRecorded || r.Frames != 123 || r.Samples != 123*320 || r.GapSamples != 0 || r.LastSeq != 123 || r.Discarded != 3 {
		t.Errorf("%+v\n%+v", end, r)
	}
	if r.FirstAt.IsZero() || r.LastAt.Before(r.FirstAt) || r.At.Before(r.LastAt) {
		t.Errorf("times: %v %v %v", r.FirstAt, r.LastAt, r.At)
	}
	if acked != 123 || last != 123 {
		t.Errorf("notRecording was announced with %d acknowledged of %d", acked, last)
	}
	if w.onDisk(canaryBytes) {
		t.Error("a frame from before consent is on the disk")
	}
	eventually(t, "StopSession", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return slices.Contains(h.stopped, s.id)
	})
	w.close()
	if report, err := spool.Check(w.dir + "/spool"); err != nil || len(report.Findings) > 0 {
		t.Errorf("check: %v, %d findings, the first: %+v", err, len(report.Findings), report.Findings[:min(1, len(report.Findings))])
	}
}

// TestNothingAfterSeal: whatever a host sends once Seal has returned, nothing of
// it is stored; and while it seals, only up to what the host named.
func TestNothingAfterSeal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	h := w.hosts[0]
	s, hs := w.record("c")
	sent := make(chan struct{})
	w.onEnd = func(recorder.CallID) {
		hs.raw(canary(51), canary(52))
		w.refused(s, afterSeal, 2)
		close(sent)
	}
	hs.capture(50)
	h.change(func() { h.mutePaus = true })
	w.hangUp("c")
	eventually(t, "Pause", func() bool { return hs.state().pauses > 0 })
	w.stored(s, 50)
	hs.say(&pb.FromHost{Message: &pb.FromHost_Paused{Paused: &pb.Paused{Handle: hs.state().handle, LastSeq: 50}}})
	w.end("c")
	<-sent
	r := w.report("c")
	w.whole(r.Recording, upTo(1, 50)...)
	w.close()
	if w.onDisk(canaryBytes) {
		t.Error("a frame from after the seal is on the disk")
	}
}

// TestCutShort: a recording that ends as failed keeps what was admitted and takes
// nothing from the moment of the fault on.
func TestCutShort(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	s, hs := w.record("c")
	hs.capture(50)
	w.stored(s, 50)
	w.registry.StopAll(recorder.CauseShutdown, true)
	eventually(t, "the end of the permit", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return !s.permit.Live()
	})
	hs.raw(canary(51))
	end := w.end("c")
	w.whole(w.report("c").Recording, upTo(1, 50)...)
	if end.Outcome != recorder.OutcomeFailed || !w.heard("c failed") {
		t.Errorf("%+v", end)
	}
	w.close()
	if w.onDisk(canaryBytes) {
		t.Error("a frame from after the permit is on the disk")
	}
}

// TestGate: what a host may get wrong, while the recording is open: each frame is
// counted under its reason, and nothing else changes.
func TestGate(t *testing.T) {
	t.Parallel()
	video := canary(21)
	video.Kind = frame.Video
	short := canary(21)
	short.Payload = short.Payload[:638]
	zero, past, future := audio(21), audio(22), audio(23)
	zero.MediaTime, past.MediaTime, future.MediaTime = 0, -1, 1<<62
	for name, tt := range map[string]struct {
		send   func(*world, *testSession)
		reason reason
		n      uint64
		kept   []uint64 // beyond 1 to 20
	}{
		"sent twice":         {func(_ *world, s *testSession) { s.raw(audio(19), audio(20)) }, duplicate, 2, nil},
		"numbers going back": {func(_ *world, s *testSession) { s.raw(canary(3), canary(4)) }, duplicate, 2, nil},
		"a wild number":      {func(_ *world, s *testSession) { s.raw(canary(1 << 60)) }, implausible, 1, nil},
		"wrong size, alone":  {func(_ *world, s *testSession) { s.raw(short) }, malformed, 1, nil},
		"wrong size, among others": {func(_ *world, s *testSession) {
			s.raw(audio(20), short, audio(21), audio(22))
			s.skip(2)
		}, malformed, 1, []uint64{21, 22}},
		"not asked for": {func(_ *world, s *testSession) { s.raw(video) }, unwanted, 1, nil},
		"absurd times": {func(_ *world, s *testSession) {
			s.raw(zero, past, future, audio(20))
			s.skip(3)
		}, duplicate, 1, []uint64{21, 22, 23}},
		"Paused without Pause": {func(w *world, s *testSession) {
			one := w.placed("c")
			s.say(&pb.FromHost{Message: &pb.FromHost_Paused{Paused: &pb.Paused{Handle: s.handle, LastSeq: 20}}}) // not asked for
			s.raw(audio(20), audio(21))
			s.skip(1)
			w.refused(one, duplicate, 1)
		}, duplicate, 1, []uint64{21}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, worldOptions{})
			s, hs := w.record("c")
			hs.capture(20)
			w.stored(s, 20)
			tt.send(w, hs)
			w.refused(s, tt.reason, tt.n)
			last := hs.state().next - 1
			hs.capture(5)
			w.stored(s, last+5)
			w.hangUp("c")
			end := w.end("c")
			want := append(upTo(1, 20), tt.kept...)
			w.whole(w.report("c").Recording, append(want, upTo(last+1, last+5)...)...)
			if end.Outcome != recorder.OutcomeRecorded {
				t.Errorf("%+v", end)
			}
			w.close()
			if w.onDisk(canaryBytes) {
				t.Error("a discarded frame is on the disk")
			}
		})
	}
}

// TestUnknownHandle: frames of nobody are counted and go nowhere.
func TestUnknownHandle(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	s, hs := w.record("c")
	hs.capture(5)
	w.stored(s, 5)
	packed := frame.AppendPacked(nil, 4711, canary(6))
	hs.say(&pb.FromHost{Message: &pb.FromHost_Frames{Frames: &pb.Frames{Packed: packed}}})
	hs.say(&pb.FromHost{Message: &pb.FromHost_Opened{Opened: &pb.Opened{Handle: 4711, FirstSeq: 1}}})
	hs.say(&pb.FromHost{Message: &pb.FromHost_Frames{Frames: &pb.Frames{Packed: packed[:31]}}})
	hs.capture(5)
	w.stored(s, 10)
	w.hangUp("c")
	w.end("c")
	w.whole(w.report("c").Recording, upTo(1, 10)...)
	for series, want := range map[string]float64{
		`recorderbot_media_frames_discarded_total{reason="unknownSession"}`: 1,
		`recorderbot_media_frames_discarded_total{reason="malformed"}`:      1,
		`recorderbot_media_host_faults_total{fault="unknownHandle"}`:        1,
		`recorderbot_media_frames_total{kind="mixedAudio"}`:                 10,
	} {
		if got := w.metric(series); got != want {
			t.Errorf("%s is %v, want %v", series, got, want)
		}
	}
}

// TestNothingFits: a host whose numbers never fit again is a fault of law 3.
func TestNothingFits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	s, hs := w.record("c")
	hs.capture(50)
	w.stored(s, 50)
	began := time.Now()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for seq := uint64(1); !w.heard("c failed"); seq++ {
		hs.raw(canary(seq%40 + 1))
		<-tick.C
		if time.Since(began) > 5*time.Second {
			t.Fatal("nobody noticed")
		}
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("failed was announced after %v", took)
	}
	if end := w.end("c"); end.Outcome != recorder.OutcomeFailed || end.Cause != recorder.CauseMediaLost {
		t.Errorf("%+v", end)
	}
}
