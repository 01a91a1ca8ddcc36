package roster

import (
	"slices"
	"time"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// The bounds of what a History remembers. What is beyond is counted.
const (
	// mostSpans of each sort for each participant, and for each source.
	mostSpans = 256
	// mostAll spans, streams and namings together, but for the first few of each sort
	// for each participant and source: a manifest of some hundred kilobytes. Whoever
	// comes late into a large meeting is named all the same.
	mostAll      = 1 << 12
	firstSpans   = 1
	firstStreams = 8
	// MostPast participants, and mostSources sources.
	MostPast    = 1 << 14
	mostSources = 1 << 15
)

// A Span is a stretch of time by our clock: as we learned of its ends. To is zero
// where it lasts to the end of what is known.
type Span struct {
	From, To time.Time
	Reason   string // of the end, as the platform told it
}

// A Past is what is known of one participant of a call, over its whole time.
type Past struct {
	ID         string
	Identity   string
	Kind       string
	Name       string
	Tenant     string
	Anonymized bool
	Also       []recorder.Identity
	Recording  string // recordingInfo.recordingStatus, as told last
	Present    []Span // in the call itself
	Lobby      []Span // waiting to be let in
	Muted      []Span // by themselves or by the server, while present
	Held       []Span // with audio that sends nothing, while present: on hold
	Streams    []Stream
	Omitted    int // spans beyond the bounds
}

// Bot reports whether it is an application: a recorder, or some other bot.
func (p *Past) Bot() bool { return isBot(p.Kind) }

// A Stream is a source that a participant had with one direction, and when.
type Stream struct {
	Source    Source
	Direction string
	Label     string
	From, To  time.Time
	Muted     []Span // by the server
}

// Learned is how something was learned.
type Learned string

// The ways.
const (
	LearnedWhole Learned = "roster" // from a whole list that the platform sent
	LearnedDelta Learned = "delta"
	LearnedAsked Learned = "asked" // from a list that we asked for
)

// A Naming says whose a source was, and when.
type Naming struct {
	Participant string
	// From is zero where nobody had the source before: what came of it earlier is
	// named later.
	From, To time.Time
	Learned  Learned
	At       time.Time // when it was learned
}

// A History follows the rosters of a call and remembers.
type History struct {
	now     *Roster
	past    map[string]*Past
	order   []*Past // as they first appeared
	sources map[Source]*[]Naming
	shared  map[Source][]Naming // of those who have one beside its owner
	at      time.Time           // of the roster that is being taken
	learned Learned
	kept    int // spans, streams and namings
	omitted int // participants, sources and namings beyond the bounds
}

// NewHistory returns a history in which nothing has happened.
func NewHistory() *History {
	h := &History{now: New(), past: map[string]*Past{}, sources: map[Source]*[]Naming{}, shared: map[Source][]Naming{}}
	h.now.watch = h.changed
	return h
}

// Take takes a roster as Roster.Take does. Where the clock was set back, its time is
// that of the one before.
func (h *History) Take(at time.Time, told recorder.Roster) (changed bool) {
	h.at, h.learned = later(h.at, at), LearnedWhole
	switch {
	case !told.Asked.IsZero():
		h.learned = LearnedAsked
	case told.Delta:
		h.learned = LearnedDelta
	}
	changed = h.now.Take(at, told)
	for _, source := range h.now.touched {
		h.rename(source)
	}
	if !told.Delta {
		h.share(told.Participants)
	}
	return changed
}

// Now returns how things stand. It must not be given rosters of its own.
func (h *History) Now() *Roster { return h.now }

// Omitted counts what the bounds left out, but for what the participants count
// themselves.
func (h *History) Omitted() int { return h.omitted + h.now.counts.NoRoom }

// Participants returns everyone who was told to be in the call or its lobby, in the
// order in which they appeared.
func (h *History) Participants() []*Past { return h.order }

// changed notes what a roster did to a participant.
func (h *History) changed(c change) {
	p := h.past[c.who.id]
	if p == nil {
		if c.after.standing == gone { // never seen
			return
		}
		if len(h.order) >= MostPast {
			h.omitted++
			return
		}
		p = &Past{ID: c.who.id}
		h.past[p.ID] = p
		h.order = append(h.order, p)
	}
	who := c.who.identity.value
	p.Identity, p.Kind, p.Tenant, p.Anonymized, p.Also = who.ID, who.Kind, who.Tenant, who.Anonymized, who.Also
	p.Name, p.Recording = c.who.name.value, c.who.recording.value
	present := c.after.standing == here
	h.span(p, &p.Present, present, c.after.reason)
	h.span(p, &p.Lobby, c.after.standing == inLobby, c.after.reason)
	h.span(p, &p.Muted, present && c.after.muted, "")
	h.span(p, &p.Held, held(c.after.streams), "")
	h.streams(p, c.after.streams)
}

// room reports whether there is room for one more behind n of a sort of which the
// first few always have it, and takes it.
func (h *History) room(n, first int) bool {
	if n >= mostSpans || n >= first && h.kept >= mostAll {
		return false
	}
	h.kept++
	return true
}

// held reports whether somebody has audio, and it sends nothing: on hold a stream's
// direction becomes inactive (comms-samples #618).
func held(streams []recorder.MediaStream) bool {
	has := false
	for _, s := range streams {
		if s.Type == typeAudio {
			if Sends(s) {
				return false
			}
			has = true
		}
	}
	return has
}

// span begins or ends the last of some spans.
func (h *History) span(p *Past, spans *[]Span, is bool, reason string) {
	n := len(*spans)
	open := n > 0 && (*spans)[n-1].To.IsZero()
	switch {
	case is == open:
	case !is && (*spans)[n-1].From.Equal(h.at): // within one roster
		*spans = (*spans)[:n-1]
		h.kept--
	case !is:
		(*spans)[n-1].To, (*spans)[n-1].Reason = h.at, reason
	case n > 0 && (*spans)[n-1].To.Equal(h.at):
		(*spans)[n-1].To, (*spans)[n-1].Reason = time.Time{}, "" // it had not ended
	case h.room(n, firstSpans):
		*spans = append(*spans, Span{From: h.at})
	default:
		p.Omitted++
	}
}

// streams brings the streams up to date: those that are not told any more have ended.
func (h *History) streams(p *Past, now []recorder.MediaStream) {
	is := func(s *Stream, m recorder.MediaStream) bool {
		return s.To.IsZero() && s.Source == Source{m.Type, m.SourceID} && s.Direction == m.Direction && s.Label == m.Label
	}
	for i := range p.Streams {
		s := &p.Streams[i]
		if s.To.IsZero() && !slices.ContainsFunc(now, func(m recorder.MediaStream) bool { return is(s, m) }) {
			h.span(p, &s.Muted, false, "")
			s.To = h.at
		}
	}
	was := len(p.Streams)
	p.Streams = slices.DeleteFunc(p.Streams, func(s Stream) bool { return s.To.Equal(s.From) })
	h.kept -= was - len(p.Streams)
	for _, m := range now {
		i := slices.IndexFunc(p.Streams, func(s Stream) bool { return is(&s, m) })
		if i < 0 {
			if i = len(p.Streams); !h.room(i, firstStreams) {
				p.Omitted++
				continue
			}
			p.Streams = append(p.Streams, Stream{Source: Source{m.Type, m.SourceID}, Direction: m.Direction, Label: m.Label, From: h.at})
		}
		h.span(p, &p.Streams[i].Muted, m.ServerMuted, "")
	}
}

// rename notes whose a source is now.
func (h *History) rename(source Source) {
	owner, _ := h.now.Owner(source)
	h.unshare(source, owner)
	all := h.sources[source]
	if all == nil {
		if owner == "" {
			return
		}
		if len(h.sources) >= mostSources {
			h.omitted++
			return
		}
		all = &[]Naming{}
		h.sources[source] = all
	}
	n := len(*all)
	if n > 0 && (*all)[n-1].To.IsZero() {
		if (*all)[n-1].Participant == owner {
			return
		}
		if (*all)[n-1].To = h.at; (*all)[n-1].From.Equal(h.at) { // the next one was told at the same time
			n--
			*all = (*all)[:n]
			h.kept--
		}
	}
	switch {
	case owner == "":
	case n > 0 && (*all)[n-1].Participant == owner && (*all)[n-1].To.Equal(h.at):
		(*all)[n-1].To = time.Time{}
	case h.room(n, firstSpans):
		*all = append(*all, Naming{Participant: owner, From: h.at, Learned: h.learned, At: h.at})
	default:
		h.omitted++
	}
}

// Named returns whose a source was, in the order of time. Before the first who is
// known to have had it nobody can be told to have had it: it is theirs from the
// beginning, and At says that this was learned later.
func (h *History) Named(source Source) []Naming {
	all := h.sources[source]
	if all == nil || len(*all) == 0 {
		return nil
	}
	named := slices.Clone(*all)
	named[0].From = time.Time{}
	return named
}

// share notes who has a source beside its owner: a whole list names them both with it.
// Telephones may share one (comms-samples #210), and then nobody can tell whose voice it
// is. A claim that only was not taken back is no sign of that.
func (h *History) share(told []recorder.Participant) {
	for source, all := range h.now.claims {
		if len(all) < 2 {
			continue
		}
		told := slices.DeleteFunc(slices.Clone(all), func(who *person) bool {
			return !slices.ContainsFunc(told, func(p recorder.Participant) bool { return p.ID == who.id && lists(p.Streams, source) })
		})
		for _, who := range told[:max(len(told)-1, 0)] {
			h.shares(source, who.id)
		}
	}
}

// shares notes that somebody has a source of which another one is the owner.
func (h *History) shares(source Source, id string) {
	shared := h.shared[source]
	switch {
	case slices.ContainsFunc(shared, func(n Naming) bool { return n.To.IsZero() && n.Participant == id }):
	case h.room(len(shared), firstSpans):
		h.shared[source] = append(shared, Naming{Participant: id, From: h.at, Learned: h.learned, At: h.at})
	default:
		h.omitted++
	}
}

// unshare ends what has ended: of who has lost a source, and of who is its owner.
func (h *History) unshare(source Source, owner string) {
	for i := range h.shared[source] {
		n := &h.shared[source][i]
		has := slices.ContainsFunc(h.now.claims[source], func(p *person) bool { return p.id == n.Participant })
		if n.To.IsZero() && (!has || n.Participant == owner) {
			n.To = h.at
		}
	}
}

// Sharing returns who had a source beside those whom Named returns, and when.
func (h *History) Sharing(source Source) []Naming { return slices.Clone(h.shared[source]) }
