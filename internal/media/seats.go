package media

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/recorderbot/recorderbot/internal/media/link"
)

// seats are the sessions of one host as far as they are not attached to our link:
// with the attached ones they say how full the host is, to the last session, while
// a thousand calls are being placed at once. Service.places guards them.
type seats struct {
	asked  int       // CreateSession is under way
	ending int       // detached, and the host has not said yet that they are gone
	others int       // of other processes, as of what the host said last
	told   uint64    // how often it has said so
	avoid  time.Time // place nothing here before
	unstop []string  // sessions whose StopSession did not get through
}

// used is how many seats are taken; Service.places is held.
func (h *host) used(state link.State) int {
	return h.seats.others + h.ours(state)
}

// ours are the seats that this process takes; Service.places is held.
func (h *host) ours(state link.State) int {
	return state.Attached + h.seats.asked + h.seats.ending + len(h.seats.unstop)
}

// hearSeats takes what the host says of its sessions: those that are not ours are
// others'. It is said now and then, ours are counted, so what was placed since the
// host counted is not forgotten. A session that it has not made yet counts as ours:
// the host has the last word, and where it refuses the next one is asked.
func (h *host) hearSeats(state link.State) {
	h.service.places.Lock()
	defer h.service.places.Unlock()
	if h.seats.told == state.Infos {
		return // the link has changed, and what the host said is old
	}
	h.seats.told = state.Infos
	h.seats.others = max(0, int(state.Info.Sessions)-h.ours(state))
}

// choose takes a seat on the best host that was not tried: for the others it says
// why they may not take a call. fit is how many may, nil is returned where none
// may. Choice and seat are one step, so that a burst does not end on one host.
func (s *Service) choose(region string, tried map[*host]bool) (best *host, fit int, why []error) {
	type rated struct {
		avoided, away bool // just refused a call, or is of another region
		load          float64
	}
	now := time.Now()
	s.places.Lock()
	defer s.places.Unlock()
	var least rated
	for _, h := range s.hosts {
		if tried[h] {
			continue
		}
		state := h.link.State()
		used := h.used(state)
		if reason := unfit(state, used); reason != "" {
			why = append(why, fmt.Errorf("%s %s", h.address, reason))
			continue
		}
		fit++
		r := rated{
			avoided: now.Before(h.seats.avoid), load: float64(used) / float64(state.Info.Capacity),
			away: region != "" && !strings.EqualFold(region, state.Info.Region),
		}
		if best == nil || cmp.Or(boolean(r.avoided, least.avoided), boolean(r.away, least.away), cmp.Compare(r.load, least.load)) < 0 {
			best, least = h, r
		}
	}
	if best != nil {
		best.seats.asked++
	}
	return best, fit, why
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

// refused gives the seat back and passes the host over for a while.
func (h *host) refused() {
	h.service.places.Lock()
	defer h.service.places.Unlock()
	h.seats.asked--
	h.seats.avoid = time.Now().Add(avoidFor)
}

// attach turns the seat that was asked for into an attached session: in one step,
// so that it is never counted twice, nor not at all.
func (h *host) attach(id string, one *session) (err error) {
	h.service.places.Lock()
	defer h.service.places.Unlock()
	h.seats.asked--
	one.link, err = h.link.Attach(id, one)
	return err
}

// takeOver attaches a session that the host has already. That of a dead process was
// counted among the others' when the host said how many it has.
func (h *host) takeOver(one *session) error {
	h.service.places.Lock()
	defer h.service.places.Unlock()
	if err := one.link.Attach(); err != nil {
		return err
	}
	if one.left != nil {
		h.seats.others = max(0, h.seats.others-1)
	}
	return nil
}

// detach lets go of a session that the host still has. The seat is free when
// stopped is called.
func (h *host) detach(one *session) (stopped func()) {
	h.service.places.Lock()
	defer h.service.places.Unlock()
	one.link.Detach()
	h.seats.ending++
	return func() { h.ended(1) }
}

func (h *host) ended(n int) {
	h.service.places.Lock()
	defer h.service.places.Unlock()
	h.seats.ending -= n
}

// mostUnstopped bounds the sessions that wait to be stopped. What is too much the
// host disposes of itself, for nobody attaches it.
const mostUnstopped = 10_000

// stopLater has a session stopped when the link is up.
func (h *host) stopLater(id string) {
	h.service.places.Lock()
	defer h.service.places.Unlock()
	if len(h.seats.unstop) < mostUnstopped {
		h.seats.unstop = append(h.seats.unstop, id)
	}
}

// takeUnstopped returns the sessions that wait to be stopped; their seats are
// taken until ended is called.
func (h *host) takeUnstopped() []string {
	h.service.places.Lock()
	defer h.service.places.Unlock()
	ids := h.seats.unstop
	h.seats.unstop = nil
	h.seats.ending += len(ids)
	return ids
}
