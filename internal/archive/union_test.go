package archive_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/recorderbot/recorderbot/internal/archive"
	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// twin archives what a bot has of a conversation of 100 frames: those that it hears, from
// its first one on.
func twin(t *testing.T, id string, from int, heard func(i int) bool, change func(*archive.Job)) (folder string, want [][]byte) {
	t.Helper()
	voice := newScript(t)
	s := newScript(t)
	s.records[0].Permit.ID = id
	s.note(t, "opened", map[string]any{"firstSeq": 1})
	for i := range 100 {
		pcm := voice.noise()
		want = append(want, toBytes(pcm))
		switch {
		case i < from:
			s.tick()
		case heard(i):
			s.seq++
			s.frames++
			s.add(spool.Record{Type: spool.FrameType, Payload: toBytes(pcm), Header: frame.Header{Seq: s.seq, MediaTime: s.now, Kind: frame.MixedAudio}})
			s.tick()
		default:
			s.lose(1, frame.CauseOverflow)
		}
	}
	s.seal(s.seq)
	job := s.job(t, recorder.OutcomeRecordedWithGaps)
	job.Recording = id
	if change != nil {
		change(&job)
	}
	r, err := open(t).Assemble(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	return r.Path, want
}

func folder(path string) []archive.UnionFolder { return []archive.UnionFolder{{Path: path}} }

// TestUnite: of two recordings of one conversation a gap remains only where both have it,
// and every other sample is that of one of them.
func TestUnite(t *testing.T) {
	t.Parallel()
	first, voice := twin(t, "first", 0, func(i int) bool { return i < 30 || i >= 50 }, nil)
	second, _ := twin(t, "second", 5, func(i int) bool { return i < 40 || i >= 45 && i < 60 || i >= 70 }, nil)
	out := filepath.Join(t.TempDir(), "union")
	u, err := archive.Unite(t.Context(), folder(first), folder(second), out, false)
	if err != nil {
		t.Fatal(err)
	}
	const f = frame.AudioSamples
	parts := []archive.UnionPart{{0, 30 * f, 0}, {30 * f, 10 * f, 1}, {40 * f, 5 * f, -1}, {45 * f, 5 * f, 1}, {50 * f, 50 * f, 0}}
	if len(u.Tracks) != 1 || u.Tracks[0].GapSamples != 5*f || u.Tracks[0].Samples != 100*f {
		t.Fatalf("%+v", u.Tracks)
	}
	if diff := cmp.Diff(parts, u.Tracks[0].Parts); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	clear(voice[40])
	for i := 41; i < 45; i++ {
		clear(voice[i])
	}
	if got := decodeFLAC(t, filepath.Join(out, "audio-mixed.flac")); !bytes.Equal(got, slices.Concat(voice...)) {
		t.Error("the union holds other samples")
	}
	data, err := os.ReadFile(filepath.Join(out, archive.UnionName))
	var told archive.Union
	if err != nil || json.Unmarshal(data, &told) != nil || !cmp.Equal(told, *u) {
		t.Errorf("%s, %v", data, err)
	}
	if _, err = archive.Unite(t.Context(), folder(first), folder(second), out, false); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over what is there: %v", err)
	}
}

// TestUniteRefused: what does not belong together, or was changed, is not united, and
// nothing is left of the attempt.
func TestUniteRefused(t *testing.T) {
	t.Parallel()
	all := func(i int) bool { return i != 7 }
	first, _ := twin(t, "first", 0, all, nil)
	stranger, _ := twin(t, "stranger", 0, all, func(j *archive.Job) {
		j.Facts.CallChain, j.Facts.ThreadID, j.Facts.ObservedParticipant = "other", "", ""
	})
	foreign, _ := twin(t, "foreign", 0, all, func(j *archive.Job) { j.Facts.Tenant = "22222222-2222-2222-2222-222222222222" })
	broken, _ := twin(t, "broken", 0, all, nil)
	name := filepath.Join(broken, "audio-mixed.flac")
	if err := errors.Join(os.Chmod(name, 0o600), os.Truncate(name, 100)); err != nil {
		t.Fatal(err)
	}
	for other, want := range map[string]error{stranger: archive.ErrNotOneConversation, foreign: archive.ErrNotOneConversation, broken: archive.ErrChanged, first: nil} {
		dir := t.TempDir()
		if _, err := archive.Unite(t.Context(), folder(first), folder(other), filepath.Join(dir, "union"), false); err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", filepath.Base(other), err, want)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
			t.Errorf("%s: left %v, %v", filepath.Base(other), left, err)
		}
	}
}
