package archive

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/roster"
	"github.com/recorderbot/recorderbot/internal/media/timeline"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// A Participant is someone who was in the call or in its lobby, and when.
type Participant struct {
	ID       string `json:"id"`
	Identity string `json:"identity,omitempty"`
	Kind     string `json:"kind,omitempty"`
	Name     string `json:"name,omitempty"`
	Tenant   string `json:"tenant,omitempty"`
	// Role is RoleRecorder or RoleBot; empty: a person, for all that is known.
	Role string `json:"role,omitempty"`
	// Recording is the recording status that the platform told of the participant.
	Recording string `json:"recording,omitempty"`
	// Anonymized: the identity is not the true one.
	Anonymized bool `json:"anonymized,omitempty"`
	// Identities are further ones of the same participant.
	Identities []recorder.Identity `json:"identities,omitempty"`
	Present    []Span              `json:"present"`
	Streams    []ParticipantStream `json:"streams"`
	Lobby      []Span              `json:"lobby,omitempty"`    // waiting to be let in
	Muted      []Span              `json:"muted,omitempty"`    // by themselves or the server, while present
	Held       []Span              `json:"held,omitempty"`     // on hold: with audio that sends nothing
	Speaking   []Span              `json:"speaking,omitempty"` // in this recording; see Speech
	// Omitted counts spans and streams that were too many.
	Omitted int `json:"omitted,omitempty"`
}

// The roles.
const (
	RoleRecorder = "recorder" // ours, or another one
	RoleBot      = "bot"      // another application
)

// A Span is a stretch of time, by our clock; To is missing where it lasted to the
// end of what we know.
type Span struct {
	From   time.Time `json:"from"`
	To     time.Time `json:"to,omitzero"`
	Reason string    `json:"reason,omitempty"` // of the end, as the platform told it
}

// A ParticipantStream is a source that a participant had, and when. Not every
// direction sends.
type ParticipantStream struct {
	SourceID    uint32    `json:"sourceId"`
	Type        string    `json:"type"`
	Direction   string    `json:"direction"`
	From        time.Time `json:"from"`
	To          time.Time `json:"to,omitzero"`
	Label       string    `json:"label,omitempty"`
	ServerMuted []Span    `json:"serverMuted,omitempty"`
}

// A TrackParticipant is someone who may be heard or seen in a track.
type TrackParticipant struct {
	ID   string    `json:"id"`
	From time.Time `json:"from"`
	To   time.Time `json:"to,omitzero"`
	// Learned says how a source got this name, and LearnedAt when: after From where it
	// was named later. Of mixed audio, which has no source, they say nothing.
	Learned   roster.Learned `json:"learned,omitempty"`
	LearnedAt time.Time      `json:"learnedAt,omitzero"`
}

// A Speech says how exact the times are at which participants spoke, and who spoke
// without a name.
type Speech struct {
	// WithinSeconds: pauses of one speaker that were shorter are not told.
	WithinSeconds int             `json:"withinSeconds"`
	Unnamed       []UnnamedSource `json:"unnamed,omitempty"`
	// Omitted counts words of the media host for which there was no room.
	Omitted int `json:"omitted,omitempty"`
}

// An UnnamedSource spoke while no roster named it.
type UnnamedSource struct {
	SourceID uint32 `json:"sourceId"`
	Speaking []Span `json:"speaking"`
}

// rosterData is a roster as the journal has it.
type rosterData struct {
	Sequence     int64                  `json:"sequence"`
	Delta        bool                   `json:"delta"`
	Participants []recorder.Participant `json:"participants"`
	Asked        time.Time              `json:"asked"`
	List         int                    `json:"list"`
	Since        int                    `json:"since"`
	Gone         []string               `json:"gone"`
}

// lists make whole rosters again of what a journal has: of most it tells only what has
// changed since the one before.
type lists struct {
	number int
	people []recorder.Participant
}

func (l *lists) read(d rosterData) recorder.Roster {
	r := recorder.Roster{Sequence: d.Sequence, Delta: d.Delta, Participants: d.Participants, Asked: d.Asked}
	switch {
	case d.Since == 0 && d.Delta:
		return r
	case d.Since > 0 && d.Since != l.number: // the one before is lost
		for _, id := range d.Gone {
			r.Participants = append(r.Participants, recorder.Participant{ID: id, Removed: true})
		}
		return r
	case d.Since > 0:
		left := make(map[string]bool, len(d.Gone)+len(d.Participants))
		for _, id := range d.Gone {
			left[id] = true
		}
		for i := range d.Participants {
			left[d.Participants[i].ID] = true
		}
		r.Delta, r.Participants = false, make([]recorder.Participant, 0, len(l.people)+len(d.Participants))
		for i := range l.people {
			if p := &l.people[i]; !left[p.ID] {
				r.Participants = append(r.Participants, *p)
			}
		}
		r.Participants = append(r.Participants, d.Participants...)
	}
	l.number, l.people = d.List, r.Participants
	return r
}

// historyOf replays the rosters of a journal.
func historyOf(events []Event) *roster.History {
	h, whole := roster.NewHistory(), lists{}
	for _, e := range inOrder(events) {
		var d rosterData
		if e.Kind != string(recorder.EntryRoster) || json.Unmarshal(e.Data, &d) != nil {
			continue
		}
		h.Take(clean(e.At), whole.read(d))
	}
	return h
}

// participantsOf lists everyone who was told to be in the call, as they appeared.
func participantsOf(h *roster.History, events []Event, speaking map[string][]roster.Span) []Participant {
	recorders := recordersIn(events)
	all := make([]Participant, 0, len(h.Participants()))
	for _, p := range h.Participants() {
		n := Participant{
			ID: p.ID, Identity: p.Identity, Kind: p.Kind, Name: p.Name, Tenant: p.Tenant, Recording: p.Recording, Anonymized: p.Anonymized,
			Identities: p.Also, Present: spans(p.Present), Streams: []ParticipantStream{}, Lobby: spans(p.Lobby), Muted: spans(p.Muted),
			Held: spans(p.Held), Speaking: spans(speaking[p.ID]), Omitted: p.Omitted,
		}
		for _, s := range p.Streams {
			n.Streams = append(n.Streams, ParticipantStream{s.Source.ID, s.Source.Type, s.Direction, s.From, s.To, s.Label, spans(s.Muted)})
		}
		switch listed := slices.ContainsFunc(recorders, func(id string) bool { return strings.EqualFold(id, p.ID) }); {
		case listed, p.Bot() && (p.Recording == "recording" || p.Recording == "failed"):
			n.Role = RoleRecorder
		case p.Bot():
			n.Role = RoleBot
		}
		all = append(all, n)
	}
	return all
}

func spans(all []roster.Span) []Span {
	out := make([]Span, len(all))
	for i, s := range all {
		out[i] = Span(s)
	}
	return out
}

// recordersIn are the participants that the invite says to be recorders: we, those
// that are paired with us, and others (botData, comms-samples #664).
func recordersIn(events []Event) []string {
	var all []string
	type recorders []struct {
		Participant string `json:"participantId"`
	}
	for _, e := range events {
		var d struct {
			Mine string `json:"myParticipant"`
			Raw  struct {
				Metadata struct {
					Bot struct {
						Paired recorders `json:"pairedRecorders"`
						Others recorders `json:"otherRecorders"`
					} `json:"botData"`
				} `json:"applicationMetadata"`
			} `json:"raw"`
		}
		if e.Kind != string(recorder.EntryInvite) {
			continue
		}
		_ = json.Unmarshal(e.Data, &d) // what is of another shape is as if it were not there
		all = append(all, d.Mine)
		for _, r := range slices.Concat(d.Raw.Metadata.Bot.Paired, d.Raw.Metadata.Bot.Others) {
			all = append(all, r.Participant)
		}
	}
	return slices.DeleteFunc(all, func(id string) bool { return id == "" })
}

// participantsOn lists who may be heard or seen in a track that begins at started:
// everyone present, in mixed audio; else those whose the track's source was. What
// came of a source before anybody was known to have it is named later. Where several
// share it they all are: telephones may. A source that no roster ever named
// has nobody: its track keeps the number.
func participantsOn(t *timeline.Track, started time.Time, h *roster.History) []TrackParticipant {
	on := []TrackParticipant{}
	if t.Kind == frame.MixedAudio {
		for _, p := range h.Participants() {
			for _, s := range p.Present {
				on = append(on, TrackParticipant{ID: p.ID, From: s.From, To: s.To})
			}
		}
		return on
	}
	source := roster.Source{Type: streamType(t.Kind), ID: t.Source}
	for _, n := range append(h.Named(source), h.Sharing(source)...) {
		if n.From.IsZero() {
			if n.From = n.At; started.Before(n.At) {
				n.From = clean(started)
			}
		}
		on = append(on, TrackParticipant{n.Participant, n.From, n.To, n.Learned, n.At})
	}
	slices.SortStableFunc(on, func(a, b TrackParticipant) int { return a.From.Compare(b.From) })
	return on
}

// speechOf tells who spoke without a name. It is nil where nobody was told to speak.
func speechOf(s *roster.Speaking, unnamed map[uint32][]roster.Span) *Speech {
	if len(s.Sources()) == 0 {
		return nil
	}
	speech := &Speech{WithinSeconds: int(s.Apart() / time.Second), Omitted: s.Omitted()}
	for _, id := range s.Sources() {
		if all := unnamed[id]; len(all) > 0 {
			speech.Unnamed = append(speech.Unnamed, UnnamedSource{id, spans(all)})
		}
	}
	return speech
}

// streamType is the roster's word for what a track holds.
func streamType(k frame.Kind) string {
	switch k {
	case frame.MixedAudio, frame.UnmixedAudio:
		return "audio"
	case frame.Video:
		return "video"
	case frame.Screen:
		return "videoBasedScreenSharing"
	}
	return "unknown"
}
