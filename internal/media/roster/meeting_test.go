package roster_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/recorderbot/recorderbot/internal/media/roster"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// A meeting is the truth: who is in a call at each number, as the platform knows. It
// is a naive model: a list of whole rosters.
type meeting struct {
	versions []map[string]recorder.Participant // by number; 0: nobody
	deltas   []recorder.Roster                 // deltas[n-1] leads to versions[n]
}

func newMeeting() *meeting {
	return &meeting{versions: []map[string]recorder.Participant{{}}}
}

func (m *meeting) latest() map[string]recorder.Participant { return m.versions[len(m.versions)-1] }

// change lets somebody be as p says from the next number on; removed where p is.
func (m *meeting) change(p recorder.Participant) {
	next := maps.Clone(m.latest())
	p.Sequence = int64(len(m.versions))
	if p.Removed {
		delete(next, p.ID)
	} else {
		next[p.ID] = p
	}
	m.versions = append(m.versions, next)
	m.deltas = append(m.deltas, recorder.Roster{Delta: true, Sequence: p.Sequence, Participants: []recorder.Participant{p}})
}

// list is the whole roster of a number, in no order, with the participants' own
// numbers or without.
func (m *meeting) list(number int, numbered bool) recorder.Roster {
	r := recorder.Roster{Participants: []recorder.Participant{}}
	for _, id := range slices.Sorted(maps.Keys(m.versions[number])) {
		p := m.versions[number][id]
		if !numbered {
			p.Sequence = 0
		}
		r.Sequence = max(r.Sequence, p.Sequence)
		r.Participants = append(r.Participants, p)
	}
	return r
}

// drawMeeting lets people come, go, mute, hold, change and swap their sources.
func drawMeeting(t *rapid.T, most int) *meeting {
	m := newMeeting()
	nextSource := 1
	fresh := func() uint32 {
		id := m.unused(nextSource)
		nextSource = int(id) + 1
		return id
	}
	for range rapid.IntRange(1, most).Draw(t, "changes") {
		id := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "who")
		p, in := m.latest()[id]
		if !in {
			p = recorder.Participant{ID: id, Kind: "user", Identity: "i-" + id, Name: strings.ToUpper(id)}
			p.InLobby = rapid.IntRange(0, 4).Draw(t, "lobby") == 0
			p.Streams = []recorder.MediaStream{{SourceID: fresh(), Type: "audio", Direction: "sendReceive"}}
			m.change(p)
			continue
		}
		p.Streams = slices.Clone(p.Streams)
		switch rapid.IntRange(0, 7).Draw(t, "what") {
		case 0:
			p = recorder.Participant{ID: id, Removed: true, Reason: "left"}
		case 1:
			p.Muted = !p.Muted
		case 2: // hold, and back
			s := &p.Streams[0]
			if s.Direction = "inactive"; rapid.Bool().Draw(t, "back") {
				s.Direction = "sendReceive"
			}
		case 3:
			p.Streams[0].ServerMuted = !p.Streams[0].ServerMuted
		case 4: // camera on or off
			if len(p.Streams) > 1 {
				p.Streams = p.Streams[:1]
			} else {
				p.Streams = append(p.Streams, recorder.MediaStream{SourceID: fresh(), Type: "video", Direction: "sendOnly"})
			}
		case 5: // an old source is handed on
			p.Streams[0].SourceID = m.unused(rapid.IntRange(1, nextSource).Draw(t, "old"))
		case 6:
			p.Name += "'"
		case 7:
			p.InLobby = false
		}
		m.change(p)
	}
	return m
}

// unused is the first source from n on that nobody has.
func (m *meeting) unused(n int) uint32 {
	for ; ; n++ {
		taken := false
		for _, p := range m.latest() {
			for _, s := range p.Streams {
				taken = taken || s.SourceID == uint32(n)
			}
		}
		if !taken {
			return uint32(n)
		}
	}
}

// people is what must be known of a whole roster.
func people(all map[string]recorder.Participant) []roster.Person {
	var want []roster.Person
	for _, id := range slices.Sorted(maps.Keys(all)) {
		p := all[id]
		w := roster.Person{ID: p.ID, Identity: p.Identity, Kind: p.Kind, Name: p.Name, Tenant: p.Tenant, InLobby: p.InLobby, Muted: p.Muted}
		for _, s := range p.Streams {
			if p.InLobby || s.Direction != "sendOnly" && s.Direction != "sendReceive" {
				continue
			}
			switch s.Type {
			case "audio":
				w.Audio = append(w.Audio, s.SourceID)
			case "video":
				w.Video = append(w.Video, s.SourceID)
			case "videoBasedScreenSharing":
				w.Screen = append(w.Screen, s.SourceID)
			}
		}
		want = append(want, w)
	}
	return want
}

// is compares what is known with the truth: who is there, and whose each source is.
func is(r *roster.Roster, all map[string]recorder.Participant) string {
	got := r.Current()
	if len(got) == 0 {
		got = nil
	}
	if diff := cmp.Diff(people(all), got); diff != "" {
		return diff
	}
	for _, kind := range []string{"audio", "video", "videoBasedScreenSharing"} {
		for id := range uint32(60) {
			if want, owner := ownerIn(all, kind, id), ownerOf(r, kind, id); want != owner {
				return fmt.Sprintf("%s %d is %q's, want %q's", kind, id, owner, want)
			}
		}
	}
	return ""
}

func ownerIn(all map[string]recorder.Participant, kind string, id uint32) string {
	for _, p := range all {
		for _, s := range p.Streams {
			if !p.InLobby && s.Type == kind && s.SourceID == id {
				return p.ID
			}
		}
	}
	return ""
}

func ownerOf(r *roster.Roster, kind string, id uint32) string {
	owner, _ := r.Owner(roster.Source{Type: kind, ID: id})
	return owner
}

func at(s int) time.Time {
	return time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC).Add(time.Duration(s) * time.Second)
}

// TestDeltasInAnyOrder: all deltas, in any order and as often as one likes, give what
// the last of them gives in order.
func TestDeltasInAnyOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := drawMeeting(t, 40)
		sent := slices.Clone(m.deltas)
		for range rapid.IntRange(0, 20).Draw(t, "repeated") {
			sent = append(sent, rapid.SampledFrom(m.deltas).Draw(t, "again"))
		}
		r := roster.New()
		for i, d := range rapid.Permutation(sent).Draw(t, "order") {
			r.Take(at(i), d)
		}
		if diff := is(r, m.latest()); diff != "" {
			t.Fatalf("-want +got\n%s", diff)
		}
	})
}

// TestWholeListSetsAllToRights: whatever was lost, repeated, out of order, untold or
// unnumbered before, and whatever answers came to questions: a whole roster that is
// newer than all of it is what is known then.
func TestWholeListSetsAllToRights(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := drawMeeting(t, 30)
		n := len(m.versions) - 1
		r := roster.New()
		now := 0
		for range rapid.IntRange(0, 60).Draw(t, "heard") {
			d := rapid.SampledFrom(m.deltas).Draw(t, "delta")
			switch rapid.IntRange(0, 6).Draw(t, "as") {
			case 0:
				d.Sequence = 0
				d.Participants = slices.Clone(d.Participants)
				d.Participants[0].Sequence = 0
			case 1: // only that they left
				d = recorder.Roster{Delta: true, Participants: []recorder.Participant{{ID: d.Participants[0].ID, Removed: true}}}
			case 2:
				p := d.Participants[0]
				p.MuteUntold, p.LobbyUntold, p.Streams, p.Identity, p.Name, p.Kind = true, true, nil, "", "", "unknown"
				d.Participants = []recorder.Participant{p}
			case 3:
				d = m.list(rapid.IntRange(0, n).Draw(t, "of"), rapid.Bool().Draw(t, "numbered"))
			case 4:
				d = m.list(rapid.IntRange(0, n).Draw(t, "of"), rapid.Bool().Draw(t, "numbered"))
				d.Asked = at(now - rapid.IntRange(0, now).Draw(t, "ago"))
			}
			r.Take(at(now), d)
			now++
		}
		last := m.list(n, rapid.Bool().Draw(t, "numbered"))
		if rapid.Bool().Draw(t, "asked") {
			last.Asked = at(now)
		}
		r.Take(at(now+1), last)
		if diff := is(r, m.latest()); diff != "" {
			t.Fatalf("-want +got\n%s", diff)
		}
	})
}

// TestLateRepliesUndoNothing: where notifications come in order, what is known is the
// truth after each of them, whatever lists we ask for and however long the replies
// take.
func TestLateRepliesUndoNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := drawMeeting(t, 30)
		lists := rapid.Bool().Draw(t, "lists") // else deltas
		numbered := rapid.Bool().Draw(t, "numbered")
		r := roster.New()
		heard := map[int]time.Time{0: at(-1)} // when each version was told
		for n, d := range m.deltas {
			n++
			if lists {
				d = m.list(n, numbered)
			} else if !numbered {
				d.Sequence = 0
				d.Participants = slices.Clone(d.Participants)
				d.Participants[0].Sequence = 0
			}
			heard[n] = at(10 * n)
			r.Take(heard[n], d)
			if diff := is(r, m.versions[n]); diff != "" {
				t.Fatalf("%d told: -want +got\n%s", n, diff)
			}
			if !rapid.Bool().Draw(t, "reply") {
				continue
			}
			// Asked between the versions k and k+1, answered from any since.
			k := rapid.IntRange(0, n).Draw(t, "asked at")
			reply := m.list(rapid.IntRange(k, n).Draw(t, "of"), rapid.Bool().Draw(t, "numbered"))
			reply.Asked = heard[k].Add(5 * time.Second)
			r.Take(at(10*n+7), reply)
			if diff := is(r, m.versions[n]); diff != "" {
				t.Fatalf("reply of %d asked after %d at %d: -want +got\n%s", reply.Sequence, k, n, diff)
			}
		}
	})
}
