package media

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// An ending is how a recording ends, decided once, by the first Seal.
type ending struct {
	cause   string
	last    uint64
	written chan struct{} // closed: what is missing at the end is in the spool
}

// late are the seals that wait for a disk that hangs. Whoever asked for them could
// not wait; without a seal the recording would stay in the spool, and out of the
// archive, until the next start.
type late struct {
	ctx  context.Context //nolint:containedctx // the life of the goroutines that a Service owns
	stop context.CancelFunc
}

func newLate() late {
	ctx, stop := context.WithCancel(context.Background())
	return late{ctx, stop}
}

// sealLate takes over a seal that was given up, where waiting can help: the disk
// hangs, and this process is not lost. If we crash before the seal is durable the
// next start seals what is there, as ever.
func (s *Service) sealLate(one *session, order recorder.SealOrder, asked time.Time, why error) {
	if !isGivenUp(why) || s.failure.Load() != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if one.late || s.closed {
		return
	}
	one.late = true
	s.owned.Go(func() { one.sealLate(s.late.ctx, order, asked) })
}

// sealLate seals when the disk answers, and reports it, unless another Seal did.
func (s *session) sealLate(ctx context.Context, order recorder.SealOrder, asked time.Time) {
	s.log.Warn("the seal waits for the disk")
	s.shut()
	order.Withdraw()
	done, err := s.turn(ctx)
	if err != nil {
		return // closing, or lost: the next start seals
	}
	report, fresh, err := s.sealOnce(ctx, order, asked)
	rest := recorder.SealReport{}
	if err == nil {
		rest, err = s.service.sealRest(ctx, s, rest, false)
	}
	done()
	if err != nil {
		s.log.Error("a recording stays without a seal until the next start", zap.Error(err))
	}
	if fresh || s.left != nil { // whoever asked was told of a failure, be it of the rest alone
		s.service.tellLate(s.call.ID, &report)
	}
	s.service.tellLate(s.call.ID, rest.Previous)
}

// tellLate tells of recordings that are sealed after all.
func (s *Service) tellLate(call recorder.CallID, r *recorder.SealReport) {
	for ; r != nil && s.opts.LateSeal != nil; r = r.Previous {
		if r.Recording != "" {
			one := *r
			one.Previous = nil
			s.opts.LateSeal(call, one)
		}
	}
}

// leftLate is sealLate for what a dead process has left of a call that has no session
// here.
func (s *Service) leftLate(call recorder.CallID, l *left, why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !isGivenUp(why) || s.failure.Load() != nil || l.late || s.closed {
		return
	}
	l.late = true
	s.owned.Go(func() {
		report, err := s.sealLeft(s.late.ctx, l, false)
		if err != nil {
			s.log.Error("what a dead process has left stays without a seal until the next start", zap.String("call", string(call)), zap.Error(err))
		}
		s.tellLate(call, report)
	})
}

// isGivenUp: the disk was waited for, and not for long enough.
func isGivenUp(why error) bool {
	return errors.Is(why, errStalled) || errors.Is(why, context.DeadlineExceeded) || errors.Is(why, context.Canceled)
}

// sealOnce is seal that says whether it was the first to succeed. Inside a turn.
func (s *session) sealOnce(ctx context.Context, order recorder.SealOrder, asked time.Time) (r recorder.SealReport, fresh bool, err error) {
	s.mu.Lock()
	fresh = s.report == nil
	s.mu.Unlock()
	r, err = s.seal(ctx, order, asked)
	return r, fresh, err
}

// closeLate waits for the late seals: until ctx ends, and not for a disk that
// stays away.
func (s *Service) closeLate(ctx context.Context) {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, storageLimit)
	defer cancel()
	unhook := context.AfterFunc(ctx, s.late.stop)
	defer unhook()
	s.owned.Wait()
	s.late.stop()
}
