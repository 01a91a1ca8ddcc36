package recorder

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// wasRecorded is what a process that died while it recorded has left.
func wasRecorded() Takeover {
	return Takeover{Memory: Memory{State: "recording", Asked: 1}, Unsealed: true, Session: &Session{ID: "s"}}
}

// TestHeldCallsAreLive: a call that is held does nothing and takes everything: what is
// said of it, and to it, is worked off when it goes on; a repeated invite starts nothing.
func TestHeldCallsAreLive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{previous: true}
		r := w.begin(t.Context(), Options{})
		r.Hold()
		r.TakeUp(testInvite("c"), wasRecorded())
		synctest.Wait()
		if v, live := r.View("c"); !live || v.State != "reviving" || !r.Records("c") || r.Live() != 1 {
			t.Errorf("live %v, records %v: %+v", live, r.Records("c"), v)
		}
		if !r.Invite(testInvite("c")) || r.Live() != 1 {
			t.Error("a repeated invite is a call of its own")
		}
		if err := errors.Join(r.Note("c", EntryRoster, nil), r.Post("c", CallEnded{})); err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := r.Pause(ctx, "c"); !errors.Is(err, ErrNotGiven) {
			t.Errorf("an order: %v", err)
		}
		if got := w.log(); slices.ContainsFunc(got, func(s string) bool { return s == "askCall" }) || orders(got) != "" {
			t.Errorf("done while held: %q", got)
		}
		r.GoOn()
		wait(t, r)
		if got := w.ends(); len(got) != 1 || orders(w.log()) != "seal, announce failed" {
			t.Errorf("%+v: %s", got, orders(w.log()))
		}
		replayed(t, w)
	})
}

// TestHoldIsForThoseTakenUpMeanwhile: new calls are answered while others are held, and
// a call that is taken up later is not held.
func TestHoldIsForThoseTakenUpMeanwhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{previous: true}
		r := w.begin(t.Context(), Options{})
		r.Hold()
		r.TakeUp(testInvite("c"), wasRecorded())
		r.Invite(testInvite("d"))
		synctest.Wait()
		if v, _ := r.View("d"); v.State != "answering" {
			t.Errorf("a new call is %q", v.State)
		}
		r.GoOn()
		r.GoOn()
		r.TakeUp(testInvite("e"), wasRecorded())
		pass(3 * time.Second)
		for _, id := range []CallID{"c", "e"} {
			if v, _ := r.View(id); v.State != "recording" {
				t.Errorf("%s is %q", id, v.State)
			}
		}
	})
}

// TestHeldCallsAreLeft: a process that ends, or hands its calls over, does not wait for
// calls that it holds.
func TestHeldCallsAreLeft(t *testing.T) {
	t.Parallel()
	for _, freezes := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := &world{previous: true}
			ctx, end := context.WithCancel(t.Context())
			defer end()
			r := w.begin(ctx, Options{})
			r.Hold()
			r.TakeUp(testInvite("c"), wasRecorded())
			synctest.Wait()
			if freezes {
				freeze(t, r, 1)
			} else {
				end()
			}
			wait(t, r)
			if got := w.ends(); len(got) > 0 {
				t.Errorf("%+v", got)
			}
		})
	}
}
