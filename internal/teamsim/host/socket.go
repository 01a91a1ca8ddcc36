package host

import (
	"slices"
	"time"

	pb "github.com/recorderbot/recorderbot/internal/media/link/mediahostv1"
	"github.com/recorderbot/recorderbot/internal/teamsim/footage"
)

// A socket receives one camera at a time, or one screen. Guarded by Host.mu.
type socket struct {
	number uint32
	screen bool
	active bool
	// spoken: its status was told once.
	spoken bool
	sub    *subscription
}

// A subscription plays a camera's clip from when it was asked for.
type subscription struct {
	camera *Camera
	lines  int // as asked for
	since  time.Duration
	next   int64 // number of the next picture, from Connect on
	clip   *footage.Clip
	unit   int // of the clip, that comes next
	// key: the next picture is a key frame.
	key bool
	off bool // the camera was off at the last look
}

// lines that may be asked for.
func sizes() []uint32 { return []uint32{180, 240, 360, 540, 720, 1080} }

// receiveStatus tells of the changes that are due.
func (s *session) receiveStatus(at time.Duration) {
	c := s.scene
	for len(c.receive) > 0 && c.receive[0].At <= at {
		r := c.receive[0]
		c.receive = c.receive[1:]
		for _, k := range c.sockets {
			named := r.Socket == AllSockets || (r.Socket == ScreenSocket && k.screen) || (r.Socket == int(k.number) && !k.screen)
			if !named || k.active == r.Active {
				continue
			}
			if k.active, k.spoken = r.Active, true; !k.active {
				k.sub = nil // it has to be asked for again
			}
			s.say(k.status(), nil)
		}
	}
}

func (k *socket) status() func(handle uint32) *pb.FromHost {
	m := &pb.ReceiveStatus{Socket: k.number, Screen: k.screen, Active: k.active}
	return func(handle uint32) *pb.FromHost {
		m.Handle = handle
		return &pb.FromHost{Message: &pb.FromHost_ReceiveStatus{ReceiveStatus: m}}
	}
}

// statuses are those of all sockets of which something was ever told, for a link that
// has just been attached.
func (s *session) statuses() (out []*pb.FromHost) {
	if s.scene == nil {
		return nil
	}
	for _, k := range s.scene.sockets {
		if k.spoken {
			out = append(out, k.status()(s.handle))
		}
	}
	return out
}

// socket returns one of the session's; nil where there is none of that number.
func (s *session) socket(number uint32) *socket {
	if s.scene == nil || number >= uint32(len(s.scene.sockets)) { //nolint:gosec // at most 11
		return nil
	}
	return s.scene.sockets[number]
}

// subscribe asks for a camera's pictures; the result is said in its place.
func (h *Host) subscribe(s *session, m *pb.Subscribe) {
	h.capture(s)
	fault := s.seek(m)
	s.say(func(handle uint32) *pb.FromHost {
		return &pb.FromHost{Message: &pb.FromHost_SubscribeResult{SubscribeResult: &pb.SubscribeResult{
			Handle: handle, Socket: m.GetSocket(), SourceId: m.GetSourceId(), Error: fault,
		}}}
	}, nil)
}

// seek begins a subscription, or says why it can't.
func (s *session) seek(m *pb.Subscribe) (fault string) {
	k := s.socket(m.GetSocket())
	switch {
	case k == nil:
		return "there is no such socket"
	case !k.active:
		return "receive status is not active"
	case !slices.Contains(sizes(), m.GetHeight()):
		return "no such height"
	}
	cameras := s.scene.cast.Cameras
	i := slices.IndexFunc(cameras, func(v Camera) bool { return v.Source == m.GetSourceId() && v.Screen == k.screen })
	if i < 0 {
		return "there is no such source"
	}
	for _, other := range s.scene.sockets {
		if other != k && other.sub != nil && other.sub.camera == &cameras[i] {
			return "the source is subscribed to on another socket"
		}
	}
	k.sub = &subscription{
		camera: &cameras[i], lines: int(m.GetHeight()), since: time.Duration(s.frame) * frameTime, key: !cameras[i].NoKey, next: -1,
	}
	return ""
}

// pictures are those that arrive on a socket in the tick that begins at at.
func (s *session) pictures(k *socket, at time.Duration) {
	sub := k.sub
	if sub == nil {
		return
	}
	delay := s.scene.cast.Delay
	if sub.next < 0 {
		sub.enter()
	}
	for {
		taken := sub.time(sub.next)
		if taken+delay >= at+frameTime {
			return
		}
		on := sub.camera.On.on(taken)
		if !on {
			sub.off = true
			sub.next++
			continue
		}
		p := sub.play(taken)
		if taken < s.scene.opened && s.open {
			continue // taken before Open
		}
		s.scene.due = append(s.scene.due, Run{
			Stream: Stream{sub.camera.kind(), sub.camera.Source}, Count: 1, Position: s.frame * FrameSamples,
			Time: s.rec.MediaStart + int64(taken/100) + s.step, Socket: uint8(k.number), Picture: p, //nolint:gosec // at most 10
		})
	}
}

func (v *Camera) kind() uint8 {
	if v.Screen {
		return KindScreen
	}
	return KindVideo
}

// enter finds the first picture of a subscription, and where the clip is then.
func (sub *subscription) enter() {
	sub.resize(sub.since)
	sub.next = max(0, int64(sub.since)*sub.clip.Rate/int64(time.Second)-1)
	for sub.time(sub.next) < sub.since {
		sub.next++
	}
	sub.unit = int(sub.next % int64(len(sub.clip.Units)))
	if sub.clip.Units[sub.unit].Key && !sub.key {
		sub.unit++
	}
}

// time is when a picture is taken: at the clip's rate, irregularly, but for the first
// of each second.
func (sub *subscription) time(n int64) time.Duration {
	rate := sub.clip.Rate
	step := int64(time.Second) / rate
	at := n * int64(time.Second) / rate
	if n%rate != 0 {
		x := (uint64(n)+uint64(sub.camera.Source)<<32)*0x9E3779B97F4A7C15 + 0xBF58476D1CE4E5B9 //nolint:gosec // bits only
		x ^= x >> 29
		x *= 0x94D049BB133111EB
		at += int64(x>>11)%(step/3) - step/6
	}
	return time.Duration(at / 100 * 100) // whole ticks
}

// play is the next picture, taken at a time.
func (sub *subscription) play(taken time.Duration) *Picture {
	sub.resize(taken)
	c := sub.clip
	if sub.off {
		sub.off, sub.key = false, true // the camera is on again: another coded sequence
	}
	phase := sub.next % c.Rate
	sub.next++
	switch {
	case c.Name == footage.Sync && phase == 0:
		sub.unit, sub.key = 0, false // the flash
	case c.Name == footage.Sync && sub.key:
		sub.unit, sub.key = footage.SyncRate, false
	case sub.key:
		sub.unit, sub.key = c.NextKey(sub.unit), false
	}
	u := &c.Units[sub.unit]
	if sub.unit++; sub.unit == len(c.Units) {
		sub.unit = 0
	}
	return &Picture{Data: u.Data, Key: u.Key, Width: c.Width, Height: c.Height}
}

// resize takes the clip in the size of a time. A new size begins with a key frame.
func (sub *subscription) resize(at time.Duration) {
	lines := sub.lines
	for _, z := range sub.camera.Sizes {
		if z.At <= at {
			lines = min(sub.lines, z.Lines)
		}
	}
	c, err := footage.Find(sub.camera.Clip, lines)
	if err != nil || c == sub.clip {
		return // the name was checked
	}
	sub.key = sub.key || sub.clip != nil
	sub.clip = c
}
