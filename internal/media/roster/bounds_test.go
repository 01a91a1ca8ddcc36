package roster_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/recorderbot/recorderbot/internal/media/roster"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

func delta(number int64, people ...recorder.Participant) recorder.Roster {
	return recorder.Roster{Delta: true, Sequence: number, Participants: people}
}

func person(id string, muted bool) recorder.Participant {
	return recorder.Participant{ID: id, Muted: muted}
}

// TestNumbersThatBeginAnew are believed after some rosters; what is late, or comes
// again, is not taken for that.
func TestNumbersThatBeginAnew(t *testing.T) {
	t.Parallel()
	old := func() *roster.Roster {
		r := roster.New()
		for n := int64(1); n <= 100; n++ {
			r.Take(at(int(n)), delta(n, person("a", n%2 == 1)))
		}
		return r
	}
	muted := func(r *roster.Roster) bool { return r.Current()[0].Muted }
	t.Run("anew", func(t *testing.T) {
		t.Parallel()
		r := old()
		for n := int64(1); n <= 4; n++ {
			if muted(r) {
				t.Errorf("believed after %d", n-1)
			}
			r.Take(at(200), delta(n, person("a", true)))
		}
		if c := r.Counts(); !muted(r) || c.Restarts != 1 || c.Behind != 4 {
			t.Errorf("muted %v, %+v", muted(r), c)
		}
		if r.Take(at(300), delta(5, person("a", false))); muted(r) {
			t.Error("the new numbers don't go on")
		}
	})
	t.Run("anew within what is remembered", func(t *testing.T) {
		t.Parallel()
		r := old()
		for n := int64(90); n < 94; n++ {
			r.Take(at(200), delta(n, person("a", true), person("b", true)))
		}
		if c := r.Counts(); !muted(r) || c.Restarts != 1 {
			t.Errorf("muted %v, %+v", muted(r), c)
		}
	})
	t.Run("again", func(t *testing.T) {
		t.Parallel()
		r := old()
		for n := int64(60); n <= 100; n++ {
			if r.Take(at(200), delta(n, person("a", n%2 == 1))) {
				t.Errorf("%d changes something", n)
			}
		}
		if c := r.Counts(); c.Restarts != 0 || c.Behind != 0 || c.Repeated != 40 {
			t.Errorf("%+v", c)
		}
	})
	t.Run("late", func(t *testing.T) {
		t.Parallel()
		r := roster.New()
		r.Take(at(1), delta(50, person("a", false)))
		for n := int64(1); n < 50; n++ {
			r.Take(at(2), delta(n, person("a", true)))
		}
		if c := r.Counts(); muted(r) || c.Restarts != 0 || c.Behind != 49 {
			t.Errorf("muted %v, %+v", muted(r), c)
		}
	})
	t.Run("lists", func(t *testing.T) {
		t.Parallel()
		list := func(n int64, muted bool) recorder.Roster {
			return recorder.Roster{Sequence: n, Participants: []recorder.Participant{{ID: "a", Sequence: n, Muted: muted}}}
		}
		r := roster.New()
		r.Take(at(1), list(50, false))
		for n := int64(1); n <= 8; n++ {
			if muted(r) {
				t.Errorf("believed after %d", n-1)
			}
			r.Take(at(2), list(n, true))
		}
		if c := r.Counts(); !muted(r) || c.Restarts != 1 {
			t.Errorf("muted %v, %+v", muted(r), c)
		}
	})
}

// TestListsThatAreOld take nobody out who came after them, and tell of those who
// left before.
func TestListsThatAreOld(t *testing.T) {
	t.Parallel()
	r := roster.New()
	r.Take(at(1), delta(1, person("a", false)))
	r.Take(at(2), delta(2, person("b", false)))
	r.Take(at(3), delta(5, person("c", false)))
	r.Take(at(4), delta(6, person("b", true)))
	ids := func() (all []string) {
		for _, p := range r.Current() {
			all = append(all, p.ID)
		}
		return all
	}
	// As things stood at 4, when a had left, b had not been muted and c had not come.
	r.Take(at(5), recorder.Roster{Participants: []recorder.Participant{{ID: "b", Sequence: 2}, {ID: "d", Sequence: 4}}})
	if diff := cmp.Diff([]string{"b", "c", "d"}, ids()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if !r.Current()[0].Muted {
		t.Error("b is what it was before")
	}
	// The newest of a list leaves: that is no older list.
	r.Take(at(6), recorder.Roster{Participants: []recorder.Participant{{ID: "d", Sequence: 4}}})
	if diff := cmp.Diff([]string{"d"}, ids()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// TestMemoryIsBounded, whatever comes, and what had no room is counted.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	h := roster.NewHistory()
	now := h.Now()
	for i := range 3 * roster.MostPeople / 2 {
		h.Take(at(i), delta(0, person(fmt.Sprint(i), false)))
	}
	if n := len(now.Current()); n != roster.MostPeople {
		t.Errorf("%d people", n)
	}
	if c := now.Counts(); c.NoRoom != roster.MostPeople/2 || h.Omitted() != c.NoRoom {
		t.Errorf("%+v, %d omitted", c, h.Omitted())
	}
	for i := range roster.MostPeople {
		h.Take(at(i), delta(0, recorder.Participant{ID: fmt.Sprint(i), Removed: true}))
	}
	for i := range roster.MostPeople { // who left is forgotten, so there is room
		h.Take(at(i), delta(0, person(fmt.Sprint("again ", i), false)))
	}
	if n := len(now.Current()); n < roster.MostPeople/2 {
		t.Errorf("%d people", n)
	}
	if n := len(h.Participants()); n != roster.MostPast {
		t.Errorf("%d people of the past", n)
	}
	many := recorder.Participant{ID: "9"}
	for i := range uint32(2 * roster.MostStreams) {
		many.Streams = append(many.Streams, audio(i+1)...)
	}
	r := roster.New()
	r.Take(at(1), recorder.Roster{Participants: []recorder.Participant{many}})
	if n := len(r.Current()[0].Audio); n != roster.MostStreams || r.Counts().NoRoom != roster.MostStreams {
		t.Errorf("%d streams, %+v", n, r.Counts())
	}
}

// TestHistoryIsBounded: people who press a button for hours fill no manifest, and
// push nobody out who comes later.
func TestHistoryIsBounded(t *testing.T) {
	t.Parallel()
	h := roster.NewHistory()
	spans := func() (n, omitted int) {
		for _, p := range h.Participants() {
			n += len(p.Present) + len(p.Lobby) + len(p.Muted) + len(p.Held) + len(p.Streams)
			for _, s := range p.Streams {
				n += len(s.Muted)
			}
			omitted += p.Omitted
		}
		return n, omitted
	}
	second := 0
	for i := range 50 {
		for range 400 {
			for _, on := range []bool{true, false} {
				second++
				s := audio(uint32(i + 1))
				if s[0].ServerMuted = on; on {
					s[0].Direction = "inactive"
				}
				h.Take(at(second), delta(0, recorder.Participant{ID: fmt.Sprint(i), Muted: on, InLobby: second%5 == 0, Streams: s}))
			}
		}
	}
	n, omitted := spans()
	if n < 3000 || n > 5000 || omitted < 1000 {
		t.Errorf("%d spans, %d omitted", n, omitted)
	}
	h.Take(at(second+1), delta(0, recorder.Participant{ID: "late", Muted: true, Streams: audio(1000)}))
	late := h.Participants()[50]
	if len(late.Present) != 1 || len(late.Muted) != 1 || len(late.Streams) != 1 || len(h.Named(roster.Source{Type: "audio", ID: 1000})) != 1 {
		t.Errorf("%+v", late)
	}
	for i := range 1000 { // a source goes to and fro
		who := fmt.Sprint("x", i%2)
		h.Take(at(second+2+i), delta(0, recorder.Participant{ID: who, Streams: audio(2000)}))
		h.Take(at(second+2+i), delta(0, recorder.Participant{ID: who, Streams: audio()}))
	}
	if n := len(h.Named(roster.Source{Type: "audio", ID: 2000})); n > 2 || h.Omitted() == 0 {
		t.Errorf("%d namings, %d omitted", n, h.Omitted())
	}
}

// TestSpeaking: who spoke is told within two seconds, and everything that was said.
func TestSpeaking(t *testing.T) {
	t.Parallel()
	s := roster.NewSpeaking()
	ms := func(n int) time.Time { return at(0).Add(time.Duration(n) * time.Millisecond) }
	s.Take(ms(0), []uint32{7, 7, 0, 0xFFFFFFFF})
	s.Take(ms(1000), []uint32{9, 7})
	s.Take(ms(3000), []uint32{9})
	s.Take(ms(4999), []uint32{7}) // 1.999 s: one span
	s.Take(ms(6000), nil)
	s.Take(ms(8000), []uint32{7})  // 2 s: another
	s.Take(ms(7000), []uint32{11}) // the clock was set back
	s.End(ms(9000))
	span := func(from, to int) roster.Span { return roster.Span{From: ms(from), To: ms(to)} }
	for id, want := range map[uint32][]roster.Span{
		7: {span(0, 6000), span(8000, 8000)}, 9: {span(1000, 4999)}, 11: {span(8000, 9000)}, 0: nil,
	} {
		if diff := cmp.Diff(want, s.Spans(id)); diff != "" {
			t.Errorf("source %d: -want +got\n%s", id, diff)
		}
	}
	if diff := cmp.Diff([]uint32{7, 9, 11}, s.Sources()); diff != "" || s.Apart() != roster.Apart || s.Omitted() != 0 {
		t.Errorf("%s, %v apart, %d omitted", diff, s.Apart(), s.Omitted())
	}
}

// TestSpeakingIsBounded: a day of small talk becomes coarser, and loses nothing.
func TestSpeakingIsBounded(t *testing.T) {
	t.Parallel()
	s := roster.NewSpeaking()
	var said []time.Time
	now := at(0)
	for i := range 30000 {
		id := uint32(i%20 + 1)
		s.Take(now, []uint32{id})
		if id == 1 {
			said = append(said, now)
		}
		now = now.Add(2900 * time.Millisecond)
	}
	s.End(now)
	n := 0
	for _, id := range s.Sources() {
		n += len(s.Spans(id))
		if err := inOrder(s.Spans(id)); err != nil {
			t.Error(err)
		}
	}
	if n > 4096 || n < 20 || s.Apart() <= roster.Apart || s.Omitted() != 0 {
		t.Errorf("%d spans, %v apart, %d omitted", n, s.Apart(), s.Omitted())
	}
	for _, at := range said {
		if !covers(s.Spans(1), at) {
			t.Fatalf("not told that it spoke at %v", at)
		}
	}
	for id := range uint32(3000) {
		s.Take(now, []uint32{id + 100})
	}
	if len(s.Sources()) > 1024 || s.Omitted() == 0 {
		t.Errorf("%d sources, %d omitted", len(s.Sources()), s.Omitted())
	}
}

// TestSpoke: speech is whose the source was at the time.
func TestSpoke(t *testing.T) {
	t.Parallel()
	h, s := roster.NewHistory(), roster.NewSpeaking()
	s.Take(at(0), []uint32{7, 8})
	h.Take(at(5), delta(1, recorder.Participant{ID: "a", Streams: audio(7)}))
	h.Take(at(10), delta(2, recorder.Participant{ID: "b", Streams: audio(7)}))
	h.Take(at(20), delta(3, recorder.Participant{ID: "b", Removed: true}, recorder.Participant{ID: "a", Removed: true}))
	s.Take(at(21), []uint32{8}) // a moment after they have left
	s.Take(at(30), []uint32{7, 8})
	s.End(at(40))
	people, unnamed := h.Spoke(s)
	span := func(from, to int) []roster.Span { return []roster.Span{{From: at(from), To: at(to)}} }
	if diff := cmp.Diff(map[string][]roster.Span{"a": span(0, 10), "b": span(10, 21)}, people); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if diff := cmp.Diff(map[uint32][]roster.Span{7: span(30, 40), 8: span(0, 40)}, unnamed); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// TestCurrentCostsNothing between changes, and is not written to afterwards.
func TestCurrentCostsNothing(t *testing.T) { //nolint:paralleltest // it counts allocations
	r := roster.New()
	told := recorder.Roster{Participants: []recorder.Participant{{ID: "a", Streams: audio(1, 2)}, {ID: "b", Streams: audio(3)}}}
	if !r.Take(at(1), told) || r.Take(at(2), told) {
		t.Error("what is changed")
	}
	was := r.Current()
	kept := slices.Clone(was)
	if n := testing.AllocsPerRun(100, func() {
		r.Take(at(3), told)
		_ = r.Current()
		_, _ = r.Owner(roster.Source{Type: "audio", ID: 3})
	}); n > 0 {
		t.Errorf("%v allocations for nothing new", n)
	}
	r.Take(at(4), recorder.Roster{})
	if diff := cmp.Diff(kept, was); diff != "" || len(r.Current()) != 0 {
		t.Errorf("%s, %v", diff, r.Current())
	}
}

// BenchmarkTake is a roster of a large meeting in which one person is muted.
func BenchmarkTake(b *testing.B) {
	for _, n := range []int{2, 20, 1000} {
		for _, form := range []string{"list", "delta"} {
			b.Run(fmt.Sprintf("%s of %d", form, n), func(b *testing.B) {
				var told recorder.Roster
				for i := range n {
					told.Participants = append(told.Participants, recorder.Participant{
						ID: fmt.Sprintf("%08d-0000-4000-8000-000000000000", i), Sequence: int64(i + 1), Streams: audio(uint32(2*i+1), uint32(2*i+2)),
					})
				}
				r := roster.New()
				r.Take(at(0), told)
				b.ReportAllocs()
				number := int64(n)
				for b.Loop() {
					number++
					p := &told.Participants[n/2]
					p.Muted, p.Sequence = !p.Muted, number
					if form == "delta" {
						r.Take(at(1), delta(number, *p))
					} else {
						r.Take(at(1), told)
					}
					_ = r.Current()
				}
			})
		}
	}
}
