package recorder

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestAnnouncements: what each reply to "recording" leads to.
func TestAnnouncements(t *testing.T) {
	t.Parallel()
	ok := func(ctx string) (Operation, error) {
		return Operation{ID: "op", Context: ctx, Progress: Completed, Receipt: Receipt{HTTPStatus: 200}}, nil
	}
	for name, tt := range map[string]struct {
		reply  func(n int, status RecordingStatus, ctx string) (Operation, error)
		opened bool
		end    Outcome
	}{
		"5xx, then success": {func(n int, _ RecordingStatus, ctx string) (Operation, error) {
			if n < 3 {
				return Operation{}, &Fault{Kind: FaultUnknown}
			}
			return ok(ctx)
		}, true, OutcomeRecorded},
		"throttled, then success": {func(n int, _ RecordingStatus, ctx string) (Operation, error) {
			if n == 1 {
				return Operation{}, &Fault{Kind: FaultThrottled, RetryAfter: 3 * time.Second}
			}
			return ok(ctx)
		}, true, OutcomeRecorded},
		"refused": {func(int, RecordingStatus, string) (Operation, error) {
			return Operation{}, &Fault{Kind: FaultRefused, Code: "8506", Cause: CauseNotPolicyCall}
		}, false, OutcomeFailed},
		"operation failed": {func(_ int, s RecordingStatus, ctx string) (Operation, error) {
			if s == StatusRecording {
				return Operation{ID: "op", Context: ctx, Progress: Failed, Receipt: Receipt{HTTPStatus: 200}}, nil
			}
			return ok(ctx)
		}, false, OutcomeFailed},
		"running for ever": {func(_ int, s RecordingStatus, ctx string) (Operation, error) {
			if s == StatusRecording {
				return Operation{ID: "op", Context: ctx, Progress: Running, Receipt: Receipt{HTTPStatus: 200}}, nil
			}
			return ok(ctx)
		}, false, OutcomeFailed},
		"someone else's context": {func(_ int, s RecordingStatus, ctx string) (Operation, error) {
			if s == StatusRecording {
				return Operation{ID: "op", Context: "other", Progress: Completed}, nil
			}
			return ok(ctx)
		}, false, OutcomeFailed},
		"call gone": {func(int, RecordingStatus, string) (Operation, error) {
			return Operation{}, &Fault{Kind: FaultGone}
		}, false, OutcomeNotRecorded},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := &world{announceReply: tt.reply}
				r := live(t, w, Options{})
				pass(time.Minute)
				if got := slices.Contains(w.log(), "open"); got != tt.opened {
					t.Errorf("opened: %v\n%v", got, w.log())
				}
				_ = r.Post("c", CallEnded{})
				wait(t, r)
				if got := w.ends(); len(got) != 1 || got[0].Outcome != tt.end {
					t.Errorf("%+v", got)
				}
			})
		})
	}
}

func TestConsentByNotification(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{announceReply: func(_ int, _ RecordingStatus, ctx string) (Operation, error) {
			return Operation{ID: "op", Context: ctx, Progress: Running, Receipt: Receipt{HTTPStatus: 200}}, nil
		}}
		r := live(t, w, Options{})
		if slices.Contains(w.log(), "open") {
			t.Fatal("opened while running")
		}
		_ = r.Post("c", StatusReplied{Operation{ID: "op", Context: "c/1/recording", Progress: Completed}})
		synctest.Wait()
		log := w.log()
		if slices.Index(log, "journal permit") > slices.Index(log, "open") || !slices.Contains(log, "open") {
			t.Fatalf("%v", log)
		}
		w.announceReply = nil
		_ = r.Post("c", CallEnded{})
		wait(t, r)
	})
}
