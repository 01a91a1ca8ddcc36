package archive_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/recorderbot/recorderbot/internal/archive"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// someone is a user in a roster with one audio stream of that direction.
func someone(id, kind, direction string) recorder.Participant {
	return recorder.Participant{
		ID: id, Kind: kind, Identity: "of-" + id, Streams: []recorder.MediaStream{{SourceID: 1, Type: "audio", Direction: direction}},
	}
}

// happened is a journal of which each entry is a minute after the one before.
func happened(tb testing.TB, entries ...any) (events []archive.Event) {
	tb.Helper()
	type m map[string]any
	for i, e := range entries {
		event := archive.Event{Seq: int64(i + 1), At: after(time.Duration(i) * time.Minute), Kind: string(recorder.EntryNotification)}
		switch e := e.(type) {
		case []recorder.Participant:
			event.Kind = string(recorder.EntryRoster)
			event.Data = marshal(tb, m{"sequence": 0, "delta": false, "participants": e})
		case string:
			change, raw, _ := strings.Cut(e, " ")
			event.Data = marshal(tb, m{"kind": "call", "change": change, "raw": raw})
		case json.RawMessage:
			event.Data = e
		}
		events = append(events, event)
	}
	return events
}

// TestTurns: holds, transfers and a third person are told with their times; what is
// ordinary is not.
func TestTurns(t *testing.T) {
	t.Parallel()
	type people = []recorder.Participant
	anna, bob := someone("anna", "user", "sendReceive"), someone("bob", "phone", "sendReceive")
	carl, bot := someone("carl", "guest", "sendOnly"), someone("bot", "applicationInstance", "sendReceive")
	held := someone("anna", "user", "inactive")
	for name, test := range map[string]struct {
		events []any
		facts  archive.Facts
		want   string
	}{
		"an ordinary call":           {[]any{people{anna, bot}, people{anna, bob, bot}, people{bob, bot}, "deleted "}, archive.Facts{}, ""},
		"hold and resume":            {[]any{people{anna, bob}, people{held, bob}, people{held, bob}, people{anna, bob}}, archive.Facts{}, "hold 1-3 roster anna"},
		"held to the end":            {[]any{people{anna, bob}, people{held, bob}}, archive.Facts{}, "hold 1- roster anna"},
		"held, and left":             {[]any{people{anna, bob}, people{held, bob}, people{bob}}, archive.Facts{}, "hold 1-2 roster anna"},
		"twice":                      {[]any{people{anna}, people{held}, people{anna}, people{held}}, archive.Facts{}, "hold 1-2 roster anna, hold 3- roster anna"},
		"joined without audio":       {[]any{people{held, bob}, people{anna, bob}}, archive.Facts{}, ""},
		"a bot is not on hold":       {[]any{people{someone("b", "application", "sendReceive")}, people{someone("b", "application", "inactive")}}, archive.Facts{}, ""},
		"a third person":             {[]any{people{anna, bob, bot}, people{anna, bob, carl, bot}, people{anna, carl}}, archive.Facts{}, "group 1-2 roster "},
		"a group to the end":         {[]any{people{anna, bob, carl}}, archive.Facts{}, "group 0- roster "},
		"one comes as another goes":  {[]any{people{anna, bob}, people{anna, carl}}, archive.Facts{}, ""},
		"states":                     {[]any{`updated {"state":"Hold"}`, `updated {"state":"hold"}`, `updated {"toneInfo":{}}`, `updated {"state":"established"}`, `updated {"state":"transferAccepted"}`, "deleted null"}, archive.Facts{}, "hold 0-3 state , transferAccepted 4-5 state "},
		"one state after another":    {[]any{`updated {"state":"transferring"}`, `updated {"state":"transferAccepted"}`}, archive.Facts{}, "transferring 0-1 state , transferAccepted 1- state "},
		"transferred away":           {[]any{`deleted {"state":"terminated","resultInfo":{"code":200,"subcode":7015}}`}, archive.Facts{}, "transferredAway 0- end "},
		"its subcode as text":        {[]any{`deleted {"resultInfo":{"code":"200","subcode":"7015"}}`}, archive.Facts{}, "transferredAway 0- end "},
		"terminated, not deleted":    {[]any{`updated {"state":"terminated","resultInfo":{"subcode":7015}}`}, archive.Facts{}, "transferredAway 0- end "},
		"ended on hold":              {[]any{`updated {"state":"hold"}`, `deleted {"state":"redirecting"}`}, archive.Facts{}, "hold 0-1 state "},
		"ended otherwise":            {[]any{`deleted {"resultInfo":{"code":200,"subcode":5001}}`}, archive.Facts{}, ""},
		"an odd subcode":             {[]any{`updated {"resultInfo":{"subcode":{}},"state":"hold"}`}, archive.Facts{}, "hold 0- state "},
		"another kind, or no JSON":   {[]any{json.RawMessage(`{"kind":"operation","raw":"{\"state\":\"hold\"}"}`), json.RawMessage(`7`), "updated {"}, archive.Facts{}, ""},
		"transferred here":           {nil, archive.Facts{InvitedAt: after(0), Parties: []recorder.Party{{Role: recorder.RoleTransferor, ID: "x"}}}, "transferredHere 0- invite "},
		"not by the one who calls":   {nil, archive.Facts{InvitedAt: after(0), Parties: []recorder.Party{{Role: recorder.RoleSource, ID: "x"}}}, ""},
		"all in order of their time": {[]any{people{anna, bob, carl}, people{held, bob, carl}, `updated {"state":"transferring"}`}, archive.Facts{}, "group 0- roster , hold 1- roster anna, transferring 2- state "},
	} {
		if got := turnsAsText(archive.TurnsOf(test.facts, happened(t, test.events...))); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func turnsAsText(turns []archive.Turn) string {
	var words []string
	for _, turn := range turns {
		to := ""
		if !turn.To.IsZero() {
			to = fmt.Sprint(turn.To.Sub(after(0)).Minutes())
		}
		words = append(words, fmt.Sprintf("%s %v-%s %s %s", turn.Turn, turn.From.Sub(after(0)).Minutes(), to, turn.By, turn.Participant))
	}
	return strings.Join(words, ", ")
}

// TestTurnsOfAnything: whatever the journal says, turns have an order and an end that is
// not before their beginning, and each ends before the next of its kind and person.
func TestTurnsOfAnything(t *testing.T) {
	t.Parallel()
	direction := rapid.SampledFrom([]string{"inactive", "sendReceive", "sendOnly", "receiveOnly", ""})
	rapid.Check(t, func(rt *rapid.T) {
		var entries []any
		for range rapid.IntRange(0, 12).Draw(rt, "entries") {
			if rapid.Bool().Draw(rt, "roster") {
				var all []recorder.Participant
				for _, id := range rapid.SliceOfDistinct(rapid.SampledFrom([]string{"a", "b", "c", "d"}), rapid.ID[string]).Draw(rt, "people") {
					all = append(all, someone(id, "user", direction.Draw(rt, "direction")))
				}
				entries = append(entries, all)
			} else {
				entries = append(entries, rapid.SampledFrom([]string{"updated ", "deleted "}).Draw(rt, "change")+
					rapid.SampledFrom([]string{"", "null", `{"state":"hold"}`, `{"state":"established"}`, `{"state":"redirecting"}`, `{"resultInfo":{"subcode":7015}}`}).Draw(rt, "raw"))
			}
		}
		turns := archive.TurnsOf(archive.Facts{}, happened(t, entries...))
		for i, turn := range turns {
			if i > 0 && turn.From.Before(turns[i-1].From) || !turn.To.IsZero() && turn.To.Before(turn.From) {
				rt.Fatalf("%v", turnsAsText(turns))
			}
			for _, later := range turns[i+1:] {
				if later.Turn == turn.Turn && later.By == turn.By && later.Participant == turn.Participant && turn.By != "end" && (turn.To.IsZero() || later.From.Before(turn.To)) {
					rt.Fatalf("%v", turnsAsText(turns))
				}
			}
		}
	})
}

// TestManifestSaysWhatTheInviteSaid: whom the invite names and all its fields are in
// the manifest, and it can be read back.
func TestManifestSaysWhatTheInviteSaid(t *testing.T) {
	t.Parallel()
	job := ordinary(t).job(t, recorder.OutcomeRecordedWithGaps)
	parties := []recorder.Party{
		{Role: recorder.RoleObserved, Kind: "user", ID: "u-1", Name: "Anna <&>", Tenant: "t", Participant: "p-1"},
		{Role: recorder.RoleTransferor, Kind: "phone", ID: "0049301", Number: "+49301"},
	}
	said := []recorder.Fact{{Name: "source.region", Value: "amer"}, {Name: "subject", Value: `"Čas" <b>`}}
	inv := recorder.Invite{
		Call: recorder.CallRef{ID: call, Tenant: job.Facts.Tenant}, At: job.Facts.InvitedAt, ObservedParticipant: "p-1", Parties: parties, Facts: said,
	}
	job.Facts = archive.FactsOf(inv)
	r, err := open(t).Assemble(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	m := readManifest(t, r.Path)
	if diff := cmp.Diff(parties, m.Parties); diff != "" {
		t.Errorf("parties (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(said, m.Invite); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	if len(m.Turns) != 1 || m.Turns[0].Turn != archive.TurnTransferredHere || !m.Turns[0].From.Equal(inv.At) {
		t.Errorf("turns %v", m.Turns)
	}
	if _, findings := archive.CheckFolder(r.Path); len(findings) != 0 {
		t.Errorf("%v", findings)
	}
}
