package quality

import "encoding/binary"

// A Meter counts what can be heard in a track of 16 bit samples.
type Meter struct {
	Samples int64 // that were stored
	// Sounding samples are part of a frame that is not digital silence.
	Sounding int64
	// Clipped samples are the largest or smallest that 16 bits have, three or more in a
	// row: of a signal that was too loud.
	Clipped int64
	run     int64 // such samples in a row, up to here
}

// clipRun is how many samples at the limit in a row are clipping, and not a peak.
const clipRun = 3

// Add counts samples, s16le.
func (m *Meter) Add(pcm []byte) {
	n := int64(len(pcm) / 2)
	m.Samples += n
	some, loud := look(pcm)
	if some {
		m.Sounding += n
	}
	if !loud {
		m.run = 0
		return
	}
	for i := 0; i+1 < len(pcm); i += 2 {
		switch binary.LittleEndian.Uint16(pcm[i:]) {
		case 0x7fff, 0x8000:
			if m.run++; m.run == clipRun {
				m.Clipped += clipRun
			} else if m.run > clipRun {
				m.Clipped++
			}
		default:
			m.run = 0
		}
	}
}

// look tells whether any sample is not zero, and whether any may be at the limit: those
// that reach half of it have two highest bits that differ. It looks at sixteen at a
// time.
func look(pcm []byte) (some, loud bool) {
	const highest = 0x8000_8000_8000_8000
	var all, half uint64
	for ; len(pcm) >= 32; pcm = pcm[32:] {
		a, b := binary.LittleEndian.Uint64(pcm), binary.LittleEndian.Uint64(pcm[8:16])
		c, d := binary.LittleEndian.Uint64(pcm[16:24]), binary.LittleEndian.Uint64(pcm[24:32])
		all |= a | b | c | d
		half |= (a ^ a<<1) | (b ^ b<<1) | (c ^ c<<1) | (d ^ d<<1)
	}
	for ; len(pcm) >= 2; pcm = pcm[2:] {
		a := uint64(binary.LittleEndian.Uint16(pcm))
		all |= a
		half |= a ^ a<<1
	}
	return all != 0, half&highest != 0
}

// Silence counts samples that are missing: they end a run, and are none that were stored.
func (m *Meter) Silence(n int64) {
	if n > 0 {
		m.run = 0
	}
}
