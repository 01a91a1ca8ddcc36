package teamsim

import (
	"fmt"
	"slices"
	"time"

	"github.com/recorderbot/recorderbot/internal/teamsim/cloud"
)

// participants are the people as the roster has them at a time of the call's media,
// the observed user first.
func participants(people []Person, number int, at time.Duration) []cloud.Participant {
	var out []cloud.Participant
	for i := range people {
		p := &people[i]
		there, lobby := p.there(at)
		if p.Hidden || !there && !lobby {
			continue
		}
		q := cloud.Participant{
			ID: personID('a', number, i), Name: p.Name, InLobby: lobby,
			Muted: within(p.Muted, at), ServerMuted: within(p.ServerMuted, at), Inactive: within(p.Held, at),
		}
		switch p.Kind {
		case personGuest:
			q.Guest = personID('b', number, i)
		case personPhone:
			q.Phone = fmt.Sprintf("+4930%07d", 1000*number+i)
		case personApplication:
			q.Application = personID('d', number, i)
		default:
			q.User = personID('c', number, i)
		}
		if there && p.Named >= 0 && at >= p.Named {
			q.SourceID, q.Streams = p.Audio, p.streams(at)
		}
		out = append(out, q)
	}
	return out
}

// personID is an ID of the person with the number i in a call.
func personID(kind rune, call, i int) string {
	return fmt.Sprintf("%ce000000-0000-4000-8000-%06d%06d", kind, call, i)
}

// streams are those beside the microphone: what is on is sent, what is off is in the
// roster all the same, in either of the ways in which that was seen.
func (p *Person) streams(at time.Duration) []cloud.Stream {
	var out []cloud.Stream
	add := func(kind, label, on string, c Camera) {
		s := cloud.Stream{Type: kind, Label: label, SourceID: c.Source, Direction: []string{"receiveOnly", "inactive"}[c.Source%2]}
		if within(c.On, at) && !within(p.Held, at) {
			s.Direction = on
		}
		out = append(out, s)
	}
	for _, c := range p.Cameras {
		add("video", "main-video", "sendReceive", c)
	}
	for _, c := range p.Screens {
		add("videoBasedScreenSharing", "", "sendOnly", c)
	}
	return out
}

// changes are the times at which the roster of the people changes, in order.
func changes(people []Person) []time.Duration {
	var all []time.Duration
	for i := range people {
		p := &people[i]
		all = append(all, p.Joins, p.Joins+p.Lobby, p.Leaves, p.Named)
		for _, t := range slices.Concat(p.times()[1:]...) { // when somebody speaks the roster does not tell
			all = append(all, t.From, t.To)
		}
	}
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(at time.Duration) bool { return at <= 0 })
}

// follow tells the bot of the people as they come, go, and turn things on and off,
// beside those whom events have brought in. The roster of the beginning is told by the
// cloud, when the call is established.
func (p *player) follow(call *cloud.Call, people []Person, number int, begun <-chan time.Time) {
	var begin time.Time
	select {
	case begin = <-begun:
	case <-call.Passed(cloud.Done):
		return
	}
	if !p.reach(call, cloud.Established) {
		return
	}
	speed := p.sim.Scenario.Media.Speed
	ids := map[string]bool{}
	for i := range people {
		ids[personID('a', number, i)] = true
	}
	for _, at := range changes(people) {
		if !p.wait(time.Until(begin.Add(time.Duration(float64(at)/speed))), call.Passed(cloud.Ended)) {
			return
		}
		call.ChangeRoster(func(ps []cloud.Participant) []cloud.Participant {
			now := participants(people, number, at)
			now[0].ID, now[0].User = ps[0].ID, ps[0].User
			return append(now, slices.DeleteFunc(ps[1:], func(q cloud.Participant) bool { return ids[q.ID] })...)
		})
	}
}
