package referee

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/recorderbot/recorderbot/internal/teamsim/host"
)

// A gallery is what one camera or screen sent, beside what is archived of it.
type gallery struct {
	*judge

	call   *call
	rec    *host.SessionRecord
	of     host.Stream
	report *StreamReport
	others []*gallery
	shots  []shot // by number
	tracks int
	truth  *truth // of the session: what may be missing
	found  int    // violations of the current recording
	timed  int    // gaps that only times tell
}

// A shot is one frame of video that was captured.
type shot struct {
	host.Run

	unit   accessUnit
	period int
	// timed: its time can be held against the file's.
	timed bool
	// track is the number of the track that holds it, from 1; 0: none does. part is the
	// number of its recording, likewise.
	track, part int
}

func newGallery(j *judge, c *call, of host.Stream, report *StreamReport, failedTold bool) *gallery {
	g := &gallery{judge: j, call: c, rec: c.session, of: of, report: report, truth: &truth{rec: c.session}}
	g.truth.excuses(failedTold)
	latest, timed := int64(0), true
	for _, r := range c.session.Runs {
		if r.Stream != of {
			continue
		}
		s := shot{Run: r, unit: unitOf(r.Picture.Data), period: spansOf(r, c.session.Periods)[0].period}
		timed = timed && !r.Absurd
		// Behind a time that can't be, and where the clock was put back, a file has to
		// find times of its own.
		s.timed = timed && r.Time > latest
		latest = max(latest, r.Time)
		g.shots = append(g.shots, s)
		if !r.Outside {
			report.FramesSent++
		}
	}
	return g
}

// breach reports, up to a bound.
func (g *gallery) breach(law int, kind string, m *manifest, format string, args ...any) {
	if g.found++; g.found <= maxFindings {
		g.add(law, kind, g.call.id, "%s: %s: %s", m.folder, g.name(), fmt.Sprintf(format, args...))
	}
}

func (g *gallery) name() string {
	if g.of.Kind == host.KindScreen {
		return fmt.Sprintf("screen %d", g.of.Source)
	}
	return fmt.Sprintf("camera %d", g.of.Source)
}

// track compares one file of video.
func (g *gallery) track(m *manifest, tr track) error {
	g.tracks++
	for _, gap := range tr.Gaps {
		g.report.FramesInGaps += int64(gap.Frames) //nolint:gosec // a sum of what a manifest says
		m.frames += max(1, int64(gap.Frames))      //nolint:gosec // as above; of a time in which none came nobody knows how many they were
		if gap.Frames == 0 {
			g.timed++
		}
	}
	var f film
	if tr.File != "" {
		var err error
		if f, err = m.film(tr.File); err != nil {
			return err
		}
	}
	raw := f.raw(tr)
	if !raw {
		g.report.FramesUndecodable += int64(tr.Undecodable) //nolint:gosec // as above
	}
	if n := uint64(len(f.pictures)); n != tr.Frames-tr.Undecodable && n != tr.Frames {
		g.breach(4, KindManifestCounts, m, "%s holds %d frames, the manifest says %d, of which %d can't be shown", tr.File, n, tr.Frames, tr.Undecodable)
	}
	if len(f.pictures) == 0 {
		return nil
	}
	if !raw && !f.pictures[0].key() {
		g.breach(4, KindPictureKey, m, "%s does not begin with a key frame", tr.File)
	}
	g.compare(m, tr, f)
	return nil
}

// raw tells whether a file is a stream that nobody can show, for no key frame came, and is
// said to be that: all that came is kept.
func (f *film) raw(tr track) bool {
	return filepath.Ext(tr.File) != ".mp4" && tr.Undecodable == tr.Frames && uint64(len(f.pictures)) == tr.Frames &&
		!slices.ContainsFunc(f.pictures, func(p storedPicture) bool { return p.key() })
}

// film reads a file of video: MP4, or a bare byte stream.
func (m *manifest) film(name string) (film, error) {
	if name != filepath.Base(name) {
		return film{}, fmt.Errorf("file name %q leads elsewhere", name)
	}
	data, err := os.ReadFile(filepath.Join(m.dir, filepath.Clean(name)))
	if err != nil {
		return film{}, fmt.Errorf("open: %w", err)
	}
	if len(data) == 0 {
		return film{}, nil // of nothing that can be shown
	}
	if filepath.Ext(name) != ".mp4" {
		var f film
		for _, u := range units(data) {
			f.pictures = append(f.pictures, storedPicture{accessUnit: u})
		}
		return f, nil
	}
	return readMP4(data)
}

// compare finds each stored frame among those that were sent.
func (g *gallery) compare(m *manifest, tr track, f film) {
	zero, ok := g.zero(m, tr, f)
	if !ok {
		return
	}
	next := 0
	sets := f.sets
	for i := range f.pictures {
		p := &f.pictures[i]
		k := g.find(p, f.timed, zero, next)
		if k < 0 {
			g.breach(4, KindPictureWrong, m, "frame %d of %s is none that was sent behind frame %d", i, tr.File, g.before(next))
			continue
		}
		s := &g.shots[k]
		if off := zero + p.time - s.Time; f.timed && s.timed && (off > p.tick || off < -p.tick) {
			g.breach(4, KindPictureTime, m, "frame %d of %s is off by %d ticks: it was taken at %d (frame %d)", i, tr.File, off, s.Time, s.FirstSeq)
		}
		sets = replaced(sets, p.sets)
		if s.Picture.Key && !holds(sets, s.unit.sets) {
			g.breach(4, KindPictureKey, m, "the parameter sets of key frame %d of %s are not there", i, tr.File)
		}
		g.keep(m, s)
		next = k + 1
	}
}

// keep notes that a frame is stored, if it may be.
func (g *gallery) keep(m *manifest, s *shot) {
	switch {
	case s.track != 0:
		g.breach(4, KindPictureWrong, m, "frame %d is stored twice", s.FirstSeq)
		return
	case s.Outside && s.period < 0:
		g.breach(1, KindStoredBeforeSuccess, m, "frame %d was sent before the host was told to open", s.FirstSeq)
	case s.Outside:
		g.breach(2, KindStoredAfterSeal, m, "frame %d was sent after Paused{%d}", s.FirstSeq, g.rec.Periods[s.period].LastSeq)
	case g.first(s) && !g.call.leave(s.FirstAt):
		g.breach(1, KindStoredBeforeSuccess, m, "frame %d was captured at %s and is stored; %s", s.FirstSeq, clock(s.FirstAt), g.call.leaveText())
	}
	if !s.Outside {
		g.report.FramesStored++
	}
	s.track, s.part = g.tracks, 1+slices.Index(g.call.manifests, m)
}

// first tells whether a frame is the first of its time of recording.
func (g *gallery) first(s *shot) bool {
	i := slices.IndexFunc(g.shots, func(o shot) bool { return o.period == s.period && !o.Outside })
	return i >= 0 && g.shots[i].FirstSeq == s.FirstSeq
}

// before is the number of the frame before shot k.
func (g *gallery) before(k int) uint64 {
	if k == 0 {
		return 0
	}
	return g.shots[k-1].FirstSeq
}

// zero finds the media time at which a file's timeline is 0: the manifest's time is that
// of the first frame, or that of the timeline. Where neither fits, the first frame that
// is the same tells; where none is, false.
func (g *gallery) zero(m *manifest, tr track, f film) (int64, bool) {
	first := &f.pictures[0]
	if !f.timed {
		return 0, true
	}
	nearest := -1
	for i := range g.shots {
		s := &g.shots[i]
		if !s.unit.same(&first.accessUnit) {
			continue
		}
		for _, zero := range []int64{tr.MediaTime - first.time, tr.MediaTime} {
			if off := zero + first.time - s.Time; s.track == 0 && off >= -first.tick && off <= first.tick {
				return zero, true
			}
		}
		if nearest < 0 || distance(s.Time, tr.MediaTime) < distance(g.shots[nearest].Time, tr.MediaTime) {
			nearest = i
		}
	}
	if nearest < 0 {
		for _, o := range g.others {
			if o != g && slices.ContainsFunc(o.shots, func(s shot) bool { return s.unit.same(&first.accessUnit) }) {
				g.breach(4, KindSourceWrong, m, "%s holds what %s sent", tr.File, o.name())
				return 0, false
			}
		}
		g.breach(4, KindPictureWrong, m, "the first frame of %s was never sent", tr.File)
		return 0, false
	}
	if g.shots[nearest].timed && tr.MediaTime != 0 {
		g.breach(4, KindTrackTime, m, "%s begins at %d by its media time; its first frame was taken at %d", tr.File, tr.MediaTime, g.shots[nearest].Time)
	}
	return g.shots[nearest].Time - first.time, true
}

func distance(a, b int64) int64 { return max(a-b, b-a) }

// reachShots is how far ahead a frame is looked for that has another time.
const reachShots = 400

// find returns the shot that a stored frame is: that of its time, or else the next one
// that is the same; -1: there is none.
func (g *gallery) find(p *storedPicture, timed bool, zero int64, next int) int {
	if timed {
		for k := next; k < len(g.shots); k++ {
			s := &g.shots[k]
			if s.timed && distance(s.Time, zero+p.time) <= p.tick && s.unit.same(&p.accessUnit) {
				return k
			}
		}
	}
	for _, again := range []bool{false, true} { // a clip's pictures come again
		for k := next; k < min(len(g.shots), next+reachShots); k++ {
			if g.shots[k].unit.same(&p.accessUnit) && (again || g.shots[k].track == 0) {
				return k
			}
		}
	}
	for k := next - 1; k >= max(0, next-reachShots); k-- {
		if g.shots[k].unit.same(&p.accessUnit) && (!timed || distance(g.shots[k].Time, zero+p.time) <= p.tick) {
			return k
		}
	}
	return -1
}

// replaced are the parameter sets in force: a frame's take the place of all of their
// kind.
func replaced(sets, by [][]byte) [][]byte {
	var out [][]byte
	for _, s := range sets {
		if !slices.ContainsFunc(by, func(n []byte) bool { return n[0]&0x1f == s[0]&0x1f }) {
			out = append(out, s)
		}
	}
	return append(out, by...)
}

func holds(sets, want [][]byte) bool {
	for _, w := range want {
		if !slices.ContainsFunc(sets, func(s []byte) bool { return slices.Equal(s, w) }) {
			return false
		}
	}
	return true
}
