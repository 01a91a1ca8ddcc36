package subscription

import (
	"cmp"
	"slices"
	"time"
)

// Bounds.
const (
	// maxCameras is how many sources of video a plan knows of: a meeting has a thousand
	// participants, and those beyond were never heard.
	maxCameras = 1000
	// dwell is how long a source stays on its socket before somebody takes it who spoke
	// later: each change costs a key frame, and a file.
	dwell = 5 * time.Second
	// keyEvery is how often a key frame is asked for.
	keyEvery = time.Second
	// retryEvery is how often a refused subscription is tried again while nothing has
	// changed.
	retryEvery = 5 * time.Second
)

// A Camera is a source of video that sends now.
type Camera struct {
	Source uint32
	Screen bool     // a shared screen
	Voices []uint32 // source IDs under which the same participant speaks
}

// What is to be done.
type What uint8

// The actions.
const (
	Subscribe What = iota + 1
	Unsubscribe
	KeyFrame
)

// An Action is something to ask of the media host.
type Action struct {
	What   What
	Socket uint8
	Source uint32 // of a Subscribe
	Height uint32 // of a Subscribe, lines at most
}

// A socket is one that the platform has made.
type socket struct {
	number uint8
	screen bool
	// told: the platform said whether it is active. One of which it said nothing is
	// tried.
	told, active bool
	source       uint32 // wanted on it; 0: none
	asked        bool   // the host was asked for it
	there        bool   // and said that it is done
	since        time.Time
	notBefore    time.Time // refused: not again before
	keyless      bool      // what comes can't be decoded
	keyAt        time.Time // a key frame was asked for
}

// usable tells whether something may be asked of it.
func (s *socket) usable() bool { return s.active || !s.told }

// A camera is a Camera, and when its participant spoke last.
type camera struct {
	Camera

	spoke time.Time
	order int // in the roster
}

// A Plan is one call's sockets and cameras.
type Plan struct {
	height  uint32
	sockets []socket // cameras' first, then the screen's
	cameras []camera
	open    bool // frames may flow: before that nothing is asked
}

// New plans for so many cameras at a time, of so many lines at most, and a shared
// screen.
func New(cameras int, screen bool, height uint32) *Plan {
	p := &Plan{height: height}
	for i := range cameras {
		p.sockets = append(p.sockets, socket{number: uint8(i)})
	}
	if screen {
		// The platform numbers the sockets in the order in which they were made; what it
		// says of the screen's has the last word.
		p.sockets = append(p.sockets, socket{number: uint8(cameras), screen: true}) //nolint:gosec // G115: ten at most
	}
	return p
}

// Open says whether media may come: else nothing is asked.
func (p *Plan) Open(open bool) { p.open = open }

// Attached says that the host has the session on a new link: what was asked before, and
// not confirmed, may be lost, and of what is under way there may be a hole.
func (p *Plan) Attached() {
	for i := range p.sockets {
		s := &p.sockets[i]
		s.asked, s.keyless, s.notBefore = false, s.source != 0, time.Time{}
	}
}

// Status is the platform's word that a socket can receive, or can't any more.
func (p *Plan) Status(number uint8, screen, active bool) {
	s := p.socket(number, screen)
	if s == nil {
		return
	}
	s.told, s.active, s.notBefore = true, active, time.Time{}
	if !active {
		s.clear() // whoever was there gets another one, or this one when it is back
	}
}

// Result is what came of a Subscribe.
func (p *Plan) Result(number uint8, source uint32, ok bool, now time.Time) {
	for i := range p.sockets {
		s := &p.sockets[i]
		switch {
		case s.number != number || s.source != source || !s.asked:
		case ok:
			s.there, s.keyless, s.keyAt = true, true, now // the first frame is one, as a rule
		default:
			s.asked, s.there, s.notBefore = false, false, now.Add(retryEvery)
		}
	}
}

// socket finds one by what the platform calls it.
func (p *Plan) socket(number uint8, screen bool) *socket {
	for i := range p.sockets {
		switch s := &p.sockets[i]; {
		case s.screen && screen:
			s.number = number
			return s
		case !s.screen && !screen && s.number == number:
			return s
		}
	}
	return nil
}

// Roster names everybody who sends video now.
func (p *Plan) Roster(now []Camera) {
	was := p.cameras
	p.cameras = make([]camera, 0, min(len(now), maxCameras))
	for i, c := range now {
		if len(p.cameras) == maxCameras {
			break
		}
		// The platform numbers cameras and screens apart, for all that is known.
		same := func(o camera) bool { return o.Source == c.Source && o.Screen == c.Screen }
		if c.Source == 0 || slices.ContainsFunc(p.cameras, same) {
			continue
		}
		one := camera{Camera: c, order: i}
		if j := slices.IndexFunc(was, same); j >= 0 {
			one.spoke = was[j].spoke
		}
		p.cameras = append(p.cameras, one)
	}
}

// Speakers says who speaks now.
func (p *Plan) Speakers(voices []uint32, now time.Time) {
	for i := range p.cameras {
		if slices.ContainsFunc(p.cameras[i].Voices, func(v uint32) bool { return slices.Contains(voices, v) }) {
			p.cameras[i].spoke = now
		}
	}
}

// Keys says, a bit for each socket by its number, where a key frame came.
func (p *Plan) Keys(sockets uint32) {
	for i := range p.sockets {
		if s := &p.sockets[i]; sockets>>s.number&1 != 0 {
			s.keyless = false
		}
	}
}

// Holes says, a bit for each socket by its number, where frames are missing behind the
// last key frame.
func (p *Plan) Holes(sockets uint32) {
	for i := range p.sockets {
		if s := &p.sockets[i]; s.source != 0 && sockets>>s.number&1 != 0 {
			s.keyless = true
		}
	}
}

// Lost says that frames of a source are missing: what follows can't be decoded.
func (p *Plan) Lost(source uint32) {
	for i := range p.sockets {
		if s := &p.sockets[i]; s.source == source && s.source != 0 {
			s.keyless = true
		}
	}
}

// Next returns what is to be asked now, in order.
func (p *Plan) Next(now time.Time) []Action {
	if !p.open {
		return nil
	}
	var do []Action
	for _, screen := range []bool{false, true} {
		do = p.place(do, screen, now)
	}
	for i := range p.sockets {
		s := &p.sockets[i]
		switch {
		case s.source == 0 || !s.usable() || now.Before(s.notBefore):
		case !s.asked:
			s.asked = true
			do = append(do, Action{What: Subscribe, Socket: s.number, Source: s.source, Height: p.height})
		case s.there && s.keyless && now.Sub(s.keyAt) >= keyEvery:
			s.keyAt = now
			do = append(do, Action{What: KeyFrame, Socket: s.number})
		}
	}
	return do
}

// place decides who is on which socket of one kind.
func (p *Plan) place(do []Action, screen bool, now time.Time) []Action {
	ranked := p.ranked(screen)
	for i := range p.sockets {
		s := &p.sockets[i]
		if s.screen != screen || s.source == 0 || slices.ContainsFunc(ranked, func(c *camera) bool { return c.Source == s.source }) {
			continue
		}
		if s.asked && s.usable() { // who was there has stopped sending
			do = append(do, Action{What: Unsubscribe, Socket: s.number})
		}
		s.clear()
	}
	for _, c := range ranked {
		if slices.ContainsFunc(p.sockets, func(s socket) bool { return s.source == c.Source && s.screen == screen }) {
			continue
		}
		s := p.room(c, screen, now)
		if s == nil {
			break // nobody behind has spoken later
		}
		s.clear()
		s.source, s.since = c.Source, now
	}
	return do
}

// clear takes the source off; a further Subscribe replaces what the platform sends.
func (s *socket) clear() {
	s.source, s.asked, s.there, s.keyless, s.notBefore = 0, false, false, false, time.Time{}
}

// ranked are the cameras of one kind: who spoke last first, then in the roster's order.
func (p *Plan) ranked(screen bool) []*camera {
	var all []*camera
	for i := range p.cameras {
		if p.cameras[i].Screen == screen {
			all = append(all, &p.cameras[i])
		}
	}
	slices.SortStableFunc(all, func(a, b *camera) int {
		return cmp.Or(b.spoke.Compare(a.spoke), cmp.Compare(a.order, b.order))
	})
	return all
}

// room is a socket for a camera: a free one, else that of who has been silent for
// longest, if that is for longer than this one, and was not placed just now.
func (p *Plan) room(c *camera, screen bool, now time.Time) *socket {
	var least *socket
	var silent time.Time
	for i := range p.sockets {
		s := &p.sockets[i]
		switch {
		case s.screen != screen:
			continue
		case s.source == 0 && s.usable():
			return s
		case s.source == 0 || now.Sub(s.since) < dwell:
			continue
		}
		spoke := p.spoke(s.source, screen)
		if least == nil || spoke.Before(silent) {
			least, silent = s, spoke
		}
	}
	if least == nil || !c.spoke.After(silent) {
		return nil
	}
	return least
}

func (p *Plan) spoke(source uint32, screen bool) time.Time {
	for i := range p.cameras {
		if p.cameras[i].Source == source && p.cameras[i].Screen == screen {
			return p.cameras[i].spoke
		}
	}
	return time.Time{}
}
