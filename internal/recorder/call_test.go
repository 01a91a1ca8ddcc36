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

// live starts a call and takes it to recording.
func live(t *testing.T, w *world, o Options) *Registry {
	t.Helper()
	r := w.begin(t.Context(), o)
	r.Invite(testInvite("c"))
	synctest.Wait()
	if err := r.Post("c", Established{}); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	return r
}

func wait(t *testing.T, r *Registry) {
	t.Helper()
	if err := r.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestWholeCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		r := live(t, w, Options{})
		pass(25 * time.Minute) // two keepAlives
		_ = r.Post("c", CallEnded{Code: 200})
		wait(t, r)
		want := []string{
			"createSession", "journal session", "answer blob",
			"journal announce", "announce recording", "journal announced", // law 5
			"journal permit", "open",
			"keepAlive", "keepAlive",
			"seal", "journal sealed", // law 2
			"journal announce", "announce notRecording", "journal announced",
			"conclude recorded",
		}
		// The release of the sockets is not ordered against the outcome.
		got := slices.DeleteFunc(w.log(), func(s string) bool { return s == "release" })
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		if w.granted() {
			t.Error("the permit outlived the call")
		}
	})
}

func TestOperatorStopLeavesTheCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		r := live(t, w, Options{})
		r.StopAll(CauseStopped, false)
		wait(t, r)
		log := w.log()
		seal, end, up := slices.Index(log, "seal"), slices.Index(log, "announce notRecording"), slices.Index(log, "hangUp")
		if seal < 0 || seal > end || end > up {
			t.Errorf("order: %v", log)
		}
		if got := w.ends(); len(got) != 1 || got[0].Outcome != OutcomeRecorded || got[0].Cause != CauseStopped {
			t.Errorf("%+v", got)
		}
	})
}

func TestInvitesThatAreTurnedDown(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		prepare func(*world, *Registry, *Invite)
		admit   Cause
		reject  string
		cause   Cause
	}{
		"not a policy invite": {func(_ *world, _ *Registry, i *Invite) { i.ObservedParticipant = "" }, "", "reject forbidden", CauseNotPolicyInvite},
		"no host":             {func(w *world, _ *Registry, _ *Invite) { w.sessionErr = ErrNoMediaHost }, "", "reject busy", CauseNoMediaHost},
		"draining":            {func(_ *world, r *Registry, _ *Invite) { r.Drain() }, "", "reject busy", CauseDraining},
		"no room":             {func(*world, *Registry, *Invite) {}, CauseNoSpoolRoom, "reject busy", CauseNoSpoolRoom},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := &world{}
				r := w.begin(t.Context(), Options{Admit: func(Invite) Cause { return tt.admit }})
				inv := testInvite("c")
				tt.prepare(w, r, &inv)
				r.Invite(inv)
				wait(t, r)
				if !slices.Contains(w.log(), tt.reject) || slices.Contains(w.log(), "answer blob") {
					t.Errorf("log %v", w.log())
				}
				if got := w.ends(); len(got) != 1 || got[0].Outcome != OutcomeRejected || got[0].Cause != tt.cause {
					t.Errorf("%+v", got)
				}
			})
		})
	}
}

func TestDuplicateInvitesStartOneCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		r := live(t, w, Options{})
		r.Invite(testInvite("c"))
		_ = r.Post("c", CallEnded{})
		wait(t, r)
		r.Invite(testInvite("c")) // a late duplicate
		wait(t, r)
		if n := len(slices.DeleteFunc(w.log(), func(s string) bool { return s != "createSession" })); n != 1 {
			t.Errorf("%d sessions", n)
		}
		if len(w.ends()) != 1 {
			t.Errorf("%d outcomes", len(w.ends()))
		}
	})
}

// TestLaw3: each danger leads to gate shut, failed and an outcome, within two
// seconds.
func TestLaw3(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		danger func(*world, *Registry)
		cause  Cause
	}{
		"media lost":     {func(_ *world, r *Registry) { _ = r.Post("c", MediaFailed{CauseMediaLost, "x"}) }, CauseMediaLost},
		"storage failed": {func(_ *world, r *Registry) { _ = r.Post("c", MediaFailed{CauseStorageFailed, "x"}) }, CauseStorageFailed},
		"storage failed, seal hangs": {func(w *world, r *Registry) {
			w.sealBlock = make(chan struct{})
			_ = r.Post("c", MediaFailed{CauseStorageFailed, "x"})
		}, CauseStorageFailed},
		"journal gone": {func(w *world, r *Registry) {
			w.appendErr = func(Entry) error { return errors.New("locked") }
			_ = r.Post("c", LedgerFailed{"x"})
		}, CauseJournalFailed},
		"panic":         {func(_ *world, r *Registry) { _ = r.Post("c", Crashed{"x"}) }, CausePanic},
		"consent taken": {func(_ *world, r *Registry) { _ = r.Post("c", StatusReplied{testOperation("c/1/recording", Failed)}) }, CauseStatusRefused},
		"second signal": {func(_ *world, r *Registry) { r.StopAll(CauseShutdown, true) }, CauseShutdown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := &world{}
				r := live(t, w, Options{})
				tt.danger(w, r)
				pass(2 * time.Second)
				synctest.Wait()
				if !slices.Contains(w.log(), "announce failed") {
					t.Errorf("failed was not announced in time: %v", w.log())
				}
				if w.granted() {
					t.Error("the gate is open")
				}
				if w.sealBlock != nil {
					close(w.sealBlock)
				}
				wait(t, r)
				if got := w.ends(); len(got) != 1 || got[0].Outcome != OutcomeFailed || got[0].Cause != tt.cause {
					t.Errorf("%+v", got)
				}
				if !slices.Contains(w.log(), "hangUp") {
					t.Error("did not leave")
				}
			})
		})
	}
}

func TestStayAfterFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		r := live(t, w, Options{OnFailure: FailureStay})
		_ = r.Post("c", MediaFailed{CauseMediaLost, "x"})
		pass(time.Hour)
		synctest.Wait()
		if slices.Contains(w.log(), "hangUp") || !slices.Contains(w.log(), "keepAlive") {
			t.Errorf("%v", w.log())
		}
		_ = r.Post("c", CallEnded{})
		wait(t, r)
		if got := w.ends(); len(got) != 1 || got[0].Outcome != OutcomeFailed {
			t.Errorf("%+v", got)
		}
	})
}

// TestNoRecordingWithoutJournal: law 5. Where the intention can't be made
// durable, nothing is announced, and nothing is opened.
func TestNoRecordingWithoutJournal(t *testing.T) {
	t.Parallel()
	for _, kind := range []EntryKind{EntryAnnounce, EntryAnnounced, EntryPermit} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := &world{appendErr: func(e Entry) error {
					if e.Kind == kind {
						return errors.New("locked")
					}
					return nil
				}}
				r := live(t, w, Options{})
				wait(t, r)
				if slices.Contains(w.log(), "open") {
					t.Errorf("opened: %v", w.log())
				}
				if kind == EntryAnnounce && slices.Contains(w.log(), "announce recording") {
					t.Error("announced without a durable intention")
				}
				if got := w.ends(); len(got) != 1 || got[0].Outcome != OutcomeFailed || got[0].Cause != CauseJournalFailed {
					t.Errorf("%+v", got)
				}
			})
		})
	}
}

func TestPanicEndsOnlyItsCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		r := live(t, w, Options{})
		w.panicOnOpen = true
		r.Invite(testInvite("d"))
		synctest.Wait()
		_ = r.Post("d", Established{})
		pass(20 * time.Second)
		synctest.Wait()
		if got := w.ends(); len(got) != 1 || got[0].Call != "d" || got[0].Outcome != OutcomeFailed || got[0].Cause != CausePanic {
			t.Fatalf("%+v", got)
		}
		if r.Live() != 1 || !w.granted() {
			t.Error("the other call suffered")
		}
		_ = r.Post("c", CallEnded{})
		wait(t, r)
	})
}

func TestLostEstablishedIsAskedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{standing: StandingEstablished}
		r := w.begin(t.Context(), Options{})
		r.Invite(testInvite("c"))
		pass(askCallAfter + time.Second)
		synctest.Wait()
		if !slices.Contains(w.log(), "open") {
			t.Errorf("%v", w.log())
		}
		_ = r.Post("c", CallEnded{})
		wait(t, r)
	})
}

func TestKeepAliveGoneEndsTheCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		r := live(t, w, Options{})
		w.set(func() { w.keepAliveErr = &Fault{Kind: FaultUnknown} })
		pass(keepAliveEvery + 5*keepAliveSoon)
		if n := len(slices.DeleteFunc(w.log(), func(s string) bool { return s != "keepAlive" })); n < 5 {
			t.Errorf("%d keepAlives while nobody answers", n)
		}
		w.set(func() { w.keepAliveErr = &Fault{Kind: FaultGone} })
		wait(t, r)
		if got := w.ends(); got[0].Cause != CauseCallGone || got[0].Outcome != OutcomeRecorded {
			t.Errorf("%+v", got)
		}
	})
}

func TestMailboxIsBounded(t *testing.T) {
	t.Parallel()
	c := newCall(testInvite("c"), &deps{log: NewRegistry(t.Context(), Options{}).opts.Log})
	for i := range inboxSize {
		if !c.post(Established{}) {
			t.Fatalf("refused event %d", i)
		}
	}
	if c.post(Established{}) {
		t.Fatal("took one more")
	}
}

func TestEndOfProcessCutsCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		ctx, cancel := context.WithCancel(t.Context())
		r := w.begin(ctx, Options{})
		r.Invite(testInvite("c"))
		synctest.Wait()
		cancel()
		wait(t, r)
		if len(w.ends()) != 0 {
			t.Error("an outcome was made up")
		}
	})
}
