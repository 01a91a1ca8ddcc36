package trace_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/teamsim/trace"
)

func TestLogKeepsOrderOfAdding(t *testing.T) {
	t.Parallel()
	log := trace.New()
	late := time.Now().Add(time.Hour)
	log.Add(trace.Event{Kind: trace.InviteSent, Call: "a", At: late})
	log.Add(trace.Event{Kind: trace.AnswerReceived, Call: "b"})
	log.Add(trace.Event{Kind: trace.Violation, Call: "a", Detail: "no"})

	all := log.Events()
	for i, e := range all {
		if e.Index != i || e.At.IsZero() {
			t.Errorf("event %d: %v", i, e)
		}
	}
	if !all[0].At.Equal(late) {
		t.Errorf("At was changed: %v", all[0].At)
	}
	if got := log.OfCall("a"); len(got) != 2 || got[1].Kind != trace.Violation {
		t.Errorf("OfCall: %v", got)
	}
	if got := log.Violations(); len(got) != 1 || got[0].Detail != "no" {
		t.Errorf("Violations: %v", got)
	}
	if s := all[2].String(); !strings.Contains(s, `call="a"`) || !strings.Contains(s, `detail="no"`) {
		t.Errorf("String: %s", s)
	}
}

func TestWaitSeesPastAndFuture(t *testing.T) {
	t.Parallel()
	log := trace.New()
	log.Add(trace.Event{Kind: trace.InviteSent, Call: "a"})
	if e, err := log.Wait(t.Context(), func(e trace.Event) bool { return e.Call == "a" }); err != nil || e.Index != 0 {
		t.Fatalf("past: %v, %v", e, err)
	}

	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			seq := uint64(i)
			e, err := log.Wait(t.Context(), func(e trace.Event) bool { return e.Kind == trace.FirstAck && e.Seq == seq })
			if err != nil || e.Seq != seq {
				t.Errorf("future %d: %v, %v", i, e, err)
			}
		})
	}
	for i := range 8 {
		log.Add(trace.Event{Kind: trace.FirstAck, Seq: uint64(i)})
	}
	wg.Wait()
}

func TestWaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	cancel(cause)
	if _, err := trace.New().Wait(ctx, func(trace.Event) bool { return true }); !errors.Is(err, cause) {
		t.Fatalf("got %v", err)
	}
}
