package format

import (
	"encoding/binary"
	"math/bits"
)

const (
	// blockSamples is how many samples a frame holds, but the last: 64 ms. Speech
	// changes its sound several times in the 256 ms of flac(1).
	blockSamples = 1024
	// maxFrame is the size of a frame whose samples are stored as they are: header
	// with a number of at most 31 bits (RFC 9639 §9.1), subframe, checksum; and
	// what bitWriter may scribble behind.
	maxFrame = 16 + 1 + 2*blockSamples + 2 + 8
)

// Kinds of subframes (RFC 9639 §9.2.1), with their leading and trailing zero bit.
const (
	constant  = 0x00
	verbatim  = 0x01 << 1
	fixed     = 0x08 << 1 // of order 0; plus the order
	predicted = 0x20 << 1 // plus the order less 1
)

// A frameEncoder turns blocks of samples into frames. It is scratch space, reused:
// it allocates nothing.
type frameEncoder struct {
	// samples are those of a block; maxOrder zeros go before them.
	samples    [maxOrder + blockSamples]int32
	folded     [blockSamples]uint32
	analyser   analyser
	partitions partitions
	crc        crc16
	w          bitWriter
}

func newFrameEncoder() *frameEncoder {
	e := &frameEncoder{w: bitWriter{buf: make([]byte, maxFrame)}}
	e.crc.init()
	return e
}

// frame encodes the first n samples as the frame of the given number, valid until
// the next call.
func (e *frameEncoder) frame(number uint32, n int) []byte {
	e.w.at, e.w.n = 0, 0
	e.header(number, n)
	e.subframe(e.samples[:maxOrder+n])
	e.w.align()
	b := e.w.buf[:e.w.at+2]
	binary.BigEndian.PutUint16(b[e.w.at:], e.crc.sum(b[:e.w.at]))
	return b
}

// header writes the header of a frame (RFC 9639 §9.1).
func (e *frameEncoder) header(number uint32, n int) {
	w := &e.w
	w.put(0xfff8, 16) // sync code; blocks of one size
	if n == blockSamples {
		w.put(10, 4) // 1024 samples
	} else {
		w.put(7, 4) // 16 bits at the end of the header
	}
	w.put(5, 4)      // 16 kHz
	w.put(0, 4)      // one channel
	w.put(4<<1, 4)   // 16 bits a sample
	e.number(number) // of the frame
	if n != blockSamples {
		w.put(uint64(n-1), 16) //nolint:gosec // n is at least 1
	}
	w.put(uint64(crc8(w.buf[:w.at])), 8)
}

// number writes a number of at most 31 bits in the way of UTF-8 (RFC 9639 §9.1.5).
func (e *frameEncoder) number(v uint32) {
	size := uint(bits.Len32(v))
	if size <= 7 {
		e.w.put(uint64(v), 8)
		return
	}
	more := (size - 2) / 5 // bytes that follow, of six bits each
	e.w.put(uint64(0xff&^(1<<(7-more)-1))&0xff|uint64(v>>(6*more)), 8)
	for ; more > 0; more-- {
		e.w.put(uint64(0x80|v>>(6*(more-1))&0x3f), 8)
	}
}

// subframe writes samples in the shortest way it knows.
func (e *frameEncoder) subframe(padded []int32) {
	s := padded[maxOrder:]
	if same(s) {
		e.w.put(constant, 8)
		e.w.put(uint64(uint16(s[0])), 16) //nolint:gosec // the low half is the sample
		return
	}
	p := e.analyser.predictor(s)
	order, size := e.predict(&p, padded)
	if size >= 16*len(s) {
		e.w.put(verbatim, 8)
		for _, v := range s {
			e.w.put(uint64(uint16(v)), 16) //nolint:gosec // the low half is the sample
		}
		return
	}
	if p.order == 0 {
		e.w.put(fixed, 8)
	} else {
		e.w.put(uint64(predicted|(p.order-1)<<1), 8) //nolint:gosec // of at most maxOrder
		for _, v := range s[:p.order] {
			e.w.put(uint64(uint16(v)), 16) //nolint:gosec // the low half is the sample
		}
		e.w.put(precision-1, 4)
		e.w.put(uint64(p.shift), 5)
		for _, c := range p.coef[:p.order] {
			e.w.put(uint64(c)&(1<<precision-1), precision) //nolint:gosec // two's complement
		}
	}
	e.partitions.residuals(&e.w, e.folded[p.order:len(s)], order)
}

// predict computes the residuals and returns the order of their partitions, and
// how many bits the subframe takes at most.
func (e *frameEncoder) predict(p *predictor, padded []int32) (order, size int) {
	n := len(padded) - maxOrder
	top := min(maxPartitionOrder, bits.TrailingZeros(uint(n)))
	for top > 0 && n>>top < minPartition {
		top--
	}
	from := p.order
	for i := range 1 << top {
		to := n >> top * (i + 1)
		e.partitions.levels[top][i] = p.residuals(e.folded[from:to], padded[from:maxOrder+to])
		from = to
	}
	order, size = e.partitions.order(top)
	return order, size + p.order*(16+precision) + 4 + 5 + 2 + 4
}

// same reports whether all samples are the same.
func same(s []int32) bool {
	for _, v := range s[1:] {
		if v != s[0] {
			return false
		}
	}
	return true
}
