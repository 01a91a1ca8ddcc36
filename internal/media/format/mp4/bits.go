package mp4

import "errors"

// errBits is returned where a parameter set or slice header ends too early or
// holds a number that H.264 does not allow.
var errBits = errors.New("ends within a value, or a value is out of range")

// bits reads the payload of a NAL unit bit by bit and leaves out the emulation
// prevention bytes (H.264 §7.4.1: 00 00 03 stands for 00 00). Its first fault
// sticks: what is read after it is 0, so a parser asks once, at its end.
type bits struct {
	b     []byte // what follows the current byte
	cur   byte   // the current byte
	left  uint   // bits of cur that are unread
	zeros int    // zero bytes in a row before the next one
	err   error
}

// bit reads one bit.
func (r *bits) bit() uint32 {
	if r.left == 0 {
		if r.zeros >= 2 && len(r.b) > 0 && r.b[0] == 3 {
			r.b, r.zeros = r.b[1:], 0
		}
		if len(r.b) == 0 {
			r.err = errBits
			return 0
		}
		r.cur, r.b, r.left = r.b[0], r.b[1:], 8
		if r.zeros++; r.cur != 0 {
			r.zeros = 0
		}
	}
	r.left--
	return uint32(r.cur>>r.left) & 1
}

// flag reads u(1).
func (r *bits) flag() bool { return r.bit() == 1 }

// u reads u(n), n ≤ 32.
func (r *bits) u(n int) uint32 {
	var v uint32
	for range n {
		v = v<<1 | r.bit()
	}
	return v
}

// ue reads ue(v) (§9.1), at most limit.
func (r *bits) ue(limit uint32) uint32 {
	zeros := 0
	for r.bit() == 0 {
		if zeros++; zeros > 31 || r.err != nil {
			r.err = errBits
			return 0
		}
	}
	v := uint32(1)<<zeros - 1 + r.u(zeros)
	if v > limit || r.err != nil {
		r.err = errBits
		return 0
	}
	return v
}

// se reads se(v) (§9.1.1), of at most limit in either direction.
func (r *bits) se(limit uint32) int32 {
	k := r.ue(2 * limit)
	if k%2 == 1 {
		return int32(k/2) + 1 //nolint:gosec // limits are far below 1<<31
	}
	return -int32(k / 2) //nolint:gosec // see above
}
