package link

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// TestMessageIsForgotten: neither the transport's buffers nor ours hold a message
// that was handled.
func TestMessageIsForgotten(t *testing.T) {
	t.Parallel()
	payload := bytes.Repeat([]byte{0xCA}, 5000)
	inner := protowire.AppendBytes(protowire.AppendTag(nil, fieldPacked, protowire.BytesType), payload)
	wire := protowire.AppendBytes(protowire.AppendTag(nil, fieldFrames, protowire.BytesType), inner)
	small, large := bytes.Clone(wire[:700]), bytes.Clone(wire[700:])
	in := &inbound{}
	if err := newCodec().Unmarshal(mem.BufferSlice{mem.SliceBuffer(small), mem.SliceBuffer(large)}, in); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(in.packed, payload) {
		t.Fatal("the message was not read")
	}
	in.scrub()
	for name, b := range map[string][]byte{"small": small, "large": large, "ours": in.buffer[:cap(in.buffer)], "packed": in.packed} {
		if bytes.IndexByte(b, 0xCA) >= 0 {
			t.Errorf("the buffer %q still holds some of it", name)
		}
	}
}

func TestPoolForgets(t *testing.T) {
	t.Parallel()
	p := newScrubbedPool()
	b := p.Get(3000)
	whole := (*b)[:cap(*b)]
	for i := range whole {
		whole[i] = 0xCA
	}
	*b = (*b)[:10] // a prefix may come back
	p.Put(b)
	if bytes.IndexByte(whole, 0xCA) >= 0 {
		t.Error("what came back was not zeroed")
	}
}

// A drip is a connection that hands out at most so many bytes at a time.
type drip struct {
	net.Conn

	data io.Reader
	most int
}

func (d drip) Read(p []byte) (int, error) { return d.data.Read(p[:min(len(p), d.most)]) }

// TestOneRecordAtATime: however the network cuts them, no read reaches beyond a
// record, nothing is lost, and the room beyond is zeroed.
func TestOneRecordAtATime(t *testing.T) {
	t.Parallel()
	var wire []byte
	ends := map[int]bool{}
	for n := range 40 {
		body := bytes.Repeat([]byte{byte(n + 1)}, 1+n*n*10)
		wire = append(wire, 23, 3, 3)
		wire = binary.BigEndian.AppendUint16(wire, uint16(len(body)))
		wire = append(wire, body...)
		ends[len(wire)] = true
	}
	for _, most := range []int{1, 3, 5, 1000, 1 << 20} {
		r := newRecords(drip{data: bytes.NewReader(wire), most: most})
		var got []byte
		room := make([]byte, 17<<10)
		for {
			for i := range room {
				room[i] = 0xCA
			}
			before := len(got)
			n, err := r.Read(room)
			got = append(got, room[:n]...)
			if bytes.IndexByte(room[n:], 0xCA) >= 0 {
				t.Fatal("the room was not zeroed")
			}
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			for end := range ends {
				if before < end && len(got) > end {
					t.Fatalf("a read from %d to %d crosses the end of a record at %d", before, len(got), end)
				}
			}
		}
		if !bytes.Equal(got, wire) {
			t.Fatalf("%d bytes came out of %d", len(got), len(wire))
		}
	}
}

// TestCutRecordHeader: an end amid a header is no end in good order.
func TestCutRecordHeader(t *testing.T) {
	t.Parallel()
	r := newRecords(drip{data: bytes.NewReader([]byte{23, 3}), most: 10})
	if _, err := r.Read(make([]byte, 100)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v", err)
	}
}
