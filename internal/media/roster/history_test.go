package roster_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/recorderbot/recorderbot/internal/media/roster"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

func audio(sources ...uint32) []recorder.MediaStream {
	all := []recorder.MediaStream{}
	for _, id := range sources {
		all = append(all, recorder.MediaStream{SourceID: id, Type: "audio", Direction: "sendReceive"})
	}
	return all
}

// covers reports whether a time lies in one of some spans.
func covers(spans []roster.Span, t time.Time) bool {
	return slices.ContainsFunc(spans, func(s roster.Span) bool { return !t.Before(s.From) && (s.To.IsZero() || t.Before(s.To)) })
}

// inOrder holds what all spans are: one after the other, and only the last may last.
func inOrder(spans []roster.Span) error {
	for i, s := range spans {
		switch {
		case s.To.IsZero() && i+1 < len(spans):
			return fmt.Errorf("span %d has no end, and is not the last", i)
		case !s.To.IsZero() && !s.From.Before(s.To):
			return fmt.Errorf("span %d of no length", i)
		case i > 0 && s.From.Before(spans[i-1].To):
			return fmt.Errorf("span %d overlaps with the one before", i)
		}
	}
	return nil
}

// TestHistoryIsTheTruth: where everything is told in order, the history says of each
// time what the meeting says of it.
func TestHistoryIsTheTruth(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := drawMeeting(t, 40)
		h := roster.NewHistory()
		for n := 1; n < len(m.versions); n++ {
			told := m.deltas[n-1]
			if rapid.Bool().Draw(t, "list") {
				told = m.list(n, true)
			}
			h.Take(at(n), told)
		}
		for n := 1; n < len(m.versions); n++ {
			now := at(n).Add(time.Millisecond)
			for _, p := range h.Participants() {
				if diff := atTime(h, p, m.versions[n], now); diff != "" {
					t.Fatalf("%s at %d: %s", p.ID, n, diff)
				}
			}
			if len(h.Participants()) < len(m.versions[n]) {
				t.Fatal("somebody is missing")
			}
		}
		for _, p := range h.Participants() {
			for _, spans := range [][]roster.Span{p.Present, p.Lobby, p.Muted, p.Held} {
				if err := inOrder(spans); err != nil {
					t.Fatalf("%s: %v: %v", p.ID, err, spans)
				}
			}
			if p.Omitted > 0 {
				t.Fatal("something was left out")
			}
		}
		if diff := is(h.Now(), m.latest()); diff != "" {
			t.Fatal(diff)
		}
	})
}

// atTime compares the history with the truth at one time.
func atTime(h *roster.History, p *roster.Past, all map[string]recorder.Participant, now time.Time) string {
	truth, in := all[p.ID]
	present := in && !truth.InLobby
	for what, pair := range map[string][2]bool{
		"present": {present, covers(p.Present, now)},
		"lobby":   {in && truth.InLobby, covers(p.Lobby, now)},
		"muted":   {present && truth.Muted, covers(p.Muted, now)},
		"held":    {present && truth.Streams[0].Direction == "inactive", covers(p.Held, now)},
	} {
		if pair[0] != pair[1] {
			return fmt.Sprintf("%s is %v, want %v", what, pair[1], pair[0])
		}
	}
	var streams []recorder.MediaStream
	for _, s := range p.Streams {
		if !now.Before(s.From) && (s.To.IsZero() || now.Before(s.To)) {
			streams = append(streams, recorder.MediaStream{
				SourceID: s.Source.ID, Type: s.Source.Type, Direction: s.Direction, Label: s.Label, ServerMuted: covers(s.Muted, now),
			})
		}
	}
	var want []recorder.MediaStream
	if present {
		want = slices.Clone(truth.Streams)
	}
	order := func(a, b recorder.MediaStream) int { return int(a.SourceID) - int(b.SourceID) }
	slices.SortFunc(streams, order)
	slices.SortFunc(want, order)
	if diff := cmp.Diff(want, streams); diff != "" {
		return diff
	}
	for _, s := range want {
		source := roster.Source{Type: s.Type, ID: s.SourceID}
		if got := ownerAt(h, source, now); got != p.ID {
			return fmt.Sprintf("source %v is %q's", source, got)
		}
		sends := s.Direction != "inactive" && !s.ServerMuted && (!truth.Muted || s.Type == "video")
		if got := covers(h.Sending(source), now); got != sends {
			return fmt.Sprintf("source %v sends: %v, want %v", source, got, sends)
		}
	}
	return audible(h, all, now)
}

func audible(h *roster.History, all map[string]recorder.Participant, now time.Time) string {
	want := false
	for _, p := range all {
		for _, s := range p.Streams {
			want = want || !p.InLobby && !p.Muted && s.Type == "audio" && s.Direction == "sendReceive" && !s.ServerMuted
		}
	}
	if got := covers(h.Audible(), now); got != want {
		return fmt.Sprintf("audible: %v, want %v", got, want)
	}
	return ""
}

// ownerAt is whose a source was at a time, after its first naming.
func ownerAt(h *roster.History, source roster.Source, now time.Time) string {
	for _, n := range h.Named(source) {
		if !now.Before(n.At) && (n.To.IsZero() || now.Before(n.To)) {
			return n.Participant
		}
	}
	return ""
}

// TestNaming: a source is named by time, later where it must be, and it is told how
// that was learned.
func TestNaming(t *testing.T) {
	t.Parallel()
	h := roster.NewHistory()
	seven := roster.Source{Type: "audio", ID: 7}
	if h.Named(seven) != nil {
		t.Error("named by nobody")
	}
	who := func(id string, sources ...uint32) recorder.Participant {
		return recorder.Participant{ID: id, Streams: audio(sources...)}
	}
	h.Take(at(5), recorder.Roster{Asked: at(4), Participants: []recorder.Participant{who("a", 7), who("b", 8)}})
	h.Take(at(10), recorder.Roster{Delta: true, Sequence: 1, Participants: []recorder.Participant{who("c", 7)}}) // handed on; a's word is lost
	h.Take(at(20), recorder.Roster{Participants: []recorder.Participant{who("a"), who("b", 8)}})
	h.Take(at(30), recorder.Roster{Delta: true, Sequence: 3, Participants: []recorder.Participant{who("b", 7, 8)}})
	want := []roster.Naming{
		{Participant: "a", To: at(10), Learned: roster.LearnedAsked, At: at(5)},
		{Participant: "c", From: at(10), To: at(20), Learned: roster.LearnedDelta, At: at(10)},
		{Participant: "b", From: at(30), Learned: roster.LearnedDelta, At: at(30)},
	}
	if diff := cmp.Diff(want, h.Named(seven)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	for _, nobody := range []uint32{0, 0xFFFFFFFF} { // the mix, and none
		h.Take(at(40), recorder.Roster{Delta: true, Participants: []recorder.Participant{who("d", nobody)}})
		if h.Named(roster.Source{Type: "audio", ID: nobody}) != nil {
			t.Errorf("source %d has a name", nobody)
		}
	}
	if h.Named(roster.Source{Type: "video", ID: 7}) != nil {
		t.Error("the numbers of one media type name another")
	}
}

// TestTwoClaims: while two claim a source it is the later one's, and the other's again
// once that one has gone.
func TestTwoClaims(t *testing.T) {
	t.Parallel()
	h := roster.NewHistory()
	tell := func(s int, id string, sources ...uint32) {
		h.Take(at(s), recorder.Roster{Delta: true, Participants: []recorder.Participant{{ID: id, Streams: audio(sources...)}}})
	}
	tell(1, "b", 7)
	tell(2, "a", 7)
	tell(3, "b", 7, 8) // no new claim to 7
	tell(4, "a")
	tell(5, "b", 8)
	want := []roster.Naming{
		{Participant: "b", To: at(2), Learned: roster.LearnedDelta, At: at(1)},
		{Participant: "a", From: at(2), To: at(4), Learned: roster.LearnedDelta, At: at(2)},
		{Participant: "b", From: at(4), To: at(5), Learned: roster.LearnedDelta, At: at(4)},
	}
	if diff := cmp.Diff(want, h.Named(roster.Source{Type: "audio", ID: 7})); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	// Two in one list: the same one each time.
	r := roster.New()
	r.Take(at(1), recorder.Roster{Participants: []recorder.Participant{{ID: "z", Streams: audio(9)}, {ID: "y", Streams: audio(9)}}})
	if got := ownerOf(r, "audio", 9); got != "y" {
		t.Errorf("it is %q's", got)
	}
}

// TestUntold: what a delta does not mention stays; what a list does not, too, but for
// the streams.
func TestUntold(t *testing.T) {
	t.Parallel()
	r := roster.New()
	r.Take(at(1), recorder.Roster{Delta: true, Participants: []recorder.Participant{
		{ID: "a", Kind: "user", Identity: "i", Name: "A", Tenant: "t", Muted: true, Streams: audio(1)}, {ID: "l", InLobby: true},
	}})
	little := recorder.Participant{ID: "a", Kind: "unknown", MuteUntold: true, LobbyUntold: true}
	want := []roster.Person{{ID: "a", Kind: "user", Identity: "i", Name: "A", Tenant: "t", Muted: true, Audio: []uint32{1}}, {ID: "l", InLobby: true}}
	r.Take(at(2), recorder.Roster{Delta: true, Participants: []recorder.Participant{little, {ID: "l", LobbyUntold: true, MuteUntold: true}}})
	if diff := cmp.Diff(want, r.Current()); diff != "" {
		t.Errorf("delta: -want +got\n%s", diff)
	}
	want[0].Audio = nil
	r.Take(at(3), recorder.Roster{Participants: []recorder.Participant{little, {ID: "l", LobbyUntold: true, MuteUntold: true}}})
	if diff := cmp.Diff(want, r.Current()); diff != "" {
		t.Errorf("list: -want +got\n%s", diff)
	}
	r.Take(at(4), recorder.Roster{Delta: true, Participants: []recorder.Participant{{ID: "a", Removed: true}}})
	r.Take(at(5), recorder.Roster{Delta: true, Participants: []recorder.Participant{little}})
	want[0].Muted = false // whoever left and is back begins anew
	if diff := cmp.Diff(want, r.Current()); diff != "" {
		t.Errorf("back: -want +got\n%s", diff)
	}
}

// TestLeavingIsTold with its reason, of people who were there.
func TestLeavingIsTold(t *testing.T) {
	t.Parallel()
	h := roster.NewHistory()
	gone := func(id string) recorder.Participant {
		return recorder.Participant{ID: id, Removed: true, Reason: "kicked"}
	}
	h.Take(at(1), recorder.Roster{Delta: true, Participants: []recorder.Participant{gone("never there"), {ID: "a"}, {ID: "b", InLobby: true}, {ID: ""}}})
	h.Take(at(2), recorder.Roster{Delta: true, Participants: []recorder.Participant{gone("a"), gone("b")}})
	want := []*roster.Past{
		{ID: "a", Present: []roster.Span{{From: at(1), To: at(2), Reason: "kicked"}}},
		{ID: "b", Lobby: []roster.Span{{From: at(1), To: at(2), Reason: "kicked"}}},
	}
	if diff := cmp.Diff(want, h.Participants()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if n := h.Now().Counts().Nameless; n != 1 {
		t.Errorf("%d without an ID", n)
	}
}
