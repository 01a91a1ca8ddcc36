package mp4

import "encoding/binary"

// box appends a box (ISO/IEC 14496-12 §4.2): its size, its type and what fill
// appends to it.
func box(b []byte, kind string, fill func(b []byte) []byte) []byte {
	at := len(b)
	b = fill(append(append(b, 0, 0, 0, 0), kind...))
	binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at)) //nolint:gosec // headers are far below 4 GiB
	return b
}

// full appends a box with version and flags.
func full(b []byte, kind string, version byte, flags uint32, fill func(b []byte) []byte) []byte {
	return box(b, kind, func(b []byte) []byte { return fill(u32(b, uint32(version)<<24|flags)) })
}

func u16(b []byte, v ...uint16) []byte {
	for _, v := range v {
		b = binary.BigEndian.AppendUint16(b, v)
	}
	return b
}

func u32(b []byte, v ...uint32) []byte {
	for _, v := range v {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return b
}

func u64(b []byte, v ...uint64) []byte {
	for _, v := range v {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	return b
}
