package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
)

// mark says where a commit begins and when it was begun.
type mark struct {
	off uint32
	at  int64 // ns since 1970
}

// index says where in one segment the records of each recording are.
type index struct {
	gen    uint64
	end    int64               // of what may be read; 0: all
	marks  []mark              // of its commits, in order
	places map[uint64][]uint32 // by serial, ascending
}

// at returns the time of the commit that holds the byte at off.
func (x *index) at(off uint32) int64 {
	i := sort.Search(len(x.marks), func(i int) bool { return x.marks[i].off > off })
	if i == 0 {
		return 0
	}
	return x.marks[i-1].at
}

// The layout of an index file: the header, then for the marks (serial 0) and for
// each recording its serial, offset, length and checksum, then those parts.
const (
	indexMagic  = 0x58534252 // "RBSX"
	indexHeader = 40
	indexEntry  = 24
)

var errNoIndex = errors.New("spool: no index")

// encode returns the index as a file.
func (x *index) encode(log uint64) []byte {
	le := binary.LittleEndian
	serials := slices.Sorted(maps.Keys(x.places))
	count := len(serials) + 1
	head := make([]byte, indexHeader+count*indexEntry)
	parts := make([]byte, 0, 8*len(x.marks)+64*count)
	entry := head[indexHeader:]
	add := func(serial uint64, part []byte) {
		le.PutUint64(entry, serial)
		le.PutUint64(entry[8:], uint64(len(head)+len(parts)))
		le.PutUint32(entry[16:], u32(len(part)))
		le.PutUint32(entry[20:], checksum(part))
		entry = entry[indexEntry:]
		parts = append(parts, part...)
	}
	var part []byte
	var prev mark
	for _, m := range x.marks {
		part = binary.AppendUvarint(part, uint64(m.off-prev.off))
		part = binary.AppendVarint(part, m.at-prev.at)
		prev = m
	}
	add(0, part)
	for _, serial := range serials {
		part = part[:0]
		var last uint32
		for _, off := range x.places[serial] {
			part = binary.AppendUvarint(part, uint64(off-last))
			last = off
		}
		add(serial, part)
	}
	le.PutUint32(head, indexMagic)
	le.PutUint32(head[4:], version)
	le.PutUint64(head[8:], log)
	le.PutUint64(head[16:], x.gen)
	le.PutUint32(head[24:], u32(count))
	le.PutUint32(head[28:], checksum(head[indexHeader:]))
	le.PutUint32(head[36:], checksum(head[:36]))
	return append(head, parts...)
}

// readIndex reads of an index file what concerns one recording.
func readIndex(r readFile, log, gen, serial uint64) (*index, error) {
	le := binary.LittleEndian
	size, err := r.Size()
	if err != nil {
		return nil, err
	}
	head := make([]byte, indexHeader)
	if _, err = r.ReadAt(head, 0); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoIndex, err)
	}
	count := int64(le.Uint32(head[24:]))
	if le.Uint32(head) != indexMagic || le.Uint32(head[4:]) != version || checksum(head[:36]) != le.Uint32(head[36:]) ||
		le.Uint64(head[8:]) != log || le.Uint64(head[16:]) != gen || count < 1 || indexHeader+count*indexEntry > size {
		return nil, errNoIndex
	}
	entries := make([]byte, count*indexEntry)
	if _, err = r.ReadAt(entries, indexHeader); err != nil || checksum(entries) != le.Uint32(head[28:]) {
		return nil, errNoIndex
	}
	x := &index{gen: gen, places: make(map[uint64][]uint32, 1)}
	part, err := indexPart(r, entries[:indexEntry], size)
	if err != nil {
		return nil, err
	}
	for d := (varints{b: part}); len(d.b) > 0; {
		var m mark
		if n := len(x.marks); n > 0 {
			m = x.marks[n-1]
		}
		m.off += d.offset()
		m.at += d.signed()
		x.marks = append(x.marks, m)
	}
	i := sort.Search(int(count), func(i int) bool { return le.Uint64(entries[i*indexEntry:]) >= serial })
	if i == int(count) || le.Uint64(entries[i*indexEntry:]) != serial {
		return x, nil // nothing of it in this segment
	}
	if part, err = indexPart(r, entries[i*indexEntry:], size); err != nil {
		return nil, err
	}
	var off uint32
	for d := (varints{b: part}); len(d.b) > 0; {
		off += d.offset()
		x.places[serial] = append(x.places[serial], off)
	}
	return x, nil
}

func indexPart(r readFile, entry []byte, size int64) ([]byte, error) {
	le := binary.LittleEndian
	off, n := signed(le.Uint64(entry[8:])), int64(le.Uint32(entry[16:]))
	if off < 0 || off > size || n > size-off {
		return nil, errNoIndex
	}
	part := make([]byte, n)
	if _, err := r.ReadAt(part, off); err != nil || checksum(part) != le.Uint32(entry[20:]) {
		return nil, errNoIndex
	}
	return part, nil
}

// rebuild makes the index of a segment from its commits.
func rebuild(sc *scanner) (*index, error) {
	x := &index{gen: sc.gen, places: make(map[uint64][]uint32)}
	_, err := sc.all(func(h header, off int64, body []byte) { x.add(h, off, body) })
	return x, err
}

// add enters a commit's records.
func (x *index) add(h header, off int64, body []byte) {
	x.marks = append(x.marks, mark{u32(off), h.at})
	for pos := 0; pos < len(body); {
		r, err := parseRecord(body[pos:])
		if err != nil {
			return // Check reports it
		}
		if r.typ != diskTable && r.typ != diskRelease {
			x.places[r.serial] = append(x.places[r.serial], u32(off+headerBytes+int64(pos)))
		}
		pos += r.size
	}
}
