package recorder

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

// A slowWorld is a world whose parts take their time, or fail at first.
type slowWorld struct {
	*world
	createFor, askFor time.Duration
	answersLost       int // how many answers get no reply
	hangUpFaults      int // how many hang-ups fail before one is taken
	concludeFaults    int
	appendFor         func(Entry) time.Duration
	announce          func(context.Context, RecordingStatus, string) (Operation, error)
}

func (w *slowWorld) Announce(ctx context.Context, c CallRef, s RecordingStatus, clientContext string) (Operation, error) {
	if w.announce != nil {
		w.saw("announce " + s.String())
		return w.announce(ctx, s, clientContext)
	}
	return w.world.Announce(ctx, c, s, clientContext)
}

func (w *slowWorld) Answer(ctx context.Context, c CallRef, blob Session) (Receipt, error) {
	if w.answersLost > 0 {
		w.answersLost--
		w.saw("answer " + blob.Blob)
		return Receipt{HTTPStatus: 502}, &Fault{Kind: FaultUnknown}
	}
	return w.world.Answer(ctx, c, blob)
}

func (w *slowWorld) CreateSession(ctx context.Context, c CallRef, r Placement) (Session, error) {
	pass(w.createFor)
	s, err := w.world.CreateSession(ctx, c, r)
	w.saw("session exists")
	return s, err
}

func (w *slowWorld) HangUp(context.Context, CallRef) (Receipt, error) {
	w.saw("hangUp")
	if w.hangUpFaults > 0 {
		w.hangUpFaults--
		return Receipt{HTTPStatus: 500}, &Fault{Kind: FaultUnknown}
	}
	return Receipt{HTTPStatus: 204}, nil
}

func (w *slowWorld) AskCall(ctx context.Context, c CallRef) (Standing, error) {
	pass(w.askFor)
	return w.world.AskCall(ctx, c)
}

func (w *slowWorld) Append(ctx context.Context, es ...Entry) error {
	if w.appendFor != nil {
		for _, e := range es {
			select {
			case <-time.After(w.appendFor(e)):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	return w.world.Append(ctx, es...)
}

func (w *slowWorld) Conclude(ctx context.Context, c Conclusion) error {
	if w.concludeFaults > 0 {
		w.concludeFaults--
		return errors.New("locked")
	}
	return w.world.Conclude(ctx, c)
}

// invite starts call c in this world; established follows the answer.
func (w *slowWorld) invite(t *testing.T, o Options) *Registry {
	t.Helper()
	o.Platform, o.Media, o.Ledger = w, w, w
	w.registry = NewRegistry(t.Context(), o)
	w.onAnswer = func(c CallRef) { _ = w.registry.Post(c.ID, Established{}) }
	w.registry.Invite(testInvite("c"))
	return w.registry
}

func count(log []string, word string) int {
	return len(slices.DeleteFunc(log, func(s string) bool { return s != word }))
}

// TestEarlyNotificationIsNoConsent: completion that is notified while the
// request is under way counts only once the request itself got its 2xx.
func TestEarlyNotificationIsNoConsent(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		reply  Operation
		err    error
		opened bool
	}{
		"then 403":           {Operation{}, &Fault{Kind: FaultRefused, Receipt: Receipt{HTTPStatus: 403}}, false},
		"then 200 running":   {Operation{Progress: Running, Receipt: Receipt{HTTPStatus: 200}}, nil, true},
		"then 200 completed": {Operation{Progress: Completed, Receipt: Receipt{HTTPStatus: 200}}, nil, true},
		"then 200 failed":    {Operation{Progress: Failed, Receipt: Receipt{HTTPStatus: 200}}, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := &slowWorld{world: &world{}}
				w.announceReply = func(_ int, s RecordingStatus, ctx string) (Operation, error) {
					if s != StatusRecording {
						return Operation{Context: ctx, Progress: Completed, Receipt: Receipt{HTTPStatus: 200}}, nil
					}
					_ = w.registry.Post("c", StatusReplied{Operation{ID: "x", Context: ctx, Progress: Completed}})
					pass(500 * time.Millisecond)
					if slices.Contains(w.log(), "open") {
						t.Error("opened before the request's own reply")
					}
					op := tt.reply
					op.ID, op.Context = "x", ctx
					return op, tt.err
				}
				r := w.invite(t, Options{})
				pass(time.Minute)
				if got := slices.Contains(w.log(), "open"); got != tt.opened {
					t.Errorf("opened: %v\n%v", got, w.log())
				}
				r.StopAll(CauseStopped, false)
				wait(t, r)
			})
		})
	}
}

// TestRefusalAfterConsent: a refusal of the granted announcement ends the
// recording as failed, whatever came first.
func TestRefusalAfterConsent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &slowWorld{world: &world{}}
		r := w.invite(t, Options{})
		pass(time.Second)
		_ = r.Post("c", StatusFaulted{"c/1/recording", Fault{Kind: FaultRefused}})
		pass(time.Second)
		if w.granted() || !slices.Contains(w.log(), "announce failed") {
			t.Errorf("%v", w.log())
		}
		wait(t, r)
	})
}

func TestSessionMadeTooLateIsReleased(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &slowWorld{world: &world{}, createFor: 500 * time.Millisecond}
		r := w.invite(t, Options{})
		pass(100 * time.Millisecond)
		_ = r.Post("c", CallEnded{})
		wait(t, r)
		if l := w.log(); l[len(l)-1] != "release" {
			t.Errorf("%v", l)
		}
	})
}

func TestHangUpIsRepeated(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &slowWorld{world: &world{}, hangUpFaults: 3}
		r := w.invite(t, Options{})
		pass(time.Second)
		r.StopAll(CauseStopped, false)
		wait(t, r)
		if n := count(w.log(), "hangUp"); n != 4 {
			t.Errorf("%d hang-ups: %v", n, w.log())
		}
	})
}

// TestSocketsClosed: what the platform says of the call decides whether
// sockets that closed in good order are a loss.
func TestSocketsClosed(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		standing Standing
		askFor   time.Duration
		ended    time.Duration // after the sockets; 0: nobody says so
		want     Outcome
	}{
		"the call lives":              {StandingEstablished, 300 * time.Millisecond, 0, OutcomeFailed},
		"nobody knows":                {StandingEstablished, time.Hour, 0, OutcomeFailed},
		"the end is told meanwhile":   {StandingEstablished, time.Hour, 100 * time.Millisecond, OutcomeRecorded},
		"it is on its way out":        {StandingUnknown, 300 * time.Millisecond, 700 * time.Millisecond, OutcomeRecorded},
		"it is not known, nor ending": {StandingUnknown, 300 * time.Millisecond, 0, OutcomeFailed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := &slowWorld{world: &world{standing: tt.standing}, askFor: tt.askFor}
				r := w.invite(t, Options{})
				pass(time.Second)
				_ = r.Post("c", MediaClosed{"platform"})
				if tt.ended > 0 {
					pass(tt.ended)
					_ = r.Post("c", CallEnded{})
				}
				pass(2*time.Second - tt.ended)
				if tt.want == OutcomeFailed && !slices.Contains(w.log(), "announce failed") {
					t.Errorf("not in two seconds: %v", w.log())
				}
				pass(2 * time.Hour)
				wait(t, r)
				if got := w.ends(); len(got) != 1 || got[0].Outcome != tt.want {
					t.Errorf("%+v", got)
				}
			})
		})
	}
}

// TestSlowJournal: law 3's two seconds hold from the moment the people in the
// call see "recording".
func TestSlowJournal(t *testing.T) {
	t.Parallel()
	for _, slow := range []EntryKind{EntryAnnounced, EntryPermit} {
		t.Run(string(slow), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := &slowWorld{world: &world{}}
				times := make(chan time.Time, 2) // of recording, of failed
				w.announceReply = func(_ int, _ RecordingStatus, ctx string) (Operation, error) {
					times <- time.Now()
					return Operation{ID: "o", Context: ctx, Progress: Completed, Receipt: Receipt{HTTPStatus: 200}}, nil
				}
				w.appendFor = func(e Entry) time.Duration {
					if e.Kind == slow {
						return time.Hour
					}
					return 0
				}
				r := w.invite(t, Options{})
				wait(t, r)
				shown, failed := <-times, <-times
				if took := failed.Sub(shown); took > 2*time.Second {
					t.Errorf("failed after %v", took)
				}
			})
		})
	}
}

func TestOutcomeIsTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &slowWorld{world: &world{}, concludeFaults: 3}
		r := w.invite(t, Options{})
		pass(time.Second)
		_ = r.Post("c", CallEnded{})
		wait(t, r)
		if got := w.ends(); len(got) != 1 || got[0].Outcome != OutcomeRecorded {
			t.Errorf("%+v", got)
		}
	})
}

// TestStopWhileRetracting: with the policy to stay, a stop that comes while
// failed is being announced is not forgotten.
func TestStopWhileRetracting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &slowWorld{world: &world{}}
		w.announceReply = func(_ int, s RecordingStatus, ctx string) (Operation, error) {
			if s == StatusFailed {
				pass(time.Second)
			}
			return Operation{ID: "o", Context: ctx, Progress: Completed, Receipt: Receipt{HTTPStatus: 200}}, nil
		}
		r := w.invite(t, Options{OnFailure: FailureStay})
		pass(time.Second)
		_ = r.Post("c", MediaFailed{CauseMediaLost, "x"})
		pass(100 * time.Millisecond)
		r.StopAll(CauseShutdown, false)
		wait(t, r)
	})
}

// TestLateGrantIsTakenBack: a "recording" without a reply that takes effect
// after we said failed is answered by saying failed again.
func TestLateGrantIsTakenBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &slowWorld{world: &world{}}
		w.announceReply = func(_ int, s RecordingStatus, ctx string) (Operation, error) {
			if s == StatusRecording {
				pass(time.Hour)
			}
			return Operation{ID: "o", Context: ctx, Progress: Completed, Receipt: Receipt{HTTPStatus: 200}}, nil
		}
		r := w.invite(t, Options{OnFailure: FailureStay})
		pass(time.Second)
		_ = r.Post("c", MediaFailed{CauseMediaLost, "x"})
		pass(time.Second)
		_ = r.Post("c", StatusReplied{Operation{ID: "o", Context: "c/1/recording", Progress: Completed}})
		pass(time.Second)
		if n := count(w.log(), "announce failed"); n != 2 || slices.Contains(w.log(), "open") {
			t.Errorf("%v", w.log())
		}
		r.StopAll(CauseStopped, false)
		pass(2 * time.Hour)
		wait(t, r)
	})
}

// TestDrainBesideInvites: the platform goes on inviting while we wait for the
// last call.
func TestDrainBesideInvites(t *testing.T) {
	t.Parallel()
	for range 200 {
		w := &world{}
		r := NewRegistry(context.Background(), Options{Platform: w, Media: w, Ledger: w})
		r.Drain()
		idle := make(chan error, 1)
		r.Invite(testInvite("c"))
		go func() { idle <- r.Wait(context.Background()) }()
		for i := range 20 {
			r.Invite(testInvite(CallID("x" + strconv.Itoa(i))))
		}
		if err := <-idle; err != nil {
			t.Fatal(err)
		}
		if err := r.Wait(context.Background()); err != nil || len(w.ends()) != 21 {
			t.Fatalf("%d outcomes, %v", len(w.ends()), err)
		}
	}
}
