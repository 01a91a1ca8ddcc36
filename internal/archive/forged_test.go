package archive_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/recorderbot/recorderbot/internal/archive"
	"github.com/recorderbot/recorderbot/internal/media/durable"
	"github.com/recorderbot/recorderbot/internal/media/format"
	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// everything is two speakers and a camera.
func everything(t *testing.T) *script {
	t.Helper()
	all := pictures(t)
	s := newScript(t)
	s.note(t, "opened", map[string]any{"firstSeq": 1})
	media := func(h frame.Header, payload []byte) {
		s.seq++
		s.frames++
		h.Seq, h.MediaTime = s.seq, s.now
		s.add(spool.Record{Type: spool.FrameType, Payload: payload, Header: h})
	}
	for i := range 40 {
		media(frame.Header{Kind: frame.UnmixedAudio, Source: 7}, toBytes(s.noise()))
		if i > 20 {
			media(frame.Header{Kind: frame.UnmixedAudio, Source: 9}, toBytes(s.noise()))
		}
		if i%4 == 0 && i/4 < len(all) {
			media(frame.Header{Kind: frame.Video, Source: 12, Width: 64, Height: 48}, all[i/4])
		}
		s.tick()
	}
	s.seal(s.seq)
	return s
}

// TestForgedMedia: whoever writes a file anew, and its hash into the manifest, is found by
// the check where the file is not what its tracks make it, or not what is said of it.
func TestForgedMedia(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		file  string
		forge func(t *testing.T, path string, m *archive.Manifest)
	}{
		"another mix": {archive.MixName, func(t *testing.T, path string, _ *archive.Manifest) {
			t.Helper()
			pcm := decodeFLAC(t, path)
			pcm[len(pcm)/2] ^= 1
			writeFLAC(t, path, pcm)
		}},
		"a longer mix": {archive.MixName, func(t *testing.T, path string, m *archive.Manifest) {
			t.Helper()
			writeFLAC(t, path, append(decodeFLAC(t, path), 0, 0))
			m.Mix.Samples++
		}},
		"a shorter mix": {archive.MixName, func(t *testing.T, path string, m *archive.Manifest) {
			t.Helper()
			pcm := decodeFLAC(t, path)
			writeFLAC(t, path, pcm[2:])
			m.Mix.Samples--
		}},
		"clipped samples that are none": {archive.MixName, func(_ *testing.T, _ string, m *archive.Manifest) { m.Mix.ClippedSamples++ }},
		"no word of the mix":            {archive.MixName, func(_ *testing.T, _ string, m *archive.Manifest) { m.Mix = nil }},
		"a film cut off": {"video-12.mp4", func(t *testing.T, path string, _ *archive.Manifest) {
			t.Helper()
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			replace(t, path, b[:len(b)-20])
		}},
		"key frames that are none": {"video-12.mp4", func(_ *testing.T, _ string, m *archive.Manifest) { film(m).KeyFrames++ }},
		"damage that is none":      {"video-12.mp4", func(_ *testing.T, _ string, m *archive.Manifest) { film(m).DamagedFrames++ }},
		"a longer film":            {"video-12.mp4", func(_ *testing.T, _ string, m *archive.Manifest) { film(m).DurationTicks++ }},
		"another size":             {"video-12.mp4", func(_ *testing.T, _ string, m *archive.Manifest) { film(m).Width++ }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, m := everything(t).archived(t, recorder.OutcomeRecorded)
			tt.forge(t, filepath.Join(r.Path, tt.file), m)
			sign(t, r.Path, tt.file, m)
			_, findings := archive.CheckFolder(r.Path)
			if len(findings) != 1 || findings[0].Kind != archive.FindingMedia || findings[0].File != tt.file {
				t.Errorf("%v", findings)
			}
		})
	}
}

// film is the manifest's only track of video.
func film(m *archive.Manifest) *archive.Track {
	return &m.Tracks[slices.IndexFunc(m.Tracks, func(t archive.Track) bool { return t.Kind == "video" })]
}

func writeFLAC(t *testing.T, path string, pcm []byte) {
	t.Helper()
	file, err := durable.CreateHidden(path, 0o440)
	if err != nil {
		t.Fatal(err)
	}
	w, err := format.NewFLACWriter(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err = w.PCM(pcm); err != nil {
		t.Fatal(err)
	}
	if err = w.Close(); err != nil {
		t.Fatal(err)
	}
	if err = file.Commit(); err != nil {
		t.Fatal(err)
	}
}

func replace(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := durable.WriteFile(path, b, 0o440); err != nil {
		t.Fatal(err)
	}
}

// sign writes the manifest anew, with the file's hash.
func sign(t *testing.T, dir, file string, m *archive.Manifest) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(filepath.Clean(dir), file))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(b)
	for i := range m.Files {
		if m.Files[i].Name == file {
			m.Files[i].Size, m.Files[i].SHA256 = int64(len(b)), hex.EncodeToString(sum[:])
		}
	}
	rewrite(t, dir, m)
}
