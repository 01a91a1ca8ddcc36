package media

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/recorderbot/recorderbot/internal/media/link"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// avoidFor is how long a host that could not take a call is passed over while
// there are others.
const avoidFor = 2 * time.Second

// CreateSession implements recorder.Media: it places the call on the least
// loaded healthy host, of the call's region where there is one, and attaches at
// once. A host that refuses or does not answer is followed by the next.
func (s *Service) CreateSession(ctx context.Context, call recorder.CallRef, region string) (recorder.Session, error) {
	if err := s.Failed(); err != nil {
		return recorder.Session{}, fmt.Errorf("%w: %w", recorder.ErrNoMediaHost, err)
	}
	if old := s.session(call.ID); old != nil {
		return recorder.Session{}, fmt.Errorf("%w: the call has a session already", recorder.ErrNoMediaHost)
	}
	ctx, cancel := context.WithTimeout(ctx, placeLimit)
	defer cancel()
	hosts, why := s.candidates(region)
	for i, h := range hosts {
		session, err := s.place(ctx, h, call, len(hosts)-i)
		if err == nil {
			s.metrics.placed.WithLabelValues("placed").Inc()
			return session, nil
		}
		why = append(why, err)
		if ctx.Err() != nil {
			break
		}
	}
	s.metrics.placed.WithLabelValues("refused").Inc()
	if len(why) == 0 {
		why = append(why, errors.New("there is none"))
	}
	return recorder.Session{}, fmt.Errorf("%w: %w", recorder.ErrNoMediaHost, errors.Join(why...))
}

// place asks one host, which gets its share of the time that is left.
func (s *Service) place(ctx context.Context, h *host, call recorder.CallRef, left int) (recorder.Session, error) {
	h.placing.Add(1)
	defer h.placing.Add(-1)
	deadline, _ := ctx.Deadline()
	share := max(time.Until(deadline)/time.Duration(left), placeLeast)
	ask, cancel := context.WithTimeout(ctx, share)
	defer cancel()
	id := uuid.NewString()
	mode := link.Mixed
	if s.opts.Audio == "unmixed" {
		mode = link.Unmixed
	}
	blob, err := h.link.CreateSession(ask, id, mode, unattachedTTL)
	if err != nil {
		h.mu.Lock()
		h.avoid = time.Now().Add(avoidFor)
		h.mu.Unlock()
		if isTimeout(ask.Err()) {
			h.stopLater(id) // it may have been made all the same
		}
		s.metrics.placed.WithLabelValues("failed").Inc()
		return recorder.Session{}, err
	}
	one := newSession(s, h, call, id)
	if one.link, err = h.link.Attach(id, one); err != nil {
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
	return recorder.Session{ID: id, Host: name, Address: h.address, Blob: blob}, nil
}

// candidates are the hosts that may take a call, best first, and why the others
// may not.
func (s *Service) candidates(region string) ([]*host, []error) {
	type rated struct {
		*host

		away    bool // of another region, or just refused a call
		avoided bool
		load    float64
	}
	var fit []rated
	var why []error
	now := time.Now()
	for _, h := range s.hosts {
		state := h.link.State()
		used := max(state.Attached, int(state.Info.Sessions)) + int(h.placing.Load())
		if reason := unfit(state, used); reason != "" {
			why = append(why, fmt.Errorf("%s %s", h.address, reason))
			continue
		}
		h.mu.Lock()
		avoided := now.Before(h.avoid)
		h.mu.Unlock()
		fit = append(fit, rated{
			host: h, avoided: avoided, load: float64(used) / float64(state.Info.Capacity),
			away: region != "" && !strings.EqualFold(region, state.Info.Region),
		})
	}
	slices.SortStableFunc(fit, func(a, b rated) int {
		return cmp.Or(boolean(a.avoided, b.avoided), boolean(a.away, b.away), cmp.Compare(a.load, b.load))
	})
	hosts := make([]*host, len(fit))
	for i, r := range fit {
		hosts[i] = r.host
	}
	return hosts, why
}

func boolean(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

func unfit(state link.State, used int) string {
	switch {
	case !state.Up:
		return "is not connected"
	case state.Info.Draining:
		return "is draining"
	case state.Info.Health != link.Normal:
		return "is " + state.Info.Health.String()
	case used >= int(state.Info.Capacity):
		return "is full"
	}
	return ""
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
	one.link.Detach()
	if err := one.host.stop(ctx, one.id, reason); err != nil {
		return fmt.Errorf("release the session of call %s: %w", call, err)
	}
	return nil
}
