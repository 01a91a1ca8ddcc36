package frame

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

type packed struct {
	Handle uint32
	Frame  Frame
}

func audio(seq uint64) Frame {
	return Frame{Header: Header{Seq: seq, Kind: MixedAudio, MediaTime: 5, SenderTime: 6}, Payload: bytes.Repeat([]byte{byte(seq)}, AudioBytes)}
}

func unpackAll(b []byte) ([]packed, error) {
	var got []packed
	err := Unpack(b, func(h uint32, f Frame) error {
		got = append(got, packed{h, f})
		return nil
	})
	return got, err
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var want []packed
		var msg []byte
		for range rapid.IntRange(0, 20).Draw(t, "frames") {
			f := Frame{Header: Header{
				Seq:        rapid.Uint64Min(1).Draw(t, "seq"),
				MediaTime:  rapid.Int64().Draw(t, "media"),
				SenderTime: rapid.Int64().Draw(t, "sender"),
				Kind:       Kind(rapid.IntRange(1, 4).Draw(t, "kind")),
				Flags:      Flags(rapid.IntRange(0, 1).Draw(t, "gap")) * AfterGap,
			}}
			n := AudioBytes
			switch f.Kind {
			case MixedAudio:
			case UnmixedAudio:
				f.Source = rapid.Uint32().Draw(t, "source")
			case Video, Screen:
				n = rapid.IntRange(1, 2000).Draw(t, "size")
				f.Socket, f.Width, f.Height = 3, 1280, 720
			}
			f.Payload = rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "payload")
			h := rapid.Uint32().Draw(t, "handle")
			want = append(want, packed{h, f})
			msg = AppendPacked(msg, h, f)
		}
		got, err := unpackAll(msg)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatal(d)
		}
	})
}

func TestUnpackRefuses(t *testing.T) {
	t.Parallel()
	at := func(off int, bs ...byte) func([]byte) []byte {
		return func(b []byte) []byte { copy(b[off:], bs); return b }
	}
	video := AppendPacked(nil, 9, Frame{Header: Header{Seq: 1, Kind: Video, Width: 2, Height: 2}, Payload: make([]byte, 50)})
	sound := AppendPacked(nil, 9, audio(1))
	for name, tc := range map[string]struct {
		in    []byte
		spoil func([]byte) []byte
		want  string
	}{
		"half a header":         {sound, func(b []byte) []byte { return b[:47] }, "a header has 48"},
		"half a payload":        {sound, func(b []byte) []byte { return b[:687] }, "639 left"},
		"absurd length":         {sound, at(0, 255, 255, 255, 255), "at most"},
		"no sequence number":    {sound, at(8, make([]byte, 8)...), "sequence number 0"},
		"unknown kind":          {sound, at(36, 5), "unknown kind 5"},
		"no kind":               {sound, at(36, 0), "unknown kind 0"},
		"unknown flag":          {sound, at(37, 9), "unknown flags 0x8"},
		"reserved byte":         {sound, at(39, 1), "reserved"},
		"reserved word":         {sound, at(47, 1), "reserved"},
		"short audio":           {sound, func(b []byte) []byte { b[0]--; return b[:687] }, "must be 640"},
		"mixed with source":     {sound, at(32, 1), "source ID 1"},
		"audio key frame":       {sound, at(37, 2), "key frame"},
		"audio with a socket":   {sound, at(38, 1), "socket"},
		"audio with a width":    {sound, at(40, 1), "width"},
		"audio with a height":   {sound, at(43, 1), "height"},
		"empty video":           {video, func(b []byte) []byte { b[0] = 0; return b[:48] }, "without payload"},
		"silent video":          {video, at(37, 1), "silence"},
		"a second, broken":      {sound, func(b []byte) []byte { return append(b, 1) }, "1 bytes left"},
		"several in 64 KiB + 1": {sound, func(b []byte) []byte { return bytes.Repeat(b, 96) }, "only a single frame"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := unpackAll(tc.spoil(slices.Clone(tc.in)))
			var pe *PackError
			if !errors.As(err, &pe) || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got %v, want a PackError about %q", err, tc.want)
			}
			if len(got) != 0 {
				t.Fatalf("%d frames of a broken message were yielded", len(got))
			}
		})
	}
}

func TestLargestMessages(t *testing.T) {
	t.Parallel()
	big := AppendPacked(nil, 1, Frame{Header: Header{Seq: 1, Kind: Video}, Payload: make([]byte, MaxPayload)})
	if _, err := unpackAll(big); err != nil || len(big) != 4<<20 {
		t.Fatalf("a single frame of %d bytes: %v", len(big), err)
	}
	if got, err := unpackAll(bytes.Repeat(AppendPacked(nil, 1, audio(1)), 95)); err != nil || len(got) != 95 {
		t.Fatalf("a full message: %d frames, %v", len(got), err)
	}
}

func TestYieldErrorEndsTheWalk(t *testing.T) {
	t.Parallel()
	stop := errors.New("stop")
	n := 0
	err := Unpack(AppendPacked(AppendPacked(nil, 1, audio(1)), 1, audio(2)), func(uint32, Frame) error { n++; return stop })
	if !errors.Is(err, stop) || n != 1 {
		t.Fatalf("got %v after %d frames", err, n)
	}
}

func TestTicks(t *testing.T) {
	t.Parallel()
	if got := Ticks(time.Date(1900, 1, 1, 0, 0, 1, 0, time.UTC)); got != 10_000_000 {
		t.Fatalf("a second after the epoch is tick %d", got)
	}
	want := time.Date(2026, 11, 24, 1, 2, 3, 400, time.UTC)
	if got := Time(Ticks(want)); !got.Equal(want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	if !Time(0).IsZero() || Ticks(time.Time{}) != 0 {
		t.Fatal("unknown is not kept")
	}
}

// FuzzUnpack: whatever comes in, Unpack neither panics nor lets a frame through
// that packs to other bytes.
func FuzzUnpack(f *testing.F) {
	f.Add([]byte{})
	f.Add(AppendPacked(nil, 1, audio(1)))
	f.Add(AppendPacked(AppendPacked(nil, 1, audio(7)), 2, Frame{Header: Header{Seq: 2, Kind: Screen, Flags: KeyFrame, Socket: 1, Width: 4, Height: 4}, Payload: []byte{0, 0, 1}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		var again []byte
		err := Unpack(b, func(h uint32, fr Frame) error {
			again = AppendPacked(again, h, fr)
			return nil
		})
		var pe *PackError
		switch {
		case err == nil && !bytes.Equal(again, b):
			t.Fatal("accepted, but not what was sent")
		case err != nil && !errors.As(err, &pe):
			t.Fatalf("not a PackError: %v", err)
		case err != nil && len(again) != 0:
			t.Fatal("frames of a refused message were yielded")
		}
	})
}

func BenchmarkUnpack(b *testing.B) {
	msg := bytes.Repeat(AppendPacked(nil, 1, audio(1)), 95)
	b.SetBytes(int64(len(msg)))
	b.ReportAllocs()
	for b.Loop() {
		_ = Unpack(msg, func(uint32, Frame) error { return nil })
	}
}
