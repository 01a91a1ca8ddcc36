package host

import (
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"sync"
	"time"

	"github.com/recorderbot/recorderbot/internal/teamsim/footage"
	"github.com/recorderbot/recorderbot/internal/teamsim/speech"
)

// MaxSpeakers is how many are delivered at a time in unmixed audio: the platform picks
// the most active.
const MaxSpeakers = 4

// A Cast is who is heard and seen in a session, in media time from Connect on. It
// plays in sessions with unmixed audio or with video; in one of mixed audio it is heard
// where Mix is set.
type Cast struct {
	Speakers []Speaker
	Cameras  []Camera
	// Receive is when the sockets become able to receive, and unable again; nil: all
	// of them 200 ms after Connect.
	Receive []Receive
	// Delay is how long a picture is on its way, which its media time does not show. A
	// picture that is on its way when the session is paused does not arrive, and none
	// arrives that was taken before Open.
	Delay time.Duration
	// Mix: mixed audio is the sum of the speakers, instead of Options.Audio.
	Mix bool
	// Room is the conversation that is heard, where others hear it too; nil: the
	// session's own. Ahead is by how much the host's clock is ahead of the clock of the
	// first who came.
	Room  *Room
	Ahead time.Duration
}

// A Speaker is heard while he speaks. The rest of the time he is not there at all.
type Speaker struct {
	Source uint32
	// Voice is by position, as the session's: speaking begins in the middle of it.
	Voice *Audio
	Turns Turns
}

// Turns are the times in which something is on. The zero Turns are never.
type Turns struct {
	Spans []Span
	// Every repeats them; 0: they come once.
	Every time.Duration
	// Ahead is how far into them the session begins.
	Ahead time.Duration
	// Within is the time outside of which it is never on, and Except those in which it
	// is not either; the zero Span is all time.
	Within Span
	Except []Span
	// Also are further times in which it is on.
	Also []Turns
}

// A Span of time, the end exclusive; To 0 is for ever.
type Span struct{ From, To time.Duration }

// Always is on all the time.
func Always() Turns { return Turns{Spans: []Span{{}}} }

func (s Span) has(at time.Duration) bool { return at >= s.From && (s.To == 0 || at < s.To) }

// on tells whether something is, at a time.
func (t Turns) on(at time.Duration) bool {
	has := func(s Span) bool { return s.has(at) }
	if slices.ContainsFunc(t.Also, func(o Turns) bool { return o.on(at) }) {
		return true
	}
	if !t.Within.has(at) || slices.ContainsFunc(t.Except, has) {
		return false
	}
	if at += t.Ahead; t.Every > 0 {
		at %= t.Every
	}
	return slices.ContainsFunc(t.Spans, has)
}

// Together is one stream of several speakers, such as those of one telephone line: it
// is heard while any of them speaks.
func Together(source uint32, speakers ...Speaker) Speaker {
	one := Speaker{Source: source, Voice: mix(speakers)}
	for _, s := range speakers {
		one.Turns.Also = append(one.Turns.Also, s.Turns)
	}
	return one
}

// A Camera is seen by who has subscribed to it; so is a shared screen.
type Camera struct {
	Source uint32
	Screen bool
	// Clip is one of footage's.
	Clip string
	// On is when it sends.
	On Turns
	// Sizes are what it sends at most, in lines, from each time on; nil: what is asked
	// for. A change brings a key frame with a new SPS.
	Sizes []Size
	// NoKey: who subscribes gets what comes next, key frame or not, until one is
	// requested or due.
	NoKey bool
}

// A Size of a camera's pictures from a time on, in lines.
type Size struct {
	At    time.Duration
	Lines int
}

// Receive is a change of a socket's receive status.
type Receive struct {
	Socket int // its number, AllSockets or ScreenSocket
	At     time.Duration
	Active bool
}

// Sockets of a Receive that are named by what they are.
const (
	AllSockets   = -1 // those of video and of the screen
	ScreenSocket = -2
)

// Check says what is wrong with a cast.
func (c Cast) Check() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	heard, seen := map[uint32]bool{}, map[uint32]bool{}
	for _, s := range c.Speakers {
		if s.Source == 0 || heard[s.Source] || s.Voice == nil {
			fault("speaker %d: each has a source ID of its own, not 0, and a voice", s.Source)
		}
		heard[s.Source] = true
		faults = append(faults, s.Turns.check(fmt.Sprintf("speaker %d", s.Source)))
	}
	for _, v := range c.Cameras {
		if v.Source == 0 || seen[v.Source] {
			fault("camera %d: each has a source ID of its own, not 0", v.Source)
		}
		seen[v.Source] = true
		if _, err := footage.Find(v.Clip, 360); err != nil {
			fault("camera %d: %w", v.Source, err)
		}
		faults = append(faults, v.On.check(fmt.Sprintf("camera %d", v.Source)))
		if !slices.IsSortedFunc(v.Sizes, func(a, b Size) int { return int(a.At - b.At) }) {
			fault("camera %d: its sizes are not in order", v.Source)
		}
	}
	for _, r := range c.Receive {
		if r.Socket < ScreenSocket || r.Socket > 10 || r.At < 0 {
			fault("receive: socket %d at %v", r.Socket, r.At)
		}
	}
	if c.Delay < 0 || c.Delay > time.Second {
		fault("delay: %v is not 0 to 1 s", c.Delay)
	}
	return errors.Join(faults...)
}

func (t Turns) check(of string) error {
	for _, s := range t.Spans {
		if s.From < 0 || (s.To != 0 && s.To <= s.From) || (t.Every > 0 && s.To > t.Every) {
			return fmt.Errorf("%s: from %v to %v is no time", of, s.From, s.To)
		}
	}
	return nil
}

const (
	conversationLength = 60 // seconds
	// people are as many as have parts of their own.
	people = 6
)

// conversations are the parts that so many people play in every call, made once.
var conversations = func() (all [people]func() ([]Speaker, error)) { //nolint:gochecknoglobals // they never change
	for n := range all {
		all[n] = sync.OnceValues(func() ([]Speaker, error) { return converse(n + 1) })
	}
	return all
}()

func converse(n int) ([]Speaker, error) {
	parts, err := speech.Conversation(conversationLength, n)
	if err != nil {
		return nil, fmt.Errorf("conversation: %w", err)
	}
	cast := make([]Speaker, n)
	for i, p := range parts {
		cast[i] = Speaker{Voice: NewAudio(p.Samples), Turns: Turns{Every: conversationLength * time.Second}}
		for _, t := range p.Turns {
			cast[i].Turns.Spans = append(cast[i].Turns.Spans, Span{time.Duration(t.From) * frameTime, time.Duration(t.To) * frameTime})
		}
	}
	return cast, nil
}

// Conversation returns the parts of so many people who take turns, now and then all
// at once; another stretch of the talk for each seed. Their sources are 0. From the
// seventh on they say at another time what another one says.
func Conversation(n int, seed uint64) ([]Speaker, error) {
	if n < 1 {
		return nil, nil
	}
	cast, err := conversations[min(n, people)-1]()
	if err != nil {
		return nil, err
	}
	out := make([]Speaker, n)
	for i := range out {
		ahead := int64((seed + uint64(i/people)*977) % (conversationLength * 50))
		out[i] = cast[i%people]
		out[i].Turns.Ahead = time.Duration(ahead) * frameTime
		out[i].Voice = out[i].Voice.From(ahead * FrameSamples)
	}
	return out, nil
}

// DefaultCast is what a session plays of which nobody has said anything: three
// speakers (sources 101 to 103), two cameras (201 and 202) and a screen (301).
func DefaultCast(seed uint64) (Cast, error) {
	speakers, err := Conversation(3, seed)
	for i := range speakers {
		speakers[i].Source = uint32(101 + i)
	}
	return Cast{Speakers: speakers, Cameras: []Camera{
		{Source: 201, Clip: footage.Camera, On: Always()},
		{Source: 202, Clip: footage.Second, On: Always()},
		{Source: 301, Clip: footage.Slides, On: Always(), Screen: true},
	}}, err
}

// seedOf is another number for each session.
func seedOf(session string, seed int64) uint64 {
	h := fnv.New64a()
	_, _ = fmt.Fprint(h, seed, session)
	return h.Sum64()
}

// enter lets a session's cast come in.
func (h *Host) enter(s *session) (err error) {
	if s.scene == nil {
		if s.cast != nil && s.cast.Mix {
			s.rec.Audio = mix(s.cast.Speakers)
			s.rec.Streams[0].Audio = s.rec.Audio
		}
		return nil
	}
	if s.cast == nil {
		var c Cast
		if c, err = h.opt.Cast(s.rec.Session); err == nil {
			err = c.Check()
		}
		s.cast = &c
	}
	s.scene.begin(*s.cast)
	if s.cast.Mix {
		s.rec.Audio = mix(s.cast.Speakers)
	}
	return err
}

// SetCast says who is heard and seen in the session of the blob. It is to be called
// before Connect; it fails with ErrNoSession, or says what is wrong with the cast.
func (h *Host) SetCast(blob string, c Cast) error {
	if err := c.Check(); err != nil {
		return fmt.Errorf("cast: %w", err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	s, err := h.find(blob)
	if err != nil {
		return fmt.Errorf("cast: %w", err)
	}
	s.cast = &c
	return nil
}
