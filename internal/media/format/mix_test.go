package format_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/recorderbot/recorderbot/internal/media/format"
	"github.com/recorderbot/recorderbot/internal/teamsim/speech"
)

// A piece is samples of a track.
type piece struct {
	track int
	at    int64
	pcm   []int16
}

// mixed is the law, said as plainly as it can be.
func mixed(pieces []piece, samples int64) (mix []byte, clipped int64) {
	sums := make([]int64, samples)
	for _, p := range pieces {
		for i, v := range p.pcm {
			sums[p.at+int64(i)] += int64(v)
		}
	}
	out := make([]int16, samples)
	for i, s := range sums {
		switch {
		case s > math.MaxInt16:
			out[i], clipped = math.MaxInt16, clipped+1
		case s < math.MinInt16:
			out[i], clipped = math.MinInt16, clipped+1
		default:
			out[i] = int16(s)
		}
	}
	return pcm(out), clipped
}

// Whatever the tracks, their gaps and the flushes between are, the mix is the sum.
func TestMix(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		window := rapid.IntRange(1, 12_000).Draw(rt, "window")
		tracks := rapid.IntRange(1, 5).Draw(rt, "tracks")
		var got bytes.Buffer
		m, err := format.NewMixer(func(pcm []byte) error {
			_, err := got.Write(pcm)
			return err
		}, tracks, window)
		if err != nil {
			rt.Fatal(err)
		}
		var pieces []piece
		ends := make([]int64, tracks)
		var flushed, end int64
		for range rapid.IntRange(0, 30).Draw(rt, "steps") {
			track := rapid.IntRange(0, tracks).Draw(rt, "track or flush")
			if track == tracks {
				flushed = rapid.Int64Range(flushed, flushed+2*int64(window)).Draw(rt, "flush")
				err = errors.Join(err, m.Flush(flushed))
				continue
			}
			first, last := max(ends[track], flushed), flushed+int64(window)
			if first > last {
				continue
			}
			at := rapid.Int64Range(first, last).Draw(rt, "at")
			s := sound(rt, rapid.IntRange(0, int(last-at)).Draw(rt, "samples"))
			pieces = append(pieces, piece{track, at, s})
			ends[track] = at + int64(len(s))
			end = max(end, ends[track])
			err = errors.Join(err, m.Add(track, at, pcm(s)))
		}
		end = max(end, flushed) + rapid.Int64Range(0, 10_000).Draw(rt, "silence")
		if err = errors.Join(err, m.Flush(end)); err != nil {
			rt.Fatal(err)
		}
		want, clipped := mixed(pieces, end)
		if !bytes.Equal(got.Bytes(), want) || m.Samples() != end || m.Clipped() != clipped {
			rt.Errorf("%d samples, %d clipped, want %d and %d; or the samples differ", m.Samples(), m.Clipped(), end, clipped)
		}
	})
}

// ffmpeg, told not to turn the volume down, makes the same of three tracks.
func TestMixIsThatOfOthers(t *testing.T) {
	t.Parallel()
	a, err := speech.Voice(speech.A)
	b, err2 := speech.Voice(speech.B)
	if err = errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	const samples, late = 16_000 * 12, 70_001
	loud := make([]int16, samples) // enough to clip
	for i := range loud {
		loud[i] = int16(30_000 * math.Sin(float64(i)/20))
	}
	tracks := []piece{{0, 0, a[:samples]}, {1, late, b[:samples-late]}, {2, 0, loud}}
	var got bytes.Buffer
	m, err := format.NewMixer(func(pcm []byte) error {
		got.Write(pcm)
		return nil
	}, len(tracks), samples)
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"-v", "error", "-xerror"}
	for _, p := range tracks {
		if err := m.Add(p.track, p.at, pcm(p.pcm)); err != nil {
			t.Fatal(err)
		}
		args = append(args, "-f", "s16le", "-ar", "16000", "-ac", "1",
			"-i", onDisk(t, "a.raw", append(make([]byte, 2*p.at), pcm(p.pcm)...)))
	}
	if err := m.Flush(samples); err != nil {
		t.Fatal(err)
	}
	theirs := output(t, "ffmpeg", append(args, "-filter_complex", "amix=inputs=3:normalize=0:duration=longest", "-f", "s16le", "-")...)
	if m.Clipped() == 0 || !bytes.Equal(got.Bytes(), theirs) {
		t.Errorf("ffmpeg mixes other samples; %d bytes, ours %d, %d samples clipped", len(theirs), got.Len(), m.Clipped())
	}
}

// As many tracks as may be, all as loud as can be, do not overflow.
func TestMixOfAllTracks(t *testing.T) {
	t.Parallel()
	var got []byte
	m, err := format.NewMixer(func(pcm []byte) error {
		got = append(got, pcm...)
		return nil
	}, format.MaxMixTracks, 2)
	if err != nil {
		t.Fatal(err)
	}
	loud := pcm([]int16{math.MinInt16, math.MaxInt16})
	for track := range format.MaxMixTracks {
		if err := m.Add(track, 0, loud); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Flush(2); err != nil || !bytes.Equal(got, loud) || m.Clipped() != 2 {
		t.Errorf("% x, %d clipped, %v", got, m.Clipped(), err)
	}
}

// What is refused is not in the mix, and the next samples are.
func TestMixRefuses(t *testing.T) {
	t.Parallel()
	for _, bad := range [][2]int{{-1, 10}, {format.MaxMixTracks + 1, 10}, {1, 0}, {1, -1}} {
		if _, err := format.NewMixer(nil, bad[0], bad[1]); err == nil {
			t.Errorf("%d tracks, window of %d: no error", bad[0], bad[1])
		}
	}
	var got []byte
	m, err := format.NewMixer(func(pcm []byte) error {
		got = append(got, pcm...)
		return nil
	}, 2, 10)
	if err != nil {
		t.Fatal(err)
	}
	two := binary.LittleEndian.AppendUint16([]byte{1, 0}, 2)
	if err := errors.Join(m.Add(0, 3, two), m.Flush(2)); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		track int
		at    int64
		pcm   []byte
		want  error // nil: any
	}{
		"no such track":       {2, 5, two, nil},
		"negative track":      {-1, 5, two, nil},
		"half a sample":       {0, 5, two[:3], nil},
		"given before":        {0, 4, two, format.ErrMixOrder},
		"flushed before":      {1, 1, two, format.ErrMixOrder},
		"negative time":       {1, -1, two, format.ErrMixOrder},
		"beyond the window":   {1, 11, two, format.ErrMixAhead},
		"far beyond":          {1, math.MaxInt64, two, format.ErrMixAhead},
		"more than the whole": {1, 5, make([]byte, 1000), format.ErrMixAhead},
	} {
		if err := m.Add(tt.track, tt.at, tt.pcm); err == nil || tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("%s: error %v, want %v", name, err, tt.want)
		}
	}
	if err := errors.Join(m.Add(1, 10, two), m.Flush(0), m.Flush(12)); err != nil {
		t.Fatal(err)
	}
	if want := pcm([]int16{0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 1, 2}); !bytes.Equal(got, want) {
		t.Errorf("% x, want % x", got, want)
	}
}

// After its output has failed a mixer takes nothing more: there would be a gap.
func TestMixOutputFails(t *testing.T) {
	t.Parallel()
	full := errors.New("disk full")
	m, err := format.NewMixer(func([]byte) error { return full }, 1, 10)
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{"flush": m.Flush(1), "add": m.Add(0, 5, []byte{1, 0}), "again": m.Flush(2)} {
		if !errors.Is(err, full) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// BenchmarkMix mixes eight tracks in frames of 20 ms.
func BenchmarkMix(b *testing.B) {
	const tracks = 8
	m, err := format.NewMixer(func([]byte) error { return nil }, tracks, 3200)
	if err != nil {
		b.Fatal(err)
	}
	frame := pcm(signals()["noise"][:320])
	b.SetBytes(tracks * 640)
	b.ReportAllocs()
	at := int64(0)
	for b.Loop() {
		for track := range tracks {
			err = errors.Join(err, m.Add(track, at, frame))
		}
		at += 320
		if err = errors.Join(err, m.Flush(at)); err != nil {
			b.Fatal(err)
		}
	}
}
