package media

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/media/timeline"
	"github.com/recorderbot/recorderbot/internal/recorder"
	"github.com/recorderbot/recorderbot/internal/recorder/recordertest"
)

// written has the spool hold a recording of these records; sealed as it says, or not.
func (w *world) written(id, data string, write func(*spool.Batch, *spool.Recording), seal *spool.Seal) spool.Info {
	w.tb.Helper()
	r, err := w.spool.Begin(w.tb.Context(), recordertest.Permit(w.tb, recorder.CallID(id)), id, []byte(data))
	if err != nil {
		w.tb.Fatal(err)
	}
	if err = w.spool.Update(func(b *spool.Batch) { write(b, r) }); err != nil {
		w.tb.Fatal(err)
	}
	if seal != nil {
		_, err = r.Seal(w.tb.Context(), *seal)
	} else { // what follows is durable, and so what is before it
		_, err = w.spool.Begin(w.tb.Context(), recordertest.Permit(w.tb, "next"), "next", nil)
	}
	if err != nil {
		w.tb.Fatal(err)
	}
	return spool.Info{ID: id, Meta: json.RawMessage(data)}
}

// damage spoils what the disk has of these bytes.
func (w *world) damage(payload []byte) {
	w.tb.Helper()
	err := filepath.WalkDir(w.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		all, err := os.ReadFile(path)
		if at := bytes.Index(all, payload); err == nil && at >= 0 {
			all[at]++
			return os.WriteFile(path, all, 0o600)
		}
		return err
	})
	if err != nil {
		w.tb.Fatal(err)
	}
}

// TestInspect: what a recording has and misses is counted from all of its records.
func TestInspect(t *testing.T) {
	t.Parallel()
	const mixed = `{"audio":"mixed","firstSeq":3}`
	frames := func(b *spool.Batch, r *spool.Recording, late time.Duration, from, to uint64) {
		for seq := from; seq <= to; seq++ {
			f := audio(seq)
			f.MediaTime += int64(late / 100)
			b.Frame(r, f)
		}
	}
	note := func(b *spool.Batch, r *spool.Recording, kind string, v any) {
		data, err := json.Marshal(v)
		if err != nil {
			t.Error(err)
		}
		b.Note(r, kind, data)
	}
	skip := func(seq uint64) frame.Gap {
		from := audio(seq).MediaTime
		return frame.Gap{Kind: frame.MixedAudio, FirstSeq: seq, FromTime: from, ToTime: from + 2*frame.TicksPerFrame, Cause: frame.CausePlatform}
	}
	paused := &spool.Seal{LastSeq: 7, Cause: sealPaused}
	type lengths struct{ Stored, Missing, Frames uint64 }
	for name, tt := range map[string]struct {
		meta  string
		write func(*spool.Batch, *spool.Recording)
		seal  *spool.Seal
		want  lengths
		died  bool
		fails bool
	}{
		"as foretold": {mixed, func(b *spool.Batch, r *spool.Recording) { frames(b, r, 0, 4, 7) }, paused, lengths{4, 1, 0}, false, false},
		"as noted": {mixed, func(b *spool.Batch, r *spool.Recording) {
			note(b, r, noteOpenedKind, openedNote{FirstSeq: 2})
			frames(b, r, 0, 4, 7)
		}, paused, lengths{4, 2, 0}, false, false},
		"another note": {mixed, func(b *spool.Batch, r *spool.Recording) {
			note(b, r, "speakers", openedNote{FirstSeq: 2})
			frames(b, r, 0, 4, 7)
		}, paused, lengths{4, 1, 0}, false, false},
		"a note that says nothing": {mixed, func(b *spool.Batch, r *spool.Recording) {
			note(b, r, noteOpenedKind, "2")
			note(b, r, noteOpenedKind, openedNote{FirstSeq: 2})
			frames(b, r, 0, 4, 7)
		}, paused, lengths{4, 2, 0}, false, false},
		"up to the last": {mixed, func(b *spool.Batch, r *spool.Recording) { frames(b, r, 0, 3, 5) }, paused, lengths{3, 2, 0}, false, false},
		"without a seal": {mixed, func(b *spool.Batch, r *spool.Recording) { frames(b, r, 0, 3, 5) }, nil, lengths{3, 0, 0}, false, false},
		"nothing came":   {mixed, func(*spool.Batch, *spool.Recording) {}, paused, lengths{0, 5, 0}, false, false},
		"of nobody":      {`{"audio":"unmixed","firstSeq":3}`, func(*spool.Batch, *spool.Recording) {}, paused, lengths{0, 0, 5}, false, false},
		"skipped": {mixed, func(b *spool.Batch, r *spool.Recording) {
			frames(b, r, 0, 3, 5)
			b.Gap(r, skip(6))
			frames(b, r, 2*frameLength, 6, 7)
		}, paused, lengths{5, 2, 0}, false, false},
		"skipped at its end": {mixed, func(b *spool.Batch, r *spool.Recording) {
			frames(b, r, 0, 3, 7)
			b.Gap(r, skip(8))
		}, paused, lengths{5, 2, 0}, false, false},
		"skipped where another goes on": {mixed, func(b *spool.Batch, r *spool.Recording) {
			frames(b, r, 0, 3, 7)
			b.Gap(r, skip(8))
		}, &spool.Seal{LastSeq: 7, Cause: sealContinued}, lengths{5, 0, 0}, false, false},
		"by the clock": {mixed, func(b *spool.Batch, r *spool.Recording) {
			frames(b, r, 0, 3, 60)
			frames(b, r, 2*time.Second, 61, 120)
		}, paused, lengths{118, 100, 0}, false, false},
		"a clock that is not believed": {mixed, func(b *spool.Batch, r *spool.Recording) {
			frames(b, r, 0, 3, 60)
			note(b, r, timeline.BeliefNote, timeline.Belief{BeforeSeq: 61, MostTicks: 10_000_000})
			frames(b, r, 2*time.Second, 61, 120)
		}, paused, lengths{118, 0, 0}, false, false},
		"a belief by another name": {mixed, func(b *spool.Batch, r *spool.Recording) {
			frames(b, r, 0, 3, 60)
			note(b, r, "speakers", timeline.Belief{BeforeSeq: 61, MostTicks: 10_000_000})
			frames(b, r, 2*time.Second, 61, 120)
		}, paused, lengths{118, 100, 0}, false, false},
		"a belief that says nothing": {mixed, func(b *spool.Batch, r *spool.Recording) {
			frames(b, r, 0, 3, 60)
			note(b, r, timeline.BeliefNote, "0")
			frames(b, r, 2*time.Second, 61, 120)
		}, paused, lengths{118, 100, 0}, false, false},
		"damaged": {mixed, func(b *spool.Batch, r *spool.Recording) {
			frames(b, r, 0, 3, 4)
			b.Frame(r, canary(5))
			frames(b, r, 0, 6, 7)
		}, paused, lengths{4, 1, 0}, false, false},
		"the process died": {mixed, func(b *spool.Batch, r *spool.Recording) { frames(b, r, 0, 3, 7) }, &spool.Seal{LastSeq: 7, Cause: string(recorder.CauseProcessDied)}, lengths{5, 0, 0}, true, false},
		"none of ours":     {`{"firstSeq":"x"}`, func(*spool.Batch, *spool.Recording) {}, paused, lengths{}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, worldOptions{})
			info := w.written("r", tt.meta, tt.write, tt.seal)
			if name == "damaged" {
				w.damage(canary(5).Payload)
			}
			report, died, err := w.service.Inspect(t.Context(), info)
			got := lengths{report.Samples / frame.AudioSamples, report.GapSamples / frame.AudioSamples, report.GapFrames}
			if (err != nil) != tt.fails || died != tt.died || got != tt.want || report.Recording != "r" {
				t.Errorf("%+v, want %+v; died %v, %v", got, tt.want, died, err)
			}
		})
	}
}

// TestInspectFails: what can't be read is told as such, with what is known without it.
func TestInspectFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	info := w.written("r", `{"audio":"mixed"}`, func(b *spool.Batch, r *spool.Recording) { b.Frame(r, audio(1)) }, &spool.Seal{Cause: string(recorder.CauseProcessDied)})
	info.Frames, info.FirstSeq, info.LastSeq = 1, 1, 1
	unknown := info
	unknown.ID = "unknown"
	given, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tt := range []struct {
		ctx  context.Context //nolint:containedctx // a case of a table
		info spool.Info
		want error
	}{{given, info, context.Canceled}, {t.Context(), unknown, spool.ErrUnknown}} {
		report, died, err := w.service.Inspect(tt.ctx, tt.info)
		if !errors.Is(err, tt.want) || died || report.Samples != frame.AudioSamples || report.Recording != tt.info.ID {
			t.Errorf("%+v, %v, %v", report, died, err)
		}
	}
}

// TestMeasure: what is continued is measured, one after the other; where that can't be
// nobody is told a wrong number, or waits.
func TestMeasure(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*Service, *left)
		exact  bool
		over   bool
	}{
		"both": {func(*Service, *left) {}, true, true},
		"one is gone": {func(_ *Service, l *left) {
			l.Recordings = append(l.Recordings, spool.Info{ID: "gone", Meta: []byte(`{}`)})
		}, false, true},
		"closing":      {func(s *Service, _ *left) { s.closed = true }, false, false},
		"others first": {func(s *Service, _ *left) { s.measuring <- struct{}{}; s.late.stop() }, false, true},
	} {
		w := newWorld(t, worldOptions{})
		l := &left{measured: make(chan struct{})}
		for _, id := range []string{"a", "b"} {
			l.Recordings = append(l.Recordings, w.written(id, `{"audio":"mixed","firstSeq":1}`, func(b *spool.Batch, r *spool.Recording) { b.Frame(r, audio(2)) }, &spool.Seal{LastSeq: 2}))
		}
		tt.change(w.service, l)
		w.service.measure(l)
		w.service.owned.Wait()
		over := false
		select {
		case <-l.measured:
			over = true
		default:
		}
		var want map[string]recorder.SealReport
		if tt.exact {
			is := recorder.SealReport{Samples: frame.AudioSamples, GapSamples: frame.AudioSamples}
			want = map[string]recorder.SealReport{"a": is, "b": is}
		}
		if d := cmp.Diff(want, l.exact); over != tt.over || d != "" {
			t.Errorf("%s: over %v; -want +got\n%s", name, over, d)
		}
	}
}

// TestWithLeft: a report in good order waits until it is known what was continued, and not
// for long; another one does not.
func TestWithLeft(t *testing.T) {
	t.Parallel()
	sealed := &recorder.SealReport{Recording: "b", Samples: 1, Previous: &recorder.SealReport{Recording: "a", Samples: 1}}
	exact := map[string]recorder.SealReport{"a": {Samples: 5, GapSamples: 6, GapFrames: 7}}
	better := &recorder.SealReport{Recording: "b", Samples: 1, Previous: &recorder.SealReport{Recording: "a", Samples: 5, GapSamples: 6, GapFrames: 7}}
	two := []spool.Info{{ID: "a"}, {ID: "b"}}
	for name, tt := range map[string]struct {
		left     *left
		measured bool
		given    bool // up
		graceful bool
		want     *recorder.SealReport
		takes    time.Duration
	}{
		"nothing left":  {nil, false, false, true, nil, 0},
		"no recordings": {&left{sealed: sealed}, false, false, true, nil, 0},
		"measured":      {&left{Left: Left{Recordings: two}, sealed: sealed, exact: exact}, true, false, true, better, 0},
		"never":         {&left{Left: Left{Recordings: two}, sealed: sealed}, false, false, true, sealed, measureWait},
		"given up":      {&left{Left: Left{Recordings: two}, sealed: sealed}, false, true, true, sealed, 0},
		"abrupt":        {&left{Left: Left{Recordings: two}, sealed: sealed, exact: exact}, false, false, false, better, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			if tt.left != nil {
				tt.left.measured = make(chan struct{})
				if tt.measured {
					close(tt.left.measured)
				}
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if tt.given {
				cancel()
			}
			began := time.Now()
			report := (&session{left: tt.left}).withLeft(ctx, recorder.SealReport{Recording: "c"}, tt.graceful)
			if took := time.Since(began); took != tt.takes {
				t.Errorf("%s: it took %v, want %v", name, took, tt.takes)
			}
			if d := cmp.Diff(recorder.SealReport{Recording: "c", Previous: tt.want}, report); d != "" {
				t.Errorf("%s: -want +got\n%s", name, d)
			}
		})
	}
}
