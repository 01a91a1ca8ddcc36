package spool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recorderbot/recorderbot/internal/media/durable"
	"github.com/recorderbot/recorderbot/internal/media/frame"
)

// hung is a disk whose fsync hangs until it is let go.
func hung(d *memDisk) (letGo func()) {
	gate := make(chan struct{})
	d.set(func(op string) error {
		if op == "sync" {
			<-gate
		}
		return nil
	})
	return sync.OnceFunc(func() { close(gate) })
}

// While the disk hangs, a bounded number of bytes waits, and the caller with it.
func TestBackPressure(t *testing.T) {
	t.Parallel()
	ps := permits(t, 1)
	synctest.Test(t, func(t *testing.T) {
		d := newMemDisk()
		l := open(t, small(d))
		r := begin(t, l, ps[0], "rec")
		letGo := hung(d)
		defer letGo()
		appended := 0
		done := make(chan struct{})
		go func() {
			defer close(done)
			for seq := uint64(1); seq <= 200; seq++ {
				if err := l.Update(func(b *Batch) { b.Frame(r, audio(seq)) }); err != nil {
					t.Error(err)
				}
				appended++
			}
		}()
		synctest.Wait()
		if appended < 10 || appended > 100 {
			t.Fatalf("%d frames were taken while the disk hung", appended)
		}
		// Who has a deadline keeps it.
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if _, err := r.Seal(ctx, Seal{Cause: "ended"}); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Fatalf("%v after %v", err, time.Since(start))
		}
		letGo()
		<-done
		shut(t, l)
		wantFrames(t, l, "rec", 1, 200)
	})
}

// A seal whose caller did not wait is sealed all the same, and can be waited for
// again.
func TestSealAfterDeadline(t *testing.T) {
	t.Parallel()
	ps := permits(t, 1)
	synctest.Test(t, func(t *testing.T) {
		d := newMemDisk()
		l := open(t, small(d))
		r := begin(t, l, ps[0], "rec")
		store(t, l, r, 1, 3)
		letGo := hung(d)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := r.Seal(ctx, Seal{LastSeq: 3, Cause: "ended"}); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		letGo()
		if s := seal(t, r); s.Frames != 3 || s.LastSeq != 3 {
			t.Fatalf("%+v", s)
		}
		recs := read(t, l, "rec")
		if last := recs[len(recs)-1]; last.Type != SealType || last.Seal.LastSeq != 3 {
			t.Fatalf("%+v", last)
		}
		shut(t, l)
	})
}

// A recording whose Begin did not come to its end holds nothing and comes back
// never.
func TestBeginGivenUp(t *testing.T) {
	t.Parallel()
	ps := permits(t, 1)
	synctest.Test(t, func(t *testing.T) {
		d := newMemDisk()
		l := open(t, small(d))
		other := begin(t, l, ps[0], "other")
		letGo := hung(d)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun := make(chan error)
		go func() {
			_, err := l.Begin(ctx, ps[0], "rec", nil)
			begun <- err
		}()
		synctest.Wait()
		go func() { // nothing more fits
			for seq := uint64(1); seq <= 200; seq++ {
				_ = l.Update(func(b *Batch) { b.Frame(other, audio(seq)) })
			}
		}()
		if err := <-begun; !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		letGo()
		synctest.Wait()
		r := begin(t, l, ps[0], "next")
		seal(t, r)
		shut(t, l)
		l = open(t, small(d))
		if got := l.Recovered(); len(got) != 2 || got[0].ID != "other" || got[1].ID != "next" {
			t.Fatalf("%+v", got)
		}
		shut(t, l)
		sound(t, d)
	})
}

// Commits come every interval, earlier when somebody waits or there is much.
func TestCommitTimes(t *testing.T) {
	t.Parallel()
	ps := permits(t, 1)
	synctest.Test(t, func(t *testing.T) {
		d := newMemDisk()
		o := small(d)
		o.CommitInterval = 20 * time.Millisecond
		told := make(chan time.Time, 100)
		o.OnDurable = func(ds []Durable) { told <- ds[0].At }
		l := open(t, o)
		r := begin(t, l, ps[0], "rec")
		for seq := uint64(1); seq <= 100; seq++ { // one each 5 ms
			if err := l.Update(func(b *Batch) { b.Frame(r, audio(seq)) }); err != nil {
				t.Fatal(err)
			}
			<-time.After(5 * time.Millisecond)
		}
		if n := len(told); n < 24 || n > 27 {
			t.Fatalf("%d commits in half a second", n)
		}
		for last := <-told; len(told) > 0; {
			at := <-told
			if gap := at.Sub(last); gap > 20*time.Millisecond {
				t.Fatalf("%v between two commits", gap)
			}
			last = at
		}
		begun := time.Now()
		seal(t, r)
		if took := time.Since(begun); took > 5*time.Millisecond {
			t.Fatalf("a seal waited %v", took)
		}
		shut(t, l)
	})
}

// A batch is whole or not at all.
func TestBatchUndone(t *testing.T) {
	t.Parallel()
	d := newMemDisk()
	l := open(t, small(d))
	r := begin(t, l, permits(t, 1)[0], "rec")
	store(t, l, r, 1, 2)
	huge := frame.Frame{Header: frame.Header{Seq: 4, Kind: frame.Video}, Payload: make([]byte, 40<<10)}
	err := l.Update(func(b *Batch) {
		if !b.Frame(r, audio(3)) || b.Frame(r, huge) || b.Frame(r, audio(5)) {
			t.Error("wrong answers")
		}
	})
	if !errors.Is(err, ErrTooLarge) {
		t.Fatal(err)
	}
	err = l.Update(func(b *Batch) { b.Frame(r, audio(3)); b.Note(r, "n", bytes.Repeat([]byte("1"), maxTextBytes+1)) })
	if !errors.Is(err, ErrTooLarge) {
		t.Fatal(err)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_ = l.Update(func(b *Batch) { b.Frame(r, audio(3)); panic("owner's fault") })
	}()
	store(t, l, r, 3, 4)
	if s := seal(t, r); s.Frames != 4 || s.FirstSeq != 1 || s.LastSeq != 4 {
		t.Fatalf("%+v", s)
	}
	wantFrames(t, l, "rec", 1, 4)
	shut(t, l)
	sound(t, d)
}

// The index is only a cache.
func TestLostIndex(t *testing.T) {
	t.Parallel()
	d := image(t, 300)
	files := func(ext string) (names []string) {
		for _, n := range sortedKeys(d.files) {
			if strings.HasSuffix(n, ext) {
				names = append(names, n)
			}
		}
		return names
	}
	l := open(t, small(d))
	for i := range 4 {
		wantFrames(t, l, "rec", 1, 300)
		idx := files(".idx")
		if len(idx) < 2 {
			t.Fatalf("%d index files", len(idx))
		}
		for n, name := range idx {
			switch b := d.bytes(name); i {
			case 0:
				_ = d.Remove(name)
			case 1:
				for at := n; at < len(b); at += len(b)/8 + 1 {
					c := slices.Clone(b)
					c[at] ^= 4
					_ = d.WriteFile(name, c)
					wantFrames(t, l, "rec", 1, 300)
				}
			case 2:
				_ = d.WriteFile(name, b[:len(b)/(n+2)])
			}
		}
	}
}

// One reads while others write.
func TestReadWhileWriting(t *testing.T) {
	t.Parallel()
	d := newMemDisk()
	ack := newAcks()
	o := small(d)
	o.OnDurable = ack.durable
	l := open(t, o)
	ps := permits(t, 3)
	var wg sync.WaitGroup
	for i, p := range ps {
		id := fmt.Sprintf("r%d", i)
		r := begin(t, l, p, id)
		r.Value = i
		wg.Go(func() {
			for seq := uint64(1); seq <= 600; seq++ {
				if err := l.Update(func(b *Batch) { b.Frame(r, audio(seq)) }); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for ack.of(id) < 600 {
				least, n := ack.of(id), uint64(0)
				for rec, err := range l.Read(id) {
					if err != nil {
						t.Error(err)
						return
					}
					if rec.Type == FrameType {
						if n++; rec.Header.Seq != n {
							t.Errorf("frame %d in place of %d", rec.Header.Seq, n)
							return
						}
					}
				}
				if n < least {
					t.Errorf("%d frames were read, %d had been acknowledged", n, least)
				}
			}
		})
	}
	wg.Wait()
	for rec, err := range l.Read("r0") { // who has enough stops
		if rec.Type != PermitType || err != nil {
			t.Fatal(rec.Type, err)
		}
		break
	}
	for rec, err := range l.Read("nobody") {
		if !errors.Is(err, ErrUnknown) {
			t.Fatal(rec.Type, err)
		}
	}
}

func TestClosedLog(t *testing.T) {
	t.Parallel()
	l := open(t, small(newMemDisk()))
	r := begin(t, l, permits(t, 1)[0], "rec")
	if err := l.Update(func(b *Batch) { b.Frame(r, audio(1)) }); err != nil {
		t.Fatal(err)
	}
	shut(t, l)
	shut(t, l) // again does nothing
	if err := l.Update(func(*Batch) { t.Error("called") }); !errors.Is(err, ErrFailed) {
		t.Fatal(err)
	}
	wantFrames(t, l, "rec", 1, 1) // what waited was committed
}

// Where the disk hangs, closing keeps its deadline, and can be tried again.
func TestCloseHangs(t *testing.T) {
	t.Parallel()
	ps := permits(t, 1)
	synctest.Test(t, func(t *testing.T) {
		d := newMemDisk()
		l := open(t, small(d))
		r := begin(t, l, ps[0], "rec")
		letGo := hung(d)
		if err := l.Update(func(b *Batch) { b.Frame(r, audio(1)) }); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := l.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("closed: %v", err)
		}
		if _, err := Open(t.Context(), small(d)); !errors.Is(err, durable.ErrLocked) {
			t.Fatalf("a log that may still write was opened: %v", err)
		}
		letGo()
		shut(t, l)
		l = open(t, small(d))
		wantFrames(t, l, "rec", 1, 1)
		shut(t, l)
	})
}
