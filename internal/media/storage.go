package media

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// errStalled: what was asked for waits for a disk that hangs.
var errStalled = errors.New("media: the disk does not answer")

// OnFailure is called by the spool when it takes nothing more: law 3 for every
// recording, and then the end of this process (Options.OnFailure). Calls without a
// recording find out when they ask for it. Only the first failure counts.
func (s *Service) OnFailure(err error) {
	if !s.failure.CompareAndSwap(nil, &err) {
		return
	}
	// First, for it frees whoever waits for the disk: the readers of the links, and
	// seals. It does not call back.
	s.opts.Spool.Refuse(err)
	s.late.stop()
	all := s.all()
	say := make([]func(), 0, len(all))
	for _, one := range all {
		say = append(say, one.tellFailed(recorder.CauseStorageFailed, err.Error()))
	}
	if s.opts.OnFailure != nil {
		s.opts.OnFailure(err)
	}
	s.log.Error("storage failed; all recordings end as failed", zap.Error(err))
	for _, log := range say {
		log()
	}
}

// Failed returns why this process records nothing more, nil while it can. It is
// for the readiness check: a process that has failed must get no calls.
func (s *Service) Failed() error {
	if err := s.failure.Load(); err != nil {
		return fmt.Errorf("storage failed; this process records nothing more: %w", *err)
	}
	return nil
}

// watchStorage looks after a disk that neither answers nor fails. A hung commit
// is law 3 for what is being recorded, for nobody knows whether it will ever be
// durable; where it goes on in time nothing has happened. A process whose disk
// does not come back records nothing more.
func (s *Service) watchStorage(ctx context.Context) {
	tick := time.NewTicker(storageEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		stalled := s.opts.Spool.Stalled()
		var say []func()
		if stalled > stallLimit {
			for _, one := range s.all() {
				if one.needsDisk() {
					say = append(say, one.tellFailed(recorder.CauseStorageFailed, fmt.Sprintf("nothing has become durable for %v", stallLimit)))
				}
			}
		}
		for _, h := range s.hosts {
			if since := h.writing.Load(); since != 0 {
				stalled = max(stalled, time.Since(time.Unix(0, since)))
			}
		}
		if stalled > storageLimit {
			s.OnFailure(fmt.Errorf("the spool has taken nothing for %v", storageLimit))
		}
		for _, log := range say {
			log()
		}
	}
}

// needsDisk reports that the session is recording, or about to.
func (s *session) needsDisk() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.failed && (s.beginning || s.gate == gateArmed || s.gate == gateOpen || s.gate == gatePaused)
}

// unlessStalled returns a context that also ends, with errStalled, while the disk
// hangs: failed must be said in time. What was written by then becomes durable
// when the disk goes on.
func (s *Service) unlessStalled(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		tick := time.NewTicker(storageEvery)
		defer tick.Stop()
		for {
			if s.opts.Spool.Stalled() > stallLimit {
				cancel(errStalled)
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
	return ctx, func() { cancel(nil) }
}
