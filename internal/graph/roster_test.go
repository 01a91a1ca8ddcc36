package graph

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

func decodeRosterOf(t *testing.T, data string) recorder.Roster {
	t.Helper()
	r := decodeOK(t, batchOf(entryOf("updated", "/participants", data)))[0].Roster
	if r == nil {
		t.Fatalf("no roster in %s", data)
	}
	return *r
}

// TestIdentities: who it is, is told by the identity that says it best; the others are
// kept beside it.
func TestIdentities(t *testing.T) {
	t.Parallel()
	type of = recorder.Participant
	also := func(all ...recorder.Identity) []recorder.Identity { return all }
	for set, want := range map[string]of{
		`{"user":{"id":"A","displayName":"Anna","tenantId":"T"}}`:                      {Kind: "user", Identity: "A", Name: "Anna", Tenant: "T"},
		`{"user":null,"phone":{"id":"+4930"}}`:                                         {Kind: "phone", Identity: "+4930"},
		`{"user":{"id":"4:+4930"}}`:                                                    {Kind: "phone", Identity: "+4930"},
		`{"application":{"displayName":"Bot"}}`:                                        {Kind: "application", Name: "Bot"},
		`{"encrypted":{"id":"x"},"endpointType":"default"}`:                            {Kind: "encrypted", Identity: "x"},
		`{"azureCommunicationServicesUser":{"id":"8:acs:1"},"@odata.type":"#x"}`:       {Kind: "azureCommunicationServicesUser", Identity: "8:acs:1"},
		`{"anonymous":{"id":"1"},"anewone":{"id":"0"}}`:                                {Kind: "guest", Identity: "0", Also: also(recorder.Identity{Kind: "guest", ID: "1"})},
		`{"application":{"id":"i"},"applicationInstance":{"id":"j"}}`:                  {Kind: "applicationInstance", Identity: "j", Also: also(recorder.Identity{Kind: "application", ID: "i"})},
		`{"assertedIdentity":{"id":"b","displayName":"Desk"},"user":{"id":"a"}}`:       {Kind: "user", Identity: "a", Also: also(recorder.Identity{Kind: "assertedIdentity", ID: "b", Name: "Desk"})},
		`{"encrypted":{"id":"e"},"guest":{"id":"g"},"onPremises":{"displayName":"O"}}`: {Kind: "guest", Identity: "g", Also: also(recorder.Identity{Kind: "onPremises", Name: "O"}, recorder.Identity{Kind: "encrypted", ID: "e"})},
		`{}`: {Kind: "unknown"},
	} {
		want.ID, want.MuteUntold, want.LobbyUntold = "p", true, true
		got := decodeRosterOf(t, `[{"id":"p","info":{"identity":`+set+`}}]`).Participants[0]
		for i := range got.Also { // as canonicalID has them, case aside
			got.Also[i].ID = strings.ToLower(got.Also[i].ID)
		}
		got.Identity, want.Identity = strings.ToLower(got.Identity), strings.ToLower(want.Identity)
		got.Tenant, want.Tenant = strings.ToLower(got.Tenant), strings.ToLower(want.Tenant)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", set, diff)
		}
	}
	many := `{"a":{"id":"1"},"b":{"id":"1"},"c":{"id":"1"},"d":{"id":"1"},"e":{"id":"1"},"f":{"id":"1"},"g":{"id":"1"},"h":{"id":"1"},"i":{"id":"1"},"j":{"id":"1"}}`
	if p := decodeRosterOf(t, `[{"id":"p","info":{"identity":`+many+`}}]`).Participants[0]; len(p.Also) != mostAlso {
		t.Errorf("%d further identities", len(p.Also))
	}
	hidden := `[{"id":"p","info":{"isIdentityAnonymized":true,"identity":{"guest":{"id":"g"}}}},{"id":"q","isIdentityAnonymized":true}]`
	for _, p := range decodeRosterOf(t, hidden).Participants {
		if !p.Anonymized {
			t.Errorf("%+v", p)
		}
	}
}

// TestWhatARosterDoesNotSay is not taken for a no.
func TestWhatARosterDoesNotSay(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]recorder.Participant{
		`{"id":"p"}`: {Kind: "unknown", MuteUntold: true, LobbyUntold: true},
		`{"id":"p","isMuted":null,"isInLobby":null,"mediaStreams":null}`: {Kind: "unknown", MuteUntold: true, LobbyUntold: true},
		`{"id":"p","isMuted":false,"isInLobby":false,"mediaStreams":[]}`: {Kind: "unknown", Streams: []recorder.MediaStream{}},
		`{"id":"p","isMuted":true,"isInLobby":true}`:                     {Kind: "unknown", Muted: true, InLobby: true},
		`{"id":"p","isMuted":true,"isInLobby":true,"recordingInfo":{"recordingStatus":"Recording"}}`: {
			Kind: "unknown", Muted: true, InLobby: true, Recording: "recording",
		},
		`{"id":"p","isMuted":true,"isInLobby":true,"recordingInfo":{"recordingStatus":"somehow"}}`: {Kind: "unknown", Muted: true, InLobby: true},
	} {
		want.ID = "p"
		if diff := cmp.Diff(want, decodeRosterOf(t, data).Participants[0]); diff != "" {
			t.Errorf("%s: %s", data, diff)
		}
	}
}

// TestRosterNumbers: each participant has the number as which it is known: its own,
// and in a delta at least the delta's.
func TestRosterNumbers(t *testing.T) {
	t.Parallel()
	delta := func(number, people string) string {
		return `{"@odata.type":"#microsoft.graph.deltaParticipants","sequenceNumber":` + number + `,"participants":[` + people + `]}`
	}
	for data, want := range map[string][]int64{
		`[{"id":"a","rosterSequenceNumber":3},{"id":"b","rosterSequenceNumber":"7"},{"id":"c"}]`: {7, 3, 7, 0},
		`{"id":"a","rosterSequenceNumber":3}`:                                                    {3, 3},
		delta("9", `{"id":"a","rosterSequenceNumber":3},{"id":"b"}`):                             {9, 9, 9},
		delta("9", `{"id":"a","rosterSequenceNumber":11},{"id":"b"}`):                            {11, 11, 9},
		"[" + delta("4", `{"id":"a"}`) + "," + delta("5", `{"id":"a"}`) + "]":                    {5, 4, 5},
		delta("null", `{"id":"a"}`):                                                              {0, 0},
		`[{"id":"a","rosterSequenceNumber":-3}]`:                                                 {0, 0},
	} {
		r := decodeRosterOf(t, data)
		got := []int64{r.Sequence}
		for _, p := range r.Participants {
			got = append(got, p.Sequence)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", data, diff)
		}
	}
}

// TestRosterOfAThousand: a meeting of as many as there may be has a roster too, with the
// streams that they have.
func TestRosterOfAThousand(t *testing.T) {
	t.Parallel()
	const people = 1000
	all := make([]string, people)
	for i := range all {
		var streams []string
		for n, kind := range []string{"audio", "video", "videoBasedScreenSharing", "data"} {
			streams = append(streams, fmt.Sprintf(`{"@odata.type":"#microsoft.graph.mediaStream","mediaType":%q,"label":"main","sourceId":"%d","direction":"sendReceive","serverMuted":false}`, kind, 10*i+n+1))
		}
		all[i] = fmt.Sprintf(`{"@odata.type":"#microsoft.graph.participant","id":"%08d-15f8-47c6-b12b-c32111a4a86f","info":{"@odata.type":"#microsoft.graph.participantInfo","identity":{"@odata.type":"#microsoft.graph.communicationsIdentitySet","user":{"@odata.type":"#microsoft.graph.identity","id":"%08[1]d-f3cc-42eb-b2c1-e9bd5d53ec96","displayName":"Participant %[1]d","tenantId":"ca7c802e-0077-43ad-bbb6-3258279978cc","identityProvider":"AAD"}},"endpointType":"default","region":"westus","languageId":"en-US"},"isInLobby":false,"isMuted":true,"rosterSequenceNumber":%[1]d,"metadata":%q,"mediaStreams":[%s]}`,
			i, strings.Repeat("x", 100), strings.Join(streams, ","))
	}
	body := `{"@odata.type":"#microsoft.graph.commsNotifications","value":[{"changeType":"updated","resourceUrl":"/communications/calls/57dab8b1-894c-409a-b240-bd8beae78896/participants","resourceData":[` + strings.Join(all, ",") + `]}]}`
	b, err := Decode([]byte(body), Arrival{})
	if err != nil || len(b.Notifications) != 1 || len(b.Notifications[0].Roster.Participants) != people || len(b.Notifications[0].Roster.Participants[people-1].Streams) != 4 {
		t.Errorf("%d bytes: %v", len(body), err)
	}
}

// TestWordsOfARoster are bounded: a guest may be called whatever they like, and each roster
// repeats it.
func TestWordsOfARoster(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ä", 100_000)
	p := decodeRosterOf(t, `[{"id":"`+long+`","info":{"identity":{"guest":{"id":"`+long+`","displayName":"`+long+`","tenantId":"`+long+`"}}},"removedState":{"reason":"`+long+`"},"mediaStreams":[{"label":"`+long+`"}]}]`).Participants[0]
	for _, word := range []string{p.ID, p.Identity, p.Name, p.Tenant, p.Reason, p.Streams[0].Label} {
		if len(word) > 300 || !strings.HasPrefix(long, word) {
			t.Errorf("%d bytes", len(word))
		}
	}
}
