package format

import (
	"encoding/binary"
	"fmt"

	"github.com/recorderbot/recorderbot/internal/media/frame"
)

// Types of metadata blocks (RFC 9639 §8.1).
const (
	blockStreamInfo    = 0
	blockSeekTable     = 3
	blockVorbisComment = 4
	lastBlock          = 0x80
)

const (
	blockHeader    = 4
	streamInfoSize = 34
	// streamInfoAt: the STREAMINFO block's body follows the signature and the
	// block's header (RFC 9639 §6); the seek table's is next.
	streamInfoAt = 4 + blockHeader
	seekTableAt  = streamInfoAt + streamInfoSize + blockHeader
	maxBlock     = 1<<24 - 1
)

// A Tag is a Vorbis comment, for example {"ARTIST", "Anna"}.
type Tag struct{ Name, Value string }

// check holds a tag to RFC 9639 §8.6: names are printable ASCII without "=".
func (t Tag) check() error {
	for _, c := range []byte(t.Name) {
		if c < 0x20 || c > 0x7d || c == '=' {
			return fmt.Errorf("flac tag name %q: byte %#x is not allowed", t.Name, c)
		}
	}
	if t.Name == "" || len(t.Name)+len(t.Value) > 64<<10 {
		return fmt.Errorf("flac tag name %q: empty, or name and value of more than 64 KiB", t.Name)
	}
	return nil
}

// appendBlock appends the header of a metadata block (RFC 9639 §8.1).
func appendBlock(b []byte, kind byte, size int) []byte {
	return binary.BigEndian.AppendUint32(b, uint32(kind)<<24|uint32(size)) //nolint:gosec // at most maxBlock
}

// appendTags appends the last metadata block, the Vorbis comment (RFC 9639 §8.6).
func appendTags(b []byte, tags []Tag) ([]byte, error) {
	const vendor = "recorderbot"
	size := 4 + len(vendor) + 4
	for _, t := range tags {
		if err := t.check(); err != nil {
			return nil, err
		}
		if size += 4 + len(t.Name) + 1 + len(t.Value); size > maxBlock {
			return nil, fmt.Errorf("flac tags of more than %d bytes", maxBlock)
		}
	}
	field := func(s string) {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(s))) //nolint:gosec // at most maxBlock
		b = append(b, s...)
	}
	b = appendBlock(b, blockVorbisComment|lastBlock, size)
	field(vendor)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(tags))) //nolint:gosec // each has bytes
	for _, t := range tags {
		field(t.Name + "=" + t.Value)
	}
	return b, nil
}

// streamInfo appends the body of the STREAMINFO block (RFC 9639 §8.2). A short
// last block does not count for the smallest block size.
func (w *FLACWriter) streamInfo(b, sum []byte) []byte {
	const channels, bits = 1, 16
	b = binary.BigEndian.AppendUint16(b, blockSamples)
	b = binary.BigEndian.AppendUint16(b, blockSamples)
	b = append(b, byte(w.smallest>>16), byte(w.smallest>>8), byte(w.smallest))                               //nolint:gosec // 24 bits, bytewise
	b = append(b, byte(w.largest>>16), byte(w.largest>>8), byte(w.largest))                                  //nolint:gosec // 24 bits, bytewise
	b = binary.BigEndian.AppendUint64(b, frame.SampleRate<<44|(channels-1)<<41|(bits-1)<<36|uint64(w.total)) //nolint:gosec // 36 bits
	return append(b, sum...)
}
