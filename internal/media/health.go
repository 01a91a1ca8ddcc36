package media

import (
	"context"
	"time"

	"github.com/recorderbot/recorderbot/internal/media/link"
)

// HostHealth is how one media host is.
type HostHealth struct {
	Address             string
	HostID              string // empty until it was reached
	Region              string
	Epoch               string
	Up                  bool
	Since               time.Time // up, or down, since
	Health              string    // a label of media_hosts
	Draining            bool
	Sessions, Capacity  uint32 // by the host's count
	Ours                int    // sessions of this process
	Others              int    // of other processes, as far as the host has said, and left over from calls of ours
	Used                int    // seats that are taken: others', ours, and those about to be or not gone yet
	SDKVersion          string
	SDKReleased         time.Time // zero: unknown
	CertificateNotAfter time.Time // zero: unknown
}

// Willing reports whether the host takes calls as long as there is a seat.
func (h HostHealth) Willing() bool { return h.Up && h.Health == link.Normal.String() }

// TakesCalls reports whether the host may be given a call now.
func (h HostHealth) TakesCalls() bool { return h.Willing() && h.Used < int(h.Capacity) }

// Seats is how many sessions of this process the host can hold in all: those that
// it has, and more where it takes more.
func (h HostHealth) Seats() int {
	ours := h.Used - h.Others
	if !h.Willing() {
		return ours
	}
	return max(ours, int(h.Capacity)-h.Others)
}

// Health returns how the hosts are, in the order of the configuration.
func (s *Service) Health() []HostHealth {
	s.places.Lock()
	defer s.places.Unlock()
	all := make([]HostHealth, len(s.hosts))
	for i, h := range s.hosts {
		state := h.link.State()
		all[i] = HostHealth{
			Address: h.address, HostID: state.Info.HostID, Region: state.Info.Region, Epoch: state.Info.Epoch,
			Up: state.Up, Since: state.Since, Health: label(state), Draining: state.Info.Draining,
			Sessions: state.Info.Sessions, Capacity: state.Info.Capacity, Ours: state.Attached,
			Others: h.seats.others + len(h.seats.unstop), Used: h.used(state),
			SDKVersion: state.Info.SDKVersion, SDKReleased: state.Info.SDKReleased,
			CertificateNotAfter: state.Info.CertificateNotAfter,
		}
	}
	return all
}

func label(s link.State) string {
	switch {
	case !s.Up:
		return healthDown
	case s.Info.Draining:
		return healthDraining
	}
	return s.Info.Health.String()
}

// countHosts brings the gauges up to date.
func (s *Service) countHosts() {
	now := time.Now()
	count := map[string]float64{}
	var down, age float64
	expiry := time.Time{}
	for _, h := range s.Health() {
		count[h.Health]++
		if !h.Up && now.Sub(h.Since) > downAlert {
			down++
		}
		if !h.SDKReleased.IsZero() {
			age = max(age, now.Sub(h.SDKReleased).Hours()/24)
		}
		if c := h.CertificateNotAfter; !c.IsZero() && (expiry.IsZero() || c.Before(expiry)) {
			expiry = c
		}
	}
	for _, l := range healths() {
		s.metrics.hosts.WithLabelValues(l).Set(count[l])
	}
	s.metrics.down.Set(down)
	s.metrics.sdkAge.Set(age)
	if !expiry.IsZero() {
		s.metrics.certLeft.Set(expiry.Sub(now).Seconds())
	}
}

// tidy disposes of sessions that could not be stopped when it was time.
func (s *Service) tidy(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, h := range s.hosts {
			if h.link.State().Up {
				h.retryStops(ctx)
			}
		}
	}
}
