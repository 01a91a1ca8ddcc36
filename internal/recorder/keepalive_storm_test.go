package recorder

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"
)

// What the platform may demand of us and still have a keepAlive of each call every
// 20 minutes: an outage of everything that is no longer than bridged. What lies
// beyond is bounded all the same: recovery after the outage's end.
const (
	kept     = 20 * time.Minute
	recovery = keepAliveSoon + keepAliveSpreadMost + requestTimeout
	bridged  = kept - keepAliveEvery - recovery
	patience = 45 * time.Minute // the platform's
)

// A spell is a time in which the platform serves nobody, and how it says so.
type spell struct {
	from, to time.Time
	kind     string
}

// spells are outages of the platform, one every two hours.
func spells(rng *rand.Rand, from time.Time, long time.Duration) []spell {
	kinds := []string{"http 503", "timeout", "token", "http 429"}
	var all []spell
	for n, at := 0, from.Add(time.Hour); at.Before(from.Add(long)); n, at = n+1, at.Add(2*time.Hour) {
		length := time.Minute + time.Duration(rng.Int64N(int64(bridged-time.Minute)))
		if n%3 == 2 { // no interval of ten minutes survives these
			length = 10*time.Minute + time.Duration(rng.Int64N(int64(5*time.Minute)))
		}
		start := at.Add(time.Duration(rng.Int64N(int64(30 * time.Minute))))
		all = append(all, spell{start, start.Add(length), kinds[n%len(kinds)]})
	}
	return all
}

// An attendee is what the platform knows of one call.
type attendee struct {
	rng       *rand.Rand
	accepted  time.Time // the last keepAlive
	notBefore time.Time // it was told
	longs     int       // half hours asked for, in a row
	gone      time.Time // it drops the call here; zero: never
	noticed   time.Time
	staying   bool
}

// A storm is a platform that fails by seed. Each call has faults of its own, so
// that what happens does not depend on the order in which calls ask.
type storm struct {
	*world

	t      *testing.T
	spells []spell

	mu      sync.Mutex // guards what follows
	calls   []attendee
	asked   map[int64]int // keepAlives by second
	total   int
	longest time.Duration // between two that were accepted
	ends    map[CallID]Conclusion
}

func stormID(n int) CallID { return CallID("call-" + strconv.Itoa(n)) }

func stormNumber(id CallID) int {
	n, _ := strconv.Atoi(string(id)[len("call-"):])
	return n
}

// during is the spell that holds now, or, as near, one that is less than kept away.
func (s *storm) during(now time.Time) (in, near *spell) {
	for i := range s.spells {
		sp := &s.spells[i]
		if !now.Before(sp.from) && now.Before(sp.to) {
			return sp, sp
		}
		if now.After(sp.from.Add(-kept)) && now.Before(sp.to.Add(kept)) {
			near = sp
		}
	}
	return nil, near
}

// KeepAlive implements Platform.
func (s *storm) KeepAlive(ctx context.Context, call CallRef) (Receipt, error) {
	now := time.Now()
	s.mu.Lock()
	a := &s.calls[stormNumber(call.ID)]
	s.asked[now.Unix()]++
	s.total++
	if now.Before(a.notBefore) {
		s.t.Errorf("%s: asked %v before the time that it was told", call.ID, a.notBefore.Sub(now))
	}
	in, near := s.during(now)
	fault := s.fault(a, in, near, now)
	if fault != nil && fault.Kind == FaultGone {
		a.noticed = now
	}
	if fault == nil {
		s.accept(call.ID, a, now)
	}
	s.mu.Unlock()
	if fault == nil {
		return Receipt{HTTPStatus: 200}, nil
	}
	if fault.Message == "timeout" {
		<-ctx.Done()
	}
	return Receipt{}, fault
}

// fault says what is wrong with this request. Under mu.
func (s *storm) fault(a *attendee, in, near *spell, now time.Time) *Fault {
	if in != nil {
		switch in.kind {
		case "timeout":
			return &Fault{Kind: FaultUnknown, Message: "timeout"}
		case "token":
			return &Fault{Kind: FaultRefused, Message: "no access token"}
		case "http 429":
			return s.throttle(a, now, 10*time.Second+time.Duration(a.rng.Int64N(int64(50*time.Second))))
		}
		return &Fault{Kind: FaultUnknown, Message: in.kind}
	}
	if !a.gone.IsZero() && now.After(a.gone) {
		return &Fault{Kind: FaultGone}
	}
	if near != nil {
		return nil
	}
	switch roll := a.rng.IntN(1000); {
	case roll < 30:
		return &Fault{Kind: FaultUnknown, Message: "http 500"}
	case roll < 35:
		return &Fault{Kind: FaultUnknown, Message: "timeout"}
	case roll < 45:
		return s.throttle(a, now, time.Duration(1+a.rng.Int64N(200))*time.Second)
	case roll < 55 && a.longs < 2:
		a.longs++
		return s.throttle(a, now, 30*time.Minute)
	}
	return nil
}

func (s *storm) throttle(a *attendee, now time.Time, after time.Duration) *Fault {
	a.notBefore = now.Add(min(after, keepAliveMost))
	return &Fault{Kind: FaultThrottled, RetryAfter: after}
}

// accept judges the time since the last. Under mu.
func (s *storm) accept(id CallID, a *attendee, now time.Time) {
	since := now.Sub(a.accepted)
	s.longest = max(s.longest, since)
	allowed := kept
	for _, sp := range s.spells {
		if length := sp.to.Sub(sp.from); length > bridged && sp.from.Before(now) && sp.to.After(a.accepted) {
			allowed = min(keepAliveEvery+length+recovery, patience)
			if late := now.Sub(sp.to); late > recovery {
				s.t.Errorf("%s: %v after the end of an outage", id, late)
			}
		}
	}
	if since > allowed {
		s.t.Errorf("%s: %v without a keepAlive, at %v; %v are allowed", id, since, now, allowed)
	}
	a.accepted, a.longs = now, 0
}

// Open implements Media: it keeps no permits.
func (s *storm) Open(context.Context, Permit) (Opened, error) { return Opened{Recording: "r"}, nil }

// Seal implements Media.
func (s *storm) Seal(context.Context, SealOrder) (SealReport, error) {
	return SealReport{Recording: "r", Frames: 1, Samples: 320}, nil
}

// Announce implements Platform.
func (s *storm) Announce(_ context.Context, _ CallRef, _ RecordingStatus, clientContext string) (Operation, error) {
	return Operation{ID: "op", Context: clientContext, Progress: Completed, Receipt: Receipt{HTTPStatus: 200}}, nil
}

// The rest would only be remembered.

func (s *storm) Answer(context.Context, CallRef, Session) (Receipt, error) {
	return Receipt{HTTPStatus: 202}, nil
}

func (s *storm) CreateSession(context.Context, CallRef, Placement) (Session, error) {
	return Session{ID: "s", Host: "h", Blob: "b"}, nil
}

func (s *storm) AskRoster(context.Context, CallRef) (Roster, error) { return Roster{}, nil }

func (s *storm) Release(context.Context, CallID, string) error { return nil }

func (s *storm) Append(context.Context, ...Entry) error { return nil }

func (s *storm) Note(Entry) bool { return true }

func (s *storm) Conclude(_ context.Context, c Conclusion) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ends[c.Call] = c
	return nil
}

// String says what was seen.
func (s *storm) String() string {
	peak := 0
	for _, n := range s.asked {
		peak = max(peak, n)
	}
	return fmt.Sprintf("%d calls, %d keepAlives, longest interval %v, peak %d/s", len(s.calls), s.total, s.longest.Round(time.Second), peak)
}

func (s *storm) peak() int {
	peak := 0
	for _, n := range s.asked {
		peak = max(peak, n)
	}
	return peak
}
