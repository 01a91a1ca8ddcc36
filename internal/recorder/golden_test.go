package recorder

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// testContext is the client context of the announcement that the sample states
// await.
const testContext = "c/1/recording"

func testOperation(context string, p Progress) Operation {
	return Operation{ID: "op", Context: context, Progress: p, Receipt: Receipt{HTTPStatus: 200}}
}

// testNotified is an operation as a notification tells it.
func testNotified(context string, p Progress) Operation {
	return Operation{ID: "op", Context: context, Progress: p}
}

// sampleStates returns one of each state, and variants where a field decides.
// They are made anew for each use: a permit remembers that it was withdrawn.
func sampleStates(t *testing.T) []state {
	t.Helper()
	asked := announcement{"c", StatusRecording, testContext}
	permit := func() Permit {
		p, err := mint(asked, Receipt{HTTPStatus: 200}, testOperation(testContext, Completed))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	l := leg{call: "c", asked: 1}
	stay := leg{call: "c", asked: 1, onFailure: FailureStay}
	retracted := announcement{"c", StatusNotRecording, testContext}
	with := func(l leg, r SealReport) leg { return l.sealed(r) }
	sealed := with(l, SealReport{Recording: "r", Frames: 5, Samples: 1600})
	staySealed := with(stay, SealReport{Recording: "r", Frames: 5, Samples: 1600})
	holey := with(l, SealReport{Recording: "r", Frames: 4, Samples: 1280, GapSamples: 320})
	empty := with(l, SealReport{Recording: "r"})
	cut := leg{call: "c", asked: 1, cut: true}
	toPause := ending{status: StatusNotRecording, cause: CauseStopped, pause: true}
	done := ending{status: StatusNotRecording, cause: CauseCallEnded}
	broken := ending{status: StatusFailed, cause: CauseMediaLost, detail: "host gone"}
	gone := ending{status: StatusNotRecording, cause: CauseCallEnded, gone: true}
	return []state{
		invited{leg{call: "c"}},
		rejecting{leg{call: "c"}, CauseDraining},
		answering{leg: leg{call: "c"}, tries: 1},
		answering{leg: leg{call: "c"}, tries: 1, doubt: "no reply", asks: 2},
		answering{leg: leg{call: "c"}, tries: answers, doubt: "no reply", session: Session{ID: "s"}},
		announcing{leg: l, asked: asked},
		announcing{leg: l, asked: asked, operation: "op", tries: 9, before: []string{"c/0/recording"}},
		announcing{leg: l, asked: asked, reply: Receipt{HTTPStatus: 200}, operation: "op"},
		announcing{leg: l, asked: asked, early: testNotified(testContext, Completed)},
		recording{leg: l, permit: permit(), context: testContext},
		sealing{leg: l, permit: permit(), end: done},
		sealing{leg: l, permit: permit(), end: gone},
		sealing{leg: l, permit: permit(), end: broken},
		sealing{leg: l, permit: permit(), end: done, asking: true},
		sealing{leg: sealed, permit: permit(), end: done, asking: true, isDone: true},
		sealing{leg: l, permit: permit(), end: toPause},
		sealing{leg: cut, end: failed(CauseProcessDied, ""), open: []string{testContext}},
		retracting{leg: sealed, asked: retracted, end: done},
		retracting{leg: holey, asked: retracted, end: gone},
		retracting{leg: empty, asked: retracted, end: done},
		retracting{leg: sealed, asked: retracted, end: toPause},
		retracting{leg: sealed, asked: retracted, end: toPause, closed: true},
		retracting{leg: l, asked: announcement{"c", StatusFailed, testContext}, end: broken},
		retracting{leg: stay, asked: announcement{"c", StatusFailed, testContext}, end: broken},
		retracting{leg: stay, asked: announcement{"c", StatusFailed, "c/2/failed"}, end: broken, open: []string{testContext}, stopped: true},
		retracting{leg: stay, asked: announcement{"c", StatusFailed, "c/2/failed"}, end: broken, open: []string{testContext}, again: true},
		retracting{leg: stay, asked: announcement{"c", StatusFailed, testContext}, end: ending{status: StatusFailed, cause: CauseShutdown}},
		retracting{leg: staySealed, asked: retracted, end: done},
		retracting{leg: empty, asked: announcement{"c", StatusFailed, testContext}, end: broken},
		paused{leg: sealed},
		paused{leg: sealed, asking: true, open: []string{testContext}},
		reviving{leg: cut, before: []string{testContext}},
		reviving{leg: l},
		reviving{leg: sealed},
		announcing{leg: cut, asked: asked},
		recording{leg: cut, permit: permit(), context: testContext},
		staying{staySealed, broken, nil},
		staying{stay, broken, []string{testContext}},
		leaving{leg: sealed, end: done},
		leaving{leg: l, end: broken, tries: 3},
		leaving{leg: l, end: broken, tries: refusedHangUps},
		ended{},
	}
}

// sampleEvents returns each event, and variants where a field decides.
func sampleEvents() []Event {
	refused := Fault{Kind: FaultRefused, Code: "8506", Cause: CauseNotPolicyCall, Message: "no"}
	events := []Event{
		SessionCreated{Session{ID: "s", Host: "h", Blob: "b"}},
		SessionRefused{CauseNoMediaHost},
		AnswerAccepted{},
		AnswerFaulted{Fault{Kind: FaultGone, Code: "8522"}},
		AnswerFaulted{Fault{Kind: FaultUnknown}},
		AnswerFaulted{refused},
		AnswerFaulted{Fault{Kind: FaultRefused}},
		Established{},
		CallAsked{Standing: StandingEstablished},
		CallAsked{Standing: StandingIncoming},
		CallAsked{},
		CallAsked{Gone: true},
		StatusReplied{testOperation(testContext, Completed)},
		StatusReplied{testOperation(testContext, Running)},
		StatusReplied{testOperation(testContext, Failed)},
		StatusReplied{testOperation(testContext, 0)},
		StatusReplied{Operation{ID: "op", Context: testContext, Progress: Completed, Receipt: Receipt{HTTPStatus: 403}}},
		StatusReplied{testOperation("c/7/recording", Completed)},
		StatusReplied{testOperation("c/7/recording", Failed)},
		StatusReplied{testNotified(testContext, Completed)},
		StatusReplied{testNotified(testContext, Running)},
		StatusReplied{testNotified(testContext, Failed)},
		StatusFaulted{testContext, Fault{Kind: FaultUnknown}},
		StatusFaulted{testContext, Fault{Kind: FaultUnknown, RetryAfter: 3 * time.Second}},
		StatusFaulted{testContext, Fault{Kind: FaultThrottled}},
		StatusFaulted{testContext, Fault{Kind: FaultThrottled, RetryAfter: time.Hour}},
		StatusFaulted{testContext, Fault{Kind: FaultThrottled, RetryAfter: 3 * time.Second}},
		StatusFaulted{testContext, refused},
		StatusFaulted{testContext, Fault{Kind: FaultRefused}},
		StatusFaulted{testContext, Fault{Kind: FaultGone}},
		StatusFaulted{"c/7/recording", refused},
		PollFaulted{testContext, Fault{Kind: FaultGone}},
		PollFaulted{"c/7/recording", Fault{Kind: FaultGone}},
		MediaOpened{Opened{Recording: "r", FirstSeq: 1}},
		MediaOpened{Opened{Recording: "r2", FirstSeq: 6, Previous: &SealReport{Recording: "r1", Frames: 5, Samples: 1600}}},
		MediaFailed{CauseMediaLost, "host gone"},
		MediaFailed{CauseStorageFailed, "disk full"},
		MediaClosed{"platform"},
		MediaSealed{SealReport{Recording: "r", Frames: 7, Samples: 2240}},
		SealFaulted{"disk full"},
		CallEnded{Code: 200, Subcode: 5001, Message: "over"},
		KeepAliveReplied{OK: true},
		KeepAliveReplied{Gone: true},
		KeepAliveReplied{},
		HungUp{},
		HungUp{&Fault{Kind: FaultUnknown}},
		HungUp{&Fault{Kind: FaultThrottled, RetryAfter: 3 * time.Second}},
		HungUp{&Fault{Kind: FaultRefused}},
		HungUp{&Fault{Kind: FaultGone}},
		Rejected{},
		Rejected{&Fault{Kind: FaultGone}},
		PauseRequested{},
		ResumeRequested{},
		StopRequested{Cause: CauseStopped},
		StopRequested{Cause: CauseShutdown, Abrupt: true},
		UnknownSource{},
		Crashed{"nil map"},
		LedgerFailed{"locked"},
	}
	for _, timer := range allTimers() {
		events = append(events, TimerFired{timer})
	}
	return events
}

// transitions is the whole table state × event → state, commands, and what becomes
// of each state when its process dies.
func transitions(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for i, n := 0, len(sampleStates(t)); i < n; i++ {
		fmt.Fprintf(&b, "# %s\n", show(sampleStates(t)[i]))
		for _, ev := range sampleEvents() {
			from := sampleStates(t)[i]
			fmt.Fprintf(&b, "%s\n", show(ev))
			to, cmds := from.on(ev)
			showStep(&b, from, to, cmds)
		}
		b.WriteString("\n")
	}
	for i, s := range sampleStates(t) {
		for _, found := range sampleLeftovers(s) {
			found.Memory = remember(sampleStates(t)[i], nil)
			fmt.Fprintf(&b, "# taken up: %s\n", show(found))
			to, cmds := resume(leg{call: "c", onFailure: legOf(s).onFailure}, found)
			showStep(&b, nil, to, cmds)
		}
	}
	return b.String()
}

// TestTransitions holds the table against a golden file: a change of any rule shows
// up as a line in the diff.
func TestTransitions(t *testing.T) {
	t.Parallel()
	is := transitions(t)
	name := filepath.Join("testdata", "transitions.golden")
	if *update {
		if err := os.WriteFile(name, []byte(is), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(is, "\n")); diff != "" {
		t.Errorf("the table has changed; if that is meant, run go test ./internal/recorder -update (-was +is):\n%s", diff)
	}
}

func showStep(b *strings.Builder, from, to state, cmds []Command) {
	if show(to) != show(from) {
		fmt.Fprintf(b, "\t→ %s\n", show(to))
	}
	for _, cmd := range cmds {
		if _, ok := cmd.(Unexpected); ok {
			b.WriteString("\t! Unexpected\n")
			continue
		}
		fmt.Fprintf(b, "\t! %s\n", show(cmd))
	}
}

// sampleLeftovers are the ways in which a dead process may leave a call that stood
// there: what was never announced has no recording.
func sampleLeftovers(s state) []Takeover {
	session := &Session{ID: "s", Host: "h"}
	all := []Takeover{{}, {Session: session}}
	switch s.(type) {
	case invited, rejecting, answering:
		return all
	case announcing, recording, sealing, retracting, paused, reviving, staying, leaving, ended:
	}
	return append(all,
		Takeover{Session: session, Unsealed: true},
		Takeover{Session: session, Sealed: []SealReport{{Recording: "r9", Frames: 5}}},
		Takeover{Session: session, Sealed: []SealReport{{Recording: "r9", Frames: 5}}, Died: true},
		Takeover{Session: session, Lost: "r9"},
	)
}

// TestSamplesAreComplete: every event type and every state type is in the table above.
func TestSamplesAreComplete(t *testing.T) {
	t.Parallel()
	kinds := map[string]bool{}
	for _, s := range sampleStates(t) {
		kinds[s.kind()] = true
	}
	for _, k := range stateKinds() {
		if !kinds[k] {
			t.Errorf("no sample of state %s", k)
		}
	}
	src, err := os.ReadFile("event.go")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, ev := range sampleEvents() {
		names[eventName(ev)] = true
	}
	for line := range strings.Lines(string(src)) {
		if rest, ok := strings.CutPrefix(line, "func ("); ok && strings.Contains(line, "isEvent") {
			n, _, _ := strings.Cut(rest, ")")
			if !names[n] {
				t.Errorf("no sample of event %s", n)
			}
			if !slices.Contains(eventNames(), n) {
				t.Errorf("event %s is not exported as a label", n)
			}
		}
	}
}

// show writes a value as Words does, and whether a permit is live.
func show(v any) string {
	if v == nil {
		return "nil"
	}
	return words(reflect.ValueOf(v), func(p Permit) string {
		switch {
		case p.g == nil:
			return "no permit"
		case p.Live():
			return "live permit"
		}
		return "withdrawn permit"
	})
}
