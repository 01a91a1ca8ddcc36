package archive_test

import (
	"bytes"
	"iter"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/recorderbot/recorderbot/internal/archive"
	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/recorder"
	"github.com/recorderbot/recorderbot/internal/recorder/recordertest"
)

// What a dead process did not store is told as any other loss at the end: a gap
// in the manifest, and its silence at the end of the file.
func TestCrashGap(t *testing.T) {
	t.Parallel()
	const missing = 1500 * time.Millisecond
	const samples = int64(frame.SampleRate * missing / time.Second)
	for name, tt := range map[string]struct {
		frames int
		kind   frame.Kind // as the gap says it
		lose   int        // frames, noticed by number before the last one stored
	}{
		"after frames":                {frames: 50, kind: frame.MixedAudio},
		"after frames and other gaps": {frames: 50, kind: frame.MixedAudio, lose: 3},
		"after nothing":               {kind: frame.MixedAudio},
		"of no kind":                  {frames: 50},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScript(t)
			s.note(t, "opened", map[string]any{"firstSeq": 1})
			s.audio(tt.frames)
			if tt.lose > 0 {
				s.lose(tt.lose, frame.CauseOverflow)
				s.audio(tt.frames)
			}
			from := s.now
			s.at = s.at.Add(time.Minute) // the next process
			s.add(spool.Record{Type: spool.GapType, Gap: frame.Gap{
				Kind: tt.kind, FromTime: from, ToTime: from + int64(missing/100), Cause: frame.CauseCrash,
			}})
			s.seal(0)
			seal := s.records[len(s.records)-1].Seal
			seal.Cause, seal.Recovered = string(recorder.CauseProcessDied), true
			r, err := open(t).Assemble(t.Context(), recovered(t, s))
			if err != nil {
				t.Fatal(err)
			}
			m, findings := archive.CheckFolder(r.Path)
			for _, f := range findings {
				t.Error(f)
			}
			want := append(toBytes(s.want["audio-mixed"]), make([]byte, 2*samples)...)
			if !bytes.Equal(decodeFLAC(t, filepath.Join(r.Path, "audio-mixed.flac")), want) {
				t.Error("the file is not what was stored, and then the silence")
			}
			gaps := m.Tracks[0].Gaps
			last := archive.Gap{AtSample: int64(len(s.want["audio-mixed"])), Samples: samples, Cause: frame.CauseCrash}
			if d := cmp.Diff(last, gaps[len(gaps)-1]); d != "" {
				t.Errorf("the last gap (-want +got):\n%s", d)
			}
			if n := samples + int64(tt.lose)*frame.AudioSamples; m.GapSamples != n || r.GapSamples != n || m.Seal.LastSeq != 0 || !m.Seal.Recovered {
				t.Errorf("%d samples missing, want %d; seal %+v", m.GapSamples, n, m.Seal)
			}
		})
	}
}

// recovered is the job of a recording whose process died: the journal has no seal,
// and a later process says that it failed.
func recovered(tb testing.TB, s *script) archive.Job {
	tb.Helper()
	j := s.job(tb, recorder.OutcomeFailed)
	j.Conclusion.Cause, j.Conclusion.Recordings = recorder.CauseProcessDied, nil
	var events []archive.Event
	for _, e := range j.Events {
		if e.Kind != string(recorder.EntrySealed) {
			events = append(events, e)
		}
	}
	j.Events = events
	failing(tb, &j)
	return j
}

// The same from a real spool: it keeps such a gap, and a seal that knows no last
// number.
func TestCrashGapFromTheSpool(t *testing.T) {
	t.Parallel()
	log, err := spool.Open(t.Context(), spool.Options{Dir: filepath.Join(t.TempDir(), "spool"), SegmentSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close(t.Context()) //nolint:errcheck // the test is over
	r, err := log.Begin(t.Context(), recordertest.Permit(t, call), recording, []byte(`{"audio":"mixed","firstSeq":1}`))
	if err != nil {
		t.Fatal(err)
	}
	s, stored, from := newScript(t), []byte(nil), int64(0)
	err = log.Update(func(b *spool.Batch) {
		for seq := uint64(1); seq <= 20; seq++ {
			pcm := toBytes(s.noise())
			stored = append(stored, pcm...)
			b.Frame(r, frame.Frame{Header: frame.Header{Seq: seq, Kind: frame.MixedAudio, MediaTime: s.now}, Payload: pcm})
			s.now += frame.TicksPerFrame
		}
		from = s.now
		b.Gap(r, frame.Gap{Kind: frame.MixedAudio, FromTime: from, ToTime: from + 10*frame.TicksPerFrame, Cause: frame.CauseCrash})
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = r.Seal(t.Context(), spool.Seal{Cause: string(recorder.CauseProcessDied)}); err != nil {
		t.Fatal(err)
	}
	j := s.job(t, recorder.OutcomeFailed)
	j.Read = func() iter.Seq2[spool.Record, error] { return log.Read(recording) }
	res, err := open(t).Assemble(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	if err = archive.VerifyFolder(res.Path); err != nil {
		t.Error(err)
	}
	if !bytes.Equal(decodeFLAC(t, filepath.Join(res.Path, "audio-mixed.flac")), append(stored, make([]byte, 10*frame.AudioBytes)...)) {
		t.Error("the file is not what was stored, and then the silence")
	}
	gaps := readManifest(t, res.Path).Tracks[0].Gaps
	if d := cmp.Diff([]archive.Gap{{AtSample: 20 * frame.AudioSamples, Samples: 10 * frame.AudioSamples, Cause: frame.CauseCrash}}, gaps); d != "" {
		t.Errorf("gaps (-want +got):\n%s", d)
	}
}
