package graph

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

var update = flag.Bool("update", false, "write the golden files anew")

// described is what an invite says, as lines.
func described(inv *recorder.Invite) string {
	var s strings.Builder
	fmt.Fprintf(&s, "user %s participant %s direction %s policy %s thread %s\n",
		inv.ObservedUser, inv.ObservedParticipant, inv.Direction, inv.Policy, inv.ThreadID)
	for _, p := range inv.Parties {
		fmt.Fprintf(&s, "%s: %s %s number=%s name=%s tenant=%s participant=%s\n", p.Role, p.Kind, p.ID, p.Number, p.Name, p.Tenant, p.Participant)
	}
	for _, f := range inv.Facts {
		fmt.Fprintf(&s, "%s=%s\n", f.Name, f.Value)
	}
	return s.String()
}

// TestInvitesSayAll: whom an invite names and what else it says, against golden files.
func TestInvitesSayAll(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"own_transferred_from_telephone", "own_meeting_by_number", "notif_incoming_policy_recording"} {
		body, err := os.ReadFile(filepath.Join("testdata", name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		inv := decodeOK(t, string(body))[0].Invite
		if inv == nil {
			t.Fatalf("%s: no invite", name)
		}
		got := described(inv)
		if strings.Contains(got, "HUSH") || strings.Contains(string(inv.Raw), "HUSH") {
			t.Errorf("%s: a passcode survives:\n%s", name, got)
		}
		file := filepath.Join("testdata", name+".golden")
		if *update {
			if err = os.WriteFile(file, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// leaves lists the texts, numbers and booleans below a value: by another way than
// facts does it.
func leaves(v any, hidden bool) (all []string) {
	switch v := v.(type) {
	case map[string]any:
		for k, m := range v {
			secret := strings.EqualFold(k, "token") || strings.EqualFold(k, "passcode") || strings.Contains(k, "@")
			all = append(all, leaves(m, hidden || secret)...)
		}
	case []any:
		for _, m := range v {
			all = append(all, leaves(m, hidden)...)
		}
	case nil:
	default:
		if text := fmt.Sprint(v); !hidden && text != "" {
			all = append(all, text)
		}
	}
	return all
}

// calls finds what may be a call in a fixture: resource data, and the fixture itself.
func calls(raw []byte) (all []map[string]any) {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return nil
	}
	var find func(v any)
	find = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			all = append(all, v)
			for _, m := range v {
				find(m)
			}
		case []any:
			for _, m := range v {
				find(m)
			}
		}
	}
	find(v)
	return all
}

// TestNothingIsLost: each leaf of the members that are kept field by field, of every
// fixture there is, is among the facts of an invite with these members.
func TestNothingIsLost(t *testing.T) {
	t.Parallel()
	bodies := fixtures(t, "*.json")
	for _, own := range []string{"own_transferred_from_telephone.json", "own_meeting_by_number.json"} {
		body, err := os.ReadFile(filepath.Join("testdata", own))
		if err != nil {
			t.Fatal(err)
		}
		bodies[own] = body
	}
	fields := 0
	for name, body := range bodies {
		if _, err := Decode(body, testArrival()); err != nil && strings.HasPrefix(name, "notif_") {
			t.Errorf("%s: %v", name, err)
		}
		for _, call := range calls(body) {
			call["state"], call["id"] = "incoming", testCall
			delete(call, "tenantId") // a fixture may have something else there
			delete(call, "@odata.type")
			raw, err := json.Marshal(call)
			if err != nil {
				t.Fatal(err)
			}
			b, err := Decode([]byte(batchOf(entryOf("created", "", string(raw)))), testArrival())
			if err != nil {
				continue // members of another resource under the names of a call's
			}
			inv := b.Notifications[0].Invite
			checkDescription(t, inv)
			var values []string
			for _, f := range inv.Facts {
				values = append(values, f.Value)
			}
			for _, root := range factRoots() {
				if root == "MeetingUrl" {
					continue // kept in part
				}
				for _, leaf := range leaves(call[root], false) {
					fields++
					if !slices.Contains(values, oneLine(leaf)) {
						t.Errorf("%s: %s: %q is lost", name, root, leaf)
					}
				}
			}
		}
	}
	if fields < 100 {
		t.Errorf("only %d fields were seen", fields)
	}
}

// checkDescription holds what an invite says to its bounds.
func checkDescription(tb testing.TB, inv *recorder.Invite) {
	tb.Helper()
	if len(inv.Parties) > recorder.MostParties || len(inv.Facts) > recorder.MostFacts+1 {
		tb.Errorf("%d parties and %d facts", len(inv.Parties), len(inv.Facts))
	}
	line := func(s string) bool {
		return len(s) <= 300 && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) && r != unicode.ReplacementChar })
	}
	for _, f := range inv.Facts {
		if f.Name == "" || f.Value == "" || !line(f.Name) || !line(f.Value) || strings.Contains(f.Name, "=") {
			tb.Errorf("fact %q", f)
		}
	}
	for i, p := range inv.Parties {
		if p.Role == "" || p.ID == "" && p.Name == "" && p.Participant == "" || slices.Contains(inv.Parties[:i], p) {
			tb.Errorf("party %d: %+v", i, p)
		}
		for _, s := range []string{string(p.Role), p.Kind, p.ID, p.Number, p.Name, p.Tenant, p.Participant} {
			if len(s) > 300 || strings.ContainsAny(s, "\n\r\x00") {
				tb.Errorf("party %d: %+v", i, p)
			}
		}
		if n, err := recorder.ParseNumber(p.Number); p.Number != "" && (err != nil || n != p.Number) {
			tb.Errorf("number %q: %q, %v", p.Number, n, err)
		}
	}
	if (inv.ObservedParticipant != "" || inv.ObservedUser != "") && inv.Parties[0].Role != recorder.RoleObserved {
		tb.Errorf("the observed is not the first of %+v", inv.Parties)
	}
}

// TestOddShapesLoseNoInvite: whatever shape the members have that are only kept, the
// invite is one, and within its bounds.
func TestOddShapesLoseNoInvite(t *testing.T) {
	t.Parallel()
	leaf := rapid.OneOf(
		rapid.Just[any](nil), rapid.Map(rapid.Bool(), func(b bool) any { return b }), rapid.Map(rapid.Int(), func(i int) any { return i }),
		rapid.Map(rapid.String(), func(s string) any { return s }),
		rapid.SampledFrom([]any{"8:orgid:x", "4:+441632960123", "8:", strings.Repeat("long", 200), "https://x/l/meetup-join/t/0?context={\"Oid\":1}", "a\nb\x00"}),
	)
	names := rapid.SampledFrom([]string{
		"identity", "user", "phone", "id", "displayName", "tenantId", "organizer", "original", "final", "otherSideUser", "onBehalfOf",
		"transferor", "botData", "pairedRecorders", "token", "@odata.type", "a=b", "", "\n",
	})
	var value func(depth int) *rapid.Generator[any]
	value = func(depth int) *rapid.Generator[any] {
		if depth == 0 {
			return leaf
		}
		return rapid.OneOf(leaf, rapid.Map(rapid.MapOfN(names, value(depth-1), 0, 6), func(m map[string]any) any { return m }),
			rapid.Map(rapid.SliceOfN(value(depth-1), 0, 80), func(l []any) any { return l }))
	}
	kept := []string{"meetingInfo", "callRoutes", "callOptions", "MeetingUrl", "subject", "requestedModalities", "meetingProperties", "terminationReason"}
	rapid.Check(t, func(rt *rapid.T) {
		call := map[string]any{"state": "incoming", "incomingContext": map[string]any{
			"observedParticipantId": "p", "transferor": value(2).Draw(rt, "transferor"), "onBehalfOf": value(2).Draw(rt, "onBehalfOf"),
		}}
		for _, name := range kept {
			call[name] = value(3).Draw(rt, name)
		}
		raw, err := json.Marshal(call)
		if err != nil {
			rt.Fatal(err)
		}
		b, err := Decode([]byte(batchOf(entryOf("created", "", string(raw)))), testArrival())
		if err != nil || b.Notifications[0].Invite == nil {
			rt.Fatalf("%v in %s", err, raw)
		}
		checkDescription(t, b.Notifications[0].Invite)
		if t.Failed() {
			rt.Fatalf("of %s", raw)
		}
	})
}

// TestBoundsAreTold: what has no room is counted where people look.
func TestBoundsAreTold(t *testing.T) {
	t.Parallel()
	var targets []string
	for i := range 400 {
		targets = append(targets, fmt.Sprintf(`{"identity":{"user":{"id":"u%d"}}}`, i))
	}
	body := `{"state":"incoming","subject":"` + strings.Repeat("ü", 500) + `","targets":[` + strings.Join(targets, ",") + `]}`
	inv := decodeOK(t, batchOf(entryOf("created", "", body)))[0].Invite
	last := inv.Facts[len(inv.Facts)-1]
	// 400 targets and a subject, of which 64 parties and 192 facts have room.
	if want := (recorder.Fact{Name: recorder.FactLeftOut, Value: fmt.Sprint(400 - 64 + 401 - 192)}); len(inv.Parties) != 64 || last != want {
		t.Errorf("%d parties, %v, want %v", len(inv.Parties), last, want)
	}
	inv = decodeOK(t, batchOf(entryOf("created", "", `{"state":"incoming","subject":"`+strings.Repeat("ü", 500)+`"}`)))[0].Invite
	if len(inv.Facts) != 2 || len(inv.Facts[0].Value) > 300 || inv.Facts[1].Value != "1" {
		t.Errorf("%v", inv.Facts)
	}
}

// TestRawIDs: an ID says of what kind it is, and is compared without that where it is
// no part of it.
func TestRawIDs(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]recorder.Party{
		"8:orgid:X": {Kind: "user", ID: "X"}, "8:ORGID:x": {Kind: "user", ID: "x"}, "8:gcch:x": {Kind: "user", ID: "x"},
		"4:+44 1632": {Kind: "phone", ID: "+44 1632", Number: "+441632"}, "4:anonymous": {Kind: "phone", ID: "anonymous"},
		"8:teamsvisitor:x": {Kind: "guest", ID: "x"}, "8:acs:r_u": {Kind: "azureCommunicationServicesUser", ID: "8:acs:r_u"},
		"28:orgid:x": {Kind: "application", ID: "x"}, "8:orgid:": {Kind: "device", ID: "8:orgid:"}, "29:x": {Kind: "device", ID: "29:x"}, "": {Kind: "device"},
	} {
		if got := identify1("device", id); got != want {
			t.Errorf("%q: %+v, want %+v", id, got, want)
		}
	}
}

// TestNumbersOfPeople: a participant's telephone number is known beside who it is.
func TestNumbersOfPeople(t *testing.T) {
	t.Parallel()
	r := decodeOK(t, batchOf(entryOf("updated", "/participants", `[
		{"id":"p1","info":{"identity":{"user":{"id":"8:orgid:8a34a46b-3d17-4adc-8dce-dc4e7d572698"},"phone":{"id":"0049 30 1234"},"device":null}}},
		{"id":"p2","info":{"identity":{"phone":{"id":"4:+441632960123","displayName":"x"}}}}]`)))[0].Roster
	want := []recorder.Participant{
		{ID: "p1", MuteUntold: true, LobbyUntold: true, Kind: "user", Identity: "8a34a46b-3d17-4adc-8dce-dc4e7d572698", Also: []recorder.Identity{{Kind: "phone", ID: "0049 30 1234"}}},
		{ID: "p2", MuteUntold: true, LobbyUntold: true, Kind: "phone", Identity: "+441632960123", Name: "x"},
	}
	if diff := cmp.Diff(want, r.Participants); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
