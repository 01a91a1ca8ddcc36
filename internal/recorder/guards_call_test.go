package recorder

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// alone is a call without a goroutine, and what it logs.
func (w *slowWorld) alone(t *testing.T) (*call, *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zap.DebugLevel)
	o := Options{Platform: w, Media: w, Ledger: w, Registerer: prometheus.NewRegistry(), Log: zap.New(core)}
	w.registry = NewRegistry(t.Context(), o)
	return newCall(testInvite("c"), w.registry.deps), logs
}

// steps are the events that the journal has of a world's calls.
func (w *world) steps() (events []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.entries {
		if s, ok := e.Data.(step); ok {
			events = append(events, s.Event)
		}
	}
	return events
}

// TestPermitThatIsBeingSealed: it is live until it is withdrawn, and all its copies
// know; one that grants nothing is sealed by nobody.
func TestPermitThatIsBeingSealed(t *testing.T) {
	t.Parallel()
	none := Permit{}
	none.end()
	if none.ends() {
		t.Error("the zero permit is being sealed")
	}
	p, err := mint(announcement{"c", StatusRecording, testContext}, Receipt{HTTPStatus: 200}, testOperation(testContext, Completed))
	if err != nil {
		t.Fatal(err)
	}
	again := p
	if p.ends() {
		t.Error("nobody has sealed it")
	}
	if p.end(); !again.ends() || !again.Live() {
		t.Errorf("being sealed: %v, live: %v", again.ends(), again.Live())
	}
}

// TestEdgesOfATakeover: steps that look alike but for one thing.
func TestEdgesOfATakeover(t *testing.T) {
	t.Parallel()
	l := leg{call: "c", asked: 1, cut: true}
	for opened, asks := range map[bool]bool{true: true, false: false} {
		next, _ := recording{leg: l, opened: opened}.on(MediaClosed{})
		if s, is := next.(sealing); !is || s.asking != asks {
			t.Errorf("sockets close, opened %v: %s", opened, show(next))
		}
	}
	m := Memory{State: "sealing", Asking: true, Ending: &Ending{Status: StatusFailed, Cause: CauseMediaLost}}
	if next, _ := resume(leg{call: "c"}, Takeover{Memory: m}); next.kind() != "retracting" {
		t.Errorf("what had failed asks: %s", show(next))
	}
	m = Memory{State: "rejecting", Ending: &Ending{}}
	if next, _ := resume(leg{call: "c"}, Takeover{Memory: m}); next.kind() != "rejecting" || !strings.Contains(show(next), string(CauseProcessDied)) {
		t.Errorf("rejected, nobody knows why: %s", show(next))
	}
	for want, s := range map[bool]answering{true: {doubt: "x"}, false: {doubt: "x", session: Session{Blob: "blob"}}} {
		if canBeLeft(s) != want {
			t.Errorf("%s can be left: %v", show(s), !want)
		}
	}
}

// TestUnjournaledNotificationIsNotLearnt: law 5: consent that is not durable is none.
func TestUnjournaledNotificationIsNotLearnt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &slowWorld{world: &world{}, appendFor: func(e Entry) time.Duration {
			if d, ok := e.Data.(announcedData); ok && d.Receipt.HTTPStatus == 0 {
				return time.Hour // the notification's
			}
			return 0
		}}
		w.announceReply = func(_ int, s RecordingStatus, ctx string) (Operation, error) {
			p := Completed
			if s == StatusRecording {
				p = Running
			}
			return Operation{ID: "o", Context: ctx, Progress: p, Receipt: Receipt{HTTPStatus: 200}}, nil
		}
		r := w.invite(t, Options{})
		pass(100 * time.Millisecond)
		_ = r.Post("c", StatusReplied{testNotified("c/1/recording", Completed)})
		pass(5 * time.Second)
		if slices.Contains(w.log(), "open") {
			t.Errorf("opened on what the journal does not have: %v", w.log())
		}
		_ = r.Post("c", CallEnded{})
		wait(t, r)
	})
}

// TestOperationsAreRemembered: those that run and were named, all of them.
func TestOperationsAreRemembered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &slowWorld{world: &world{}}
		c, _ := w.alone(t)
		s := state(announcing{leg: leg{call: "c", asked: 1}, asked: announcement{"c", StatusRecording, "c/1/recording"}})
		for _, op := range []Operation{
			{ID: "a", Context: "c/1/recording", Progress: Running},
			{ID: "b", Context: "c/2/recording", Progress: Running},
			{ID: "a", Progress: Running},
			{Context: "c/3/recording", Progress: Running},
			{ID: "d", Context: "c/4/recording", Progress: Completed},
		} {
			c.step(s, StatusReplied{op})
		}
		want := map[OperationID]string{"a": "c/1/recording", "b": "c/2/recording"}
		if !reflect.DeepEqual(c.operations, want) {
			t.Errorf("%v", c.operations)
		}
	})
}

// TestEachStepIsTold: to the journal; a change of state to the log; what nobody had a
// use for to the metrics.
func TestEachStepIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &slowWorld{world: &world{}}
		c, logs := w.alone(t)
		s, _ := c.step(answering{leg: leg{call: "c"}, tries: 1}, AnswerAccepted{})
		s, _ = c.step(s, Established{})
		c.step(s, Rejected{})
		c.step(bomb{recording{leg: leg{call: "c"}}, nil}, Established{})
		if got := w.steps(); !slices.Equal(got, []string{"AnswerAccepted", "Established", "Rejected", eventGiveUp}) {
			t.Errorf("the journal has %v", got)
		}
		if n := logs.FilterMessage("state").Len(); n != 2 {
			t.Errorf("%d changes of state were logged", n)
		}
		if n := testutil.ToFloat64(c.deps.metrics.unexpected.WithLabelValues("announcing", "Rejected")); n != 1 {
			t.Errorf("%v unexpected events counted", n)
		}
	})
}

// TestPauseThatBecomesTheEnd: whoever asks while a pause is being sealed is taken on, and
// after the call has been stopped meanwhile nobody is, though the state is the same.
func TestPauseThatBecomesTheEnd(t *testing.T) {
	t.Parallel()
	c, _ := (&slowWorld{world: &world{}}).alone(t)
	permit, err := mint(announcement{"c", StatusRecording, "x"}, Receipt{HTTPStatus: 200}, Operation{Context: "x", Progress: Completed})
	if err != nil {
		t.Fatal(err)
	}
	s, _ := c.step(recording{leg: leg{call: "c"}, permit: permit, opened: true}, PauseRequested{})
	if !c.records.Load() {
		t.Errorf("in a pause it records no more: %s", show(s))
	}
	if s, _ = c.step(s, StopRequested{Cause: CauseStopped}); s.kind() != "sealing" || c.records.Load() {
		t.Errorf("stopped, and it records: %v, %s", c.records.Load(), show(s))
	}
}

// TestGivingUp: what a call does whose state can't be asked any more.
func TestGivingUp(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		from   leg
		panics int
		open   bool
		kind   string
		seals  bool
		asked  string // the context of failed
	}{
		"nothing was open":              {from: leg{}, kind: "retracting", asked: "c/2/failed"},
		"a gate was open":               {from: leg{asked: 1}, open: true, kind: "retracting", seals: true, asked: "c/2/failed"},
		"a dead process left something": {from: leg{cut: true}, kind: "retracting", seals: true, asked: "c/2/failed"},
		"a dead process had asked":      {from: leg{asked: 3}, kind: "retracting", asked: "c/4/failed"},
		"for the last time":             {from: leg{}, panics: mostPanics - 1, kind: "retracting", asked: "c/2/failed"},
		"once too often":                {from: leg{}, panics: mostPanics, kind: "ended"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _ := (&slowWorld{world: &world{}}).alone(t)
			c.panics = tt.panics
			c.watch = monitor{asked: map[string]RecordingStatus{"c/1/recording": StatusRecording}, open: tt.open}
			next, cmds := c.giveUp(recording{leg: tt.from}, "x")
			if next.kind() != tt.kind || strings.Contains(show(cmds), "SealMedia") != tt.seals {
				t.Errorf("%s, %s", show(next), show(cmds))
			}
			if s, is := next.(retracting); is && s.asked.context != tt.asked {
				t.Errorf("asked %s", s.asked.context)
			}
		})
	}
}

// TestFaultedAnnouncementIsJournaled: as what it was, and with what was answered; the
// log says it as an error, but where the call was over, as calls are.
func TestFaultedAnnouncementIsJournaled(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		status RecordingStatus
		kind   FaultKind
		level  string
	}{
		{StatusRecording, FaultGone, "warn"},
		{StatusRecording, FaultRefused, "warn"},
		{StatusNotRecording, FaultRefused, "warn"},
		{StatusNotRecording, FaultGone, "info"},
		{StatusFailed, FaultGone, "info"},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := &slowWorld{world: &world{}}
			fault := &Fault{Kind: tt.kind, Receipt: Receipt{HTTPStatus: 404}}
			w.announceReply = func(int, RecordingStatus, string) (Operation, error) { return Operation{}, fault }
			c, logs := w.alone(t)
			c.announce(t.Context(), announcement{"c", tt.status, "c/1"})
			if ev, ok := (<-c.results).(StatusFaulted); !ok || ev.Context != "c/1" || ev.Fault.Kind != tt.kind {
				t.Errorf("%s", show(ev))
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			d, ok := w.entries[len(w.entries)-1].Data.(announcedData)
			if !ok || d.Status != tt.status.String() || d.Context != "c/1" || d.Fault != fault.Error() || d.Receipt.HTTPStatus != 404 {
				t.Errorf("%+v", w.entries)
			}
			if all := logs.FilterMessage("announcement").All(); len(all) != 1 || all[0].Level.String() != tt.level {
				t.Errorf("%s of %s: %+v", tt.kind, tt.status, all)
			}
		})
	}
}

// TestNextWordWaitsForNoJournal: once the platform has answered, the next
// announcement goes out, though the journal has not taken the answer yet.
func TestNextWordWaitsForNoJournal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &slowWorld{world: &world{}, appendFor: func(e Entry) time.Duration {
			if e.Kind == EntryAnnounced {
				return time.Second
			}
			return 0
		}}
		c, _ := w.alone(t)
		c.announce(t.Context(), announcement{"c", StatusRecording, "c/1"})
		synctest.Wait()
		c.announce(t.Context(), announcement{"c", StatusFailed, "c/2"})
		synctest.Wait() // no time passes
		if l := w.log(); !slices.Contains(l, "announce failed") {
			t.Errorf("%v", l)
		}
		close(c.over)
		c.work.Wait()
	})
}

// TestJournalHasItsTime: how long each announcement waits for a journal that hangs,
// and whether it is made without.
func TestJournalHasItsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hangs := true
		w := &slowWorld{world: &world{}, appendFor: func(Entry) time.Duration {
			if hangs {
				return time.Hour
			}
			return 0
		}}
		c, _ := w.alone(t)
		for _, tt := range []struct {
			status RecordingStatus
			limit  time.Duration
			needs  bool
		}{
			{StatusRecording, ledgerTimeout, true},
			{StatusFailed, ledgerHurry, false},
			{StatusNotRecording, ledgerPatience, false},
		} {
			began := time.Now()
			err := c.keep(t.Context(), announcement{"c", tt.status, "c/1"}, c.entry(EntryAnnounce, nil))
			if took := time.Since(began); (err != nil) != tt.needs || took != tt.limit {
				t.Errorf("%s: %v after %v", tt.status, err, took)
			}
		}
		hangs = false
		if err := c.keep(t.Context(), announcement{"c", StatusFailed, "c/1"}, c.entry(EntryAnnounce, nil)); err != nil {
			t.Error(err)
		}
		if n := testutil.ToFloat64(c.deps.metrics.unjournaled); n != 2 {
			t.Errorf("%v announcements counted as made without a journal", n)
		}
	})
}

// TestLeavingCutsTheAnswer: an answer that is under way is over before we hang up, and
// nobody waits until it ends by itself.
func TestLeavingCutsTheAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &slowWorld{world: &world{}}
		w.answerWait = func(ctx context.Context) {
			<-ctx.Done()
			w.saw("cut")
		}
		c, _ := w.alone(t)
		c.perform(t.Context(), Answer{Session{Blob: "blob"}, false})
		synctest.Wait()
		c.perform(t.Context(), HangUp{})
		synctest.Wait() // no time passes
		if l := w.log(); !slices.Equal(l, []string{"answer blob", "cut", "hangUp"}) {
			t.Errorf("%v", l)
		}
		close(c.over)
		c.work.Wait()
	})
}
