package teamsim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/recorderbot/recorderbot/internal/teamsim/footage"
)

// A Person is somebody in a call: in the roster, to be heard and to be seen. Times are
// of the call's media, from the answer on. The first one is the observed user.
type Person struct {
	Name string `yaml:"name"`
	// Kind is user (default), guest, phone or application.
	Kind string `yaml:"kind"`
	// Hidden: no roster ever tells of the person.
	Hidden bool `yaml:"hidden"`
	// Joins and Leaves are when the person comes and goes; Leaves 0: never. Lobby is for
	// how long the person waits after coming, unheard.
	Joins  time.Duration `yaml:"joins"`
	Leaves time.Duration `yaml:"leaves"`
	Lobby  time.Duration `yaml:"lobby"`
	// Named is when the roster first tells the person's source IDs; negative: never.
	Named time.Duration `yaml:"named"`
	// Audio is the source ID of the microphone; 0: one by the seed. Phones may share
	// one: the platform does not part them.
	Audio uint32 `yaml:"audio"`
	// Voice is a, b, c, or beep (a tone at each whole second, as long as nothing else is
	// said); empty: one by the place in the list.
	Voice string `yaml:"voice"`
	// Speaks is when; missing: in a conversation with the others, by the seed. Silent:
	// never.
	Speaks []Times `yaml:"speaks"`
	Silent bool    `yaml:"silent"`
	// Muted is when the person is muted by himself, ServerMuted by the service, and Held
	// when on hold: unheard in all cases.
	Muted       []Times `yaml:"muted"`
	ServerMuted []Times `yaml:"serverMuted"`
	Held        []Times `yaml:"held"`
	// Cameras are what is seen of the person, Screens what is shared.
	Cameras []Camera `yaml:"cameras"`
	Screens []Camera `yaml:"screens"`
}

// Times are a span of a call's media, from the answer on; To 0 is its end.
type Times struct {
	From time.Duration `yaml:"from"`
	To   time.Duration `yaml:"to"`
}

// A Camera is seen in a call; so is a screen that is shared.
type Camera struct {
	// Source is its source ID; 0: one by the seed.
	Source uint32 `yaml:"source"`
	// Clip is camera, second, sync (a flash at each whole second) or slides; default by
	// what it is.
	Clip string `yaml:"clip"`
	// From and To are when it is on; On, instead, several such times. Default: always.
	From time.Duration `yaml:"from"`
	To   time.Duration `yaml:"to"`
	On   []Times       `yaml:"on"`
	// Sizes are changes of the picture's height, in lines.
	Sizes []Size `yaml:"sizes"`
	// NoKeyFrame: a subscription begins in the middle of a group of pictures, unless a
	// key frame is requested.
	NoKeyFrame bool `yaml:"noKeyFrame"`
}

// A Size is how many lines a camera's pictures have from a time on, at most.
type Size struct {
	At    time.Duration `yaml:"at"`
	Lines int           `yaml:"lines"`
}

// Receive is a change of the receive status of sockets, at a time of the call's media.
type Receive struct {
	// Socket is a number, screen, or all (default).
	Socket string        `yaml:"socket"`
	At     time.Duration `yaml:"at"`
	Active bool          `yaml:"active"`
}

// The kinds of people.
const (
	personUser        = "user"
	personGuest       = "guest"
	personPhone       = "phone"
	personApplication = "application"

	voiceBeep = "beep"
)

// completePeople fills in what does not depend on the call.
func completePeople(people []Person) {
	for i := range people {
		p := &people[i]
		orDefault(&p.Kind, personUser)
		orDefault(&p.Name, fmt.Sprintf("Person %d", i+1))
		orDefault(&p.Voice, string(rune('a'+i%3)))
		for k := range p.Cameras {
			p.Cameras[k].complete([]string{footage.Camera, footage.Second}[i%2])
		}
		for k := range p.Screens {
			p.Screens[k].complete(footage.Slides)
		}
	}
}

func (c *Camera) complete(clip string) {
	orDefault(&c.Clip, clip)
	if c.On == nil {
		c.On = []Times{{c.From, c.To}}
	}
}

// checkPeople says what is wrong with the people of a call.
func checkPeople(people []Person) error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	audio := map[uint32]string{}
	for i, p := range people {
		who := fmt.Sprintf("people[%d]", i)
		if !slices.Contains([]string{personUser, personGuest, personPhone, personApplication}, p.Kind) {
			fault("%s: kind %q is none of user, guest, phone, application", who, p.Kind)
		}
		if i == 0 && (p.Hidden || p.Joins != 0 || p.Leaves != 0 || p.Lobby != 0 || p.Kind != personUser) {
			fault("%s: the observed user is there all the time", who)
		}
		if !slices.Contains([]string{"a", "b", "c", voiceBeep}, p.Voice) {
			fault("%s: voice %q is none of a, b, c, beep", who, p.Voice)
		}
		if p.Joins < 0 || p.Lobby < 0 || (p.Leaves != 0 && p.Leaves <= p.Joins+p.Lobby) {
			fault("%s: joins at %v, waits for %v, leaves at %v", who, p.Joins, p.Lobby, p.Leaves)
		}
		if p.Silent && p.Speaks != nil {
			fault("%s: silent, and speaks", who)
		}
		if other := audio[p.Audio]; p.Audio != 0 && other != "" && (other != personPhone || p.Kind != personPhone) {
			fault("%s: only phones share a source ID, %d", who, p.Audio)
		}
		audio[p.Audio] = p.Kind
		for _, t := range slices.Concat(p.times()...) {
			if t.From < 0 || (t.To != 0 && t.To <= t.From) {
				fault("%s: from %v to %v is no time", who, t.From, t.To)
			}
		}
	}
	return errors.Join(faults...)
}

// times are all spans in which something of the person is other than else.
func (p *Person) times() [][]Times {
	all := [][]Times{p.Speaks, p.Muted, p.ServerMuted, p.Held}
	for _, c := range slices.Concat(p.Cameras, p.Screens) {
		all = append(all, c.On)
	}
	return all
}

func within(times []Times, at time.Duration) bool {
	return slices.ContainsFunc(times, func(t Times) bool { return at >= t.From && (t.To == 0 || at < t.To) })
}

// there tells whether the person is heard and seen, and whether only in the lobby.
func (p *Person) there(at time.Duration) (there, lobby bool) {
	if at < p.Joins || (p.Leaves != 0 && at >= p.Leaves) {
		return false, false
	}
	return at >= p.Joins+p.Lobby, at < p.Joins+p.Lobby
}

// people are those of a call of the group, with their source IDs; nil where the group
// names none.
func (g *Group) people(seed uint64, number int) []Person {
	if len(g.People) == 0 {
		return nil
	}
	r := rand.New(rand.NewPCG(seed^0x70656f706c65, uint64(number))) //nolint:gosec // reproducible by seed, on purpose
	people := slices.Clone(g.People)
	for i := range people {
		p := &people[i]
		base := uint32(1000*(i+1)) + r.Uint32N(90)
		orDefault(&p.Audio, base)
		for n, cameras := range []*[]Camera{&p.Cameras, &p.Screens} {
			*cameras = slices.Clone(*cameras)
			for k := range *cameras {
				orDefault(&(*cameras)[k].Source, base+uint32(100*(1+4*n)+100*k))
			}
		}
	}
	return people
}
