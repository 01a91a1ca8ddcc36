package host

import (
	"cmp"
	"slices"
	"time"

	pb "github.com/recorderbot/recorderbot/internal/media/link/mediahostv1"
)

// nobody is the dominant speaker where there is none.
const nobody = 0xFFFFFFFF

// A scene is a session's cast at play: what makes it more than one stream of mixed
// audio. Guarded by Host.mu.
type scene struct {
	cast    Cast
	unmixed bool
	sockets []*socket // of video, then the screen's
	receive []Receive // that are still to come, in order
	opened  time.Duration

	due    []Run // of the tick at hand
	loud   []activity
	told   []uint32 // who speaks, as was said last; nil: it was not
	known  map[Stream]bool
	held   map[Stream][]int      // pictures that are held, as indices of runs
	loss   *GapRecord            // numbers of one stream, without a break, that never come
	missed map[Stream]*GapRecord // what is being skipped
}

// activity of a speaker.
type activity struct {
	who  int
	loud int64
}

// newScene is for a session with unmixed audio or video; nil where it has neither.
func newScene(m *pb.CreateSessionRequest) *scene {
	c := &scene{unmixed: m.GetAudio() == pb.AudioMode_AUDIO_MODE_UNMIXED}
	for n := range m.GetVideoSockets() {
		c.sockets = append(c.sockets, &socket{number: n})
	}
	if m.GetScreenShare() {
		c.sockets = append(c.sockets, &socket{number: m.GetVideoSockets(), screen: true})
	}
	if !c.unmixed && len(c.sockets) == 0 {
		return nil
	}
	return c
}

// begin lets the cast enter, at Connect.
func (c *scene) begin(cast Cast) {
	c.cast = cast
	c.known, c.held, c.missed = make(map[Stream]bool), make(map[Stream][]int), make(map[Stream]*GapRecord)
	if c.receive = slices.Clone(cast.Receive); c.receive == nil {
		c.receive = []Receive{{Socket: AllSockets, At: 200 * time.Millisecond, Active: true}}
	}
	slices.SortStableFunc(c.receive, func(a, b Receive) int { return cmp.Compare(a.At, b.At) })
}

// bring lets a tick of 20 ms pass, and returns the frames that it brings, in their
// order. They have no numbers yet. Nothing is kept of them: the next tick reuses them.
func (s *session) bring() []Run {
	c, at := s.scene, time.Duration(s.frame)*frameTime
	c.due = c.due[:0]
	s.receiveStatus(at)
	for _, k := range c.sockets {
		s.pictures(k, at)
	}
	s.voices(at)
	s.frame++
	return c.due
}

// voices are the audio of a tick: mixed, or each speaker who is delivered.
func (s *session) voices(at time.Duration) {
	c, position, mediaTime := s.scene, s.frame*FrameSamples, s.mediaTime(s.frame)+s.step
	c.loud = c.loud[:0]
	for i, p := range c.cast.Speakers {
		if p.Turns.on(at) {
			c.loud = append(c.loud, activity{who: i})
		}
	}
	if c.unmixed && len(c.loud) > MaxSpeakers {
		c.pick(position)
	}
	if s.open {
		s.tellSpeakers(position)
	}
	if !c.unmixed {
		c.due = append(c.due, Run{Stream: Stream{Kind: KindMixed}, Count: 1, Position: position, Time: mediaTime})
		return
	}
	for _, a := range c.loud {
		c.due = append(c.due, Run{
			Stream: Stream{KindUnmixed, c.cast.Speakers[a.who].Source}, Count: 1, Position: position, Time: mediaTime,
		})
	}
}

// pick keeps the most active speakers.
func (c *scene) pick(position int64) {
	for i := range c.loud {
		c.loud[i].loud = c.cast.Speakers[c.loud[i].who].Voice.loudness(position)
	}
	slices.SortStableFunc(c.loud, func(a, b activity) int { return cmp.Compare(b.loud, a.loud) })
	c.loud = c.loud[:MaxSpeakers]
	slices.SortFunc(c.loud, func(a, b activity) int { return cmp.Compare(a.who, b.who) })
}

// tellSpeakers says who speaks, where that has changed.
func (s *session) tellSpeakers(position int64) {
	c := s.scene
	same := c.told != nil && slices.EqualFunc(c.told, c.loud, func(id uint32, a activity) bool { return id == c.cast.Speakers[a.who].Source })
	if same || s.link == nil {
		return
	}
	m := &pb.ActiveSpeakers{BeforeSeq: s.next, Dominant: nobody, SourceIds: make([]uint32, 0, len(c.loud))}
	loudest := int64(-1)
	for _, a := range c.loud {
		p := c.cast.Speakers[a.who]
		m.SourceIds = append(m.SourceIds, p.Source)
		if l := p.Voice.loudness(position); l > loudest {
			loudest, m.Dominant = l, p.Source
		}
	}
	c.told = m.GetSourceIds()
	s.say(func(handle uint32) *pb.FromHost {
		m.Handle = handle
		return &pb.FromHost{Message: &pb.FromHost_ActiveSpeakers{ActiveSpeakers: m}}
	}, nil)
}

// voice is what a stream of audio sounds like.
func (s *session) voice(of Stream) *Audio {
	if of.Kind == KindMixed {
		return s.rec.Audio
	}
	for _, p := range s.scene.cast.Speakers {
		if p.Source == of.Source {
			return p.Voice
		}
	}
	return s.outside // of OutsideSpeaker
}
