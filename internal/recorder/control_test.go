package recorder

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// replayed holds the journal of a world against the machine.
func replayed(t *testing.T, w *world) []Step {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	var lines []Line
	for i, e := range w.entries {
		data, err := json.Marshal(e.Data)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, Line{Seq: int64(i + 1), Kind: e.Kind, Data: data})
	}
	steps, err := Replay("c", lines)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range steps {
		if s.Differs != "" {
			t.Errorf("entry %d, %s: %s", s.Seq, s.Event, s.Differs)
		}
	}
	return steps
}

func orders(log []string) string {
	return strings.Join(slices.DeleteFunc(log, func(s string) bool {
		return !strings.HasPrefix(s, "announce ") && s != "seal" && s != "open" && s != "hangUp"
	}), ", ")
}

func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		r := live(t, w, Options{})
		v, err := r.Pause(t.Context(), "c")
		if err != nil || v.State != "paused" || !v.Paused || v.Recording != "" {
			t.Fatalf("%+v, %v", v, err)
		}
		if w.granted() {
			t.Error("the gate is open in a pause")
		}
		pass(time.Hour) // keepAlives go on
		if n := strings.Count(strings.Join(w.log(), " "), "keepAlive"); n < 5 {
			t.Errorf("%d keepAlives in a paused hour", n)
		}
		if _, err = r.Pause(t.Context(), "c"); !errors.Is(err, ErrConflict) {
			t.Errorf("a second pause: %v", err)
		}
		if v, err = r.Resume(t.Context(), "c"); err != nil || v.State != "recording" || v.Recording != "r" {
			t.Fatalf("%+v, %v", v, err)
		}
		if _, err = r.Resume(t.Context(), "c"); !errors.Is(err, ErrConflict) {
			t.Errorf("a second resumption: %v", err)
		}
		if _, err = r.Stop(t.Context(), "c"); err != nil {
			t.Error(err)
		}
		want := "announce recording, open, seal, announce notRecording, announce recording, open, seal, announce notRecording, hangUp"
		if got := orders(w.log()); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if got := w.ends(); len(got) != 1 || got[0].Outcome != OutcomeRecorded || got[0].Cause != CauseStopped {
			t.Errorf("%+v", got)
		}
		replayed(t, w)
	})
}

// TestOrdersThatCantBe: whoever gives an order hears why it is not carried out, and
// nothing happens.
func TestOrdersThatCantBe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		r := live(t, w, Options{})
		if _, err := r.Pause(t.Context(), "another"); !errors.Is(err, ErrUnknownCall) {
			t.Error(err)
		}
		w.set(func() { w.appendErr = func(Entry) error { return errors.New("locked") } })
		if _, err := r.Pause(t.Context(), "c"); err == nil || !strings.Contains(err.Error(), "was not given") {
			t.Errorf("an order without a journal: %v", err)
		}
		w.set(func() { w.appendErr = nil })
		if v, _ := r.View("c"); v.State != "recording" || !w.granted() {
			t.Errorf("%+v", v)
		}
		ctx, cancel := context.WithCancel(t.Context())
		w.set(func() { w.sealBlock = make(chan struct{}) })
		time.AfterFunc(time.Second, cancel)
		if _, err := r.Pause(ctx, "c"); !errors.Is(err, context.Canceled) {
			t.Errorf("an impatient order: %v", err)
		}
		close(w.sealBlock)
		synctest.Wait()
		if v, _ := r.View("c"); v.State != "paused" { // it stands
			t.Errorf("%+v", v)
		}
		if all := r.Calls(); len(all) != 1 || all[0].Call != "c" || all[0].Tenant != "t" {
			t.Errorf("%+v", all)
		}
		_ = r.Post("c", CallEnded{})
		wait(t, r)
		replayed(t, w)
	})
}

// TestPauseThatIsNotConfirmed: where the platform may show recording and nothing is
// recorded, that is no pause.
func TestPauseThatIsNotConfirmed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{announceReply: func(_ int, s RecordingStatus, c string) (Operation, error) {
			if s == StatusNotRecording {
				return Operation{}, &Fault{Kind: FaultRefused, Code: "7504"}
			}
			return testOperation(c, Completed), nil
		}}
		r := live(t, w, Options{})
		if _, err := r.Pause(t.Context(), "c"); !errors.Is(err, ErrConflict) {
			t.Error(err)
		}
		wait(t, r)
		if got := w.ends(); len(got) != 1 || got[0].Outcome != OutcomeFailed {
			t.Errorf("%+v", got)
		}
		replayed(t, w)
	})
}

// TestTakeUp: a call that a dead process was recording is recorded on, under a new
// permit, and a call that is over ends as failed, sealed.
func TestTakeUp(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		left    Takeover
		prepare func(*world)
		orders  string
		outcome Outcome
	}{
		"recording": {
			Takeover{Memory: Memory{State: "recording", Asked: 1}, Unsealed: true, Session: &Session{ID: "s"}},
			func(*world) {}, "announce recording, open, seal, announce notRecording", OutcomeRecorded,
		},
		"gone": {
			Takeover{Memory: Memory{State: "recording", Asked: 1}, Unsealed: true, Session: &Session{ID: "s"}},
			func(w *world) { w.standingErr = &Fault{Kind: FaultGone} }, "seal, announce failed", OutcomeFailed,
		},
		"refused": {
			Takeover{Memory: Memory{State: "recording", Asked: 1}, Unsealed: true, Session: &Session{ID: "s"}},
			func(w *world) {
				w.announceReply = func(_ int, s RecordingStatus, c string) (Operation, error) {
					if s == StatusRecording {
						return Operation{}, &Fault{Kind: FaultRefused}
					}
					return testOperation(c, Completed), nil
				}
			}, "announce recording, seal, announce failed, hangUp", OutcomeFailed,
		},
		"paused": {
			Takeover{Memory: Memory{State: "paused", Asked: 2, Sealed: []SealReport{{Recording: "a", Frames: 3}}}, Session: &Session{ID: "s"}},
			func(*world) {}, "", OutcomeRecorded,
		},
		"leaving": {
			Takeover{
				Memory: Memory{State: "leaving", Asked: 2, Ending: &Ending{Status: StatusNotRecording, Cause: CauseStopped}},
				Sealed: []SealReport{{Recording: "a", Frames: 3}},
			},
			func(*world) {}, "hangUp", OutcomeRecorded,
		},
		"invited": {Takeover{}, func(*world) {}, "", OutcomeRejected},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := &world{previous: tt.left.Unsealed}
				tt.prepare(w)
				r := w.begin(t.Context(), Options{})
				r.TakeUp(testInvite("c"), tt.left)
				synctest.Wait()
				pass(3 * time.Second)
				_ = r.Post("c", CallEnded{})
				wait(t, r)
				if got := orders(w.log()); got != tt.orders {
					t.Errorf("got  %s\nwant %s", got, tt.orders)
				}
				if got := w.ends(); len(got) != 1 || got[0].Outcome != tt.outcome {
					t.Errorf("%+v", got)
				}
				replayed(t, w)
			})
		})
	}
}
