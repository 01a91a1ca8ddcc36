package teamsim

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/recorderbot/recorderbot/internal/teamsim/footage"
	"github.com/recorderbot/recorderbot/internal/teamsim/host"
	"github.com/recorderbot/recorderbot/internal/teamsim/speech"
)

// cast is who is heard and seen in a call: its people, or where the group names none
// the two of every call, who have no cameras.
func (s *Sim) cast(g *Group, number int, sources [2]uint32) (host.Cast, error) {
	c := host.Cast{Delay: s.Scenario.Media.VideoDelay}
	for _, r := range g.Receive {
		c.Receive = append(c.Receive, host.Receive{Socket: r.socket(), At: r.At, Active: r.Active})
	}
	people := g.people(s.Scenario.Seed, number)
	if people == nil {
		var err error
		c.Speakers, err = host.Conversation(len(sources), s.Scenario.Seed+uint64(number)*389) //nolint:gosec // bits only
		for i := range c.Speakers {
			c.Speakers[i].Source = sources[i]
		}
		return c, err
	}
	c.Mix = true
	var err error
	if c.Speakers, err = s.speakers(people, number); err != nil {
		return host.Cast{}, err
	}
	for _, p := range people {
		for _, v := range p.Cameras {
			c.Cameras = append(c.Cameras, p.camera(v, false))
		}
		for _, v := range p.Screens {
			c.Cameras = append(c.Cameras, p.camera(v, true))
		}
	}
	return c, nil
}

// socket is the one that is meant, as the host names it.
func (r Receive) socket() int {
	switch r.Socket {
	case "", "all":
		return host.AllSockets
	case "screen":
		return host.ScreenSocket
	}
	n, err := strconv.Atoi(r.Socket)
	if err != nil || n < 0 {
		return -100 // none: the host's check says so
	}
	return n
}

// speakers are the people's voices, by source.
func (s *Sim) speakers(people []Person, number int) ([]host.Speaker, error) {
	talking := 0
	for _, p := range people {
		if p.converses() {
			talking++
		}
	}
	parts, err := host.Conversation(talking, s.Scenario.Seed+uint64(number)*389) //nolint:gosec // bits only
	if err != nil {
		return nil, err
	}
	lines := map[uint32][]host.Speaker{}
	var order []uint32
	for _, p := range people {
		if p.Silent {
			continue
		}
		var one host.Speaker
		if p.converses() {
			one, parts = parts[0], parts[1:]
		} else if one, err = p.scripted(); err != nil {
			return nil, err
		}
		one.Source = p.Audio
		one.Turns.Within = host.Span{From: p.Joins + p.Lobby, To: p.Leaves}
		one.Turns.Except = spans(slices.Concat(p.Muted, p.ServerMuted, p.Held))
		if lines[p.Audio] == nil {
			order = append(order, p.Audio)
		}
		lines[p.Audio] = append(lines[p.Audio], one)
	}
	speakers := make([]host.Speaker, 0, len(order))
	for _, source := range order {
		one := lines[source][0]
		if len(lines[source]) > 1 {
			one = host.Together(source, lines[source]...)
		}
		speakers = append(speakers, one)
	}
	return speakers, nil
}

// converses tells whether the person takes turns with the others.
func (p *Person) converses() bool { return !p.Silent && p.Speaks == nil && p.Voice != voiceBeep }

// scripted is somebody whose times are given.
func (p *Person) scripted() (host.Speaker, error) {
	one := host.Speaker{Turns: host.Turns{Spans: spans(p.Speaks)}}
	if p.Voice == voiceBeep {
		one.Voice = host.NewAudio(footage.Beep())
		if p.Speaks == nil {
			one.Turns = host.Turns{Spans: []host.Span{{To: footage.BeepFrames * 20 * time.Millisecond}}, Every: time.Second}
		}
		return one, nil
	}
	voice, err := speech.Voice(speech.A + speech.Speaker(p.Voice[0]-'a'))
	if err != nil {
		return one, fmt.Errorf("%s: %w", p.Name, err)
	}
	one.Voice = host.NewAudio(voice)
	return one, nil
}

func (p *Person) camera(v Camera, screen bool) host.Camera {
	out := host.Camera{Source: v.Source, Screen: screen, Clip: v.Clip, NoKey: v.NoKeyFrame}
	out.On = host.Turns{Spans: spans(v.On), Within: host.Span{From: p.Joins + p.Lobby, To: p.Leaves}, Except: spans(p.Held)}
	for _, z := range v.Sizes {
		out.Sizes = append(out.Sizes, host.Size(z))
	}
	return out
}

func spans(times []Times) []host.Span {
	out := make([]host.Span, len(times))
	for i, t := range times {
		out[i] = host.Span(t)
	}
	return out
}
