package media

import (
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/subscription"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// A viewer has a session's video subscribed as its plan says. Its lock is its own:
// nothing is asked of the link under the gates'.
type viewer struct {
	mu   sync.Mutex
	plan *subscription.Plan // nil: there is no video
}

// Cameras tells of everybody in a call who sends video now. It may be told as often as
// rosters come; of a call without video, or that is not here, nothing is kept.
func (s *Service) Cameras(call recorder.CallID, now []subscription.Camera) {
	if one := s.session(call); one != nil {
		one.replan(func(p *subscription.Plan) { p.Roster(now) })
	}
}

// ReceiveStatus implements link.Owner.
func (s *session) ReceiveStatus(socket uint8, screen, active bool) {
	s.replan(func(p *subscription.Plan) { p.Status(socket, screen, active) })
}

// Subscribed implements link.Owner.
func (s *session) Subscribed(socket uint8, source uint32, detail string) {
	outcome := "subscribed"
	if detail != "" {
		outcome = "refused"
		s.host.complain("subscribe", "the media host refused to subscribe to video", zap.Uint8("socket", socket), zap.String("detail", detail))
	}
	s.service.metrics.subscriptions.WithLabelValues(outcome).Inc()
	s.replan(func(p *subscription.Plan) { p.Result(socket, source, detail == "", time.Now()) })
}

// replan tells the plan something, and asks of the host what follows from it.
func (s *session) replan(tell func(*subscription.Plan)) {
	v := &s.viewer
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.plan == nil {
		return
	}
	tell(v.plan)
	s.mu.Lock()
	keys, holes, open := s.keyed, s.holed, s.gate == gateOpen
	s.keyed, s.holed = 0, 0
	s.mu.Unlock()
	v.plan.Open(open)
	v.plan.Keys(keys)
	v.plan.Holes(holes)
	for _, a := range v.plan.Next(time.Now()) {
		switch a.What {
		case subscription.Subscribe:
			s.link.Subscribe(a.Socket, a.Source, a.Height)
		case subscription.Unsubscribe:
			s.link.Unsubscribe(a.Socket)
		case subscription.KeyFrame:
			if s.link.RequestKeyFrame(a.Socket) {
				s.service.metrics.keyFrames.Inc()
			}
		}
	}
}

// succeed hands the plan to the session of the recording behind a pause: the sockets are
// the same.
func (v *viewer) succeed(next *viewer) {
	v.mu.Lock()
	defer v.mu.Unlock()
	next.plan, v.plan = v.plan, nil
}

// seen notes what a frame of video says of those behind it. Under the gates' lock.
func (s *session) seen(f *frame.Frame, hole bool) {
	bit := uint32(1) << min(f.Socket, 31)
	if hole || f.Flags&frame.AfterGap != 0 {
		s.holed |= bit
	}
	if f.Flags&frame.KeyFrame != 0 {
		s.keyed |= bit
		s.holed &^= bit
	}
}

// watchVideo has time pass for the plans.
func (s *Service) watchVideo() {
	for _, one := range s.all() {
		one.replan(func(*subscription.Plan) {})
	}
}
