package spool

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// ledger is what a test knows: what it gave to the log, and what the log has
// said is durable.
type ledger struct {
	mu   sync.Mutex
	recs map[string]*known
}

type known struct {
	appended uint64 // frames 1..appended were given to the log
	acked    uint64
	begun    bool // Begin has returned
	sealing  bool // Seal was called
	sealed   bool // Seal has returned
	leaving  bool // Release was called
	released bool // Release has returned
}

func (b *ledger) with(id string, fn func(k *known)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.recs == nil {
		b.recs = make(map[string]*known)
	}
	if b.recs[id] == nil {
		b.recs[id] = &known{}
	}
	fn(b.recs[id])
}

func (b *ledger) durable(ds []Durable) {
	for _, d := range ds {
		b.with(d.Recording.ID(), func(k *known) { k.acked = d.Seq })
	}
}

func (b *ledger) snapshot() map[string]known {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := make(map[string]known, len(b.recs))
	for id, k := range b.recs {
		m[id] = *k
	}
	return m
}

// holds fails unless the log on a disk that survived a crash has all that was
// acknowledged, and nothing that was not given to it.
func holds(d *memDisk, want map[string]known) error {
	l, err := Open(context.Background(), small(d))
	if err != nil {
		return err
	}
	defer func() { _ = l.Close(context.Background()) }()
	if dam := l.Damage(); len(dam) > 0 {
		return fmt.Errorf("damage: %v", dam[0])
	}
	got := make(map[string]Info)
	for _, info := range l.Recovered() {
		got[info.ID] = info
	}
	for id, k := range want {
		info, ok := got[id]
		switch {
		case !ok && k.begun && !k.leaving:
			return fmt.Errorf("recording %s is lost", id)
		case ok && k.released:
			return fmt.Errorf("recording %s came back", id)
		case !ok:
			continue
		case k.sealed && !info.Sealed:
			return fmt.Errorf("the seal of %s is lost", id)
		case info.Sealed && !k.sealing:
			return fmt.Errorf("%s is sealed, nobody did", id)
		case info.LastSeq < k.acked || info.LastSeq > k.appended || info.Frames != info.LastSeq:
			return fmt.Errorf("%s has %d frames up to %d; acknowledged %d, appended %d", id, info.Frames, info.LastSeq, k.acked, k.appended)
		}
		delete(got, id)
		if err = readsBack(l, id, info); err != nil {
			return err
		}
	}
	for id := range got {
		return fmt.Errorf("recording %s was never begun", id)
	}
	if err = l.Close(context.Background()); err != nil {
		return err
	}
	rep, err := checkFiles(d, "spool")
	if err == nil && len(rep.Findings) > 0 {
		err = rep.Err()
	}
	return err
}

func readsBack(l *Log, id string, info Info) error {
	next := uint64(1)
	for rec, err := range l.Read(id) {
		if err != nil {
			return err
		}
		if rec.Type != FrameType {
			continue
		}
		if want := audio(next); rec.Header != want.Header || !slices.Equal(rec.Payload, want.Payload) {
			return fmt.Errorf("%s: frame %d came back as %+v", id, next, rec.Header)
		}
		next++
	}
	if next-1 != info.Frames {
		return fmt.Errorf("%s: read %d frames of %d", id, next-1, info.Frames)
	}
	return nil
}

// work is a session of a recorder: several recordings, over several segments,
// begun, sealed, released. It ends at the first error.
func work(l *Log, b *ledger, ps []recorder.Permit, rounds int) error {
	ctx := context.Background()
	for round := range rounds {
		var open []*Recording
		for i := range 3 {
			id := fmt.Sprintf("r%d-%d", round, i)
			b.with(id, func(*known) {})
			r, err := l.Begin(ctx, ps[i], id, nil)
			if err != nil {
				return err
			}
			b.with(id, func(k *known) { k.begun = true })
			open = append(open, r)
		}
		for n := range uint64(8) {
			err := flush(l, func(batch *Batch) {
				for _, r := range open {
					for i := range uint64(3) {
						b.with(r.ID(), func(k *known) { k.appended = n*3 + i + 1 })
						batch.Frame(r, audio(n*3+i+1))
					}
				}
			})
			if err != nil {
				return err
			}
		}
		for i, r := range open[:2] {
			b.with(r.ID(), func(k *known) { k.sealing = true })
			if _, err := r.Seal(ctx, Seal{LastSeq: 24, Cause: "ended"}); err != nil {
				return err
			}
			b.with(r.ID(), func(k *known) { k.sealed = true; k.leaving = i == 0 })
			if i == 0 {
				if err := l.Release(r.ID()); err != nil {
					return err
				}
				b.with(r.ID(), func(k *known) { k.released = true })
			}
		}
	}
	return nil
}

// TestCrashAnywhere crashes the process and cuts the power before each write and
// each fsync of a session, with none, all and some of the sectors that were not
// synced on the disk, and opens what is left.
func TestCrashAnywhere(t *testing.T) {
	t.Parallel()
	ps := permits(t, 3)
	var b ledger
	d := newMemDisk()
	rnd := rand.New(rand.NewPCG(1, 2))
	some := func() bool { return rnd.IntN(2) == 0 }
	crashes := 0
	var mu sync.Mutex // the keeper comes too
	d.set(func(op string) error {
		mu.Lock()
		defer mu.Unlock()
		want := b.snapshot()
		for name, survives := range map[string]func() bool{
			"all": func() bool { return true }, "none": func() bool { return false }, "some": some, "others": some,
		} {
			crashes++
			if err := holds(d.cut(survives), want); err != nil {
				t.Errorf("crash %d, before %s, %s of the sectors survived: %v", crashes, op, name, err)
			}
		}
		return nil
	})
	o := small(d)
	o.OnDurable = b.durable
	l := open(t, o)
	if err := work(l, &b, ps, 6); err != nil {
		t.Fatal(err)
	}
	shut(t, l)
	if _, syncs := d.counts(); syncs < 70 || d.segments() < 3 {
		t.Fatalf("only %d syncs and %d segments: the test tests too little", syncs, d.segments())
	}
	if err := holds(d.killed(), b.snapshot()); err != nil {
		t.Fatal(err)
	}
}

// TestBreakAnywhere fails each write, fsync, allocation and open in turn. The log
// must take nothing more, touch the disk no more, say so once, and leave what it
// acknowledged.
func TestBreakAnywhere(t *testing.T) {
	t.Parallel()
	ps := permits(t, 3)
	broken := errors.New("the disk is broken")
	for at := 1; ; at++ {
		var b ledger
		d := newMemDisk()
		n, after, failures := 0, 0, 0
		o := small(d)
		o.OnDurable = b.durable
		o.OnFailure = func(err error) {
			if failures++; !errors.Is(err, ErrFailed) || !errors.Is(err, broken) {
				t.Errorf("operation %d: OnFailure got %v", at, err)
			}
		}
		l, err := Open(context.Background(), o)
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex // the keeper opens and allocates
		d.set(func(op string) error {
			mu.Lock()
			defer mu.Unlock()
			if op != "write" && op != "sync" {
				return nil
			}
			if n++; n == at {
				return broken
			}
			if n > at && op == "write" {
				after++
			}
			return nil
		})
		if err = work(l, &b, ps, 3); err == nil {
			shut(t, l)
			mu.Lock()
			reached := n
			mu.Unlock()
			if reached >= at {
				t.Fatalf("operation %d failed, and nobody cared", at)
			}
			return // there are no more operations to break
		}
		uerr := l.Update(func(*Batch) { t.Errorf("operation %d: a failed log called back", at) })
		_ = l.Close(context.Background())
		mu.Lock()
		seen, writes := failures, after
		mu.Unlock()
		switch {
		case !errors.Is(err, ErrFailed) || !errors.Is(uerr, ErrFailed):
			t.Fatalf("operation %d: got %v and %v", at, err, uerr)
		case seen != 1:
			t.Fatalf("operation %d: OnFailure was called %d times", at, seen)
		case writes != 0:
			t.Fatalf("operation %d: %d writes after the failure", at, writes)
		}
		d.set(nil)
		// Where the process restarts, sees what was never synced, and then the power
		// is cut: what the second process has said must hold as well.
		none := func() bool { return false }
		killed := d.killed()
		if err = errors.Join(holds(d.cut(none), b.snapshot()), holds(killed, b.snapshot())); err != nil {
			t.Fatalf("operation %d: %v", at, err)
		}
		if before, after := ends(t, killed.killed()), ends(t, killed.cut(none)); !maps.Equal(before, after) {
			t.Fatalf("operation %d: the second process knew %v, the third %v", at, before, after)
		}
	}
}

// ends returns the last frame of each recording on a disk.
func ends(t *testing.T, d *memDisk) map[string]uint64 {
	t.Helper()
	l := open(t, small(d))
	m := make(map[string]uint64)
	for _, info := range l.Recovered() {
		m[info.ID] = info.LastSeq
	}
	shut(t, l)
	return m
}

// TestTornTail: whatever is cut from the last commit, and whichever byte of it is
// wrong, the log ends exactly with the commit before.
func TestTornTail(t *testing.T) {
	t.Parallel()
	d := newMemDisk()
	l := open(t, small(d))
	r := begin(t, l, permits(t, 1)[0], "rec")
	store(t, l, r, 1, 6)
	before := l.off
	store(t, l, r, 7, 14)
	end := l.off
	if end-before != 2*blockBytes {
		t.Fatalf("the last commit has %d bytes", end-before)
	}
	image := d.killed()
	name := slotName(0)
	for other := range image.files {
		if other != name {
			delete(image.files, other) // a spare segment only takes time
		}
	}
	last := func(d *memDisk) uint64 {
		o, err := small(d).withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		l := newLog(o, nil)
		if err = l.recover(context.Background()); err != nil {
			t.Fatal(err)
		}
		if len(l.damage) > 0 {
			t.Fatalf("a torn tail is no damage: %v", l.damage[0])
		}
		if l.off != before && l.off != end {
			t.Fatalf("the log ends at %d", l.off)
		}
		return l.state.tracks[1].lastSeq
	}
	if got := last(image.killed()); got != 14 {
		t.Fatalf("untouched, the log ends with frame %d", got)
	}
	step := int64(1)
	if testing.Short() {
		step = 97
	}
	for off := before; off < end; off += step {
		torn := image.killed()
		// Not written from there on; no crash makes the file shorter.
		for i := off; i < end; i++ {
			torn.files[name].view[i], torn.files[name].safe[i] = 0xaa, 0xaa
		}
		if got := last(torn); got != 6 {
			t.Fatalf("cut at byte %d of the commit: the log ends with frame %d", off-before, got)
		}
		wrong := image.killed()
		wrong.bytes(name)[off] ^= byte(1 << (off % 8))
		if got := last(wrong); got != 6 {
			t.Fatalf("byte %d of the commit is wrong: the log ends with frame %d", off-before, got)
		}
		// The decision is final: were the byte to heal, the commit stays cut off.
		if off == before+100 {
			wrong.bytes(name)[off] ^= byte(1 << (off % 8))
			if got := last(wrong); got != 6 {
				t.Fatalf("the torn commit came back with frame %d", got)
			}
		}
	}
}
