package archive

import (
	"runtime"
	"time"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/timeline"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// manifest fills a manifest but for the files.
func (a *assembly) manifest() *Manifest {
	j, s, f := a.job, a.survey, &a.job.Facts
	spoke, unnamed := a.people.Spoke(s.speaking)
	m := &Manifest{
		Version: manifestVersion, Recording: j.Recording, Call: f.Call,
		Part: s.meta.Part, Continues: s.meta.Continues, Joint: s.meta.Joint, Others: j.Others, Tenant: f.Tenant, CallChain: f.CallChain,
		ThreadID: f.ThreadID, ObservedParticipant: f.ObservedParticipant, ObservedUser: f.ObservedUser,
		ApplicationInstance: f.ApplicationInstance, Policy: f.Policy, Direction: f.Direction, Region: f.Region, Parties: f.Parties, Invite: f.Fields,
		Outcome: j.Conclusion.Outcome.String(), Cause: j.Conclusion.Cause, Detail: j.Conclusion.Detail,
		SampleRate: frame.SampleRate, FramesDiscarded: j.report().Discarded,
		RecordsDamaged: s.damaged, FramesRepeated: s.summary.Duplicates, FramesMistimed: s.summary.AbsurdTimes + a.mistimed, FramesUnclaimed: s.summary.Unclaimed,
		Permit: s.permit.Evidence,
		Seal: Seal{
			At: clean(s.sealAt), FirstSeq: s.seal.FirstSeq, StoredSeq: s.seal.StoredSeq, LastSeq: s.seal.LastSeq,
			Frames: s.seal.Frames, Cause: s.seal.Cause, Recovered: s.seal.Recovered,
		},
		Order: orderOf(j, s), Tracks: []Track{}, Pauses: []Pause{},
		Participants: participantsOf(a.people, j.Events, spoke), Speech: speechOf(s.speaking, unnamed), RosterOmitted: a.people.Omitted(),
		Software:  Software{"recorderbot", j.Software, runtime.Version()},
		MediaHost: MediaHost{s.meta.Host, s.meta.HostEpoch, s.meta.SDKVersion},
		Previous:  j.Previous,
	}
	m.Turns = turnsOf(*f, j.Events, m.Participants)
	m.Permit.At = clean(m.Permit.At)
	m.StartedAt, m.EndedAt = s.started(), s.started()
	for i := range s.summary.Tracks {
		t := a.track(&s.summary.Tracks[i], s.started())
		m.Tracks = append(m.Tracks, t)
		m.Samples += t.Samples
		m.StoredSamples += t.StoredSamples
		m.GapSamples += t.GapSamples
		if t.StartsAt.Before(m.StartedAt) {
			m.StartedAt = t.StartsAt // a camera may be there before anybody speaks
		}
		if end := t.StartsAt.Add(max(length(t.Samples), time.Duration(t.DurationTicks)*100)); end.After(m.EndedAt) {
			m.EndedAt = end
		}
	}
	m.Pauses = pausesBefore(m)
	m.Flags = a.flags(m)
	if j.GoesOn {
		m.Outcome, m.Cause, m.Detail = m.ownOutcome().String(), CauseContinues, ""
	}
	return m
}

// missing are the samples in gaps; a speaker who was silent misses nothing.
func (m *Manifest) missing() int64 {
	n := m.GapSamples
	for i := range m.Tracks {
		for _, g := range m.Tracks[i].Gaps {
			if g.Cause == timeline.Idle {
				n -= g.Samples
			}
		}
	}
	return n
}

// CauseContinues stands in the manifest of a recording that is archived while its call
// goes on: the outcome is the recording's own then, and the call's is told by the
// manifests of those behind it, and by the catalogue.
const CauseContinues recorder.Cause = "continues"

// ownOutcome is what the recording alone says.
func (m *Manifest) ownOutcome() recorder.Outcome {
	if m.FramesUnclaimed > 0 {
		return recorder.OutcomeRecordedWithGaps
	}
	for _, t := range m.Tracks {
		for _, g := range t.Gaps {
			if g.Cause != timeline.Idle {
				return recorder.OutcomeRecordedWithGaps
			}
		}
	}
	return recorder.OutcomeRecorded
}

// pausesBefore is the pause that this recording ends, if it does.
func pausesBefore(m *Manifest) []Pause {
	pauses := []Pause{}
	for _, o := range m.Others {
		if m.Joint != jointPause || o.Recording != m.Continues || o.EndedAt.IsZero() || m.StartedAt.Before(o.EndedAt) {
			continue
		}
		away := m.StartedAt.Sub(o.EndedAt)
		samples := int64(away/time.Second)*frame.SampleRate + int64(away%time.Second)*frame.SampleRate/int64(time.Second)
		pauses = append(pauses, Pause{From: o.EndedAt, To: m.StartedAt, Samples: samples})
	}
	return pauses
}

// How a recording joins the one before it: after a pause, or at once.
const (
	jointPause    = "pause"
	jointPart     = "part"
	jointTakeover = "takeover"
)

func (a *assembly) track(t *timeline.Track, started time.Time) Track {
	id, file := a.trackFile(t)
	n := Track{
		ID: id, File: file, Kind: t.Kind.String(), SourceID: t.Source, StartsAt: started, MediaTime: t.FirstTime,
		Samples: t.Samples, StoredSamples: t.Stored, GapSamples: t.GapSamples, Frames: t.Frames, LostFrames: t.Lost,
		ClockSkew: t.Skew, Gaps: make([]Gap, 0, len(t.Gaps)),
	}
	switch t.Kind {
	case frame.MixedAudio:
		n.Kind, n.Mode = "audio", "mixed"
	case frame.UnmixedAudio:
		n.Kind, n.Mode = "audio", "unmixed"
	case frame.Video, frame.Screen:
	}
	if told := frame.Time(t.FirstTime); !told.IsZero() && told.Sub(started).Abs() < 24*time.Hour {
		n.StartsAt = told
	}
	if f, shown := a.films[id]; shown {
		n.MediaTime, n.DurationTicks, n.Width, n.Height = f.Zero, f.Length, f.Width, f.Height
		n.KeyFrames, n.DamagedFrames, n.UndecodableFrames = f.Keys, f.Damaged.Frames, f.Undecodable.Frames
		n.StartsAt = frame.Time(f.Zero)
		if f.Undecodable.Frames > 0 {
			n.UndecodableFile = restFile(id)
		}
	} else if !t.Kind.Audio() {
		n.UndecodableFrames = int64(t.Frames) //nolint:gosec // G115: counted one by one
	}
	n.Participants = participantsOn(t, n.StartsAt, a.people)
	for _, g := range t.Gaps {
		n.Gaps = append(n.Gaps, Gap{AtSample: g.AtSample, Samples: g.Samples, Frames: g.Frames, Cause: g.Cause})
	}
	return n
}

// length turns samples into time.
func length(samples int64) time.Duration {
	return time.Duration(samples/frame.SampleRate)*time.Second +
		time.Duration(samples%frame.SampleRate)*time.Second/frame.SampleRate
}
