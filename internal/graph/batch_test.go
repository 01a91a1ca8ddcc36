package graph

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// TestBadEntryCostsItselfOnly: the good entries of a batch are taken in their
// order, and each of the others has its reason.
func TestBadEntryCostsItselfOnly(t *testing.T) {
	t.Parallel()
	good := entryOf("updated", "", `{"state":"established"}`)
	for name, test := range map[string]struct{ entry, reason string }{
		"foreign resource": {`{"changeType":"updated","resourceUrl":"/communications/presences/x","resourceData":{"@odata.type":"#microsoft.graph.presence"}}`, ReasonForeign},
		"new type":         {strings.Replace(good, "commsNotification", "brandNewNotification", 1), ReasonWrongType},
		"odd call":         {`{"changeType":"updated","resourceUrl":"/communications/calls/..","resourceData":{}}`, ReasonBadCallID},
		"no call":          {"{}", ReasonBadCallID},
		"two calls":        {entryOf("updated", "", `{"id":"other","state":"established"}`), ReasonBadShape},
		"no tenant":        {entryOf("created", "", `{"state":"incoming","tenantId":"common"}`), ReasonBadTenant},
		"a number":         {"5", ReasonBadShape},
		"null":             {"null", ReasonBadCallID},
	} {
		b, err := Decode([]byte(batchOf(good, test.entry, entryOf("deleted", "", ""))), testArrival())
		if err != nil || len(b.Notifications) != 2 || len(b.Skipped) != 1 {
			t.Errorf("%s: %+v, %v", name, b, err)
			continue
		}
		if !cmp.Equal(b.Notifications[0].Events, []recorder.Event{recorder.Established{}}) || !cmp.Equal(b.Notifications[1].Events, []recorder.Event{recorder.CallEnded{}}) {
			t.Errorf("%s: %+v", name, b.Notifications)
		}
		if s := b.Skipped[0]; s.Reason != test.reason || !strings.HasPrefix(s.Detail, "entry 1: ") || len(s.Error()) > 300 {
			t.Errorf("%s: %v", name, s)
		}
		if _, err := Decode([]byte(batchOf(test.entry)), testArrival()); err == nil {
			t.Errorf("%s alone is no batch", name)
		}
	}
}

// TestScenario: each request names the conversation, under the first of its
// names that Microsoft told and that a header can hold.
func TestScenario(t *testing.T) {
	t.Parallel()
	const chain, header, bot = "05f2f70f-3a9c-47c1-80a9-cc79e91d8cec", "a590efba-429f-46c8-bc2b-a12134505bcf", "b1"
	const metadata = `"applicationMetadata":{"botData":{"callId":"` + bot + `"}},`
	for _, test := range []struct{ members, header, want string }{
		{`"callChainId":"` + chain + `",` + metadata, header, chain},
		{metadata, strings.ToUpper(header), header},
		{`"callChainId":"two\r\nlines",` + metadata, header, header},
		{metadata, "two\r\nlines", bot},
		{metadata, "", bot},
		{"", "", ""},
	} {
		b, err := Decode([]byte(batchOf(entryOf("created", "", `{`+test.members+`"state":"incoming"}`))), Arrival{At: testTime(), Chain: test.header})
		if err != nil {
			t.Fatal(err)
		}
		inv := b.Notifications[0].Invite
		if inv.Call.Scenario != test.want {
			t.Errorf("%+v: scenario %q", test, inv.Call.Scenario)
		}
		if inv.CallChain == header || inv.CallChain == bot {
			t.Errorf("%+v: the call chain %q is a guess", test, inv.CallChain)
		}
	}
	for scenario, want := range map[string]string{"": testCall, "two\r\nlines": testCall, chain: chain} {
		cl := newCloud(t, func(http.ResponseWriter, *http.Request) {})
		ref := testRef()
		ref.Scenario = scenario
		if _, err := cl.client(t).KeepAlive(t.Context(), ref); err != nil {
			t.Fatal(err)
		}
		if got := cl.requests()[0].header.Get("Scenario-Id"); got != want {
			t.Errorf("%q: Scenario-Id %q, want %q", scenario, got, want)
		}
	}
}

// TestRosterStrangers: what no page names is counted wherever it stands in a
// roster, and the whole is there to be kept.
func TestRosterStrangers(t *testing.T) {
	t.Parallel()
	whole := `{"@odata.type":"#microsoft.graph.participant","id":"p","info":{"@odata.type":"x","identity":{"user":{"id":"u"}},"region":"r","languageId":"l"},
		"mediaStreams":[{"@odata.type":"x","mediaType":"audio","label":"l","sourceId":"1","direction":"inactive","serverMuted":false}],
		"metadata":null,"recordingInfo":null,"removedState":null,"rosterSequenceNumber":7,"isMuted":false,"isInLobby":false}`
	wrap := func(p string) map[string]string {
		delta := `{"@odata.type":"#microsoft.graph.deltaParticipants","sequenceNumber":1,"participants":[` + p + `]}`
		return map[string]string{"list": "[" + p + "]", "one": p, "delta": delta, "delta in a list": "[" + delta + "]"}
	}
	for data, want := range map[string]int{
		whole: 0,
		strings.Replace(whole, `"metadata"`, `"brandNew"`, 1):           1,
		strings.Replace(whole, `"region"`, `"brandNew"`, 1):             1,
		strings.Replace(whole, `"label"`, `"brandNew"`, 1):              1,
		strings.Replace(whole, `"audio"`, `"hologram"`, 1):              1,
		strings.Replace(whole, `"inactive"`, `"sideways"`, 1):           1,
		strings.Replace(whole, `"sourceId":"1"`, `"sourceId":"-1"`, 1):  1,
		strings.Replace(whole, `"user":`, `"robot":`, 1):                1,
		strings.Replace(whole, `"isMuted"`, `"a":1,"b":2,"isMuted"`, 1): 2,
	} {
		for form, body := range wrap(data) {
			n := decodeOK(t, batchOf(entryOf("updated", "/participants", body)))[0]
			if n.Unknown != want || n.Roster == nil || len(n.Roster.Participants) != 1 || string(n.Raw) != body {
				t.Errorf("%s %s: %d unknown, %s", form, data, n.Unknown, n.Raw)
			}
		}
	}
	if n := decodeOK(t, string(fixtures(t, "notif_roster_updated_muted.json")["notif_roster_updated_muted.json"]))[0]; n.Unknown != 0 {
		t.Errorf("%d unknown in Microsoft's own example", n.Unknown)
	}
}

// TestUnknownsOfReplies are counted; the roster is taken all the same.
func TestUnknownsOfReplies(t *testing.T) {
	t.Parallel()
	cl := newCloud(t, status(200, `{"value":[{"id":"p","brandNew":1}]}`))
	o := cl.options(t)
	reg := prometheus.NewRegistry()
	o.Registerer = reg
	if r, err := newClient(t, o).AskRoster(t.Context(), testRef()); err != nil || len(r.Participants) != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	err := testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP recorderbot_graph_unknown_values_total Members and values of Graph's replies that no page names.
# TYPE recorderbot_graph_unknown_values_total counter
recorderbot_graph_unknown_values_total{operation="listParticipants"} 1
`), "recorderbot_graph_unknown_values_total")
	if err != nil {
		t.Error(err)
	}
}
