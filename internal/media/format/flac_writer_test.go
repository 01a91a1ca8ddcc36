package format_test

import (
	"bytes"
	"errors"
	"math"
	"testing"

	"github.com/mewkiz/flac"
	"pgregory.net/rapid"

	"github.com/recorderbot/recorderbot/internal/media/format"
	"github.com/recorderbot/recorderbot/internal/media/format/formattest"
	"github.com/recorderbot/recorderbot/internal/teamsim/speech"
)

// sound draws a piece of one of the kinds that encoders treat differently.
func sound(rt *rapid.T, samples int) []int16 {
	s := make([]int16, samples)
	loud := rapid.Float64Range(0, 1).Draw(rt, "loud") * math.MaxInt16
	period := rapid.IntRange(1, 400).Draw(rt, "period")
	seed := rapid.Uint32().Draw(rt, "seed")
	noise := func() float64 {
		seed = seed*1664525 + 1013904223
		return float64(int32(seed)) / (1 << 31)
	}
	kind := rapid.SampledFrom([]string{"noise", "sine", "square", "impulses", "ramp", "constant", "voice"}).Draw(rt, "kind")
	var low float64
	for i := range s {
		v := 1.0
		switch kind {
		case "noise":
			v = noise()
		case "sine":
			v = math.Sin(2 * math.Pi * float64(i) / float64(period+1))
		case "square":
			v = float64(1 - i/period%2*2)
		case "impulses":
			if v = noise(); i%period != 0 {
				v = 0
			}
		case "ramp":
			v = math.Mod(float64(i), float64(period)) / float64(period)
		case "voice":
			low = 0.9*low + 0.1*noise()
			v = low
		}
		s[i] = int16(loud * v)
	}
	return s
}

// Whatever the samples are and in what portions they come, they come back, by a
// decoder that is not ours.
func TestFLACOfAnySound(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		var want []byte
		for range rapid.IntRange(0, 6).Draw(rt, "sounds") {
			want = append(want, pcm(sound(rt, rapid.IntRange(0, 3000).Draw(rt, "samples")))...)
		}
		portion := 2 * rapid.IntRange(1, 5000).Draw(rt, "portion")
		file := encode(t, func(w *format.FLACWriter) error {
			for p := want; len(p) > 0; p = p[min(portion, len(p)):] {
				if err := w.PCM(p[:min(portion, len(p))]); err != nil {
					return err
				}
			}
			return nil
		})
		got, r, err := decode(file)
		if err != nil || !bytes.Equal(got, want) || r.Samples() != int64(len(want)/2) {
			rt.Errorf("%d bytes came back of %d, or others: %v", len(got), len(want), err)
		}
	})
}

// Blocks of every length that a last one may have near the edges of the encoder:
// shorter than the predictor's order, not divisible into partitions, whole.
func TestFLACOfAnyLength(t *testing.T) {
	t.Parallel()
	for name, samples := range signals() {
		for _, n := range []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 15, 16, 17, 31, 32, 64, 80, 96, 100, 112, 1008, 1023, 1024, 1025, 1030, 2047} {
			want := pcm(samples[:min(n, len(samples))])
			file := encode(t, func(w *format.FLACWriter) error { return w.PCM(want) })
			partitioned(t, file)
			got, _, err := decode(file)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d samples of %s: others came back, or: %v", n, name, err)
			}
		}
	}
}

// partitioned checks what decoders may let pass: a block's partitions are of one
// size, and larger than what the predictor starts from (RFC 9639 §9.2.7).
func partitioned(t *testing.T, file []byte) {
	t.Helper()
	s, err := flac.Parse(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	for f, err := s.ParseNext(); err == nil; f, err = s.ParseNext() {
		sub := f.Subframes[0]
		if rice := sub.RiceSubframe; rice != nil && (sub.NSamples%(1<<rice.PartOrder) != 0 || sub.NSamples>>rice.PartOrder <= sub.Order) {
			t.Errorf("%d samples, predictor of order %d, partitions of order %d", sub.NSamples, sub.Order, rice.PartOrder)
		}
	}
}

// Numbers of frames are characters of UTF-8, as far as those go, and continue
// alike (RFC 9639 §9.1.5); those of the last frames of days have five bytes.
func TestFLACFrameNumbers(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		if c := rapid.Rune().Draw(rt, "number"); string(format.FrameNumber(uint32(c))) != string(c) {
			rt.Errorf("% x for %d, want % x", format.FrameNumber(uint32(c)), c, string(c))
		}
	})
	for v, want := range map[uint32]string{
		0: "\x00", 0x7f: "\x7f", 0x80: "\u0080", 0x7ff: "\u07ff", 0x800: "\u0800", 0xffff: "\uffff", 0x10000: "\U00010000",
		1<<21 - 1: "\xf7\xbf\xbf\xbf", 1 << 21: "\xf8\x88\x80\x80\x80", format.MaxSamples / 1024: "\xfb\xbf\xbf\xbf\xbf",
	} {
		if got := string(format.FrameNumber(v)); got != want {
			t.Errorf("% x for %#x, want % x", got, v, want)
		}
	}
}

func TestFLACOfNothing(t *testing.T) {
	t.Parallel()
	file := encode(t, func(*format.FLACWriter) error { return nil })
	if got, r, err := decode(file); err != nil || len(got) != 0 || r.Samples() != 0 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	path := onDisk(t, "a.flac", file)
	// No --warnings-as-errors: for flac(1), 0 samples always are an unknown number.
	output(t, "flac", "--silent", "--test", path)
}

// Samples that nothing predicts take their own size and no more, and silence
// between them takes nothing: both are partitions without a Rice code.
func TestFLACOfNoiseDoesNotGrow(t *testing.T) {
	t.Parallel()
	s := signals()
	for name, most := range map[string]float64{"noise": 1.015, "bursts": 0.55, "extremes": 0.1, "square": 0.9, "impulses": 0.2, "constant": 0.01} {
		file := seekable(t, pcm(s[name]), int64(len(s[name])))
		if ratio := float64(len(file)) / float64(2*len(s[name])); ratio > most {
			t.Errorf("%s: %.3f of its size, want %.3f at most", name, ratio, most)
		}
	}
}

// flac5 returns what flac -5 makes of samples.
func flac5(t *testing.T, samples []byte) []byte {
	t.Helper()
	raw := onDisk(t, "a.raw", samples)
	output(t, "flac", "-5", "--silent", "--no-padding", "--force-raw-format", "--endian=little", "--sign=signed",
		"--channels=1", "--bps=16", "--sample-rate=16000", "--output-name", raw+".flac", raw)
	return read(t, raw+".flac")
}

// Speech takes at most 1.05 times what the reference encoder makes of it, all
// metadata included.
func TestFLACIsSmall(t *testing.T) {
	t.Parallel()
	a, err := speech.Voice(speech.A)
	b, err2 := speech.Voice(speech.B)
	mix, err3 := speech.Mix(60)
	if err = errors.Join(err, err2, err3); err != nil {
		t.Fatal(err)
	}
	for name, samples := range map[string][]int16{"a": a, "b": b, "mix": mix} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := pcm(samples)
			ours := len(encode(t, func(w *format.FLACWriter) error { return w.PCM(want) }))
			theirs := len(flac5(t, want))
			ratio := float64(ours) / float64(theirs)
			t.Logf("%d bytes, flac -5 %d: %.4f", ours, theirs, ratio)
			if ratio > 1.05 {
				t.Errorf("%.4f of the size of flac -5", ratio)
			}
		})
	}
}

// A block costs no allocation, whatever it is.
func TestFLACDoesNotAllocate(t *testing.T) { //nolint:paralleltest // AllocsPerRun counts those of all goroutines
	samples := signals()
	var dst sink
	w, err := format.NewFLACWriter(&dst, nil)
	if err != nil {
		t.Fatal(err)
	}
	var pieces [][]byte
	for _, name := range []string{"noise", "bursts", "square", "impulses", "constant", "steps"} {
		pieces = append(pieces, pcm(samples[name]))
	}
	if n := testing.AllocsPerRun(20, func() {
		for _, p := range pieces {
			err = errors.Join(err, w.PCM(p), w.Silence(t.Context(), 100_000))
		}
	}); n != 0 || err != nil {
		t.Errorf("%v allocations in a run of many blocks, error %v", n, err)
	}
}

// What was written before a crash plays, and the header says that nobody
// finished it.
func TestFLACUnfinishedPlays(t *testing.T) {
	t.Parallel()
	mix, err := speech.Mix(20)
	if err != nil {
		t.Fatal(err)
	}
	var m formattest.Memory
	w, err := format.NewFLACWriter(&m, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := pcm(mix)
	if err = w.PCM(want); err != nil {
		t.Fatal(err)
	}
	if _, r, err := decode(m.B); r.Samples() != 0 || !errors.Is(err, format.ErrUnfinished) {
		t.Errorf("error %v, want %v", err, format.ErrUnfinished)
	}
	path := onDisk(t, "a.flac", m.B)
	got := output(t, "ffmpeg", "-v", "fatal", "-i", path, "-f", "s16le", "-")
	if len(got) < len(want)/2 || !bytes.HasPrefix(want, got) {
		t.Errorf("ffmpeg plays %d bytes of %d, or others", len(got), len(want))
	}
}

// A full disk is an error of each call that hits it, and of Close.
func TestFLACDestinationFails(t *testing.T) {
	t.Parallel()
	full := errors.New("disk full")
	for name, fill := range map[string]func(*format.FLACWriter) error{
		"pcm":     func(w *format.FLACWriter) error { return w.PCM(pcm(signals()["noise"])) },
		"silence": func(w *format.FLACWriter) error { return w.Silence(t.Context(), 1<<24) },
	} {
		w, err := format.NewFLACWriter(&failing{err: full}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := fill(w); !errors.Is(err, full) {
			t.Errorf("%s: error %v", name, err)
		}
		if err := fill(w); !errors.Is(err, full) {
			t.Errorf("%s again: error %v", name, err)
		}
		if err := w.Close(); !errors.Is(err, full) {
			t.Errorf("closing after %s: error %v", name, err)
		}
	}
	for _, after := range []int{1, 2, 3} { // frames, seek table, STREAMINFO
		w, err := format.NewFLACWriter(&failing{err: full, after: after - 1}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.PCM(make([]byte, 640)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); !errors.Is(err, full) {
			t.Errorf("closing when write %d fails: error %v", after, err)
		}
	}
}

type failing struct {
	formattest.Memory

	err   error
	after int
}

func (f *failing) Write(p []byte) (int, error) {
	if f.after == 0 {
		return 0, f.err
	}
	f.after--
	return f.Memory.Write(p)
}

// The input is repeated to a number of samples, written in portions.
func FuzzFLACWriter(f *testing.F) {
	for _, name := range []string{"noise", "extremes", "square", "odd"} {
		f.Add(pcm(signals()[name][1000:1050]), uint16(1500), uint16(320))
	}
	f.Fuzz(func(t *testing.T, b []byte, samples, portion uint16) {
		if len(b) < 2 {
			return
		}
		want := bytes.Repeat(b[:len(b)&^1], int(samples%5000)*2/len(b)+1)
		step := 2 * (int(portion) + 1)
		file := encode(t, func(w *format.FLACWriter) error {
			for p := want; len(p) > 0; p = p[min(step, len(p)):] {
				if err := w.PCM(p[:min(step, len(p))]); err != nil {
					return err
				}
			}
			return nil
		})
		if got, _, err := decode(file); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes came back of %d, or others: %v", len(got), len(want), err)
		}
	})
}
