package archive

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/timeline"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// A Participant is someone who was in the call, and when.
type Participant struct {
	ID       string              `json:"id"`
	Identity string              `json:"identity,omitempty"`
	Kind     string              `json:"kind,omitempty"`
	Name     string              `json:"name,omitempty"`
	Tenant   string              `json:"tenant,omitempty"`
	Present  []Span              `json:"present"`
	Streams  []ParticipantStream `json:"streams"`
}

// A Span is a stretch of time, by our clock; To is missing where it lasted to the
// end of what we know.
type Span struct {
	From   time.Time `json:"from"`
	To     time.Time `json:"to,omitzero"`
	Reason string    `json:"reason,omitempty"` // of the end, as the platform told it
}

// A ParticipantStream is a source that a participant sent with, and when.
type ParticipantStream struct {
	SourceID  uint32    `json:"sourceId"`
	Type      string    `json:"type"`
	Direction string    `json:"direction"`
	From      time.Time `json:"from"`
	To        time.Time `json:"to,omitzero"`
}

// A TrackParticipant is someone who may be heard or seen in a track.
type TrackParticipant struct {
	ID   string    `json:"id"`
	From time.Time `json:"from"`
	To   time.Time `json:"to,omitzero"`
}

// rosterData is a roster as the journal has it.
type rosterData struct {
	Sequence     int64                  `json:"sequence"`
	Delta        bool                   `json:"delta"`
	Participants []recorder.Participant `json:"participants"`
}

// A register follows the roster through the journal.
type register struct {
	people   map[string]*Participant
	order    []string // IDs, as they first appeared
	sequence int64
}

// participantsOf replays the rosters of a journal. A full roster ends the
// presence of everyone it leaves out; a delta changes only whom it names. Rosters
// that are older than what is known are ignored; those without a number are
// taken as they come.
func participantsOf(events []Event) []Participant {
	g := register{people: map[string]*Participant{}}
	for _, e := range inOrder(events) {
		var d rosterData
		if e.Kind != string(recorder.EntryRoster) || json.Unmarshal(e.Data, &d) != nil {
			continue
		}
		if d.Sequence > 0 && d.Sequence < g.sequence {
			continue
		}
		g.sequence = max(g.sequence, d.Sequence)
		g.take(clean(e.At), d)
	}
	all := make([]Participant, 0, len(g.order))
	for _, id := range g.order {
		all = append(all, *g.people[id])
	}
	return all
}

func (g *register) take(at time.Time, d rosterData) {
	named := map[string]bool{}
	for _, p := range d.Participants {
		if p.ID == "" {
			continue
		}
		named[p.ID] = true
		known := g.people[p.ID]
		if known == nil {
			known = &Participant{ID: p.ID, Present: []Span{}, Streams: []ParticipantStream{}}
			g.people[p.ID] = known
			g.order = append(g.order, p.ID)
		}
		known.update(at, p, d.Delta)
	}
	if d.Delta {
		return
	}
	for id, p := range g.people {
		if !named[id] {
			p.leave(at, "")
		}
	}
}

// update takes what a roster says about a participant. What a delta does not
// mention has not changed.
func (p *Participant) update(at time.Time, now recorder.Participant, delta bool) {
	p.Identity = cmp.Or(now.Identity, p.Identity)
	p.Kind = cmp.Or(now.Kind, p.Kind)
	p.Name = cmp.Or(now.Name, p.Name)
	p.Tenant = cmp.Or(now.Tenant, p.Tenant)
	if now.Removed || now.InLobby {
		p.leave(at, now.Reason)
		return
	}
	if n := len(p.Present); n == 0 || !p.Present[n-1].To.IsZero() {
		p.Present = append(p.Present, Span{From: at})
	}
	if delta && now.Streams == nil {
		return
	}
	for i := range p.Streams {
		s := &p.Streams[i]
		if s.To.IsZero() && !slices.ContainsFunc(now.Streams, s.is) {
			s.To = at
		}
	}
	for _, s := range now.Streams {
		open := func(o ParticipantStream) bool { return o.To.IsZero() && o.is(s) }
		if !slices.ContainsFunc(p.Streams, open) {
			p.Streams = append(p.Streams, ParticipantStream{
				SourceID: s.SourceID, Type: s.Type, Direction: s.Direction, From: at,
			})
		}
	}
}

func (s ParticipantStream) is(m recorder.MediaStream) bool {
	return s.SourceID == m.SourceID && s.Type == m.Type && s.Direction == m.Direction
}

func (p *Participant) leave(at time.Time, reason string) {
	if n := len(p.Present); n > 0 && p.Present[n-1].To.IsZero() {
		p.Present[n-1].To, p.Present[n-1].Reason = at, reason
	}
	for i := range p.Streams {
		if p.Streams[i].To.IsZero() {
			p.Streams[i].To = at
		}
	}
}

// participantsOn lists who may be heard or seen in a track: everyone present, in
// mixed audio; else those whose stream had the track's source ID. A source that
// no roster named has nobody: its track keeps the number.
func participantsOn(t *timeline.Track, all []Participant) []TrackParticipant {
	on := []TrackParticipant{}
	for _, p := range all {
		if t.Kind == frame.MixedAudio {
			for _, s := range p.Present {
				on = append(on, TrackParticipant{p.ID, s.From, s.To})
			}
			continue
		}
		for _, s := range p.Streams {
			if s.SourceID == t.Source && s.Type == streamType(t.Kind) {
				on = append(on, TrackParticipant{p.ID, s.From, s.To})
			}
		}
	}
	return on
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
