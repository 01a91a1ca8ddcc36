package timeline

import "github.com/recorderbot/recorderbot/internal/media/frame"

// A source of video comes and goes: a camera is switched on and off, a screen is shared
// again. Each time it does is a run, and a track, and so a file, of its own: nobody should
// have to look at the last picture of one run until the next begins.

// RunPause is how long a source of video is away before its next key frame begins another
// run, in ticks of its media time. Without a key frame there is none: what follows could
// not be shown without what went before.
const RunPause = 10 * 1000 * millisecond

// running returns the track for a frame: that of its source, or where a run of it begins,
// a new one.
func (t *Timeline) running(h frame.Header) *track {
	tr := t.track(h.Kind, h.Source)
	if !tr.audio && tr.resumes(h) && len(t.tracks) < MaxTracks {
		tr.over = true
		next := newTrack(t, h.Kind, h.Source)
		next.Run = tr.Run + 1
		t.tracks = append(t.tracks, next)
		t.last, tr = next, next
	}
	if now := h.MediaTime; now > 0 && now <= maxTime {
		tr.seenAt = now
	}
	return tr
}

// resumes reports that a frame of video begins another run of its source.
func (tr *track) resumes(h frame.Header) bool {
	away := h.MediaTime - tr.seenAt
	return tr.Frames > 0 && tr.seenAt > 0 && h.MediaTime <= maxTime && away >= RunPause && away <= day && h.Flags&frame.KeyFrame != 0
}

// find returns the track of a kind and source, nil where there is none: of several runs
// the last.
func (t *Timeline) find(kind frame.Kind, source uint32) *track {
	if kind == frame.MixedAudio {
		source = 0
	}
	if l := t.last; l != nil && l.Kind == kind && l.Source == source && !l.over {
		return l
	}
	for _, tr := range t.tracks {
		if tr.Kind == kind && tr.Source == source && !tr.over {
			return tr
		}
	}
	return nil
}

func (t *Timeline) track(kind frame.Kind, source uint32) *track {
	tr := t.find(kind, source)
	if tr == nil {
		tr = newTrack(t, kind, source)
		t.tracks = append(t.tracks, tr)
	}
	t.last = tr
	return tr
}
