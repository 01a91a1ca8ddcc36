package archive_test

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/archive"
	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

func TestNothingArrived(t *testing.T) {
	t.Parallel()
	s := newScript(t)
	s.seal(0)
	r, err := open(t).Assemble(t.Context(), s.job(t, recorder.OutcomeFailed))
	if err != nil {
		t.Fatal(err)
	}
	m, findings := archive.CheckFolder(r.Path)
	if len(findings) > 0 || len(m.Tracks) != 0 || m.Samples != 0 {
		t.Errorf("findings %v, tracks %v", findings, m.Tracks)
	}
	if err := archive.ExportWAV(t.Context(), r.Path, r.ManifestSHA256, "", filepath.Join(t.TempDir(), "a.wav")); err == nil {
		t.Error("a wav of nothing was exported")
	}
}

// Where the recording starts is what the note says, else what was foretold, but
// never behind a frame that is there.
func TestWhereItStarts(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		foretold, note uint64 // note 0: it is missing
		frames         int
		last           uint64
		missing        int64 // frames
	}{
		"as foretold":            {1, 0, 10, 10, 0},
		"foretold too high":      {5, 0, 10, 10, 0},
		"foretold too low":       {1, 4, 10, 13, 0},
		"first frames lost":      {1, 1, 10, 13, 3},
		"lost, and note missing": {1, 0, 10, 13, 3},
		"all lost":               {1, 1, 0, 7, 7},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScript(t)
			s.records[0].Permit.Meta = marshal(t, map[string]any{"audio": "mixed", "firstSeq": tt.foretold})
			s.seq = tt.last - uint64(tt.frames)
			s.audio(min(tt.frames, 2))
			if tt.note > 0 {
				s.note(t, "opened", map[string]any{"firstSeq": tt.note})
			}
			s.audio(max(tt.frames-2, 0))
			s.seal(tt.last)
			r, err := open(t).Assemble(t.Context(), s.job(t, recorder.OutcomeFailed))
			if err != nil {
				t.Fatal(err)
			}
			if _, findings := archive.CheckFolder(r.Path); len(findings) > 0 {
				t.Error(findings)
			}
			if want := tt.missing * frame.AudioSamples; r.GapSamples != want || r.Samples != want+int64(tt.frames)*frame.AudioSamples {
				t.Errorf("%d samples, %d missing; want %d stored, %d missing", r.Samples, r.GapSamples, tt.frames*frame.AudioSamples, want)
			}
		})
	}
}

// Of another recording of the same call, only what was announced is told.
func TestTwoRecordingsOfOneCall(t *testing.T) {
	t.Parallel()
	s := ordinary(t)
	job := s.job(t, recorder.OutcomeRecordedWithGaps)
	at := s.at.Add(200 * time.Millisecond)
	for i, e := range []archive.Event{
		{Kind: "announce", Data: marshal(t, map[string]any{"status": "recording", "clientContext": "c/3"})},
		{Kind: "announced", Data: marshal(t, map[string]any{"clientContext": "c/3", "operation": "op-3", "progress": "completed"})},
		{Kind: "opened", Data: marshal(t, recorder.Opened{Recording: "another", FirstSeq: 400})},
	} {
		e.Seq, e.At = int64(100+i), at
		job.Events = append(job.Events, e)
	}
	r, err := open(t).Assemble(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	m, _ := archive.CheckFolder(r.Path)
	steps := map[string]int{}
	for _, o := range m.Order {
		steps[o.Step]++
	}
	if steps[archive.StepOpened] != 1 || steps[archive.StepAnnouncing] != 3 || steps[archive.StepPermit] != 1 {
		t.Errorf("steps %v", steps)
	}
}

// What the spool cannot read any more becomes a gap and a finding; the rest is
// archived.
func TestDamagedSpool(t *testing.T) {
	t.Parallel()
	s := ordinary(t)
	const at = 50
	job := s.job(t, recorder.OutcomeRecordedWithGaps)
	job.Read = func() iter.Seq2[spool.Record, error] {
		return func(yield func(spool.Record, error) bool) {
			i := 0
			for r, err := range s.read() {
				if i++; i == at {
					r, err = spool.Record{}, &spool.DamageError{Recording: recording, Err: errors.New("crc")}
				}
				if !yield(r, err) {
					return
				}
			}
		}
	}
	r, err := open(t).Assemble(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	m, findings := archive.CheckFolder(r.Path)
	if len(findings) != 1 || findings[0].Kind != archive.FindingLost || findings[0].Law != 4 {
		t.Errorf("findings %v, want that frames were lost", findings)
	}
	if m.RecordsDamaged != 1 || m.GapSamples != 7*frame.AudioSamples {
		t.Errorf("%d records damaged, %d samples missing", m.RecordsDamaged, m.GapSamples)
	}
	if err := archive.VerifyFolder(r.Path); err != nil {
		t.Errorf("the folder is what was published, but: %v", err)
	}
}

func TestJobsThatCannotBeDone(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		spoil func(s *script, j *archive.Job)
		want  error
	}{
		"no seal":             {func(s *script, _ *archive.Job) { s.records = s.records[:len(s.records)-1] }, archive.ErrUnsealed},
		"no permit":           {func(s *script, _ *archive.Job) { s.records = s.records[1:] }, archive.ErrJob},
		"nothing":             {func(s *script, _ *archive.Job) { s.records = nil }, archive.ErrJob},
		"frame after seal":    {func(s *script, _ *archive.Job) { s.records = append(s.records, s.records[1]) }, archive.ErrJob},
		"two permits":         {func(s *script, _ *archive.Job) { s.records[5] = s.records[0] }, archive.ErrJob},
		"frame cut":           {func(s *script, _ *archive.Job) { s.records[5].Payload = s.records[5].Payload[1:] }, archive.ErrJob},
		"facts no json":       {func(s *script, _ *archive.Job) { s.records[0].Permit.Meta = json.RawMessage("{") }, archive.ErrJob},
		"another call":        {func(_ *script, j *archive.Job) { j.Facts.Call, j.Conclusion.Call = "x", "x" }, archive.ErrJob},
		"another conclusion":  {func(_ *script, j *archive.Job) { j.Conclusion.Call = "x" }, archive.ErrJob},
		"another recording":   {func(_ *script, j *archive.Job) { j.Recording = "x" }, archive.ErrJob},
		"a path":              {func(_ *script, j *archive.Job) { j.Recording = "../x" }, archive.ErrJob},
		"hidden":              {func(_ *script, j *archive.Job) { j.Recording = ".x" }, archive.ErrJob},
		"no outcome":          {func(_ *script, j *archive.Job) { j.Conclusion.Outcome = 0 }, archive.ErrJob},
		"rejected":            {func(_ *script, j *archive.Job) { j.Conclusion.Outcome = recorder.OutcomeRejected }, archive.ErrJob},
		"previous is no hash": {func(_ *script, j *archive.Job) { j.Previous = "x" }, archive.ErrJob},
		"nothing to read":     {func(_ *script, j *archive.Job) { j.Read = nil }, archive.ErrJob},
		"manifest too long":   {func(_ *script, j *archive.Job) { j.Facts.Policy = strings.Repeat("x", archive.MaxManifest) }, archive.ErrJob},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, s := open(t), ordinary(t)
			j := s.job(t, recorder.OutcomeRecordedWithGaps)
			tt.spoil(s, &j)
			if _, err := a.Assemble(t.Context(), j); !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
			empty(t, a.Dir())
		})
	}
}

func TestReadErrorsAndCancelling(t *testing.T) {
	t.Parallel()
	a, s := open(t), ordinary(t)
	j := s.job(t, recorder.OutcomeRecordedWithGaps)
	broken := errors.New("disk gone")
	j.Read = func() iter.Seq2[spool.Record, error] {
		return func(yield func(spool.Record, error) bool) {
			_ = yield(s.records[0], nil) && yield(spool.Record{}, broken)
		}
	}
	if _, err := a.Assemble(t.Context(), j); !errors.Is(err, broken) || errors.Is(err, archive.ErrJob) {
		t.Errorf("error %v, want one that may pass", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.Assemble(ctx, s.job(t, recorder.OutcomeRecordedWithGaps)); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that it was cancelled", err)
	}
	empty(t, a.Dir())
}

// A gap may be a day; who cancels does not wait for its silence.
func TestCancellingInSilence(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"tracks", "readBack"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			a, s := open(t), newScript(t)
			s.note(t, "opened", map[string]any{"firstSeq": 1})
			s.audio(3)
			s.seal(s.seq + 500)
			at := ""
			a.OnStep(func(name string) error { at = name; return nil })
			j := s.job(t, recorder.OutcomeRecordedWithGaps)
			j.Read = func() iter.Seq2[spool.Record, error] {
				return func(yield func(spool.Record, error) bool) {
					s.read()(yield)
					if at == step {
						cancel() // only silence is left to do
					}
				}
			}
			if _, err := a.Assemble(ctx, j); !errors.Is(err, context.Canceled) || at != step {
				t.Errorf("error %v in %s, want that it was cancelled in %s", err, at, step)
			}
			empty(t, a.Dir())
		})
	}
}

// What no folder can hold is refused for good, before anything is written.
func TestTooLongAndTooMany(t *testing.T) {
	t.Parallel()
	const dayOfFrames = 24 * 60 * 60 * 50
	days := func(n int) func(t *testing.T, s *script) {
		return func(_ *testing.T, s *script) {
			s.add(spool.Record{Type: spool.FrameType, Payload: make([]byte, frame.AudioBytes), Header: frame.Header{Seq: 1, Kind: frame.MixedAudio}})
			s.frames, s.seq = 1, 1
			for range n {
				s.add(spool.Record{Type: spool.GapType, Gap: frame.Gap{
					Kind: frame.MixedAudio, FirstSeq: s.seq + 1, Count: dayOfFrames, Cause: "overflow",
				}})
				s.seq += dayOfFrames
			}
			s.seal(s.seq)
		}
	}
	sources := func(n uint32) func(t *testing.T, s *script) {
		return func(_ *testing.T, s *script) {
			for source := range n {
				s.seq++
				s.frames++
				s.add(spool.Record{Type: spool.FrameType, Payload: []byte{1}, Header: frame.Header{Seq: s.seq, Kind: frame.Video, Source: source + 1}})
			}
			s.seal(s.seq)
		}
	}
	stop := errors.New("it would be done")
	tests := map[string]struct {
		fill func(t *testing.T, s *script)
		want error
	}{
		"49 days":      {days(49), stop},
		"50 days":      {days(50), archive.ErrJob},
		"2048 sources": {sources(2048), stop},
		"2049 sources": {sources(2049), archive.ErrJob},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, s := open(t), newScript(t)
			s.note(t, "opened", map[string]any{"firstSeq": 1})
			tt.fill(t, s)
			a.OnStep(func(name string) error {
				if name == "folder" {
					return stop
				}
				return nil
			})
			if _, err := a.Assemble(t.Context(), s.job(t, recorder.OutcomeRecordedWithGaps)); !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
			empty(t, a.Dir())
		})
	}
}

// countdown is a context that is cancelled at the n-th time that it is asked.
type countdown struct {
	context.Context

	left int
}

func (c *countdown) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

// Whoever cancels while a published folder is checked need not wait for all of it,
// and the folder is not taken for damaged.
func TestCancellingTheCheck(t *testing.T) {
	t.Parallel()
	a, s := open(t), ordinary(t)
	j := s.job(t, recorder.OutcomeRecordedWithGaps)
	r, err := a.Assemble(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	for ; ; asked++ {
		again, err := a.Assemble(&countdown{t.Context(), asked}, j)
		if err == nil {
			if again.ManifestSHA256 != r.ManifestSHA256 {
				t.Errorf("manifest %s, want %s", again.ManifestSHA256, r.ManifestSHA256)
			}
			break
		}
		if !errors.Is(err, context.Canceled) || errors.Is(err, archive.ErrDamaged) {
			t.Fatalf("cancelled at the %d. time: %v", asked, err)
		}
	}
	if asked < 10 {
		t.Errorf("it would have noticed %d times only", asked)
	}
}
