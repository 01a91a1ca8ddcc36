package recorder

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// TestRefusedCommandIsNotCarriedOut: a machine that has lost its mind opens
// nothing. The command is refused and counted, and the call hears of it.
func TestRefusedCommandIsNotCarriedOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		r := w.begin(t.Context(), Options{})
		c := newCall(testInvite("c"), r.deps)
		a := announcement{"c", StatusRecording, "c/1/recording"}
		permit, err := mint(a, Receipt{HTTPStatus: 200}, testOperation(a.context, Completed))
		if err != nil {
			t.Fatal(err)
		}
		c.perform(t.Context(), OpenMedia{permit}) // nothing was asked
		if ev, ok := c.pressing.pop().(Crashed); !ok || ev.Detail == "" {
			t.Errorf("%+v", ev)
		}
		if l := w.log(); len(l) > 0 {
			t.Errorf("%v", l)
		}
		if n := testutil.ToFloat64(r.deps.metrics.violations); n != 1 {
			t.Errorf("%v violations counted", n)
		}
	})
}

// TestNotificationIsJournaledFirst: law 5 holds on every way: what an operation
// notification says is durable before the machine acts on it.
func TestNotificationIsJournaledFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &slowWorld{world: &world{}, appendFor: func(e Entry) time.Duration {
			if d, ok := e.Data.(announcedData); ok && d.Receipt.HTTPStatus == 0 {
				return 500 * time.Millisecond // the notification's
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
		pass(400 * time.Millisecond)
		if w.granted() {
			t.Fatal("granted before the journal knew")
		}
		pass(200 * time.Millisecond)
		if !w.granted() {
			t.Errorf("%v", w.log())
		}
		_ = r.Post("c", CallEnded{})
		wait(t, r)
	})
}

// A bomb is a recording whose machine panics: at the event named, or at all.
type bomb struct {
	recording
	at Event
}

func (b bomb) on(ev Event) (state, []Command) {
	if b.at == nil || b.at == ev {
		panic("planted")
	}
	return b.recording.on(ev)
}

// TestPanicOfTheMachine: a panic in a state ends the call as failed, with its gate
// shut, and sealed and told in order where the machine can still be asked; where it
// can't, the call does so without it, and ends after all where even that fails.
func TestPanicOfTheMachine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		r := w.begin(t.Context(), Options{Registerer: prometheus.NewRegistry()})
		c := newCall(testInvite("c"), r.deps)
		a := announcement{"c", StatusRecording, "c/1/recording"}
		granted := func() recording {
			permit, err := mint(a, Receipt{HTTPStatus: 200}, testOperation(a.context, Completed))
			if err != nil {
				t.Fatal(err)
			}
			c.watch = monitor{asked: map[string]RecordingStatus{a.context: a.status}, open: true, permit: permit}
			return recording{leg: leg{call: "c", asked: 1}, permit: permit, context: a.context}
		}
		next, cmds := c.step(bomb{granted(), Established{}}, Established{})
		if s, ok := next.(sealing); !ok || s.end.status != StatusFailed || s.end.cause != CausePanic {
			t.Errorf("once: %s, %s", show(next), show(cmds))
		}
		next, cmds = c.step(bomb{granted(), nil}, Established{})
		if s, ok := next.(retracting); !ok || s.asked.context != "c/2/failed" || c.watch.permit.Live() || !strings.Contains(show(cmds), "SealMedia") {
			t.Errorf("twice: %s, %s", show(next), show(cmds))
		}
		c.panics = mostPanics
		next, cmds = c.step(bomb{granted(), nil}, Established{})
		if _, ok := next.(ended); !ok || c.watch.permit.Live() || !strings.Contains(show(cmds), "Conclude") {
			t.Errorf("too often: %s, %s", show(next), show(cmds))
		}
		for _, k := range []string{"recording", "sealing", "retracting", "ended"} {
			if n := testutil.ToFloat64(r.deps.metrics.calls.WithLabelValues(k)); (k == "recording") != (n == -3) || (k != "recording") != (n == 1) {
				t.Errorf("%v calls in state %s", n, k)
			}
		}
	})
}

// TestPanicOfACommand: a panic in what performs a command reaches the call as an
// event, and nobody else.
func TestPanicOfACommand(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		c := newCall(testInvite("c"), w.begin(t.Context(), Options{}).deps)
		c.timers = nil // so that setting one panics
		c.performGuarded(t.Context(), SetTimer{TimerPoll, time.Hour})
		if ev, ok := c.pressing.pop().(Crashed); !ok || ev.Detail == "" {
			t.Errorf("%+v", ev)
		}
	})
}

// TestPressingEventsKeepTheirOrder: and go before what was posted, and before our
// own results.
func TestPressingEventsKeepTheirOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		c := newCall(testInvite("c"), w.begin(t.Context(), Options{}).deps)
		c.post(Established{})
		c.do(t.Context(), time.Second, func(context.Context) Event { return AnswerAccepted{} })
		for i := range 3 {
			c.urgent(MediaClosed{strconv.Itoa(i)})
		}
		synctest.Wait()
		want := []Event{MediaClosed{"0"}, MediaClosed{"1"}, MediaClosed{"2"}, AnswerAccepted{}, Established{}}
		for _, w := range want {
			if ev := c.next(t.Context()); ev != w {
				t.Errorf("%s, want %s", show(ev), show(w))
			}
		}
		go func() { pass(time.Second); c.urgent(Crashed{"late"}) }()
		if ev := c.next(t.Context()); ev != (Crashed{"late"}) {
			t.Errorf("%s", show(ev))
		}
	})
}
