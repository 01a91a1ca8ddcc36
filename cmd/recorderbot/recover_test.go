package main

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/catalogue"
	"github.com/recorderbot/recorderbot/internal/recorder"
	"github.com/recorderbot/recorderbot/internal/teamsim"
)

// TestJournalsOfTheDead: whatever a dead process of an older version had got done,
// which kept no steps of the machine, the next start finds out that the call is no
// more, and gives it its outcome.
func TestJournalsOfTheDead(t *testing.T) {
	t.Parallel()
	type line struct {
		kind recorder.EntryKind
		data map[string]any
	}
	ask := func(status, ctx string) line {
		return line{recorder.EntryAnnounce, map[string]any{"status": status, "clientContext": ctx}}
	}
	said := func(ctx string) line { // as a notification is kept: without the status
		return line{recorder.EntryAnnounced, map[string]any{"clientContext": ctx, "progress": "completed"}}
	}
	sealed := line{recorder.EntrySealed, map[string]any{"recording": "r", "frames": 5}}
	for name, tt := range map[string]struct {
		lines         []line
		outcome       string
		said, hungUps int
	}{
		"invited":          {nil, "rejected", 0, 0},
		"answered":         {[]line{{recorder.EntryAnswer, map[string]any{}}}, "notRecorded", 0, 0},
		"asked":            {[]line{ask("recording", "c/1")}, "notRecorded", 0, 0},
		"sealed":           {[]line{ask("recording", "c/1"), said("c/1"), sealed}, "recorded", 1, 0},
		"ended, confirmed": {[]line{ask("recording", "c/1"), said("c/1"), sealed, ask("notRecording", "c/2"), said("c/2")}, "recorded", 1, 0},
		"ended, open":      {[]line{ask("recording", "c/1"), said("c/1"), sealed, ask("notRecording", "c/2")}, "recorded", 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := teamsim.Builtin("one-call")
			if err != nil {
				t.Fatal(err)
			}
			r := newRig(t, s, nil)
			cat, err := catalogue.Open(t.Context(), r.cfg.Catalogue.URL, filepath.Dir(r.cfg.file), catalogue.Options{})
			if err != nil {
				t.Fatal(err)
			}
			id := recorder.CallID("e71f0300-9c1f-4d99-b5f4-2722e877d497")
			cat.Invited(recorder.Invite{Call: recorder.CallRef{ID: id, Platform: string(id), Tenant: r.cfg.App.Tenants[0]}, At: time.Now(), ObservedParticipant: "p"})
			for _, l := range tt.lines {
				if err := cat.Append(t.Context(), recorder.Entry{Call: id, At: time.Now(), Kind: l.kind, Data: l.data}); err != nil {
					t.Fatal(err)
				}
			}
			if err := cat.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			r.start(t)
			// Not stop: it would wait for the archive, which has nothing of these.
			if err := errors.Join(r.bot.registry.Wait(t.Context()), r.bot.close()); err != nil {
				t.Fatal(err)
			}
			r.read(t, func(ctx context.Context, c catalogueReader) error {
				o, err := c.OutcomeOf(ctx, id)
				if err != nil {
					return err
				}
				journal, err := c.Journal(ctx, id)
				count := map[string]int{}
				for _, e := range journal[min(len(tt.lines)+1, len(journal)):] {
					count[e.Kind]++
				}
				if o.Outcome != tt.outcome || count["announce"] != tt.said || count["hangUp"] != tt.hungUps {
					t.Errorf("outcome %s, announced %d times, left %d times", o.Outcome, count["announce"], count["hangUp"])
				}
				return err
			})
		})
	}
}
