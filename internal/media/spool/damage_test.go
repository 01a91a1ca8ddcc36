package spool

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// image is a log of one recording over several segments, closed.
func image(t *testing.T, frames uint64) *memDisk {
	t.Helper()
	d := newMemDisk()
	l := open(t, small(d))
	r := begin(t, l, permits(t, 1)[0], "rec")
	for seq := uint64(1); seq <= frames; seq += 10 {
		store(t, l, r, seq, seq+9)
	}
	shut(t, l)
	return d
}

// commits returns where the commits of a segment begin.
func commits(t *testing.T, d *memDisk, name string) []int64 {
	t.Helper()
	var offs []int64
	b := d.bytes(name)
	h, err := parseHeader(b)
	if err != nil {
		t.Fatal(err)
	}
	for off := int64(0); off < int64(len(b)); off += h.size() {
		next, err := parseHeader(b[off:])
		if err != nil || next.gen != h.gen {
			break
		}
		h = next
		offs = append(offs, off)
	}
	return offs
}

func kinds(fs []Finding) []FindingKind {
	var ks []FindingKind
	for _, f := range fs {
		ks = append(ks, f.Kind)
	}
	return ks
}

// readAround collects the numbers of the frames that can be read, and counts damage.
func readAround(t *testing.T, l *Log, id string) (seqs []uint64, damaged int) {
	t.Helper()
	for rec, err := range l.Read(id) {
		var de *DamageError
		switch {
		case errors.As(err, &de):
			damaged++
		case err != nil:
			t.Fatal(err)
		case rec.Type == FrameType:
			seqs = append(seqs, rec.Header.Seq)
		}
	}
	return seqs, damaged
}

// A commit in the middle of the last segment is damaged: what follows is kept,
// and the loss is reported.
func TestDamageInTheMiddle(t *testing.T) {
	t.Parallel()
	d := image(t, 30)
	offs := commits(t, d, slotName(0)) // table, permit, 3 batches
	if len(offs) != 5 {
		t.Fatalf("%d commits", len(offs))
	}
	for off := offs[3]; off < offs[4]; off += 61 {
		bad := d.killed()
		bad.bytes(slotName(0))[off] ^= 1
		rep, err := checkFiles(bad, "spool")
		if err != nil || !slices.Equal(kinds(rep.Findings), []FindingKind{BadCommit}) {
			t.Fatalf("byte %d: check found %v, %v", off, rep.Findings, err)
		}
		l := open(t, small(bad))
		if got := l.Damage(); !slices.Equal(kinds(got), []FindingKind{BadCommit}) || got[0].Offset != offs[3] || got[0].Segment != slotName(0) {
			t.Fatalf("byte %d: %v", off, got)
		}
		if seqs, _ := readAround(t, l, "rec"); len(seqs) != 20 || seqs[0] != 1 || seqs[10] != 21 {
			t.Fatalf("byte %d: read %v", off, seqs)
		}
		if _, err = l.SealRecovered(context.Background(), "rec", Seal{Cause: "crash"}); err != nil {
			t.Fatal(err)
		}
		shut(t, l)
	}
}

// The permit record itself is damaged: what it allowed cannot be proven, so it is
// not given out as a recording.
func TestDamagedPermit(t *testing.T) {
	t.Parallel()
	d := image(t, 30)
	d.bytes(slotName(0))[commits(t, d, slotName(0))[1]+100] ^= 1
	l := open(t, small(d))
	got := kinds(l.Damage())
	if !slices.Contains(got, BadCommit) || !slices.Contains(got, BeforePermit) {
		t.Fatalf("damage %v", got)
	}
	if rec := l.Recovered(); len(rec) != 0 {
		t.Fatalf("recovered %+v", rec)
	}
}

// A segment before the last is damaged: Open does not read it, Check and Read do.
func TestDamageInAnOldSegment(t *testing.T) {
	t.Parallel()
	d := image(t, 300)
	offs := commits(t, d, slotName(0))
	bad := d.killed()
	bad.bytes(slotName(0))[offs[3]+300] ^= 1 // in a record
	rep, err := checkFiles(bad, "spool")
	if err != nil || !slices.Contains(kinds(rep.Findings), BadCommit) {
		t.Fatalf("check found %v, %v", rep.Findings, err)
	}
	l := open(t, small(bad))
	if len(l.Damage()) != 0 {
		t.Fatalf("%v", l.Damage())
	}
	if seqs, damaged := readAround(t, l, "rec"); len(seqs) != 299 || damaged != 1 {
		t.Fatalf("read %d frames, %d damaged", len(seqs), damaged)
	}
	shut(t, l)

	// The end of it is gone: the next table tells.
	bad = d.killed()
	for _, off := range offs[len(offs)-2:] {
		bad.bytes(slotName(0))[off] ^= 1
	}
	rep, err = checkFiles(bad, "spool")
	if err != nil || !slices.Contains(kinds(rep.Findings), BadCommit) || !slices.Contains(kinds(rep.Findings), BadTable) {
		t.Fatalf("check found %v, %v", rep.Findings, err)
	}

	// The whole file is gone.
	bad = d.killed()
	if err = bad.Remove(slotName(0)); err != nil {
		t.Fatal(err)
	}
	rep, err = checkFiles(bad, "spool")
	if err != nil || !slices.Contains(kinds(rep.Findings), MissingSegment) || !slices.Contains(kinds(rep.Findings), BadPermit) {
		t.Fatalf("check found %v, %v", rep.Findings, err)
	}
	l = open(t, small(bad))
	if got := kinds(l.Damage()); !slices.Contains(got, MissingSegment) || !slices.Contains(got, BadPermit) {
		t.Fatalf("damage %v", got)
	}
	if seqs, damaged := readAround(t, l, "rec"); len(seqs) == 0 || damaged != 1 {
		t.Fatalf("read %d frames, %d damaged", len(seqs), damaged)
	}
}

// The last table is damaged: the log is read from the one before, nothing is lost,
// and it is reported. Also its first block alone may be.
func TestDamagedTable(t *testing.T) {
	t.Parallel()
	d := image(t, 300)
	l := open(t, small(d.killed()))
	last := l.segs[l.tail].slot
	if l.tail < 3 || len(l.marks) < 2 {
		t.Fatalf("generation %d, %d commits", l.tail, len(l.marks))
	}
	for _, off := range []int{0, 20, 62, 70, 90, 4000} {
		bad := d.killed()
		bad.bytes(slotName(last))[off] ^= 1
		l := open(t, small(bad))
		if got := kinds(l.Damage()); !slices.Contains(got, BadTable) {
			t.Fatalf("byte %d: damage %v", off, got)
		}
		wantFrames(t, l, "rec", 1, 300)
		if _, err := l.SealRecovered(context.Background(), "rec", Seal{Cause: "crash"}); err != nil {
			t.Fatal(err)
		}
		shut(t, l)
		rep, err := checkFiles(bad, "spool")
		if err != nil || !slices.Contains(kinds(rep.Findings), BadTable) {
			t.Fatalf("check found %v, %v", rep.Findings, err)
		}
	}
}

func TestRefusesWhatItCannotRead(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		spoil func(b []byte)
		want  string
	}{
		"version": {func(b []byte) { b[4] = 1 }, "version 1"},
		"flags":   {func(b []byte) { b[6] = 1 }, "flags 0x1"},
		"key":     {func(b []byte) { b[48] = 1 }, "key 1"},
		"log":     {func(b []byte) { b[8] ^= 1 }, "another log"},
	} {
		d := image(t, 300)
		b := d.bytes(slotName(0))
		tc.spoil(b)
		binary.LittleEndian.PutUint32(b[60:], checksum(b[:60]))
		before := fmt.Sprint(checksum(b))
		_, err := Open(context.Background(), small(d))
		if err == nil || !strings.Contains(err.Error(), tc.want) || (name != "log") != errors.Is(err, ErrVersion) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err = checkFiles(d, "spool"); err == nil {
			t.Errorf("%s: check could read it", name)
		}
		if after := fmt.Sprint(checksum(d.bytes(slotName(0)))); after != before {
			t.Errorf("%s: it was changed", name)
		}
	}
}

// plant appends a commit with any records to a closed log.
func plant(t *testing.T, d *memDisk, records ...[]byte) {
	t.Helper()
	l := open(t, small(d.killed()))
	gen, number, off, slot := l.gen, l.number, l.off, l.segs[l.tail].slot
	id := l.log
	shut(t, l)
	commit := make([]byte, headerBytes, 4*blockBytes)
	for _, r := range records {
		commit = append(commit, r...)
	}
	n := len(commit) - headerBytes
	h := header{log: id, gen: gen, number: number + 1, at: 1, blocks: u32((len(commit) + blockBytes - 1) / blockBytes), reserved: minSegmentSize}
	copy(d.bytes(slotName(slot))[off:], h.seal(commit[:cap(commit)], n))
}

func planted(typ diskType, serial uint64, body any) []byte {
	b := make([]byte, recordBytes)
	switch body := body.(type) {
	case frame.Frame:
		var n int
		typ, n = frameSize(&body)
		b = make([]byte, n)
		putFrame(b, typ, serial, &body)
		return b
	case nil:
	case []byte:
		b = append(b, body...)
	default:
		j, err := json.Marshal(body)
		if err != nil {
			panic(err)
		}
		b = append(b, j...)
	}
	putRecord(b, typ, serial, 0, 0, 0)
	return b
}

// Check finds each violation that somebody planted, with right checksums.
func TestCheckFindsViolations(t *testing.T) {
	t.Parallel()
	good := recorder.Evidence{Call: "call", Context: "call/1/recording"}
	badSum := planted(diskNote, 1, []byte("\x01x1"))
	badSum[0] ^= 1
	for name, tc := range map[string]struct {
		records [][]byte
		want    FindingKind
	}{
		"a frame without any permit":   {[][]byte{planted(0, 9, audio(1))}, BeforePermit},
		"a gap without any permit":     {[][]byte{planted(diskGap, 9, gapBody(frame.Gap{}))}, BeforePermit},
		"a seal without any permit":    {[][]byte{planted(diskSeal, 9, SealRecord{})}, BeforePermit},
		"a frame after the seal":       {[][]byte{planted(diskSeal, 1, SealRecord{Frames: 20, StoredSeq: 20}), planted(0, 1, audio(21))}, AfterSeal},
		"a note after the seal":        {[][]byte{planted(diskSeal, 1, SealRecord{Frames: 20, StoredSeq: 20}), planted(diskNote, 1, []byte("\x01x1"))}, AfterSeal},
		"a second seal":                {[][]byte{planted(diskSeal, 1, SealRecord{Frames: 20, StoredSeq: 20}), planted(diskSeal, 1, SealRecord{Frames: 20, StoredSeq: 20})}, AfterSeal},
		"a seal over fewer frames":     {[][]byte{planted(diskSeal, 1, SealRecord{Frames: 19, StoredSeq: 20})}, BadSeal},
		"a seal that is not JSON":      {[][]byte{planted(diskSeal, 1, []byte("{"))}, BadSeal},
		"a release without a seal":     {[][]byte{planted(diskRelease, 1, nil)}, BadSeal},
		"a frame twice":                {[][]byte{planted(0, 1, audio(20))}, BadOrder},
		"a permit without evidence":    {[][]byte{planted(diskPermit, 9, PermitRecord{ID: "x", Serial: 9})}, BadPermit},
		"a permit of another serial":   {[][]byte{planted(diskPermit, 9, PermitRecord{ID: "x", Serial: 8, Evidence: good})}, BadPermit},
		"a second permit, same serial": {[][]byte{planted(diskPermit, 1, PermitRecord{ID: "rec", Serial: 1, Evidence: good})}, BadPermit},
		"a permit that is not JSON":    {[][]byte{planted(diskPermit, 9, []byte("{"))}, BadPermit},
		"a record of unknown type":     {[][]byte{planted(99, 1, nil)}, BadRecord},
		"a record with a bad checksum": {[][]byte{badSum}, BadRecord},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := image(t, 20)
			plant(t, d, tc.records...)
			rep, err := checkFiles(d, "spool")
			if err != nil || !slices.Contains(kinds(rep.Findings), tc.want) {
				t.Fatalf("check found %v, %v", rep.Findings, err)
			}
			if f := rep.Findings[0]; f.Segment != slotName(0) || f.Generation != 1 || f.Commit == 0 || f.String() == "" {
				t.Fatalf("the finding is vague: %+v", f)
			}
			var fe *FindingError
			if !errors.As(rep.Err(), &fe) || fe.Finding != rep.Findings[0] {
				t.Fatalf("the report's error is %v", rep.Err())
			}
		})
	}
	d := image(t, 20)
	plant(t, d, planted(diskSeal, 1, SealRecord{Frames: 20, StoredSeq: 20}), planted(diskRelease, 1, nil),
		planted(diskPermit, 9, PermitRecord{ID: "x", Serial: 9, Evidence: good}), planted(0, 9, audio(1)))
	if rep := sound(t, d); rep.Frames != 21 || !slices.Equal(rep.Recordings, []Held{{ID: "x"}}) {
		t.Fatalf("%+v", rep)
	}
}

func TestCheckWithoutALog(t *testing.T) {
	t.Parallel()
	if _, err := Check(t.TempDir()); !errors.Is(err, ErrNoLog) {
		t.Fatal(err)
	}
	if _, err := Check("/does/not/exist"); err == nil {
		t.Fatal("checked nothing")
	}
}
