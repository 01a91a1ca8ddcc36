package archive_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/media/format/mp4"
	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// pictures are the access units of a clip: the units up to each slice.
func pictures(t *testing.T) (all [][]byte) {
	t.Helper()
	clip, err := os.ReadFile(filepath.Join("..", "media", "format", "mp4", "testdata", "tiny.h264"))
	if err != nil {
		t.Fatal(err)
	}
	start := []byte{0, 0, 0, 1}
	var one []byte
	for _, unit := range bytes.Split(clip, []byte{0, 0, 1})[1:] {
		unit = bytes.TrimRight(unit, "\x00")
		one = append(append(one, start...), unit...)
		if kind := unit[0] & 0x1f; kind == 1 || kind == 5 {
			all = append(all, one)
			one = nil
		}
	}
	if len(all) < 4 {
		t.Fatalf("%d pictures", len(all))
	}
	return all
}

// TestVideoBesideAudio: a camera's frames are in an mp4, byte for byte and on the clock of
// the audio; what is missing of them is missing of nothing else.
func TestVideoBesideAudio(t *testing.T) {
	t.Parallel()
	all := pictures(t)
	s := newScript(t)
	s.note(t, "opened", map[string]any{"firstSeq": 1})
	picture := func(p []byte) {
		s.seq++
		s.frames++
		s.add(spool.Record{Type: spool.FrameType, Payload: p, Header: frame.Header{
			Seq: s.seq, MediaTime: s.now + 12345, Kind: frame.Video, Source: 12, Width: 64, Height: 48,
		}})
	}
	s.audio(3)
	begins := s.now + 12345
	for _, p := range all {
		picture(p)
		s.audio(2)
	}
	s.add(spool.Record{Type: spool.GapType, Gap: frame.Gap{Kind: frame.Video, Source: 12, FirstSeq: s.seq + 1, Count: 2, Cause: frame.CauseOverflow}})
	s.seq += 2
	picture(all[0])
	s.audio(2)
	s.seal(s.seq)
	r, m := s.archived(t, recorder.OutcomeRecordedWithGaps)
	if !bytes.Equal(decodeFLAC(t, filepath.Join(r.Path, "audio-mixed.flac")), toBytes(s.want["audio-mixed"])) {
		t.Error("the audio holds other samples")
	}
	tr := m.Tracks[1]
	if tr.File != "video-12.mp4" || tr.MediaTime != begins || tr.Width == 0 || tr.KeyFrames < 2 || tr.UndecodableFrames != 0 ||
		len(tr.Gaps) != 1 || tr.Gaps[0].Frames != 2 || tr.Gaps[0].Cause != frame.CauseOverflow {
		t.Errorf("%+v", tr)
	}
	file, err := os.Open(filepath.Join(r.Path, tr.File))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close() //nolint:errcheck // it was only read
	movie, err := mp4.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range append(all, all[0]) {
		got, short := movie.Next()
		if short != nil || !bytes.Equal(got.Data, want) {
			t.Fatalf("picture %d: %v", i, short)
		}
	}
	if _, err = movie.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("one more picture: %v", err)
	}
}

// TestVideoWithoutKeyFrame: what cannot be shown is kept as it came.
func TestVideoWithoutKeyFrame(t *testing.T) {
	t.Parallel()
	all := pictures(t)
	s := newScript(t)
	s.note(t, "opened", map[string]any{"firstSeq": 1})
	s.audio(3)
	s.seq++
	s.frames++
	s.add(spool.Record{Type: spool.FrameType, Payload: all[1], Header: frame.Header{Seq: s.seq, MediaTime: s.now, Kind: frame.Screen, Source: 4}})
	s.seal(s.seq)
	r, m := s.archived(t, recorder.OutcomeRecorded)
	if tr := m.Tracks[1]; tr.File != "screen-4.h264" || tr.UndecodableFrames != 1 {
		t.Errorf("%+v", tr)
	}
	if got, err := os.ReadFile(filepath.Join(r.Path, "screen-4.h264")); err != nil || !bytes.Equal(got, all[1]) {
		t.Errorf("%v, %v", got, err)
	}
}

// TestVideoWithoutAudio: a call in which nobody spoke is as long as its video, which is
// nothing to complain of; with audio that comes later it begins with the video.
func TestVideoWithoutAudio(t *testing.T) {
	t.Parallel()
	for name, spoken := range map[string]bool{"nobody speaks": false, "somebody does later": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := pictures(t)
			s := apart(t)
			for i := range 500 {
				s.show(frame.Screen, 4, all[i%len(all)], s.now)
				if spoken && i >= 100 && i < 200 {
					s.speak(7)
				}
				s.tick()
			}
			s.seal(s.seq)
			r, m := s.archived(t, recorder.OutcomeRecorded)
			if begin := after(2 * time.Second); !m.StartedAt.Equal(begin) || m.Duration() != 10*time.Second || len(m.Flags) > 0 ||
				!r.StartedAt.Equal(begin) || !r.EndedAt.Equal(begin.Add(10*time.Second)) {
				t.Errorf("from %v for %v, flags %v; %+v", m.StartedAt, m.Duration(), m.Flags, r)
			}
		})
	}
}

// TestNobodysFrame: of a frame that is missing nobody can tell whose it was. The recording
// says that something is missing, and so does the picture that may refer to it.
func TestNobodysFrame(t *testing.T) {
	t.Parallel()
	all := pictures(t)
	s := apart(t)
	for i := range 200 {
		s.speak(7)
		if i == 6 { // before a picture that is no key frame
			s.seq++
		}
		s.show(frame.Video, 12, all[i%len(all)], s.now)
		s.tick()
	}
	s.seq++ // behind the last picture: nothing of it is missing
	s.speak(7)
	s.seal(s.seq)
	_, m := s.archived(t, recorder.OutcomeRecordedWithGaps)
	tr := m.Tracks[1]
	if m.FramesUnclaimed != 2 || tr.DamagedFrames == 0 || len(tr.Gaps) != 1 || tr.Gaps[0].Cause != frame.CauseUnannounced {
		t.Errorf("%d are nobody's; %+v", m.FramesUnclaimed, tr)
	}
	job := s.job(t, recorder.OutcomeRecordedWithGaps)
	job.GoesOn, job.Conclusion.Outcome = true, 0
	r, err := open(t).Assemble(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	if part := readManifest(t, r.Path); part.Outcome != recorder.OutcomeRecordedWithGaps.String() {
		t.Errorf("of the part the outcome is %s", part.Outcome)
	}
}

// TestVideoBeforeItsKeyFrame: a part of a long call begins with pictures that refer to the
// part before. What the mp4 can't hold is kept beside it, as it came.
func TestVideoBeforeItsKeyFrame(t *testing.T) {
	t.Parallel()
	all := pictures(t)
	s := apart(t)
	var rest []byte
	for i := range 20 {
		picture := all[(i+1)%len(all)] // the first is a key frame, and comes last of the first few
		if i < 2 {
			rest = append(rest, picture...)
		}
		s.show(frame.Video, 12, picture, s.now)
		s.tick()
	}
	s.show(frame.Video, 12, []byte("no video"), s.now)
	rest = append(rest, "no video"...)
	s.seal(s.seq)
	r, m := s.archived(t, recorder.OutcomeRecorded)
	tr := m.Tracks[0]
	if tr.UndecodableFrames != 3 || tr.UndecodableFile != "video-12-rest.h264" || len(m.Files) != 3 {
		t.Fatalf("%+v, %+v", tr, m.Files)
	}
	got, err := os.ReadFile(filepath.Join(r.Path, tr.UndecodableFile))
	if err != nil || !bytes.Equal(got, rest) {
		t.Errorf("%d bytes beside it, want %d; %v", len(got), len(rest), err)
	}
}
