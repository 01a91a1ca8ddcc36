package speech

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/mewkiz/flac"
)

// SampleRate of everything here, in samples a second.
const SampleRate = 16000

const (
	overlap = SampleRate / 5      // the next speaker comes in this early
	hush    = SampleRate * 3 / 10 // digital silence after every fourth turn, as a muted meeting has it
	closing = SampleRate * 3 / 2  // the closing words, laid flush with the end
	fade    = SampleRate / 200    // 5 ms, where a turn is cut
	pause   = SampleRate / 5      // a run of digital zeros at least this long parts two turns
)

//go:embed speaker-a.flac
var speakerA []byte

//go:embed speaker-b.flac
var speakerB []byte

//go:embed speaker-c.flac
var speakerC []byte

// A Speaker is one of the voices.
type Speaker uint8

// The speakers. C is a woman's voice, and a machine's.
const (
	A Speaker = iota + 1
	B
	C
)

// Voice returns everything the speaker says, as samples.
func Voice(who Speaker) ([]int16, error) {
	switch who {
	case A:
		return decode("speaker-a.flac", speakerA)
	case B:
		return decode("speaker-b.flac", speakerB)
	case C:
		return decode("speaker-c.flac", speakerC)
	default:
		return nil, fmt.Errorf("speech: there is no speaker %d, only %d to %d", who, A, C)
	}
}

// Phrases returns what the speaker says, parted at the long pauses. None of them
// begins or ends with silence.
func Phrases(who Speaker) ([][]int16, error) {
	voice, err := Voice(who)
	if err != nil {
		return nil, err
	}
	return split(voice), nil
}

// Mix returns a conversation of the speakers A and B, exactly seconds*SampleRate
// samples long. They take turns, each coming in a little before the other has
// finished; after every fourth turn nobody speaks (exact zeros). Longer conversations repeat themselves.
func Mix(seconds float64) ([]int16, error) {
	if seconds <= 0 || seconds > 24*3600 || math.IsNaN(seconds) {
		return nil, fmt.Errorf("speech: a mix of %v s can't be made: ask for more than 0 and at most 86400", seconds)
	}
	var turns [2][][]int16
	for i, who := range []Speaker{A, B} {
		var err error
		if turns[i], err = Phrases(who); err != nil {
			return nil, err
		}
	}
	out := make([]int16, int(math.Round(seconds*SampleRate)))
	at, next := 0, 0
	for turn := 0; at < len(out); turn++ {
		side := turns[turn%2]
		words := side[(turn/2)%len(side)]
		lay(out, at, words)
		next = turn + 1
		if at += len(words) - overlap; turn%4 == 3 {
			at += overlap + hush
		}
	}
	lastWords(out, turns[next%2])
	return out, nil
}

// lastWords lays the end of a turn flush with the end of the conversation:
// without it the cut could fall between two words and hide a missing tail.
func lastWords(out []int16, side [][]int16) {
	words := side[len(side)-1]
	n := min(closing, len(words), (len(out)+1)/2)
	tail := append([]int16(nil), words[len(words)-n:]...)
	for i := range min(fade, n) {
		tail[i] = clip(int(tail[i]) * i / fade)
	}
	// The others fall silent, so that the last words are not drowned.
	for i := len(out) - n; i < len(out); i++ {
		out[i] /= 4
	}
	lay(out, len(out)-n, tail)
}

// lay adds words to out from sample at on. What does not fit is cut.
func lay(out []int16, at int, words []int16) {
	for i, w := range words {
		if at+i >= len(out) {
			return
		}
		out[at+i] = clip(int(out[at+i]) + int(w))
	}
}

func clip(v int) int16 {
	return int16(max(math.MinInt16, min(math.MaxInt16, v)))
}

// split parts a voice at its long pauses.
func split(voice []int16) [][]int16 {
	var turns [][]int16
	start, quiet := -1, 0
	for i, s := range voice {
		if s == 0 {
			quiet++
			if quiet == pause && start >= 0 {
				turns = append(turns, voice[start:i-pause+1])
				start = -1
			}
			continue
		}
		quiet = 0
		if start < 0 {
			start = i
		}
	}
	if start >= 0 {
		turns = append(turns, voice[start:len(voice)-quiet])
	}
	return turns
}

func decode(name string, file []byte) ([]int16, error) {
	stream, err := flac.New(bytes.NewReader(file))
	if err != nil {
		return nil, fmt.Errorf("speech: open %s: %w", name, err)
	}
	info := stream.Info
	if info.SampleRate != SampleRate || info.NChannels != 1 || info.BitsPerSample != 16 {
		return nil, fmt.Errorf("speech: %s has %d Hz, %d channels, %d bits; want %d, 1, 16",
			name, info.SampleRate, info.NChannels, info.BitsPerSample, SampleRate)
	}
	out := make([]int16, 0, info.NSamples)
	for {
		frame, err := stream.ParseNext()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("speech: decode %s: %w", name, err)
		}
		for _, s := range frame.Subframes[0].Samples {
			out = append(out, clip(int(s)))
		}
	}
}
