package roster

import (
	"slices"
	"strings"
	"time"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// The bounds of what is kept.
const (
	// MostPeople bounds the participants that are known at a time, those who left
	// among them.
	MostPeople = 1 << 14
	// mostGone bounds those who left and are remembered, so that a late word of them
	// is known to be late.
	mostGone = 1 << 12
	// MostStreams bounds the streams of one participant.
	MostStreams = 64
)

// Counts say what a Roster could not take as it came.
type Counts struct {
	Repeated int // deltas that were seen before
	Behind   int // rosters with an older number than one before
	Restarts int // times that numbers began anew
	Nameless int // participants without an ID
	NoRoom   int // participants and streams beyond the bounds
}

// A Roster is who is in a call now.
type Roster struct {
	people  map[string]*person
	order   []*person            // the same, by ID
	gone    []departure          // oldest first; some of them are back
	claims  map[Source][]*person // oldest first
	numbers numbers
	takes   uint64 // rosters so far
	counts  Counts
	current []Person // nil: to be made anew
	watch   func(change)
	touched []Source // by the roster that is being taken, for a History
}

// A departure is that of one participant at one roster.
type departure struct {
	id   string
	take uint64
}

// A change is what a roster did to one participant.
type change struct {
	who           *person
	before, after state
}

// New returns a roster that knows nobody.
func New() *Roster {
	return &Roster{people: map[string]*person{}, claims: map[Source][]*person{}}
}

// Counts returns what could not be taken so far.
func (r *Roster) Counts() Counts { return r.counts }

// Take takes what came at the time at: a whole roster or a delta, from a
// notification, or from a reply to a question (told.Asked). It must be called in the
// order of arrival. It keeps parts of told and writes to none. It reports whether
// anything has changed.
func (r *Roster) Take(at time.Time, told recorder.Roster) (changed bool) {
	r.takes++
	r.touched = r.touched[:0]
	n := news{at: at, known: at, asked: !told.Asked.IsZero(), delta: told.Delta}
	if n.asked {
		n.known = told.Asked
	}
	if r.weigh(&n, told) {
		r.counts.Repeated++
		return false
	}
	for i := range told.Participants {
		changed = r.one(n, told.Sequence, &told.Participants[i]) || changed
	}
	if !told.Delta {
		changed = r.absent(n) || changed
	}
	r.forgetSome()
	if changed {
		r.current = nil
	}
	return changed
}

// one takes what is said of one participant.
func (r *Roster) one(n news, sequence int64, p *recorder.Participant) (changed bool) {
	if p.ID == "" {
		r.counts.Nameless++
		return false
	}
	if n.number = p.Sequence; n.number == 0 && n.delta {
		n.number = sequence
	}
	who := r.people[p.ID]
	if who == nil {
		if len(r.people) >= MostPeople {
			r.counts.NoRoom++
			return false
		}
		who = &person{id: p.ID}
		r.people[p.ID] = who
		i, _ := r.place(p.ID)
		r.order = slices.Insert(r.order, i, who)
	}
	who.named = r.takes
	if len(p.Streams) > MostStreams {
		r.counts.NoRoom += len(p.Streams) - MostStreams
	}
	before := who.state()
	described := who.take(n, p)
	return r.settle(who, before, described)
}

// absent takes those for gone whom a whole roster does not name.
func (r *Roster) absent(n news) (changed bool) {
	for _, who := range r.order {
		if who.named == r.takes || who.standing() == gone {
			continue
		}
		n.number = n.newest
		if who.here.number > n.newest { // left after that, or was not there yet
			if n.stale {
				continue
			}
			n.number = 0
		}
		before := who.state()
		if who.here.accepts(n) {
			who.leave(n, "")
		}
		changed = r.settle(who, before, false) || changed
	}
	return changed
}

// settle draws the consequences of what was said of a participant.
func (r *Roster) settle(who *person, before state, described bool) (changed bool) {
	after := who.state()
	if after.standing == gone && (before.standing != gone || who.left == 0) {
		who.left = r.takes
		r.gone = append(r.gone, departure{who.id, r.takes})
	}
	if before.equal(after) && !described {
		return false
	}
	r.reclaim(who, before.streams, after.streams)
	if r.watch != nil {
		r.watch(change{who, before, after})
	}
	return true
}

// forgetSome keeps those who left within the bounds.
func (r *Roster) forgetSome() {
	for len(r.gone) > mostGone {
		d := r.gone[0]
		r.gone = r.gone[1:]
		if who := r.people[d.id]; who != nil && who.left == d.take && who.standing() == gone {
			delete(r.people, d.id)
			if i, found := r.place(d.id); found {
				r.order = slices.Delete(r.order, i, i+1)
			}
		}
	}
}

func (r *Roster) place(id string) (i int, found bool) {
	return slices.BinarySearchFunc(r.order, id, func(p *person, id string) int { return strings.Compare(p.id, id) })
}

// A Person is someone who is in the call now, or in its lobby.
type Person struct {
	ID       string
	Identity string
	Kind     string // as recorder.Participant has it
	Name     string
	Tenant   string
	InLobby  bool // not let in yet, and so without streams
	Muted    bool // by themselves or by the server, as the platform says
	// The source IDs with which they send now, in ascending order; muted or not.
	Audio, Video, Screen []uint32
}

// Bot reports whether it is an application: a recorder, or some other bot.
func (p *Person) Bot() bool { return isBot(p.Kind) }

func isBot(kind string) bool { return kind == "application" || kind == "applicationInstance" }

// Current returns who is in the call, by ID. What it returns is not changed any
// more: it may be kept, and must not be written to. It costs nothing until the next
// change.
func (r *Roster) Current() []Person {
	if r.current != nil {
		return r.current
	}
	all := make([]Person, 0, len(r.order))
	for _, who := range r.order {
		standing := who.standing()
		if standing == gone {
			continue
		}
		p := Person{
			ID: who.id, Identity: who.identity.value.ID, Kind: who.identity.value.Kind, Name: who.name.value, Tenant: who.identity.value.Tenant,
			InLobby: standing == inLobby, Muted: who.muted.value,
		}
		if standing == here {
			p.Audio, p.Video, p.Screen = who.audio, who.video, who.screen
		}
		all = append(all, p)
	}
	r.current = all
	return all
}
