package archive_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/media/format/mp4"
	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/media/timeline"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// apart begins a script of speakers apart.
func apart(tb testing.TB) *script {
	tb.Helper()
	s := newScript(tb)
	s.records[0].Permit.Meta = marshal(tb, map[string]any{"host": "host-0", "audio": "unmixed", "firstSeq": 1})
	s.note(tb, "opened", map[string]any{"firstSeq": 1})
	return s
}

// speak stores a frame of a speaker.
func (s *script) speak(source uint32) {
	s.seq++
	s.frames++
	s.add(spool.Record{Type: spool.FrameType, Payload: toBytes(s.noise()), Header: frame.Header{
		Seq: s.seq, MediaTime: s.now, Kind: frame.UnmixedAudio, Source: source,
	}})
}

// show stores a picture with a time.
func (s *script) show(kind frame.Kind, source uint32, picture []byte, at int64) {
	s.seq++
	s.frames++
	s.add(spool.Record{Type: spool.FrameType, Payload: picture, Header: frame.Header{
		Seq: s.seq, MediaTime: at, Kind: kind, Source: source, Width: 64, Height: 48,
	}})
}

// TestVideoTimesThatCannotBe: a picture whose time can't be moves no other one by more than
// a frame, and the recording is published.
func TestVideoTimesThatCannotBe(t *testing.T) {
	t.Parallel()
	const n, year = 60, 365 * 24 * 3600 * mp4.Timescale
	all := pictures(t)
	for name, tt := range map[string]struct {
		time   func(i int, at int64) int64
		strays uint64
	}{
		"all can be":         {func(_ int, at int64) int64 { return at }, 0},
		"one a year ahead":   {only(5, func(at int64) int64 { return at + year }), 1},
		"one beyond all":     {only(5, func(int64) int64 { return 1 << 62 }), 1},
		"one without a time": {only(5, func(int64) int64 { return 0 }), 1},
		"one negative":       {only(5, func(int64) int64 { return -7 }), 1},
		"the first of 1900":  {only(0, func(int64) int64 { return 1000 }), 1},
		"the first without":  {only(0, func(int64) int64 { return 0 }), 1},
		"two, far apart": {func(i int, at int64) int64 {
			return at + map[int]int64{5: year, 6: year + 500*mp4.Timescale}[i]
		}, 2},
		"the clock set back": {func(i int, at int64) int64 { return at - int64(min(i/5, 1))*year }, n - 5},
		"and set ahead":      {func(i int, at int64) int64 { return at + int64(min(i/5, 1))*year }, n - 5},
		"all a year behind":  {func(_ int, at int64) int64 { return at - year }, n},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := apart(t)
			begin := s.now
			for i := range n {
				s.speak(7)
				s.speak(9)
				s.show(frame.Video, 12, all[i%len(all)], tt.time(i, s.now))
				s.tick()
			}
			s.seal(s.seq)
			r, m := s.archived(t, recorder.OutcomeRecorded)
			if m.FramesMistimed != tt.strays {
				t.Errorf("%d frames were not believed, want %d", m.FramesMistimed, tt.strays)
			}
			file, err := os.Open(filepath.Join(r.Path, "video-12.mp4"))
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close() //nolint:errcheck // it was only read
			movie, err := mp4.NewReader(file)
			if err != nil {
				t.Fatal(err)
			}
			for i := range n {
				got, short := movie.Next()
				if short != nil {
					t.Fatalf("picture %d: %v", i, short)
				}
				at, want := m.Tracks[2].MediaTime+got.Time, begin+int64(i)*frame.TicksPerFrame
				if off := at - want; off < -mp4.Timescale/30 || off > mp4.Timescale/30 {
					t.Fatalf("picture %d is %v off", i, time.Duration(off*100))
				}
			}
			if _, err = movie.Next(); !errors.Is(err, io.EOF) {
				t.Errorf("one more picture: %v", err)
			}
		})
	}
}

// only changes the time of one frame.
func only(which int, change func(at int64) int64) func(int, int64) int64 {
	return func(i int, at int64) int64 {
		if i == which {
			return change(at)
		}
		return at
	}
}

// run is mixed audio, and beside it, where it is on, a run of a camera; then it is off for
// long enough that the next one is another.
func (s *script) run(all [][]byte, on bool) {
	for i, p := range all {
		if on {
			s.show(frame.Video, 12, p, s.now)
			if i == 0 {
				s.records[len(s.records)-1].Header.Flags = frame.KeyFrame
			}
		}
		s.audio(2)
	}
	s.audio(timeline.RunPause / frame.TicksPerFrame)
}

// TestRunsOfACamera: a camera that is switched on again has a file of its own, on the
// clock of the audio like the first, and nobody looks at its last picture meanwhile.
func TestRunsOfACamera(t *testing.T) {
	t.Parallel()
	all := pictures(t)
	s := newScript(t)
	s.note(t, "opened", map[string]any{"firstSeq": 1})
	var begins []int64
	for range 2 {
		begins = append(begins, s.now)
		s.run(all, true)
	}
	s.seal(s.seq)
	_, m := s.archived(t, recorder.OutcomeRecorded)
	if len(m.Tracks) != 3 {
		t.Fatalf("%+v", m.Tracks)
	}
	for i, file := range []string{"video-12.mp4", "video-12-2.mp4"} {
		tr := m.Tracks[i+1]
		if tr.File != file || tr.SourceID != 12 || tr.MediaTime != begins[i] || tr.Frames != uint64(len(all)) || tr.DurationTicks > timeline.RunPause {
			t.Errorf("run %d: %+v", i+1, tr)
		}
	}
}
