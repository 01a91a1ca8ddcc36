package chaos

import (
	"time"

	"github.com/recorderbot/recorderbot/internal/teamsim"
	"github.com/recorderbot/recorderbot/internal/teamsim/cloud"
	"github.com/recorderbot/recorderbot/internal/teamsim/host"
	"github.com/recorderbot/recorderbot/internal/teamsim/trace"
)

// streams lets half of the seeds record speakers apart, or cameras, or a shared screen,
// or in short parts, or several of these.
func (d drawer) streams(p *Plan) {
	if d.once(2) {
		return
	}
	s := &p.Scenario
	s.Recording = d.recording()
	if d.once(3) {
		s.Recording.PartLength = 200*time.Millisecond + d.upTo(time.Second)
	}
	if d.once(3) {
		s.Media.VideoMemory = 200*time.Millisecond + d.upTo(time.Second)
	}
	s.Media.VideoDelay = d.upTo(60 * time.Millisecond)
	for i := range s.Calls {
		s.Calls[i].People = d.people(s.Recording, s.Calls[i].End.AtMost)
	}
}

// recording is what the bot is told to record.
func (d drawer) recording() teamsim.Recording {
	r := teamsim.Recording{Audio: pick(d, "unmixed", "unmixed", "mixed"), ScreenShare: d.once(3)}
	if d.once(2) {
		r.Video, r.Cameras = pick(d, "180p", "360p"), 1+d.r.IntN(3)
	}
	return r
}

// people are one to five, who come and go while a call lasts.
func (d drawer) people(r teamsim.Recording, length time.Duration) []teamsim.Person {
	people := make([]teamsim.Person, 1+d.r.IntN(host.MaxSpeakers+1))
	for i := range people {
		p := &people[i]
		if i > 0 {
			d.comes(p, length)
		}
		if i == host.MaxSpeakers {
			relieve(&people[i-1], p)
		}
		switch {
		case d.once(8):
			p.Silent = true
		case i < 3 && d.once(2): // whoever speaks when he is told to has one of three voices
			p.Speaks = d.turns(length)
		}
		p.Muted, p.ServerMuted, p.Held = d.now(4, length), d.now(6, length), d.now(6, length)
		if r.Video != "" && d.once(2) {
			p.Cameras = append(p.Cameras, d.camera(length))
		}
		if r.ScreenShare && d.once(3) {
			p.Screens = append(p.Screens, d.camera(length))
		}
	}
	return people
}

// relieve has one person come when another leaves: the platform lets no more be heard at
// once.
func relieve(old, next *teamsim.Person) {
	const least = 200 * time.Millisecond
	next.Joins += least
	if next.Leaves > 0 {
		next.Leaves += least
	}
	old.Joins, old.Lobby, old.Leaves = next.Joins/2, 0, next.Joins+next.Lobby
}

// turns are when somebody speaks. Between two of them he is silent for five frames or more:
// at the beginning of a track, a silence of one frame can't be told from jitter (timeline's
// doc.go).
func (d drawer) turns(length time.Duration) []teamsim.Times {
	var all []teamsim.Times
	for at := time.Duration(0); len(all) == 0 || at < length && d.once(2); {
		at += d.upTo(length / 2)
		to := at + 60*time.Millisecond + d.upTo(length/2)
		all = append(all, teamsim.Times{From: at, To: to})
		at = to + 100*time.Millisecond
	}
	return all
}

// comes says when somebody comes and goes, and what the roster tells of him.
func (d drawer) comes(p *teamsim.Person, length time.Duration) {
	p.Kind = pick(d, "user", "user", "guest", "phone", "application")
	if !d.once(3) {
		p.Joins = d.upTo(length / 2)
	}
	if d.once(5) {
		p.Lobby = d.upTo(300 * time.Millisecond)
	}
	if d.once(3) {
		p.Leaves = p.Joins + p.Lobby + 100*time.Millisecond + d.upTo(length/2)
	}
	p.Hidden = d.once(6)
	if d.once(4) {
		p.Named = pick(d, -time.Millisecond, d.upTo(length))
	}
}

// span is some time of a call.
func (d drawer) span(length time.Duration) teamsim.Times {
	from := d.upTo(length)
	return teamsim.Times{From: from, To: from + 60*time.Millisecond + d.upTo(length/2)}
}

// now and then: once in n cases.
func (d drawer) now(n int, length time.Duration) []teamsim.Times {
	if !d.once(n) {
		return nil
	}
	return []teamsim.Times{d.span(length)}
}

func (d drawer) camera(length time.Duration) teamsim.Camera {
	c := teamsim.Camera{On: d.now(2, length), NoKeyFrame: d.once(4)}
	if d.once(4) {
		c.Sizes = []teamsim.Size{{Lines: 180}, {At: d.upTo(length), Lines: 360}}
	}
	return c
}

// peaceful is how many calls a plan of peace has at once, at most.
const peaceful = 8

// Peace is how many seeds are so many calls, and what draws them.
func Peace(calls int) (seeds int, draw func(seed uint64) Plan) {
	seeds = (calls + peaceful - 1) / peaceful
	return seeds, func(seed uint64) Plan {
		if last := calls % peaceful; last > 0 && seed == uint64(seeds) { //nolint:gosec // positive
			return DrawPeace(seed, last)
		}
		return DrawPeace(seed, peaceful)
	}
}

// DrawPeace makes a plan in which nothing fails but the media itself, as announced by its
// host: so many calls, and one process that is left in peace.
func DrawPeace(seed uint64, calls int) Plan {
	d := drawerOf(seed, 0x27d4eb2f165667c5)
	p := Plan{Seed: seed, Scenario: teamsim.Scenario{Name: "peace", Seed: seed, Settle: 10 * time.Second}}
	s := &p.Scenario
	s.Recording = d.recording()
	if d.once(2) {
		s.Media.Jitter = d.upTo(40 * time.Millisecond)
	}
	if d.once(5) {
		s.Recording.PartLength = 500*time.Millisecond + d.upTo(time.Second)
	}
	for n := range calls {
		length := 1500*time.Millisecond + d.upTo(2*time.Second)
		g := teamsim.Group{
			At: d.upTo(time.Second), Kind: cloud.KindPolicy, EstablishAfter: 5*time.Millisecond + d.upTo(300*time.Millisecond),
			End: teamsim.End{When: cloud.Recording, After: length, AtMost: time.Minute},
		}
		if !d.once(5) {
			g.People = d.people(s.Recording, length)
		}
		for d.once(2) && len(g.Media) < 3 {
			g.Media = append(g.Media, d.announced(g.People, length))
		}
		if d.once(5) {
			g.Events = append(g.Events, teamsim.Happening{When: cloud.Established, After: d.upTo(length), Do: pick(d, "hold", "phoneJoins", "share", "group")})
		}
		s.Calls = append(s.Calls, g)
		if d.once(3) {
			p.Orders = append(p.Orders, d.pauses(n+1)...)
		}
	}
	return p
}

// announced is what a media host says that it has lost, of all or of one.
func (d drawer) announced(people []teamsim.Person, length time.Duration) host.Fault {
	f := host.Fault{
		Kind: pick(d, host.FaultGap, host.FaultGap, host.FaultSkip), At: d.upTo(length), For: 20*time.Millisecond + d.upTo(300*time.Millisecond),
		Reason: pick(d, "", "overflow", "platform", "host"),
	}
	if len(people) > 0 && d.once(2) {
		p := &people[d.r.IntN(len(people))]
		if p.Audio == 0 {
			p.Audio = 7000 + uint32(d.r.IntN(900)) //nolint:gosec // positive
		}
		f.Source = p.Audio
	}
	return f
}

// pauses are one or two, and the call goes on.
func (d drawer) pauses(call int) []Order {
	var all []Order
	for n := range 1 + d.r.IntN(2) {
		all = append(all,
			Order{Do: "pause", Call: call, On: trace.SessionOpened, Nth: n + 1, After: 50*time.Millisecond + d.upTo(600*time.Millisecond), Hands: 1},
			Order{Do: "resume", Call: call, On: trace.SessionPaused, Nth: n + 1, After: d.upTo(400 * time.Millisecond), Hands: 1})
	}
	return all
}
