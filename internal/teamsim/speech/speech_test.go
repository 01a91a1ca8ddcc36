package speech_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/recorderbot/recorderbot/internal/teamsim/speech"
)

func rms(samples []int16) float64 {
	var sum float64
	for _, s := range samples {
		sum += float64(s) * float64(s)
	}
	return math.Sqrt(sum / float64(len(samples)))
}

func TestVoicesAreSpeechAtOneLevel(t *testing.T) {
	t.Parallel()
	var levels []float64
	for _, who := range []speech.Speaker{speech.A, speech.B, speech.C} {
		voice, err := speech.Voice(who)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(voice); n < 15*speech.SampleRate || n > 30*speech.SampleRate {
			t.Errorf("speaker %d speaks for %d samples", who, n)
		}
		levels = append(levels, rms(voice))
	}
	if lowest, highest := slices.Min(levels), slices.Max(levels); lowest < 1500 || highest/lowest > 1.25 {
		t.Errorf("levels differ or are low: %v", levels)
	}
	if _, err := speech.Voice(4); err == nil {
		t.Error("a fourth speaker was not refused")
	}
}

// TestPhrases: they are the voice without its long pauses, and each speaker has some.
func TestPhrases(t *testing.T) {
	t.Parallel()
	for _, who := range []speech.Speaker{speech.A, speech.B, speech.C} {
		phrases, err := speech.Phrases(who)
		if err != nil {
			t.Fatal(err)
		}
		if len(phrases) < 4 {
			t.Errorf("speaker %d has %d phrases", who, len(phrases))
		}
		for i, p := range phrases {
			if p[0] == 0 || p[len(p)-1] == 0 || len(p) < speech.SampleRate/4 {
				t.Errorf("phrase %d of speaker %d begins or ends with silence, or is short: %d samples", i, who, len(p))
			}
		}
	}
	if _, err := speech.Phrases(9); err == nil {
		t.Error("a ninth speaker was not refused")
	}
}

func TestMixStartsAndEndsWithSpeech(t *testing.T) {
	t.Parallel()
	for _, seconds := range []float64{1, 2.5, 10, 20.02, 61} {
		t.Run(fmt.Sprint(seconds), func(t *testing.T) {
			t.Parallel()
			mix, err := speech.Mix(seconds)
			if err != nil {
				t.Fatal(err)
			}
			if want := int(math.Round(seconds * speech.SampleRate)); len(mix) != want {
				t.Fatalf("got %d samples, want %d", len(mix), want)
			}
			tenth := speech.SampleRate / 10
			if head := rms(mix[:2*tenth]); head < 200 {
				t.Errorf("the first 200 ms are quiet: rms %.0f", head)
			}
			if tail := rms(mix[len(mix)-2*tenth:]); tail < 200 {
				t.Errorf("the last 200 ms are quiet: rms %.0f", tail)
			}
			if last := rms(mix[len(mix)-320:]); last < 20 {
				t.Errorf("the last frame is silence: rms %.0f", last)
			}
			again, err := speech.Mix(seconds)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(mix, again) {
				t.Error("a second mix differs")
			}
		})
	}
}

func TestMixRefusesNonsense(t *testing.T) {
	t.Parallel()
	for _, seconds := range []float64{0, -1, math.NaN(), math.Inf(1), 1e9} {
		if _, err := speech.Mix(seconds); err == nil {
			t.Errorf("Mix(%v) was not refused", seconds)
		}
	}
}

func TestMixHasBothSpeakersAndTheyOverlap(t *testing.T) {
	t.Parallel()
	mix, err := speech.Mix(20)
	if err != nil {
		t.Fatal(err)
	}
	// Each voice's own samples are found unmixed somewhere in the mix.
	for _, who := range []speech.Speaker{speech.A, speech.B} {
		voice, err := speech.Voice(who)
		if err != nil {
			t.Fatal(err)
		}
		if !contains(mix, voice[speech.SampleRate:speech.SampleRate+1600]) {
			t.Errorf("speaker %d is not heard", who)
		}
	}
}

func contains(hay, needle []int16) bool {
	for i := 0; i+len(needle) <= len(hay); i++ {
		if hay[i] == needle[0] && hay[i+len(needle)-1] == needle[len(needle)-1] && slices.Equal(hay[i:i+len(needle)], needle) {
			return true
		}
	}
	return false
}
