package link

import (
	"errors"
	"fmt"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/recorderbot/recorderbot/internal/media/link/mediahostv1"
)

// Field numbers of mediahost.proto that the codec reads and writes by hand.
const (
	fieldFrames  protowire.Number = 1 // FromHost.frames
	fieldPacked  protowire.Number = 1 // Frames.packed
	fieldAcks    protowire.Number = 4 // ToHost.acks
	fieldAck     protowire.Number = 1 // Acks.acks
	fieldHandle  protowire.Number = 1 // Ack.handle
	fieldDurable protowire.Number = 2 // Ack.durable_seq
)

var errWire = errors.New("link: not a message of the contract")

// An inbound message is one FromHost. It is used again and again; packed is only
// valid until the next message. The buffer is ours and not one of gRPC's pool,
// which clears a whole megabyte for every message of 64 KiB.
type inbound struct {
	packed  []byte
	message *mediahostv1.FromHost // nil where the message is Frames and nothing else
	buffer  []byte
}

// usualMessage is what the buffer may keep; a frame of video may need more, once.
const usualMessage = 128 << 10

// fill copies the message into the buffer, in one piece.
func (in *inbound) fill(data mem.BufferSlice) []byte {
	n := data.Len()
	if n > cap(in.buffer) || cap(in.buffer) > usualMessage {
		in.buffer = make([]byte, max(n, usualMessage))
	}
	in.buffer = in.buffer[:n]
	take(in.buffer, data)
	return in.buffer
}

// scrub forgets the message.
func (in *inbound) scrub() { clear(in.buffer) }

// A codec is the protobuf codec of the Link stream. Frames, nearly all that
// comes, is not unmarshalled: a copy of every payload and a message's worth of
// garbage for each message would be most of the link's cost.
type codec struct {
	pool mem.BufferPool // for what is sent; nil: gRPC's own
}

// newCodec returns a codec with a pool for acknowledgements: those of some
// thousand streams take a buffer of gRPC's largest size, a megabyte, which is
// cleared each time.
func newCodec() codec {
	return codec{mem.NewTieredBufferPool(1<<10, 4<<10, 16<<10, 64<<10, 256<<10)}
}

// Name is that of gRPC's own: on the wire there is no difference.
func (codec) Name() string { return "proto" }

// Marshal takes *mediahostv1.ToHost, or a *ackList ready for the wire.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	switch v := v.(type) {
	case *ackList:
		pool := c.pool
		if pool == nil {
			pool = mem.DefaultBufferPool()
		}
		return mem.BufferSlice{mem.Copy(v.wire, pool)}, nil
	case *mediahostv1.ToHost:
		b, err := proto.Marshal(v)
		if err != nil {
			return nil, fmt.Errorf("marshal a message to the media host: %w", err)
		}
		return mem.BufferSlice{mem.SliceBuffer(b)}, nil
	}
	return nil, fmt.Errorf("marshal %T: %w", v, errWire)
}

// Unmarshal fills an *inbound.
func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	in, ok := v.(*inbound)
	if !ok {
		return fmt.Errorf("unmarshal into %T: %w", v, errWire)
	}
	wire := in.fill(data)
	in.packed, in.message = nil, nil
	if packed, ok := onlyFrames(wire); ok {
		in.packed = packed
		return nil
	}
	m := &mediahostv1.FromHost{}
	if err := proto.Unmarshal(wire, m); err != nil {
		return fmt.Errorf("unmarshal a message of the media host: %w", err)
	}
	in.message = m
	return nil
}

// onlyFrames finds packed in a FromHost that holds nothing but Frames with
// nothing but packed. Anything else, also what newer hosts may add, is for the
// protobuf library.
func onlyFrames(b []byte) (packed []byte, ok bool) {
	inner, ok := onlyBytes(b, fieldFrames)
	if !ok {
		return nil, false
	}
	return onlyBytes(inner, fieldPacked)
}

func onlyBytes(b []byte, field protowire.Number) ([]byte, bool) {
	num, typ, n := protowire.ConsumeTag(b)
	if n < 0 || num != field || typ != protowire.BytesType {
		return nil, false
	}
	v, m := protowire.ConsumeBytes(b[n:])
	if m < 0 || n+m != len(b) {
		return nil, false
	}
	return v, true
}

// An ackList builds one ToHost{Acks}. Its memory is used again and again.
type ackList struct {
	body []byte
	wire []byte
}

func (a *ackList) reset() { a.body = a.body[:0] }

func (a *ackList) empty() bool { return len(a.body) == 0 }

func (a *ackList) add(handle uint32, durable uint64) {
	size := protowire.SizeTag(fieldHandle) + protowire.SizeVarint(uint64(handle)) +
		protowire.SizeTag(fieldDurable) + protowire.SizeVarint(durable)
	a.body = protowire.AppendTag(a.body, fieldAck, protowire.BytesType)
	a.body = protowire.AppendVarint(a.body, uint64(size)) //nolint:gosec // G115: a sum of lengths
	a.body = protowire.AppendTag(a.body, fieldHandle, protowire.VarintType)
	a.body = protowire.AppendVarint(a.body, uint64(handle))
	a.body = protowire.AppendTag(a.body, fieldDurable, protowire.VarintType)
	a.body = protowire.AppendVarint(a.body, durable)
}

// seal puts the list into its envelope, ready for Marshal.
func (a *ackList) seal() {
	a.wire = protowire.AppendTag(a.wire[:0], fieldAcks, protowire.BytesType)
	a.wire = protowire.AppendBytes(a.wire, a.body)
}
