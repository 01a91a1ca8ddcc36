package roster

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// news is what a roster says of one participant, as new as it is.
type news struct {
	at     time.Time // when it came
	known  time.Time // when it was so: then, or when we asked
	asked  bool
	delta  bool
	number int64 // the roster's as which it is known; 0: none
	newest int64 // of a whole list, the highest number of those in it
	stale  bool  // of a whole list: somebody in it is known to be older
}

// A word is one thing that was said of a participant, and how new it is.
type word[T any] struct {
	value  T
	known  time.Time // when it was so, at the latest: a notification came, or we asked
	number int64     // of the newest numbered roster that said anything of it
	since  bool      // something without a number has said it since
}

// accepts reports whether news are newer than what is known.
func (w *word[T]) accepts(n news) bool {
	switch {
	case n.number > 0 && n.number < w.number:
		return false
	case w.number > 0 && n.number > w.number && !w.since:
		return true
	case n.number > 0 && n.number == w.number && (n.stale || n.delta && w.since):
		return false // said before
	}
	return !n.asked || !n.known.Before(w.known)
}

func (w *word[T]) set(n news, v T) {
	w.value, w.known = v, later(w.known, n.known)
	w.since = n.number < w.number
	w.number = max(w.number, n.number)
}

// A person is what is known of a participant.
type person struct {
	id    string
	named uint64 // the latest roster that named them
	left  uint64 // the roster with which they left last

	here      word[presence]
	lobby     word[bool]
	muted     word[bool]
	streams   word[[]recorder.MediaStream] // in order; never written to
	identity  word[identity]
	name      word[string]
	recording word[string]

	// The source IDs with which they send, from streams.
	audio, video, screen []uint32
}

type presence struct {
	here   bool
	reason string // of leaving
}

// An identity is who it is: what comes together in one identity set.
type identity struct {
	ID, Kind, Tenant string
	Anonymized       bool
	Also             []recorder.Identity
}

// take takes what is said of a participant, as far as it is news, and reports
// whether a description has changed: what is not part of the state.
func (p *person) take(n news, told *recorder.Participant) (described bool) {
	described = p.describe(n, told)
	if told.Removed {
		if p.here.accepts(n) {
			p.leave(n, told.Reason)
		}
		return described
	}
	if p.here.accepts(n) {
		p.here.set(n, presence{here: true})
	}
	if !told.LobbyUntold && p.lobby.accepts(n) {
		p.lobby.set(n, told.InLobby)
	}
	if !told.MuteUntold && p.muted.accepts(n) {
		p.muted.set(n, told.Muted)
	}
	if (told.Streams != nil || !n.delta) && p.streams.accepts(n) {
		p.setStreams(n, p.ordered(told.Streams))
	}
	return described
}

// leave: whoever is gone has no streams, and is not muted any more.
func (p *person) leave(n news, reason string) {
	p.here.set(n, presence{reason: reason})
	p.lobby.set(n, false)
	p.muted.set(n, false)
	p.setStreams(n, nil)
}

func (p *person) setStreams(n news, streams []recorder.MediaStream) {
	if !slices.Equal(streams, p.streams.value) {
		p.audio, p.video, p.screen = sending(streams, typeAudio), sending(streams, typeVideo), sending(streams, typeScreen)
	}
	p.streams.set(n, streams)
}

// describe takes who it is. What is empty was not told; an older word fills in what
// no newer one has told.
func (p *person) describe(n news, told *recorder.Participant) (changed bool) {
	if who := (identity{told.Identity, told.Kind, told.Tenant, told.Anonymized, told.Also}); who.tells(p.identity.value) {
		if p.identity.accepts(n) || p.identity.value.ID == "" && who.ID != "" {
			changed = !who.equal(p.identity.value)
			p.identity.set(n, who)
		}
	}
	for _, w := range []struct {
		is   *word[string]
		told string
	}{{&p.name, told.Name}, {&p.recording, told.Recording}} {
		if w.told != "" && w.is.accepts(n) {
			changed = changed || w.is.value != w.told
			w.is.set(n, w.told)
		}
	}
	return changed
}

// tells reports whether it says who somebody is of whom known is known.
func (i identity) tells(known identity) bool {
	return i.ID != "" || i.Anonymized || len(i.Also) > 0 || known.ID == "" && i.Kind != "" && i.Kind != "unknown"
}

func (i identity) equal(o identity) bool {
	return i.ID == o.ID && i.Kind == o.Kind && i.Tenant == o.Tenant && i.Anonymized == o.Anonymized && slices.Equal(i.Also, o.Also)
}

// ordered returns streams in their one order, within the bounds; what is known
// already where that is the same.
func (p *person) ordered(streams []recorder.MediaStream) []recorder.MediaStream {
	streams = streams[:min(len(streams), MostStreams)]
	if slices.Equal(streams, p.streams.value) {
		return p.streams.value
	}
	streams = slices.Clone(streams)
	slices.SortStableFunc(streams, func(a, b recorder.MediaStream) int {
		return cmp.Or(strings.Compare(a.Type, b.Type), cmp.Compare(a.SourceID, b.SourceID), strings.Compare(a.Direction, b.Direction),
			strings.Compare(a.Label, b.Label))
	})
	return slices.Compact(streams)
}

// standing is where somebody is.
type standing uint8

const (
	gone standing = iota
	inLobby
	here
)

func (p *person) standing() standing {
	switch {
	case !p.here.value.here:
		return gone
	case p.lobby.value:
		return inLobby
	}
	return here
}

// A state is what follows from all that is known of a participant.
type state struct {
	standing standing
	reason   string // of being gone, or in the lobby
	muted    bool
	streams  []recorder.MediaStream
}

func (p *person) state() state {
	s := state{standing: p.standing(), muted: p.muted.value}
	if s.standing == here {
		s.streams = p.streams.value
	} else {
		s.reason = p.here.value.reason
	}
	return s
}

func (s state) equal(o state) bool {
	return s.standing == o.standing && s.muted == o.muted && slices.Equal(s.streams, o.streams)
}

// sending returns the source IDs of one media type with which somebody sends.
func sending(streams []recorder.MediaStream, mediaType string) []uint32 {
	var sources []uint32
	for _, s := range streams {
		if s.Type == mediaType && Sends(s) && named(s.SourceID) && !slices.Contains(sources, s.SourceID) {
			sources = append(sources, s.SourceID)
		}
	}
	return sources
}

// Sends reports whether a participant may send with a stream: the direction is meant
// from theirs (Graph, mediaStream; Microsoft's sample asks the same).
func Sends(s recorder.MediaStream) bool { return sends(s.Direction) }

func sends(direction string) bool { return direction == "sendOnly" || direction == "sendReceive" }
