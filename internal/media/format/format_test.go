package format_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/recorderbot/recorderbot/internal/media/durable"
	"github.com/recorderbot/recorderbot/internal/media/format"
	"github.com/recorderbot/recorderbot/internal/media/format/formattest"
)

// tool returns a program that reads our files and was not written by us. The
// Makefile installs it before `make test`.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is missing: run `make test`, which installs it, or install the packages flac and ffmpeg: %v", name, err)
	}
	return path
}

func output(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	var errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), tool(t, name), args...)
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, errs.Bytes())
	}
	return out
}

func pcm(samples []int16) []byte {
	b := make([]byte, 0, 2*len(samples))
	for _, s := range samples {
		b = binary.LittleEndian.AppendUint16(b, uint16(s))
	}
	return b
}

// encode returns a FLAC.
func encode(tb testing.TB, fill func(*format.FLACWriter) error, tags ...format.Tag) []byte {
	tb.Helper()
	var m formattest.Memory
	w, err := format.NewFLACWriter(&m, tags)
	if err != nil {
		tb.Fatal(err)
	}
	if err := errors.Join(fill(w), w.Close()); err != nil {
		tb.Fatal(err)
	}
	return m.B
}

// onDisk returns the path of a file that other programs can read.
func onDisk(t *testing.T, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := durable.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func decode(b []byte) ([]byte, *format.FLACReader, error) {
	r, err := format.NewFLACReader(bytes.NewReader(b))
	if err != nil {
		return nil, nil, err
	}
	out, err := io.ReadAll(evenly{r})
	return out, r, err
}

// evenly asks for whole samples, which io.ReadAll does not.
type evenly struct{ io.Reader }

func (e evenly) Read(p []byte) (int, error) { return e.Reader.Read(p[:len(p)&^1]) }

// Signals that encoders get wrong.
func signals() map[string][]int16 {
	rng := rand.New(rand.NewPCG(1, 2))
	m := map[string][]int16{
		"one frame":  make([]int16, 320),
		"one block":  make([]int16, 4096),
		"a bit more": make([]int16, 4096+1),
		"silence":    make([]int16, 40_000),
		"noise":      make([]int16, 40_000),
		"extremes":   make([]int16, 20_000),
		"constant":   make([]int16, 20_000),
		"steps":      make([]int16, 20_000),
		"square":     make([]int16, 20_000),
		"impulses":   make([]int16, 20_000),
		"bursts":     make([]int16, 20_001),
		"one":        {-32768},
		"few":        {1, -2, 3},
		"odd":        make([]int16, 2*1024+7),
		"chord":      make([]int16, 2*1024),
	}
	for i := range m["noise"] {
		m["noise"][i] = int16(rng.Uint32())
	}
	for i := range m["extremes"] {
		m["extremes"][i] = int16(i%2*0xffff - 0x8000)
	}
	for i := range m["constant"] {
		m["constant"][i] = -1
	}
	for i := range m["steps"] {
		m["steps"][i] = int16(i / 5000 * 10_000)
	}
	for i := range m["square"] {
		m["square"][i] = int16(32767 * (1 - i/37%2*2))
	}
	for i := 0; i < len(m["impulses"]); i += 1 + rng.IntN(500) {
		m["impulses"][i] = int16(rng.Uint32())
	}
	for i := range m["bursts"] { // silence and full-scale noise in one block
		m["bursts"][i] = int16(rng.Uint32()) * int16(i/256%2)
	}
	for i := range m["odd"] {
		m["odd"][i] = int16(20_000 * math.Sin(float64(i*i)/40_000))
	}
	for i := range m["chord"] { // two tones: four samples tell the next
		x := float64(i)
		m["chord"][i] = int16(9000*math.Sin(x/3) + 8000*math.Sin(x))
	}
	for i := range m["a bit more"] {
		m["a bit more"][i] = int16(i * 7)
	}
	return m
}

func TestFLACIsReadByOthers(t *testing.T) {
	t.Parallel()
	for name, samples := range signals() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := pcm(samples)
			flac := encode(t, func(w *format.FLACWriter) error { return w.PCM(want) })
			got, _, err := decode(flac)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("our reader returns other samples, or: %v", err)
			}
			path := onDisk(t, "a.flac", flac)
			output(t, "flac", "--silent", "--test", "--warnings-as-errors", path)
			raw := output(t, "ffmpeg", "-v", "error", "-xerror", "-i", path, "-f", "s16le", "-")
			if !bytes.Equal(raw, want) {
				t.Error("ffmpeg returns other samples")
			}
			probe := string(output(t, "ffprobe", "-v", "error", "-show_entries",
				"stream=codec_name,sample_rate,channels,bits_per_raw_sample,duration_ts", "-of", "csv=p=0", path))
			if want := "flac,16000,1,"; !strings.HasPrefix(probe, want) {
				t.Errorf("ffprobe says %q, want %q first", probe, want)
			}
		})
	}
}

func TestFLACOfPiecesAndSilence(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		var want []byte
		var m formattest.Memory
		w, err := format.NewFLACWriter(&m, nil)
		for range rapid.IntRange(1, 20).Draw(rt, "pieces") {
			if rapid.Bool().Draw(rt, "silence") {
				n := rapid.Int64Range(0, 9000).Draw(rt, "samples")
				err = errors.Join(err, w.Silence(t.Context(), n))
				want = append(want, make([]byte, 2*n)...)
				continue
			}
			piece := pcm(rapid.SliceOfN(rapid.Int16(), 0, 640).Draw(rt, "pcm"))
			err = errors.Join(err, w.PCM(piece))
			want = append(want, piece...)
		}
		if err = errors.Join(err, w.Close()); err != nil {
			rt.Fatal(err)
		}
		if n := w.Samples(); n != int64(len(want)/2) {
			rt.Errorf("the writer counts %d samples, %d were given", n, len(want)/2)
		}
		got, _, err := decode(m.B)
		if err != nil || !bytes.Equal(got, want) {
			rt.Errorf("%d bytes came back of %d, or others: %v", len(got), len(want), err)
		}
	})
}

func TestFLACTags(t *testing.T) {
	t.Parallel()
	tags := []format.Tag{{Name: "CALL", Value: "c=1"}, {Name: "PARTICIPANT", Value: "Žofie\n"}, {Name: "EMPTY"}}
	flac := encode(t, func(w *format.FLACWriter) error { return w.Silence(t.Context(), 320) }, tags...)
	_, r, err := decode(flac)
	if err != nil {
		t.Fatal(err)
	}
	path := onDisk(t, "a.flac", flac)
	if d := cmp.Diff(tags, r.Tags()); d != "" {
		t.Errorf("tags (-want +got):\n%s", d)
	}
	if out := string(output(t, "ffprobe", "-v", "error", "-show_entries", "format_tags=CALL", "-of", "csv=p=0", path)); !strings.Contains(out, "c=1") {
		t.Errorf("ffprobe says %q", out)
	}
	if out, want := string(output(t, "metaflac", "--export-tags-to=-", path)), "CALL=c=1\nPARTICIPANT=Žofie\n\nEMPTY=\n"; out != want {
		t.Errorf("metaflac says %q, want %q", out, want)
	}
	if _, err := format.NewFLACWriter(nil, slices.Repeat([]format.Tag{{Name: "A", Value: strings.Repeat("x", 65_000)}}, 300)); err == nil {
		t.Error("tags of more than 16 MiB are accepted")
	}
	for _, bad := range []format.Tag{{}, {Name: "A=B"}, {Name: "Ä"}, {Name: "A", Value: strings.Repeat("x", 70_000)}} {
		if _, err := format.NewFLACWriter(nil, []format.Tag{bad}); err == nil {
			t.Errorf("tag %.10q is accepted", bad.Name)
		}
	}
}

// The header names the smallest and the largest frame (RFC 9639 §8.2).
func TestFLACFrameSizes(t *testing.T) {
	t.Parallel()
	flac := encode(t, func(w *format.FLACWriter) error {
		return errors.Join(w.Silence(t.Context(), 4096), w.PCM(pcm(signals()["noise"][:4096])), w.Silence(t.Context(), 320))
	})
	smallest := int(flac[12])<<16 | int(flac[13])<<8 | int(flac[14])
	largest := int(flac[15])<<16 | int(flac[16])<<8 | int(flac[17])
	if smallest < 8 || smallest > 16 || largest != 6+1+2048+2 {
		t.Errorf("frames of %d to %d bytes; silence takes a dozen, noise two for each sample, header and checksum", smallest, largest)
	}
}

// A file that was damaged, cut or never finished is not taken for a whole one.
func TestFLACDamage(t *testing.T) {
	t.Parallel()
	samples := pcm(signals()["noise"])
	whole := encode(t, func(w *format.FLACWriter) error { return w.PCM(samples) })
	damage := func(at int, b byte) []byte {
		d := bytes.Clone(whole)
		d[at] ^= b
		return d
	}
	tests := map[string]struct {
		file []byte
		want error // nil: any
	}{
		"empty":             {nil, nil},
		"cut":               {whole[:len(whole)-5000], nil},
		"cut in the header": {whole[:30], nil},
		"bit in the audio":  {damage(len(whole)/2, 1), nil},
		"bit in the md5":    {damage(30, 1), format.ErrChecksum},
		"fewer promised":    {damage(25, 1), format.ErrUnfinished},
		"more promised":     {damage(23, 1), format.ErrUnfinished},
		"another rate":      {damage(18, 1), format.ErrFormat},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := decode(tt.file)
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
		})
	}
	t.Run("not closed", func(t *testing.T) {
		t.Parallel()
		var m formattest.Memory
		w, err := format.NewFLACWriter(&m, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err = w.PCM(samples); err != nil {
			t.Fatal(err)
		}
		if _, _, err = decode(m.B); err == nil {
			t.Error("an unfinished file was read without an error")
		}
	})
}

func FuzzReadFLAC(f *testing.F) {
	for _, name := range []string{"one frame", "a bit more", "extremes", "steps"} {
		f.Add(encode(f, func(w *format.FLACWriter) error { return w.PCM(pcm(signals()[name][:320])) }))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := format.NewFLACReader(bytes.NewReader(b))
		if err != nil {
			return
		}
		n, err := io.Copy(io.Discard, evenly{r})
		if err == nil && n != 2*r.Samples() {
			t.Errorf("%d bytes of samples, %d samples promised", n, r.Samples())
		}
	})
}
