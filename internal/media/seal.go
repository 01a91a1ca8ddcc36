package media

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/link"
	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/media/timeline"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// Why a recording ends where it ends, as its seal says.
const (
	sealPaused = "paused" // the host said which frame was its last
	sealClosed = "closed" // the host closed the session in good order
	sealSilent = "silent" // the host did not say
	sealCut    = "cut"    // the host could not be asked
	sealAbrupt = "abrupt" // the permit was withdrawn first
	sealUnused = "unused" // the gate was never open
)

// sealMeta is what the spool keeps beside the seal.
type sealMeta struct {
	FirstSeq   uint64            `json:"firstSeq"`
	LastSeq    uint64            `json:"lastSeq"`
	Samples    int64             `json:"samples"`
	GapSamples int64             `json:"gapSamples"`
	Discarded  map[string]uint64 `json:"discarded,omitempty"`
}

// Seal implements recorder.Media. A graceful seal lets the host say which frame
// was its last, for two seconds at most, and stores up to it. Then, and at once
// where it is not graceful: the gate is shut, the permit withdrawn, what is
// missing at the end recorded, and the seal made durable. If we die in between,
// the recording has no seal and the next start writes it.
//
// A seal that is given up because the disk hangs is finished when the disk
// answers, and told by Options.LateSeal.
//
// Where no recording was begun the report names none.
func (s *Service) Seal(ctx context.Context, order recorder.SealOrder) (recorder.SealReport, error) {
	began := time.Now()
	one := s.session(order.Call())
	if one == nil {
		return s.sealWithout(ctx, order)
	}
	ctx, cancel := s.unlessStalled(ctx)
	defer cancel()
	if order.Graceful {
		one.letOpen(ctx)
	}
	one.end.Do(func() { close(one.ending) })
	if !order.Graceful {
		one.shut()
	}
	done, err := one.turn(ctx)
	if err != nil {
		s.sealLate(one, order, began, err)
		return recorder.SealReport{}, fmt.Errorf("seal the recording of call %s: %w", order.Call(), err)
	}
	defer done()
	report, err := one.seal(ctx, order, began)
	if err == nil {
		report, err = s.sealRest(ctx, one, report, order.Graceful)
	}
	outcome := "sealed"
	if err != nil {
		outcome = "failed"
		s.sealLate(one, order, began, err)
		err = fmt.Errorf("seal the recording of call %s: %w", order.Call(), err)
	}
	s.metrics.seal.WithLabelValues(outcome).Observe(time.Since(began).Seconds())
	return report, err
}

// letOpen gives an Open that is under way a moment to be over: what the host sends
// when it has confirmed was said with leave, and only behind an open gate can it be
// stored, or told to be missing.
func (s *session) letOpen(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, letOpenLimit)
	defer cancel()
	if done, err := s.turn(ctx); err == nil {
		done()
	}
}

// sealWithout seals what a dead process has left of a call that was never opened
// in this one.
func (s *Service) sealWithout(ctx context.Context, order recorder.SealOrder) (recorder.SealReport, error) {
	s.mu.Lock()
	l := s.left[order.Call()]
	s.mu.Unlock()
	if l == nil {
		return recorder.SealReport{}, fmt.Errorf("seal the recording of call %s: %w", order.Call(), ErrUnknownCall)
	}
	report, err := s.sealLeft(ctx, l, false)
	switch {
	case err != nil:
		s.leftLate(order.Call(), l, err)
		return recorder.SealReport{}, fmt.Errorf("seal what was left of call %s: %w", order.Call(), err)
	case report == nil:
		return recorder.SealReport{At: time.Now()}, nil
	}
	return *report, nil
}

// sealRest seals what a dead process has left where this one's session was begun,
// and could not go on with it, or is about to say what it went on with.
func (s *Service) sealRest(ctx context.Context, one *session, report recorder.SealReport, graceful bool) (recorder.SealReport, error) {
	if one.left == nil {
		return report, nil
	}
	one.mu.Lock()
	opened := !one.openedAt.IsZero()
	one.mu.Unlock()
	if _, err := s.sealLeft(ctx, one.left, opened); err != nil {
		return report, err
	}
	return one.withLeft(ctx, report, graceful && opened), nil
}

// seal works inside a turn.
func (s *session) seal(ctx context.Context, order recorder.SealOrder, asked time.Time) (recorder.SealReport, error) {
	s.mu.Lock()
	recording, report := s.recording, s.report
	s.mu.Unlock()
	switch {
	case report != nil:
		return *report, nil
	case recording == nil:
		// Open was given up, or never came so far: nothing was stored, and nothing
		// will be.
		s.shut()
		order.Withdraw()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.report = &recorder.SealReport{Discarded: s.refused(), At: time.Now()}
		return *s.report, nil // a call that was paused before it began can be resumed
	}
	if s.ends == nil {
		if order.Graceful {
			s.drain(ctx)
		}
		s.ends = s.close(asked)
	}
	select {
	case <-s.ends.written:
	case <-ctx.Done():
	}
	order.Withdraw()
	select {
	case <-s.ends.written:
		return s.conclude(ctx, recording, s.ends.cause, s.ends.last)
	default:
		// Sealed now, the recording would not tell what it misses.
		return recorder.SealReport{}, fmt.Errorf("waiting for the disk: %w", context.Cause(ctx))
	}
}

// drain has the host stop and stores what is under way.
func (s *session) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, pausedLimit)
	defer cancel()
	s.link.Pause()
	err := s.await(ctx, func() bool { return s.gate != gateOpen || s.lost != nil || !s.permit.Live() })
	if err != nil {
		s.log.Warn("the media host did not say which frame was its last", zap.Error(err))
	}
}

// close shuts the gate and says how the recording ends: why, and with which
// frame. asked is when the end was asked for: silence after it is nobody's loss.
// Whoever drained, or shut the gate before, has told the host to stop. It does not
// wait for the disk.
func (s *session) close(asked time.Time) *ending {
	s.mu.Lock()
	cause, last := s.ended()
	g, missing := s.tail(asked, cause, last)
	s.gate = gateShut
	s.tell()
	s.mu.Unlock()
	e := &ending{cause: cause, last: last, written: make(chan struct{})}
	if !missing {
		close(e.written)
		return e
	}
	go func() {
		defer close(e.written)
		s.write(func(b *spool.Batch) { s.keepGap(b, g) })
	}()
	return e
}

// ended says how the recording ends, by what is known now, and with which frame:
// one that was announced as missing is a frame, too. Under mu.
func (s *session) ended() (end string, last uint64) {
	if s.openedAt.IsZero() {
		return sealUnused, 0
	}
	last = s.promised(max(s.last, s.next-1))
	switch {
	case s.last > 0 || s.gate == gatePaused:
		return sealPaused, last
	case s.lost != nil && s.lost.Reason == link.LossClosed:
		return sealClosed, last
	case s.gate == gateShut || !s.permit.Live():
		return sealAbrupt, last
	case !s.attached:
		return sealCut, last
	}
	return sealSilent, last
}

// conclude makes the seal durable and reports.
func (s *session) conclude(ctx context.Context, r *spool.Recording, end string, last uint64) (recorder.SealReport, error) {
	s.mu.Lock()
	sum := s.line.Finish(last)
	samples, missing := totals(sum)
	m := sealMeta{FirstSeq: s.first, LastSeq: last, Samples: samples, GapSamples: missing, Discarded: s.discards()}
	refused := s.refused()
	s.mu.Unlock()
	data, err := json.Marshal(m)
	if err != nil {
		return recorder.SealReport{}, fmt.Errorf("describe the seal: %w", err)
	}
	sealed, err := r.Seal(ctx, spool.Seal{LastSeq: last, Cause: end, Meta: data})
	if err != nil {
		return recorder.SealReport{}, err
	}
	report := recorder.SealReport{
		Recording: r.ID(), Frames: sealed.Frames, LastSeq: last, Discarded: refused, At: time.Now(),
		Samples: uint64(samples), GapSamples: uint64(missing), GapFrames: framesLost(sum), //nolint:gosec // G115: never negative
	}
	report.FirstAt, report.LastAt = s.link.DurableTimes()
	s.mu.Lock()
	if !s.partBegan.IsZero() {
		report.FirstAt = s.partBegan
	}
	s.report = &report
	s.mu.Unlock()
	s.countGaps(sum)
	s.sayLastAck(ctx, sealed.LastSeq)
	s.log.Info("recording sealed", zap.String("recording", r.ID()), zap.String("end", end), zap.Uint64("frames", sealed.Frames),
		zap.Int64("gapSamples", missing), zap.Uint64("discarded", refused))
	return report, nil
}

// countGaps moves what a recording misses to the metric.
func (s *session) countGaps(sum timeline.Summary) {
	m := s.service.metrics
	for _, t := range sum.Tracks {
		for _, g := range t.Gaps {
			switch {
			case g.Cause == timeline.Idle:
			case g.Samples > 0:
				m.gaps.WithLabelValues(string(g.Cause)).Add(float64(g.Samples))
			case !t.Kind.Audio():
				m.gapFrames.WithLabelValues(string(g.Cause)).Add(float64(max(g.Frames, 1)))
			}
		}
	}
	m.gapFrames.WithLabelValues(string(frame.CauseUnannounced)).Add(float64(sum.Unclaimed))
}

// sayLastAck waits, not for long, until the host was told that its last frame
// is durable: it is, so this is courtesy, but the order of events is easier to
// follow from outside.
func (s *session) sayLastAck(ctx context.Context, last uint64) {
	s.mu.Lock()
	attached := s.attached
	s.mu.Unlock()
	if last == 0 || !attached {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, ackLimit)
	defer cancel()
	err := s.link.WaitAcked(ctx, last)
	if err == nil {
		err = s.link.Heard(ctx)
	}
	if err != nil {
		s.log.Info("the last acknowledgement is late", zap.Error(err))
	}
}

// framesLost are the frames that no samples tell to be missing: those of video, of all
// tracks, where only times tell of them one at least; and those of which nobody can tell
// whose they were.
func framesLost(sum timeline.Summary) (lost uint64) {
	lost = sum.Unclaimed
	for _, t := range sum.Tracks {
		for _, g := range t.Gaps {
			if !t.Kind.Audio() {
				lost += max(g.Frames, 1)
			}
		}
	}
	return lost
}

// totals are the samples stored and missing, all tracks; an unmixed source that
// was silent misses nothing.
func totals(sum timeline.Summary) (stored, missing int64) {
	for _, t := range sum.Tracks {
		stored += t.Stored
		missing += t.GapSamples - t.IdleSamples
	}
	return stored, missing
}
