package speech_test

import (
	"slices"
	"testing"

	"github.com/recorderbot/recorderbot/internal/teamsim/speech"
)

// TestConversation: nothing is said outside of the turns, all are heard alone and at
// once, and nobody is at some time.
func TestConversation(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 3, 6} {
		parts, err := speech.Conversation(60, n)
		if err != nil {
			t.Fatal(err)
		}
		again, err := speech.Conversation(60, n)
		if err != nil || !slices.EqualFunc(parts, again, func(a, b speech.Part) bool {
			return slices.Equal(a.Samples, b.Samples) && slices.Equal(a.Turns, b.Turns)
		}) {
			t.Fatalf("a second conversation of %d differs: %v", n, err)
		}
		atOnce := make([]int, 60*50)
		for i, p := range parts {
			silent := slices.Clone(p.Samples)
			last := 0
			for _, turn := range p.Turns {
				if turn.From < last || turn.To <= turn.From || turn.To > len(atOnce) {
					t.Fatalf("%d people, %d: turn %v behind frame %d", n, i, turn, last)
				}
				last = turn.To
				clear(silent[turn.From*speech.Frame : turn.To*speech.Frame])
				for f := turn.From; f < turn.To; f++ {
					atOnce[f]++
				}
			}
			if slices.ContainsFunc(silent, func(s int16) bool { return s != 0 }) {
				t.Errorf("%d people: %d is heard outside of the turns", n, i)
			}
			if len(p.Turns) < 2 || len(p.Samples) != 60*speech.SampleRate {
				t.Errorf("%d people: %d has %d turns in %d samples", n, i, len(p.Turns), len(p.Samples))
			}
		}
		for _, want := range []int{0, 1, n} {
			if !slices.Contains(atOnce, want) {
				t.Errorf("%d people: never %d at once", n, want)
			}
		}
	}
	for _, bad := range [][2]int{{0, 1}, {1, 0}, {601, 1}, {1, 101}} {
		if _, err := speech.Conversation(bad[0], bad[1]); err == nil {
			t.Errorf("a conversation of %v was made", bad)
		}
	}
}
