package referee

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/recorderbot/recorderbot/internal/teamsim/host"
)

// A union is what the referee wants to know of union.json: what two recordings of one
// conversation hold together. It is not the recorder's own type.
type union struct {
	Recordings []struct {
		Recording string `json:"recording"`
	} `json:"recordings"`
	Tracks []unionTrack `json:"tracks"`
	Mix    *struct {
		File archivedFile `json:"file"`
	} `json:"mix"`
}

type unionTrack struct {
	ID         string       `json:"id"`
	File       archivedFile `json:"file"`
	Kind       string       `json:"kind"`
	Mode       string       `json:"mode"`
	SourceID   uint32       `json:"sourceId"`
	MediaTime  int64        `json:"mediaTime"`
	Samples    int64        `json:"samples"`
	GapSamples int64        `json:"gapSamples"`
	Parts      []struct {
		AtSample int64 `json:"atSample"`
		Samples  int64 `json:"samples"`
		From     int   `json:"from"`
	} `json:"parts"`
	Frames int64 `json:"frames"`
}

// A UnionReport is the judgement on a union.
type UnionReport struct {
	Violations []Violation
	// Samples are those of all tracks of audio: Stored + Gap + Idle.
	Samples, StoredSamples, GapSamples, IdleSamples int64
	// Frames are those of video.
	Frames int64
}

// A unionJudge holds a union against what was sent in two calls, and what of that the
// archive has.
type unionJudge struct {
	*judge

	union
	m      manifest // for its folder
	sides  [2]*holding
	of     []int // recording → side
	zero   int64 // media time of position 0, by the first one's clock
	result UnionReport
	heard  map[string][]int16
}

// JudgeUnion judges the folder that was made of the recordings of two calls which heard
// one conversation: every sample that either of them has in the archive is in its place,
// bit for bit, a gap is where neither has one, and nowhere else; every picture that
// either could show is there once, and each can be shown.
func JudgeUnion(in Input, folder string, first, second string) UnionReport {
	j := &judge{in: in, limits: in.Limits.withDefaults(), holdings: make(map[string]*holding)}
	j.lives = readLives(in.Trace)
	j.judge()
	j.report.Violations = nil // of the calls; they are judged by themselves
	u := &unionJudge{judge: j, m: manifest{dir: folder, folder: filepath.Base(folder)}, heard: map[string][]int16{}}
	u.sides = [2]*holding{j.holdings[first], j.holdings[second]}
	if err := u.open(); err != nil {
		u.breach("%v", err)
	} else {
		u.run()
	}
	u.result.Violations = j.report.Violations
	return u.result
}

func (u *unionJudge) breach(format string, args ...any) {
	u.add(4, KindUnion, "", "%s: %s", u.m.folder, fmt.Sprintf(format, args...))
}

// open reads union.json and finds out whose each recording is.
func (u *unionJudge) open() error {
	text, err := os.ReadFile(filepath.Join(u.m.dir, "union.json"))
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	if err = json.Unmarshal(text, &u.union); err != nil {
		return fmt.Errorf("read union.json: %w", err)
	}
	for _, r := range u.Recordings {
		side := slices.IndexFunc(u.sides[:], func(h *holding) bool {
			return h != nil && slices.ContainsFunc(h.call.manifests, func(m *manifest) bool { return m.Recording == r.Recording })
		})
		if side < 0 {
			return fmt.Errorf("recording %s is of neither call", r.Recording)
		}
		u.of = append(u.of, side)
	}
	for _, t := range u.Tracks {
		u.m.Files = append(u.m.Files, t.File)
	}
	if u.Mix != nil {
		u.m.Files = append(u.m.Files, u.Mix.File)
	}
	for i, h := range u.sides {
		if h == nil {
			return fmt.Errorf("call %d had no media session", i+1)
		}
	}
	u.zero = u.sides[0].truth.rec.MediaStart
	return u.m.checkFiles()
}

func (u *unionJudge) run() {
	streams := map[host.Stream]bool{}
	for i := range u.Tracks {
		t := &u.Tracks[i]
		of := track{Kind: t.Kind, Mode: t.Mode, SourceID: t.SourceID}.stream()
		if streams[of] {
			u.breach("there are two tracks of %s", t.ID)
		}
		streams[of] = true
		if of.Kind > host.KindUnmixed {
			u.film(t, of)
			continue
		}
		u.sound(t, of)
	}
	for _, h := range u.sides {
		for _, s := range h.sounds {
			if len(s.stored) > 0 && !streams[s.truth.of] {
				u.breach("there is no track of source %d, of which one has samples", s.truth.of.Source)
			}
		}
		for _, g := range h.sights {
			if len(g.shown()) > 0 && !streams[g.of] {
				u.breach("there is no track of %s, of which one has frames", g.name())
			}
		}
	}
	u.mix()
}

// sound judges one track of audio.
func (u *unionJudge) sound(t *unionTrack, of host.Stream) {
	pcm, err := u.m.decode(t.File.Name)
	if err != nil || int64(len(pcm)) != t.Samples {
		u.breach("%s holds %d samples, not %d: %v", t.File.Name, len(pcm), t.Samples, err)
		return
	}
	u.heard[t.ID] = pcm
	if (t.MediaTime-u.zero)%host.TicksPerSample != 0 {
		u.breach("%s begins between two samples, at %d", t.ID, t.MediaTime)
	}
	var sides [2]evidence
	for i, h := range u.sides {
		sides[i] = h.evidence(of)
	}
	begin, at := (t.MediaTime-u.zero)/host.TicksPerSample, int64(0)
	for _, p := range t.Parts {
		if p.AtSample != at || p.Samples <= 0 || p.From < -1 || p.From >= len(u.of) {
			u.breach("%s: part %+v does not follow sample %d", t.ID, p, at)
			return
		}
		e := extent{begin + at, begin + at + p.Samples}
		at += p.Samples
		if at > t.Samples {
			break
		}
		u.part(t, e, pcm[at-p.Samples:at], p.From, &sides)
	}
	if at != t.Samples {
		u.breach("%s: the parts are %d samples, the file %d", t.ID, at, t.Samples)
	}
	for i, s := range sides {
		for _, e := range s.stored {
			if e.from < begin || e.to > begin+at {
				u.breach("%s is from position %d to %d; recording %d has samples from %d to %d", t.ID, begin, begin+at, i+1, e.from, e.to)
			}
		}
	}
	u.result.Samples += t.Samples
}

// An evidence is what the archive of one call has of a stream: where it has samples, and
// where it knows the speaker to be silent.
type evidence struct {
	truth          *truth
	stored, silent []extent
}

// evidence of a stream. A speaker was silent as long as recording went on, nothing came of
// him, and nothing of what was lost was his.
func (h *holding) evidence(of host.Stream) evidence {
	var own evidence
	var open, lost []extent
	for _, s := range h.sounds {
		if s.truth.of == of {
			own.truth, own.stored = s.truth, s.stored
			lost = slices.Concat(s.stored, s.absent)
		}
		open = slices.Concat(open, s.stored, s.absent, s.silent)
	}
	if of.Kind != host.KindUnmixed {
		return own
	}
	for _, g := range h.truth.rec.Gaps {
		if g.Stream == of && g.Announced {
			lost = append(lost, extent{g.Position, g.Position + g.Samples})
		}
	}
	for _, e := range open {
		own.silent = append(own.silent, uncovered(e, slices.Concat(lost, own.silent))...)
	}
	return own
}

// part judges a stretch that is said to be from one side, or from none.
func (u *unionJudge) part(t *unionTrack, e extent, pcm []int16, from int, sides *[2]evidence) {
	if from < 0 {
		u.result.GapSamples += e.length()
		if z := zeros(pcm); z < len(pcm) {
			u.breach("%s: position %d is missing in both, and not zero", t.ID, e.from+int64(z))
		}
		for i, s := range sides {
			for _, has := range slices.Concat(s.stored, s.silent) {
				if has.from < e.to && has.to > e.from {
					u.breach("%s: a gap is from position %d to %d; recording %d has what is from %d to %d", t.ID, e.from, e.to, i+1, has.from, has.to)
				}
			}
		}
		return
	}
	side := sides[u.of[from]]
	for _, bad := range uncovered(e, slices.Concat(side.stored, side.silent)) {
		u.breach("%s: positions %d to %d are said to be of recording %d, which does not have them", t.ID, bad.from, bad.to, u.of[from]+1)
	}
	for _, quiet := range uncovered(e, side.stored) {
		u.result.IdleSamples += quiet.length()
		if part := pcm[quiet.from-e.from : quiet.to-e.from]; zeros(part) < len(part) {
			u.breach("%s: the speaker was silent from position %d to %d, and it sounds", t.ID, quiet.from, quiet.to)
		}
		for _, has := range sides[1-u.of[from]].stored {
			if has.from < quiet.to && has.to > quiet.from {
				u.breach("%s: silence of recording %d covers what the other has from position %d to %d", t.ID, u.of[from]+1, has.from, has.to)
			}
		}
	}
	for _, has := range side.stored {
		both := extent{max(has.from, e.from), min(has.to, e.to)}
		if both.length() <= 0 {
			continue
		}
		u.result.StoredSamples += both.length()
		if n := equal(pcm[both.from-e.from:both.to-e.from], side.truth.pcm[both.from:]); int64(n) < both.length() {
			u.breach("%s: the sample of position %d is not what was sent", t.ID, both.from+int64(n))
		}
	}
}

// mix is the sum of the tracks of speakers.
func (u *unionJudge) mix() {
	all := manifest{}
	for _, t := range u.Tracks {
		if t.Mode == "unmixed" {
			all.Tracks = append(all.Tracks, track{File: t.ID, MediaTime: t.MediaTime})
		}
	}
	if (u.Mix != nil) != (len(all.Tracks) > 0) {
		u.breach("%d tracks of speakers, and their mix is there: %v", len(all.Tracks), u.Mix != nil)
		return
	}
	if u.Mix == nil {
		return
	}
	got, err := u.m.decode(u.Mix.File.Name)
	if want := all.mixed(u.heard); err != nil || !slices.Equal(got, want) {
		u.breach("the mix, of %d samples, is not the sum of the tracks, of %d: %v", len(got), len(want), err)
	}
}
