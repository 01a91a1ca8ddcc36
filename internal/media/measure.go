package media

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/media/timeline"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// measureWait is how long a graceful seal waits to know exactly what a recording
// that it continues is missing. It is known by then, but for calls that end right
// after a takeover of many.
const measureWait = 3 * time.Second

// measure finds out, behind the calls and one after the other, what the recordings
// miss that were continued: numbers tell at once what is missing by number, and
// only the records tell what clocks and announcements show.
func (s *Service) measure(l *left) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.owned.Go(func() {
		defer close(l.measured)
		select {
		case s.measuring <- struct{}{}:
			defer func() { <-s.measuring }()
		case <-s.late.ctx.Done():
			return
		}
		exact := map[string]recorder.SealReport{}
		for _, info := range l.Recordings {
			is, _, err := s.lengths(s.late.ctx, info)
			if err != nil {
				s.log.Warn("what a continued recording misses is told by its numbers alone", zap.String("recording", info.ID), zap.Error(err))
				return
			}
			exact[info.ID] = is
		}
		l.mu.Lock()
		l.exact = exact
		l.mu.Unlock()
	})
}

// Inspect reads a sealed recording that a dead process has left: its report,
// exact, and whether it ends where a process died that nobody went on for.
func (s *Service) Inspect(ctx context.Context, info spool.Info) (report recorder.SealReport, died bool, err error) {
	_, report = Recovered(info, info.LastAt)
	is, seal, err := s.lengths(ctx, info)
	if err != nil {
		return report, false, fmt.Errorf("inspect recording %s: %w", info.ID, err)
	}
	report.Samples, report.GapSamples, report.GapFrames = is.Samples, is.GapSamples, is.GapFrames
	return report, seal != nil && seal.Cause == string(recorder.CauseProcessDied), nil
}

// lengths reads a sealed recording and returns the samples that it has and misses,
// and its seal.
func (s *Service) lengths(ctx context.Context, info spool.Info) (is recorder.SealReport, seal *spool.SealRecord, err error) {
	var m meta
	if err = json.Unmarshal(info.Meta, &m); err != nil {
		return is, nil, err
	}
	feed := timeline.Feed{Timeline: timeline.New(), FirstSeq: m.FirstSeq, Mixed: m.Audio == "mixed"}
	for r, err := range s.opts.Spool.Read(info.ID) {
		var damage *spool.DamageError
		switch {
		case errors.As(err, &damage):
			continue // missing by its number
		case err != nil:
			return is, nil, err
		case ctx.Err() != nil:
			return is, nil, ctx.Err()
		}
		switch r.Type {
		case spool.FrameType:
			feed.Frame(r.Header)
		case spool.GapType:
			feed.Gap(r.Gap)
		case spool.NoteType:
			hearNote(&feed, r.Note)
		case spool.SealType:
			seal = r.Seal
		case spool.PermitType:
		}
	}
	last := uint64(0)
	if seal != nil {
		last = seal.LastSeq
		if seal.Cause == sealContinued {
			feed.GoesOn(last)
		}
	}
	sum := feed.Finish(last)
	stored, missing := totals(sum)
	is.Samples, is.GapSamples, is.GapFrames = uint64(stored), uint64(missing), framesLost(sum) //nolint:gosec // G115: never negative
	return is, seal, nil
}

func hearNote(feed *timeline.Feed, n spool.Note) {
	var opened openedNote
	var belief timeline.Belief
	switch {
	case n.Kind == noteOpenedKind && json.Unmarshal(n.Data, &opened) == nil:
		feed.Begin(opened.FirstSeq)
	case n.Kind == timeline.BeliefNote && json.Unmarshal(n.Data, &belief) == nil:
		feed.Believe(belief)
	}
}

// withLeft adds to a report what was continued, exactly where that is known.
func (s *session) withLeft(ctx context.Context, report recorder.SealReport, graceful bool) recorder.SealReport {
	l := s.left
	if l == nil || len(l.Recordings) == 0 {
		return report
	}
	if graceful {
		limit := time.NewTimer(measureWait)
		defer limit.Stop()
		select {
		case <-l.measured:
		case <-limit.C:
		case <-ctx.Done():
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	report.Previous = exactly(l.sealed, l.exact)
	return report
}

// exactly is a chain of reports with their lengths corrected.
func exactly(r *recorder.SealReport, exact map[string]recorder.SealReport) *recorder.SealReport {
	if r == nil {
		return nil
	}
	is := *r
	if e, known := exact[is.Recording]; known {
		is.Samples, is.GapSamples, is.GapFrames = e.Samples, e.GapSamples, e.GapFrames
	}
	is.Previous = exactly(r.Previous, exact)
	return &is
}
