package format

import "math/bits"

// Residuals are coded in partitions, each with a Rice parameter of its own (RFC
// 9639 §9.2.7). They are kept folded, see fold.

const (
	// maxPartitionOrder: at most 16 partitions of a block; more cost more to
	// choose than they save.
	maxPartitionOrder = 4
	// minPartition is the fewest samples of a partition. The first one has those
	// that the predictor starts from, too, which must not be all it has.
	minPartition = 2 * maxOrder
	// maxRice is the largest parameter of four bits; riceEscape says that numbers
	// follow as they are.
	maxRice    = 14
	riceEscape = 15
)

// A partition is what must be known of residuals to code them.
type partition struct {
	n    uint64 // how many
	sum  uint64 // of them folded
	ones uint32 // of them folded, or-ed: how wide the widest is
}

// join is the partition of both.
func (p partition) join(q partition) partition {
	return partition{p.n + q.n, p.sum + q.sum, p.ones | q.ones}
}

// rice returns the best parameter and how many bits the residuals take by it at
// most: each a quotient in unary, a stop bit and k bits.
func (p partition) rice() (k uint, size uint64) {
	if p.sum > 2*p.n {
		k = uint(bits.Len64(p.sum)-bits.Len64(p.n)) - 1
		if p.sum > p.n<<(k+1) {
			k++
		}
		k = min(k, maxRice)
	}
	return k, p.n*uint64(k+1) + p.sum>>k
}

// width is how many bits a residual of the partition takes as it is, in two's
// complement.
func (p partition) width() uint { return uint(bits.Len32(p.ones)) }

// code returns the parameter of the shortest code, [riceEscape] for none, and its
// size in bits at most.
func (p partition) code() (k uint, size uint64) {
	k, size = p.rice()
	if plain := 5 + p.n*uint64(p.width()); plain < size && p.width() < 32 {
		return riceEscape, 4 + plain
	}
	return k, 4 + size
}

// partitions holds all ways to halve a block: levels[o] has 1<<o partitions.
type partitions struct {
	levels [maxPartitionOrder + 1][1 << maxPartitionOrder]partition
}

// order returns the best of the partition orders up to top, whose level is given,
// and the size of that in bits at most; it fills in the levels below.
func (p *partitions) order(top int) (best, size int) {
	var least uint64
	for o := top; o >= 0; o-- {
		level := p.levels[o][:1<<o]
		var size uint64
		for i := range level {
			if o < top {
				level[i] = p.levels[o+1][2*i].join(p.levels[o+1][2*i+1])
			}
			_, s := level[i].code()
			size += s
		}
		if o == top || size < least {
			best, least = o, size
		}
	}
	return best, int(least)
}

// residuals appends folded residuals, coded at partition order o.
func (p *partitions) residuals(w *bitWriter, folded []uint32, o int) {
	w.put(0, 2)         // parameters of four bits
	w.put(uint64(o), 4) //nolint:gosec // at most maxPartitionOrder
	for _, part := range p.levels[o][:1<<o] {
		k, _ := part.code()
		w.put(uint64(k), 4)
		if k == riceEscape {
			w.plain(folded[:part.n], part.width())
		} else {
			w.rice(folded[:part.n], k)
		}
		folded = folded[part.n:]
	}
}

// plain appends residuals in two's complement of the given width, which is 0 where
// all are 0.
func (w *bitWriter) plain(folded []uint32, width uint) {
	w.put(uint64(width), 5)
	if width == 0 {
		return
	}
	for _, u := range folded {
		w.put(uint64(unfold(u))&(1<<width-1), width) //nolint:gosec // two's complement
	}
}

// rice appends residuals by parameter k. This loop is where the time goes: it is
// put, inlined by hand, without a branch but for the rare large quotient.
func (w *bitWriter) rice(folded []uint32, k uint) {
	k &= 31
	stop, low := uint64(1)<<k, uint64(1)<<k-1
	acc, n, at, buf := w.acc, w.n, w.at, w.buf
	for _, u := range folded {
		size := uint(u>>k) + 1 + k
		for ; size > 56; size -= 32 {
			acc <<= 32
			n += 32
			putBits(buf[at:at+8], acc, n)
			at += int(n >> 3)
			n &= 7
		}
		acc = acc<<(size&63) | stop | uint64(u)&low
		n += size
		putBits(buf[at:at+8], acc, n)
		at += int(n >> 3)
		n &= 7
	}
	w.acc, w.n, w.at = acc, n, at
}
