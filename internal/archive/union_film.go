package archive

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/recorderbot/recorderbot/internal/media/durable"
	"github.com/recorderbot/recorderbot/internal/media/format/mp4"
	"github.com/recorderbot/recorderbot/internal/media/frame"
)

// A shot is a frame of video that can be shown.
type shot struct {
	take   *take
	file   string
	at     int64 // in ticks, by the first call's clock
	number int   // in its file
	key    bool
}

// A reel is shots of one take that follow each other: each builds on those before it, the
// first is a key frame, and nothing is missing between them that the file tells.
type reel []shot

func (r reel) begin() int64 { return r[0].at }
func (r reel) end() int64   { return r[len(r)-1].at }

// film makes one track of video: as much of one call's as goes on without a break, then
// what the other has of the break. It changes over at a key frame, so that each frame
// can be shown.
func (u *uniting) film(t *UnionTrack, name string) error {
	var reels []reel
	spacing := int64(0)
	for _, k := range u.takes {
		for _, tr := range k.films(t.ID) {
			some, every, err := k.reels(tr, u.movedBy(k))
			if err != nil {
				return err
			}
			reels, spacing = append(reels, some...), max(spacing, every)
		}
	}
	shots := cutTogether(reels, spacing/2)
	if len(shots) == 0 {
		return nil
	}
	return u.mp4(t, name, shots)
}

// movedBy is by how many ticks the video of a take is moved: as its audio is.
func (u *uniting) movedBy(t *take) int64 {
	switch {
	case t.begin != 0:
		return u.origin() + t.at*frame.TicksPerSample - t.mediaBegin()
	case t.side == 1:
		return u.Clock.ShiftSamples * frame.TicksPerSample
	}
	return 0
}

// reels looks at what of a file can be shown, and how far apart its frames are mostly.
func (t *take) reels(tr *Track, moved int64) (reels []reel, spacing int64, err error) {
	file, err := os.Open(filepath.Join(t.folder, tr.File))
	if err != nil {
		return nil, 0, fmt.Errorf("reading a track: %w", err)
	}
	defer file.Close() //nolint:errcheck // it was only read
	src, err := mp4.NewReader(file)
	if err != nil {
		return nil, 0, fmt.Errorf("reading %s: %w", tr.File, err)
	}
	var all []mp4.Sample
	var apart []int64
	for {
		s, err := src.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, 0, fmt.Errorf("reading %s: %w", tr.File, err)
		}
		s.Data = nil // it is the reader's
		all, apart = append(all, s), append(apart, s.Duration)
	}
	if len(all) == 0 {
		return nil, 0, nil
	}
	slices.Sort(apart)
	spacing = apart[len(apart)/2]
	good := false // a key frame came, and nothing was missing since
	for i, s := range all {
		torn := i > 0 && s.Sync && s.Time-all[i-1].Time > spacing+spacing/2 // what came before the key frame may be missing
		good = !s.Damaged && (good || s.Sync)
		switch n := len(reels); {
		case !good:
			continue
		case n == 0 || torn || all[i-1].Damaged:
			reels = append(reels, reel{})
		}
		last := &reels[len(reels)-1]
		*last = append(*last, shot{t, tr.File, tr.MediaTime + s.Time + moved, i, s.Sync})
	}
	return reels, spacing, nil
}

// cutTogether lays reels behind each other so that there is a frame wherever one of them
// has one. Times that are less than slack apart are the same.
func cutTogether(reels []reel, slack int64) (out []shot) {
	if len(reels) == 0 {
		return nil
	}
	now := reels[0]
	for _, r := range reels {
		if r.begin() < now.begin()-slack {
			now = r
		}
	}
	for now != nil {
		from := now[0].at
		if len(out) > 0 { // the last key frame that leaves no hole, or the first one there is
			from = max(from, now.entry(out[len(out)-1].at+slack))
		}
		out = slices.DeleteFunc(out, func(s shot) bool { return s.at > from-slack })
		for _, s := range now {
			if s.at >= from {
				out = append(out, s)
			}
		}
		now = next(reels, now, slack)
	}
	return out
}

// entry is when the last key frame is, up to a time.
func (r reel) entry(until int64) (at int64) {
	for _, s := range r {
		if s.key && s.at <= until {
			at = s.at
		}
	}
	return at
}

// next is the reel that goes on when one has ended: the one with the next frame, and of
// those that have it the same call's.
func next(reels []reel, now reel, slack int64) (best reel) {
	first := int64(0)
	for _, r := range reels {
		i := slices.IndexFunc(r, func(s shot) bool { return s.at > now.end()+slack })
		if i < 0 {
			continue
		}
		own := r[0].take.side == now[0].take.side
		if at := r[i].at; best == nil || at < first-slack || own && at < first+slack {
			best, first = r, at
		}
	}
	return best
}

// mp4 writes the frames.
func (u *uniting) mp4(t *UnionTrack, name string, shots []shot) error {
	file, err := durable.CreateHidden(filepath.Join(u.dir, name), filePerm)
	if err != nil {
		return err
	}
	w, err := mp4.NewSeekWriter(file, mp4.Options{Title: t.ID})
	if err == nil {
		err = u.splice(t, w, shots)
	}
	if err == nil {
		err = w.Close(0)
	}
	if err != nil {
		return errors.Join(err, file.Discard())
	}
	t.MediaTime, t.DurationTicks = w.Stats().Zero, w.Stats().Length
	for i := range t.Scenes {
		t.Scenes[i].AtTick -= t.MediaTime
	}
	return file.Commit()
}

// splice gives the frames to the writer, and notes the scenes.
func (u *uniting) splice(t *UnionTrack, w *mp4.Writer, shots []shot) error {
	var open opened
	defer open.close()
	src := map[string]*rushes{}
	for i, s := range shots {
		path := filepath.Join(s.take.folder, s.file)
		if src[path] == nil {
			r, err := open.rushes(path)
			if err != nil {
				return err
			}
			src[path] = r
		}
		fresh := i == 0 || shots[i-1].take != s.take || shots[i-1].file != s.file || shots[i-1].number+1 != s.number
		data, err := src[path].frame(s.number, fresh)
		if err == nil {
			err = u.ctx.Err()
		}
		if err != nil {
			return err
		}
		r, err := w.Frame(mp4.Frame{Time: s.at, Data: data, Key: s.key})
		if err != nil {
			return fmt.Errorf("writing video: %w", err)
		}
		if r.Verdict != mp4.Written {
			return fmt.Errorf("frame %d of %s is %v: %s", s.number, s.take.m.Recording, r.Verdict, r.Fault)
		}
		if fresh {
			t.Scenes = append(t.Scenes, UnionScene{AtTick: s.at, From: s.take.index})
		}
		scene := &t.Scenes[len(t.Scenes)-1]
		scene.Frames, scene.Ticks = scene.Frames+1, s.at-scene.AtTick
		t.Frames++
	}
	return nil
}

// rushes are a file of video that is read forwards.
type rushes struct {
	src  *mp4.Reader
	next int
	// sps and pps are the parameter sets that came last: with a key frame, or long before.
	sps, pps []byte
	buf      []byte
}

func (o *opened) rushes(name string) (*rushes, error) {
	file, err := os.Open(name) //nolint:gosec // G304: the caller names the folder
	if err != nil {
		return nil, fmt.Errorf("reading a track: %w", err)
	}
	*o = append(*o, file)
	src, err := mp4.NewReader(bufio.NewReaderSize(file, 64<<10))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", filepath.Base(name), err)
	}
	return &rushes{src: src}, nil
}

// frame returns a frame by its number; the first of a scene with the parameter sets that
// it rests on, for those of the scene before may be others.
func (r *rushes) frame(number int, fresh bool) ([]byte, error) {
	for {
		s, err := r.src.Next()
		if err != nil {
			return nil, fmt.Errorf("reading frame %d: %w", r.next, err)
		}
		own := r.learn(s.Data)
		if r.next++; r.next <= number {
			continue
		}
		if !fresh || own {
			return s.Data, nil
		}
		r.buf = append(append(append(r.buf[:0], r.sps...), r.pps...), s.Data...)
		return r.buf, nil
	}
}

// learn keeps the parameter sets of a frame, and tells whether it has any of its own.
func (r *rushes) learn(annexB []byte) (own bool) {
	code := []byte{0, 0, 0, 1} // of four bytes, as a reader yields them
	var sps, pps []byte
	for unit := range bytes.SplitSeq(annexB, code) {
		if len(unit) == 0 {
			continue
		}
		switch unit[0] & 0x1f {
		case 7:
			sps = append(append(sps, code...), unit...)
		case 8:
			pps = append(append(pps, code...), unit...)
		}
	}
	if sps != nil {
		r.sps = sps
	}
	if pps != nil {
		r.pps = pps
	}
	return sps != nil && pps != nil
}
