package roster_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
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
			if truth, in := m.latest()[p.ID]; in && (p.Name != truth.Name || p.Identity != truth.Identity || p.Kind != truth.Kind) {
				t.Fatalf("%+v, want %+v", p, truth)
			}
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

// TestComingBackBegins anew, with the streams that are told then.
func TestComingBackBegins(t *testing.T) {
	t.Parallel()
	r := roster.New()
	tell := func(s int, p recorder.Participant) { r.Take(at(s), delta(int64(s), p)) }
	tell(1, recorder.Participant{ID: "a", InLobby: true})
	tell(2, recorder.Participant{ID: "a", Streams: audio(7)})
	tell(3, recorder.Participant{ID: "a", InLobby: true, Streams: audio(7)})
	tell(4, recorder.Participant{ID: "a", Removed: true})
	tell(5, recorder.Participant{ID: "a", LobbyUntold: true, MuteUntold: true})
	if diff := cmp.Diff([]roster.Person{{ID: "a"}}, r.Current()); diff != "" || ownerOf(r, "audio", 7) != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// TestSendingJoinsWhatTouches: a stream whose direction changes and still sends, sends
// on; what an application sends is nothing that should be heard.
func TestSendingJoinsWhatTouches(t *testing.T) {
	t.Parallel()
	h := roster.NewHistory()
	tell := func(s int, direction string, muted bool) {
		h.Take(at(s), delta(0, recorder.Participant{
			ID: "a", Kind: "user", Muted: muted, Streams: []recorder.MediaStream{
				{SourceID: 7, Type: "audio", Direction: direction}, {SourceID: 8, Type: "video", Direction: direction}, {SourceID: 9, Type: "data", Direction: direction},
			},
		}))
	}
	h.Take(at(0), delta(0, recorder.Participant{ID: "bot", Kind: "application", Streams: audio(5)}))
	tell(1, "sendReceive", false)
	tell(2, "sendOnly", false)
	tell(3, "receiveOnly", false)
	tell(4, "sendOnly", false)
	tell(5, "sendOnly", true)
	tell(6, "sendReceive", false)
	span := func(from, to int) roster.Span {
		s := roster.Span{From: at(from)}
		if to > 0 {
			s.To = at(to)
		}
		return s
	}
	heard := []roster.Span{span(1, 3), span(4, 5), span(6, 0)}
	if diff := cmp.Diff(heard, h.Sending(roster.Source{Type: "audio", ID: 7})); diff != "" {
		t.Errorf("audio: -want +got\n%s", diff)
	}
	if diff := cmp.Diff([]roster.Span{span(1, 3), span(4, 0)}, h.Sending(roster.Source{Type: "video", ID: 8})); diff != "" {
		t.Errorf("video: -want +got\n%s", diff)
	}
	if diff := cmp.Diff(heard, h.Audible()); diff != "" {
		t.Errorf("anybody: -want +got\n%s", diff)
	}
	if diff := cmp.Diff([]roster.Span{span(3, 4)}, h.Participants()[1].Held); diff != "" {
		t.Errorf("held: -want +got\n%s", diff)
	}
}

// TestTwiceInOneRoster: what a roster says and takes back is no span, and presence that it ends
// and begins again has not ended.
func TestTwiceInOneRoster(t *testing.T) {
	t.Parallel()
	h := roster.NewHistory()
	off := recorder.Participant{ID: "a", Muted: true, Streams: audio(8)}
	on := recorder.Participant{ID: "a", Streams: []recorder.MediaStream{{SourceID: 7, Type: "audio", Direction: "sendReceive", ServerMuted: true}}}
	gone := recorder.Participant{ID: "a", Removed: true, Reason: "left"}
	h.Take(at(1), delta(0, off, on, gone, recorder.Participant{ID: "b", Streams: audio(9)}, recorder.Participant{ID: "c", Streams: audio(9)}))
	if p := h.Participants()[0]; len(p.Present)+len(p.Muted)+len(p.Streams) > 0 {
		t.Errorf("%+v", p)
	}
	h.Take(at(2), delta(0, on))
	h.Take(at(3), delta(0, gone, on, off, on))
	want := roster.Past{
		ID: "a", Present: []roster.Span{{From: at(2)}},
		Streams: []roster.Stream{
			{Source: roster.Source{Type: "audio", ID: 7}, Direction: "sendReceive", From: at(2), To: at(3), Muted: []roster.Span{{From: at(2), To: at(3)}}},
			{Source: roster.Source{Type: "audio", ID: 7}, Direction: "sendReceive", From: at(3), Muted: []roster.Span{{From: at(3)}}},
		},
	}
	if diff := cmp.Diff(want, *h.Participants()[0], cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	names := []roster.Naming{{Participant: "a", At: at(2), Learned: roster.LearnedDelta}}
	if diff := cmp.Diff(names, h.Named(roster.Source{Type: "audio", ID: 7})); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if names := h.Named(roster.Source{Type: "audio", ID: 8}); names != nil {
		t.Errorf("%+v", names)
	}
	if names := h.Named(roster.Source{Type: "audio", ID: 9}); len(names) != 1 || names[0].Participant != "c" {
		t.Errorf("%+v", names)
	}
}

// TestLabelsTellStreamsApart, and a clock that was set back makes no span of less than
// no length.
func TestLabelsTellStreamsApart(t *testing.T) {
	t.Parallel()
	h := roster.NewHistory()
	tell := func(s int, label string) {
		h.Take(at(s), delta(0, recorder.Participant{ID: "a", Streams: []recorder.MediaStream{{SourceID: 7, Type: "video", Direction: "sendOnly", Label: label}}}))
	}
	tell(5, "one")
	tell(7, "two")
	tell(3, "three")
	tell(8, "three")
	three := []recorder.MediaStream{{SourceID: 7, Type: "video", Direction: "sendOnly", Label: "three"}}
	h.Take(at(9), delta(0, recorder.Participant{ID: "a", Muted: true, Streams: three}))
	three[0].Direction = "inactive"
	h.Take(at(10), delta(0, recorder.Participant{ID: "a", Streams: three}))
	if p := h.Participants()[0]; len(p.Held) > 0 { // a camera that is off
		t.Errorf("%+v", p)
	}
	var got []string
	for _, s := range h.Participants()[0].Streams {
		got = append(got, fmt.Sprint(s.Label, " ", s.From.Second(), " ", s.To.Second()))
	}
	if diff := cmp.Diff([]string{"one 5 7", "three 7 10", "three 10 0"}, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
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
