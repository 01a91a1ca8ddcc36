package recorder

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestPollSaysNothingOfTheRequest: an operation that is polled as completed while
// the request itself has no reply is no consent; the request is refused later.
func TestPollSaysNothingOfTheRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &slowWorld{world: &world{}}
		w.announceReply = func(_ int, s RecordingStatus, ctx string) (Operation, error) {
			if s != StatusRecording {
				return Operation{ID: "o", Context: ctx, Progress: Completed, Receipt: Receipt{HTTPStatus: 200}}, nil
			}
			_ = w.registry.Post("c", StatusReplied{Operation{ID: "o", Context: ctx, Progress: Running}})
			pass(4 * time.Second)
			return Operation{}, &Fault{Kind: FaultRefused, Receipt: Receipt{HTTPStatus: 403}}
		}
		w.pollReply = func(id OperationID) (Operation, error) {
			return Operation{ID: id, Context: "c/1/recording", Progress: Completed, Receipt: Receipt{HTTPStatus: 200}}, nil
		}
		r := w.invite(t, Options{})
		pass(time.Minute)
		if l := w.log(); slices.Contains(l, "open") || !slices.Contains(l, "poll") || !slices.Contains(l, "announce failed") {
			t.Errorf("%v", l)
		}
		r.StopAll(CauseStopped, false)
		wait(t, r)
	})
}

// TestPollOfAnotherRequest: a poll that brings somebody else's operation is asked
// again, and the right one is believed.
func TestPollOfAnotherRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &slowWorld{world: &world{}}
		w.announceReply = func(_ int, s RecordingStatus, ctx string) (Operation, error) {
			p := Completed
			if s == StatusRecording {
				p = Running
			}
			return Operation{ID: "o", Context: ctx, Progress: p, Receipt: Receipt{HTTPStatus: 200}}, nil
		}
		polls := 0
		w.pollReply = func(id OperationID) (Operation, error) {
			if polls++; polls < 3 {
				return Operation{ID: id, Context: "another", Progress: Completed, Receipt: Receipt{HTTPStatus: 200}}, nil
			}
			return Operation{ID: id, Context: "c/1/recording", Progress: Completed, Receipt: Receipt{HTTPStatus: 200}}, nil
		}
		r := w.invite(t, Options{})
		pass(5 * time.Second)
		if !w.granted() || polls != 3 {
			t.Errorf("after %d polls: %v", polls, w.log())
		}
		_ = r.Post("c", CallEnded{})
		wait(t, r)
	})
}

// TestOvertakenAnnouncementIsNotSent: whatever commits are shared, recording never
// reaches the platform after failed.
func TestOvertakenAnnouncementIsNotSent(t *testing.T) {
	t.Parallel()
	for _, request := range []time.Duration{0, time.Second} { // the request before is not made yet; is under way
		synctest.Test(t, func(t *testing.T) {
			w := &slowWorld{world: &world{}, appendFor: func(e Entry) time.Duration {
				if e.Kind == EntryAnnounce && request == 0 {
					return 30*time.Millisecond - time.Duration(time.Now().UnixNano())%(30*time.Millisecond) // a shared commit
				}
				return 0
			}}
			var last, cut atomic.Value
			w.announce = func(ctx context.Context, s RecordingStatus, clientContext string) (Operation, error) {
				if s == StatusRecording && request > 0 {
					select {
					case <-time.After(request):
					case <-ctx.Done():
						cut.Store(true)
						return Operation{}, &Fault{Kind: FaultUnknown, Err: ctx.Err()}
					}
				}
				last.Store(s)
				return Operation{ID: "o", Context: clientContext, Progress: Completed, Receipt: Receipt{HTTPStatus: 200}}, nil
			}
			r := w.invite(t, Options{})
			pass(5 * time.Millisecond)
			_ = r.Post("c", MediaFailed{CauseMediaLost, "x"})
			wait(t, r)
			if last.Load() != StatusFailed || (request > 0) != (cut.Load() == true) {
				t.Errorf("the platform heard %v last; cut: %v", last.Load(), cut.Load())
			}
			if sent := slices.Contains(w.log(), "announce recording"); sent != (request > 0) {
				t.Errorf("recording was sent: %v", sent)
			}
		})
	}
}

// TestFailedIsSaidAgain: a request to record that takes effect while failed is on
// its way leaves the platform showing recording: failed is said once more.
func TestFailedIsSaidAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &slowWorld{world: &world{}}
		w.announceReply = func(n int, s RecordingStatus, ctx string) (Operation, error) {
			if s == StatusRecording {
				return Operation{}, &Fault{Kind: FaultRefused}
			}
			if n == 2 {
				_ = w.registry.Post("c", StatusReplied{Operation{ID: "o", Context: "c/1/recording", Progress: Completed}})
				pass(time.Second)
			}
			return Operation{ID: "o", Context: ctx, Progress: Completed, Receipt: Receipt{HTTPStatus: 200}}, nil
		}
		r := w.invite(t, Options{OnFailure: FailureStay})
		pass(time.Minute)
		if n := count(w.log(), "announce failed"); n != 2 {
			t.Errorf("failed was said %d times: %v", n, w.log())
		}
		_ = r.Post("c", CallEnded{})
		wait(t, r)
	})
}

// TestNotificationThatCantBeJournaled: a journal that is slow for a repeated
// notification costs no recording; a refusal counts all the same.
func TestNotificationThatCantBeJournaled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &slowWorld{world: &world{}}
		slow := atomic.Bool{}
		w.appendFor = func(e Entry) time.Duration {
			if e.Kind == EntryAnnounced && slow.Load() {
				return time.Hour
			}
			return 0
		}
		r := w.invite(t, Options{})
		pass(time.Second)
		slow.Store(true)
		_ = r.Post("c", StatusReplied{Operation{ID: "o", Context: "c/1/recording", Progress: Completed}})
		pass(time.Minute)
		if !w.granted() {
			t.Fatalf("%v", w.log())
		}
		_ = r.Post("c", StatusReplied{Operation{ID: "o", Context: "c/1/recording", Progress: Failed}})
		pass(2 * time.Second)
		if w.granted() || !slices.Contains(w.log(), "announce failed") {
			t.Errorf("%v", w.log())
		}
		wait(t, r)
	})
}

// TestAnswerWithoutReply: what the platform says of the call decides whether the
// answer is given again.
func TestAnswerWithoutReply(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		standing Standing
		lost     int // answers without a reply
		answers  int
		want     Outcome
	}{
		"it was taken":              {StandingEstablished, 1, 1, OutcomeRecorded},
		"it was not":                {StandingIncoming, 2, 3, OutcomeRecorded},
		"it never is":               {StandingIncoming, 100, answers, OutcomeNotRecorded},
		"the platform is at a loss": {StandingUnknown, 100, 1, OutcomeNotRecorded},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := &slowWorld{world: &world{standing: tt.standing}, answersLost: tt.lost}
				r := w.invite(t, Options{})
				pass(30 * time.Second)
				_ = r.Post("c", CallEnded{})
				wait(t, r)
				if n := count(w.log(), "answer blob"); n != tt.answers {
					t.Errorf("answered %d times: %v", n, w.log())
				}
				if got := w.ends(); len(got) != 1 || got[0].Outcome != tt.want {
					t.Errorf("%+v", got)
				}
			})
		})
	}
}

// TestOperationWithoutContext: a notification or a poll that names the operation
// alone is paired by it, and only by one that a reply of ours named.
func TestOperationWithoutContext(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		notified OperationID
		polled   bool
		opened   bool
	}{
		"notified":          {"o", false, true},
		"another, notified": {"x", false, false},
		"polled":            {"", true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := &slowWorld{world: &world{}}
				w.announceReply = func(_ int, s RecordingStatus, ctx string) (Operation, error) {
					p := Completed
					if s == StatusRecording {
						p = Running
					}
					return Operation{ID: "o", Context: ctx, Progress: p, Receipt: Receipt{HTTPStatus: 200}}, nil
				}
				if tt.polled {
					w.pollReply = func(id OperationID) (Operation, error) {
						return Operation{ID: id, Progress: Completed, Receipt: Receipt{HTTPStatus: 200}}, nil
					}
				}
				r := w.invite(t, Options{})
				pass(100 * time.Millisecond)
				if tt.notified != "" {
					_ = r.Post("c", StatusReplied{Operation{ID: tt.notified, Progress: Completed}})
				}
				pass(3 * time.Second)
				if got := slices.Contains(w.log(), "open"); got != tt.opened {
					t.Errorf("opened: %v\n%v", got, w.log())
				}
				for _, e := range w.entries {
					if d, ok := e.Data.(announcedData); ok && d.Progress == "completed" && tt.opened && d.Context == "" {
						t.Error("the journal does not say what was completed")
					}
				}
				_ = r.Post("c", CallEnded{})
				wait(t, r)
			})
		})
	}
}

// TestRecords: further participants are taken on only while the call records, or
// is about to.
func TestRecords(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &slowWorld{world: &world{}}
		r := w.invite(t, Options{OnFailure: FailureStay})
		pass(time.Second)
		if !r.Records("c") || r.Records("x") {
			t.Error("it records")
		}
		_ = r.Post("c", MediaFailed{CauseMediaLost, "x"})
		pass(time.Minute)
		if r.Records("c") || r.Live() != 1 {
			t.Errorf("it stays without recording: %v", w.log())
		}
		_ = r.Post("c", CallEnded{})
		wait(t, r)
	})
}

// TestSecondAnswerRefused: the first answer was taken and its reply lost; that the
// second is refused ends nothing, and no third is given.
func TestSecondAnswerRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &slowWorld{world: &world{standing: StandingIncoming, answerErr: &Fault{Kind: FaultRefused, Receipt: Receipt{HTTPStatus: 400}}}, answersLost: 1}
		r := NewRegistry(t.Context(), Options{Platform: w, Media: w, Ledger: w})
		r.Invite(testInvite("c"))
		pass(250 * time.Millisecond) // the second was refused, and the platform will be asked
		w.set(func() { w.standing = StandingUnknown })
		pass(time.Second)
		_ = r.Post("c", Established{})
		pass(time.Second)
		if n := count(w.log(), "answer blob"); n != 2 || !w.granted() {
			t.Errorf("%d answers: %v", n, w.log())
		}
		_ = r.Post("c", CallEnded{})
		wait(t, r)
	})
}

// TestOneDiskForAllHangs: spool and journal hang together. The media side says so
// after its one and a half seconds, and gives up the seal at once; what is left of
// law 3's two seconds is enough for the word, without a journal.
func TestOneDiskForAllHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hangs := atomic.Bool{}
		w := &slowWorld{world: &world{}, appendFor: func(Entry) time.Duration {
			if hangs.Load() {
				return time.Hour
			}
			return 0
		}}
		said := make(chan time.Time, 2)
		w.announceReply = func(_ int, s RecordingStatus, ctx string) (Operation, error) {
			if s == StatusFailed {
				said <- time.Now()
			}
			return Operation{ID: "o", Context: ctx, Progress: Completed, Receipt: Receipt{HTTPStatus: 200}}, nil
		}
		r := w.invite(t, Options{})
		pass(time.Second)
		w.set(func() { w.sealErr = errors.New("the disk does not answer") })
		hangs.Store(true)
		began := time.Now()
		pass(1550 * time.Millisecond) // media: stallLimit, and a tick
		_ = r.Urge("c", MediaFailed{CauseStorageFailed, "nothing has become durable"})
		if took := (<-said).Sub(began); took > 2*time.Second {
			t.Errorf("failed was said after %v", took)
		}
		wait(t, r)
		if got := w.ends(); len(got) != 1 || got[0].Outcome != OutcomeFailed || got[0].Cause != CauseStorageFailed {
			t.Errorf("%+v", got)
		}
	})
}
