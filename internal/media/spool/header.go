package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/recorderbot/recorderbot/internal/media/durable"
)

// The layout of a commit's header; see the package comment.
const (
	magic       = 0x50534252 // "RBSP"
	version     = 2
	headerBytes = 64
	blockBytes  = durable.BlockSize
)

// errNoCommit is returned where the bytes are not a commit's header.
var errNoCommit = errors.New("spool: no commit")

// header is a commit's header.
type header struct {
	log    uint64
	gen    uint64
	number uint64
	at     int64  // ns since 1970
	length uint32 // bytes of records
	blocks uint32 // of the whole commit
	body   uint32 // CRC-32C of what follows the header
	// reserved is how many bytes the segment had before anything was written there,
	// the same in all its commits: a file that is shorter was cut.
	reserved uint32
}

// size is the length of the whole commit in bytes.
func (h header) size() int64 { return int64(h.blocks) * blockBytes }

// seal completes a commit of h.blocks in b, whose records begin behind the
// header: length bytes of them. It returns the whole commit, padded.
func (h header) seal(b []byte, length int) []byte {
	h.length = u32(length)
	b = b[:h.size()]
	clear(b[headerBytes+length:])
	h.body = checksum(b[headerBytes:])
	h.put(b)
	return b
}

func (h header) put(b []byte) {
	le := binary.LittleEndian
	clear(b[:headerBytes])
	le.PutUint32(b, magic)
	le.PutUint16(b[4:], version)
	le.PutUint64(b[8:], h.log)
	le.PutUint64(b[16:], h.gen)
	le.PutUint64(b[24:], h.number)
	le.PutUint64(b[32:], bits(h.at))
	le.PutUint32(b[40:], h.length)
	le.PutUint32(b[44:], h.blocks)
	le.PutUint32(b[52:], h.body)
	le.PutUint32(b[56:], h.reserved)
	le.PutUint32(b[60:], checksum(b[:60]))
}

// parseHeader reads a header. errNoCommit: it is none. ErrVersion: it is one, of
// a version that must not be taken for a torn commit; of it, log and gen count.
func parseHeader(b []byte) (header, error) {
	le := binary.LittleEndian
	if len(b) < headerBytes || le.Uint32(b) != magic || le.Uint32(b[60:]) != checksum(b[:60]) {
		return header{}, errNoCommit
	}
	h := header{
		log: le.Uint64(b[8:]), gen: le.Uint64(b[16:]), number: le.Uint64(b[24:]), at: signed(le.Uint64(b[32:])),
		length: le.Uint32(b[40:]), blocks: le.Uint32(b[44:]), body: le.Uint32(b[52:]),
		reserved: le.Uint32(b[56:]),
	}
	if v, flags, key := le.Uint16(b[4:]), le.Uint16(b[6:]), le.Uint32(b[48:]); v != version || flags != 0 || key != 0 {
		return h, fmt.Errorf("%w: version %d, flags %#x, key %d", ErrVersion, v, flags, key)
	}
	need := (int64(h.length) + headerBytes + blockBytes - 1) / blockBytes
	if h.gen == 0 || h.number == 0 || int64(h.blocks) != need || h.size() > int64(h.reserved) || h.reserved > maxSegmentSize {
		return header{}, errNoCommit
	}
	return h, nil
}

// checksum is CRC-32C.
func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// bits and signed keep the bits of a time as they are.
func bits(v int64) uint64 { return uint64(v) } //nolint:gosec // G115: the bits are what counts

func signed(v uint64) int64 { return int64(v) } //nolint:gosec // G115: the bits are what counts

// u32 narrows an offset or a length in a segment, which is at most 2 GiB.
func u32[T int | int64](v T) uint32 { return uint32(v) }
