package speech

import "fmt"

// Frame is how many samples a frame of audio holds: 20 ms.
const Frame = SampleRate / 50

// together is after how many turns all speak at once.
const together = 5

// A Part is what one person says in a conversation, and when.
type Part struct {
	// Samples are as long as the conversation, zero where the person is silent.
	Samples []int16
	// Turns are when the person speaks, in whole frames. No sample outside of them
	// is other than zero.
	Turns []Turn
}

// A Turn is frames of 20 ms, the end exclusive.
type Turn struct{ From, To int }

// Conversation returns the parts of n people in a conversation that can be looped.
// They take turns, each coming in a little before the other has finished; now and then
// all speak at once, and then nobody does. Voices repeat from the fourth person on,
// though never the same words at the same time.
func Conversation(seconds, n int) ([]Part, error) {
	if seconds < 1 || seconds > 600 || n < 1 || n > 100 {
		return nil, fmt.Errorf("speech: a conversation of %d s and %d people can't be made: 1 to 600 s, 1 to 100 people", seconds, n)
	}
	parts := make([]Part, n)
	phrases := make([][][]int16, n)
	next := make([]int, n) // of the phrases
	for i := range parts {
		var err error
		if phrases[i], err = Phrases(A + Speaker(i%int(C))); err != nil {
			return nil, err
		}
		parts[i].Samples = make([]int16, seconds*SampleRate)
		next[i] = i / int(C)
	}
	frames, at := seconds*SampleRate/Frame, 0
	for turn := 0; at < frames; turn++ {
		end := at
		for i := range parts {
			if i != turn%n && (turn+1)%together != 0 {
				continue
			}
			words := phrases[i][next[i]%len(phrases[i])]
			next[i]++
			end = max(end, parts[i].say(at, words))
		}
		if at = end - overlap/Frame; (turn+1)%together == 0 {
			at = end + hush/Frame
		}
	}
	return parts, nil
}

// say lays words from a frame on, as far as they fit and behind what was said before,
// and returns the frame behind them.
func (p *Part) say(at int, words []int16) (end int) {
	if k := len(p.Turns); k > 0 {
		at = max(at, p.Turns[k-1].To)
	}
	lay(p.Samples, at*Frame, words)
	end = at + (len(words)+Frame-1)/Frame
	if to := min(end, len(p.Samples)/Frame); to > at {
		p.Turns = append(p.Turns, Turn{at, to})
	}
	return end
}
