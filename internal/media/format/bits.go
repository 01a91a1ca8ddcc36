package format

import "encoding/binary"

// A bitWriter appends numbers to a buffer, most significant bit first. The caller
// sees to it that the buffer is large enough: a frame's size is bounded.
type bitWriter struct {
	buf []byte
	at  int    // whole bytes written
	acc uint64 // its low n bits wait
	n   uint   // fewer than 8 between two calls
}

// put appends the low n bits of v, at most 56; the rest of v must be 0.
func (w *bitWriter) put(v uint64, n uint) {
	w.acc = w.acc<<(n&63) | v
	w.n += n
	// Eight bytes are written whatever is due; the next call overwrites the rest.
	putBits(w.buf[w.at:w.at+8], w.acc, w.n)
	w.at += int(w.n >> 3)
	w.n &= 7
}

// align appends zeros to the next whole byte.
func (w *bitWriter) align() {
	if w.n > 0 {
		w.put(0, 8-w.n)
	}
}

// putBits writes the low n bits of acc, n at most 64, and what else fits in eight bytes.
func putBits(b []byte, acc uint64, n uint) {
	binary.BigEndian.PutUint64(b, acc<<((64-n)&63))
}
