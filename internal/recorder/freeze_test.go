package recorder

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// freeze freezes and returns how long that took, in virtual time.
func freeze(t *testing.T, r *Registry, left int) time.Duration {
	t.Helper()
	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	got, err := r.Freeze(ctx, 2*time.Second)
	if err != nil || got != left {
		t.Errorf("%d calls left to the next process, want %d: %v", got, left, err)
	}
	return time.Since(began)
}

// TestFreezeLeavesCallsAsTheyAre: a call that is recorded, or paused, is stopped where
// it stands. Nothing is sealed, announced or left, and what is under the permit may
// still be stored; nothing is taken any more that would not be worked off.
func TestFreezeLeavesCallsAsTheyAre(t *testing.T) {
	t.Parallel()
	for _, paused := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := &world{}
			r := live(t, w, Options{})
			if paused {
				if _, err := r.Pause(t.Context(), "c"); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
			}
			before := w.log()
			if took := freeze(t, r, 1); took > 0 {
				t.Errorf("it took %v", took)
			}
			if err := r.Post("c", Established{}); !errors.Is(err, ErrBusy) {
				t.Errorf("an event was taken: %v", err)
			}
			if err := r.Note("c", EntryRoster, nil); !errors.Is(err, ErrBusy) {
				t.Errorf("a note was taken: %v", err)
			}
			if r.Invite(testInvite("d")) {
				t.Error("an invite was taken")
			}
			pass(time.Hour)
			if diff := cmp.Diff(before, w.log()); diff != "" {
				t.Errorf("done for the handover's sake: %s", diff)
			}
			if len(w.ends()) > 0 || w.granted() == paused {
				t.Errorf("concluded %v, permit live %v", w.ends(), w.granted())
			}
		})
	}
}

// TestFreezeWorksOffWhatWasTaken: whoever was told that we have it need not send it
// again. The end of a call is sealed, told and catalogued; a completion is learnt, and
// the gate opens.
func TestFreezeWorksOffWhatWasTaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		r := live(t, w, Options{})
		if err := r.Post("c", CallEnded{Code: 200}); err != nil {
			t.Fatal(err)
		}
		freeze(t, r, 0)
		if ends := w.ends(); len(ends) != 1 || ends[0].Outcome != OutcomeRecorded {
			t.Errorf("%+v", ends)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		w := &world{announceReply: func(_ int, _ RecordingStatus, ctx string) (Operation, error) {
			return Operation{ID: "o", Context: ctx, Progress: Running, Receipt: Receipt{HTTPStatus: 200}}, nil
		}}
		r := live(t, w, Options{})
		if err := r.Post("c", StatusReplied{Operation{ID: "o", Progress: Completed}}); err != nil {
			t.Fatal(err)
		}
		freeze(t, r, 1)
		if l := w.log(); !slices.Equal(l[len(l)-3:], []string{"journal announced", "journal permit", "open"}) {
			t.Errorf("%v", l)
		}
	})
}

// TestFreezeWaitsForWhatIsUnderWay: a call whose answer is on its way, and one whose
// answer may have been lost, are in nobody else's power: the blob is here. One that
// was answered can be left.
func TestFreezeWaitsForWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		create time.Duration
		lost   int
		want   []string
	}{
		"being placed":   {700 * time.Millisecond, 0, []string{"createSession", "journal session", "answer blob"}},
		"an answer lost": {0, 1, []string{"createSession", "journal session", "answer blob", "askCall", "answer blob"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := &slowWorld{world: &world{standing: StandingIncoming}, createFor: tt.create, answersLost: tt.lost}
				r := NewRegistry(t.Context(), Options{Platform: w, Media: w, Ledger: w})
				r.Invite(testInvite("c"))
				if took := freeze(t, r, 1); took >= 2*time.Second {
					t.Errorf("it took %v", took)
				}
				got := slices.DeleteFunc(w.log(), func(s string) bool { return s == "session exists" })
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// TestFreezeIsBounded: what does not end is cut off, and the call is left as a crash
// would leave it.
func TestFreezeIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{sealBlock: make(chan struct{})}
		r := live(t, w, Options{})
		if err := r.Post("c", CallEnded{Code: 200}); err != nil {
			t.Fatal(err)
		}
		if took := freeze(t, r, 1); took < 2*time.Second || took > 3*time.Second {
			t.Errorf("it took %v", took)
		}
		if l := w.log(); len(w.ends()) > 0 || l[len(l)-1] != "seal" {
			t.Errorf("%v", l)
		}
	})
}
