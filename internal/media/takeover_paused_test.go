package media

import (
	"encoding/json"
	"testing"

	"github.com/recorderbot/recorderbot/internal/media/frame"
)

// TestTakeoverOfPaused: the process died when its Pause had come to the host, and
// nobody else knew of it. What the host still holds is recorded; the time until it
// sends again is missing, for whoever was in the call believed to be recorded.
func TestTakeoverOfPaused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		held, ring int
		lost       uint64
	}{
		"held":         {held: 5},
		"dropped":      {held: 5, ring: 3, lost: 2},
		"nothing held": {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, next := mortal(t)
			n, hs := w.died(next)
			n.hosts[0].change(func() { n.hosts[0].ringMost = tt.ring })
			hs.capture(tt.held)
			n.hosts[0].change(func() { hs.open = false })
			left := n.found(hs.id)
			n.service.Adopt(left)
			permit, end := n.leave()
			opened, err := n.service.Open(t.Context(), permit)
			if err != nil || opened.FirstSeq != 101 {
				t.Fatalf("%+v, %v", opened, err)
			}
			// What comes now begins 10 frames later than the last that was held. Where none
			// was, our clock tells: the frame before was durable then.
			last := audio(uint64(100 + tt.held)).MediaTime
			if tt.held == 0 {
				last = frame.Ticks(left.Recordings[0].LastAt) - frame.TicksPerFrame
			}
			late := audio(uint64(101 + tt.held))
			late.MediaTime = last + 11*frame.TicksPerFrame + frame.TicksPerFrame/4
			hs.skip(1)
			hs.raw(late)
			n.stored(n.service.session("c"), late.Seq)
			report, err := n.service.Seal(t.Context(), end(true))
			missing := (tt.lost + 10) * frame.AudioSamples
			if err != nil || report.Frames != uint64(tt.held)-tt.lost+1 || report.GapSamples != missing {
				t.Errorf("%+v, %v; want %d samples missing", report, err, missing)
			}
			for _, g := range n.kept(report.Recording).gaps {
				if g.Gap.Cause != frame.CauseCrash {
					t.Errorf("gap %+v", g.Gap)
				}
			}
		})
	}
}

// TestTakeoverOfPausedAtOnce: the same where nothing of the recording was durable but its
// evidence: what the host holds of it is recorded.
func TestTakeoverOfPausedAtOnce(t *testing.T) {
	t.Parallel()
	w, next := mortal(t)
	w.invite("c")
	s := w.placed("c")
	hs := w.onHost(s)
	eventually(t, "the recording", func() bool { return hs.state().opens > 0 })
	n := next(w)
	n.hosts[0].change(func() { hs.open = true })
	hs.capture(2)
	n.hosts[0].change(func() { hs.open = false })
	n.service.Adopt(n.found(hs.id))
	permit, end := n.leave()
	opened, err := n.service.Open(t.Context(), permit)
	if err != nil || opened.FirstSeq != 1 {
		t.Fatalf("%+v, %v", opened, err)
	}
	report, err := n.service.Seal(t.Context(), end(true))
	if err != nil || report.Frames != 2 || report.LastSeq != 2 {
		t.Errorf("%+v, %v", report, err)
	}
}

// TestStrayOfAPause: a host that sends a frame of a pause, against the contract, does not
// get it into the recording behind the pause, be it that of a process that takes over
// before anything of that is durable.
func TestStrayOfAPause(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	s, hs := w.record("c")
	hs.capture(3)
	w.stored(s, 3)
	if _, err := w.registry.Pause(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the seal", s.isSealed)
	hs.skip(1)
	hs.raw(audio(4), audio(4+maxLate))
	w.refused(s, afterSeal, 2)
	if _, err := w.registry.Resume(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	n, _ := w.opened("c")
	if n.behind != 5 { // the evidence foretells it to whoever takes over
		t.Errorf("the evidence foretells frame %d, want 5", n.behind)
	}
	if n.first != 5 {
		t.Errorf("the recording begins at frame %d, want 5", n.first)
	}
}

// TestTakeoverOfPausedThatDroppedAll: what a paused host holds no more is missing by its
// numbers, at the beginning.
func TestTakeoverOfPausedThatDroppedAll(t *testing.T) {
	t.Parallel()
	w, next := mortal(t)
	n, hs := w.died(next)
	hs.capture(5)
	n.hosts[0].change(func() { hs.open, hs.ring = false, nil })
	n.service.Adopt(n.found(hs.id))
	permit, end := n.leave()
	opened, err := n.service.Open(t.Context(), permit)
	if err != nil || opened.FirstSeq != 101 {
		t.Fatalf("%+v, %v", opened, err)
	}
	hs.capture(1)
	n.stored(n.service.session("c"), 106)
	report, err := n.service.Seal(t.Context(), end(true))
	if err != nil {
		t.Fatal(err)
	}
	gaps := n.kept(report.Recording).gaps
	if len(gaps) == 0 || gaps[0].Gap.Count != 5 || gaps[0].Gap.FirstSeq != 101 || gaps[0].Gap.Cause != frame.CauseCrash {
		t.Errorf("gaps %+v", gaps)
	}
}

// TestTakeoverOfPausedThatStays: a host that still holds something and never opens again
// is no recording.
func TestTakeoverOfPausedThatStays(t *testing.T) {
	t.Parallel()
	w, next := mortal(t)
	n, hs := w.died(next)
	hs.capture(5)
	n.hosts[0].change(func() { hs.open, n.hosts[0].muteOpen = false, true })
	n.service.Adopt(n.found(hs.id))
	permit, end := n.leave()
	if opened, err := n.service.Open(t.Context(), permit); err == nil {
		t.Errorf("opened: %+v", opened)
	}
	if report, err := n.service.Seal(t.Context(), end(true)); err != nil || report.Frames != 5 {
		t.Errorf("%+v, %v: what it held is stored all the same", report, err)
	}
}

// TestEvidenceOfATakeover names the recording that it goes on with.
func TestEvidenceOfATakeover(t *testing.T) {
	t.Parallel()
	w, next := mortal(t)
	n, hs := w.died(next)
	left := n.found(hs.id)
	n.service.Adopt(left)
	permit, end := n.leave()
	opened, err := n.service.Open(t.Context(), permit)
	if err != nil {
		t.Fatal(err)
	}
	for r, err := range n.spool.Read(opened.Recording) {
		var m meta
		if err != nil || json.Unmarshal(r.Permit.Meta, &m) != nil {
			t.Fatalf("%+v, %v", r, err)
		}
		if m.Part != 2 || m.Continues != left.Recordings[0].ID || m.Joint != jointTakeover {
			t.Errorf("%+v", m)
		}
		break
	}
	if _, err = n.service.Seal(t.Context(), end(true)); err != nil {
		t.Error(err)
	}
}
