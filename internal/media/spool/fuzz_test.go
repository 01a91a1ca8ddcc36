package spool

import (
	"context"
	"encoding/binary"
	"hash/crc32"
	"slices"
	"testing"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// FuzzReader opens, checks and reads a log whose segment holds anything. Nothing
// panics, and no record is returned whose checksum is wrong. Where fix is set, the
// bytes are records: they get right checksums, in a commit that has one too.
func FuzzReader(f *testing.F) {
	good := recorder.Evidence{Call: "call", Context: "call/1/recording"}
	permit := planted(diskPermit, 1, PermitRecord{ID: "rec", Serial: 1, Evidence: good})
	whole := slices.Concat(permit, planted(0, 1, audio(1)), planted(0, 1, audio(4)),
		planted(diskGap, 1, gapBody(frame.Gap{Kind: 1, Count: 2, Cause: frame.CauseHost})), planted(diskNote, 1, noteBody("k", []byte("{}"))),
		planted(diskSeal, 1, SealRecord{Frames: 2, StoredSeq: 4}))
	f.Add(whole, true)
	f.Add(segmentOf(whole), false)
	f.Add(segmentOf(whole)[:5000], false)
	f.Add(segmentOf(nil)[:headerBytes+recordBytes+9], false)
	f.Fuzz(func(t *testing.T, b []byte, fix bool) {
		if len(b) > 1<<20 {
			t.Skip("large")
		}
		if fix {
			b = segmentOf(fixed(b))
		}
		d := newMemDisk()
		b = append(b, make([]byte, -len(b)&(sector-1))...)
		if fix && len(b) < minSegmentSize { // else the file was cut
			b = append(b, make([]byte, minSegmentSize-len(b))...)
		}
		d.files[slotName(0)] = &memFile{view: b, safe: slices.Clone(b), dirty: make(map[int]bool)}
		_, _ = checkFiles(d, "spool")
		o, err := small(d).withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		l := newLog(o, nil)
		if l.recover(context.Background()) != nil {
			return
		}
		for _, tr := range l.state.tracks {
			for rec, err := range l.Read(tr.id) {
				if err == nil && rec.Type == 0 {
					t.Fatal("an empty record")
				}
			}
			seg := d.bytes(slotName(0))
			p := &reader{track: tr, r: &memHandle{d: d, name: slotName(0)}, x: &index{}, window: 1024, end: int64(len(seg))}
			for off := int64(0); off < int64(len(b)-recordBytes); off++ {
				if n := int(seg[off+4]) | int(seg[off+5])<<8; n < recordBytes || off+int64(n) > int64(len(seg)) {
					continue // to be quick
				}
				if _, err := p.read(off); err == nil && !intact(seg[off:]) {
					t.Fatalf("a record with a wrong checksum was returned from byte %d", off)
				}
			}
		}
	})
}

// intact is an opinion of its own about a record's checksum.
func intact(b []byte) bool {
	n := int(b[4]) | int(b[5])<<8 | int(b[6])<<16
	return crc32.Checksum(b[4:n], crc32.MakeTable(crc32.Castagnoli)) == binary.LittleEndian.Uint32(b)
}

// segmentOf is a new log's segment whose second commit holds records.
func segmentOf(records []byte) []byte {
	blocks := (headerBytes + len(records) + blockBytes - 1) / blockBytes
	reserved := u32(max(minSegmentSize, (1+blocks)*blockBytes))
	table := newState().appendTable(make([]byte, headerBytes))
	b := make([]byte, blockBytes)
	copy(b, table)
	header{log: 7, gen: 1, number: 1, at: 1, blocks: 1, reserved: reserved}.seal(b, len(table)-headerBytes)
	c := make([]byte, blocks*blockBytes)
	copy(c[headerBytes:], records)
	header{log: 7, gen: 1, number: 2, at: 2, blocks: u32(blocks), reserved: reserved}.seal(c, len(records))
	return append(b, c...)
}

// fixed gives what looks like records right checksums.
func fixed(b []byte) []byte {
	b = slices.Clone(b)
	for rest := b; len(rest) >= recordBytes; {
		n := int(binary.LittleEndian.Uint32(rest[4:]) & 0xffffff)
		if n < recordBytes || n > len(rest) {
			break
		}
		binary.LittleEndian.PutUint32(rest, checksum(rest[4:n]))
		rest = rest[n:]
	}
	return b
}

// FuzzTable: a table is read as it was written, or refused.
func FuzzTable(f *testing.F) {
	s := newState()
	s.permitted(&track{serial: 3, id: "x", sealed: true, lastGen: 4}, place{1, 64, 100}, 5)
	f.Add(s.appendTable(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := readTable(fixed(b))
		if err != nil {
			return
		}
		again, err := readTable(got.appendTable(nil))
		if err != nil || !again.equal(got) {
			t.Fatalf("%v", err)
		}
	})
}
