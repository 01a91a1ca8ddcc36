package recorder

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// TestKeepAliveForADay: calls of a whole day, half of which began in the same
// second, against a platform that throttles, fails, hangs and is away, now and then
// for everybody. No call is longer than 20 minutes without a keepAlive that was
// accepted, as far as outages allow; what was asked to wait waits; a call that is
// gone is noticed; and the calls never come as one herd.
func TestKeepAliveForADay(t *testing.T) {
	t.Parallel()
	calls, long := 2000, 24*time.Hour
	if testing.Short() {
		calls, long = 200, 8*time.Hour
	}
	synctest.Test(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(1, 2))
		began := time.Now()
		s := &storm{
			world: &world{}, t: t, spells: spells(rng, began, long), calls: make([]attendee, calls),
			asked: map[int64]int{}, ends: map[CallID]Conclusion{},
		}
		r := NewRegistry(t.Context(), Options{Platform: s, Media: s, Ledger: s, OnFailure: FailureStay})
		for n := range calls {
			s.establish(r, n, began, long)
		}
		pass(time.Until(began.Add(long)))
		s.judge(r, began.Add(long))
		t.Log(s)
	})
}

// establish starts a call: the odd ones now, the others within ten minutes. One
// in ten is gone some time later, one in ten loses its media and stays, two in ten
// are paused for a while.
func (s *storm) establish(r *Registry, n int, began time.Time, long time.Duration) {
	rng := rand.New(rand.NewPCG(3, uint64(n)))
	delay := time.Duration(0)
	if n%2 == 0 {
		delay = time.Duration(rng.Int64N(int64(10 * time.Minute)))
	}
	a := &s.calls[n]
	*a = attendee{rng: rng, accepted: began.Add(delay)}
	some := time.Duration(rng.Int64N(int64(long - time.Hour)))
	switch n % 10 {
	case 0:
		a.gone = began.Add(15*time.Minute + some)
	case 1:
		a.staying = true
		time.AfterFunc(15*time.Minute+some, func() { _ = r.Post(stormID(n), MediaFailed{CauseMediaLost, "x"}) })
	}
	if n%5 == 2 {
		pause := 5*time.Minute + time.Duration(rng.Int64N(int64(40*time.Minute)))
		time.AfterFunc(15*time.Minute+some, func() { _ = r.Post(stormID(n), PauseRequested{}) })
		time.AfterFunc(15*time.Minute+some+pause, func() { _ = r.Post(stormID(n), ResumeRequested{}) })
	}
	time.AfterFunc(delay, func() { r.Invite(testInvite(stormID(n))) })
	time.AfterFunc(delay+time.Millisecond, func() {
		if err := r.Post(stormID(n), Established{}); err != nil {
			s.t.Error(err)
		}
	})
}

// judge looks at what is left after the last hour.
func (s *storm) judge(r *Registry, now time.Time) {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	gone := 0
	for n := range s.calls {
		a, id := &s.calls[n], stormID(n)
		switch end, over := s.ends[id]; {
		case !a.gone.IsZero():
			gone++
			s.judgeGone(id, a, end)
		case over:
			s.t.Errorf("%s ended: %+v", id, end)
		case now.Sub(a.accepted) > kept:
			s.t.Errorf("%s: no keepAlive for %v", id, now.Sub(a.accepted))
		}
	}
	if live := r.Live(); live != len(s.calls)-gone {
		s.t.Errorf("%d calls live, %d of %d are gone", live, gone, len(s.calls))
	}
	// All of them within the time by which they are spread, twice: by chance.
	if most := 2*len(s.calls)/int((keepAliveSoon+keepAliveSpreadMost)/time.Second) + 20; s.peak() > most {
		s.t.Errorf("%v: more than %d/s", s, most)
	}
}

// judgeGone: the next keepAlive tells, however it is kept from us meanwhile.
func (s *storm) judgeGone(id CallID, a *attendee, end Conclusion) {
	late := keepAliveEvery + keepAliveMost + keepAliveSpreadMost + requestTimeout
	for _, sp := range s.spells {
		if sp.to.After(a.gone.Add(-kept)) && sp.from.Before(a.gone.Add(kept)) {
			late += sp.to.Sub(sp.from)
		}
	}
	if a.noticed.IsZero() || a.noticed.Sub(a.gone) > late {
		s.t.Errorf("%s was gone at %v, noticed at %v", id, a.gone, a.noticed)
	}
	if end.Cause != CauseCallGone || end.Outcome != OutcomeRecorded {
		s.t.Errorf("%s: %+v", id, end)
	}
}

// TestNewStatePutsNoKeepAliveOff: a call whose keepAlives are failing, and which
// fails itself, goes on asking as soon as it would have.
func TestNewStatePutsNoKeepAliveOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{keepAliveErr: &Fault{Kind: FaultUnknown}}
		r := live(t, w, Options{OnFailure: FailureStay})
		pass(keepAliveEvery + 3*keepAliveSoon)
		_ = r.Post("c", MediaFailed{CauseMediaLost, "x"})
		synctest.Wait()
		before := keepAlives(w)
		pass(keepAliveSoon + keepAliveSpreadMost + requestTimeout)
		if n := keepAlives(w); n == before {
			t.Errorf("no keepAlive after %d, while the call is on its way to stay", n)
		}
		_ = r.Post("c", CallEnded{})
		wait(t, r)
	})
}

func keepAlives(w *world) int {
	return len(slices.DeleteFunc(w.log(), func(s string) bool { return s != "keepAlive" }))
}

// TestRetryAfterOfHalfAnHour: it is honoured up to what endangers the call.
func TestRetryAfterOfHalfAnHour(t *testing.T) {
	t.Parallel()
	for asked, want := range map[time.Duration]time.Duration{
		0: keepAliveSoon, 20 * time.Second: keepAliveSoon, 150 * time.Second: 150 * time.Second, 30 * time.Minute: keepAliveMost,
	} {
		got := keptAlive(KeepAliveReplied{RetryAfter: asked})
		if len(got) != 1 || got[0] != (SetTimer{TimerKeepAlive, want}) {
			t.Errorf("Retry-After %v: %v, want %v", asked, got, want)
		}
		if d := spread("c", want); d < want || d > want+keepAliveSpreadMost {
			t.Errorf("%v is spread to %v", want, d)
		}
	}
}

// TestKeepAlivesAreSpread: calls whose IDs differ little come at different times.
func TestKeepAlivesAreSpread(t *testing.T) {
	t.Parallel()
	const calls, buckets = 2000, 120
	var hits [buckets]int
	for n := range calls {
		id := CallID(fmt.Sprintf("e71f0300-9c1f-4d99-b5f4-%012d", n))
		d := spread(id, keepAliveEvery)
		least := keepAliveEvery - keepAliveEvery/keepAliveSpreadPart
		if d < least || d > keepAliveEvery {
			t.Fatalf("%s: %v", id, d)
		}
		hits[min(int((d-least)/time.Second), buckets-1)]++
	}
	if most := slices.Max(hits[:]); most > 3*calls/buckets {
		t.Errorf("%d of %d calls within a second: %v", most, calls, hits)
	}
}

// TestKeepAliveAge is what the alert goes by.
func TestKeepAliveAge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, reg := &world{}, prometheus.NewRegistry()
		r := live(t, w, Options{Registerer: reg})
		age := func() time.Duration {
			families, err := reg.Gather()
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range families {
				if f.GetName() == "recorderbot_keepalive_age_seconds" {
					return time.Duration(f.GetMetric()[0].GetGauge().GetValue() * float64(time.Second))
				}
			}
			t.Fatal("not exported")
			return 0
		}
		pass(time.Hour + time.Second)
		if a := age(); a > keepAliveEvery {
			t.Errorf("%v, and all is well", a)
		}
		w.set(func() { w.keepAliveErr = &Fault{Kind: FaultUnknown} })
		pass(time.Hour)
		if a := age(); a < time.Hour || a > time.Hour+keepAliveEvery {
			t.Errorf("%v after an hour without", a)
		}
		_ = r.Post("c", CallEnded{})
		wait(t, r)
		if a := age(); a != 0 {
			t.Errorf("%v without a call", a)
		}
	})
}

// TestTakenUpIsKeptAliveSoon: nobody knows when the dead process asked last.
func TestTakenUpIsKeptAliveSoon(t *testing.T) {
	t.Parallel()
	for _, state := range []string{"recording", "paused", "staying"} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := &world{standing: StandingEstablished}
				r := w.begin(t.Context(), Options{})
				r.TakeUp(testInvite("c"), Takeover{
					Memory:  Memory{State: state, Asked: 2, Ending: &Ending{Status: StatusFailed, Cause: CauseMediaLost}},
					Session: &Session{ID: "s"},
				})
				pass(keepAliveSoon + keepAliveSpreadMost + time.Second)
				synctest.Wait()
				if n := keepAlives(w); n != 1 {
					t.Errorf("%d keepAlives", n)
				}
				_ = r.Post("c", CallEnded{})
				wait(t, r)
			})
		})
	}
}
