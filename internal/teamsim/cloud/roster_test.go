package cloud_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/recorderbot/recorderbot/internal/teamsim/cloud"
)

// person is a participant as documented (schema_participant_and_delta.json).
type person struct {
	ID   string
	Info struct {
		Identity map[string]json.RawMessage
	}
	MediaStreams []struct {
		MediaType, Direction, SourceID string
		Label                          *string
		ServerMuted                    bool
	}
	IsMuted, IsInLobby   bool
	RosterSequenceNumber int64
	RemovedState         *struct{ Reason string }
}

// said is a person in one line.
func (p person) said() string {
	who := "removed"
	if p.RemovedState == nil {
		who = ""
	}
	for kind, v := range p.Info.Identity {
		if kind == "@odata.type" || string(v) == "null" {
			continue
		}
		var id struct{ ID string }
		_ = json.Unmarshal(v, &id)
		who += " " + kind + "=" + id.ID
	}
	for _, s := range p.MediaStreams {
		who += fmt.Sprintf(" %s/%s:%s", s.MediaType, s.SourceID, s.Direction)
		if s.Label != nil {
			who += "(" + *s.Label + ")"
		}
		if s.ServerMuted {
			who += "!"
		}
	}
	if p.IsMuted {
		who += " muted"
	}
	if p.IsInLobby {
		who += " lobby"
	}
	return strings.TrimSpace(who)
}

// people are those of the n-th roster, the bot left out, and the sequence of a delta.
func (b *bot) people(n int) (said []string, sequence int64, numbers []int64) {
	b.t.Helper()
	i := 0
	data := b.await(func(s seen) bool {
		if strings.HasSuffix(s.resource, "/participants") {
			i++
		}
		return i == n
	}).data
	var delta struct {
		SequenceNumber int64
		Participants   []person
	}
	list := data
	if data[0] == '[' {
		var items []json.RawMessage
		if json.Unmarshal(data, &items) == nil && len(items) == 1 && strings.Contains(string(items[0]), "deltaParticipants") {
			list = items[0]
		}
	}
	err := json.Unmarshal(list, &delta)
	if list[0] == '[' {
		err = json.Unmarshal(list, &delta.Participants)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	for _, p := range delta.Participants {
		if one := p.said(); !strings.Contains(one, "application="+appID) {
			said = append(said, one)
			numbers = append(numbers, p.RosterSequenceNumber)
		}
	}
	return said, delta.SequenceNumber, numbers
}

// TestRosterOfAllKinds: users, guests, phones and applications, with all kinds of
// streams, in full and as deltas.
func TestRosterOfAllKinds(t *testing.T) {
	t.Parallel()
	observed := cloud.Participant{
		Name: "Ada", SourceID: 11, Streams: []cloud.Stream{{"video", "main-video", 12, "sendReceive"}, {"videoBasedScreenSharing", "", 13, "inactive"}},
	}
	others := []cloud.Participant{
		{ID: "g1", Guest: "guest-1", Name: "Gus", SourceID: 21, ServerMuted: true},
		{ID: "p1", Phone: "+49301234567", SourceID: 31, Muted: true},
		{ID: "a1", Application: "app-1", Name: "Assistant"},
		{ID: "l1", User: "waiting", Name: "Lou", InLobby: true},
	}
	for _, form := range []cloud.Style{{}, {Delta: true}, {Delta: true, DeltaList: true, Numbered: true, Capitals: true}} {
		t.Run(fmt.Sprintf("%+v", form), func(t *testing.T) {
			t.Parallel()
			b := newBot(t, nil)
			style := plain().With(form)
			call := b.place(cloud.CallSpec{Style: &style, Observed: &observed, Participants: others})
			user := call.Facts().ObservedUser
			if r := b.do(http.MethodPost, callPath(call.ID(), "answer"), answerBody(b.callback())); r.status != http.StatusAccepted {
				t.Fatalf("answer: %s", r.raw)
			}
			b.reach(call, cloud.Established)
			enum := func(s ...string) []string {
				if form.Capitals {
					for i := range s {
						s[i] = strings.NewReplacer("audio/", "Audio/", "video/", "Video/", "videoBased", "VideoBased", ":send", ":Send", ":inactive", ":Inactive", ":receive", ":Receive").Replace(s[i])
					}
				}
				return s
			}
			ada := "user=" + user + " audio/11:sendReceive(main-audio) video/12:sendReceive(main-video) videoBasedScreenSharing/13:inactive"
			first, sequence, _ := b.people(1)
			want := enum(ada, "guest=guest-1 audio/21:sendReceive(main-audio)! muted", "phone=+49301234567 audio/31:sendReceive(main-audio) muted", "application=app-1", "user=waiting lobby")
			if diff := cmp.Diff(want, first); diff != "" || (sequence == 1) != form.Delta {
				t.Errorf("the first roster, sequence %d: %s", sequence, diff)
			}
			call.ChangeRoster(func(ps []cloud.Participant) []cloud.Participant {
				ps[2].Muted, ps[4].InLobby, ps[4].SourceID = false, false, 41
				return slices.Delete(ps, 1, 2)
			})
			second, sequence, numbers := b.people(2)
			phone, lou := "phone=+49301234567 audio/31:sendReceive(main-audio)", "user=waiting audio/41:sendReceive(main-audio)"
			want = enum(ada, phone, "application=app-1", lou)
			if form.Delta {
				want = enum(phone, lou, "removed guest=guest-1 audio/21:sendReceive(main-audio)! muted")
			}
			if diff := cmp.Diff(want, second); diff != "" || (sequence == 2) != form.Delta {
				t.Errorf("the second roster, sequence %d: %s", sequence, diff)
			}
			if form.Numbered && !slices.Equal(numbers, []int64{2, 2, 2}) {
				t.Errorf("numbers %v of those who have changed", numbers)
			}
		})
	}
}
