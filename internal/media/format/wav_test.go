package format_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/recorderbot/recorderbot/internal/media/format"
)

func TestWAV(t *testing.T) {
	t.Parallel()
	want := pcm(signals()["a bit more"])
	var wav bytes.Buffer
	if err := format.WriteWAV(&wav, bytes.NewReader(want), int64(len(want)/2)); err != nil {
		t.Fatal(err)
	}
	r, n, err := format.ReadWAV(bytes.NewReader(wav.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(got, want) || n != int64(len(want)/2) {
		t.Errorf("%d samples of %d came back, or others: %v", n, len(want)/2, err)
	}
	path := onDisk(t, "a.wav", wav.Bytes())
	if raw := output(t, "ffmpeg", "-v", "error", "-xerror", "-i", path, "-f", "s16le", "-"); !bytes.Equal(raw, want) {
		t.Error("ffmpeg returns other samples")
	}
	for name, samples := range map[string]int64{
		"too few": int64(len(want)/2) + 1, "too many": int64(len(want)/2) - 1, "negative": -1, "beyond 8 EiB": 1 << 62,
	} {
		if err = format.WriteWAV(io.Discard, bytes.NewReader(want), samples); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	r, _, err = format.ReadWAV(bytes.NewReader(wav.Bytes()[:wav.Len()-1]))
	if err == nil {
		_, err = io.Copy(io.Discard, r)
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("cut file: error %v", err)
	}
}

func FuzzReadWAV(f *testing.F) {
	var wav bytes.Buffer
	if err := format.WriteWAV(&wav, bytes.NewReader(make([]byte, 640)), 320); err != nil {
		f.Fatal(err)
	}
	f.Add(wav.Bytes())
	f.Add(wav.Bytes()[:40])
	list := bytes.Clone(wav.Bytes()[:12])
	f.Add(append(append(list, "LIST\x03\x00\x00\x00abc\x00"...), wav.Bytes()[12:]...))
	f.Add(rf64(1, 2))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, n, err := format.ReadWAV(bytes.NewReader(b))
		if err != nil {
			return
		}
		pcm, err := io.ReadAll(r)
		if err == nil && int64(len(pcm)) != 2*n || len(pcm) > len(b) {
			t.Errorf("%d bytes of samples, %d promised, file of %d", len(pcm), 2*n, len(b))
		}
	})
}

// rf64 is the file that EBU Tech 3306 describes, of few samples.
func rf64(samples ...int16) []byte { return append(rf64Head(uint64(len(samples))), pcm(samples)...) }

func rf64Head(n uint64) []byte {
	b := []byte("RF64\xff\xff\xff\xffWAVEds64\x1c\x00\x00\x00")
	b = binary.LittleEndian.AppendUint64(b, 72+2*n)
	b = binary.LittleEndian.AppendUint64(b, 2*n)
	b = binary.LittleEndian.AppendUint64(b, n)
	return append(b, "\x00\x00\x00\x00fmt \x10\x00\x00\x00\x01\x00\x01\x00\x80\x3e\x00\x00\x00\x7d\x00\x00\x02\x00\x10\x00data\xff\xff\xff\xff"...)
}

func TestReadRF64(t *testing.T) {
	t.Parallel()
	good := rf64(1, -2, 3)
	r, n, err := format.ReadWAV(bytes.NewReader(good))
	if err != nil || n != 3 {
		t.Fatalf("%d samples, %v", n, err)
	}
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, pcm([]int16{1, -2, 3})) {
		t.Errorf("%v, %v", got, err)
	}
	change := func(at int, to string) []byte {
		b := bytes.Clone(good)
		copy(b[at:], to)
		return b
	}
	for name, bad := range map[string][]byte{
		"no ds64":         change(12, "ds65"),
		"short ds64":      change(16, "\x1b"),
		"long ds64":       change(18, "\xff"),
		"cut ds64":        good[:30],
		"size beyond all": change(35, "\xff"),
		"half a sample":   change(28, "\x05"),
		"a RIFF":          change(0, "RIFF"),
	} {
		var fault *format.WAVError
		if _, _, err := format.ReadWAV(bytes.NewReader(bad)); !errors.As(err, &fault) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

var hole [32 << 10]byte

// A sparse file has holes where zeros were written.
type sparse struct {
	*os.File

	at int64
}

func (s *sparse) Write(p []byte) (int, error) { // at most hole
	at := s.at
	s.at += int64(len(p))
	if bytes.Equal(p, hole[:len(p)]) {
		return len(p), nil
	}
	return s.WriteAt(p, at)
}

// zeros never ends.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// The largest RIFF is followed by the smallest RF64, and others read both to
// their last samples.
func TestWAVAround4GiB(t *testing.T) {
	t.Parallel()
	const riff = (1<<32 - 1 - 36) / 2 // samples
	for _, samples := range []int64{riff, riff + 1, 3 << 30} {
		t.Run(fmt.Sprint(samples), func(t *testing.T) {
			t.Parallel()
			path := onDisk(t, "a.wav", nil)
			f, err := os.OpenFile(path, os.O_RDWR, 0o600)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close() //nolint:errcheck // read only by now
			end := []byte{1, 0, 2, 0, 3, 0}
			dst := &sparse{File: f}
			src := io.MultiReader(io.LimitReader(zeros{}, 2*samples-int64(len(end))), bytes.NewReader(end))
			if err := format.WriteWAV(dst, src, samples); err != nil {
				t.Fatal(err)
			}
			head := make([]byte, 80)
			if _, err := f.ReadAt(head, 0); err != nil || bytes.Equal(head, rf64Head(uint64(samples))) != (samples > riff) {
				t.Errorf("%d samples begin with\n%q\nas RF64 it is\n%q, %v", samples, head, rf64Head(uint64(samples)), err)
			}
			probe := string(output(t, "ffprobe", "-v", "error", "-show_entries",
				"stream=codec_name,sample_rate,channels,duration_ts", "-of", "csv=p=0", path))
			if want := fmt.Sprintf("pcm_s16le,16000,1,%d", samples); strings.TrimSpace(probe) != want {
				t.Errorf("ffprobe says %q, want %q", probe, want)
			}
			last := output(t, "ffmpeg", "-v", "error", "-xerror", "-ss", fmt.Sprint(samples/16000), "-i", path, "-f", "s16le", "-")
			if !bytes.HasSuffix(last, end) || int64(len(last)) != 2*(samples%16000) {
				t.Errorf("ffmpeg reads %d bytes of the last second, want %d, ending with % x", len(last), 2*(samples%16000), end)
			}
			if _, n, err := format.ReadWAV(io.NewSectionReader(f, 0, dst.at)); n != samples || err != nil {
				t.Errorf("ReadWAV says %d samples, want %d: %v", n, samples, err)
			}
		})
	}
}
