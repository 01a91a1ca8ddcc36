package roster_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/recorderbot/recorderbot/internal/media/roster"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

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
	s.Take(ms(9000), []uint32{})
	s.Take(ms(20000), []uint32{13, 13})
	s.End(ms(21000))
	span := func(from, to int) roster.Span { return roster.Span{From: ms(from), To: ms(to)} }
	for id, want := range map[uint32][]roster.Span{
		7: {span(0, 6000), span(8000, 8000)}, 9: {span(1000, 4999)}, 11: {span(8000, 9000)}, 13: {span(20000, 21000)}, 0: nil,
	} {
		if diff := cmp.Diff(want, s.Spans(id)); diff != "" {
			t.Errorf("source %d: -want +got\n%s", id, diff)
		}
	}
	if diff := cmp.Diff([]uint32{7, 9, 11, 13}, s.Sources()); diff != "" || s.Apart() != roster.Apart || s.Omitted() != 0 {
		t.Errorf("%s, %v apart, %d omitted", diff, s.Apart(), s.Omitted())
	}
}

// TestSpeakingIsBounded: a day of small talk becomes coarser, and loses nothing.
func TestSpeakingIsBounded(t *testing.T) {
	t.Parallel()
	s := roster.NewSpeaking()
	var said, silent []time.Time
	now := at(0)
	for i := range 30000 {
		id := uint32(i%20 + 1)
		if i%1000 == 0 { // a break
			s.Take(now, nil)
			silent = append(silent, now.Add(time.Hour))
			now = now.Add(2 * time.Hour)
		}
		s.Take(now, []uint32{id})
		if id == 1 {
			said = append(said, now)
		}
		now = now.Add(2900 * time.Millisecond)
		if all := 0; i%100 == 0 {
			for _, id := range s.Sources() {
				all += len(s.Spans(id))
			}
			if all > 4096 {
				t.Fatalf("%d spans", all)
			}
		}
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
	for _, at := range silent {
		if covers(s.Spans(1), at) {
			t.Fatalf("told to have spoken at %v", at)
		}
	}
	ages := roster.NewSpeaking()
	for i := range 5000 {
		ages.Take(at(0).AddDate(2*i, 0, 0), []uint32{7})
		ages.End(at(1).AddDate(2*i, 0, 0))
	}
	if n := len(ages.Spans(7)); n != 4096 || ages.Omitted() != 5000-4096 {
		t.Errorf("%d spans, %d omitted", n, ages.Omitted())
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
	s.Take(at(0), []uint32{7, 8, 9})
	h.Take(at(4), delta(0, recorder.Participant{ID: "c", Streams: audio(9)}))
	h.Take(at(5), delta(1, recorder.Participant{ID: "a", Streams: audio(7)}))
	h.Take(at(10), delta(2, recorder.Participant{ID: "b", Streams: audio(7)}))
	h.Take(at(20), delta(3, recorder.Participant{ID: "b", Removed: true}, recorder.Participant{ID: "a", Removed: true}))
	s.Take(at(21), []uint32{8}) // a moment after they have left
	s.Take(at(30), []uint32{7, 8})
	s.End(at(40))
	h.Take(at(50), delta(4, recorder.Participant{ID: "d", Streams: audio(7)}))
	people, unnamed := h.Spoke(s)
	span := func(from, to int) []roster.Span { return []roster.Span{{From: at(from), To: at(to)}} }
	if diff := cmp.Diff(map[string][]roster.Span{"a": span(0, 10), "b": span(10, 21), "c": span(0, 21)}, people); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if diff := cmp.Diff(map[uint32][]roster.Span{7: span(30, 40), 8: span(0, 40)}, unnamed); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
