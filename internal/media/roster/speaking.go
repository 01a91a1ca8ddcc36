package roster

import (
	"maps"
	"slices"
	"time"
)

// The bounds of what is remembered of who spoke.
const (
	// Apart is how far two spans of one source must at least be apart to be two.
	Apart = 2 * time.Second
	// mostSpoken spans of all sources together. Where there would be more, those that
	// are less than twice as far apart are joined, and so on: nothing is left out, and
	// the times become coarser.
	mostSpoken = 1 << 12
	mostApart  = 365 * 24 * time.Hour // there are no longer calls
	// mostSpeakers sources; the words of others are counted.
	mostSpeakers = 1 << 10
)

// A Speaking gathers when each source spoke from the media host's words of who does.
// What it holds is derived from media: it must not be fed before consent.
type Speaking struct {
	sources map[uint32]*spoken
	now     []uint32 // the sources that speak
	latest  time.Time
	spans   int
	apart   time.Duration
	omitted int // words and spans without room
}

type spoken struct {
	spans []Span
	since time.Time // speaking now; zero: not
}

// NewSpeaking returns one in which nobody has spoken.
func NewSpeaking() *Speaking { return &Speaking{sources: map[uint32]*spoken{}, apart: Apart} }

// Take takes the word that from at on these sources speak, and no others. The times
// must not go back; one that does counts as the latest there was.
func (s *Speaking) Take(at time.Time, sources []uint32) {
	at = later(s.latest, at)
	s.latest = at
	for _, id := range s.now {
		if !slices.Contains(sources, id) {
			s.ended(s.sources[id], at)
		}
	}
	s.now = s.now[:0]
	for _, id := range sources {
		if !named(id) || slices.Contains(s.now, id) {
			continue
		}
		one := s.sources[id]
		if one == nil {
			if len(s.sources) >= mostSpeakers {
				s.omitted++
				continue
			}
			one = &spoken{}
			s.sources[id] = one
		}
		if one.since.IsZero() {
			one.since = at
		}
		s.now = append(s.now, id)
	}
}

// End takes the word that nobody speaks any more.
func (s *Speaking) End(at time.Time) { s.Take(at, nil) }

func (s *Speaking) ended(one *spoken, at time.Time) {
	span := Span{From: one.since, To: at}
	one.since = time.Time{}
	n := len(one.spans)
	if n > 0 && span.From.Sub(one.spans[n-1].To) < s.apart {
		one.spans[n-1].To = span.To
		return
	}
	for s.spans >= mostSpoken {
		if s.apart >= mostApart {
			s.omitted++
			return
		}
		s.coarsen()
	}
	one.spans = append(one.spans, span)
	s.spans++
}

// coarsen joins spans that are less than twice as far apart as before.
func (s *Speaking) coarsen() {
	s.apart *= 2
	s.spans = 0
	for _, one := range s.sources {
		joined := one.spans[:0]
		for _, span := range one.spans {
			if n := len(joined); n > 0 && span.From.Sub(joined[n-1].To) < s.apart {
				joined[n-1].To = span.To
				continue
			}
			joined = append(joined, span)
		}
		one.spans = joined
		s.spans += len(joined)
	}
}

// Apart returns how far two spans are at least apart.
func (s *Speaking) Apart() time.Duration { return s.apart }

// Omitted counts the words and spans for which there was no room.
func (s *Speaking) Omitted() int { return s.omitted }

// Sources returns those that have spoken, in ascending order.
func (s *Speaking) Sources() []uint32 { return slices.Sorted(maps.Keys(s.sources)) }

// Spans returns when a source spoke, up to the latest word that it does not.
func (s *Speaking) Spans(source uint32) []Span {
	if one := s.sources[source]; one != nil {
		return slices.Clone(one.spans)
	}
	return nil
}

// trailing is how long somebody may still be told to speak who has left: the word of
// their leaving overtakes that of their silence.
const trailing = 2 * time.Second

// Spoke says who spoke, from whose the sources were: by participant, and by source
// where nobody is known to have had it. Of a source that several share it may have been
// any of them, and is told of each.
func (h *History) Spoke(s *Speaking) (people map[string][]Span, unnamed map[uint32][]Span) {
	people, unnamed = map[string][]Span{}, map[uint32][]Span{}
	for _, id := range s.Sources() {
		rest := s.Spans(id)
		names := h.Named(Source{typeAudio, id})
		for i, n := range names {
			if !n.To.IsZero() {
				n.To = n.To.Add(trailing)
			}
			if i+1 < len(names) {
				n.To = earlier(n.To, names[i+1].From)
			}
			people[n.Participant] = append(people[n.Participant], within(rest, n.From, n.To)...)
			rest = without(rest, []Span{{From: n.From, To: n.To}})
		}
		for _, n := range h.Sharing(Source{typeAudio, id}) {
			people[n.Participant] = append(people[n.Participant], within(s.Spans(id), n.From, n.To)...)
		}
		if len(rest) > 0 {
			unnamed[id] = rest
		}
	}
	for id, spans := range people {
		if people[id] = union(spans); len(spans) == 0 {
			delete(people, id)
		}
	}
	return people, unnamed
}
