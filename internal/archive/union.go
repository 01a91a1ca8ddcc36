package archive

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/recorderbot/recorderbot/internal/media/durable"
	"github.com/recorderbot/recorderbot/internal/media/format"
	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/timeline"
)

// UnionName is the file that says what a union is made of.
const UnionName = "union.json"

// ErrNotOneConversation says that two recordings are not of the same conversation.
var ErrNotOneConversation = errors.New("the recordings are not of one conversation")

// A Union is what two recordings of one conversation hold together: a gap remains only
// where both have one. The recordings stay what they are; whoever has them can make it
// again.
type Union struct {
	Version    int           `json:"version"` // 1
	Recordings []UnionSource `json:"recordings"`
	Tracks     []UnionTrack  `json:"tracks"`
}

// A UnionSource is one of the recordings.
type UnionSource struct {
	Recording      string `json:"recording"`
	ManifestSHA256 string `json:"manifestSha256"`
}

// A UnionTrack is one track of audio.
type UnionTrack struct {
	ID   string `json:"id"`
	File File   `json:"file"`
	// MediaTime is when sample 0 was, in ticks of 100 ns since 1900.
	MediaTime  int64 `json:"mediaTime"`
	Samples    int64 `json:"samples"`
	GapSamples int64 `json:"gapSamples"`
	// Parts say where the samples are from, in order and without a hole.
	Parts []UnionPart `json:"parts"`
}

// A UnionPart is a stretch of a track that is from one recording, by its place in
// Recordings, or from none (-1): there both have a gap.
type UnionPart struct {
	AtSample int64 `json:"atSample"`
	Samples  int64 `json:"samples"`
	From     int   `json:"from"`
}

// Unite writes the union of the audio of two folders to a new folder. It takes folders
// that are sound, of one conversation, and whose clocks can be compared.
func Unite(ctx context.Context, first, second, out string) (*Union, error) {
	folders := []string{first, second}
	u := &Union{Version: 1, Tracks: []UnionTrack{}}
	var manifests []*Manifest
	for _, folder := range folders {
		m, sum, findings := readFolder(ctx, folder, true)
		if err := errors.Join(unreadable(findings), integrity(findings)); err != nil || m == nil {
			return nil, fmt.Errorf("uniting: %w: %s: %w", ErrChanged, folder, cmp.Or(err, ErrChanged))
		}
		manifests = append(manifests, m)
		u.Recordings = append(u.Recordings, UnionSource{m.Recording, sum})
	}
	if err := oneConversation(manifests[0], manifests[1]); err != nil {
		return nil, fmt.Errorf("uniting: %w", err)
	}
	out, err := filepath.Abs(out)
	if err != nil {
		return nil, fmt.Errorf("uniting: %w", err)
	}
	if _, err = os.Lstat(out); err == nil {
		return nil, fmt.Errorf("uniting: %s: %w", out, os.ErrExist)
	}
	hidden := filepath.Join(filepath.Dir(out), "."+filepath.Base(out)+".part")
	if err = errors.Join(durable.RemoveAll(hidden), durable.MkdirAll(hidden, dirPerm)); err != nil {
		return nil, fmt.Errorf("uniting: %w", err)
	}
	if err = u.write(ctx, folders, manifests, hidden); err == nil {
		err = durable.Publish(hidden, out)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("uniting: %w", err), durable.RemoveAll(hidden))
	}
	return u, nil
}

// oneConversation reports an error where nothing says that two recordings belong together.
func oneConversation(a, b *Manifest) error {
	same := func(x, y string) bool { return x != "" && x == y }
	switch {
	case a.Recording == b.Recording:
		return errors.New("it is the same recording twice")
	case a.Tenant != b.Tenant:
		return fmt.Errorf("%w: they are of two tenants", ErrNotOneConversation)
	case same(a.CallChain, b.CallChain), same(a.ThreadID, b.ThreadID):
		return nil
	}
	return fmt.Errorf("%w: neither call chain nor thread is the same", ErrNotOneConversation)
}

// write makes the files of all tracks that either of the recordings has.
func (u *Union) write(ctx context.Context, folders []string, manifests []*Manifest, dir string) error {
	var ids []string
	for _, m := range manifests {
		for i := range m.Tracks {
			if t := &m.Tracks[i]; t.Kind == "audio" && !slices.Contains(ids, t.ID) {
				ids = append(ids, t.ID)
			}
		}
	}
	for _, id := range ids {
		var both [2]*Track
		for i, m := range manifests {
			if k := slices.IndexFunc(m.Tracks, func(t Track) bool { return t.ID == id }); k >= 0 {
				both[i] = &m.Tracks[k]
			}
		}
		t, err := unite(ctx, id, folders, both, dir)
		if err != nil {
			return fmt.Errorf("track %s: %w", id, err)
		}
		u.Tracks = append(u.Tracks, *t)
	}
	data, err := json.MarshalIndent(u, "", "  ")
	if err != nil {
		return err
	}
	return durable.WriteFile(filepath.Join(dir, UnionName), append(data, '\n'), filePerm)
}

// unite makes one track of up to two.
func unite(ctx context.Context, id string, folders []string, both [2]*Track, dir string) (*UnionTrack, error) {
	u := &UnionTrack{ID: id}
	var begins [2]int64 // in samples of the union
	for i, t := range both {
		switch {
		case t == nil:
		case t.MediaTime == 0 && both[1-i] != nil:
			return nil, errors.New("the platform did not say when one of them began: they can't be laid beside each other")
		case u.MediaTime == 0 || t.MediaTime < u.MediaTime:
			u.MediaTime = t.MediaTime
		}
	}
	for i, t := range both {
		if t != nil {
			begins[i] = (t.MediaTime - u.MediaTime + frame.TicksPerSample/2) / frame.TicksPerSample
			u.Samples = max(u.Samples, begins[i]+t.Samples)
		}
	}
	if u.Samples > format.MaxSamples {
		return nil, fmt.Errorf("%w: %d", format.ErrFLACTooLong, u.Samples)
	}
	u.Parts = partsOf(both, begins, u.Samples)
	for _, p := range u.Parts {
		if p.From < 0 {
			u.GapSamples += p.Samples
		}
	}
	name := id + ".flac"
	if err := u.copy(ctx, folders, both, begins, filepath.Join(dir, name)); err != nil {
		return nil, err
	}
	f, err := hashFile(ctx, filepath.Join(dir, name))
	u.File = f
	return u, err
}

// How little a recording has of a stretch of a track. An idle source misses nothing, as
// far as that recording knows: its silence is as good as samples, but not where the other
// one heard something.
const (
	lacksNothing = iota
	lacksSound
	lacksAll
)

// A lack is a stretch of a track of which there is little.
type lack struct {
	from, to int64
	how      int
}

// lacks are those of a track, in order; t is nil where there is none.
func lacks(t *Track, begin, samples int64) []lack {
	if t == nil {
		return []lack{{0, samples, lacksAll}}
	}
	all := []lack{{0, begin, lacksAll}}
	for _, g := range t.Gaps {
		one := lack{begin + g.AtSample, begin + g.AtSample + g.Samples, lacksAll}
		if g.Cause == timeline.Idle {
			one.how = lacksSound
		}
		if g.Samples > 0 {
			all = append(all, one)
		}
	}
	return append(all, lack{begin + t.Samples, samples, lacksAll})
}

// partsOf says for each stretch of the union which track has most of it, the first one
// where both have as much.
func partsOf(both [2]*Track, begins [2]int64, samples int64) (parts []UnionPart) {
	var little [2][]lack
	edges := []int64{0, samples}
	for i, t := range both {
		little[i] = lacks(t, begins[i], samples)
		for _, l := range little[i] {
			edges = append(edges, l.from, l.to)
		}
	}
	slices.Sort(edges)
	edges = slices.Compact(edges)
	for k := 0; k+1 < len(edges); k++ {
		at, end, from, least := edges[k], edges[k+1], -1, lacksAll
		for i := range little {
			for len(little[i]) > 0 && little[i][0].to <= at {
				little[i] = little[i][1:]
			}
			how := lacksNothing
			if len(little[i]) > 0 && little[i][0].from <= at {
				how = little[i][0].how
			}
			if how < least {
				from, least = i, how
			}
		}
		if n := len(parts); n > 0 && parts[n-1].From == from {
			parts[n-1].Samples += end - at
			continue
		}
		parts = append(parts, UnionPart{at, end - at, from})
	}
	return parts
}

// copy writes the samples.
func (u *UnionTrack) copy(ctx context.Context, folders []string, both [2]*Track, begins [2]int64, name string) error {
	file, err := durable.CreateHidden(name, filePerm)
	if err != nil {
		return err
	}
	flac, err := format.NewFLACWriterSized(file, []format.Tag{{Name: "TRACK", Value: u.ID}}, u.Samples)
	if err == nil {
		err = u.pour(ctx, folders, both, begins, flac)
	}
	if err == nil {
		err = flac.Close()
	}
	if err != nil {
		return errors.Join(err, file.Discard())
	}
	return file.Commit()
}

func (u *UnionTrack) pour(ctx context.Context, folders []string, both [2]*Track, begins [2]int64, flac *format.FLACWriter) error {
	var open opened
	defer open.close()
	var src [2]*forward
	for i, t := range both {
		if t == nil {
			continue
		}
		r, err := open.track(filepath.Join(folders[i], t.File), 64<<10)
		if err != nil {
			return err
		}
		src[i] = &forward{src: r}
	}
	for _, p := range u.Parts {
		var err error
		if p.From < 0 {
			err = flac.Silence(ctx, p.Samples)
		} else {
			err = src[p.From].copy(ctx, p.AtSample-begins[p.From], p.Samples, flac.PCM)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// forward reads samples from places that only grow.
type forward struct {
	src io.Reader
	at  int64
	buf [2 * mixBlock]byte
}

func (f *forward) copy(ctx context.Context, at, n int64, out func([]byte) error) error {
	for f.at < at+n {
		if err := ctx.Err(); err != nil {
			return err
		}
		until, keep := at, false
		if f.at >= at {
			until, keep = at+n, true
		}
		some := f.buf[:2*min(until-f.at, mixBlock)]
		if _, err := io.ReadFull(f.src, some); err != nil {
			return fmt.Errorf("reading sample %d: %w", f.at, err)
		}
		f.at += int64(len(some) / 2)
		if !keep {
			continue
		}
		if err := out(some); err != nil {
			return err
		}
	}
	return nil
}
