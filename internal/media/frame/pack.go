package frame

import (
	"encoding/binary"
	"fmt"
)

// Limits of a packed message (mediahost.proto, Frames).
const (
	HeaderBytes = 48                  // bytes of a packed frame's header
	MaxMessage  = 64 << 10            // bytes of a message with more than one frame
	MaxPayload  = 4<<20 - HeaderBytes // bytes of the payload of a frame that has a message to itself
)

// A PackError says where in a packed message the contract was broken, and how.
type PackError struct {
	Offset int    // bytes from the beginning of the message to the frame at fault
	Handle uint32 // of the frame at fault; 0 where its header could not be read
	Fault  string // what is wrong, for people; without content
}

// Error implements error.
func (e *PackError) Error() string {
	return fmt.Sprintf("packed frame at byte %d (handle %d): %s", e.Offset, e.Handle, e.Fault)
}

// Unpack yields the frames of one packed message in order. The payloads are
// slices of packed.
//
// The message is checked before the first frame is yielded: after a *PackError
// nothing was yielded. An error of yield ends the walk and is returned as it is.
func Unpack(packed []byte, yield func(handle uint32, f Frame) error) error {
	for off := 0; off < len(packed); {
		n, err := check(packed, off)
		if err != nil {
			return err
		}
		off += n
	}
	for off := 0; off < len(packed); {
		b := packed[off:]
		end := HeaderBytes + int(binary.LittleEndian.Uint32(b))
		f := Frame{Header: header(b), Payload: b[HeaderBytes:end:end]}
		if err := yield(binary.LittleEndian.Uint32(b[4:]), f); err != nil {
			return err
		}
		off += end
	}
	return nil
}

// AppendPacked appends a frame as a message carries it. It packs what it is
// given, faults included: a simulator must be able to be wrong.
func AppendPacked(dst []byte, handle uint32, f Frame) []byte {
	le := binary.LittleEndian
	dst = le.AppendUint32(dst, uint32(len(f.Payload))) //nolint:gosec // G115: a payload of 4 GiB cannot be built from one message
	dst = le.AppendUint32(dst, handle)
	dst = le.AppendUint64(dst, f.Seq)
	dst = le.AppendUint64(dst, uint64(f.MediaTime))  //nolint:gosec // G115: the bits are what counts
	dst = le.AppendUint64(dst, uint64(f.SenderTime)) //nolint:gosec // G115: the bits are what counts
	dst = le.AppendUint32(dst, f.Source)
	dst = append(dst, byte(f.Kind), byte(f.Flags), f.Socket, 0)
	dst = le.AppendUint16(dst, f.Width)
	dst = le.AppendUint16(dst, f.Height)
	dst = le.AppendUint32(dst, 0)
	return append(dst, f.Payload...)
}

// header reads a header that check has passed.
func header(b []byte) Header {
	le := binary.LittleEndian
	return Header{
		Seq:        le.Uint64(b[8:]),
		MediaTime:  int64(le.Uint64(b[16:])), //nolint:gosec // G115: the bits are what counts
		SenderTime: int64(le.Uint64(b[24:])), //nolint:gosec // G115: the bits are what counts
		Source:     le.Uint32(b[32:]),
		Kind:       Kind(b[36]),
		Flags:      Flags(b[37]),
		Socket:     b[38],
		Width:      le.Uint16(b[40:]),
		Height:     le.Uint16(b[42:]),
	}
}

// check says how long the packed frame at off is, or what is wrong with it.
func check(packed []byte, off int) (int, error) {
	b := packed[off:]
	if len(b) < HeaderBytes {
		return 0, &PackError{Offset: off, Fault: fmt.Sprintf("%d bytes left, a header has %d", len(b), HeaderBytes)}
	}
	n := binary.LittleEndian.Uint32(b)
	h := header(b)
	if fault := faultOf(h, n, b); fault != "" {
		return 0, &PackError{Offset: off, Handle: binary.LittleEndian.Uint32(b[4:]), Fault: fault}
	}
	end := HeaderBytes + int(n)
	if len(packed) > MaxMessage && (off != 0 || end != len(packed)) {
		return 0, &PackError{Offset: off, Handle: binary.LittleEndian.Uint32(b[4:]), Fault: fmt.Sprintf(
			"one of several frames in a message of %d bytes; only a single frame may exceed %d", len(packed), MaxMessage)}
	}
	return end, nil
}

// faultOf names what is wrong with a header and its payload's length n; b is
// the message from the header on.
func faultOf(h Header, n uint32, b []byte) string {
	switch {
	case n > MaxPayload:
		return fmt.Sprintf("payload of %d bytes, at most %d are allowed", n, MaxPayload)
	case int(n) > len(b)-HeaderBytes:
		return fmt.Sprintf("payload of %d bytes, %d left", n, len(b)-HeaderBytes)
	case h.Seq == 0:
		return "sequence number 0"
	case !h.Kind.Valid():
		return fmt.Sprintf("unknown kind %d", h.Kind)
	case h.Flags&^allFlags != 0:
		return fmt.Sprintf("unknown flags %#x", uint8(h.Flags&^allFlags))
	case b[39] != 0 || binary.LittleEndian.Uint32(b[44:]) != 0:
		return "reserved bytes are not zero"
	case h.Kind.Audio():
		return audioFault(h, n)
	case n == 0:
		return fmt.Sprintf("%v without payload", h.Kind)
	case h.Flags&Silence != 0:
		return fmt.Sprintf("%v flagged as silence", h.Kind)
	}
	return ""
}

func audioFault(h Header, n uint32) string {
	switch {
	case n != AudioBytes:
		return fmt.Sprintf("%v of %d bytes, must be %d", h.Kind, n, AudioBytes)
	case h.Kind == MixedAudio && h.Source != 0:
		return fmt.Sprintf("mixed audio with source ID %d", h.Source)
	case h.Flags&KeyFrame != 0:
		return fmt.Sprintf("%v flagged as key frame", h.Kind)
	case h.Socket != 0 || h.Width != 0 || h.Height != 0:
		return fmt.Sprintf("%v with socket, width or height", h.Kind)
	}
	return ""
}
