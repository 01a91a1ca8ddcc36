package recorder

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A curious world counts the questions who is in the call.
type curious struct {
	*world

	askedAt []time.Time
	reply   func(n int) (Roster, error)
}

func (w *curious) AskRoster(context.Context, CallRef) (Roster, error) {
	w.mu.Lock()
	w.askedAt = append(w.askedAt, time.Now())
	n := len(w.askedAt)
	w.mu.Unlock()
	if w.reply != nil {
		return w.reply(n)
	}
	return Roster{Participants: []Participant{{ID: "p"}}}, nil
}

func (w *curious) asks() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.askedAt)
}

func (w *curious) begin(ctx context.Context, o Options) *Registry {
	o.Platform, o.Media, o.Ledger = w, w.world, w.world
	return NewRegistry(ctx, o)
}

// record brings a call to where it is recorded, and has asked for its roster once.
func record(t *testing.T, r *Registry) {
	t.Helper()
	r.Invite(testInvite("c"))
	synctest.Wait()
	if err := r.Post("c", Established{}); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	if v, _ := r.View("c"); v.State != "recording" {
		t.Fatalf("state %s", v.State)
	}
}

func end(t *testing.T, r *Registry) {
	t.Helper()
	if err := r.Post("c", CallEnded{}); err != nil {
		t.Error(err)
	}
	if err := r.Wait(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestUnknownSourceAsksWhoIsThere: the first word of a source without a name leads to
// a question at once; however many follow, there is one in ten seconds, fewer as time
// goes by, and an end to it.
func TestUnknownSourceAsksWhoIsThere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &curious{world: &world{}}
		r := w.begin(t.Context(), Options{})
		record(t, r)
		if n := w.asks(); n != 1 {
			t.Fatalf("asked %d times as the recording began", n)
		}
		began := time.Now()
		for range 25 * 3600 {
			for _, tell := range []func(CallID, Event) error{r.Post, r.Urge} {
				if err := tell("c", UnknownSource{}); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Wait()
			pass(time.Second)
		}
		synctest.Wait()
		w.mu.Lock()
		asked := w.askedAt[1:]
		w.mu.Unlock()
		if !asked[0].Equal(began) {
			t.Errorf("asked %v after the word", asked[0].Sub(began))
		}
		for i := 1; i < len(asked); i++ {
			if pause := asked[i].Sub(asked[i-1]); pause < askRosterEvery || pause > askRosterEvery<<askRosterDoubled+time.Second {
				t.Errorf("question %d came %v after the one before", i, pause)
			}
		}
		if len(asked) < 100 || len(asked) > askRosterMost {
			t.Errorf("asked %d times in a day", len(asked))
		}
		end(t, r)
	})
}

// TestCuriosityEnds: there is a last question.
func TestCuriosityEnds(t *testing.T) {
	t.Parallel()
	var q curiosity
	now, asked := time.Now(), 0
	for range 10 * askRosterMost {
		if q.may(now) {
			asked++
		}
		now = now.Add(time.Hour)
	}
	if asked != askRosterMost {
		t.Errorf("asked %d times, want %d", asked, askRosterMost)
	}
}

// TestUnknownSourceElsewhere: no state but recording asks, and a word of a call that
// is not live, or is being handed over, says so.
func TestUnknownSourceElsewhere(t *testing.T) {
	t.Parallel()
	for _, s := range sampleStates(t) {
		_, cmds := s.on(UnknownSource{})
		want := []Command(nil)
		if s.kind() == "recording" {
			want = []Command{AskRoster{}}
		}
		if diff := cmp.Diff(want, cmds); diff != "" {
			t.Errorf("%s: %s", show(s), diff)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		w := &curious{world: &world{}}
		r := w.begin(t.Context(), Options{})
		if err := r.Post("c", UnknownSource{}); !errors.Is(err, ErrUnknownCall) {
			t.Error(err)
		}
		if err := r.Urge("c", UnknownSource{}); !errors.Is(err, ErrUnknownCall) {
			t.Error(err)
		}
		record(t, r)
		close(r.deps.freezing)
		for _, tell := range []func(CallID, Event) error{r.Post, r.Urge} {
			if err := tell("c", UnknownSource{}); !errors.Is(err, ErrBusy) {
				t.Error(err)
			}
		}
		_ = r.Wait(t.Context())
	})
}

// TestOnRosterHearsWhatIsNoted: whoever follows the rosters hears of notifications
// and replies alike, in the order of the journal and with its times.
func TestOnRosterHearsWhatIsNoted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &curious{world: &world{}}
		var heard []Roster
		w.reply = func(n int) (Roster, error) {
			pass(3 * time.Second)
			if n == 2 {
				return Roster{}, &Fault{Kind: FaultUnknown}
			}
			return Roster{Participants: []Participant{{ID: fmt.Sprintf("asked-%d", n)}}}, nil
		}
		r := w.begin(t.Context(), Options{OnRoster: func(id CallID, roster Roster) {
			if id != "c" {
				t.Errorf("call %q", id)
			}
			heard = append(heard, roster) // no lock: one at a time
		}})
		began := time.Now()
		record(t, r)
		var all sync.WaitGroup
		for i := range 20 { // the platform sends two at a time
			all.Go(func() {
				if err := r.NoteRoster("c", Roster{Sequence: int64(i + 1), Delta: true, Participants: []Participant{{ID: fmt.Sprint(i)}}}); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		pass(5 * time.Second)
		_ = r.Post("c", UnknownSource{}) // the platform does not tell
		pass(20 * time.Second)
		_ = r.Post("c", UnknownSource{})
		pass(5 * time.Second)
		end(t, r)

		var noted []Roster
		w.mu.Lock()
		for _, e := range w.entries {
			if d, ok := e.Data.(rosterData); ok && e.Kind == EntryRoster {
				noted = append(noted, Roster{Sequence: d.Sequence, Delta: d.Delta, Participants: d.Participants, Asked: d.Asked, At: e.At})
			}
		}
		w.mu.Unlock()
		if diff := cmp.Diff(noted, heard); diff != "" || len(heard) != 22 {
			t.Errorf("%d rosters heard (-noted +heard):\n%s", len(heard), diff)
		}
		asked := slices.DeleteFunc(slices.Clone(heard), func(r Roster) bool { return r.Asked.IsZero() })
		if len(asked) != 2 || !asked[0].Asked.Equal(began) || asked[0].At.Sub(asked[0].Asked) != 3*time.Second {
			t.Errorf("asked for: %+v", asked)
		}
	})
}

// A deaf ledger has no room for rosters.
type deaf struct{ *world }

func (l deaf) Note(e Entry) bool { return e.Kind != EntryRoster && l.world.Note(e) }

// TestRosterWithoutRoom: what the journal has no room for is told to nobody. A
// notification is to come again; a reply of ours that is lost endangers the evidence.
func TestRosterWithoutRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		r := NewRegistry(t.Context(), Options{Platform: w, Media: w, Ledger: deaf{w}, OnRoster: func(_ CallID, roster Roster) {
			t.Errorf("heard of %+v", roster)
		}})
		if err := r.NoteRoster("c", Roster{}); !errors.Is(err, ErrUnknownCall) {
			t.Error(err)
		}
		r.Invite(testInvite("c"))
		synctest.Wait()
		if err := r.NoteRoster("c", Roster{}); !errors.Is(err, ErrBusy) {
			t.Error(err)
		}
		_ = r.Post("c", Established{})
		if err := r.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if ends := w.ends(); len(ends) != 1 || ends[0].Outcome != OutcomeFailed || ends[0].Cause != CauseJournalFailed {
			t.Errorf("%+v", ends)
		}
	})
}
