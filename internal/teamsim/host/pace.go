package host

import (
	"fmt"
	"time"

	pb "github.com/recorderbot/recorderbot/internal/media/link/mediahostv1"
	"github.com/recorderbot/recorderbot/internal/teamsim/trace"
)

const (
	tickEvery = 20 * time.Millisecond
	infoEvery = 10 * time.Second
)

// timedFault is a fault of the host that waits. Time of the wall.
type timedFault struct {
	at    time.Time
	fault Fault
}

// pace is the one goroutine that moves time for all sessions.
func (h *Host) pace() {
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	for {
		select {
		case <-h.stopped.Done():
			return
		case <-ticker.C:
			h.mu.Lock()
			h.tick()
			h.mu.Unlock()
		}
	}
}

// Advance lets d pass on a Manual host, in steps of 20 ms.
func (h *Host) Advance(d time.Duration) {
	for d > 0 {
		step := min(d, tickEvery)
		d -= step
		h.mu.Lock()
		h.clock.passed += step
		h.tick()
		h.mu.Unlock()
	}
}

// tick does what is due. It holds mu.
func (h *Host) tick() {
	now := h.clock.wall()
	h.hostFaults(now)
	for _, s := range append([]*session(nil), h.order...) {
		if s.link == nil && now.Sub(s.detached) >= s.ttl {
			h.dispose(s, "orphaned")
			continue
		}
		h.capture(s)
		h.speakers(s)
	}
	if now.Sub(h.infoSent) >= infoEvery || h.info().GetHealth() != h.healthSent {
		h.tellInfo() // on change, and every 10 s
	}
	h.wake()
}

// speakers lets the next one speak every two seconds.
func (h *Host) speakers(s *session) {
	ids := h.opt.Speakers
	if len(ids) == 0 || s.scene != nil || !s.open || s.link == nil {
		return
	}
	turn := (s.frame - s.openedAt) / 100
	if turn == s.turn {
		return
	}
	s.turn = turn
	id := ids[int(turn)%len(ids)]
	before := s.next
	s.say(func(handle uint32) *pb.FromHost {
		return &pb.FromHost{Message: &pb.FromHost_ActiveSpeakers{ActiveSpeakers: &pb.ActiveSpeakers{
			Handle: handle, BeforeSeq: before, SourceIds: []uint32{id}, Dominant: id,
		}}}
	}, nil)
}

// gossip tells who speaks in frames that must not be sent, now and then.
func (s *session) gossip(left int) {
	if s.outside == nil || left%20 != 0 {
		return
	}
	before := s.next
	s.say(func(handle uint32) *pb.FromHost {
		return &pb.FromHost{Message: &pb.FromHost_ActiveSpeakers{ActiveSpeakers: &pb.ActiveSpeakers{
			Handle: handle, BeforeSeq: before, SourceIds: []uint32{OutsideSpeaker}, Dominant: OutsideSpeaker,
		}}}
	}, nil)
}

// Inject makes a session misbehave; see the kinds for when. It fails with
// ErrNoSession, or says what is wrong with a fault; then none is injected.
func (h *Host) Inject(blob string, faults ...Fault) error {
	for _, f := range faults {
		if err := f.check(false); err != nil {
			return err
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	s, err := h.find(blob)
	if err != nil {
		return fmt.Errorf("inject: %w", err)
	}
	for _, f := range faults {
		if f.Kind == FaultEarly {
			s.earlyLeft = f.frames()
			continue
		}
		s.faults = append(s.faults, f)
	}
	return nil
}

// InjectHost makes the whole host misbehave, At from now.
func (h *Host) InjectHost(faults ...Fault) error {
	for _, f := range faults {
		if err := f.check(true); err != nil {
			return err
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.clock.wall()
	for _, f := range faults {
		h.pending = append(h.pending, timedFault{at: now.Add(f.At), fault: f})
	}
	h.hostFaults(now)
	return nil
}

// nextFault is the frame at which the next fault starts, or -1.
func (s *session) nextFault() int64 {
	next := int64(-1)
	for _, f := range s.faults {
		if at, timed := s.faultFrame(f); timed && (next < 0 || at < next) {
			next = at
		}
	}
	return next
}

// faultFrame is the frame at which a fault starts; false for those that wait
// for something else.
func (s *session) faultFrame(f Fault) (int64, bool) {
	switch f.Kind { //nolint:exhaustive // all others have a time
	case FaultEarly, FaultLate, FaultNeverOpened, FaultNeverPaused, FaultCloseOnDisconnect:
		return 0, false
	}
	return s.openedAt + int64(f.At/(20*time.Millisecond)), s.openedAt >= 0
}

// startFaults starts what is due at the current frame of an open session. A
// fault that lasts makes the next one wait.
func (h *Host) startFaults(s *session) {
	for i := 0; i < len(s.faults); {
		f := s.faults[i]
		at, timed := s.faultFrame(f)
		if !timed || at > s.frame || (s.mode.left > 0 && f.lasts()) {
			i++
			continue
		}
		s.faults = append(s.faults[:i], s.faults[i+1:]...)
		h.startFault(s, f)
		if s.failed || !s.rec.Closed.IsZero() {
			return
		}
	}
}

// lasts tells whether the fault is a mode.
func (f Fault) lasts() bool {
	switch f.Kind { //nolint:exhaustive // the others do not
	case FaultGap, FaultSkip, FaultSilentSkip, FaultHole, FaultDuplicate, FaultMalformed, FaultAbsurdTime, FaultUnknownHandle:
		return true
	}
	return false
}

func (s *session) audioKind() uint32 {
	if s.scene != nil && s.scene.unmixed {
		return KindUnmixed
	}
	return KindMixed
}

// note writes down that a fault takes effect.
func (h *Host) note(s *session, f Fault, until time.Time) int {
	now := time.Now()
	s.rec.Faults = append(s.rec.Faults, FaultRecord{Fault: f, From: now, Until: until, Seq: s.next})
	h.traceSession(s, trace.Event{Kind: trace.FaultInjected, At: now, Seq: s.next, Detail: string(f.Kind)})
	return len(s.rec.Faults) - 1
}

func (h *Host) startFault(s *session, f Fault) {
	switch f.Kind { //nolint:exhaustive // the rest is below
	case FaultSessionClosed:
		h.note(s, f, time.Time{})
		h.close(s, pb.SessionClosed_REASON_PLATFORM, "closed by the scenario")
		return
	case FaultStreamFailure:
		h.note(s, f, time.Time{})
		s.failed = true
		s.say(func(handle uint32) *pb.FromHost {
			return &pb.FromHost{Message: &pb.FromHost_StreamFailure{StreamFailure: &pb.StreamFailure{
				Handle: handle, Kind: s.audioKind(), Detail: "failed by the scenario",
			}}}
		}, nil)
		return
	case FaultClockStep:
		h.note(s, f, time.Time{})
		step := int64(f.For / 100)
		if f.Reason == "back" {
			step = -step
		}
		s.step, s.newRun = s.step+step, true
		return
	case FaultDetached:
		h.note(s, f, time.Time{})
		s.rec.Lease++
		h.fence(s, s.rec.Lease)
		return
	case FaultCut, FaultStall, FaultKill, FaultRefuse, FaultOverload, FaultDrain:
		h.hostFault(f)
		return
	}
	s.mode = mode{kind: f.Kind, left: f.frames(), fault: f, from: s.frame, index: h.note(s, f, time.Time{})}
}

// hostFaults starts the host's faults that are due, and ends cuts.
func (h *Host) hostFaults(now time.Time) {
	var wait []timedFault
	due := h.pending
	h.pending = nil
	for _, p := range due {
		if p.at.After(now) {
			wait = append(wait, p)
			continue
		}
		h.hostFault(p.fault)
	}
	h.pending = append(h.pending, wait...)
	if !h.state.downUntil.IsZero() && !now.Before(h.state.downUntil) {
		h.state.downUntil = time.Time{}
		h.lis.setDown(false)
	}
}

func (h *Host) hostFault(f Fault) {
	now := h.clock.wall()
	for _, s := range h.order {
		h.note(s, f, time.Now().Add(f.For))
	}
	if len(h.order) == 0 {
		h.trace(trace.Event{Kind: trace.FaultInjected, Detail: string(f.Kind)})
	}
	switch f.Kind { //nolint:exhaustive // checked in InjectHost
	case FaultCut:
		h.breakLinks(now, f.For)
	case FaultKill:
		for len(h.order) > 0 {
			h.dispose(h.order[0], "killed")
		}
		h.epoch++
		h.breakLinks(now, f.For)
	case FaultStall:
		h.state.stalledUntil = now.Add(f.For)
	case FaultRefuse:
		h.state.refuse, h.state.refuseReason = windowFor(now, f.For), f.Reason
	case FaultOverload:
		h.state.overload = windowFor(now, f.For)
		h.tellInfo()
	case FaultDrain:
		h.state.draining = true
		h.tellInfo()
	}
}
