package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/recorderbot/recorderbot/internal/media/durable"
	"github.com/recorderbot/recorderbot/internal/media/format"
	"github.com/recorderbot/recorderbot/internal/media/frame"
)

// sound makes one track of audio.
func (u *uniting) sound(t *UnionTrack, name string) error {
	if err := u.tooLong(); err != nil {
		return err
	}
	t.MediaTime = u.origin() + u.begin*frame.TicksPerSample
	t.Samples = u.end - u.begin
	t.Parts = u.parts(t)
	for _, p := range t.Parts {
		if p.From < 0 {
			t.GapSamples += p.Samples
		}
	}
	return u.flac(name, t.ID, t.Samples, func(flac *format.FLACWriter) error { return u.pour(t, flac) })
}

// flac writes a file.
func (u *uniting) flac(name, id string, samples int64, pour func(*format.FLACWriter) error) error {
	file, err := durable.CreateHidden(filepath.Join(u.dir, name), filePerm)
	if err != nil {
		return err
	}
	flac, err := format.NewFLACWriterSized(file, []format.Tag{{Name: "TRACK", Value: id}}, samples)
	if err == nil {
		err = pour(flac)
	}
	if err == nil {
		err = flac.Close()
	}
	if err != nil {
		return errors.Join(err, file.Discard())
	}
	return file.Commit()
}

// parts say for each stretch of the union which recording has it: the one that knows
// most, and of those the first.
func (u *uniting) parts(t *UnionTrack) (parts []UnionPart) {
	var known []stretch
	edges := []int64{u.begin, u.end}
	for _, k := range u.takes {
		for _, s := range k.stretches(t.ID, t.Mode) {
			known = append(known, s)
			edges = append(edges, s.from, s.to)
		}
	}
	slices.SortFunc(known, func(a, b stretch) int { return cmp.Compare(a.from, b.from) })
	slices.Sort(edges)
	edges = slices.Compact(edges)
	var live []stretch
	for k := 0; k+1 < len(edges); k++ {
		at, end := edges[k], edges[k+1]
		for len(known) > 0 && known[0].from <= at {
			live, known = append(live, known[0]), known[1:]
		}
		live = slices.DeleteFunc(live, func(s stretch) bool { return s.to <= at })
		from, best := -1, lacks
		for _, s := range live {
			if s.knows > best || s.knows == best && from > s.take.index {
				from, best = s.take.index, s.knows
			}
		}
		if n := len(parts); n > 0 && parts[n-1].From == from {
			parts[n-1].Samples += end - at
			continue
		}
		parts = append(parts, UnionPart{at - u.begin, end - at, from})
	}
	return parts
}

// pour writes the samples of a track's parts.
func (u *uniting) pour(t *UnionTrack, flac *format.FLACWriter) error {
	var open opened
	defer open.close()
	src := map[int]*forward{}
	for _, p := range t.Parts {
		var tr *Track
		if p.From >= 0 {
			tr = u.takes[p.From].track(t.ID)
		}
		if tr == nil { // missing, or of a source that was never heard
			if err := flac.Silence(u.ctx, p.Samples); err != nil {
				return err
			}
			continue
		}
		k := u.takes[p.From]
		if src[p.From] == nil {
			r, err := open.track(filepath.Join(k.folder, tr.File), 64<<10)
			if err != nil {
				return err
			}
			src[p.From] = &forward{src: r}
		}
		if err := u.copy(src[p.From], u.begin+p.AtSample-k.starts(tr), p.Samples, tr.Samples, flac); err != nil {
			return err
		}
	}
	return nil
}

// copy writes n samples from a place in a file on; outside of the file it is quiet.
func (u *uniting) copy(src *forward, at, n, samples int64, flac *format.FLACWriter) error {
	before := min(n, max(0, -at))
	from, to := at+before, min(at+n, samples)
	if err := flac.Silence(u.ctx, before); err != nil {
		return err
	}
	if to <= from {
		return flac.Silence(u.ctx, n-before)
	}
	if err := src.copy(u.ctx, from, to-from, flac.PCM); err != nil {
		return err
	}
	return flac.Silence(u.ctx, at+n-to)
}

// mix writes the sum of the unmixed tracks.
func (u *uniting) mix() error {
	var names []string
	for i := range u.Tracks {
		if u.Tracks[i].Mode == "unmixed" {
			names = append(names, u.Tracks[i].File.Name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	var sum *Mix
	err := u.flac(MixName, "mix", u.end-u.begin, func(flac *format.FLACWriter) (err error) {
		sum, err = sumUp(u.ctx, u.dir, names, flac.PCM)
		return err
	})
	if err != nil {
		return fmt.Errorf("mixing: %w", err)
	}
	file, err := hashFile(u.ctx, filepath.Join(u.dir, MixName))
	u.Mix = &UnionMix{File: file, Samples: sum.Samples, ClippedSamples: sum.ClippedSamples}
	return err
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
