package mp4

import "time"

// Timescale is the units of time a second: ticks of 100 ns, as the platform
// counts them. A sample of 16 kHz audio is 625 of them.
const Timescale = 10_000_000

const trackID = 1

// A header is what the first boxes of a file say.
type header struct {
	kind       string // of the sample entry: avc1 or avc3
	sps        SPS    // of the first key frame
	spss, ppss [][]byte
	title      string
	created    time.Time
	patchable  bool // leave room for the length
}

// appendHeader appends ftyp and moov, and returns where in b the sample entry's
// type and the room for mehd are; mehd is -1 without [header.patchable].
func appendHeader(b []byte, h header) (out []byte, entryAt, mehdAt int) {
	mehdAt = -1
	b = box(b, "ftyp", func(b []byte) []byte {
		b = append(b, "iso6"...) // ISO/IEC 14496-12 §E.8: default-base-is-moof
		b = u32(b, 1)
		return append(b, "iso6mp41"...)
	})
	b = box(b, "moov", func(b []byte) []byte {
		b = h.mvhd(b)
		b = box(b, "trak", func(b []byte) []byte {
			b = h.tkhd(b)
			return box(b, "mdia", func(b []byte) []byte {
				b, entryAt = h.mdia(b)
				return b
			})
		})
		b = box(b, "mvex", func(b []byte) []byte {
			if h.patchable {
				mehdAt = len(b)
				b = box(b, "free", func(b []byte) []byte { return append(b, make([]byte, mehdSize-8)...) })
			}
			return full(b, "trex", 0, 0, func(b []byte) []byte {
				return u32(b, trackID, 1, 0, 0, flagsOther) // description 1; duration and size are told per sample
			})
		})
		if h.title != "" {
			b = h.udta(b)
		}
		return b
	})
	return b, entryAt, mehdAt
}

// mehdSize is the size of an mehd of version 1, in bytes.
const mehdSize = 8 + 4 + 8

// appendMehd appends the box that tells the whole length (§8.8.2), in ticks.
func appendMehd(b []byte, length int64) []byte {
	return full(b, "mehd", 1, 0, func(b []byte) []byte {
		return u64(b, uint64(length)) //nolint:gosec // never negative
	})
}

// from1904to1970 are the seconds between the epoch of boxes and Unix's.
const from1904to1970 = 2_082_844_800

// since1904 is a time as boxes tell it, 0 where there is none.
func since1904(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(max(0, t.Unix()+from1904to1970))
}

// unity is the matrix that leaves a picture as it is (§6.2.2).
func unity(b []byte) []byte { return u32(b, 1<<16, 0, 0, 0, 1<<16, 0, 0, 0, 1<<30) }

func (h *header) mvhd(b []byte) []byte {
	return full(b, "mvhd", 1, 0, func(b []byte) []byte {
		t := since1904(h.created)
		b = u64(b, t, t)
		b = u32(b, Timescale)
		b = u64(b, 0)                  // fragments tell how long it is, and mehd
		b = u32(b, 1<<16, 1<<24, 0, 0) // rate and volume 1
		b = unity(b)
		b = u32(b, 0, 0, 0, 0, 0, 0)
		return u32(b, trackID+1)
	})
}

func (h *header) tkhd(b []byte) []byte {
	const enabledInMovie = 3
	return full(b, "tkhd", 1, enabledInMovie, func(b []byte) []byte {
		t := since1904(h.created)
		b = u64(b, t, t)
		b = u32(b, trackID, 0)
		b = u64(b, 0)       // the same as in mvhd
		b = u32(b, 0, 0, 0) // reserved; layer, group; no volume
		b = u32(b, 0)
		b = unity(b)
		return u32(b, uint32(h.sps.Width)<<16, uint32(h.sps.Height)<<16) //nolint:gosec // at most maxSide
	})
}

func (h *header) mdia(b []byte) (out []byte, entryAt int) {
	b = full(b, "mdhd", 1, 0, func(b []byte) []byte {
		t := since1904(h.created)
		b = u64(b, t, t)
		b = u32(b, Timescale)
		b = u64(b, 0)
		return u16(b, 0x55c4, 0) // language "und"
	})
	b = full(b, "hdlr", 0, 0, func(b []byte) []byte {
		b = append(u32(b, 0), "vide"...)
		return append(append(u32(b, 0, 0, 0), "recorderbot"...), 0)
	})
	b = box(b, "minf", func(b []byte) []byte {
		b = full(b, "vmhd", 0, 1, func(b []byte) []byte { return u16(b, 0, 0, 0, 0) })
		b = box(b, "dinf", func(b []byte) []byte {
			return full(b, "dref", 0, 0, func(b []byte) []byte {
				b = u32(b, 1)
				return full(b, "url ", 0, 1, func(b []byte) []byte { return b }) // in this file
			})
		})
		return box(b, "stbl", func(b []byte) []byte {
			b = full(b, "stsd", 0, 0, func(b []byte) []byte {
				b = u32(b, 1)
				entryAt = len(b) + 4
				return h.entry(b)
			})
			// No samples here: they are all in fragments.
			for _, kind := range []string{"stts", "stsc", "stco"} {
				b = full(b, kind, 0, 0, func(b []byte) []byte { return u32(b, 0) })
			}
			return full(b, "stsz", 0, 0, func(b []byte) []byte { return u32(b, 0, 0) })
		})
	})
	return b, entryAt
}

// entry appends the sample entry (§12.1.3, ISO/IEC 14496-15 §5.4.2).
func (h *header) entry(b []byte) []byte {
	return box(b, h.kind, func(b []byte) []byte {
		b = append(b, 0, 0, 0, 0, 0, 0, 0, 1) // data reference 1
		b = append(b, make([]byte, 16)...)
		b = u16(b, uint16(h.sps.Width), uint16(h.sps.Height)) //nolint:gosec // at most maxSide
		b = u32(b, 72<<16, 72<<16, 0)                         // 72 dpi
		b = u16(b, 1)                                         // one frame a sample
		b = append(b, make([]byte, 32)...)                    // compressor name
		b = u16(b, 0x18, 0xffff)                              // depth; no colour table
		return box(b, "avcC", func(b []byte) []byte {
			b = append(b, 1, h.sps.Profile, h.sps.Compatibility, h.sps.Level, 0xff) // lengths of 4 bytes
			b = append(b, 0xe0|byte(len(h.spss)))                                   //nolint:gosec // at most 31
			for _, s := range h.spss {
				b = append(u16(b, uint16(len(s))), s...) //nolint:gosec // at most maxSet
			}
			b = append(b, byte(len(h.ppss))) //nolint:gosec // at most 255
			for _, s := range h.ppss {
				b = append(u16(b, uint16(len(s))), s...) //nolint:gosec // at most maxSet
			}
			if h.sps.high() {
				b = append(b, 0xfc|h.sps.Chroma, 0xf8|(h.sps.LumaBits-8), 0xf8|(h.sps.ChromaBits-8), 0)
			}
			return b
		})
	})
}

// udta appends the title where players look for it: in the list that iTunes made
// the custom (QuickTime File Format, "Metadata").
func (h *header) udta(b []byte) []byte {
	return box(b, "udta", func(b []byte) []byte {
		return full(b, "meta", 0, 0, func(b []byte) []byte {
			b = full(b, "hdlr", 0, 0, func(b []byte) []byte {
				b = append(u32(b, 0), "mdirappl"...)
				return append(u32(b, 0, 0), 0)
			})
			return box(b, "ilst", func(b []byte) []byte {
				return box(b, "\xa9nam", func(b []byte) []byte {
					return box(b, "data", func(b []byte) []byte {
						const utf8 = 1
						return append(u32(b, utf8, 0), h.title...)
					})
				})
			})
		})
	})
}
