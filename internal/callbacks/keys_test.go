package callbacks

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"pgregory.net/rapid"
)

// published is a key set that tests exchange; it counts its fetches.
type published struct {
	mu      sync.Mutex
	keys    map[string]*rsa.PublicKey
	err     error
	fetches int
	slow    time.Duration
}

func (p *published) fetch(ctx context.Context) (map[string]*rsa.PublicKey, error) {
	p.mu.Lock()
	p.fetches++
	keys, err, slow := maps.Clone(p.keys), p.err, p.slow
	p.mu.Unlock()
	select {
	case <-time.After(slow):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return keys, err
}

func (p *published) set(ids ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = map[string]*rsa.PublicKey{}
	for _, id := range ids {
		p.keys[id] = &testKeys()[0].PublicKey
	}
}

func (p *published) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
}

func (p *published) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fetches
}

func newTestKeySet(t *testing.T, ids ...string) (*keySet, *published) {
	t.Helper()
	p := &published{}
	p.set(ids...)
	k := newKeySet(p.fetch, newMetrics(prometheus.NewRegistry()), zap.NewNop())
	if err := k.refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	return k, p
}

// TestRotationBeforeForgery: the new key is there at once.
func TestRotationBeforeForgery(t *testing.T) {
	t.Parallel()
	testKeys()
	synctest.Test(t, func(t *testing.T) {
		k, p := newTestKeySet(t, "k0")
		defer k.close()
		p.set("k0", "k1")
		start := time.Now()
		if _, err := k.lookup(t.Context(), "k1"); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("it took %v", took)
		}
		if got := p.count(); got != 2 {
			t.Errorf("%d fetches, want 2", got)
		}
	})
}

// TestRotationAfterForgery: so it is after some forged key IDs, one after the
// other; and after any number of them it is there within one refill.
func TestRotationAfterForgery(t *testing.T) {
	t.Parallel()
	testKeys()
	const late = fetchRefill + 200*time.Millisecond // the test looks each 100 ms
	for _, test := range []struct {
		forged int
		within time.Duration
	}{{1, 0}, {fetchBurst - 1, 0}, {fetchBurst, late}, {50, late}, {5000, late}} {
		t.Run(fmt.Sprint(test.forged), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				k, p := newTestKeySet(t, "k0")
				defer k.close()
				for i := range test.forged {
					if _, err := k.lookup(t.Context(), fmt.Sprint("forged", i)); !errors.Is(err, errUnknownKey) {
						t.Fatalf("forged key: %v", err)
					}
				}
				if got := p.count() - 1; got > fetchBurst {
					t.Errorf("%d fetches for %d forged key IDs, want at most %d", got, test.forged, fetchBurst)
				}
				p.set("k0", "k1")
				start := time.Now()
				for {
					if _, err := k.lookup(t.Context(), "k1"); err == nil {
						break
					}
					if time.Since(start) > time.Minute {
						t.Fatal("the rotated key is never found")
					}
					<-time.After(100 * time.Millisecond)
				}
				if took := time.Since(start); took > test.within {
					t.Errorf("it took %v, want at most %v", took, test.within)
				}
			})
		})
	}
}

// TestForgeryStorm: a sustained storm of forged key IDs is bought a fetch each
// refill and no more; genuine tokens of known keys notice nothing, and a
// rotation in the midst of it is seen within one refill.
func TestForgeryStorm(t *testing.T) {
	t.Parallel()
	testKeys()
	synctest.Test(t, func(t *testing.T) {
		k, p := newTestKeySet(t, "k0")
		defer k.close()
		p.slow = 200 * time.Millisecond
		ctx, stop := context.WithCancel(t.Context())
		var storm sync.WaitGroup
		for i := range 100 {
			storm.Go(func() {
				for n := 0; ctx.Err() == nil; n++ {
					_, _ = k.lookup(ctx, fmt.Sprint("forged", i, "-", n))
					<-time.After(250 * time.Millisecond)
				}
			})
		}
		<-time.After(time.Minute)
		p.set("k0", "k1")
		rotated := time.Now()
		for k.find("k1") == nil {
			if k.find("k0") == nil {
				t.Fatal("a known key vanished")
			}
			<-time.After(50 * time.Millisecond)
		}
		if took := time.Since(rotated); took > fetchRefill+time.Second {
			t.Errorf("rotation seen after %v", took)
		}
		stop()
		storm.Wait()
		if got, limit := p.count(), 1+fetchBurst+int(70*time.Second/fetchRefill); got > limit {
			t.Errorf("%d fetches, want at most %d", got, limit)
		}
	})
}

// TestSingleFlight: many tokens of a new key cause one fetch, and one more at
// most for those that came while it was under way.
func TestSingleFlight(t *testing.T) {
	t.Parallel()
	testKeys()
	synctest.Test(t, func(t *testing.T) {
		k, p := newTestKeySet(t, "k0")
		defer k.close()
		p.slow = time.Second
		first := p.count()
		var all sync.WaitGroup
		look := func(want error) {
			all.Go(func() {
				if _, err := k.lookup(t.Context(), "k1"); !errors.Is(err, want) {
					t.Errorf("got %v, want %v", err, want)
				}
			})
		}
		look(errUnknownKey) // its fetch begins before the rotation
		synctest.Wait()
		<-time.After(100 * time.Millisecond)
		p.set("k0", "k1")
		for range 200 {
			look(nil)
		}
		all.Wait()
		if got := p.count() - first; got != 2 {
			t.Errorf("%d fetches, want 2", got)
		}
	})
}

// TestFailedRefreshKeepsKeys: and an unknown key is then "no", or any stranger
// could make us say that we cannot tell. What keeps us from reading is in the log.
func TestFailedRefreshKeepsKeys(t *testing.T) {
	t.Parallel()
	testKeys()
	synctest.Test(t, func(t *testing.T) {
		k, p := newTestKeySet(t, "k0")
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { k.run(ctx); close(done) }()
		p.fail(errors.New("no route to host"))
		<-time.After(3 * refreshEvery)
		if k.find("k0") == nil {
			t.Error("the key is gone")
		}
		if got := p.count(); got > 500 {
			t.Errorf("%d fetches in three hours of failure", got)
		}
		if _, err := k.lookup(t.Context(), "k1"); !errors.Is(err, errUnknownKey) || !strings.Contains(err.Error(), "no route to host") {
			t.Errorf("unknown key: %v", err)
		}
		p.fail(nil)
		p.set("k1")
		<-time.After(2 * time.Minute)
		if k.find("k1") == nil || k.find("k0") != nil {
			t.Error("the new set was not taken over after the failure")
		}
		before := p.count()
		<-time.After(refreshEvery + time.Minute)
		if got := p.count() - before; got != 1 {
			t.Errorf("%d fetches in the next hour, want 1", got)
		}
		stop()
		<-done
	})
}

// TestSlowKeysDoNotHoldRequests: a request waits its patience and no longer.
func TestSlowKeysDoNotHoldRequests(t *testing.T) {
	t.Parallel()
	testKeys()
	synctest.Test(t, func(t *testing.T) {
		k, p := newTestKeySet(t, "k0")
		defer k.close()
		p.slow = time.Hour
		start := time.Now()
		if _, err := k.lookup(t.Context(), "k1"); !errors.Is(err, errUnknownKey) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(start); took != keyPatience {
			t.Errorf("waited %v, want %v", took, keyPatience)
		}
	})
}

// TestStrangersCannotSayWeAreBlind: whatever key ID they name and however often,
// with a set at hand the answer is 401; without one nobody can be told anything.
func TestStrangersCannotSayWeAreBlind(t *testing.T) {
	t.Parallel()
	testKeys()
	synctest.Test(t, func(t *testing.T) {
		e := newEdge(t, nil)
		down := func(context.Context) (map[string]*rsa.PublicKey, error) { return nil, errors.New("no route to host") }
		e.keys.fetch = down
		for i := range 3 * fetchBurst {
			w := e.do(post(t, goodToken().by(testKeys()[1], fmt.Sprint("forged", i)).String(), invite(ourTenant, callID)))
			if w.Code != http.StatusUnauthorized {
				t.Fatalf("forged token %d: status %d", i, w.Code)
			}
		}
		if got := e.value(t, "recorderbot_callbacks_rejected_total", "reason", string(reasonNoKeys)); got != 0 {
			t.Errorf("%v refusals for want of keys", got)
		}
		if w := e.do(post(t, goodToken().String(), invite(ourTenant, callID))); w.Code != http.StatusAccepted {
			t.Errorf("genuine token: status %d", w.Code)
		}
		blind := newKeySet(down, newMetrics(prometheus.NewRegistry()), zap.NewNop())
		defer blind.close()
		for range 3 * fetchBurst {
			if _, err := blind.lookup(t.Context(), "k0"); !errors.Is(err, errKeysUnavailable) {
				t.Errorf("without a set: %v", err)
			}
		}
	})
}

func TestClosedKeySet(t *testing.T) {
	t.Parallel()
	testKeys()
	synctest.Test(t, func(t *testing.T) {
		k, p := newTestKeySet(t, "k0")
		p.slow = time.Hour
		go func() { _, _ = k.lookup(context.WithoutCancel(t.Context()), "k1") }()
		synctest.Wait()
		k.close()
		if _, err := k.lookup(t.Context(), "k0"); err != nil {
			t.Errorf("known key after close: %v", err)
		}
		for range 2 * fetchBurst {
			<-time.After(time.Millisecond)
			if _, err := k.lookup(t.Context(), "k1"); !errors.Is(err, errUnknownKey) {
				t.Errorf("unknown key after close: %v", err)
			}
		}
	})
}

// TestKeySetProperties runs random histories of rotations, failures, forgeries
// and pauses: a look-up that had the set fetched never says "no such key" of a key
// that is published, a forged key is never found, and fetches stay within the
// budget.
func TestKeySetProperties(t *testing.T) {
	t.Parallel()
	testKeys()
	rapid.Check(t, func(rt *rapid.T) {
		steps := rapid.SliceOfN(rapid.IntRange(0, 5), 1, 60).Draw(rt, "steps")
		var fault string // rapid can't be told from inside the bubble
		synctest.Test(t, func(t *testing.T) { fault = history(t, steps) })
		if fault != "" {
			rt.Fatal(fault)
		}
	})
}

// history plays one history and says what went wrong.
func history(t *testing.T, steps []int) string {
	t.Helper()
	k, p := newTestKeySet(t, "k0")
	defer k.close()
	start, generation, newest := time.Now(), 0, "k0"
	for _, step := range steps {
		switch step {
		case 0:
			generation++
			newest = fmt.Sprint("k", generation)
			p.set(newest)
		case 1:
			p.fail(errors.New("down"))
		case 2:
			p.fail(nil)
		case 3:
			<-time.After(fetchRefill)
		case 4:
			if key, err := k.lookup(t.Context(), "forged"); key != nil || err == nil {
				return "a forged key was found"
			}
		case 5:
			before := p.count()
			if _, err := k.lookup(t.Context(), newest); errors.Is(err, errUnknownKey) && k.fault() == nil && p.count() > before {
				return "the newest key is not found although the set was fetched"
			}
		}
		limit := 1 + fetchBurst + int(time.Since(start)/fetchRefill)
		if got := p.count(); got > limit {
			return fmt.Sprintf("%d fetches after %v, want at most %d", got, time.Since(start), limit)
		}
	}
	return ""
}
