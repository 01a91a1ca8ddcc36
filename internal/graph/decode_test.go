package graph

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

func testTime() time.Time { return time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC) }

func testArrival() Arrival { return Arrival{At: testTime()} }

func decodeOK(t *testing.T, body string) []Notification {
	t.Helper()
	b, err := Decode([]byte(body), testArrival())
	if err != nil || len(b.Skipped) != 0 {
		t.Fatalf("%v, %v in %.300s", err, b.Skipped, body)
	}
	return b.Notifications
}

// batchOf wraps entries, entryOf one resource.
func batchOf(entries ...string) string {
	return `{"@odata.type":"#microsoft.graph.commsNotifications","value":[` + strings.Join(entries, ",") + `]}`
}

func entryOf(change, below, data string) string {
	e := `{"@odata.type":"#microsoft.graph.commsNotification","changeType":"` + change + `","resourceUrl":"/communications/calls/` + testCall + below + `"`
	if data != "" {
		e += `,"resourceData":` + data
	}
	return e + "}"
}

// fixtures reads the shared fixtures where they are, else our own copies.
func fixtures(t *testing.T, patterns ...string) map[string][]byte {
	t.Helper()
	dir := filepath.Join("..", "..", "..", "shared", "fixtures")
	if _, err := os.Stat(dir); err != nil {
		dir = "testdata"
	}
	found := make(map[string][]byte)
	for _, p := range patterns {
		names, err := filepath.Glob(filepath.Join(dir, p))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			found[filepath.Base(name)] = data
		}
	}
	return found
}

// TestFixtures decodes every notification that Microsoft shows or that was
// ever seen.
func TestFixtures(t *testing.T) {
	t.Parallel()
	ended := func(code, subcode int, message string) []recorder.Event {
		return []recorder.Event{recorder.CallEnded{Code: code, Subcode: subcode, Message: message}}
	}
	type result struct {
		kind   Kind
		call   recorder.CallID
		events []recorder.Event
	}
	const doc, shown = "57dab8b1-894c-409a-b240-bd8beae78896", "0b003a80-daaa-4709-aa2c-376514b5f1a1"
	want := map[string]result{
		"notif_call_deleted_after_reject_no_state.json":  {Call, doc, ended(0, 0, "")},
		"notif_call_established.json":                    {Call, doc, []recorder.Event{recorder.Established{}}},
		"notif_call_establishing.json":                   {Call, doc, nil},
		"notif_call_terminated_200_5001.json":            {Call, doc, ended(200, 5001, "The conversation has ended.")},
		"notif_call_terminated_after_redirect.json":      {Call, "491f0b00-ffff-4bc9-a43e-b226498ec22a", ended(0, 0, "")},
		"notif_call_terminating.json":                    {Call, doc, nil},
		"notif_content_sharing_ended.json":               {ContentSharing, "421f4c00-4436-4c3a-9d9a-c4924cf98e67", nil},
		"notif_content_sharing_started.json":             {ContentSharing, "421f4c00-4436-4c3a-9d9a-c4924cf98e67", nil},
		"notif_incoming_applicationinstance_target.json": {Invite, "491f0b00-ffff-4bc9-a43e-b226498ec22a", nil},
		"notif_incoming_p2p_apphosted.json":              {Invite, doc, nil},
		"notif_incoming_policy_recording.json":           {Invite, testCall, nil},
		"notif_roster_updated_muted.json":                {Roster, doc, nil},
		"notif_tone.json":                                {Call, doc, []recorder.Event{recorder.Established{}}},
		"observed_establishing_update_667.json":          {Call, shown, nil},
		"observed_terminated_410_301005_fragment.json":   {Call, "6d003880-cdb4-4b38-8d60-69067b71bd2d", ended(410, 301005, "Client Media Error. DiagCode: 410#301005.@")},
		"observed_terminated_500_7106_fragment.json":     {Call, shown, ended(500, 7106, "Server Internal Error. DiagCode: 3003#7106.@")},
	}
	bodies := fixtures(t, "notif_*.json", "observed_establishing*.json", "observed_terminated*.json")
	if len(bodies) != len(want) {
		t.Errorf("%d fixtures, %d expectations", len(bodies), len(want))
	}
	for name, body := range bodies {
		ns := decodeOK(t, string(body))
		if len(ns) != 1 {
			t.Errorf("%s: %d notifications", name, len(ns))
			continue
		}
		got, w := ns[0], want[name]
		if got.Kind != w.kind || got.Call != w.call || !cmp.Equal(got.Events, w.events) {
			t.Errorf("%s: %v of %s with %v", name, got.Kind, got.Call, got.Events)
		}
		if strings.Contains(string(got.Raw), `"token"`) || got.Invite != nil && strings.Contains(string(got.Invite.Raw), `"token"`) {
			t.Errorf("%s: the token survives", name)
		}
	}
}

// TestFragments: what was seen in part is wrapped as it would have come. The
// headers, the claims and the replies of other requests are no notifications,
// and must be refused as such, without harm.
func TestFragments(t *testing.T) {
	t.Parallel()
	bodies := fixtures(t, "observed_*.json", "resp_*.json", "error_*.json")
	for name, body := range bodies {
		if strings.Contains(string(body), "#microsoft.graph.commsNotifications") {
			continue
		}
		var bad *DecodeError
		if _, err := Decode(body, testArrival()); !errors.As(err, &bad) {
			t.Errorf("%s was taken for a notification: %v", name, err)
		}
	}
	incoming := bodies["observed_incoming_fragment_2020.json"]
	if incoming == nil {
		t.Skip("the shared fixtures are not here")
	}
	inv := decodeOK(t, batchOf(`{"changeType":"created","resourceData":{"state":"incoming",`+string(incoming[strings.IndexByte(string(incoming), '{')+1:])+`}`))[0].Invite
	if inv == nil || inv.Call.ID != "431f0100-461f-475c-a2a5-dc4a12be83ed" || inv.Region != "ASEA" || inv.Direction != "callee" ||
		inv.ObservedParticipant != "528319c3-5edf-40c0-8fa6-d23636c2db29" || !strings.HasPrefix(inv.Policy, "TeamsComplianceRecordingPolicy=") {
		t.Errorf("2020: %+v", inv)
	}
	var bot struct {
		Metadata json.RawMessage `json:"applicationMetadata"`
	}
	if err := json.Unmarshal(bodies["observed_botdata_2023_fragment.json"], &bot); err != nil {
		t.Fatal(err)
	}
	inv = decodeOK(t, batchOf(entryOf("created", "", `{"state":"incoming","applicationMetadata":`+string(bot.Metadata)+`}`)))[0].Invite
	if inv == nil || inv.Region != "JPEA" || inv.Direction != "callee" || inv.ObservedUser != "26d332ef-c134-4647-8d6a-4e04eca956fb" {
		t.Errorf("2023: %+v", inv)
	}
	list := string(bodies["resp_200_list_participants.json"])
	roster := decodeOK(t, batchOf(entryOf("updated", "/participants", list[strings.IndexByte(list, '['):strings.LastIndexByte(list, ']')+1])))[0].Roster
	if roster == nil || len(roster.Participants) != 2 || roster.Delta || roster.Participants[0].Kind != "application" || roster.Participants[0].Streams[0].SourceID != 3 {
		t.Errorf("roster %+v", roster)
	}
}

func TestPolicyInvite(t *testing.T) {
	t.Parallel()
	n := decodeOK(t, string(fixtures(t, "notif_incoming_policy_recording.json")["notif_incoming_policy_recording.json"]))[0]
	inv := n.Invite
	if inv == nil {
		t.Fatal("no invite")
	}
	if inv.Call.ID != testCall || inv.Call.Platform != testCall || inv.Call.Tenant != testTenant || n.Tenant != testTenant ||
		!inv.At.Equal(testTime()) || inv.CallChain != "05f2f70f-3a9c-47c1-80a9-cc79e91d8cec" || n.Scenario != inv.CallChain ||
		inv.ObservedParticipant != "30fad2ce-8989-41a1-8a66-f6636e629a2a" || inv.MyParticipant != "1520a1a5-5394-4a41-aa72-9ee6fa18cfc8" ||
		inv.ApplicationInstance != "832899f8-2ea1-4604-8413-27bd2892079f" || inv.Policy != "Test Policy" || inv.Region != "USEA" ||
		inv.Direction != "callee" || !strings.EqualFold(inv.ObservedUser, "8a34a46b-3d17-4adc-8dce-dc4e7d572698") {
		t.Errorf("%+v", inv)
	}
	if !json.Valid(inv.Raw) || !strings.Contains(string(inv.Raw), "tokenMeetingInfo") {
		t.Errorf("raw %s", inv.Raw)
	}
	// Not under a policy: an invite all the same, which the recorder rejects.
	n = decodeOK(t, string(fixtures(t, "notif_incoming_p2p_apphosted.json")["notif_incoming_p2p_apphosted.json"]))[0]
	if n.Invite == nil || n.Invite.ObservedParticipant != "" || n.Invite.Call.Platform != "57DAB8B1894C409AB240BD8BEAE78896" || n.Tenant != "" {
		t.Errorf("%+v", n)
	}
}

// TestTokensNeverSurvive: under no spelling and at no depth.
func TestTokensNeverSurvive(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"token", "Token", "TOKEN", `\u0074oken`, `to\u212Aen`, "to\u212aen"} {
		for _, where := range []string{`"meetingInfo":{"%":"HUSH"}`, `"meetingInfo":{"%":["HUSH"]}`, `"a":[{"b":{"%":{"c":"HUSH"}}}]`, `"%":"HUSH"`} {
			member := strings.ReplaceAll(where, "%", name)
			for _, body := range []string{
				batchOf(entryOf("created", "", `{"state":"incoming",`+member+`}`)),
				batchOf(entryOf("updated", "", `{"state":"established",`+member+`}`)),
				batchOf(entryOf("updated", "/participants", `[{"id":"p",`+member+`}]`)),
				batchOf(entryOf("deleted", "/operations/x", `{`+member+`}`)),
				batchOf(entryOf("created", "/somethingnew", `{`+member+`}`)),
				`{"@odata.type":"#microsoft.graph.participantJoiningNotification","call":{"id":"` + testCall + `","state":"incoming",` + member + `}}`,
			} {
				for _, n := range decodeOK(t, body) {
					if strings.Contains(string(n.Raw), "HUSH") || n.Invite != nil && strings.Contains(string(n.Invite.Raw), "HUSH") {
						t.Errorf("%s: %s", member, n.Raw)
					}
				}
			}
		}
	}
}

// TestStates: what a call's state and change mean, in any case of letters.
func TestStates(t *testing.T) {
	t.Parallel()
	ended, up := []recorder.Event{recorder.CallEnded{}}, []recorder.Event{recorder.Established{}}
	for _, test := range []struct {
		change, data string
		kind         Kind
		events       []recorder.Event
	}{
		{"updated", `{"state":"ESTABLISHED"}`, Call, up},
		{"Updated", `{"state":"Established"}`, Call, up},
		{"updated", `{"state":"hold"}`, Call, nil},
		{"updated", `{"state":"somethingNew"}`, Call, nil},
		{"updated", `{"state":"terminating"}`, Call, nil},
		{"updated", `{"state":"terminated"}`, Call, ended},
		{"Deleted", `{"state":"established"}`, Call, ended},
		{"deleted", `{"state":"incoming"}`, Call, ended},
		{"deleted", "", Call, ended},
		{"deleted", "null", Call, ended},
		{"Created", `{"state":"Incoming"}`, Invite, nil},
		{"updated", `{"state":"incoming"}`, Call, nil},
		{"updated", `{}`, Call, nil},
		{"updated", `{"resultInfo":null}`, Call, nil},
		{"deleted", `{"resultInfo":{"code":"x","subcode":1e99,"message":null}}`, Call, ended},
	} {
		n := decodeOK(t, batchOf(entryOf(test.change, "", test.data)))[0]
		if n.Kind != test.kind || !cmp.Equal(n.Events, test.events) || n.Call != testCall || (n.Invite != nil) != (test.kind == Invite) {
			t.Errorf("%s %s: %v %v", test.change, test.data, n.Kind, n.Events)
		}
	}
}

// TestOperations: only an announcement's operation is one, and only
// "completed" is.
func TestOperations(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]recorder.Progress{
		operationBody(`"completed"`): recorder.Completed, operationBody(`"Completed"`): recorder.Completed,
		operationBody(`"running"`): recorder.Running, operationBody(`null`): recorder.Running, operationBody(`"unheardOf"`): recorder.Running,
		operationBody(`"failed"`): recorder.Failed,
	} {
		n := decodeOK(t, batchOf(entryOf("deleted", "/operations/0fe0623f-d628-42ed-b4bd-8ac290072cc5", data)))[0]
		if len(n.Events) != 1 || n.Kind != Operation {
			t.Fatalf("%s: %+v", data, n)
		}
		op := n.Events[0].(recorder.StatusReplied).Operation
		if op.Progress != want || op.Context != testContext || op.ID == "" || op.Receipt.HTTPStatus != 0 || !op.At.Equal(testTime()) {
			t.Errorf("%s: %+v", data, op)
		}
	}
	for _, data := range []string{
		"", `{}`, `{"@odata.type":"#microsoft.graph.muteParticipantOperation","clientContext":"c","status":"completed"}`,
		`{"@odata.type":"#microsoft.graph.updateRecordingStatusOperation"}`,
	} {
		if n := decodeOK(t, batchOf(entryOf("deleted", "/operations/x", data)))[0]; n.Kind != Operation || len(n.Events) != 0 {
			t.Errorf("%s: %+v", data, n)
		}
	}
}

func TestRosters(t *testing.T) {
	t.Parallel()
	delta := `{"@odata.type":"#microsoft.graph.deltaParticipants","sequenceNumber":"7","participants":[{"id":"p1","removedState":{"reason":"Left"}},{"id":"p2","isMuted":true}]}`
	for _, data := range []string{delta, "[" + delta + "]"} {
		r := decodeOK(t, batchOf(entryOf("updated", "/participants", data)))[0].Roster
		if r == nil || !r.Delta || r.Sequence != 7 || len(r.Participants) != 2 || !r.Participants[0].Removed || r.Participants[0].Reason != "Left" || !r.Participants[1].Muted {
			t.Errorf("%s: %+v", data, r)
		}
	}
	full := decodeOK(t, batchOf(entryOf("updated", "/participants", `[{"id":"p1","info":{"identity":{"@odata.type":"x","user":null,"guest":{"id":"g"}}},
		"mediaStreams":[{"mediaType":"Audio","sourceId":5,"direction":"SendReceive"},{"mediaType":"audio","sourceId":"-1"},
		{"mediaType":"smell","sourceId":"6","direction":"inactive"}]}]`)))[0]
	p := full.Roster.Participants[0]
	want := []recorder.MediaStream{{SourceID: 5, Type: "audio", Direction: "sendReceive"}, {SourceID: 6, Direction: "inactive"}}
	if full.Roster.Delta || p.Kind != "guest" || p.Identity != "g" || !cmp.Equal(p.Streams, want) || full.Unknown == 0 {
		t.Errorf("%+v, unknown %d", full.Roster, full.Unknown)
	}
}

func TestJoining(t *testing.T) {
	t.Parallel()
	call := `{"@odata.type":"#microsoft.graph.call","id":"` + testCall + `","state":"incoming","tenantId":"` + testTenant + `","incomingContext":{"observedParticipantId":"p"}}`
	joining := `{"@odata.type":"#microsoft.graph.participantJoiningNotification","call":` + call + `}`
	for _, body := range []string{joining, batchOf(entryOf("created", "", joining))} {
		n := decodeOK(t, body)[0]
		if n.Kind != ParticipantJoining || n.Call != testCall || n.Tenant != testTenant || n.Invite == nil || n.Invite.ObservedParticipant != "p" {
			t.Errorf("%+v", n)
		}
	}
	left := decodeOK(t, strings.Replace(joining, "Joining", "Left", 1))[0]
	if left.Kind != ParticipantLeft || left.Call != testCall || left.Tenant != testTenant {
		t.Errorf("%+v", left)
	}
	for reply, want := range map[string]map[string]string{
		string(AcceptJoin()): {"@odata.type": "#microsoft.graph.acceptJoinResponse"},
		string(RejectJoin()): {"@odata.type": "#microsoft.graph.rejectJoinResponse", "reason": "busy"},
		string(InviteNewBot(`https://b.example.com/a?"`)): {
			"@odata.type": "#microsoft.graph.inviteNewBotResponse", "inviteUri": `https://b.example.com/a?"`,
		},
	} {
		var got map[string]string
		if err := json.Unmarshal([]byte(reply), &got); err != nil || !maps.Equal(got, want) {
			t.Errorf("%s: %v, %v", reply, got, err)
		}
	}
}

func TestBatchKeepsOrder(t *testing.T) {
	t.Parallel()
	ns := decodeOK(t, batchOf(entryOf("updated", "", `{"state":"established"}`), entryOf("updated", "/participants", `[]`), entryOf("deleted", "", "")))
	if len(ns) != 3 || ns[0].Kind != Call || ns[1].Kind != Roster || ns[2].Events[0] != (recorder.CallEnded{}) {
		t.Errorf("%+v", ns)
	}
}

// TestRefused: what is wrong is refused whole, with a reason and words.
func TestRefused(t *testing.T) {
	t.Parallel()
	good := entryOf("updated", "", `{"state":"established"}`)
	many := batchOf(strings.TrimSuffix(strings.Repeat(good+",", 10_000), ","))
	if len(many) > maxBody { // so that the count decides, not the size
		many = batchOf(strings.TrimSuffix(strings.Repeat("{},", 10_000), ","))
	}
	for name, test := range map[string]struct{ body, reason string }{
		"empty":              {"", ReasonNotJSON},
		"no JSON":            {"hello", ReasonNotJSON},
		"cut":                {batchOf(good)[:100], ReasonNotJSON},
		"two values":         {batchOf(good) + "{}", ReasonNotJSON},
		"UTF-8":              {batchOf(strings.Replace(good, "established", "\xff", 1)), ReasonNotJSON},
		"too large":          {batchOf(good) + strings.Repeat(" ", maxBody), ReasonTooLarge},
		"lists in lists":     {strings.Repeat("[", 100_000), ReasonTooDeep},
		"objects in objects": {strings.Repeat(`{"a":`, 100_000), ReasonTooDeep},
		"10 000 entries":     {many, ReasonTooMany},
		"null":               {"null", ReasonWrongType},
		"list":               {"[]", ReasonBadShape},
		"wrong type":         {strings.Replace(batchOf(good), "commsNotifications", "chatMessages", 1), ReasonWrongType},
		"wrong entry type":   {batchOf(strings.Replace(good, "commsNotification", "chatMessage", 1)), ReasonWrongType},
		"entry is a number":  {batchOf("5"), ReasonBadShape},
		"data is a number":   {batchOf(entryOf("updated", "", "5")), ReasonBadShape},
		"value is a string":  {`{"@odata.type":"#microsoft.graph.commsNotifications","value":"x"}`, ReasonBadShape},
		"no call":            {batchOf(`{"changeType":"updated","resourceData":{"state":"established"}}`), ReasonBadCallID},
		"path as call":       {batchOf(`{"changeType":"updated","resourceUrl":"/communications/calls/..","resourceData":{}}`), ReasonBadCallID},
		"odd call":           {batchOf(`{"changeType":"updated","resourceUrl":"/communications/calls/a b","resourceData":{}}`), ReasonBadCallID},
		"escaped call":       {batchOf(`{"changeType":"updated","resourceUrl":"/communications/calls/a%2f..","resourceData":{}}`), ReasonBadCallID},
		"long call":          {batchOf(`{"changeType":"updated","resourceUrl":"/communications/calls/` + strings.Repeat("a", 129) + `","resourceData":{}}`), ReasonBadCallID},
		"two calls":          {batchOf(entryOf("updated", "", `{"id":"other","state":"established"}`)), ReasonBadShape},
		"two paths":          {batchOf(strings.Replace(good, `"resourceUrl"`, `"resource":"/app/calls/other","resourceUrl"`, 1)), ReasonBadShape},
		"foreign resource":   {batchOf(`{"changeType":"updated","resourceUrl":"/communications/presences/x","resourceData":{}}`), ReasonForeign},
		"all bad in a batch": {batchOf(`{"changeType":"updated","resourceUrl":"/communications/calls/a b","resourceData":{}}`, "5"), ReasonBadCallID},
	} {
		b, err := Decode([]byte(test.body), testArrival())
		var bad *DecodeError
		if !errors.As(err, &bad) || b.Notifications != nil || b.Skipped != nil {
			t.Errorf("%s: accepted: %v", name, err)
			continue
		}
		if bad.Reason != test.reason || bad.Detail == "" || len(bad.Error()) > 300 {
			t.Errorf("%s: %s: %s", name, bad.Reason, bad.Detail)
		}
	}
}

// TestReasonsAreClosed: they label a metric.
func TestReasonsAreClosed(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, r := range DecodeReasons() {
		if r == "" || seen[r] {
			t.Errorf("reason %q", r)
		}
		seen[r] = true
	}
	for _, k := range Kinds() {
		if seen[k.String()] {
			t.Errorf("kind %q twice", k)
		}
		seen[k.String()] = true
	}
}
