package footage

import "math"

const (
	sampleRate = 16_000
	beepHertz  = 1000
	beepLength = sampleRate * 6 / 100 // 60 ms
)

// BeepFrames is for how many frames of 20 ms, from each whole second on, the beep is
// heard, and a little longer.
const BeepFrames = 5

// Beep is a second of audio (16 kHz, mono) that begins with 60 ms of a tone. Its first
// sample is as loud as any, and belongs to the flash of Sync.
func Beep() []int16 {
	pcm := make([]int16, sampleRate)
	for i := range beepLength {
		pcm[i] = int16(12_000 * math.Cos(2*math.Pi*beepHertz*float64(i)/sampleRate))
	}
	return pcm
}
