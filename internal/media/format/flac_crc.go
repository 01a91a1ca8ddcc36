package format

import "encoding/binary"

// crc8 is the checksum of a frame's header (RFC 9639 §9.1.8), which is short.
func crc8(b []byte) (c uint8) {
	for _, v := range b {
		c ^= v
		for range 8 {
			c = c<<1 ^ c>>7*0x07
		}
	}
	return c
}

// crc16 computes the checksum of frames (RFC 9639 §9.3), eight bytes at a time:
// table i is that of a byte with i zero bytes behind.
type crc16 [8][256]uint16

func (t *crc16) init() {
	for v := range 256 {
		c := uint16(v) << 8
		for range 8 {
			c = c<<1 ^ c>>15*0x8005
		}
		t[0][v] = c
	}
	for i := range 7 {
		for v, c := range t[i] {
			t[i+1][v] = c<<8 ^ t[0][c>>8]
		}
	}
}

func (t *crc16) sum(b []byte) (c uint16) {
	for ; len(b) >= 8; b = b[8:] {
		v := binary.BigEndian.Uint64(b) ^ uint64(c)<<48
		c = t[7][v>>56] ^ t[6][v>>48&0xff] ^ t[5][v>>40&0xff] ^ t[4][v>>32&0xff] ^
			t[3][v>>24&0xff] ^ t[2][v>>16&0xff] ^ t[1][v>>8&0xff] ^ t[0][v&0xff]
	}
	for _, v := range b {
		c = c<<8 ^ t[0][byte(c>>8)^v]
	}
	return c
}
