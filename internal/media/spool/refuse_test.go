package spool

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recorderbot/recorderbot/internal/media/frame"
)

// The disk hangs, and the log is given up: whoever waits is told at once, Close
// ends in bounded time, and when the disk goes on nothing is written any more.
func TestRefuse(t *testing.T) {
	t.Parallel()
	ps := permits(t, 2)
	synctest.Test(t, func(t *testing.T) {
		d := newMemDisk()
		o := small(d)
		o.OnFailure = func(err error) { t.Errorf("OnFailure was told %v", err) }
		l := open(t, o)
		r, other, done := begin(t, l, ps[0], "rec"), begin(t, l, ps[0], "other"), begin(t, l, ps[0], "done")
		store(t, l, r, 1, 3)
		seal(t, done)
		letGo := hung(d)
		defer letGo()
		if err := l.Update(func(b *Batch) { b.Frame(r, audio(4)) }); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Second) // the commit hangs
		errs := make(chan error, 5)
		ctx := context.Background()
		go func() { _, err := l.Begin(ctx, ps[1], "new", nil); errs <- err }()
		go func() { errs <- l.Release("done") }()
		go func() { _, err := r.Seal(ctx, Seal{Cause: "ended"}); errs <- err }()
		synctest.Wait()
		go func() {
			var err error
			for err == nil { // until there is no room
				err = l.Update(func(b *Batch) { b.Gap(other, frame.Gap{}) })
			}
			errs <- err
		}()
		synctest.Wait()
		start := time.Now()
		cause := errors.New("the disk hangs")
		l.Refuse(cause)
		l.Refuse(errors.New("another cause"))
		for range 4 {
			if err := <-errs; !errors.Is(err, ErrFailed) || !errors.Is(err, cause) {
				t.Errorf("told %v", err)
			}
		}
		if _, err := l.Begin(ctx, ps[1], "late", nil); !errors.Is(err, cause) {
			t.Errorf("began after all: %v", err)
		}
		if since := time.Since(start); since != 0 {
			t.Errorf("told after %v", since)
		}
		if err := l.Close(ctx); !errors.Is(err, cause) || time.Since(start) > closeLimit {
			t.Errorf("closed after %v: %v", time.Since(start), err)
		}
		letGo()
		synctest.Wait()
		writes, _ := d.counts()
		if err := l.Close(ctx); err != nil { // the disk has answered, and we know the cause
			t.Errorf("closed: %v", err)
		}
		if again, _ := d.counts(); again != writes {
			t.Error("written after the log was given up")
		}
		// What was under way became durable, what waited did not.
		l = open(t, small(d))
		wantFrames(t, l, "rec", 1, 4)
		if got := l.Recovered(); len(got) != 3 || got[0].Sealed {
			t.Errorf("recovered %+v", got)
		}
		shut(t, l)
	})
}

// A log whose Close waits already is let go of, too.
func TestRefuseDuringClose(t *testing.T) {
	t.Parallel()
	ps := permits(t, 1)
	synctest.Test(t, func(t *testing.T) {
		d := newMemDisk()
		l := open(t, small(d))
		r := begin(t, l, ps[0], "rec")
		letGo := hung(d)
		defer letGo()
		if err := l.Update(func(b *Batch) { b.Frame(r, audio(1)) }); err != nil {
			t.Fatal(err)
		}
		closed := make(chan error)
		go func() { closed <- l.Close(context.Background()) }()
		synctest.Wait()
		cause := errors.New("the disk hangs")
		l.Refuse(cause)
		if err := <-closed; !errors.Is(err, cause) {
			t.Errorf("closed: %v", err)
		}
	})
}
