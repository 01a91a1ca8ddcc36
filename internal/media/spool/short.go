package spool

import (
	"fmt"
	"maps"
	"slices"
)

// markCut finds, among the segments that are needed, those whose files were cut,
// and names what may have been lost with them. Only these are read.
func (l *Log) markCut(all []found) error {
	for _, f := range all {
		s := l.segs[f.first.gen]
		if s == nil || s.slot != f.slot || !f.short() {
			continue
		}
		w, err := f.walk(l.opt.files, l.opt.Dir, func(header, int64, []byte) {})
		if err != nil {
			return fmt.Errorf("%s: %w", slotName(f.slot), err)
		}
		s.cut, s.whole = true, w.last
		cut := Finding{
			Kind: ShortSegment, Segment: slotName(f.slot), Generation: f.first.gen, Offset: f.size, Commit: w.last,
			Detail: fmt.Sprintf("the file was cut, it had %d bytes: acknowledged records behind the commit are lost, also of recordings begun there", s.size),
		}
		l.damage = append(l.damage, cut)
		for _, serial := range slices.Sorted(maps.Keys(l.state.tracks)) {
			if t := l.state.tracks[serial]; s.lost(t) {
				cut.Serial, cut.Recording, cut.Detail = t.serial, t.id, "records of it may have been in the part that was cut off"
				l.damage = append(l.damage, cut)
			}
		}
	}
	return nil
}

// lost reports whether records of a recording may have been in the part of the
// segment that was cut off. Nothing follows a seal.
func (s *segment) lost(t *track) bool {
	return s.cut && t.permit.gen <= s.gen && (!t.sealed || t.lastGen >= s.gen && t.sealCommit > s.whole)
}
