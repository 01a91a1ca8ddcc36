package media

import (
	"math"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/roster"
	"github.com/recorderbot/recorderbot/internal/media/subscription"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// A viewer knows who is in the call, and has its video subscribed as its plan says. Its
// lock is its own: nothing is asked of the link under the gates'.
type viewer struct {
	mu     sync.Mutex
	people *roster.Roster
	plan   *subscription.Plan // nil: there is no video
}

// begin knows nobody yet.
func (v *viewer) begin(t Streams) {
	v.people = roster.New()
	if t.Cameras > 0 || t.Screen {
		v.plan = subscription.New(t.Cameras, t.Screen, t.Height)
	}
}

// Roster tells of who is in a call: each roster as it comes, in order. Of a call that is
// not here nothing is kept.
func (s *Service) Roster(call recorder.CallID, told recorder.Roster) {
	one := s.session(call)
	if one == nil {
		return
	}
	v := &one.viewer
	v.mu.Lock()
	changed := v.people.Take(told.At, told)
	var cameras []subscription.Camera
	if changed && v.plan != nil {
		cameras = camerasOf(v.people.Current())
	}
	v.mu.Unlock()
	if changed {
		one.replan(func(p *subscription.Plan) { p.Roster(cameras) })
	}
}

// camerasOf are all who send video now.
func camerasOf(people []roster.Person) (all []subscription.Camera) {
	for _, p := range people {
		for _, source := range p.Video {
			all = append(all, subscription.Camera{Source: source, Voices: p.Audio})
		}
		for _, source := range p.Screen {
			all = append(all, subscription.Camera{Source: source, Screen: true, Voices: p.Audio})
		}
	}
	return all
}

// named reports whether all the sources are somebody's, as far as the rosters tell.
func (v *viewer) named(sources []uint32) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, id := range sources {
		if _, known := v.people.Owner(roster.Source{Type: "audio", ID: id}); !known && id != 0 && id != math.MaxUint32 {
			return false
		}
	}
	return true
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

// succeed hands what is known to the session of the recording behind a pause: the sockets are
// the same.
func (v *viewer) succeed(next *viewer) {
	v.mu.Lock()
	defer v.mu.Unlock()
	next.plan, next.people = v.plan, v.people
	v.plan, v.people = nil, roster.New()
}

// allSockets are a bit for each.
const allSockets = math.MaxUint32

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
