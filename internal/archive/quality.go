package archive

import (
	"time"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/quality"
	"github.com/recorderbot/recorderbot/internal/media/roster"
	"github.com/recorderbot/recorderbot/internal/media/timeline"
)

// flags are what a person should look at in the recording: the rules are those of package
// quality, by the samples that were stored and by what the rosters said.
func (a *assembly) flags(m *Manifest) []string {
	r := quality.Recording{
		Length: m.EndedAt.Sub(m.StartedAt), Nameless: a.nameless(),
		Piece: m.Joint == jointPart || m.Joint == jointTakeover || m.Seal.Cause == sealContinued,
	}
	unmixed, has := a.survey.meta.Audio == "unmixed", map[uint32]bool{}
	from, to := a.survey.listened() // by the clock that the rosters have; the host's may be another
	if unmixed {
		r.Length = max(r.Length, to.Sub(from))
	}
	for i := range m.Tracks {
		t := &m.Tracks[i]
		meter := a.meters[t.ID]
		if meter == nil {
			continue
		}
		one := quality.Track{Meter: *meter, Mixed: t.Mode == "mixed", All: t.StoredSamples}
		for _, g := range t.Gaps {
			if g.Cause != timeline.Idle {
				one.Missing += g.Samples
				one.All += g.Samples
			}
		}
		if one.Mixed {
			one.Audible = lasting(a.people.Audible(), from, to)
		} else {
			has[t.SourceID] = true
			one.Audible = lasting(a.people.Sending(audioOf(t.SourceID)), from, to)
			one.Bot = a.botOn(t)
		}
		r.Tracks = append(r.Tracks, one)
	}
	if unmixed {
		r.Unheard, r.Trackless = a.unheard(has, from, to), a.trackless(has)
	}
	words := []string{}
	for _, f := range quality.Find(r) {
		words = append(words, string(f))
	}
	return words
}

// nameless counts the sources that spoke whom no roster ever named. Who was named at
// another time is known: that a roster leaves everybody out for a while, or that the word
// of somebody's silence comes late, makes no stranger of him.
func (a *assembly) nameless() (n int) {
	for _, id := range a.survey.speaking.Sources() {
		if len(a.people.Named(audioOf(id))) == 0 {
			n++
		}
	}
	return n
}

// trackless is for how long each source spoke of which there is no track.
func (a *assembly) trackless(has map[uint32]bool) (all []time.Duration) {
	for _, id := range a.survey.speaking.Sources() {
		if !has[id] {
			all = append(all, lasting(a.survey.speaking.Spans(id), time.Time{}, clean(a.survey.sealAt)))
		}
	}
	return all
}

func audioOf(id uint32) roster.Source {
	return roster.Source{Type: streamType(frame.UnmixedAudio), ID: id}
}

// botOn reports whether a track is an application's.
func (a *assembly) botOn(t *Track) bool {
	for _, on := range t.Participants {
		for _, p := range a.people.Participants() {
			if p.ID == on.ID && p.Bot() {
				return true
			}
		}
	}
	return false
}

// unheard is for how long each person could be heard of whose audio there is no track.
func (a *assembly) unheard(has map[uint32]bool, from, to time.Time) (all []time.Duration) {
	for _, p := range a.people.Participants() {
		if p.Bot() {
			continue
		}
		could, heard := time.Duration(0), false
		for _, s := range p.Streams {
			if s.Source.Type != streamType(frame.UnmixedAudio) {
				continue
			}
			heard = heard || has[s.Source.ID]
			could = max(could, lasting(a.people.Sending(s.Source), from, to))
		}
		if !heard {
			all = append(all, could)
		}
	}
	return all
}

// lasting is how much of some spans lies between two times.
func lasting(spans []roster.Span, from, to time.Time) (d time.Duration) {
	for _, s := range spans {
		begin, end := s.From, s.To
		if begin.Before(from) {
			begin = from
		}
		if end.IsZero() || end.After(to) {
			end = to
		}
		d += max(end.Sub(begin), 0)
	}
	return d
}
