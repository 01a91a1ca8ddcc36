package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// tablePart is how many bytes of the table go into one record, at most and about.
const tablePart = 256 << 10

var errBadTable = errors.New("spool: bad table")

// appendTable appends the records of the table: the first says the highest
// serial, and all of them list recordings. It is what a segment begins with.
func (s *state) appendTable(dst []byte) []byte {
	part := binary.AppendUvarint(nil, s.serial)
	flush := func() {
		at := len(dst)
		dst = append(dst, make([]byte, recordBytes)...)
		dst = append(dst, part...)
		putRecord(dst[at:], diskTable, 0, 0, 0, 0)
		part = binary.AppendUvarint(part[:0], s.serial)
	}
	for _, serial := range slices.Sorted(maps.Keys(s.tracks)) {
		part = s.tracks[serial].append(part)
		if len(part) > tablePart {
			flush()
		}
	}
	flush()
	return dst
}

func (t *track) append(b []byte) []byte {
	b = binary.AppendUvarint(b, t.serial)
	b = binary.AppendUvarint(b, uint64(len(t.id)))
	b = append(b, t.id...)
	var sealed uint64
	if t.sealed {
		sealed = 1
	}
	for _, v := range []uint64{
		t.permit.gen, uint64(t.permit.off), uint64(t.permit.size), sealed, t.lastGen, t.sealCommit, bits(t.sealAt),
		t.firstSeq, t.lastSeq, t.frames, bits(t.firstAt), bits(t.lastAt),
	} {
		b = binary.AppendUvarint(b, v)
	}
	return b
}

// readTable reads the records of a table.
func readTable(body []byte) (*state, error) {
	s := newState()
	if len(body) == 0 {
		return nil, fmt.Errorf("%w: empty", errBadTable)
	}
	for len(body) > 0 {
		r, err := parseRecord(body)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errBadTable, err)
		}
		if r.typ != diskTable {
			return nil, fmt.Errorf("%w: record of type %d in it", errBadTable, r.typ)
		}
		d := varints{b: r.body}
		s.serial = max(s.serial, d.next())
		for len(d.b) > 0 && !d.bad {
			t := d.track()
			if t.serial == 0 || t.serial > s.serial || s.tracks[t.serial] != nil {
				d.bad = true
				break
			}
			s.tracks[t.serial] = t
		}
		if d.bad {
			return nil, errBadTable
		}
		body = body[r.size:]
	}
	return s, nil
}

// fits reports whether a table can be that of a generation.
func (s *state) fits(gen uint64) bool {
	for _, t := range s.tracks {
		if t.permit.gen == 0 || t.permit.gen >= gen || t.sealed != (t.lastGen >= t.permit.gen) || t.lastGen >= gen {
			return false
		}
	}
	return true
}

// varints reads numbers until they are wrong.
type varints struct {
	b   []byte
	bad bool
}

func (d *varints) next() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *varints) text() string {
	n := d.next()
	if n > uint64(len(d.b)) {
		d.bad, d.b = true, nil
		return ""
	}
	s := string(d.b[:n])
	d.b = d.b[n:]
	return s
}

func (d *varints) offset() uint32 {
	v := d.next()
	if v > maxSegmentSize {
		d.bad = true
		return 0
	}
	return u32(signed(v))
}

func (d *varints) track() *track {
	t := &track{serial: d.next(), id: d.text()}
	t.permit = place{gen: d.next(), off: d.offset(), size: d.offset()}
	t.sealed = d.next() == 1
	t.lastGen, t.sealCommit, t.sealAt = d.next(), d.next(), signed(d.next())
	t.firstSeq, t.lastSeq, t.frames = d.next(), d.next(), d.next()
	t.firstAt, t.lastAt = signed(d.next()), signed(d.next())
	return t
}

func (d *varints) signed() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return v
}
