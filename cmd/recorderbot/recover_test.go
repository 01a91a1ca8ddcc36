package main

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/catalogue"
	"github.com/recorderbot/recorderbot/internal/recorder"
	"github.com/recorderbot/recorderbot/internal/teamsim"
)

// TestJournalsOfTheDead: whatever a dead process had got done, the next start
// ends the call, leaves it unless that is confirmed, and says failed only where
// the end was not confirmed.
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
	left := line{recorder.EntryHangUp, map[string]any{"receipt": map[string]any{"httpStatus": 204}}}
	for name, tt := range map[string]struct {
		lines           []line
		outcome         string
		failed, hungUps int
	}{
		"invited":          {nil, "notRecorded", 0, 1},
		"rejected":         {[]line{{recorder.EntryReject, map[string]any{"reason": "busy"}}}, "rejected", 0, 0},
		"answered":         {[]line{{recorder.EntryAnswer, map[string]any{}}}, "notRecorded", 0, 1},
		"asked":            {[]line{ask("recording", "c/1")}, "failed", 1, 1},
		"granted":          {[]line{ask("recording", "c/1"), said("c/1")}, "failed", 1, 1},
		"ended, confirmed": {[]line{ask("recording", "c/1"), said("c/1"), sealed, ask("notRecording", "c/2"), said("c/2")}, "failed", 0, 1},
		"ended, open":      {[]line{ask("recording", "c/1"), said("c/1"), sealed, ask("notRecording", "c/2")}, "failed", 1, 1},
		"left":             {[]line{ask("recording", "c/1"), said("c/1"), sealed, ask("notRecording", "c/2"), said("c/2"), left}, "failed", 0, 0},
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
			r.bot.ending.Wait()
			r.stop(t)
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
				if o.Outcome != tt.outcome || count["announce"] != tt.failed || count["hangUp"] != tt.hungUps {
					t.Errorf("outcome %s, said failed %d times, left %d times", o.Outcome, count["announce"], count["hangUp"])
				}
				return err
			})
		})
	}
}

// TestOnlyAGoodEndIsRecorded: what a dead process has left counts as recorded only
// where it had sealed, and told the end in good order, and nothing failed.
func TestOnlyAGoodEndIsRecorded(t *testing.T) {
	t.Parallel()
	some, none := []recorder.SealReport{{Recording: "r", Frames: 5}}, []recorder.SealReport{{Recording: "r"}}
	well := journalFacts{announced: true, retracted: true}
	for name, tt := range map[string]struct {
		left  leftover
		facts journalFacts
		want  recorder.Outcome
	}{
		"all but the outcome":       {leftover{reports: some}, well, recorder.OutcomeRecorded},
		"with gaps":                 {leftover{reports: some}, journalFacts{announced: true, retracted: true, gaps: true}, recorder.OutcomeRecordedWithGaps},
		"nothing came":              {leftover{reports: none}, well, recorder.OutcomeNotRecorded},
		"it had failed":             {leftover{reports: some}, journalFacts{announced: true, retracted: true, failed: true}, recorder.OutcomeFailed},
		"cut while recording":       {leftover{reports: some, cut: true}, well, recorder.OutcomeFailed},
		"the end was not confirmed": {leftover{reports: some}, journalFacts{announced: true}, recorder.OutcomeFailed},
		"asked, and then dead":      {leftover{}, journalFacts{announced: true}, recorder.OutcomeFailed},
		"the recording is lost":     {leftover{}, well, recorder.OutcomeFailed},
		"rejected":                  {leftover{}, journalFacts{rejected: "busy"}, recorder.OutcomeRejected},
		"never asked":               {leftover{}, journalFacts{}, recorder.OutcomeNotRecorded},
	} {
		if got := concludeLeftover(tt.left, tt.facts); got.Outcome != tt.want || got.Cause != recorder.CauseProcessDied {
			t.Errorf("%s: %v (%s), want %v", name, got.Outcome, got.Cause, tt.want)
		}
	}
}

// TestFactsOfAJournal: an end that reached the platform, in the reply or as a
// call that is no more, and a failure that was told at any time.
func TestFactsOfAJournal(t *testing.T) {
	t.Parallel()
	ask := func(status string) factsData { return factsData{Status: status, ClientContext: status} }
	for name, tt := range map[string]struct {
		last factsData
		kind recorder.EntryKind
		want journalFacts
	}{
		"confirmed": {factsData{ClientContext: "notRecording", Progress: "completed"}, recorder.EntryAnnounced, journalFacts{announced: true, retracted: true}},
		"into a call that is over": {
			factsData{ClientContext: "notRecording", Receipt: recorder.Receipt{HTTPStatus: 404}},
			recorder.EntryAnnounced,
			journalFacts{announced: true, retracted: true},
		},
		"refused":     {factsData{ClientContext: "notRecording", Receipt: recorder.Receipt{HTTPStatus: 403}}, recorder.EntryAnnounced, journalFacts{announced: true}},
		"then failed": {ask("failed"), recorder.EntryAnnounce, journalFacts{announced: true, failed: true}},
	} {
		var f journalFacts
		asked := map[string]string{}
		f.take(recorder.EntryAnnounce, ask("recording"), asked)
		f.take(recorder.EntryAnnounce, ask("notRecording"), asked)
		f.take(tt.kind, tt.last, asked)
		if f != tt.want {
			t.Errorf("%s: %+v, want %+v", name, f, tt.want)
		}
	}
}
