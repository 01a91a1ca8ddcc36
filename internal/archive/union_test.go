package archive_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
	const noone = "00000000-0000-0000-0000-000000000000"
	first, _ := twin(t, "first", 0, all, func(j *archive.Job) { j.Facts.ObservedParticipant = noone })
	stranger, _ := twin(t, "stranger", 0, all, func(j *archive.Job) {
		j.Facts.CallChain, j.Facts.ThreadID, j.Facts.ObservedParticipant = "other", "", noone
		j.Facts.Call, j.Conclusion.Call = "other", "other"
		each(j, func(r *spool.Record) {
			if r.Type == spool.PermitType {
				permit := *r.Permit
				permit.Evidence.Call = "other"
				permit.Meta = bytes.ReplaceAll(permit.Meta, []byte(call), []byte("other"))
				r.Permit = &permit
			}
		})
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

// TestUniteByEar: the clocks of the two are not the same, by something that is no whole
// sample either, and what is heard in both tells how they lie beside each other.
func TestUniteByEar(t *testing.T) {
	t.Parallel()
	const f = frame.AudioSamples
	heard := func(i int) bool { return i < 60 || i >= 70 }
	for name, tt := range map[string]struct {
		ahead   int64 // ticks by which the second's clock is
		shift   int64
		muffled bool
	}{
		"the same":            {},
		"ahead":               {ahead: 350 * 10_000, shift: -350 * 16},
		"behind, in a sample": {ahead: -500*10_000 - 200, shift: 500 * 16},
		"as far as it goes":   {ahead: 2 * 10_000_000, shift: -2 * 16000},
		"ahead, and muffled":  {ahead: 350 * 10_000, shift: -350 * 16, muffled: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first, voice := twin(t, "first", 0, heard, nil)
			second, _ := twin(t, "second", 4, func(i int) bool { return i < 30 || i >= 40 }, func(j *archive.Job) {
				hasten(j, tt.ahead)
				if tt.muffled {
					muffle(j)
				}
			})
			out := filepath.Join(t.TempDir(), "union")
			u, err := archive.Unite(t.Context(), folder(first), folder(second), out, false)
			if err != nil {
				t.Fatal(err)
			}
			if c := u.Clock; c.By != "audio" || c.ShiftSamples != tt.shift || c.Alike == 0 || c.SpreadSamples != 0 {
				t.Errorf("%+v, want a shift by %d", c, tt.shift)
			}
			parts := []archive.UnionPart{{0, 60 * f, 0}, {60 * f, 10 * f, 1}, {70 * f, 30 * f, 0}}
			if diff := cmp.Diff(parts, u.Tracks[0].Parts); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			if got := decodeFLAC(t, filepath.Join(out, "audio-mixed.flac")); !tt.muffled && !bytes.Equal(got, slices.Concat(voice...)) {
				t.Error("the union holds other samples")
			}
		})
	}
}

// hasten lets a recording's clock be ahead.
func hasten(j *archive.Job, ticks int64) {
	each(j, func(r *spool.Record) {
		if r.Type == spool.FrameType {
			r.Header.MediaTime += ticks
		}
	})
}

// muffle lets a recording sound as if it had come on another way: softer, and with noise.
func muffle(j *archive.Job) {
	each(j, func(r *spool.Record) {
		noise := uint32(r.Header.Seq) // the same each time it is read
		r.Payload = bytes.Clone(r.Payload)
		for i := 0; i+1 < len(r.Payload); i += 2 {
			noise = noise*1664525 + 1013904223
			s := int16(binary.LittleEndian.Uint16(r.Payload[i:]))
			binary.LittleEndian.PutUint16(r.Payload[i:], uint16(s/2+int16(noise>>16)/16))
		}
	})
}

// each changes the records of a recording.
func each(j *archive.Job, change func(*spool.Record)) {
	read := j.Read
	j.Read = func() iter.Seq2[spool.Record, error] {
		return func(yield func(spool.Record, error) bool) {
			for r, err := range read() {
				change(&r)
				if !yield(r, err) {
					return
				}
			}
		}
	}
}

// TestUniteStrangers: two that say they are of one conversation, and sound otherwise, are
// laid beside each other only if somebody insists; and never where they were hours apart.
func TestUniteStrangers(t *testing.T) {
	t.Parallel()
	all := func(i int) bool { return i != 7 }
	first, _ := twin(t, "first", 0, all, nil)
	other, _ := twin(t, "other", 0, all, func(j *archive.Job) {
		each(j, func(r *spool.Record) {
			r.Payload = bytes.Clone(r.Payload)
			for i := range r.Payload { // something else at each place
				r.Payload[i] ^= byte(int(r.Header.Seq)*i*7 + i*i)
			}
		})
	})
	late, _ := twin(t, "late", 0, all, func(j *archive.Job) { hasten(j, 6*60*10_000_000) })
	try := func(b string, byClock bool) (*archive.Union, error) {
		return archive.Unite(t.Context(), folder(first), folder(b), filepath.Join(t.TempDir(), "union"), byClock)
	}
	if _, err := try(other, false); !errors.Is(err, archive.ErrNotAlike) {
		t.Errorf("of another sound: %v", err)
	}
	if u, err := try(other, true); err != nil || u.Clock.By != "clock" || u.Clock.ShiftSamples != 0 {
		t.Errorf("by the clock: %+v, %v", u, err)
	}
	if _, err := try(late, true); err == nil || !strings.Contains(err.Error(), "they were not at the same time: one from 2026-11-24T10:00:02Z") {
		t.Errorf("of another time: %v", err)
	}
}

// TestUniteTheWrongFolder: a folder that agrees with itself and is not what was entered of
// it is not united.
func TestUniteTheWrongFolder(t *testing.T) {
	t.Parallel()
	first, _ := twin(t, "first", 0, func(i int) bool { return i != 7 }, nil)
	second, _ := twin(t, "second", 0, func(i int) bool { return i != 9 }, nil)
	sum, err := archive.ManifestSHA256(first)
	if err != nil {
		t.Fatal(err)
	}
	entered := []archive.UnionFolder{{Path: second, ManifestSHA256: sum}}
	if _, err = archive.Unite(t.Context(), folder(first), entered, filepath.Join(t.TempDir(), "union"), false); !errors.Is(err, archive.ErrChanged) {
		t.Error(err)
	}
}

// TestUniteSpeakers: a source that one recording took for silent was heard where the other
// one has it. A frame that is lost without a word looks like silence of a source.
func TestUniteSpeakers(t *testing.T) {
	t.Parallel()
	voice := newScript(t)
	var want []byte
	var both [2]*script
	for k := range both {
		both[k] = apart(t)
	}
	both[1].records[0].Permit.ID = "second"
	for i := range 200 {
		pcm := toBytes(voice.noise())
		want = append(want, pcm...)
		for k, s := range both {
			if k == 1 || i < 50 || i >= 100 { // of the second what both have is not taken
				s.seq++
				s.frames++
				s.add(spool.Record{Type: spool.FrameType, Payload: pcm, Header: frame.Header{Seq: s.seq, MediaTime: s.now, Kind: frame.UnmixedAudio, Source: 7}})
			}
			s.tick()
		}
	}
	var folders []string
	for k, s := range both {
		s.seal(s.seq)
		job := s.job(t, recorder.OutcomeRecorded)
		if k == 1 {
			job.Recording = "second"
		}
		r, err := open(t).Assemble(t.Context(), job)
		if err != nil {
			t.Fatal(err)
		}
		folders = append(folders, r.Path)
	}
	out := filepath.Join(t.TempDir(), "union")
	u, err := archive.Unite(t.Context(), folder(folders[0]), folder(folders[1]), out, false)
	if err != nil {
		t.Fatal(err)
	}
	const f = frame.AudioSamples
	if diff := cmp.Diff([]archive.UnionPart{{0, 50 * f, 0}, {50 * f, 50 * f, 1}, {100 * f, 100 * f, 0}}, u.Tracks[0].Parts); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if got := decodeFLAC(t, filepath.Join(out, "audio-7.flac")); !bytes.Equal(got, want) {
		t.Error("the union holds other samples")
	}
}
