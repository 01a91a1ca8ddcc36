package archive

import (
	"strings"
	"time"

	"github.com/recorderbot/recorderbot/internal/media/format"
	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/timeline"
)

const (
	// maxTagged is how many participants of one track are named in its file; the manifest
	// names all.
	maxTagged = 32
	// maxTag bounds a tag's value, in bytes.
	maxTag = 1 << 10
)

// tagsOf are what a file of audio says of itself, so that it can be told whose it is where
// it has lost its folder: of a speaker's track those who had the source, of one in which
// all are heard the participant under observation. t is nil for the mix.
func (a *assembly) tagsOf(id string, t *timeline.Track) []format.Tag {
	f := &a.job.Facts
	tags := []format.Tag{
		{Name: "RECORDING", Value: a.job.Recording},
		{Name: "CALL", Value: string(f.Call)},
		{Name: "TRACK", Value: id},
		{Name: "DATE", Value: a.survey.started().Format(time.RFC3339Nano)},
		{Name: "OBSERVED", Value: f.ObservedParticipant},
	}
	if t == nil || t.Kind == frame.MixedAudio {
		tags = append(tags, format.Tag{Name: "PARTICIPANT", Value: f.ObservedParticipant})
	} else {
		tags = append(tags, a.speakersOn(t)...)
	}
	for i := range tags {
		v := tags[i].Value
		tags[i].Value = strings.ToValidUTF8(v[:min(len(v), maxTag)], "")
	}
	return tags
}

// speakersOn names those whose the source of a track was, each once.
func (a *assembly) speakersOn(t *timeline.Track) (tags []format.Tag) {
	named := map[string]bool{}
	for _, on := range participantsOn(t, a.survey.started(), a.people) {
		if named[on.ID] || len(named) == maxTagged {
			continue
		}
		named[on.ID] = true
		tags = append(tags, format.Tag{Name: "PARTICIPANT", Value: on.ID})
		for _, p := range a.people.Participants() {
			if p.ID == on.ID && p.Name != "" {
				tags = append(tags, format.Tag{Name: "ARTIST", Value: p.Name})
			}
		}
	}
	return tags
}
