package media

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/recorder"
	"github.com/recorderbot/recorderbot/internal/recorder/recordertest"
)

// leave has a process die over recordings of a call, which it has begun with these
// metas: the first has ten frames, the others have none, and what they say to be
// missing. It returns a world of the next process, and what that finds.
func leave(t *testing.T, metas []string, missing frame.Gap) (*world, []spool.Info) {
	t.Helper()
	w := blankWorld(t, worldOptions{})
	dir := spool.Options{Dir: filepath.Join(w.dir, "spool"), SegmentSize: 4 << 20}
	l, err := spool.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	for i, meta := range metas {
		var r *spool.Recording
		r, err = l.Begin(t.Context(), recordertest.Permit(t, "c"), "rec-"+string(rune('a'+i)), []byte(meta))
		if err != nil {
			t.Fatal(err)
		}
		err = l.Update(func(b *spool.Batch) {
			for seq := uint64(1); i == 0 && seq <= 10; seq++ {
				b.Frame(r, audio(seq))
			}
			if i > 0 && missing.Count > 0 {
				b.Gap(r, missing)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err = l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	ca := newAuthority(t)
	w.hosts = []*testHost{newTestHost(t, ca, "host-a")}
	w.begin([]string{w.hosts[0].addr}, ca.client(t), worldOptions{}, spool.Options{SegmentSize: 4 << 20, CommitInterval: 5 * time.Millisecond})
	found := Parts(w.spool.Recovered())
	if len(found) != len(metas) {
		t.Fatalf("found %+v", found)
	}
	return w, found
}

const (
	startMeta    = `{"audio":"mixed","firstSeq":1,"part":1,"joint":"start"}`
	takeoverMeta = `{"audio":"mixed","firstSeq":11,"part":2,"continues":"rec-a","joint":"takeover"}`
)

// sealWithoutOpen seals what was left of the call, and returns the frames that are
// missing by the reports.
func (w *world) sealWithoutOpen(l Left) (frames uint64) {
	w.tb.Helper()
	l.Call = recorder.CallRef{ID: "c"}
	w.service.Adopt(l)
	r, err := w.service.sealLeft(w.tb.Context(), w.service.left["c"], false)
	if err != nil {
		w.tb.Fatal(err)
	}
	for ; r != nil; r = r.Previous {
		frames += r.GapSamples / frame.AudioSamples
	}
	return frames
}

// TestTwoDeathsMissNoTime: a process dies, the next one takes the call over and dies
// before a frame of it is durable, and then the call is over: all that nobody recorded
// is missing, from the last frame on, and what is said to be missing is so once.
func TestTwoDeathsMissNoTime(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		metas []string
		said  frame.Gap
		want  uint64
	}{
		"one death":               {[]string{startMeta}, frame.Gap{}, 60 * 50},
		"two deaths":              {[]string{startMeta, takeoverMeta}, frame.Gap{}, 60 * 50},
		"three":                   {[]string{startMeta, takeoverMeta, takeoverMeta}, frame.Gap{}, 60 * 50},
		"two, and a part is told": {[]string{startMeta, takeoverMeta}, frame.Gap{Kind: frame.MixedAudio, FirstSeq: 11, Count: 500, Cause: frame.CauseCrash}, 50 * 50},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, found := leave(t, tt.metas, tt.said)
			until := time.Now()
			for i := range found {
				found[i].LastAt = until.Add(time.Duration(i-6) * 10 * time.Second)
			}
			if got := w.sealWithoutOpen(Left{Recordings: found, Until: until}); got != tt.want {
				t.Errorf("%d frames are missing, want %d", got, tt.want)
			}
		})
	}
	t.Run("the first is sealed already", func(t *testing.T) {
		t.Parallel()
		w, found := leave(t, []string{startMeta, takeoverMeta}, frame.Gap{})
		until := time.Now()
		found[1].LastAt = until.Add(-10 * time.Second)
		if got := w.sealWithoutOpen(Left{Recordings: found[1:], Parts: 1, After: "rec-a", AfterAt: until.Add(-time.Minute), Until: until}); got != 60*50 {
			t.Errorf("%d frames are missing", got)
		}
	})
}

// stallAlone is stall without a session.
func (w *world) stallAlone() (letGo func()) {
	w.tb.Helper()
	r, err := w.spool.Begin(w.tb.Context(), recordertest.Permit(w.tb, "other"), "other", []byte(`{}`))
	if err != nil {
		w.tb.Fatal(err)
	}
	still := make(chan struct{})
	w.mu.Lock()
	w.still = still
	w.mu.Unlock()
	letGo = sync.OnceFunc(func() {
		w.mu.Lock()
		w.still = nil
		w.mu.Unlock()
		close(still)
	})
	w.tb.Cleanup(letGo)
	if err := w.spool.Update(func(b *spool.Batch) { b.Frame(r, audio(1)) }); err != nil {
		w.tb.Fatal(err)
	}
	eventually(w.tb, "a commit that hangs", func() bool { return w.spool.Stalled() > 20*time.Millisecond })
	return letGo
}

// TestLeftIsSealedLate: a disk that hangs while what a dead process has left is sealed,
// with a session of this one or without: it is sealed when the disk answers, and told.
func TestLeftIsSealedLate(t *testing.T) {
	t.Parallel()
	for name, withSession := range map[string]bool{"without a session": false, "with one": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, found := leave(t, []string{startMeta}, frame.Gap{})
			_, order := w.ordered("c", func() { w.hangUp("c") })
			if err := w.service.Release(t.Context(), "c", "its sockets are the dead process's"); err != nil {
				t.Fatal(err)
			}
			letGo := w.stallAlone()
			w.service.Adopt(Left{Call: recorder.CallRef{ID: "c"}, Recordings: found, Session: &recorder.Session{ID: "s", Address: w.hosts[0].addr}})
			if withSession {
				if _, err := w.service.ready("c"); err != nil {
					t.Fatal(err)
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if r, err := w.service.Seal(ctx, order); err == nil {
				t.Fatalf("sealed while the disk hangs: %+v", r)
			}
			if err := w.service.Release(t.Context(), "c", "test"); err != nil {
				t.Fatal(err)
			}
			letGo()
			eventually(t, "the late seal", func() bool { return len(w.lately()) > 0 })
			w.service.owned.Wait()
			if late := w.lately(); len(late) != 1 || late[0].Recording != "rec-a" || late[0].Frames != 10 {
				t.Errorf("%+v", late)
			}
		})
	}
}
