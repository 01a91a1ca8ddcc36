package mp4

// Sample flags (ISO/IEC 14496-12 §8.8.3.1).
const (
	flagsKey   = 2 << 24       // sample_depends_on: on no other
	flagsOther = 1<<24 | 1<<16 // depends on others; sample_is_non_sync_sample
	flagNoSync = 1 << 16       // sample_is_non_sync_sample alone
	// flagDamaged is a degradation priority of 1. The standard leaves the meaning of
	// these 16 bits to the writer; here they say that what the frame refers to is
	// missing. Players ignore them.
	flagDamaged = 1
)

// A sample is what a fragment tells of a frame.
type sample struct {
	duration uint32 // ticks
	size     uint32 // bytes
	flags    uint32
}

// Flags of tfhd and trun (§8.8.7, §8.8.8).
const (
	defaultBaseIsMoof       = 0x020000
	offsetDurationSizeFlags = 0x000701
)

const (
	moofSize  = 8 + 16 + 8 + 16 + 20 + 20 // without the samples of the trun
	trunEntry = 12
)

// appendMoof appends a fragment's moof and the header of its mdat.
func appendMoof(b []byte, sequence uint32, start int64, samples []sample) []byte {
	size := 0
	b = box(b, "moof", func(b []byte) []byte {
		b = full(b, "mfhd", 0, 0, func(b []byte) []byte { return u32(b, sequence) })
		return box(b, "traf", func(b []byte) []byte {
			b = full(b, "tfhd", 0, defaultBaseIsMoof, func(b []byte) []byte { return u32(b, trackID) })
			b = full(b, "tfdt", 1, 0, func(b []byte) []byte {
				return u64(b, uint64(start)) //nolint:gosec // never negative
			})
			return full(b, "trun", 0, offsetDurationSizeFlags, func(b []byte) []byte {
				n := uint32(len(samples)) //nolint:gosec // at most maxSamples
				b = u32(b, n, moofSize+n*trunEntry+8)
				for _, s := range samples {
					b = u32(b, s.duration, s.size, s.flags)
					size += int(s.size)
				}
				return b
			})
		})
	})
	return append(u32(b, uint32(8+size)), "mdat"...)
}
