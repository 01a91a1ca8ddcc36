package media

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	pb "github.com/recorderbot/recorderbot/internal/media/link/mediahostv1"
	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/recorder"
	"github.com/recorderbot/recorderbot/internal/recorder/recordertest"
)

// mortal is a world whose process can die: next ends it without a seal, and begins
// another on the same spool and host.
func mortal(tb testing.TB) (w *world, next func(*world) *world) {
	tb.Helper()
	w = blankWorld(tb, worldOptions{})
	ca := newAuthority(tb)
	h := newTestHost(tb, ca, "host-a")
	begin := func(w *world) {
		w.hosts = []*testHost{h}
		w.begin([]string{h.addr}, ca.client(tb), worldOptions{}, spool.Options{SegmentSize: 4 << 20, CommitInterval: 5 * time.Millisecond})
	}
	begin(w)
	return w, func(w *world) *world {
		tb.Helper()
		w.close()
		n := blankWorld(tb, worldOptions{})
		n.dir = w.dir
		begin(n)
		return n
	}
}

// found is what a dead process has left of call c, in the session of that name.
func (w *world) found(session string) Left {
	w.tb.Helper()
	var unsealed []spool.Info
	for _, info := range w.spool.Recovered() {
		if !info.Sealed {
			unsealed = append(unsealed, info)
		}
	}
	return Left{
		Call: recorder.CallRef{ID: "c"}, Session: &recorder.Session{ID: session, Address: w.hosts[0].addr},
		Recordings: Parts(unsealed), Seen: time.Now(),
	}
}

// A stranger is the media side of a call of which a test wants no more than what the
// recorder would give: a permit, and the order to seal.
type stranger struct {
	permits chan recorder.Permit
	orders  chan recorder.SealOrder
}

func (*stranger) CreateSession(context.Context, recorder.CallRef, recorder.Placement) (recorder.Session, error) {
	return recorder.Session{ID: "x", Blob: "x"}, nil
}

func (s *stranger) Open(_ context.Context, p recorder.Permit) (recorder.Opened, error) {
	s.permits <- p
	return recorder.Opened{At: time.Now()}, nil
}

func (s *stranger) Seal(ctx context.Context, o recorder.SealOrder) (recorder.SealReport, error) {
	s.orders <- o
	<-ctx.Done() // the permit is the test's until then
	return recorder.SealReport{}, ctx.Err()
}

func (*stranger) Release(context.Context, recorder.CallID, string) error { return nil }

// leave is a permit for call c, and the way to the order that ends it.
func (w *world) leave() (p recorder.Permit, end func(abrupt bool) recorder.SealOrder) {
	w.tb.Helper()
	s := &stranger{make(chan recorder.Permit, 1), make(chan recorder.SealOrder, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	w.registry = recorder.NewRegistry(ctx, recorder.Options{Platform: w, Media: s, Ledger: w})
	r := w.registry
	w.tb.Cleanup(func() { cancel(); _ = r.Wait(context.Background()) })
	w.invite("c")
	return <-s.permits, func(abrupt bool) recorder.SealOrder {
		if abrupt {
			r.StopAll(recorder.CauseShutdown, true)
		} else {
			w.hangUp("c")
		}
		return <-s.orders
	}
}

// died records frames 1 to 100 of call c, tells by times that half a second is missing
// behind the 50th, and lets the process die. It returns the next one.
func (w *world) died(next func(*world) *world) (n *world, hs *testSession) {
	w.tb.Helper()
	s, hs := w.record("c")
	hs.capture(50)
	from := audio(50).MediaTime + frame.TicksPerFrame
	hs.say(&pb.FromHost{Message: &pb.FromHost_Gap{Gap: &pb.Gap{
		Handle: hs.handle, Kind: 1, Reason: pb.Gap_REASON_HOST, FromTime: from, ToTime: from + 25*frame.TicksPerFrame,
	}}})
	late := make([]frame.Frame, 50)
	for i := range late {
		late[i] = audio(uint64(51 + i))
		late[i].MediaTime += 25 * frame.TicksPerFrame
	}
	hs.raw(late...)
	hs.skip(50)
	w.stored(s, 100)
	return next(w), hs
}

// sealOf is how a recording was sealed.
func (w *world) sealOf(id string) spool.SealRecord {
	w.tb.Helper()
	k := w.kept(id)
	if k.seal == nil {
		w.tb.Fatalf("recording %s has no seal", id)
	}
	return *k.seal
}

// TestTakeover: the next process goes on with the next frame. What the host could
// not hold until then is one gap, exact to the frame, and it is told to be missing of
// the new recording, at its beginning.
func TestTakeover(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		away   int // frames captured while nobody had the session
		ring   int // of which the host holds so many; 0: all
		lost   uint64
		graces bool
	}{
		"held":        {away: 50},
		"dropped":     {away: 50, ring: 30, lost: 20},
		"nothing new": {},
		"at its end":  {away: 50, graces: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, next := mortal(t)
			n, hs := w.died(next)
			n.hosts[0].change(func() { n.hosts[0].ringMost = tt.ring })
			hs.capture(tt.away)
			left := n.found(hs.id)
			first := left.Recordings[0].ID
			n.service.Adopt(left)
			permit, end := n.leave()
			opened, err := n.service.Open(t.Context(), permit)
			if err != nil || opened.FirstSeq != 101 {
				t.Fatalf("%+v, %v", opened, err)
			}
			if p := opened.Previous; p == nil || p.Recording != first || p.Frames != 100 || p.GapSamples != 0 || p.LastSeq != 100 {
				t.Errorf("left: %+v", p)
			}
			if seal := n.sealOf(first); seal.Cause != sealContinued || seal.LastSeq != 100 {
				t.Errorf("left: %+v", seal)
			}
			hs.capture(20)
			s := n.service.session("c")
			last := uint64(100 + tt.away + 20)
			n.stored(s, last)
			<-s.left.measured
			report, err := n.service.Seal(t.Context(), end(!tt.graces))
			// Where it is cut short on a busy machine, the time until then is missing, rightly.
			k := n.kept(report.Recording)
			late := uint64(0)
			k.gaps = slices.DeleteFunc(k.gaps, func(r spool.Record) bool {
				tail := tt.graces && r.Gap.Cause == frame.CauseTail
				if tail {
					late += uint64(length(r.Gap) / sampleLength)
				}
				return tail
			})
			if err != nil || report.Recording != opened.Recording || report.Frames+tt.lost != last-100 || report.GapSamples != tt.lost*frame.AudioSamples+late {
				t.Errorf("%+v, %v", report, err)
			}
			if tt.lost == 0 && len(k.gaps) != 0 || tt.lost > 0 && (len(k.gaps) != 1 || k.gaps[0].Gap.FirstSeq != 101 || k.gaps[0].Gap.Count != tt.lost || k.gaps[0].Gap.Cause != frame.CauseCrash) {
				t.Errorf("gaps %+v", k.gaps)
			}
			// By now it is known what the host said is missing of the first.
			if p := report.Previous; p == nil || p.Recording != first || p.Samples != 100*frame.AudioSamples || p.GapSamples != 25*frame.AudioSamples {
				t.Errorf("left, at the end: %+v", p)
			}
		})
	}
}

// TestTakeoverOfTwo: the process that took over died, too, before it had a frame.
func TestTakeoverOfTwo(t *testing.T) {
	t.Parallel()
	w, next := mortal(t)
	n, hs := w.died(next)
	n.service.Adopt(n.found(hs.id))
	s, err := n.service.ready("c")
	if err == nil {
		err = s.begin(t.Context(), recordertest.Permit(t, "c"))
	}
	if err != nil {
		t.Fatal(err)
	}
	n = next(n)
	hs.capture(10)
	left := n.found(hs.id)
	if len(left.Recordings) != 2 {
		t.Fatalf("%+v", left.Recordings)
	}
	n.service.Adopt(left)
	opened, err := n.service.Open(t.Context(), recordertest.Permit(t, "c"))
	if err != nil || opened.FirstSeq != 101 {
		t.Fatalf("%+v, %v", opened, err)
	}
	p := opened.Previous
	if p == nil || p.Recording != left.Recordings[1].ID || p.Frames != 0 || p.GapSamples != 0 || p.Previous == nil || p.Previous.Recording != left.Recordings[0].ID {
		t.Fatalf("left: %+v", p)
	}
	for _, r := range left.Recordings {
		if seal := n.sealOf(r.ID); seal.Cause != sealContinued || seal.LastSeq != 100 {
			t.Errorf("left: %+v", seal)
		}
	}
	n.stored(n.service.session("c"), 110)
}

// TestTakeoverOfNothing: of a recording of which nothing is durable, what the host
// dropped is missing from the number on that was foretold.
func TestTakeoverOfNothing(t *testing.T) {
	t.Parallel()
	w, next := mortal(t)
	_, hs := w.record("c")
	n := next(w)
	n.hosts[0].change(func() { n.hosts[0].ringMost = 30 })
	hs.capture(50)
	n.service.Adopt(n.found(hs.id))
	permit, end := n.leave()
	opened, err := n.service.Open(t.Context(), permit)
	if err != nil || opened.FirstSeq != 1 || opened.Previous == nil || opened.Previous.Frames != 0 {
		t.Fatalf("%+v, %v", opened, err)
	}
	n.stored(n.service.session("c"), 50)
	report, err := n.service.Seal(t.Context(), end(false))
	if err != nil || report.Frames != 30 || report.GapSamples != 20*frame.AudioSamples {
		t.Errorf("%+v, %v", report, err)
	}
}

// TestLeftIsSealedWithoutOpen: where nobody goes on, the time until the call's end is
// missing, to the frame: whether nothing was begun, or an Open was given up.
func TestLeftIsSealedWithoutOpen(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		gone   bool // the host is not configured any more
		opens  bool // an Open is tried, and not confirmed
		abrupt bool
		twice  bool // sealed again
	}{
		"the host is gone":    {gone: true},
		"nobody opened":       {abrupt: true},
		"sealed twice":        {twice: true},
		"no Open was allowed": {opens: true},
		"nor abruptly":        {opens: true, abrupt: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, next := mortal(t)
			n, hs := w.died(next)
			left := n.found(hs.id)
			left.Until = left.Recordings[0].LastAt.Add(10*time.Second + 7*time.Millisecond)
			if tt.gone {
				left.Session.Address = "elsewhere:1"
			}
			n.hosts[0].change(func() { n.hosts[0].muteAtt = true })
			n.service.Adopt(left)
			permit, end := n.leave()
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			if tt.gone {
				if _, err := n.service.Open(ctx, permit); !errors.Is(err, ErrUnknownCall) {
					t.Errorf("%v", err)
				}
			}
			if tt.opens {
				if opened, err := n.service.Open(ctx, permit); !isTimeout(err) && err == nil {
					t.Errorf("%+v, %v", opened, err)
				}
			}
			order := end(tt.abrupt)
			began := time.Now()
			report, err := n.service.Seal(t.Context(), order)
			if err != nil || time.Since(began) >= measureWait {
				t.Fatalf("%v after %v", err, time.Since(began))
			}
			if tt.twice {
				if again, err := n.service.Seal(t.Context(), order); err != nil || again.GapSamples != report.GapSamples || again.Recording != report.Recording {
					t.Errorf("again %+v, %v", again, err)
				}
			}
			old := &report
			if tt.opens {
				if report.Recording == "" || report.Frames != 0 || report.GapSamples != 0 {
					t.Errorf("%+v", report)
				}
				old = report.Previous
			}
			if old == nil || old.Recording != left.Recordings[0].ID || old.Frames != 100 || old.GapSamples != 500*frame.AudioSamples || old.Previous != nil {
				t.Fatalf("left: %+v", old)
			}
			if seal := n.sealOf(old.Recording); seal.Cause != string(recorder.CauseProcessDied) {
				t.Errorf("left: %+v", seal)
			}
		})
	}
}

// TestTakeoverThatCantAttach: Open says so at once.
func TestTakeoverThatCantAttach(t *testing.T) {
	t.Parallel()
	w, next := mortal(t)
	n, hs := w.died(next)
	n.service.Adopt(n.found(hs.id))
	s, err := n.service.ready("c")
	if err == nil {
		err = s.link.Attach() // somebody else's
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.service.Open(t.Context(), recordertest.Permit(t, "c")); err == nil || isTimeout(err) {
		t.Errorf("%v", err)
	}
	if s.gate != gateShut {
		t.Errorf("the gate is %d", s.gate)
	}
}

// TestPausedIsAttachedAtOnce: a host disposes of a session that nobody has; and
// resuming begins with what comes then.
func TestPausedIsAttachedAtOnce(t *testing.T) {
	t.Parallel()
	w, next := mortal(t)
	s, _ := w.made("c")
	hs := w.onHost(s)
	hs.skip(6)
	n := next(w)
	left := n.found(hs.id)
	left.Paused, left.Parts, left.After = true, 1, "before"
	n.service.Adopt(left)
	one := n.service.session("c")
	eventually(t, "attachment", one.link.Attached)
	opened, err := n.service.Open(t.Context(), recordertest.Permit(t, "c"))
	if err != nil || opened.FirstSeq != 7 || opened.Previous != nil || one.part != 2 || one.after != "before" || one.joint != jointPause {
		t.Errorf("%+v, %v; part %d after %q, %s", opened, err, one.part, one.after, one.joint)
	}
}

// TestNextFrameOfWhatIsLeft: a takeover goes on behind the last frame that is durable,
// also where the recording that was open has none, after a pause: what lies before it
// is in the recordings before, and not missing.
func TestNextFrameOfWhatIsLeft(t *testing.T) {
	t.Parallel()
	foretold := func(seq string) []byte { return []byte(`{"firstSeq":` + seq + `}`) }
	for name, tt := range map[string]struct {
		left Left
		want uint64
	}{
		"nothing":                   {Left{AfterSeq: 7}, 0},
		"some frames":               {Left{Recordings: []spool.Info{{Frames: 3, LastSeq: 9, Meta: foretold("1")}}}, 10},
		"none, at first":            {Left{Recordings: []spool.Info{{Meta: foretold("4")}}}, 4},
		"none, after a pause":       {Left{Recordings: []spool.Info{{Meta: foretold("1")}}, AfterSeq: 11}, 12},
		"some, and none after that": {Left{Recordings: []spool.Info{{Frames: 3, LastSeq: 9}, {Meta: foretold("20")}}}, 10},
	} {
		if got := tt.left.next(); got != tt.want {
			t.Errorf("%s: %d, want %d", name, got, tt.want)
		}
	}
}
