package archive_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/recorderbot/recorderbot/internal/archive"
	"github.com/recorderbot/recorderbot/internal/media/durable"
	"github.com/recorderbot/recorderbot/internal/media/format"
	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestAssemble(t *testing.T) {
	t.Parallel()
	a, s := open(t), ordinary(t)
	r, err := a.Assemble(t.Context(), s.job(t, recorder.OutcomeRecordedWithGaps))
	if err != nil {
		t.Fatal(err)
	}
	const total, missing = (100 + 5 + 30 + 1 + 40) * frame.AudioSamples, 6 * frame.AudioSamples
	if r.Samples != total || r.GapSamples != missing || r.Path != a.Path(recording) {
		t.Errorf("%d samples, %d missing, in %s; want %d, %d, in %s", r.Samples, r.GapSamples, r.Path, total, missing, a.Path(recording))
	}
	m, findings := archive.CheckFolder(r.Path)
	for _, f := range findings {
		t.Error(f)
	}
	if m.StoredSamples+m.GapSamples != m.Samples || m.FramesDiscarded != 42 {
		t.Errorf("manifest: %d stored + %d missing, %d samples, %d discarded", m.StoredSamples, m.GapSamples, m.Samples, m.FramesDiscarded)
	}
	manifest, err := os.ReadFile(filepath.Join(r.Path, archive.ManifestName))
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(manifest); hex.EncodeToString(sum[:]) != r.ManifestSHA256 {
		t.Error("the result's hash is not the manifest's")
	}
	want := toBytes(s.want["audio-mixed"])
	path := filepath.Join(r.Path, "audio-mixed.flac")
	if !bytes.Equal(decodeFLAC(t, path), want) {
		t.Error("our decoder gives other samples than the spool")
	}
	output(t, "flac", "--silent", "--test", "--warnings-as-errors", path)
	if raw := output(t, "ffmpeg", "-v", "error", "-xerror", "-i", path, "-f", "s16le", "-"); !bytes.Equal(raw, want) {
		t.Error("ffmpeg gives other samples than the spool")
	}
	tags := string(output(t, "ffprobe", "-v", "error", "-show_entries", "format_tags", "-of", "json", path))
	for _, tag := range []string{recording, string(call), "p-1", "2026-11-24T10:00:02Z"} {
		if !strings.Contains(tags, tag) {
			t.Errorf("the file's tags lack %q: %s", tag, tags)
		}
	}
}

func TestManifestGolden(t *testing.T) {
	t.Parallel()
	for range 2 { // equal jobs, equal bytes
		r, err := open(t).Assemble(t.Context(), ordinary(t).job(t, recorder.OutcomeRecordedWithGaps))
		if err != nil {
			t.Fatal(err)
		}
		golden(t, filepath.Join("testdata", "manifest.golden.json"), filepath.Join(r.Path, archive.ManifestName))
		golden(t, filepath.Join("testdata", "events.golden.jsonl"), filepath.Join(r.Path, archive.EventsName))
	}
}

func golden(t *testing.T, want, got string) {
	t.Helper()
	g, err := os.ReadFile(filepath.Clean(got))
	if err != nil {
		t.Fatal(err)
	}
	g = bytes.ReplaceAll(g, []byte(`"go": "`+runtime.Version()+`"`), []byte(`"go": "go"`))
	if *update {
		if err = durable.WriteFile(want, g, 0o640); err != nil {
			t.Fatal(err)
		}
	}
	w, err := os.ReadFile(filepath.Clean(want))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(w), string(g)); d != "" {
		t.Errorf("%s (-want +got), -update rewrites it:\n%s", want, d)
	}
}

func TestAssembleAgain(t *testing.T) {
	t.Parallel()
	a, s := open(t), ordinary(t)
	job := s.job(t, recorder.OutcomeRecordedWithGaps)
	first, err := a.Assemble(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	job.Read = func() iter.Seq2[spool.Record, error] {
		return func(yield func(spool.Record, error) bool) {
			yield(spool.Record{}, errors.New("the spool was read again"))
		}
	}
	job.Previous = "" // it may have changed meanwhile
	second, err := a.Assemble(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(first, second); d != "" {
		t.Errorf("the second run's result differs (-first +second):\n%s", d)
	}
}

// Unmixed audio becomes a file for each source, video one in raw form; all on
// one clock.
func TestAssembleAllKinds(t *testing.T) {
	t.Parallel()
	s := newScript(t)
	var video []byte
	for i := range 90 {
		for _, source := range []uint32{7, 9} {
			if source == 9 && i < 50 {
				continue // begins to speak later
			}
			s.seq++
			s.frames++
			pcm := s.noise()
			id := fmt.Sprintf("audio-%d", source)
			if s.want[id] == nil {
				s.want[id] = make([]int16, i*frame.AudioSamples)
			}
			s.want[id] = append(s.want[id], pcm...)
			s.add(spool.Record{Type: spool.FrameType, Payload: toBytes(pcm), Header: frame.Header{
				Seq: s.seq, MediaTime: s.now, Kind: frame.UnmixedAudio, Source: source,
			}})
		}
		if i%3 == 0 {
			s.seq++
			s.frames++
			unit := bytes.Repeat([]byte{0, 0, 0, 1, 0x65, byte(i)}, 300)
			video = append(video, unit...)
			s.add(spool.Record{Type: spool.FrameType, Payload: unit, Header: frame.Header{
				Seq: s.seq, MediaTime: s.now, Kind: frame.Video, Source: 12, Socket: 1,
			}})
		}
		s.tick()
	}
	s.seal(s.seq)
	job := s.job(t, recorder.OutcomeRecorded)
	r, err := open(t).Assemble(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	m, findings := archive.CheckFolder(r.Path)
	for _, f := range findings {
		t.Error(f)
	}
	for id, want := range s.want {
		if !bytes.Equal(decodeFLAC(t, filepath.Join(r.Path, id+".flac")), toBytes(want)) {
			t.Errorf("%s holds other samples", id)
		}
	}
	got, err := os.ReadFile(filepath.Join(r.Path, "video-12.h264"))
	if err != nil || !bytes.Equal(got, video) {
		t.Errorf("the video is not what was stored: %v", err)
	}
	who := map[string]string{}
	for _, tr := range m.Tracks {
		for _, p := range tr.Participants {
			who[tr.ID] += p.ID
		}
		if !tr.StartsAt.Equal(m.StartedAt) && tr.Kind == "audio" {
			t.Errorf("%s starts at %v, the recording at %v", tr.ID, tr.StartsAt, m.StartedAt)
		}
	}
	if d := cmp.Diff(map[string]string{"audio-7": "p-1", "audio-9": "p-2"}, who); d != "" {
		t.Errorf("participants of the tracks (-want +got):\n%s", d)
	}
}

// Whatever was stored and lost, the archive holds it sample by sample.
func TestAssembleAnything(t *testing.T) {
	t.Parallel()
	root, runs := t.TempDir(), 0
	rapid.Check(t, func(rt *rapid.T) {
		s := newScript(t)
		s.note(t, "opened", map[string]any{"firstSeq": 1})
		outcome := recorder.OutcomeRecorded
		for range rapid.IntRange(1, 6).Draw(rt, "pieces") {
			if rapid.Bool().Draw(rt, "loss") {
				outcome = recorder.OutcomeRecordedWithGaps
				s.lose(rapid.IntRange(1, 30).Draw(rt, "lost"), rapid.SampledFrom([]frame.GapCause{"overflow", "unannounced"}).Draw(rt, "cause"))
			}
			s.audio(rapid.IntRange(1, 16).Draw(rt, "frames"))
			if rapid.Bool().Draw(rt, "repeat") {
				s.records = append(s.records, s.records[len(s.records)-1])
				s.frames++
			}
		}
		last := s.seq
		if n := rapid.IntRange(0, 3).Draw(rt, "tail"); n > 0 {
			outcome = recorder.OutcomeRecordedWithGaps
			s.lose(n, "unannounced")
			last = s.seq
		}
		s.seal(last)
		runs++
		a, err := archive.Open("file:"+filepath.Join(root, strconv.Itoa(runs)), "", archive.Options{})
		if err != nil {
			rt.Fatal(err)
		}
		r, err := a.Assemble(context.Background(), s.job(t, outcome))
		if err != nil {
			rt.Fatal(err)
		}
		if _, findings := archive.CheckFolder(r.Path); len(findings) > 0 {
			rt.Error(findings)
		}
		if !bytes.Equal(decodeFLAC(t, filepath.Join(r.Path, "audio-mixed.flac")), toBytes(s.want["audio-mixed"])) {
			rt.Error("the archive holds other samples than the spool")
		}
	})
}

func TestExportWAV(t *testing.T) {
	t.Parallel()
	s := ordinary(t)
	r, err := open(t).Assemble(t.Context(), s.job(t, recorder.OutcomeRecordedWithGaps))
	if err != nil {
		t.Fatal(err)
	}
	var dst string
	for _, track := range []string{"", "audio-mixed"} {
		dst = filepath.Join(t.TempDir(), "a.wav")
		if err = archive.ExportWAV(t.Context(), r.Path, r.ManifestSHA256, track, dst); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(dst)
		if err != nil {
			t.Fatal(err)
		}
		pcm, n, err := format.ReadWAV(f)
		if err != nil {
			t.Fatal(err)
		}
		got := new(bytes.Buffer)
		if _, err = got.ReadFrom(pcm); err != nil {
			t.Fatal(err)
		}
		if want := toBytes(s.want["audio-mixed"]); n != r.Samples || !bytes.Equal(got.Bytes(), want) {
			t.Errorf("track %q: %d samples of %d, or others", track, n, r.Samples)
		}
		_ = f.Close()
	}
	if raw := output(t, "ffmpeg", "-v", "error", "-xerror", "-i", dst, "-f", "s16le", "-"); !bytes.Equal(raw, toBytes(s.want["audio-mixed"])) {
		t.Error("ffmpeg reads other samples from the wav")
	}
}

// TestExportWAVRefuses: nothing is written where something is, nor from a folder
// that is not, to the last byte of all its files, what was published.
func TestExportWAVRefuses(t *testing.T) {
	t.Parallel()
	none := func(*testing.T, string, string) {}
	file := func(name string, change func([]byte) []byte) func(*testing.T, string, string) {
		return func(t *testing.T, folder, _ string) {
			t.Helper()
			path := filepath.Join(folder, name)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err = errors.Join(os.Remove(path), os.WriteFile(path, change(b), 0o600)); err != nil {
				t.Fatal(err)
			}
		}
	}
	cut := func(b []byte) []byte { return b[:len(b)-10] }
	for name, tt := range map[string]struct {
		track string
		spoil func(t *testing.T, folder, dst string)
		want  error  // nil: any
		text  string // in the error
	}{
		"file there": {"", func(t *testing.T, _, dst string) {
			t.Helper()
			if err := os.WriteFile(dst, []byte("mine"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, fs.ErrExist, "a.wav"},
		"link to nowhere there": {"", func(t *testing.T, _, dst string) {
			t.Helper()
			if err := os.Symlink("nowhere", dst); err != nil {
				t.Fatal(err)
			}
		}, fs.ErrExist, "a.wav"},
		"unknown track":   {"audio-7", none, nil, "audio-mixed"},
		"damaged track":   {"", file("audio-mixed.flac", func(b []byte) []byte { b[500] ^= 1; return b }), archive.ErrChanged, "audio-mixed.flac"},
		"edited manifest": {"", file(archive.ManifestName, func(b []byte) []byte { return bytes.Replace(b, []byte("callEnded"), []byte("callGone"), 1) }), archive.ErrChanged, "SHA-256"},
		"cut events":      {"", file(archive.EventsName, cut), archive.ErrChanged, archive.EventsName},
		"cut manifest":    {"", file(archive.ManifestName, cut), archive.ErrChanged, archive.ManifestName},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := open(t).Assemble(t.Context(), ordinary(t).job(t, recorder.OutcomeRecordedWithGaps))
			if err != nil {
				t.Fatal(err)
			}
			dst := filepath.Join(t.TempDir(), "a.wav")
			tt.spoil(t, r.Path, dst)
			before := names(t, filepath.Dir(dst))
			err = archive.ExportWAV(t.Context(), r.Path, r.ManifestSHA256, tt.track, dst)
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("error %v, want %v with %q", err, tt.want, tt.text)
			}
			if after := names(t, filepath.Dir(dst)); !slices.Equal(before, after) {
				t.Errorf("it left %v", after)
			}
			if b, err := os.ReadFile(dst); err == nil && string(b) != "mine" {
				t.Error("what was there is another file now")
			}
		})
	}
}

func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func TestOpen(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "archive", "file:", "file://archive", "s3://bucket", "azblob://x", "ftp://x", "file:a?b"} {
		if _, err := archive.Open(url, t.TempDir(), archive.Options{}); err == nil {
			t.Errorf("%q is accepted", url)
		}
	}
	dir := t.TempDir()
	a, err := archive.Open("file://"+dir+"/deep/er", "", archive.Options{})
	if err != nil || a.Dir() != filepath.Join(dir, "deep", "er") {
		t.Errorf("directory %v: %v", a, err)
	}
}

// empty checks that nothing is left in a directory.
func empty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Errorf("%s is left behind", e.Name())
	}
}
