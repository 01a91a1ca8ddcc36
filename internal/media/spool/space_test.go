package spool

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"golang.org/x/sys/unix"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// What was released is used again, and what is too much is given back.
func TestRecycling(t *testing.T) {
	t.Parallel()
	ps := permits(t, 1)
	synctest.Test(t, func(t *testing.T) {
		d := newMemDisk()
		l := open(t, small(d))
		for i := range 60 { // 60 × 30 kB
			id := fmt.Sprintf("r%d", i)
			r := begin(t, l, ps[0], id)
			for n := range uint64(6) {
				store(t, l, r, n*10+1, n*10+10)
			}
			seal(t, r)
			wantFrames(t, l, id, 1, 60)
			if err := l.Release(id); err != nil {
				t.Fatal(err)
			}
			if _, err := l.Begin(t.Context(), recorder.Permit{}, id, nil); err == nil {
				t.Fatal("began without a permit")
			}
		}
		if n := d.segments(); n > mostSpares+2 || l.gen < 20 {
			t.Fatalf("%d segments after %d generations", n, l.gen)
		}
		// A backlog grows; when it is archived the disk gets its space back.
		for i := range 30 {
			r := begin(t, l, ps[0], fmt.Sprintf("b%d", i))
			for n := range uint64(6) {
				store(t, l, r, n*10+1, n*10+10)
			}
			seal(t, r)
		}
		most := d.segments()
		for i := range 30 {
			wantFrames(t, l, fmt.Sprintf("b%d", i), 1, 60)
			if err := l.Release(fmt.Sprintf("b%d", i)); err != nil {
				t.Fatal(err)
			}
		}
		<-time.After(time.Minute)
		if n := d.segments(); most < 12 || n > mostSpares+1 {
			t.Fatalf("%d segments at first, %d after a minute", most, n)
		}
		shut(t, l)
		sound(t, d)
		l = open(t, small(d))
		shut(t, l)
	})
}

// A full disk stops the keeper quietly, and the log loudly: in time to say so.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	ps := permits(t, 1)
	synctest.Test(t, func(t *testing.T) {
		d := newMemDisk()
		core, logs := observer.New(zap.WarnLevel)
		o := small(d)
		o.Log = zap.New(core)
		failures := make(chan error, 2)
		o.OnFailure = func(err error) { failures <- err }
		l := open(t, o)
		synctest.Wait() // the first spare is ready
		d.set(func(op string) error {
			if op == "allocate" {
				return unix.ENOSPC
			}
			return nil
		})
		r := begin(t, l, ps[0], "rec")
		var err error
		var last uint64
		for seq := uint64(1); err == nil && seq < 1000; seq++ {
			err = flush(l, func(b *Batch) { b.Frame(r, audio(seq)) })
			if err == nil {
				last = seq
			}
			<-time.After(100 * time.Millisecond)
		}
		if failed := <-failures; !errors.Is(err, ErrFailed) || !errors.Is(err, unix.ENOSPC) || !errors.Is(failed, unix.ENOSPC) {
			t.Fatalf("%v, %v", err, failed)
		}
		if n := logs.Len(); n < 2 {
			t.Fatalf("%d warnings before", n)
		}
		if _, err = r.Seal(t.Context(), Seal{}); !errors.Is(err, ErrFailed) {
			t.Fatal(err)
		}
		wantFrames(t, l, "rec", 1, last) // still readable
		if err = l.Close(t.Context()); !errors.Is(err, unix.ENOSPC) {
			t.Fatalf("closing hides the failure: %v", err)
		}
		l = open(t, small(d.killed()))
		wantFrames(t, l, "rec", 1, last)
		shut(t, l)
	})
}
