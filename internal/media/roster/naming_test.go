package roster_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/recorderbot/recorderbot/internal/media/roster"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

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
	h.Take(at(30), recorder.Roster{Participants: []recorder.Participant{who("b", 7, 8)}})
	want := []roster.Naming{
		{Participant: "a", To: at(10), Learned: roster.LearnedAsked, At: at(5)},
		{Participant: "c", From: at(10), To: at(20), Learned: roster.LearnedDelta, At: at(10)},
		{Participant: "b", From: at(30), Learned: roster.LearnedWhole, At: at(30)},
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
	// Two in one list: the later of them.
	r := roster.New()
	r.Take(at(1), recorder.Roster{Participants: []recorder.Participant{{ID: "z", Streams: audio(9)}, {ID: "y", Streams: audio(9)}}})
	if got := ownerOf(r, "audio", 9); got != "y" {
		t.Errorf("it is %q's", got)
	}
	video := []recorder.MediaStream{{SourceID: 9, Type: "video", Direction: "sendOnly"}}
	r.Take(at(2), delta(0, recorder.Participant{ID: "y", Streams: video})) // the same number, of another type
	if got := ownerOf(r, "audio", 9) + ownerOf(r, "video", 9); got != "zy" {
		t.Errorf("they are %q's", got)
	}
}

// TestAtTheSameTime: what one notification of a batch says and the next takes back.
func TestAtTheSameTime(t *testing.T) {
	t.Parallel()
	h := roster.NewHistory()
	tell := func(s int, id string, sources ...uint32) {
		h.Take(at(s), delta(0, recorder.Participant{ID: id, Streams: audio(sources...)}))
	}
	tell(1, "a", 7)
	tell(2, "b", 7, 8)
	tell(2, "b")
	tell(3, "c", 8)
	if diff := cmp.Diff([]roster.Naming{{Participant: "a", At: at(1), Learned: roster.LearnedDelta}}, h.Named(roster.Source{Type: "audio", ID: 7})); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if diff := cmp.Diff([]roster.Naming{{Participant: "c", At: at(3), Learned: roster.LearnedDelta}}, h.Named(roster.Source{Type: "audio", ID: 8})); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// TestShared: telephones that a whole list names with one source share it, from then on
// until one of them has lost it; whose claim only was not taken back does not.
func TestShared(t *testing.T) {
	t.Parallel()
	h := roster.NewHistory()
	source := roster.Source{Type: "audio", ID: 7}
	who := func(id string) recorder.Participant {
		return recorder.Participant{ID: id, Kind: "phone", Streams: audio(7)}
	}
	h.Take(at(1), delta(0, who("a")))
	h.Take(at(2), delta(0, who("b")))
	if h.Sharing(source) != nil {
		t.Errorf("%+v", h.Sharing(source))
	}
	for _, second := range []int{10, 11} {
		h.Take(at(second), recorder.Roster{Participants: []recorder.Participant{who("a"), who("b"), {ID: "c", Streams: audio(9)}}})
	}
	h.Take(at(20), recorder.Roster{Participants: []recorder.Participant{who("a"), {ID: "c", Streams: audio(9)}}})
	h.Take(at(30), recorder.Roster{Participants: []recorder.Participant{who("b"), who("a")}})
	h.Take(at(40), recorder.Roster{Participants: []recorder.Participant{who("b")}})
	want := []roster.Naming{
		{Participant: "a", From: at(10), To: at(20), Learned: roster.LearnedWhole, At: at(10)},
		{Participant: "a", From: at(30), To: at(40), Learned: roster.LearnedWhole, At: at(30)},
	}
	if diff := cmp.Diff(want, h.Sharing(source)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	s := roster.NewSpeaking()
	s.Take(at(5), []uint32{7})
	s.End(at(15))
	people, _ := h.Spoke(s)
	spoke := map[string][]roster.Span{"a": {{From: at(10), To: at(15)}}, "b": {{From: at(5), To: at(15)}}}
	if diff := cmp.Diff(spoke, people); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
