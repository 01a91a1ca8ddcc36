package spool

import (
	"fmt"
	"testing"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// TestPermitsOfMany: permit records are read many from one file and many at once, and
// each is that of its recording; one that is damaged, or whose segment is gone, is told
// of, and takes no other along.
func TestPermitsOfMany(t *testing.T) {
	t.Parallel()
	const many = 3*permitsAtOnce + 7
	d := newMemDisk()
	l := open(t, small(d))
	serials := make(map[string]uint64, many)
	for i, p := range permits(t, many) {
		r := begin(t, l, p, fmt.Sprintf("r%d", i))
		store(t, l, r, 1, 10)
		serials[r.track.id] = r.track.serial
	}
	victim, cut := l.ids[fmt.Sprint("r", permitsAtOnce+1)], l.ids["r0"]
	if l.tail < 4 || victim.permit.gen == l.tail || victim.permit.gen == cut.permit.gen {
		t.Fatalf("the log has %d segments, the victim is in %d: too few", l.tail, victim.permit.gen)
	}
	shut(t, l)
	disk := d.killed()
	disk.bytes(slotName(l.segs[victim.permit.gen].slot))[victim.permit.off+30] ^= 1
	if err := disk.Remove(slotName(l.segs[cut.permit.gen].slot)); err != nil {
		t.Fatal(err)
	}
	bad := map[string]bool{}
	again := open(t, small(disk))
	for _, f := range again.Damage() {
		if f.Kind == BadPermit {
			bad[f.Recording] = true
		}
	}
	found := again.Recovered()
	if len(found) != many {
		t.Fatalf("%d recordings of %d", len(found), many)
	}
	for _, info := range found {
		var i int
		if _, err := fmt.Sscanf(info.ID, "r%d", &i); err != nil {
			t.Fatal(err)
		}
		want := recorder.CallID(fmt.Sprintf("call-%d", i))
		if lost := l.ids[info.ID].permit.gen == cut.permit.gen || info.ID == victim.id; lost {
			want = ""
		}
		if info.Call != want || info.Evidence.Call != want || bad[info.ID] != (want == "") || info.Serial != serials[info.ID] {
			t.Errorf("%s is of %q under %q, want %q; told of: %v", info.ID, info.Call, info.Evidence.Call, want, bad[info.ID])
		}
	}
}
