package roster

import (
	"encoding/json"
	"hash/fnv"
	"slices"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

const (
	// remembered is how many numbered deltas are known again.
	remembered = 64
	// restartAfter deltas that can't be late, one after the other in ascending order,
	// are a new numbering: each had the number of another one before, or is further
	// behind than what is remembered. Of whole lists nobody can tell that, for they have
	// no numbers of their own; restartAfterLists of them that are old in themselves are.
	restartAfter      = 4
	restartAfterLists = 8
)

// numbers follow the numbering of rosters.
type numbers struct {
	newest int64  // that was told
	run    int    // rosters that can't be late, in ascending order and with nothing newer between
	last   int64  // the latest of them
	seen   []seen // the latest numbered deltas
}

// seen is a delta that is known again.
type seen struct {
	number int64
	mark   uint64
}

// weigh finds out how new a roster is as a whole. It reports whether the roster was
// seen before, and is of no use.
func (r *Roster) weigh(n *news, told recorder.Roster) (repeated bool) {
	highest := told.Sequence
	if !told.Delta {
		highest = 0
		for i := range told.Participants {
			p := &told.Participants[i]
			highest = max(highest, p.Sequence)
			if who := r.people[p.ID]; who != nil && p.Sequence > 0 && p.Sequence < who.here.number {
				n.stale = true
			}
		}
		n.newest = highest
	}
	if highest <= 0 {
		return false
	}
	s := &r.numbers
	repeated, contradicts := false, !told.Delta
	if told.Delta {
		repeated, contradicts = s.saw(highest, fingerprint(told))
	}
	if !n.stale && (!told.Delta || highest >= s.newest) {
		s.newest, s.run = max(s.newest, highest), 0
		return false
	}
	if repeated {
		return true
	}
	r.counts.Behind++
	if (contradicts || highest < s.newest-remembered) && s.restarts(highest, told.Delta) {
		r.counts.Restarts++
		r.forgetNumbers()
		*s, n.stale = numbers{newest: highest}, false
	}
	return false
}

// restarts reports whether a roster that can't be late is of a new numbering.
func (s *numbers) restarts(number int64, delta bool) bool {
	if number <= s.last {
		s.run = 0
	}
	s.run, s.last = s.run+1, number
	if delta {
		return s.run >= restartAfter
	}
	return s.run >= restartAfterLists
}

func (r *Roster) forgetNumbers() {
	for _, p := range r.people {
		p.here.number, p.lobby.number, p.muted.number, p.streams.number = 0, 0, 0, 0
		p.identity.number, p.name.number, p.recording.number = 0, 0, 0
	}
}

// saw remembers a delta, and reports whether it was among those remembered, or
// contradicts one of them: another one with its number.
func (s *numbers) saw(number int64, mark uint64) (repeated, contradicts bool) {
	for _, old := range s.seen {
		repeated = repeated || old == seen{number, mark}
		contradicts = contradicts || old.number == number && old.mark != mark
	}
	if repeated {
		return true, false
	}
	if len(s.seen) >= remembered {
		s.seen = slices.Delete(s.seen, 0, 1)
	}
	s.seen = append(s.seen, seen{number, mark})
	return false, contradicts
}

// fingerprint is the same for the same roster, and hardly for another one.
func fingerprint(told recorder.Roster) uint64 {
	h := fnv.New64a()
	_ = json.NewEncoder(h).Encode(told.Participants) // of what came as JSON
	return h.Sum64()
}
