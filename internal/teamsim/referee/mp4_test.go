package referee

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/recorderbot/recorderbot/internal/teamsim/footage"
	"github.com/recorderbot/recorderbot/internal/teamsim/host"
)

func clip(t *testing.T) *footage.Clip {
	t.Helper()
	c, err := footage.Find(footage.Camera, 180)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// box makes one of MP4's boxes.
func box(kind string, parts ...[]byte) []byte {
	body := bytes.Join(parts, nil)
	return append(append(binary.BigEndian.AppendUint32(nil, uint32(8+len(body))), kind...), body...)
}

func be32(v ...uint32) []byte {
	var b []byte
	for _, x := range v {
		b = binary.BigEndian.AppendUint32(b, x)
	}
	return b
}

// header is a moov of a time scale, with one pair of parameter sets, whose NAL units have
// lengths of so many bytes; samples are by default so long and so large.
func header(scale uint32, length byte, duration, size uint32) []byte {
	sps, pps := []byte{0x67, 1, 2, 3}, []byte{0x68, 4}
	avcC := box("avcC", []byte{1, 66, 0xc0, 13, 0xfc | (length - 1), 0xe1, 0, 4}, sps, []byte{1, 0, 2}, pps)
	return box("moov",
		box("trak", box("mdia",
			box("mdhd", be32(0, 0, 0, scale, 0, 0)),
			box("minf", box("stbl", box("stsd", be32(0, 1), box("avc1", make([]byte, 78), avcC)))),
		)),
		box("mvex", box("trex", be32(0, 1, 1, duration, size, 0))))
}

// sampled is a sample of one slice, with its length before it.
func sampled(length int, nal ...byte) []byte {
	b := be32(uint32(len(nal)))[4-length:]
	return append(b, nal...)
}

// TestMP4Forms: the forms of fragments that the standard allows, and that were seen.
func TestMP4Forms(t *testing.T) {
	t.Parallel()
	one, two := sampled(2, 0x65, 1), sampled(2, 0x41, 2)
	head := header(1000, 2, 40, uint32(len(one)))
	// Version 0 of tfdt, defaults of trex for duration and size, offset from the moof.
	plain := func(offset uint32) []byte {
		return box("moof", box("mfhd", be32(0, 1)), box("traf",
			box("tfhd", be32(0x020000, 1)), box("tfdt", be32(0, 500)), box("trun", be32(0x000001, 2, offset))))
	}
	moof := plain(uint32(len(plain(0)) + 8))
	file := append(append(bytes.Clone(head), moof...), box("mdat", one, two)...)
	// Version 1 of tfdt, an offset from the file's beginning, durations of tfhd, sizes and
	// composition offsets of trun, a box with a length of 64 bits.
	base := uint64(len(file))
	full := func(offset uint32) []byte {
		return box("moof", box("traf",
			box("tfhd", be32(0x000009, 1), be32(uint32(base>>32), uint32(base)), be32(20)),
			box("tfdt", []byte{1, 0, 0, 0}, be32(0, 2000)),
			box("trun", be32(0x000a05, 2, offset, 7), be32(uint32(len(one)), 0, uint32(len(two)), 0))))
	}
	moof = full(uint32(len(full(0)) + 16))
	file = append(file, moof...)
	large := append(append(be32(1), "mdat"...), be32(0, uint32(16+len(one)+len(two)))...)
	file = append(append(append(file, large...), one...), two...)
	f, err := readMP4(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.pictures) != 4 || len(f.sets) != 2 || f.sets[1][0] != 0x68 {
		t.Fatalf("%d pictures, sets %v", len(f.pictures), f.sets)
	}
	for i, want := range []int64{5_000_000, 5_400_000, 20_000_000, 20_200_000} {
		if p := f.pictures[i]; p.time != want || p.key() != (i%2 == 0) || len(p.slices) != 1 || p.tick != 10_001 {
			t.Errorf("picture %d: %+v", i, p)
		}
	}
	// Whatever is cut off, it is an error or a shorter film, and no panic.
	for n := range file {
		if f, err := readMP4(file[:n]); err == nil && len(f.pictures) == 4 {
			t.Errorf("cut at %d, and all is there", n)
		}
	}
	for name, bad := range map[string][]byte{
		"nothing":       {},
		"no header":     moof,
		"a huge box":    append(be32(0xffffffff), "moov"...),
		"a small box":   append(be32(4), "moov"...),
		"a huge sample": append(bytes.Clone(head), box("moof", box("traf", box("tfhd", be32(0x10, 1, 1<<30)), box("trun", be32(0, 1))))...),
		"many samples":  append(bytes.Clone(head), box("moof", box("traf", box("tfhd", be32(0x10, 1, 0)), box("trun", be32(0, 1<<31))))...),
	} {
		if f, err := readMP4(bad); err == nil {
			t.Errorf("%s was read: %+v", name, f)
		}
	}
}

// TestMP4OfFFmpeg: what another program writes is read as it is meant.
func TestMP4OfFFmpeg(t *testing.T) {
	t.Parallel()
	ffmpeg, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("needs ffmpeg")
	}
	dir, c := t.TempDir(), clip(t)
	var stream []byte
	for _, u := range c.Units {
		stream = append(stream, u.Data...)
	}
	if err := os.WriteFile(filepath.Join(dir, "in.h264"), stream, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, flags := range []string{"frag_keyframe+empty_moov", "frag_every_frame+empty_moov+default_base_moof"} {
		out := filepath.Join(dir, flags[:10]+".mp4")
		cmd := exec.CommandContext(t.Context(), ffmpeg, "-nostdin", "-v", "error", "-framerate", "20", "-i", filepath.Join(dir, "in.h264"), "-c", "copy", "-movflags", flags, out)
		if msg, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("ffmpeg: %v: %s", err, msg)
		}
		data, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		f, err := readMP4(data)
		if err != nil || len(f.pictures) != len(c.Units) {
			t.Fatalf("%s: %d pictures of %d, %v", flags, len(f.pictures), len(c.Units), err)
		}
		for i, p := range f.pictures {
			want := unitOf(c.Units[i].Data)
			if !p.same(&want) || p.key() != c.Units[i].Key || distance(p.time-f.pictures[0].time, int64(i)*500_000) > p.tick {
				t.Errorf("%s: picture %d at %d is not the one", flags, i, p.time)
			}
		}
		if u := unitOf(c.Units[0].Data); !holds(f.sets, u.sets) {
			t.Errorf("%s: the parameter sets are not there", flags)
		}
	}
}

func FuzzMP4(f *testing.F) {
	f.Add(header(1000, 4, 1, 2))
	f.Add(append(header(1000, 1, 40, 3), box("moof", box("traf", box("tfhd", be32(0, 1)), box("trun", be32(0, 1))))...))
	f.Fuzz(func(t *testing.T, b []byte) {
		movie, err := readMP4(b)
		for i := range movie.pictures {
			if len(movie.pictures[i].slices) > len(b) {
				t.Errorf("more slices than bytes, %v", err)
			}
		}
	})
}

// TestUnits: a bare byte stream is parted where its pictures begin, whatever the form of
// its start codes.
func TestUnits(t *testing.T) {
	t.Parallel()
	c := clip(t)
	var stream []byte
	for _, u := range c.Units {
		stream = append(stream, u.Data...)
	}
	got := units(append([]byte{0, 0}, stream...))
	if len(got) != len(c.Units) {
		t.Fatalf("%d units, want %d", len(got), len(c.Units))
	}
	for i := range got {
		want := unitOf(c.Units[i].Data)
		if !got[i].same(&want) || got[i].key() != c.Units[i].Key || len(got[i].sets) != len(want.sets) {
			t.Errorf("unit %d differs", i)
		}
		if i > 0 && got[i].same(&got[i-1]) {
			t.Errorf("unit %d is the same as the one before", i)
		}
	}
	// Two slices are one picture where the second is not its first.
	two := units([]byte{0, 0, 1, 0x65, 0x88, 9, 0, 0, 1, 0x65, 0x12, 9, 0, 0, 1, 0x41, 0x9a, 1})
	if len(two) != 2 || len(two[0].slices) != 2 || two[1].key() {
		t.Errorf("%+v", two)
	}
	if units(nil) != nil || units([]byte{1, 2, 3}) != nil {
		t.Error("something was found in nothing")
	}
}

// TestMixed: tracks are laid where their times say, and the sum is clipped.
func TestMixed(t *testing.T) {
	t.Parallel()
	m := &manifest{Tracks: []track{
		{File: "a.flac", MediaTime: 1000 + 2*host.TicksPerSample}, {File: "b.flac", MediaTime: 1000}, {File: "v.mp4", Kind: "video", MediaTime: 1},
	}}
	got := m.mixed(map[string][]int16{"a.flac": {30000, -30000, 5, 1}, "b.flac": {1, 2, 30000, -30000}})
	if want := []int16{1, 2, 32767, -32768, 5, 1}; !bytes.Equal(bytesOf(got), bytesOf(want)) {
		t.Errorf("%v, want %v", got, want)
	}
}

func bytesOf(samples []int16) []byte {
	var b []byte
	for _, s := range samples {
		b = binary.LittleEndian.AppendUint16(b, uint16(s))
	}
	return b
}
