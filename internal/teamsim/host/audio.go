package host

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"
	"time"

	"github.com/recorderbot/recorderbot/internal/teamsim/speech"
)

const (
	// FrameSamples is how many samples an audio frame holds: 20 ms.
	FrameSamples = 320
	frameBytes   = 2 * FrameSamples
	// TicksPerFrame is the length of an audio frame in 100 ns ticks.
	TicksPerFrame = 200_000
	// TicksPerSample at 16 kHz.
	TicksPerSample = 625

	frameTime = 20 * time.Millisecond
)

// Audio is what a session hears: samples by position, endless, as the PCM
// repeats; or, mixed, what its speakers say together. It is immutable and safe for
// concurrent use.
type Audio struct {
	le     []byte    // s16le
	offset int64     // sample that position 0 stands for
	parts  []Speaker // where they are what is heard
}

// NewAudio makes endless audio of the PCM (16 kHz, mono). Empty PCM is silence.
func NewAudio(pcm []int16) *Audio {
	if len(pcm) == 0 {
		pcm = make([]int16, FrameSamples)
	}
	le := make([]byte, 0, 2*len(pcm))
	for _, s := range pcm {
		le = binary.LittleEndian.AppendUint16(le, uint16(s)) //nolint:gosec // two's complement is what the wire wants
	}
	return &Audio{le: le}
}

// From returns the same audio, begun at another sample. It shares the PCM. What
// speakers say together begins where it begins.
func (a *Audio) From(sample int64) *Audio {
	return &Audio{le: a.le, offset: a.index(sample), parts: a.parts}
}

// index returns where in the PCM, in samples, position lies.
func (a *Audio) index(position int64) int64 {
	n := max(1, int64(len(a.le)/2)) // none where speakers are heard
	return ((a.offset+position)%n + n) % n
}

// mix is what speakers sound like together, clipped.
func mix(speakers []Speaker) *Audio { return &Audio{parts: speakers} }

// Samples fills dst with the samples from position on.
func (a *Audio) Samples(position int64, dst []int16) {
	if a.le == nil {
		a.mixed(position, dst)
		return
	}
	at := int(a.index(position)) * 2
	for i := range dst {
		dst[i] = int16(binary.LittleEndian.Uint16(a.le[at:])) //nolint:gosec // two's complement
		if at += 2; at == len(a.le) {
			at = 0
		}
	}
}

// mixed fills dst with the sum of the speakers, frame by frame, as they come and go
// with frames.
func (a *Audio) mixed(position int64, dst []int16) {
	var sum [FrameSamples]int32
	var samples [FrameSamples]int16
	for len(dst) > 0 {
		frame := position / FrameSamples
		skip := int(position - frame*FrameSamples)
		n := min(FrameSamples-skip, len(dst))
		sum = [FrameSamples]int32{}
		for _, p := range a.parts {
			if !p.Turns.on(time.Duration(frame) * frameTime) {
				continue
			}
			p.Voice.Samples(frame*FrameSamples, samples[:])
			for i, s := range samples {
				sum[i] += int32(s)
			}
		}
		for i := range n {
			dst[i] = int16(max(math.MinInt16, min(math.MaxInt16, sum[skip+i])))
		}
		dst, position = dst[n:], position+int64(n)
	}
}

// appendBytes appends n bytes of s16le from position on, and tells whether they
// are all zero.
func (a *Audio) appendBytes(dst []byte, position int64, n int) (out []byte, silent bool) {
	start := len(dst)
	if a.le == nil {
		var samples [FrameSamples]int16
		a.mixed(position, samples[:])
		for _, s := range samples[:n/2] {
			dst = binary.LittleEndian.AppendUint16(dst, uint16(s)) //nolint:gosec // two's complement
		}
		n = 0
	}
	for at := a.index(position) * 2; n > 0; at = 0 {
		part := a.le[at:min(int64(len(a.le)), at+int64(n))]
		dst = append(dst, part...)
		n -= len(part)
	}
	for _, b := range dst[start:] {
		if b != 0 {
			return dst, false
		}
	}
	return dst, true
}

// loudness is how loud it is about a position: the sum of the samples of the 200 ms
// that hold it.
func (a *Audio) loudness(position int64) (sum int64) {
	const block = 10 * FrameSamples
	var samples [block]int16
	a.Samples(position-position%block, samples[:])
	for _, s := range samples {
		sum += max(int64(s), -int64(s))
	}
	return sum
}

// defaultAudio gives every session the same conversation, begun elsewhere, so
// that frames stored under the wrong session are noticed.
func defaultAudio(seed int64) (func(session string) *Audio, error) {
	pcm, err := speech.Mix(60)
	if err != nil {
		return nil, fmt.Errorf("default audio: %w", err)
	}
	conversation := NewAudio(pcm)
	return func(session string) *Audio {
		h := fnv.New64a()
		_, _ = h.Write(binary.LittleEndian.AppendUint64([]byte(session), uint64(seed))) //nolint:gosec // bits only
		return conversation.From(int64(h.Sum64() >> 2))
	}, nil
}
