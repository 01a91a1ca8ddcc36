package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/zap"

	"github.com/recorderbot/recorderbot/internal/callbacks"
	"github.com/recorderbot/recorderbot/internal/catalogue"
	"github.com/recorderbot/recorderbot/internal/graph"
	"github.com/recorderbot/recorderbot/internal/recorder"
	"github.com/recorderbot/recorderbot/internal/teamsim"
)

// TestFactsOfPartsAreFacts: what is read of many journals says as much as the whole of
// each, also where older versions wrote steps that say less.
func TestFactsOfPartsAreFacts(t *testing.T) {
	t.Parallel()
	type data = map[string]any
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	draw := rand.New(rand.NewPCG(3, 4)) // the same ones each time
	lines := []func() (recorder.EntryKind, any){
		func() (recorder.EntryKind, any) {
			states := []string{"answering", "announcing", "recording", "paused", "retracting"}
			return recorder.EntryState, data{"memory": recorder.Memory{State: states[draw.IntN(len(states))], Asked: draw.IntN(3)}}
		},
		func() (recorder.EntryKind, any) { return recorder.EntryState, data{"state": "recording"} }, // of an older version
		func() (recorder.EntryKind, any) { return recorder.EntryState, "odd" },
		func() (recorder.EntryKind, any) {
			return recorder.EntrySession, recorder.Session{ID: fmt.Sprint(draw.Int())}
		},
		func() (recorder.EntryKind, any) { return recorder.EntryAnswer, data{} },
		func() (recorder.EntryKind, any) {
			return recorder.EntryAnnounce, data{"status": []string{"recording", "notRecording", "failed"}[draw.IntN(3)]}
		},
		func() (recorder.EntryKind, any) {
			return recorder.EntryOpened, recorder.Opened{Recording: fmt.Sprint(draw.Int()), At: at}
		},
		func() (recorder.EntryKind, any) {
			return recorder.EntrySealed, recorder.SealReport{Recording: fmt.Sprint(draw.Int()), Frames: 3}
		},
		func() (recorder.EntryKind, any) {
			return recorder.EntryNotification, data{"change": []string{"updated", "deleted"}[draw.IntN(2)]}
		},
		func() (recorder.EntryKind, any) { return recorder.EntryRoster, data{"sequence": 1} },
		func() (recorder.EntryKind, any) { return recorder.EntryKeepAlive, data{} },
	}
	cat, err := catalogue.Open(t.Context(), "sqlite:c.db", t.TempDir(), catalogue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cat.Close(context.Background()) })
	var calls []catalogue.Call
	for i := range 400 {
		id := recorder.CallID(fmt.Sprintf("call-%03d", i))
		calls = append(calls, catalogue.Call{Invite: recorder.Invite{Call: recorder.CallRef{ID: id}}})
		var all []recorder.Entry
		for n := range draw.IntN(12) {
			kind, said := lines[draw.IntN(len(lines))]()
			all = append(all, recorder.Entry{Call: id, At: at.Add(time.Duration(n) * time.Second), Kind: kind, Data: said})
		}
		if err = cat.Append(t.Context(), all...); err != nil {
			t.Fatal(err)
		}
	}
	facts, err := (&bot{catalogue: cat}).readFacts(t.Context(), calls)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range calls {
		id := c.Invite.Call.ID
		whole, err := cat.Journal(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(factsOf(whole), facts[id], cmp.AllowUnexported(journalFacts{}), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s, %v: %s", id, whole, diff)
		}
	}
}

// TestTakenUpBeforeTheDoors: when recovery is through, each call that a dead process has
// left is live, takes what is said of it, and waits; then it goes on to its outcome.
func TestTakenUpBeforeTheDoors(t *testing.T) {
	t.Parallel()
	s, err := teamsim.Builtin("one-call")
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, s, nil)
	id := recorder.CallID("e71f0300-9c1f-4d99-b5f4-2722e877d497")
	tenant := r.cfg.App.Tenants[0]
	inv := recorder.Invite{Call: recorder.CallRef{ID: id, Platform: string(id), Tenant: tenant}, At: time.Now(), ObservedParticipant: "p"}
	cat, err := catalogue.Open(t.Context(), r.cfg.Catalogue.URL, filepath.Dir(r.cfg.file), catalogue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	cat.Invited(inv)
	if err = cat.Append(t.Context(), recorder.Entry{Call: id, At: time.Now(), Kind: recorder.EntryAnswer, Data: map[string]any{}}); err != nil {
		t.Fatal(err)
	}
	if err = cat.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.bot, err = newBot(t.Context(), r.cfg, zap.NewNop(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.bot.close() })
	if err = r.bot.recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	ended := graph.Notification{Call: id, Change: "deleted", Events: []recorder.Event{recorder.CallEnded{}}}
	again := graph.Notification{Call: id, Kind: graph.Invite, Invite: &inv}
	if err = r.bot.receiver.Receive(t.Context(), callbacks.Caller{Tenant: tenant}, []graph.Notification{ended, again}); err != nil {
		t.Error(err)
	}
	soon, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err = r.bot.registry.Pause(soon, id); !errors.Is(err, recorder.ErrNotGiven) {
		t.Errorf("the call went on before the doors were open: %v", err)
	}
	r.bot.registry.GoOn()
	if err = r.bot.registry.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if o, err := r.bot.catalogue.OutcomeOf(t.Context(), id); err != nil || o.Outcome != "notRecorded" {
		t.Errorf("%+v, %v", o, err)
	}
}
