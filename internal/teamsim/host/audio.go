package host

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"

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
)

// Audio is what a session hears: samples by position, endless, as the PCM
// repeats. It is immutable and safe for concurrent use.
type Audio struct {
	le     []byte // s16le
	offset int64  // sample that position 0 stands for
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

// From returns the same audio, begun at another sample. It shares the PCM.
func (a *Audio) From(sample int64) *Audio {
	return &Audio{le: a.le, offset: a.index(sample)}
}

// index returns where in the PCM, in samples, position lies.
func (a *Audio) index(position int64) int64 {
	n := int64(len(a.le) / 2)
	return ((a.offset+position)%n + n) % n
}

// Samples fills dst with the samples from position on.
func (a *Audio) Samples(position int64, dst []int16) {
	at := int(a.index(position)) * 2
	for i := range dst {
		dst[i] = int16(binary.LittleEndian.Uint16(a.le[at:])) //nolint:gosec // two's complement
		if at += 2; at == len(a.le) {
			at = 0
		}
	}
}

// appendBytes appends n bytes of s16le from position on, and tells whether they
// are all zero.
func (a *Audio) appendBytes(dst []byte, position int64, n int) (out []byte, silent bool) {
	at, start := int(a.index(position))*2, len(dst)
	for n > 0 {
		part := a.le[at:min(len(a.le), at+n)]
		dst = append(dst, part...)
		n -= len(part)
		at = 0
	}
	for _, b := range dst[start:] {
		if b != 0 {
			return dst, false
		}
	}
	return dst, true
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
