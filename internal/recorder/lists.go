package recorder

import (
	"encoding/json"
	"hash/maphash"
	"slices"
)

// mostSince bounds how many lists are told one by the other: a journal that has lost one
// of them is right again after that many.
const mostSince = 256

// lists are the whole rosters of a call as its journal has them: one is written whole,
// and of those behind it what has changed since the one before. The platform sends
// everybody each time that anybody presses a button; of a meeting of a thousand
// that would be gigabytes a day.
type lists struct {
	number  int // of the latest, from 1; 0: none
	people  []listed
	changes int // participants told since the one that was written whole
	since   int // lists since then
}

// listed is one participant of the latest list. mark is the same for the same words.
type listed struct {
	id   string
	mark uint64
}

//nolint:gochecknoglobals // one for the process: marks are never written
var markSeed = maphash.MakeSeed()

func markOf(p *Participant) uint64 {
	data, _ := json.Marshal(p) // of what came as JSON
	return maphash.Bytes(markSeed, data)
}

// next is the journal's entry about a whole roster, the roster in the order in which
// whoever reads that has it, and what is to be remembered once it is written.
func (l *lists) next(r Roster) (rosterData, Roster, lists) {
	now := make([]listed, len(r.Participants))
	place := make(map[string]int, len(now)) // from 1
	for i := range r.Participants {
		p := &r.Participants[i]
		now[i] = listed{p.ID, markOf(p)}
		if place[p.ID] != 0 || p.ID == "" {
			return rosterData{Sequence: r.Sequence, Participants: r.Participants, Asked: r.Asked}, r, lists{}
		}
		place[p.ID] = i + 1
	}
	whole := rosterData{Sequence: r.Sequence, Participants: r.Participants, Asked: r.Asked, List: l.number + 1}
	var gone []string
	var same []listed
	people := make([]Participant, 0, len(now))
	for _, was := range l.people {
		switch i := place[was.id]; {
		case i == 0:
			gone = append(gone, was.id)
		case now[i-1].mark == was.mark:
			same, people = append(same, was), append(people, r.Participants[i-1])
			place[was.id] = 0
		}
	}
	changed := slices.DeleteFunc(slices.Clone(now), func(n listed) bool { return place[n.id] == 0 })
	changes := l.changes + len(changed) + len(gone)
	if l.number == 0 || l.since >= mostSince || changes >= len(now) {
		return whole, r, lists{number: whole.List, people: now}
	}
	for _, n := range changed {
		people = append(people, r.Participants[place[n.id]-1])
	}
	r.Participants = people
	return rosterData{
		Sequence: r.Sequence, Delta: true, Participants: people[len(same):], Asked: r.Asked, List: whole.List, Since: l.number, Gone: gone,
	}, r, lists{whole.List, append(same, changed...), changes, l.since + 1}
}
