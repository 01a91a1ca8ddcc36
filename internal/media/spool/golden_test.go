package spool

import (
	"encoding/hex"
	"slices"
	"testing"

	"github.com/recorderbot/recorderbot/internal/media/frame"
)

// TestFormat holds the format on disk: a version that writes other bytes must
// have another number. The bytes were checked by hand against doc.go.
func TestFormat(t *testing.T) {
	t.Parallel()
	quiet := frame.Frame{Header: frame.Header{Seq: 2, MediaTime: 3, SenderTime: 4, Kind: frame.MixedAudio, Flags: frame.AfterGap}, Payload: make([]byte, frame.AudioBytes)}
	wide := frame.Frame{Header: frame.Header{Seq: 5, Source: 6, Width: 7, Height: 8, Kind: frame.Video, Flags: frame.KeyFrame, Socket: 9}, Payload: []byte{1, 2}}
	// Without the checksum in front.
	for want, got := range map[string][]byte{
		"28000004" + "0004010500000000" + "0200000000000000" + "0300000000000000" + "0400000000000000":                                         planted(0, 5, quiet),
		"32000003" + "0902030500000000" + "0500000000000000" + "0000000000000000" + "0000000000000000" + "06000000" + "0700" + "0800" + "0102": planted(0, 5, wide),
		"10000009" + "0000000500000000": planted(diskRelease, 5, nil),
		"36000006" + "0000000500000000" + "01000000" + "0200000000000000" + "0300000000000000" + "0400000000000000" + "0500000000000000" + "01" + "78": planted(diskGap, 5, gapBody(frame.Gap{Source: 1, FirstSeq: 2, Count: 3, FromTime: 4, ToTime: 5, Cause: "x"})),
		"14000007" + "0000000500000000" + "016b" + "7b7d": planted(diskNote, 5, noteBody("k", []byte("{}"))),
	} {
		if g := hex.EncodeToString(got); g[8:] != want {
			t.Errorf("got\n%s, want\n%s", g[8:], want)
		}
		if !intact(got) {
			t.Errorf("checksum of %x", got)
		}
	}
	commit := header{log: 1, gen: 2, number: 3, at: 4, blocks: 1, reserved: 1 << 20}.seal(make([]byte, blockBytes), 5)
	const want = "52425350" + "0200" + "0000" + "0100000000000000" + "0200000000000000" + "0300000000000000" + "0400000000000000" +
		"05000000" + "01000000" + "00000000"
	if g := hex.EncodeToString(commit[:52]); g != want || !slices.Equal(commit[56:60], []byte{0, 0, 16, 0}) {
		t.Errorf("got\n%s, want\n%s", g, want)
	}
}
