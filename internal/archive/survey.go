package archive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/recorderbot/recorderbot/internal/media/format"
	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/roster"
	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/media/timeline"
)

// A survey is what the headers of a recording's records say.
type survey struct {
	permit   *spool.PermitRecord
	permitAt time.Time
	meta     permitMeta
	openedAt time.Time // zero: nobody noted it
	seal     *spool.SealRecord
	sealAt   time.Time
	// firstAt and lastAt are the commits of the first and the last frame.
	firstAt, lastAt time.Time
	frames          uint64
	damaged         int // records that the spool could not read
	summary         timeline.Summary
	feed            timeline.Feed
	offsets         offsets
	speaking        *roster.Speaking
}

// maxSources is how many sources one recording may have: those that the gate lets in,
// and as many of which only gaps are told.
const maxSources = 2 * timeline.MaxTracks

// permitMeta is what the media side wrote beside the permit.
type permitMeta struct {
	Host       string `json:"host"`
	HostEpoch  string `json:"hostEpoch"`
	SDKVersion string `json:"sdkVersion"`
	Audio      string `json:"audio"`
	FirstSeq   uint64 `json:"firstSeq"` // as foretold; the note "opened" knows
	Part       int    `json:"part"`
	Continues  string `json:"continues"`
	Joint      string `json:"joint"`
}

// openedNote is the note that the media side leaves when the gate has opened.
const openedNote = "opened"

// speakersNote is the note about who speaks from then on.
const speakersNote = "speakers"

// records reads the spool. A record that is damaged there is left out, each time
// the same: what it held is missing by its number.
func (j *Job) records(ctx context.Context, damaged func(error)) iter.Seq2[spool.Record, error] {
	return func(yield func(spool.Record, error) bool) {
		for r, err := range j.Read() {
			var damage *spool.DamageError
			switch {
			case errors.As(err, &damage):
				damaged(err)
				continue
			case err != nil:
				err = fmt.Errorf("reading the spool: %w", err)
			default:
				err = ctx.Err()
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

func ignore(error) {}

// takeSurvey is the first pass. It trusts the spool's order no more than its own
// eyes: a frame outside permit and seal is an error.
func takeSurvey(ctx context.Context, j *Job) (*survey, error) {
	s := &survey{feed: timeline.Feed{Timeline: timeline.New()}, speaking: roster.NewSpeaking()}
	for r, err := range j.records(ctx, func(error) { s.damaged++ }) {
		if err != nil {
			return nil, err
		}
		if err := s.add(r); err != nil {
			return nil, err
		}
	}
	switch {
	case s.permit == nil:
		return nil, fmt.Errorf("%w: the spool knows nothing of recording %s", ErrJob, j.Recording)
	case s.seal == nil && s.damaged > 0:
		return nil, fmt.Errorf("%w: %d records are damaged in the spool, and there is no seal", ErrJob, s.damaged)
	case s.seal == nil:
		return nil, fmt.Errorf("recording %s: %w", j.Recording, ErrUnsealed)
	case s.permit.ID != j.Recording:
		return nil, fmt.Errorf("%w: the spool's recording is %q, not %q", ErrJob, s.permit.ID, j.Recording)
	case s.permit.Evidence.Call != j.Facts.Call:
		return nil, fmt.Errorf("%w: the permit is of call %q, not %q", ErrJob, s.permit.Evidence.Call, j.Facts.Call)
	}
	if s.seal.Cause == sealContinued {
		s.feed.GoesOn(s.seal.LastSeq)
	}
	s.summary = s.feed.Finish(s.seal.LastSeq)
	return s, s.feasible()
}

// feasible reports what no folder can hold, before anything is written: a track
// longer than a FLAC can say, or more sources than one recording may have. Trying
// again would change neither; the spool keeps the media, and a person must look.
func (s *survey) feasible() error {
	sources := map[uint32]bool{}
	for i := range s.summary.Tracks {
		t := &s.summary.Tracks[i]
		sources[t.Source] = true
		if id, _ := trackID(t); t.Kind.Audio() && (t.Samples < 0 || t.Samples > format.MaxSamples) {
			return fmt.Errorf("%w: track %s: %w: %d", ErrJob, id, format.ErrFLACTooLong, t.Samples)
		}
	}
	delete(sources, 0) // mixed audio has none
	if len(sources) > maxSources {
		return fmt.Errorf("%w: media of %d sources, the limit is %d", ErrJob, len(sources), maxSources)
	}
	return nil
}

func (s *survey) add(r spool.Record) error {
	switch {
	case s.seal != nil:
		return fmt.Errorf("%w: a %v follows the seal in the spool", ErrJob, r.Type)
	case s.permit == nil && r.Type != spool.PermitType:
		return fmt.Errorf("%w: a %v precedes the permit in the spool", ErrJob, r.Type)
	}
	switch r.Type {
	case spool.PermitType:
		if s.permit != nil {
			return fmt.Errorf("%w: two permits in one recording", ErrJob)
		}
		s.permit, s.permitAt = r.Permit, r.At
		if len(r.Permit.Meta) > 0 {
			if err := json.Unmarshal(r.Permit.Meta, &s.meta); err != nil {
				return fmt.Errorf("%w: facts beside the permit: %w", ErrJob, err)
			}
		}
		s.feed.FirstSeq, s.feed.Mixed = s.meta.FirstSeq, s.meta.Audio == "mixed"
	case spool.FrameType:
		if s.frames++; s.frames == 1 {
			s.firstAt = r.At
		}
		s.lastAt = r.At
		if r.Header.Kind.Audio() && len(r.Payload) != frame.AudioBytes {
			return fmt.Errorf("%w: frame %d has %d bytes, not %d", ErrJob, r.Header.Seq, len(r.Payload), frame.AudioBytes)
		}
		s.offsets.add(r.Header, r.At)
		s.feed.Frame(r.Header)
	case spool.GapType:
		s.feed.Gap(r.Gap)
	case spool.NoteType:
		s.note(r)
	case spool.SealType:
		s.seal, s.sealAt = r.Seal, r.At
		s.speaking.End(s.spokenUntil())
	}
	return nil
}

// note takes what the media side wrote beside media; what is of another shape is as
// if it were not there.
func (s *survey) note(r spool.Record) {
	switch r.Note.Kind {
	case openedNote:
		var d struct {
			FirstSeq uint64    `json:"firstSeq"`
			At       time.Time `json:"at"`
		}
		if json.Unmarshal(r.Note.Data, &d) == nil {
			s.feed.Begin(d.FirstSeq)
			s.openedAt = d.At
		}
	case timeline.BeliefNote:
		var belief timeline.Belief
		if json.Unmarshal(r.Note.Data, &belief) == nil {
			s.feed.Believe(belief)
		}
	case speakersNote:
		var d struct {
			Sources []uint32 `json:"sources"`
		}
		if json.Unmarshal(r.Note.Data, &d) == nil {
			s.speaking.Take(clean(r.At), d.Sources)
		}
	}
}

// spokenUntil is when whoever spoke last had ended, at the latest: with the media.
func (s *survey) spokenUntil() time.Time {
	if s.lastAt.IsZero() {
		return clean(s.sealAt)
	}
	return clean(s.lastAt)
}

// listened is from when until when whatever was sent was recorded, by our clock. Where
// speakers are apart that is longer than the tracks are: nobody speaks at first, or at last.
func (s *survey) listened() (from, to time.Time) {
	from, to = s.openedAt, s.sealAt
	if from.IsZero() {
		from = s.permitAt
	}
	if s.seal.Recovered { // long after the end, perhaps
		to = s.spokenUntil()
	}
	return clean(from), clean(to)
}

// started returns the instant of sample 0: the platform's time, where it is
// within a day of ours, else when the first frame became durable.
func (s *survey) started() time.Time {
	ours := s.firstAt
	if ours.IsZero() {
		ours = s.permitAt
	}
	for _, t := range s.summary.Tracks {
		told := frame.Time(t.FirstTime)
		if off := told.Sub(ours); !told.IsZero() && off.Abs() < 24*time.Hour {
			return told
		}
	}
	return ours.UTC()
}

// trackID names a track and, where that is known beforehand, its file.
func trackID(t *timeline.Track) (id, file string) {
	switch t.Kind {
	case frame.MixedAudio:
		id = "audio-mixed"
	case frame.UnmixedAudio:
		id = fmt.Sprintf("audio-%d", t.Source)
	case frame.Video:
		id = fmt.Sprintf("video-%d", t.Source)
	case frame.Screen:
		id = fmt.Sprintf("screen-%d", t.Source)
	default:
		id = fmt.Sprintf("kind%d-%d", t.Kind, t.Source)
	}
	if t.Kind.Audio() {
		return id, id + ".flac"
	}
	if t.Run > 0 {
		id += fmt.Sprintf("-%d", t.Run+1)
	}
	return id, ""
}

// trackFile names a track and its file.
func (a *assembly) trackFile(t *timeline.Track) (id, file string) {
	if id, file = trackID(t); file == "" {
		file = a.videoFile(id)
	}
	return id, file
}
