package spool

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// named returns the recordings that the findings of a kind name, in order.
func named(fs []Finding, kind FindingKind) []string {
	var ids []string
	for _, f := range fs {
		if f.Kind == kind && f.Recording != "" {
			ids = append(ids, f.Recording)
		}
	}
	return ids
}

// only fails unless there are findings, and all are of one kind.
func only(t *testing.T, fs []Finding, kind FindingKind) {
	t.Helper()
	if got := slices.Compact(kinds(fs)); !slices.Equal(got, []FindingKind{kind}) {
		t.Fatalf("found %v, want only %s", fs, kind)
	}
}

// twoImage is a log of one segment, of a process that was killed: "done" is
// sealed, then "rec" goes on.
func twoImage(t *testing.T, ps []recorder.Permit) *memDisk {
	t.Helper()
	d := newMemDisk()
	l := open(t, small(d))
	done, rec := begin(t, l, ps[0], "done"), begin(t, l, ps[0], "rec")
	store(t, l, done, 1, 5)
	seal(t, done)
	for seq := uint64(1); seq < 30; seq += 10 {
		store(t, l, rec, seq, seq+9)
	}
	d = d.killed()
	shut(t, l)
	return d
}

// The file that was being written is cut, at each of its blocks and in between.
// That is told, by check and by recovery, with what may be lost; what is left is
// recovered; the log goes on behind it, and tells it again until all that may have been there
// was released.
func TestCutTail(t *testing.T) {
	t.Parallel()
	ps := permits(t, 1)
	image := twoImage(t, ps)
	name := slotName(0)
	offs := commits(t, image, name) // table, two permits, "done", its seal, three of "rec"
	if len(offs) != 8 {
		t.Fatalf("%d commits", len(offs))
	}
	for size := int64(blockBytes); size < minSegmentSize; size += blockBytes / 2 {
		bad := image.killed()
		bad.truncate(name, size)
		begun, frames := 0, uint64(0) // of what is whole
		var may []string
		for i, end := range append(offs[1:], offs[7]+2*blockBytes) {
			if end > size {
				break
			}
			begun = max(begun, min(i, 2))
			frames = uint64(max(i-4, 0) * 10)
			may = [][]string{nil, {"done"}, {"done", "rec"}, {"done", "rec"}, {"rec"}, {"rec"}, {"rec"}, {"rec"}}[i]
		}
		rep, err := checkFiles(bad, "spool")
		if err != nil {
			t.Fatal(err)
		}
		only(t, rep.Findings, ShortSegment)
		if got := named(rep.Findings, ShortSegment); !slices.Equal(got, may) || len(rep.Findings) != len(may)+1 {
			t.Fatalf("cut to %d bytes: check names %v, want %v", size, got, may)
		}
		if len(rep.Recordings) != begun {
			t.Fatalf("cut to %d bytes: check lists %v", size, rep.Recordings)
		}
		l := open(t, small(bad))
		if !slices.Equal(l.Damage(), rep.Findings) {
			t.Fatalf("cut to %d bytes: recovery found %v, check %v", size, l.Damage(), rep.Findings)
		}
		if got := l.Recovered(); len(got) != begun || l.tailNow() != 2 {
			t.Fatalf("cut to %d bytes: recovered %+v; generation %d goes on", size, got, l.tailNow())
		}
		for _, id := range may {
			if seqs, damaged := readAround(t, l, id); damaged != 1 || id == "rec" && uint64(len(seqs)) != frames {
				t.Fatalf("cut to %d bytes: read %v of %s, want %d frames and the loss", size, seqs, id, frames)
			}
		}
		goesOn(t, l, bad, ps[0], may, size)
	}
}

// goesOn records in a log whose first segment was cut, kills it, and looks whether
// the cut is told until the last recording is released that may have been in it.
func goesOn(t *testing.T, l *Log, d *memDisk, p recorder.Permit, may []string, size int64) {
	t.Helper()
	next := begin(t, l, p, "next")
	store(t, l, next, 1, 10)
	seal(t, next)
	defer shut(t, l)
	for _, again := range []*memDisk{d.killed(), d.cut(func() bool { return false })} {
		if n := len(again.bytes(slotName(0))); may != nil && int64(n) != size {
			t.Fatalf("the file of %d bytes has %d now", size, n)
		}
		rep, err := checkFiles(again, "spool")
		if err != nil {
			t.Fatal(err)
		}
		after := open(t, small(again))
		if may == nil { // nobody is left who could have been there
			sound(t, again)
		} else {
			only(t, rep.Findings, ShortSegment)
			only(t, after.Damage(), ShortSegment)
			if got := named(rep.Findings, ShortSegment); !slices.Equal(got, may) {
				t.Fatalf("later, check names %v, want %v", got, may)
			}
		}
		wantFrames(t, after, "next", 1, 10)
		for _, info := range after.Recovered() {
			if _, err = after.SealRecovered(context.Background(), info.ID, Seal{Cause: "crash"}); err != nil {
				t.Fatal(err)
			}
			if err = after.Release(info.ID); err != nil {
				t.Fatal(err)
			}
		}
		shut(t, after)
		sound(t, again)
	}
}

// The power is cut while a cut log is recovered: what is whole is recovered the
// next time, and the cut is not forgotten.
func TestCrashWhileACutLogIsOpened(t *testing.T) {
	t.Parallel()
	image := twoImage(t, permits(t, 1))
	image.truncate(slotName(0), commits(t, image, slotName(0))[7]+100)
	crashes := 0
	look := func(d *memDisk) {
		crashes++
		l := open(t, small(d))
		only(t, l.Damage(), ShortSegment)
		if seqs, _ := readAround(t, l, "rec"); len(seqs) != 20 {
			t.Errorf("crash %d: read %v", crashes, seqs)
		}
		shut(t, l)
		if rep, err := checkFiles(d, "spool"); err != nil || !slices.Equal(named(rep.Findings, ShortSegment), []string{"rec"}) {
			t.Errorf("crash %d: check found %v, %v", crashes, rep.Findings, err)
		}
	}
	image.set(func(op string) error {
		if op == "write" || op == "sync" {
			for _, survives := range []bool{true, false} {
				look(image.cut(func() bool { return survives }))
			}
		}
		return nil
	})
	shut(t, open(t, small(image)))
	image.set(nil)
	look(image)
	if crashes < 9 {
		t.Fatalf("only %d crashes", crashes)
	}
}

// A segment before the last is cut: Open tells it without reading what is whole,
// and whoever reads a recording is told, also where the index is made anew.
func TestCutOldSegment(t *testing.T) {
	t.Parallel()
	ps := permits(t, 1)
	d := newMemDisk()
	l := open(t, small(d))
	early, late, rec := begin(t, l, ps[0], "early"), begin(t, l, ps[0], "late"), begin(t, l, ps[0], "rec")
	store(t, l, early, 1, 5)
	seal(t, early)
	cut := l.off
	store(t, l, late, 1, 5)
	seal(t, late)
	for seq := uint64(1); l.tailNow() < 3; seq += 10 {
		store(t, l, rec, seq, seq+9)
	}
	shut(t, l)
	d.truncate(slotName(0), cut+100)
	for _, indexed := range []bool{true, false} {
		bad := d.killed()
		if !indexed {
			maps.DeleteFunc(bad.files, func(name string, _ *memFile) bool { return strings.HasSuffix(name, ".idx") })
		}
		rep, err := checkFiles(bad, "spool")
		if err != nil {
			t.Fatal(err)
		}
		l := open(t, small(bad))
		only(t, l.Damage(), ShortSegment)
		for _, fs := range [][]Finding{rep.Findings, l.Damage()} {
			if got := named(fs, ShortSegment); !slices.Equal(got, []string{"late", "rec"}) {
				t.Errorf("named %v", got)
			}
		}
		for _, id := range []string{"late", "rec"} {
			if seqs, damaged := readAround(t, l, id); damaged == 0 || id == "late" && len(seqs) != 0 {
				t.Errorf("index %v: read %v of %s, damage %d", indexed, seqs, id, damaged)
			}
		}
		wantFrames(t, l, "early", 1, 5)
		shut(t, l)
	}
	// Less than a block is left: it is as if the file was gone.
	d.truncate(slotName(0), 100)
	rep, err := checkFiles(d, "spool")
	if err != nil || !slices.Equal(named(rep.Findings, MissingSegment), []string{"early", "late", "rec"}) {
		t.Errorf("found %v, %v", rep.Findings, err)
	}
}

// The last segment is cut within its table. It may have held more: it is neither
// taken for one whose creation was cut by a crash, nor wiped.
func TestCutTable(t *testing.T) {
	t.Parallel()
	ps := permits(t, 1)
	d := newMemDisk()
	l := open(t, small(d))
	var rec *Recording
	for i := range 60 { // a table of two blocks
		rec = begin(t, l, ps[0], fmt.Sprintf("%0100d", i))
	}
	var last uint64
	first := l.tailNow()
	for l.tailNow() == first {
		last++
		store(t, l, rec, last, last)
	}
	before := last - 1 // the last one came behind the table
	slot, number := l.segs[first+1].slot, l.number
	shut(t, l)
	d.truncate(slotName(slot), blockBytes)
	for range 2 {
		rep, err := checkFiles(d, "spool")
		if err != nil || len(named(rep.Findings, ShortSegment)) != 60 || len(rep.Recordings) != 60 {
			t.Fatalf("check found %d: %v", len(rep.Findings), err)
		}
		l = open(t, small(d.killed()))
		if got := named(l.Damage(), ShortSegment); len(got) != 60 {
			t.Fatalf("damage %v", l.Damage())
		}
		if seqs, damaged := readAround(t, l, rec.ID()); uint64(len(seqs)) != before || damaged != 1 {
			t.Fatalf("read %d frames, want %d, %d damaged", len(seqs), before, damaged)
		}
		shut(t, l)
		l = open(t, small(d))
		if l.tailNow() != first+2 || l.number < number {
			t.Fatalf("generation %d goes on with commit %d, after %d", l.tailNow(), l.number, number)
		}
		shut(t, l)
	}
}

// A file whose creation was cut never held a commit: it is no finding, and is used.
func TestCutCreation(t *testing.T) {
	t.Parallel()
	ps := permits(t, 1)
	for _, size := range []int{0, sector, 3 * blockBytes} {
		d := image(t, 20)
		b := make([]byte, size)
		d.files[slotName(1)] = &memFile{view: b, safe: slices.Clone(b), dirty: make(map[int]bool)}
		sound(t, d)
		l := open(t, small(d))
		r := begin(t, l, ps[0], "new")
		for seq := uint64(1); l.tailNow() < 2; seq += 10 {
			store(t, l, r, seq, seq+9)
		}
		if n := len(d.bytes(slotName(1))); len(l.Damage()) != 0 || n != minSegmentSize {
			t.Errorf("%v; the file of %d bytes has %d now", l.Damage(), size, n)
		}
		shut(t, l)
		sound(t, d)
	}
}

// Segments are of another size after each start. Those that were begun keep
// theirs, no file is short of it, and one that is cut is found, whatever the size is now.
func TestSegmentSizeChanges(t *testing.T) {
	t.Parallel()
	ps := permits(t, 1)
	d := newMemDisk()
	sizes := []int64{minSegmentSize, 4 * minSegmentSize, 2 * minSegmentSize, minSegmentSize, 8 * minSegmentSize}
	want := make(map[string]uint64)
	for i, size := range sizes {
		o := small(d)
		o.SegmentSize = size
		l := open(t, o)
		if len(l.Damage()) != 0 {
			t.Fatalf("size %d: %v", size, l.Damage())
		}
		first := l.tailNow()
		id := fmt.Sprintf("r%d", i)
		r := begin(t, l, ps[0], id)
		for l.tailNow() < first+3 {
			store(t, l, r, want[id]+1, want[id]+20)
			want[id] += 20
		}
		for id, last := range want {
			wantFrames(t, l, id, 1, last)
		}
		sound(t, d.killed())
		shut(t, l)
		sound(t, d)
		all, err := survey(d, "spool")
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range all {
			w, err := f.walk(d, "spool", func(header, int64, []byte) {})
			if err != nil || w.end > int64(f.first.reserved) {
				t.Errorf("%s: commits up to byte %d of %d: %v", slotName(f.slot), w.end, f.first.reserved, err)
			}
		}
	}
	for _, size := range sizes {
		bad := d.killed()
		l := open(t, small(d.killed()))
		tail := slotName(l.segs[l.tailNow()].slot)
		shut(t, l)
		bad.truncate(tail, int64(len(bad.bytes(tail)))-blockBytes)
		o := small(bad)
		o.SegmentSize = size
		l = open(t, o)
		only(t, l.Damage(), ShortSegment)
		shut(t, l)
	}
}

// Check lists what the log holds, sealed and unsealed, in order, with the time of
// the seal that Seal has said, and not what was released.
func TestCheckListsWhatIsHeld(t *testing.T) {
	t.Parallel()
	ps := permits(t, 1)
	d := newMemDisk()
	l := open(t, small(d))
	z, a, gone := begin(t, l, ps[0], "z"), begin(t, l, ps[0], "a"), begin(t, l, ps[0], "gone")
	store(t, l, a, 1, 5)
	sealed := seal(t, a)
	seal(t, gone)
	if err := l.Release("gone"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got := sound(t, d.killed()).Recordings; !slices.Equal(got, []Held{{ID: "z"}, {ID: "a", SealedAt: sealed.At}}) || sealed.At.IsZero() {
			t.Fatalf("lists %v, sealed %v", got, sealed)
		}
		for gen, seq := l.tailNow(), uint64(0); l.tailNow() == gen; seq++ { // the same from a table
			store(t, l, z, 100*gen+seq, 100*gen+seq)
		}
	}
	shut(t, l)
}
