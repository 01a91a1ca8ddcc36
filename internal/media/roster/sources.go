package roster

import (
	"math"
	"slices"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// The media types of the roster that become tracks (Graph, mediaStream).
const (
	typeAudio  = "audio"
	typeVideo  = "video"
	typeScreen = "videoBasedScreenSharing"
)

// A Source is a source ID of one media type: the number that frames carry.
type Source struct {
	Type string // as recorder.MediaStream has it
	ID   uint32
}

// named reports whether a source ID can be a participant's: 0 is the mix, and
// 0xFFFFFFFF is none (Bots.Media, DominantSpeakerChanged).
func named(id uint32) bool { return id != 0 && id != math.MaxUint32 }

// Owner returns whose a source is now.
func (r *Roster) Owner(source Source) (participant string, ok bool) {
	all := r.claims[source]
	if len(all) == 0 {
		return "", false
	}
	return all[len(all)-1].id, true
}

// reclaim brings a participant's claims up to date. A new claim is the newest.
func (r *Roster) reclaim(who *person, before, after []recorder.MediaStream) {
	for i, s := range before {
		source := Source{s.Type, s.SourceID}
		if !named(s.SourceID) || lists(before[:i], source) || lists(after, source) {
			continue
		}
		all := slices.DeleteFunc(r.claims[source], func(p *person) bool { return p == who })
		if r.claims[source] = all; len(all) == 0 {
			delete(r.claims, source)
		}
		r.touched = append(r.touched, source)
	}
	for i, s := range after {
		source := Source{s.Type, s.SourceID}
		if !named(s.SourceID) || lists(after[:i], source) || lists(before, source) {
			continue
		}
		r.claims[source] = append(r.claims[source], who)
		r.touched = append(r.touched, source)
	}
}

func lists(streams []recorder.MediaStream, source Source) bool {
	return slices.ContainsFunc(streams, func(s recorder.MediaStream) bool { return s.SourceID == source.ID && s.Type == source.Type })
}
