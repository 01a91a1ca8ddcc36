package mp4

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// Types of NAL units (H.264 table 7-1) that the writer tells apart; the others
// pass through as they are.
const (
	nalSlice      = 1 // a slice of a picture that may refer to others; 2 is partition A of one
	nalPartitionB = 3
	nalPartitionC = 4
	nalIDR        = 5 // a slice of a picture that begins anew
	nalSPS        = 7
	nalPPS        = 8
)

// ErrNotAnnexB is returned for bytes that are no NAL units, each after a start
// code (H.264 annex B).
var ErrNotAnnexB = errors.New("no annex B byte stream")

// errUnits is returned for more NAL units than a frame may have.
var errUnits = errors.New("too many NAL units")

// startCode comes before each NAL unit; a zero byte before it belongs to it or
// to the padding after the unit before (H.264 §B.1.1).
//
//nolint:gochecknoglobals // a constant
var startCode = []byte{0, 0, 1}

// nextUnit returns the NAL unit that rest begins with, without the zero bytes
// behind it, and what follows the start code after it. The unit may be empty.
func nextUnit(rest []byte) (unit, after []byte) {
	unit, after, _ = bytes.Cut(rest, startCode)
	for len(unit) > 0 && unit[len(unit)-1] == 0 {
		unit = unit[:len(unit)-1] // a NAL unit ends in a bit that is set (§7.4.1)
	}
	return unit, after
}

// split appends the NAL units of an Annex B byte stream to units; it keeps to at
// most limit of them. They are parts of annexB.
func split(units [][]byte, annexB []byte, limit int) ([][]byte, error) {
	lead, rest := nextUnit(annexB)
	if len(lead) > 0 || rest == nil {
		return units, ErrNotAnnexB // only zero bytes may come before the first start code
	}
	for unit := []byte(nil); len(rest) > 0; {
		if unit, rest = nextUnit(rest); len(unit) == 0 {
			continue
		}
		if len(units) == limit {
			return units, errUnits
		}
		units = append(units, unit)
	}
	if len(units) == 0 {
		return units, ErrNotAnnexB
	}
	return units, nil
}

// Canonical appends the NAL units of an Annex B byte stream to dst, each after a
// start code of four bytes and without the zero bytes that may follow it. What a
// [Reader] yields has this form, so that it can be compared with what was
// written. dst and annexB must not overlap.
func Canonical(dst, annexB []byte) ([]byte, error) {
	lead, rest := nextUnit(annexB)
	if len(lead) > 0 || rest == nil {
		return dst, ErrNotAnnexB
	}
	before := len(dst)
	for unit := []byte(nil); len(rest) > 0; {
		if unit, rest = nextUnit(rest); len(unit) > 0 {
			dst = append(append(dst, 0, 0, 0, 1), unit...)
		}
	}
	if len(dst) == before {
		return dst, ErrNotAnnexB
	}
	return dst, nil
}

// appendSample appends NAL units as a sample holds them, each after its length
// in four bytes (ISO/IEC 14496-15 §5.3.3.1; lengthSizeMinusOne is 3).
func appendSample(dst, unit []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(unit))) //nolint:gosec // at most MaxSample
	return append(dst, unit...)
}

// sampleToAnnexB turns a sample into Annex B in its place: a length and a start
// code are of one size.
func sampleToAnnexB(sample []byte) error {
	for len(sample) > 0 {
		if len(sample) < 4 {
			return errors.New("the length of a NAL unit is cut off")
		}
		n := binary.BigEndian.Uint32(sample)
		if n == 0 || int64(n) > int64(len(sample)-4) {
			return errors.New("a NAL unit is empty or longer than its sample")
		}
		unit := sample[4 : 4+n]
		if unit[n-1] == 0 || bytes.Contains(unit, startCode) {
			return errors.New("a NAL unit holds a start code or ends in zero")
		}
		copy(sample, "\x00\x00\x00\x01")
		sample = sample[4+n:]
	}
	return nil
}
