package link

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"pgregory.net/rapid"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/link/mediahostv1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// read decodes one message as the stream does.
func read(wire []byte) (*inbound, error) {
	in := &inbound{}
	return in, codec{}.Unmarshal(mem.BufferSlice{mem.SliceBuffer(wire[:len(wire)/3]), mem.SliceBuffer(wire[len(wire)/3:])}, in)
}

// FuzzInbound: our decoder and the protobuf library read the same out of any
// bytes.
func FuzzInbound(f *testing.F) {
	for _, m := range []*mediahostv1.FromHost{
		{Message: &mediahostv1.FromHost_Frames{Frames: &mediahostv1.Frames{Packed: []byte("abc")}}},
		{Message: &mediahostv1.FromHost_Frames{Frames: &mediahostv1.Frames{}}},
		{Message: &mediahostv1.FromHost_Opened{Opened: &mediahostv1.Opened{Handle: 7, FirstSeq: 1 << 60}}},
		{},
	} {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(append(b, b...))
		f.Add(protowire.AppendVarint(protowire.AppendTag(b, 99, protowire.VarintType), 1))
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		want := &mediahostv1.FromHost{}
		wantErr := proto.Unmarshal(wire, want)
		in, err := read(wire)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%v, the library says %v", err, wantErr)
		}
		if err != nil {
			return
		}
		if in.message != nil {
			if diff := cmp.Diff(want, in.message, protocmp.Transform()); diff != "" {
				t.Fatal(diff)
			}
			return
		}
		if want.GetFrames() == nil || !bytes.Equal(want.GetFrames().GetPacked(), in.packed) {
			t.Fatalf("%x, the library says %v", in.packed, want)
		}
	})
}

// TestInboundIsReused: a large message does not keep its memory, and a message
// shows nothing of the one before.
func TestInboundIsReused(t *testing.T) {
	t.Parallel()
	in := &inbound{}
	for _, n := range []int{10, 4 << 20, 20, 64 << 10, 0} {
		packed := bytes.Repeat([]byte{byte(n)}, n)
		wire, err := proto.Marshal(&mediahostv1.FromHost{Message: &mediahostv1.FromHost_Frames{Frames: &mediahostv1.Frames{Packed: packed}}})
		if err != nil {
			t.Fatal(err)
		}
		if err := (codec{}).Unmarshal(mem.BufferSlice{mem.SliceBuffer(wire)}, in); err != nil {
			t.Fatal(err)
		}
		if in.message == nil && !bytes.Equal(in.packed, packed) {
			t.Errorf("%d bytes are not what was sent", n)
		}
		if n < usualMessage && cap(in.buffer) > usualMessage {
			t.Errorf("%d bytes are kept after a message of %d", cap(in.buffer), n)
		}
	}
	if err := (codec{}).Unmarshal(nil, "x"); !errors.Is(err, errWire) {
		t.Error(err)
	}
	if _, err := (codec{}).Marshal("x"); !errors.Is(err, errWire) {
		t.Error(err)
	}
}

// TestAckBuffers: the acknowledgements of thousands of streams, fifty times a
// second, take no megabyte each.
func TestAckBuffers(t *testing.T) {
	t.Parallel()
	var list ackList
	for _, n := range []int{1, 100, 4000, 8000} {
		list.reset()
		for i := range n {
			list.add(uint32(i+1), 1<<40)
		}
		list.seal()
		wire, err := newCodec().Marshal(&list)
		if err != nil {
			t.Fatal(err)
		}
		if got := cap(wire[0].ReadOnlyData()); got > max(1<<10, 4*len(list.wire)) {
			t.Errorf("%d acknowledgements of %d bytes take a buffer of %d", n, len(list.wire), got)
		}
		wire.Free()
	}
}

// TestAckList: the acknowledgements written by hand are those of the library.
func TestAckList(t *testing.T) {
	t.Parallel()
	var list ackList
	rapid.Check(t, func(t *rapid.T) {
		list.reset()
		want := &mediahostv1.Acks{}
		for range rapid.IntRange(1, 50).Draw(t, "acks") {
			a := &mediahostv1.Ack{Handle: rapid.Uint32Min(1).Draw(t, "handle"), DurableSeq: rapid.Uint64Min(1).Draw(t, "seq")}
			want.Acks = append(want.Acks, a)
			list.add(a.GetHandle(), a.GetDurableSeq())
		}
		list.seal()
		wire, err := codec{}.Marshal(&list)
		if err != nil {
			t.Fatal(err)
		}
		got := &mediahostv1.ToHost{}
		if err := proto.Unmarshal(wire.Materialize(), got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got.GetAcks(), protocmp.Transform()); diff != "" {
			t.Fatal(diff)
		}
	})
}

// TestHandlesAreNotUsedAgain: a handle finds its session and no other, and does
// not come back while frames sent under it may still be under way.
func TestHandlesAreNotUsedAgain(t *testing.T) {
	t.Parallel()
	tab := &table{}
	live := map[uint32]*Session{}
	seen := map[uint32]bool{}
	for i := range 5 * maxSessions {
		s := &Session{}
		h := tab.bind(s)
		if h == 0 || seen[h] {
			t.Fatalf("handle %d, number %d, came before", h, i)
		}
		seen[h], live[h] = true, s
		if i%3 == 0 {
			for old := range live {
				tab.unbind(old)
				if tab.find(old) != nil {
					t.Fatal("found after it was given back")
				}
				delete(live, old)
				if len(live) < 100 {
					break
				}
			}
		}
		if len(live) == maxSessions {
			break
		}
	}
	for h, s := range live {
		if tab.find(h) != s {
			t.Fatalf("handle %d finds another", h)
		}
	}
	for len(live) < maxSessions {
		live[tab.bind(&Session{})] = nil
	}
	if tab.bind(&Session{}) != 0 {
		t.Error("a handle beyond the last")
	}
}

// TestItemsSpareTheOthers: a frame that breaks the contract takes no other with
// it, as long as it says where it ends.
func TestItemsSpareTheOthers(t *testing.T) {
	t.Parallel()
	good := func(seq uint64) frame.Frame {
		return frame.Frame{Header: frame.Header{Seq: seq, Kind: frame.MixedAudio}, Payload: make([]byte, frame.AudioBytes)}
	}
	short, odd := good(2), good(4)
	short.Payload, odd.Kind = short.Payload[:100], 9
	var packed []byte
	for _, f := range []frame.Frame{good(1), short, good(3), odd, good(5)} {
		packed = frame.AppendPacked(packed, 1, f)
	}
	for name, tt := range map[string]struct {
		packed []byte
		seqs   []uint64
		bad    int
	}{
		"two of five":         {packed, []uint64{1, 3, 5}, 2},
		"cut off":             {packed[:len(packed)-1], []uint64{1, 3}, 3},
		"cut off in a header": {packed[:frame.HeaderBytes+frame.AudioBytes+20], []uint64{1}, 1},
		"nothing":             {nil, nil, 0},
		"noise":               {bytes.Repeat([]byte{0xff}, 1000), nil, 1},
	} {
		var seqs []uint64
		bad := 0
		for _, item := range (Message{&Link{}, tt.packed}).Items(nil) {
			if item.Fault != nil {
				bad++
				continue
			}
			seqs = append(seqs, item.Frame.Seq)
		}
		if diff := cmp.Diff(tt.seqs, seqs); diff != "" || bad != tt.bad {
			t.Errorf("%s: %d bad, -want +got\n%s", name, bad, diff)
		}
	}
}

func FuzzItems(f *testing.F) {
	f.Add(frame.AppendPacked(nil, 1, frame.Frame{Header: frame.Header{Seq: 1, Kind: frame.Video}, Payload: []byte("x")}))
	f.Fuzz(func(t *testing.T, packed []byte) {
		if len(packed) > 0 && len((Message{&Link{}, packed}).Items(nil)) == 0 {
			t.Error("bytes that are neither frame nor fault")
		}
	})
}
