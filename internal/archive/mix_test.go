package archive_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/archive"
	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// TestMix: the mix is the sum of the tracks, to the sample, and where that is too loud it
// is counted.
func TestMix(t *testing.T) {
	t.Parallel()
	s := newScript(t)
	s.note(t, "opened", map[string]any{"firstSeq": 1})
	speak := func(source uint32, pcm []int16) {
		s.seq++
		s.frames++
		s.add(spool.Record{Type: spool.FrameType, Payload: toBytes(pcm), Header: frame.Header{
			Seq: s.seq, MediaTime: s.now, Kind: frame.UnmixedAudio, Source: source,
		}})
	}
	loud := make([]int16, frame.AudioSamples)
	for i := range loud {
		loud[i] = 20000
	}
	for i := range 100 {
		speak(7, s.noise())
		if i >= 40 && i < 70 {
			speak(9, loud)
			speak(11, loud)
		}
		s.tick()
	}
	s.seal(s.seq)
	r, m := s.archived(t, recorder.OutcomeRecorded)
	if m.Mix == nil || m.Mix.File != archive.MixName {
		t.Fatalf("mix %+v", m.Mix)
	}
	var sums []int
	for _, tr := range m.Tracks {
		pcm := decodeFLAC(t, filepath.Join(r.Path, tr.File))
		for i := range len(pcm) / 2 {
			if i == len(sums) {
				sums = append(sums, 0)
			}
			sums[i] += int(int16(binary.LittleEndian.Uint16(pcm[2*i:])))
		}
	}
	got, clipped := decodeFLAC(t, filepath.Join(r.Path, archive.MixName)), int64(0)
	if len(got) != 2*len(sums) || m.Mix.Samples != int64(len(sums)) {
		t.Fatalf("%d samples, %+v; want %d", len(got)/2, m.Mix, len(sums))
	}
	for i, sum := range sums {
		want := min(max(sum, math.MinInt16), math.MaxInt16)
		if want != sum {
			clipped++
		}
		if is := int(int16(binary.LittleEndian.Uint16(got[2*i:]))); is != want {
			t.Fatalf("sample %d is %d, want %d", i, is, want)
		}
	}
	for _, track := range []string{"", "mix"} {
		dst := filepath.Join(t.TempDir(), "mix.wav")
		if err := archive.ExportWAV(t.Context(), r.Path, r.ManifestSHA256, track, dst); err != nil {
			t.Fatal(err)
		}
		wav, err := os.ReadFile(dst)
		if err != nil || !bytes.HasSuffix(wav, got) || len(wav) != len(got)+44 {
			t.Errorf("as WAV %q has %d bytes, want %d and a header: %v", track, len(wav), len(got), err)
		}
	}
	if clipped == 0 || m.Mix.ClippedSamples != clipped {
		t.Errorf("%d samples clipped, the manifest says %d", clipped, m.Mix.ClippedSamples)
	}
}

// TestManySpeakers: whoever spoke in a large meeting has a track, and is in the mix.
func TestManySpeakers(t *testing.T) {
	t.Parallel()
	s := apart(t)
	const people = 150
	for i := range uint32(people) {
		for range 2 {
			s.speak(100 + i)
			s.tick()
		}
	}
	s.seal(s.seq)
	_, m := s.archived(t, recorder.OutcomeRecorded)
	if len(m.Tracks) != people || m.Mix == nil || m.Mix.Samples != 2*people*frame.AudioSamples {
		t.Errorf("%d tracks, mix %+v", len(m.Tracks), m.Mix)
	}
}

// TestSilenceIsNotMissing: of a call in two recordings in which speakers fall silent
// nothing is missing, neither of the one nor, for the other, of the one before.
func TestSilenceIsNotMissing(t *testing.T) {
	t.Parallel()
	part := func(change func(*archive.Job)) archive.Result {
		s := apart(t)
		for i := range 200 {
			s.speak(7)
			if i < 20 || i >= 150 {
				s.speak(9)
			}
			s.tick()
		}
		s.seal(s.seq)
		job := s.job(t, recorder.OutcomeRecorded)
		change(&job)
		r, err := open(t).Assemble(t.Context(), job)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	first := part(func(*archive.Job) {})
	if first.GapSamples != 0 {
		t.Errorf("%d samples are missing of silence", first.GapSamples)
	}
	second := part(func(j *archive.Job) {
		j.Others = []archive.Other{{Recording: "first", Samples: first.Samples, GapSamples: first.GapSamples, EndedAt: first.EndedAt}}
	})
	for _, r := range []archive.Result{first, second} {
		m, findings := archive.CheckFolder(r.Path)
		for _, f := range findings {
			t.Error(f)
		}
		if m.GapSamples != 130*frame.AudioSamples || m.Duration() != 4*time.Second {
			t.Errorf("%d samples in gaps, for %v", m.GapSamples, m.Duration())
		}
	}
}
