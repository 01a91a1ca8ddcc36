package format

import (
	"encoding/binary"
	"math"

	"github.com/recorderbot/recorderbot/internal/media/frame"
)

const (
	seekPointSize = 18
	// seekInterval is how far apart points are at first, in samples.
	seekInterval  = 10 * frame.SampleRate
	minSeekPoints = 2
	maxSeekPoints = 4096 // eleven hours at that interval, in 72 KiB
	// unknownLength: as if it were ten minutes. The 61 points take a kilobyte, and
	// are at most 80 seconds apart in an hour.
	unknownLength = 600 * frame.SampleRate
)

// A seekTable tells where to find a time (RFC 9639 §8.5). Its number of points is
// fixed when the file is begun. Once they are used up every other one is dropped
// and the interval doubles, so that they cover the whole file, evenly.
type seekTable struct {
	points   []seekPoint // never more than its capacity
	interval int64
}

// A seekPoint says that the frame whose first sample is sample begins at byte at,
// counted from the first frame, and has n samples.
type seekPoint struct {
	sample, at int64
	n          int
}

// newSeekTable returns one for a file of about so many samples.
func newSeekTable(samples int64) seekTable {
	n := min(max(samples/seekInterval+1, minSeekPoints), maxSeekPoints)
	return seekTable{make([]seekPoint, 0, n), seekInterval}
}

// add tells of a frame. Frames come in order and without a gap, so that the i-th
// point is the first frame at or behind i intervals.
func (t *seekTable) add(p seekPoint) {
	if p.sample >= t.next() && len(t.points) == cap(t.points) {
		kept := t.points[:0]
		for i := 0; i < len(t.points); i += 2 {
			kept = append(kept, t.points[i])
		}
		t.points = kept
		t.interval *= 2
	}
	if p.sample >= t.next() {
		t.points = append(t.points, p)
	}
}

// next is the earliest sample of the next point.
func (t *seekTable) next() int64 { return int64(len(t.points)) * t.interval }

// size of the block's body, in bytes.
func (t *seekTable) size() int { return seekPointSize * cap(t.points) }

// append appends the block's body: the points, then empty ones.
func (t *seekTable) append(b []byte) []byte {
	for _, p := range t.points {
		b = binary.BigEndian.AppendUint64(b, uint64(p.sample)) //nolint:gosec // at most MaxSamples
		b = binary.BigEndian.AppendUint64(b, uint64(p.at))     //nolint:gosec // counts bytes
		b = binary.BigEndian.AppendUint16(b, uint16(p.n))      //nolint:gosec // at most blockSamples
	}
	for range cap(t.points) - len(t.points) {
		b = binary.BigEndian.AppendUint64(b, math.MaxUint64)
		b = append(b, make([]byte, seekPointSize-8)...)
	}
	return b
}
