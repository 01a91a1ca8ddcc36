package roster_test

import (
	"fmt"
	"slices"
	"testing"

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

// TestWhoLeftIsRemembered as long as there is room, and who is back is not forgotten.
func TestWhoLeftIsRemembered(t *testing.T) {
	t.Parallel()
	r := roster.New()
	left := func(id string) recorder.Participant { return recorder.Participant{ID: id, Removed: true} }
	r.Take(at(1), delta(1, person("back", false), person("twice", false), person("long ago", false)))
	r.Take(at(2), delta(2, left("back"), left("twice"), left("long ago")))
	r.Take(at(3), delta(3, person("back", false), person("twice", false)))
	for i := range 3000 {
		r.Take(at(4), delta(int64(4+i), left(fmt.Sprint(i)))) // whom we never saw
	}
	r.Take(at(5), delta(4000, left("twice")))
	for i := range 3000 {
		r.Take(at(6), delta(int64(4001+i), left(fmt.Sprint(3000+i))))
	}
	for _, id := range []string{"twice", "long ago"} {
		r.Take(at(7), delta(3, person(id, false)))
	}
	var ids []string
	for _, p := range r.Current() {
		ids = append(ids, p.ID)
	}
	if diff := cmp.Diff([]string{"back", "long ago"}, ids); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	for i := range 4 * roster.MostPeople {
		r.Take(at(8), delta(0, left(fmt.Sprint("never ", i))))
	}
	if c := r.Counts(); c.NoRoom != 0 {
		t.Errorf("%+v", c)
	}
}

// TestSpansOfOneSort have their bound, to the span.
func TestSpansOfOneSort(t *testing.T) {
	t.Parallel()
	h := roster.NewHistory()
	for i := range 600 {
		h.Take(at(i), delta(0, person("a", i%2 == 1)))
	}
	if p := h.Participants()[0]; len(p.Muted) != 256 || p.Omitted != 300-256 || !p.Muted[255].To.Equal(at(512)) {
		t.Errorf("%d spans, %d omitted, the last to %v", len(p.Muted), p.Omitted, p.Muted[255].To)
	}
	for i := range 600 {
		h.Take(at(1000+i), delta(0, recorder.Participant{ID: "b", Streams: audio(uint32(i + 1))}))
	}
	if p := h.Participants()[1]; len(p.Streams) != 256 || p.Omitted != 600-256 {
		t.Errorf("%d streams, %d omitted", len(p.Streams), p.Omitted)
	}
	for i := range 600 {
		h.Take(at(2000+i), delta(0, recorder.Participant{ID: fmt.Sprint(i % 2), Streams: audio(1000)}))
		h.Take(at(2000+i), delta(0, recorder.Participant{ID: fmt.Sprint(1 - i%2), Streams: audio()}))
	}
	if n := len(h.Named(roster.Source{Type: "audio", ID: 1000})); n != 256 || h.Omitted() == 0 {
		t.Errorf("%d namings, %d omitted", n, h.Omitted())
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
