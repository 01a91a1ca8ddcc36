package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/recorderbot/recorderbot/internal/media/durable"
)

// Check reads a whole log and reports every fault it finds: each record against
// the laws (a permit record with evidence before it, no seal before it), each
// checksum, the numbers of the commits, and the tables against what is in the log.
// It changes nothing. The error says that it could not look; where the log is in
// use it wraps durable.ErrLocked, and where the next Open would begin one, ErrNoLog.
//
// A torn tail is not a fault: it is what a crash leaves.
func Check(dir string) (Report, error) {
	lock, err := durable.LockShared(lockPath(dir))
	switch {
	case err == nil:
		defer func() { _ = lock.Close() }() // read-only: nothing can be lost
	case errors.Is(err, durable.ErrLocked):
		return Report{}, fmt.Errorf("checking spool %s: %w: stop the recorder, or check a copy", dir, err)
	case !errors.Is(err, fs.ErrNotExist):
		return Report{}, fmt.Errorf("checking spool: %w", err)
	}
	return checkFiles(disk{}, dir)
}

func checkFiles(disk files, dir string) (Report, error) {
	all, err := survey(disk, dir)
	if err != nil {
		return Report{}, fmt.Errorf("checking spool: %w", err)
	}
	all = slices.DeleteFunc(all, func(f found) bool { return f.first.gen == 0 })
	if len(all) == 0 {
		return Report{}, fmt.Errorf("checking spool: %w in %s", ErrNoLog, dir)
	}
	c := &checker{files: disk, dir: dir}
	// The last segment says which others still count; what is in spare ones is
	// checked too, as long as it is whole.
	last := newLog(Options{Dir: dir, files: disk}, nil)
	last.log = all[0].first.log
	all, wiped, extra, err := twins(disk, dir, all)
	if err != nil {
		return Report{}, fmt.Errorf("checking spool: %w", err)
	}
	from, table, torn, err := latest(disk, dir, all)
	if err != nil {
		return Report{}, fmt.Errorf("checking spool: %w", err)
	}
	if len(from) == 0 {
		return Report{}, nil // a crash came while the log was begun
	}
	if _, err = last.replay(from, table); err != nil {
		return Report{}, fmt.Errorf("checking spool: %w", err)
	}
	// adopt also says what is missing.
	last.damage = twinFindings(all, append(extra, wiped...)...)
	last.adopt(slices.DeleteFunc(slices.Clone(all), func(f found) bool { return slices.Contains(torn, f) }))
	if err = last.markCut(all); err != nil {
		return Report{}, fmt.Errorf("checking spool: %w", err)
	}
	for _, f := range all {
		if slices.Contains(torn, f) {
			continue
		}
		if err = c.segment(f, last.segs[f.first.gen] != nil); err != nil {
			return c.report, fmt.Errorf("checking spool: %s: %w", slotName(f.slot), err)
		}
	}
	c.report.Findings = append(c.report.Findings, last.damage...)
	c.permits(all, last.state)
	return c.report, nil
}

// checker walks from segment to segment.
type checker struct {
	files  files
	dir    string
	report Report
	state  *state // at the end of the segment before; nil: unknown
	gen    uint64 // of the segment before
	last   uint64 // number of its last commit
}

func (c *checker) segment(f found, needed bool) error {
	table, err := f.table(c.files, c.dir)
	if err != nil {
		return err
	}
	if table == nil && !needed {
		c.state = nil // it was about to be used again
		return nil
	}
	found := func(x Finding) {
		x.Segment, x.Generation = slotName(f.slot), f.first.gen
		c.report.Findings = append(c.report.Findings, x)
	}
	if c.gen+1 != f.first.gen {
		c.state, c.last = nil, 0 // those between were released
	}
	switch {
	case table == nil:
		found(Finding{Kind: BadTable, Commit: c.last, Detail: "the table is damaged"})
	case c.state != nil && !table.equal(c.state):
		found(Finding{Kind: BadTable, Commit: f.first.number, Detail: "the table does not say what the log says"})
	}
	if c.last != 0 && table != nil && f.first.number != c.last+1 {
		found(Finding{Kind: BadCommit, Commit: c.last, Detail: fmt.Sprintf(
			"commits %d to %d, the end of the segment before, are lost", c.last+1, f.first.number-1)})
	}
	if table != nil {
		c.state = table
	}
	if c.state == nil {
		c.state = newState()
	}
	c.state.records, c.state.frames = 0, 0
	w, err := f.walk(c.files, c.dir, func(h header, off int64, body []byte) {
		c.report.Commits++
		c.report.Bytes += h.size()
		c.state.apply(h, off, body, func(x Finding) { x.Commit = h.number; found(x) })
	})
	if err != nil {
		return err
	}
	for _, d := range w.bad {
		found(Finding{Kind: BadCommit, Offset: d.from, Detail: fmt.Sprintf("no whole commit up to byte %d, where the log goes on", d.to)})
	}
	c.gen, c.last = f.first.gen, w.last
	c.report.Segments++
	c.report.Records += c.state.records
	c.report.Frames += c.state.frames
	c.report.LastCommit = w.last
	return nil
}

// permits lists the recordings that were not released, as the next Open would find
// them, and reads the permit record of each.
func (c *checker) permits(all []found, s *state) {
	l := &Log{opt: Options{Dir: c.dir, files: c.files}, segs: make(map[uint64]*segment)}
	for _, f := range all {
		l.segs[f.first.gen] = &segment{slot: f.slot, gen: f.first.gen}
	}
	for _, serial := range slices.Sorted(maps.Keys(s.tracks)) {
		t := s.tracks[serial]
		held := Held{ID: t.id}
		if t.sealed {
			held.SealedAt = t.result().At
		}
		c.report.Recordings = append(c.report.Recordings, held)
		p, err := l.readPermit(t)
		if err == nil {
			err = p.fault(t)
		}
		if err != nil {
			c.report.Findings = append(c.report.Findings, Finding{
				Kind: BadPermit, Generation: t.permit.gen, Offset: int64(t.permit.off), Serial: t.serial, Recording: t.id, Detail: err.Error(),
			})
		}
	}
}

// fault says why a permit record does not prove that the recording was allowed.
func (p *PermitRecord) fault(t *track) error {
	switch {
	case p.Serial != t.serial || p.ID != t.id:
		return fmt.Errorf("it is that of recording %q", p.ID)
	case p.Evidence.Call == "" || p.Evidence.Context == "":
		return errors.New("no evidence of the reply that allowed it")
	}
	return nil
}

// equal compares what two states know.
func (s *state) equal(o *state) bool {
	if s.serial != o.serial || len(s.tracks) != len(o.tracks) {
		return false
	}
	for serial, t := range s.tracks {
		u := o.tracks[serial]
		if u == nil || !bytes.Equal(t.append(nil), u.append(nil)) {
			return false
		}
	}
	return true
}
