package archive

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/recorderbot/recorderbot/internal/media/durable"
)

// UnionName is the file that says what a union is made of.
const UnionName = "union.json"

// Errors of [Unite] that its caller may want to tell apart.
var (
	// ErrNotOneConversation says that two recordings are not of the same conversation.
	ErrNotOneConversation = errors.New("the recordings are not of one conversation")
	// ErrNotAlike says that nowhere do two recordings sound alike, so that nobody can
	// say how they lie beside each other.
	ErrNotAlike = errors.New("nowhere in the time that they share do the recordings sound alike")
)

// A Union is what two bots have of one conversation, together: a gap remains only where
// both have one. The recordings stay what they are; whoever has them can make it again.
type Union struct {
	Version int `json:"version"` // 1
	// Recordings are what it is made of: first those of the one call, then those of the
	// other, each in their order.
	Recordings []UnionSource `json:"recordings"`
	Clock      UnionClock    `json:"clock"`
	Tracks     []UnionTrack  `json:"tracks"`
	Mix        *UnionMix     `json:"mix,omitempty"` // of unmixed tracks
	// Participants are those of all recordings, as the first one has them that has them.
	Participants []Participant `json:"participants"`
}

// A UnionSource is one of the recordings.
type UnionSource struct {
	Recording      string `json:"recording"`
	Call           string `json:"call"`
	ManifestSHA256 string `json:"manifestSha256"`
	// Second: it is of the second call, whose media times are moved by Clock.
	Second bool `json:"second,omitempty"`
}

// A UnionTrack is one track. All of audio begin at the same instant, and are as long as
// each other.
type UnionTrack struct {
	ID       string `json:"id"`
	Kind     string `json:"kind"`           // audio, video, screen
	Mode     string `json:"mode,omitempty"` // of audio: mixed, unmixed
	SourceID uint32 `json:"sourceId"`
	File     File   `json:"file"`
	// MediaTime is when the file begins, in ticks of 100 ns since 1900, by the clock of
	// the first call.
	MediaTime  int64 `json:"mediaTime"`
	Samples    int64 `json:"samples"`
	GapSamples int64 `json:"gapSamples"`
	// Parts say where the samples are from, in order and without a hole.
	Parts []UnionPart `json:"parts,omitempty"`
	// Of video: Frames are in the file; Scenes say where they are from, in order. Between
	// two of them that do not touch, neither call has anything to show.
	Frames        int64        `json:"frames,omitempty"`
	DurationTicks int64        `json:"durationTicks,omitempty"`
	Scenes        []UnionScene `json:"scenes,omitempty"`
}

// A UnionPart is a stretch of a track that is from one recording, by its place in
// Recordings, or from none (-1): there both have a gap. Where an unmixed source was
// silent, the recording that knows it stands here.
type UnionPart struct {
	AtSample int64 `json:"atSample"`
	Samples  int64 `json:"samples"`
	From     int   `json:"from"`
}

// A UnionScene is frames of video from one recording. Each begins with a key frame.
type UnionScene struct {
	AtTick int64 `json:"atTick"` // of the first frame, from where the file begins
	Ticks  int64 `json:"ticks"`  // to the last frame
	Frames int64 `json:"frames"`
	From   int   `json:"from"`
}

// A UnionMix is the sum of the unmixed tracks; see [Mix].
type UnionMix struct {
	File           File  `json:"file"`
	Samples        int64 `json:"samples"`
	ClippedSamples int64 `json:"clippedSamples,omitempty"`
}

// A UnionFolder is a recording that a union is made of.
type UnionFolder struct {
	Path string
	// ManifestSHA256 is what was noted of it elsewhere; empty: nothing was.
	ManifestSHA256 string
}

// Unite writes the union of what two calls have, all recordings of each or some, to a
// new folder. It takes folders that are sound, of one conversation, and that can be laid
// beside each other: by what is heard in both (byClock: by their clocks alone).
func Unite(ctx context.Context, first, second []UnionFolder, out string, byClock bool) (*Union, error) {
	out, err := filepath.Abs(out)
	if err != nil {
		return nil, fmt.Errorf("uniting: %w", err)
	}
	if _, err = os.Lstat(out); err == nil { // before the work; what comes meanwhile is for Publish
		return nil, fmt.Errorf("uniting: %s: %w", out, os.ErrExist)
	}
	u := &uniting{ctx: ctx, Union: Union{Version: 1, Tracks: []UnionTrack{}, Participants: []Participant{}}}
	for i, folders := range [][]UnionFolder{first, second} {
		if err = u.read(i, folders); err != nil {
			return nil, fmt.Errorf("uniting: %w", err)
		}
	}
	if err = u.check(); err != nil {
		return nil, fmt.Errorf("uniting: %w", err)
	}
	if err = u.align(byClock); err != nil {
		return nil, fmt.Errorf("uniting: %w", err)
	}
	u.dir = filepath.Join(filepath.Dir(out), "."+filepath.Base(out)+".part")
	if err = errors.Join(durable.RemoveAll(u.dir), durable.MkdirAll(u.dir, dirPerm)); err != nil {
		return nil, fmt.Errorf("uniting: %w", err)
	}
	if err = u.write(); err == nil {
		err = durable.Publish(u.dir, out)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("uniting: %w", err), durable.RemoveAll(u.dir))
	}
	return &u.Union, nil
}

// A uniting is one run of Unite.
type uniting struct {
	Union

	ctx   context.Context //nolint:containedctx // it is one run's
	dir   string          // where it is made
	takes []*take         // by their place in Recordings
	begin int64           // of all audio, in samples from the first call's begin
	end   int64
}

// read takes the recordings of one call in, in their order.
func (u *uniting) read(side int, folders []UnionFolder) error {
	var takes []*take
	for _, f := range folders {
		m, sum, findings := readFolder(u.ctx, f.Path, true)
		if err := u.ctx.Err(); err != nil {
			return err
		}
		if err := errors.Join(unreadable(findings), integrity(findings)); err != nil || m == nil {
			return fmt.Errorf("%w: %s: %w", ErrChanged, f.Path, cmp.Or(err, ErrChanged))
		}
		if f.ManifestSHA256 != "" && f.ManifestSHA256 != sum {
			return fmt.Errorf("%w: %s: its manifest has the SHA-256 %s, %s was entered", ErrChanged, f.Path, sum, f.ManifestSHA256)
		}
		takes = append(takes, &take{folder: f.Path, m: m, sum: sum, side: side})
	}
	slices.SortStableFunc(takes, func(a, b *take) int { return cmp.Compare(a.m.Part, b.m.Part) })
	for i, t := range takes {
		if err := t.follow(takes[:i]); err != nil {
			return err
		}
		t.index = len(u.takes)
		u.takes = append(u.takes, t)
		u.Recordings = append(u.Recordings, UnionSource{t.m.Recording, string(t.m.Call), t.sum, side == 1})
		for _, p := range t.m.Participants {
			if !slices.ContainsFunc(u.Participants, func(known Participant) bool { return known.ID == p.ID }) {
				u.Participants = append(u.Participants, p)
			}
		}
	}
	return nil
}

// check reports an error where the two calls can't be laid beside each other.
func (u *uniting) check() error {
	mode, audio := "", [2]bool{}
	for i, t := range u.takes {
		for _, other := range u.takes[:i] {
			if err := oneConversation(other.m, t.m); err != nil {
				return err
			}
		}
		for k := range t.m.Tracks {
			tr := &t.m.Tracks[k]
			if tr.Kind != "audio" {
				continue
			}
			if audio[t.side] = true; mode != "" && tr.Mode != mode {
				return fmt.Errorf("one has %s audio and the other %s; they can only be laid beside each other as they are", mode, tr.Mode)
			}
			mode = tr.Mode
		}
	}
	if audio[0] && audio[1] {
		return u.together()
	}
	return nil
}

// oneConversation reports an error where nothing says that two recordings belong together.
func oneConversation(a, b *Manifest) error {
	const noone = "00000000-0000-0000-0000-000000000000" // what the platform may write where there is nobody
	same := func(x, y string) bool { return x != "" && x != noone && x == y }
	switch {
	case a.Recording == b.Recording:
		return errors.New("it is the same recording twice")
	case a.Tenant != b.Tenant:
		return fmt.Errorf("%w: they are of two tenants", ErrNotOneConversation)
	case a.Call == b.Call, same(a.CallChain, b.CallChain), same(a.ThreadID, b.ThreadID), same(a.ObservedParticipant, b.ObservedParticipant):
		return nil
	}
	return fmt.Errorf("%w: neither call chain nor thread nor observed participant is the same", ErrNotOneConversation)
}

// write makes the files of all tracks that either of the calls has.
func (u *uniting) write() error {
	u.bounds()
	var ids []string
	for _, t := range u.takes {
		for i := range t.m.Tracks {
			if id := t.m.Tracks[i].source(); !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	for _, id := range ids {
		t, err := u.track(id)
		if err != nil {
			return fmt.Errorf("track %s: %w", id, err)
		}
		if t != nil {
			u.Tracks = append(u.Tracks, *t)
		}
	}
	if err := u.mix(); err != nil {
		return err
	}
	data, err := json.MarshalIndent(&u.Union, "", "  ")
	if err != nil {
		return err
	}
	return durable.WriteFile(filepath.Join(u.dir, UnionName), append(data, '\n'), filePerm)
}

// track makes one track, nil where there is nothing to be shown of it.
func (u *uniting) track(id string) (t *UnionTrack, err error) {
	for _, k := range u.takes {
		if tr := k.track(id); tr != nil && t == nil {
			t = &UnionTrack{ID: id, Kind: tr.Kind, Mode: tr.Mode, SourceID: tr.SourceID}
		}
	}
	name := id + ".flac"
	if t.Kind == "audio" {
		err = u.sound(t, name)
	} else {
		name = id + ".mp4"
		err = u.film(t, name)
	}
	if err != nil || t.Kind != "audio" && t.Frames == 0 {
		return nil, err
	}
	t.File, err = hashFile(u.ctx, filepath.Join(u.dir, name))
	return t, err
}
