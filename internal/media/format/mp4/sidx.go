package mp4

import "math"

const (
	// maxRefs is how many fragments the index can name. The room for it is reserved in
	// front of the first fragment, since players look for it there.
	maxRefs     = 2048
	sidxSize    = 8 + 4 + 8 + 16 + 4 // without the references
	refSize     = 12
	indexRoom   = 8 + sidxSize + maxRefs*refSize
	maxRefBytes = math.MaxInt32 // referenced_size has 31 bits
)

// A ref names a fragment.
type ref struct {
	start int64 // ticks, in the file's time
	bytes uint32
}

// An index lists the fragments, all of which begin with a key frame. Where one
// does not, or there are too many, or too long ones, the file has no index and
// players read all of it to find their way: an index that names only some of
// the fragments leads libavformat to skip others.
type index struct {
	refs []ref
	lost bool
}

// add takes a fragment; sync says that it begins with a key frame that stands alone.
func (x *index) add(start, bytes int64, sync bool) {
	n := len(x.refs)
	if !sync || n == maxRefs || bytes > maxRefBytes || n > 0 && start-x.refs[n-1].start > maxDuration {
		x.refs, x.lost = nil, true
	}
	if !x.lost {
		x.refs = append(x.refs, ref{start, uint32(bytes)}) //nolint:gosec // at most maxRefBytes
	}
}

// valid reports whether there is an index for a file that ends at a tick.
func (x *index) valid(end int64) bool {
	return !x.lost && end-x.refs[len(x.refs)-1].start <= maxDuration
}

// append appends the index (ISO/IEC 14496-12 §8.16.3), which ends where the first
// fragment begins.
func (x *index) append(b []byte, end int64) []byte {
	return full(b, "sidx", 1, 0, func(b []byte) []byte {
		b = u32(b, trackID, Timescale)
		b = u64(b, uint64(x.refs[0].start), 0) //nolint:gosec // never negative
		b = u32(b, uint32(len(x.refs)))        //nolint:gosec // at most maxRefs
		for i, r := range x.refs {
			until := end
			if i+1 < len(x.refs) {
				until = x.refs[i+1].start
			}
			const startsWithSAP = 1<<31 | 1<<28                       // of type 1
			b = u32(b, r.bytes, uint32(until-r.start), startsWithSAP) //nolint:gosec // at most maxDuration
		}
		return b
	})
}
