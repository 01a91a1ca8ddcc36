package archive

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/recorderbot/recorderbot/internal/media/format"
	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/timeline"
)

// A take is one recording that is united with others.
type take struct {
	folder string
	m      *Manifest
	sum    string
	side   int // of the first call, or of the second
	index  int // in Union.Recordings
	// begin and end are of its audio; in ticks, by its call's clock, and 0 where there is
	// none.
	begin, end int64
	at         int64 // where it begins in the union, in samples from the first call's begin
}

const (
	// joinSlack is how far from the end of the part before the media time of a part may
	// be that begins with the next frame: media times jitter and drift.
	joinSlack = int64(500 * time.Millisecond / 100)
	// mostApart is how far apart two calls may be that are laid beside each other: one
	// bot was invited again when the other had gone.
	mostApart = int64(5 * time.Minute / 100)
	// mostLong is how long a union may be: "calls can be up to 24 hours".
	mostLong = int64(25*time.Hour/time.Second) * frame.SampleRate
)

// track is the take's of that ID; nil: it has none.
func (t *take) track(id string) *Track {
	if i := slices.IndexFunc(t.m.Tracks, func(tr Track) bool { return tr.source() == id }); i >= 0 {
		return &t.m.Tracks[i]
	}
	return nil
}

// source is the track's ID, which all runs of a camera or screen share in a union: what
// is one run to a bot may be two to the other.
func (t *Track) source() string {
	if t.Kind == "audio" {
		return t.ID
	}
	return fmt.Sprintf("%s-%d", t.Kind, t.SourceID)
}

// films are the files of a camera or screen that can be shown, one of each run.
func (t *take) films(id string) (runs []*Track) {
	for i := range t.m.Tracks {
		if tr := &t.m.Tracks[i]; tr.source() == id && filepath.Ext(tr.File) == ".mp4" {
			runs = append(runs, tr)
		}
	}
	return runs
}

// follow finds out when a take was, behind those before it of the same call: one that
// begins with the next frame lies behind the one before, whatever the clock says by a
// little.
func (t *take) follow(before []*take) error {
	for i := range t.m.Tracks {
		tr := &t.m.Tracks[i]
		if tr.Kind != "audio" {
			continue
		}
		if tr.MediaTime == 0 && tr.StoredSamples == 0 {
			continue // all of it is missing
		}
		if tr.MediaTime == 0 {
			return fmt.Errorf("the platform did not say when recording %s began: it can't be laid beside another", t.m.Recording)
		}
		if t.begin == 0 || tr.MediaTime < t.begin {
			t.begin = tr.MediaTime
		}
		t.end = max(t.end, tr.MediaTime+tr.Samples*frame.TicksPerSample)
	}
	if t.begin == 0 || len(before) == 0 {
		return nil
	}
	last := before[len(before)-1]
	if last.m.Call != t.m.Call {
		return fmt.Errorf("recordings %s and %s are given as those of one call, and are not", last.m.Recording, t.m.Recording)
	}
	gap := t.begin - last.end
	if near := gap > -joinSlack && gap < joinSlack; last.end != 0 && (gap < 0 || near && t.m.Continues == last.m.Recording && t.m.Joint != jointPause) {
		t.begin, t.end = last.end, t.end-gap
	}
	return nil
}

// together reports an error where the two calls were too far apart.
func (u *uniting) together() error {
	var begin, end [2]int64
	for _, t := range u.takes {
		if t.begin == 0 {
			continue
		}
		if begin[t.side] == 0 {
			begin[t.side] = t.begin
		}
		end[t.side] = max(end[t.side], t.end)
	}
	if begin[0]-end[1] > mostApart || begin[1]-end[0] > mostApart {
		return fmt.Errorf("they were not at the same time: one from %s to %s, the other from %s to %s",
			stamp(begin[0]), stamp(end[0]), stamp(begin[1]), stamp(end[1]))
	}
	return nil
}

func stamp(ticks int64) string { return frame.Time(ticks).UTC().Format(time.RFC3339) }

// origin is when the first call's audio begins: all positions count from there, in
// samples.
func (u *uniting) origin() int64 {
	for _, t := range u.takes {
		if t.begin != 0 {
			return t.begin
		}
	}
	return 0
}

// place lays the takes beside each other, those of the second call moved by so much.
func (u *uniting) place(shift int64) {
	origin := u.origin()
	for _, t := range u.takes {
		if t.begin == 0 {
			continue
		}
		away := t.begin - origin
		t.at = (away + frame.TicksPerSample/2) / frame.TicksPerSample
		if away < 0 {
			t.at = -((-away + frame.TicksPerSample/2) / frame.TicksPerSample)
		}
		if t.side == 1 {
			t.at += shift
		}
	}
}

// bounds finds where all audio begins and ends.
func (u *uniting) bounds() {
	first := true
	for _, t := range u.takes {
		if t.begin == 0 {
			continue
		}
		if first || t.at < u.begin {
			u.begin = t.at
		}
		first = false
		u.end = max(u.end, t.at+t.length())
	}
}

// length is that of a take's audio, in samples.
func (t *take) length() int64 { return (t.end - t.begin) / frame.TicksPerSample }

// tooLong reports an error where a union can't be.
func (u *uniting) tooLong() error {
	if u.end-u.begin > min(mostLong, format.MaxSamples) {
		return fmt.Errorf("%w: %s", errTooLong, length(u.end-u.begin))
	}
	return nil
}

var errTooLong = errors.New("together they are longer than a call can be")

// How well a take knows what was at a time, the worst first.
const (
	lacks    = iota // nothing is known
	silent          // the source of an unmixed track did not speak
	recorded        // there are samples
)

// A stretch of the union of which one take knows something.
type stretch struct {
	from, to int64
	knows    int
	take     *take
}

// stretches are what a take knows of a track. Of a source that it never heard, and before
// and behind what it heard of one, it knows that the source was silent.
func (t *take) stretches(id, mode string) (all []stretch) {
	tr := t.track(id)
	switch {
	case t.begin == 0, tr == nil && mode != "unmixed", tr != nil && tr.MediaTime == 0:
		return nil // of a source that only lost something nobody knows when
	case tr == nil:
		return t.quiet(0, t.length())
	case mode != "unmixed":
		return t.cut(t.starts(tr), tr.Samples, tr.Gaps, recorded)
	}
	from := t.starts(tr) - t.at
	return slices.Concat(t.quiet(0, from), t.cut(t.starts(tr), tr.Samples, tr.Gaps, recorded), t.quiet(from+tr.Samples, t.length()))
}

// starts is where a track of audio begins.
func (t *take) starts(tr *Track) int64 {
	return t.at + (tr.MediaTime-t.mediaBegin())/frame.TicksPerSample
}

// quiet is a time in which nothing came of a source. Where frames are missing of which
// nobody knows whose they were, it may have been this one's.
func (t *take) quiet(from, to int64) []stretch {
	var missing []Gap
	for i := range t.m.Tracks {
		tr := &t.m.Tracks[i]
		if t.m.FramesUnclaimed == 0 || tr.Kind != "audio" || tr.MediaTime == 0 {
			continue
		}
		for _, g := range tr.Gaps {
			at := t.starts(tr) - t.at + g.AtSample
			begin, end := max(at, from), min(at+g.Samples, to)
			if g.Cause != timeline.Idle && begin < end {
				missing = append(missing, Gap{AtSample: begin - from, Samples: end - begin})
			}
		}
	}
	slices.SortFunc(missing, func(a, b Gap) int { return cmp.Compare(a.AtSample, b.AtSample) })
	return t.cut(t.at+from, to-from, missing, silent)
}

// mediaBegin is the media time at which the take's audio begins.
func (t *take) mediaBegin() (begin int64) {
	for i := range t.m.Tracks {
		if tr := &t.m.Tracks[i]; tr.Kind == "audio" && tr.MediaTime != 0 && (begin == 0 || tr.MediaTime < begin) {
			begin = tr.MediaTime
		}
	}
	return begin
}

// cut is what is known of n samples, less the gaps, which are in order.
func (t *take) cut(at, n int64, gaps []Gap, knows int) (all []stretch) {
	add := func(from, to int64, knows int) {
		if from < to {
			all = append(all, stretch{at + from, at + to, knows, t})
		}
	}
	next := int64(0)
	for _, g := range gaps {
		add(next, g.AtSample, knows)
		if g.Cause == timeline.Idle {
			add(max(next, g.AtSample), g.AtSample+g.Samples, silent)
		}
		next = max(next, g.AtSample+g.Samples)
	}
	add(next, n, knows)
	return all
}
