package media

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// avoidFor is how long a host that could not take a call is passed over while
// there are others.
const avoidFor = 2 * time.Second

// CreateSession implements recorder.Media: it places the call on the least
// loaded healthy host, of the call's region where there is one, and attaches at
// once. A host that refuses or does not answer is followed by the next.
func (s *Service) CreateSession(ctx context.Context, call recorder.CallRef, where recorder.Placement) (recorder.Session, error) {
	if err := s.Failed(); err != nil {
		return recorder.Session{}, fmt.Errorf("%w: %w", recorder.ErrNoMediaHost, err)
	}
	if old := s.session(call.ID); old != nil {
		return recorder.Session{}, fmt.Errorf("%w: the call has a session already", recorder.ErrNoMediaHost)
	}
	ctx, cancel := context.WithTimeout(ctx, placeLimit)
	defer cancel()
	var why []error
	tried := map[*host]bool{}
	for ctx.Err() == nil {
		h, fit, unfit := s.choose(where.Region, tried)
		if h == nil {
			why = append(why, unfit...)
			break
		}
		tried[h] = true
		session, err := s.place(ctx, h, call, s.streamsOf(where.Policy), fit)
		if err == nil {
			s.metrics.placed.WithLabelValues("placed").Inc()
			return session, nil
		}
		why = append(why, err)
	}
	s.metrics.placed.WithLabelValues("refused").Inc()
	if err := ctx.Err(); err != nil {
		why = append(why, err)
	}
	return recorder.Session{}, fmt.Errorf("%w: %w", recorder.ErrNoMediaHost, errors.Join(why...))
}

// place asks one host, on which a seat was taken. It gets its share of the time
// that is left.
func (s *Service) place(ctx context.Context, h *host, call recorder.CallRef, streams Streams, left int) (recorder.Session, error) {
	deadline, _ := ctx.Deadline()
	share := max(time.Until(deadline)/time.Duration(left), placeLeast)
	ask, cancel := context.WithTimeout(ctx, share)
	defer cancel()
	id := uuid.NewString()
	blob, err := h.link.CreateSession(ask, id, streams.sockets(), unattachedTTL)
	if err != nil {
		h.refused()
		if isTimeout(ask.Err()) {
			h.stopLater(id) // it may have been made all the same
		}
		s.metrics.placed.WithLabelValues("failed").Inc()
		return recorder.Session{}, err
	}
	one := newSession(s, h, call, id, streams)
	if err = h.attach(id, one); err != nil {
		h.stopLater(id) // made, and of no use
		return recorder.Session{}, err
	}
	s.mu.Lock()
	taken := s.sessions[call.ID] != nil
	if !taken {
		s.sessions[call.ID] = one
	}
	s.mu.Unlock()
	if taken {
		one.link.Detach()
		h.stopLater(id)
		return recorder.Session{}, errors.New("the call has a session already")
	}
	s.metrics.sessions.Inc()
	name := h.link.State().Info.HostID
	one.log.Info("call placed", zap.String("host", name))
	return recorder.Session{ID: id, Host: name, Address: h.address, Blob: blob, Streams: streams.told(), Modalities: streams.modalities()}, nil
}

// Release implements recorder.Media.
func (s *Service) Release(ctx context.Context, call recorder.CallID, reason string) error {
	s.mu.Lock()
	one := s.sessions[call]
	delete(s.sessions, call)
	left := s.left[call]
	delete(s.left, call)
	s.mu.Unlock()
	switch {
	case one == nil && left != nil && left.host != nil:
		if err := left.host.stop(ctx, left.session.ID, reason); err != nil {
			return fmt.Errorf("release the session of call %s: %w", call, err)
		}
		return nil
	case one == nil:
		return nil
	}
	s.metrics.sessions.Dec()
	one.end.Do(func() { close(one.ending) })
	one.shut()
	stopped := one.host.detach(one)
	defer stopped()
	if err := one.host.stop(ctx, one.id, reason); err != nil {
		return fmt.Errorf("release the session of call %s: %w", call, err)
	}
	return nil
}
