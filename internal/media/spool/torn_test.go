package spool

import (
	"context"
	"slices"
	"testing"
)

// tearTable puts into a slot what a power cut leaves of a segment that was being
// begun under a generation: the first block of its table.
func tearTable(t *testing.T, d *memDisk, slot int, gen uint64) {
	t.Helper()
	l := open(t, small(d.killed()))
	h := header{log: l.log, gen: gen, number: l.number + 1, at: 1, blocks: 2, reserved: minSegmentSize}
	shut(t, l)
	commit := make([]byte, 2*blockBytes)
	for i := range commit[headerBytes:] {
		commit[headerBytes+i] = byte(i)
	}
	b := make([]byte, minSegmentSize)
	copy(b, h.seal(commit, len(commit)-headerBytes)[:blockBytes])
	d.files[slotName(slot)] = &memFile{view: b, safe: slices.Clone(b), dirty: make(map[int]bool)}
}

// A power cut tears the table of a generation in a high slot; the log gives the
// generation to a lower one. After the next crash the torn table is not taken for
// it: what was acknowledged is read.
func TestTornTableShadowsNothing(t *testing.T) {
	t.Parallel()
	ps := permits(t, 1)
	d := image(t, 20) // generation 1
	tearTable(t, d, 9, 2)
	for slot := range 3 { // spares that are used before it
		b := make([]byte, minSegmentSize)
		d.files[slotName(slot+1)] = &memFile{view: b, safe: slices.Clone(b), dirty: make(map[int]bool)}
	}
	l := open(t, small(d))
	if got := l.Damage(); len(got) != 0 {
		t.Fatalf("a torn table is damage: %v", got)
	}
	r := begin(t, l, ps[0], "new")
	last := uint64(0)
	for l.tailNow() < 3 {
		store(t, l, r, last+1, last+5)
		last += 5
	}
	// Killed, not closed: the power stays.
	l = open(t, small(d.killed()))
	if got := l.Damage(); len(got) != 0 {
		t.Errorf("damage after the second crash: %v", got)
	}
	wantFrames(t, l, "new", 1, last)
	wantFrames(t, l, "rec", 1, 20)
	sound(t, d.killed())
}

// tailNow is the generation that is being written.
func (l *Log) tailNow() uint64 {
	l.known.Lock()
	defer l.known.Unlock()
	return l.tail
}

// A log of an older version has two segments of one generation. The one that can
// be read wins, wherever it lies; it is damage, and nothing that could be read is
// wiped.
func TestTwoSegmentsOfOneGeneration(t *testing.T) {
	t.Parallel()
	image := image(t, 300)
	if n := image.segments(); n < 3 {
		t.Fatalf("%d segments", n)
	}
	for _, torn := range []bool{true, false} {
		for _, low := range []bool{true, false} {
			d := image.killed()
			mine, other := slotName(1), slotName(30)
			d.mu.Lock()
			gen := func() uint64 { h, _ := parseHeader(d.files[mine].view); return h.gen }()
			d.mu.Unlock()
			if torn {
				tearTable(t, d, 30, gen)
			} else { // its table is damaged, what follows is not
				d.files[other] = image.killed().files[mine]
				d.files[other].view[100] ^= 1
			}
			if low { // the true one is the higher
				d.files[mine], d.files[other] = d.files[other], d.files[mine]
			}
			rep, err := checkFiles(d, "spool")
			if err != nil || !slices.Equal(kinds(rep.Findings), []FindingKind{BadTable}) || rep.Findings[0].Generation != gen {
				t.Fatalf("torn %v, low %v: check found %v, %v", torn, low, rep.Findings, err)
			}
			l := open(t, small(d))
			if got := l.Damage(); !slices.Equal(kinds(got), []FindingKind{BadTable}) {
				t.Errorf("torn %v, low %v: damage %v", torn, low, got)
			}
			wantFrames(t, l, "rec", 1, 300)
			loser := other
			if low {
				loser = mine
			}
			if _, err := parseHeader(d.bytes(loser)); (err != nil) != torn {
				t.Errorf("torn %v, low %v: the other one's first block: %v", torn, low, err)
			}
			if _, err := l.SealRecovered(context.Background(), "rec", Seal{Cause: "crash"}); err != nil {
				t.Fatal(err)
			}
			shut(t, l)
		}
	}
}

// A table that is damaged at its beginning is not torn where something whole
// follows, however far behind.
func TestTornLooksFar(t *testing.T) {
	t.Parallel()
	d := newMemDisk()
	const size = 8 << 20
	o := small(d)
	o.SegmentSize = size
	l := open(t, o)
	h := header{log: l.log, gen: 2, number: l.number + 1, at: 1, blocks: 2, reserved: size}
	shut(t, l)
	b := make([]byte, size)
	copy(b, h.seal(slices.Repeat([]byte{1}, 2*blockBytes), 2*blockBytes-headerBytes)[:blockBytes])
	far := header{log: h.log, gen: 2, number: h.number + 1, at: 1, blocks: 1, reserved: size}
	copy(b[tableWindow+2*blockBytes:], far.seal(make([]byte, blockBytes), 0))
	d.files[slotName(9)] = &memFile{view: b, safe: slices.Clone(b), dirty: make(map[int]bool)}
	l = open(t, o)
	if _, err := parseHeader(d.bytes(slotName(9))); err != nil || l.tail != 2 {
		t.Fatalf("generation %d goes on, the first block of generation 2: %v", l.tail, err)
	}
}
