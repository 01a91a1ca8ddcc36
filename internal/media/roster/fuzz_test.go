package roster_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/recorderbot/recorderbot/internal/graph"
	"github.com/recorderbot/recorderbot/internal/media/roster"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// rosters makes rosters of bytes: five for each participant.
func rosters(b []byte) (all []recorder.Roster, asked []int) {
	directions := []string{"sendReceive", "inactive", "sendOnly", "receiveOnly", "", "sideways"}
	types := []string{"audio", "video", "videoBasedScreenSharing", "data", ""}
	var r recorder.Roster
	ago := 0
	for ; len(b) >= 5; b = b[5:] {
		p := recorder.Participant{
			ID: []string{"a", "b", "c", "d", ""}[b[0]&7%5], Kind: []string{"user", "unknown", "application", ""}[b[1]>>6],
			Muted: b[0]&8 > 0, InLobby: b[0]&16 > 0 && b[0]&32 > 0, Removed: b[0]&64 > 0 && b[0]&128 > 0,
			MuteUntold: b[1]&1 > 0, LobbyUntold: b[1]&2 > 0, Sequence: int64(int8(b[2])),
		}
		if b[1]&4 > 0 {
			p.Identity, p.Name = "i"+string('0'+b[1]>>4), "n"
		}
		if b[1]&8 == 0 {
			p.Streams = []recorder.MediaStream{}
			for i := range b[3] & 3 {
				id := uint32(b[3]>>2) + uint32(i)
				if id == 63 {
					id = 0xFFFFFFFF
				}
				p.Streams = append(p.Streams, recorder.MediaStream{
					SourceID: id, Type: types[int(b[4]+i)%len(types)], Direction: directions[int(b[4]>>3)%len(directions)], ServerMuted: b[4]&4 > 0,
				})
			}
		}
		r.Participants = append(r.Participants, p)
		if b[4]&128 > 0 || len(b) < 10 { // the last of this roster
			r.Delta, r.Sequence, ago = b[4]&64 > 0, int64(int8(b[2]))+int64(b[4]&1), int(b[2]>>4)
			all, asked = append(all, r), append(asked, ago)
			r = recorder.Roster{}
		}
	}
	return all, asked
}

// FuzzRosters: whatever comes, what is known hangs together, the history says at its
// end what the roster says, a second run says the same, and a whole roster without
// numbers sets all to rights.
func FuzzRosters(f *testing.F) {
	f.Add([]byte("abcdefghijklmnopqrstuvwxyz"))
	f.Add([]byte{0, 0, 1, 1 + 4<<2, 64 + 128, 1, 0, 2, 1 + 4<<2, 64 + 128, 0, 0, 1, 1 + 5<<2, 64 + 128})
	f.Fuzz(func(t *testing.T, b []byte) {
		all, asked := rosters(b[:min(len(b), 4000)])
		r, h, again := roster.New(), roster.NewHistory(), roster.NewHistory()
		for i, told := range all {
			if !told.Delta && asked[i] > 8 {
				told.Asked = at(i - asked[i])
			}
			was := slices.Clone(r.Current())
			changed := r.Take(at(i), told)
			if diff := cmp.Diff(was, r.Current()); diff != "" && !changed {
				t.Fatalf("changed, and did not say so: %s", diff)
			}
			if h.Take(at(i), told) != changed || again.Take(at(i), told) != changed {
				t.Fatal("one says that something changed, and another not")
			}
			coherent(t, r)
		}
		if diff := cmp.Diff(r.Current(), h.Now().Current()); diff != "" {
			t.Fatal(diff)
		}
		if diff := cmp.Diff(h.Participants(), again.Participants()); diff != "" {
			t.Fatalf("another run: %s", diff)
		}
		pasts(t, h)
		last := recorder.Roster{Participants: []recorder.Participant{{ID: "a", Streams: audio(1)}, {ID: "x", Muted: true, Streams: audio(2)}}}
		r.Take(at(len(all)), last)
		now := r.Current()
		if len(now) != 2 || now[0].Muted || !now[1].Muted || !slices.Equal(now[0].Audio, []uint32{1}) || ownerOf(r, "audio", 2) != "x" {
			t.Fatalf("after a whole roster: %+v", now)
		}
	})
}

// coherent: everyone is there once, and what they send with is theirs or claimed by
// somebody else.
func coherent(t *testing.T, r *roster.Roster) {
	t.Helper()
	ids := map[string]bool{}
	for _, p := range r.Current() {
		if ids[p.ID] || p.ID == "" {
			t.Fatalf("%q is there twice, or has no name", p.ID)
		}
		ids[p.ID] = true
	}
	for _, p := range r.Current() {
		for kind, sources := range map[string][]uint32{"audio": p.Audio, "video": p.Video, "videoBasedScreenSharing": p.Screen} {
			if p.InLobby && len(sources) > 0 {
				t.Fatalf("%s sends out of the lobby", p.ID)
			}
			for _, id := range sources {
				if owner := ownerOf(r, kind, id); !ids[owner] {
					t.Fatalf("%s %d is %q's, who is not there", kind, id, owner)
				}
			}
		}
	}
}

// pasts: spans lie in order, and who is there now is so in the last of them.
func pasts(t *testing.T, h *roster.History) {
	t.Helper()
	now := h.Now().Current()
	for _, p := range h.Participants() {
		for _, spans := range [][]roster.Span{p.Present, p.Lobby, p.Muted, p.Held} {
			if err := inOrder(spans); err != nil {
				t.Fatalf("%s: %v: %v", p.ID, err, spans)
			}
		}
		i := slices.IndexFunc(now, func(n roster.Person) bool { return n.ID == p.ID })
		open := len(p.Present) > 0 && p.Present[len(p.Present)-1].To.IsZero()
		if p.Omitted == 0 && open != (i >= 0 && !now[i].InLobby) {
			t.Fatalf("%s is present: %v, and now %v", p.ID, open, now)
		}
		for _, s := range p.Streams {
			names := h.Named(s.Source)
			for j, n := range names {
				if j > 0 && n.From.Before(names[j-1].To) {
					t.Fatalf("%v has two names at a time: %v", s.Source, names)
				}
			}
		}
	}
}

// TestFixtures: what Microsoft shows and what was seen leads to what it says.
func TestFixtures(t *testing.T) {
	t.Parallel()
	dir := filepath.Join("..", "..", "..", "..", "shared", "fixtures")
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Skip("the shared fixtures are not here")
		}
		return b
	}
	decode := func(body string) recorder.Roster {
		b, err := graph.Decode([]byte(body), graph.Arrival{At: at(0)})
		if err != nil || len(b.Notifications) != 1 || b.Notifications[0].Roster == nil {
			t.Fatalf("%v: %s", err, body)
		}
		return *b.Notifications[0].Roster
	}
	told := func(data string) recorder.Roster {
		return decode(`{"@odata.type":"#microsoft.graph.commsNotifications","value":[{"@odata.type":"#microsoft.graph.commsNotification",
			"changeType":"updated","resourceUrl":"/communications/calls/57dab8b1-894c-409a-b240-bd8beae78896/participants","resourceData":` + data + `}]}`)
	}
	var list struct{ Value json.RawMessage }
	if err := json.Unmarshal(read("resp_200_list_participants.json"), &list); err != nil {
		t.Fatal(err)
	}
	h := roster.NewHistory()
	h.Take(at(1), decode(string(read("notif_roster_updated_muted.json"))))
	reply := told(string(list.Value))
	reply.Asked = at(2)
	h.Take(at(3), reply)
	held := strings.Replace(string(read("observed_hold_participant_fragment.json")), "{", `{"id":"1e126418-44a0-4a94-a6f8-0efe1ad71acb",`, 1)
	h.Take(at(4), told(held)) // one participant alone: nobody else is gone
	now := []roster.Person{
		{ID: "1e126418-44a0-4a94-a6f8-0efe1ad71acb", Kind: "application", Identity: "ef43e42b-4c05-4594-9756-1edb3ccbc989", Name: "Test Participant"},
		{ID: "a7ebfb2d-871e-419c-87af-27290b22e8db", Kind: "application", Identity: "f2fa86af-3c51-4bc2-8fc0-475452d9764f", Audio: []uint32{3}},
	}
	if diff := cmp.Diff(now, h.Now().Current()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	bob := h.Participants()[0]
	span := []roster.Span{{From: at(1), To: at(3)}}
	if bob.Name != "Bob" || !cmp.Equal(bob.Muted, span) || !cmp.Equal(bob.Present, span) || bob.Bot() {
		t.Errorf("%+v", bob)
	}
	if p := h.Participants()[2]; !cmp.Equal(p.Held, []roster.Span{{From: at(4)}}) || !p.Bot() {
		t.Errorf("%+v", p)
	}
	want := []roster.Naming{
		{Participant: bob.ID, To: at(3), Learned: roster.LearnedWhole, At: at(1)},
		{Participant: now[0].ID, From: at(3), To: at(4), Learned: roster.LearnedAsked, At: at(3)},
	}
	if diff := cmp.Diff(want, h.Named(roster.Source{Type: "audio", ID: 1})); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
