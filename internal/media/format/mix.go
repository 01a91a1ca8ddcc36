package format

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// MaxMixTracks is how many tracks a [Mixer] takes: the sum of so many samples of
// 16 bits is a number of 32.
const MaxMixTracks = 1 << 16

// mixChunk is how many samples a Mixer hands out at a time, at most.
const mixChunk = 4096

// Errors of a Mixer; the samples they are about are not in the mix.
var (
	// ErrMixOrder: a track gave samples of a time that it had already given or
	// passed, or one that was flushed.
	ErrMixOrder = errors.New("samples of the past")
	// ErrMixAhead: samples too far ahead of the last flush.
	ErrMixAhead = errors.New("samples beyond the window")
)

// A Mixer sums tracks of 16 kHz, 16 bit, one channel, sample by sample. Tracks may
// begin late and have gaps: where one gives nothing it is silent. It holds the sums
// of a window of time and no more. It is not safe for concurrent use.
type Mixer struct {
	out func(pcm []byte) error
	// sums is a ring: that of sample t is at t modulo its length. Those that
	// nothing was added to are 0.
	sums    []int32
	from    int64   // first sample that was not flushed
	ends    []int64 // of each track: its first sample that was not given
	chunk   []byte
	clipped int64
	err     error // of out
}

// NewMixer mixes so many tracks to out, which is given s16le and must not keep it;
// [FLACWriter.PCM] is one. window is how far, in samples, a track may be ahead of
// the last flush.
func NewMixer(out func(pcm []byte) error, tracks, window int) (*Mixer, error) {
	if tracks < 0 || tracks > MaxMixTracks || window < 1 {
		return nil, fmt.Errorf("mixing %d tracks (at most %d) in a window of %d samples", tracks, MaxMixTracks, window)
	}
	return &Mixer{
		out: out, sums: make([]int32, window), ends: make([]int64, tracks), chunk: make([]byte, 2*mixChunk),
	}, nil
}

// Add adds samples of a track, s16le, the first of them at sample at of the mix.
// Each track gives its samples in order and each time once, else it is
// [ErrMixOrder]; [ErrMixAhead] asks for a Flush first. After an error nothing was
// added.
func (m *Mixer) Add(track int, at int64, pcm []byte) error {
	n := int64(len(pcm) / 2)
	switch {
	case m.err != nil:
		return m.err
	case track < 0 || track >= len(m.ends):
		return fmt.Errorf("mixing: track %d of %d", track, len(m.ends))
	case len(pcm)%2 != 0:
		return fmt.Errorf("mixing track %d: %d bytes are no whole number of samples", track, len(pcm))
	case at < max(m.from, m.ends[track]):
		return fmt.Errorf("mixing track %d: %w: sample %d, expected %d or later", track, ErrMixOrder, at, max(m.from, m.ends[track]))
	case at-m.from > int64(len(m.sums))-n:
		return fmt.Errorf("mixing track %d: %w: %d samples at %d, flushed up to %d", track, ErrMixAhead, n, at, m.from)
	}
	m.ends[track] = at + n
	for len(pcm) > 0 {
		sums := m.ring(at, len(pcm)/2)
		for i := range sums {
			sums[i] += int32(int16(binary.LittleEndian.Uint16(pcm[2*i:]))) //nolint:gosec // s16le
		}
		pcm = pcm[2*len(sums):]
		at += int64(len(sums))
	}
	return nil
}

// ring returns the sums from sample at, n of them or those up to the ring's end.
func (m *Mixer) ring(at int64, n int) []int32 {
	i := int(at % int64(len(m.sums)))
	return m.sums[i:min(i+n, len(m.sums))]
}

// Flush hands out the mix up to and without sample until, in order and without a
// gap. What was not added by now is silence for good. An error of out is returned
// by all later calls, too.
func (m *Mixer) Flush(until int64) error {
	for m.err == nil && m.from < until {
		sums := m.ring(m.from, int(min(until-m.from, mixChunk)))
		for i, sum := range sums {
			v := max(min(sum, math.MaxInt16), math.MinInt16)
			if v != sum {
				m.clipped++
			}
			binary.LittleEndian.PutUint16(m.chunk[2*i:], uint16(v)) //nolint:gosec // its low half
		}
		clear(sums)
		m.from += int64(len(sums))
		if err := m.out(m.chunk[:2*len(sums)]); err != nil {
			m.err = fmt.Errorf("writing the mix: %w", err)
		}
	}
	return m.err
}

// Samples returns how many samples were flushed.
func (m *Mixer) Samples() int64 { return m.from }

// Clipped returns how many of them were too loud for 16 bits, so that the nearest
// that there is stands for them.
func (m *Mixer) Clipped() int64 { return m.clipped }
