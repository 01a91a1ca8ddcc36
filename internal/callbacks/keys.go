package callbacks

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.uber.org/zap"
	"golang.org/x/time/rate"
)

// The budget of fetches that unknown key IDs may cause, and their patience.
const (
	fetchBurst  = 5                       // at once
	fetchRefill = 2500 * time.Millisecond // one more each; a little more than the patience
	// keyPatience bounds how long a request waits for a key. An invite must be
	// answered within five seconds of its arrival, so a longer wait is no use.
	keyPatience = 2 * time.Second
)

// refreshEvery is how often the keys are read without being asked for.
// Microsoft's own library does so each two hours.
const refreshEvery = time.Hour

var (
	// errUnknownKey: the key is not in the newest set that can be had.
	errUnknownKey = errors.New("no such signing key")
	// errKeysUnavailable: we cannot tell, since no set was ever read.
	errKeysUnavailable = errors.New("signing keys unavailable")
	errClosed          = errors.New("shutting down")
)

// A snapshot is one published key set; immutable. A key that stays published
// keeps its pointer from one snapshot to the next, so that a pointer tells
// whether a token's key is still the same.
type snapshot struct {
	keys map[string]*rsa.PublicKey // by key ID
}

// keySet holds the platform's signing keys and decides when to read them anew.
type keySet struct {
	fetch func(context.Context) (map[string]*rsa.PublicKey, error)
	// changed is called, if set, after a snapshot was replaced.
	changed func()
	budget  *rate.Limiter
	m       *metrics
	log     *zap.Logger

	current atomic.Pointer[snapshot] // nil until the first success

	mu      sync.Mutex // guards the fields below: one flight at a time
	flight  *flight    // nil when none is under way
	lastErr error      // of the newest fetch; nil after a success
	closed  bool       // no more flights

	life   context.Context // ends with close; flights outlive the requests that caused them
	cancel context.CancelFunc
	flying sync.WaitGroup
}

// A flight is one fetch, under way or waiting for the budget. Many may wait for
// it.
type flight struct {
	due   time.Time // when the budget lets it begin
	began time.Time // when it did; to be read after done
	done  chan struct{}
}

func newKeySet(fetch func(context.Context) (map[string]*rsa.PublicKey, error), m *metrics, log *zap.Logger) *keySet {
	k := &keySet{
		fetch: fetch, m: m, log: log,
		budget: rate.NewLimiter(rate.Every(fetchRefill), fetchBurst),
	}
	k.life, k.cancel = context.WithCancel(context.Background())
	return k
}

// find returns the key, or nil where the set we hold does not have it.
func (k *keySet) find(id string) *rsa.PublicKey {
	if s := k.current.Load(); s != nil {
		return s.keys[id]
	}
	return nil
}

// lookup returns the key, and reads the set anew if it has to and may.
//
// A fetch that began before the caller came may have missed a rotation, so the
// caller is content only with one that began later: two rounds at most.
func (k *keySet) lookup(ctx context.Context, id string) (*rsa.PublicKey, error) {
	if key := k.find(id); key != nil {
		return key, nil
	}
	ctx, cancel := context.WithTimeout(ctx, keyPatience)
	defer cancel()
	came := time.Now()
	for {
		f := k.demand()
		if time.Until(f.due) > keyPatience {
			return nil, k.missing() // the budget is spent; the fetch takes place without us
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return nil, k.missing()
		}
		if key := k.find(id); key != nil {
			return key, nil
		}
		if !f.began.Before(came) {
			return nil, k.missing()
		}
	}
}

// missing says why there is no key. With a set at hand it does not exist for
// us: were it "can't tell", a stranger with any key ID could make us say that we
// cannot verify tokens, wherever the set cannot be read at the moment or its
// budget is spent. Only without a set can we tell nobody.
func (k *keySet) missing() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch loaded := k.current.Load() != nil; {
	case loaded && k.lastErr != nil:
		return fmt.Errorf("%w in the set at hand; the newest could not be read: %w", errUnknownKey, k.lastErr)
	case loaded:
		return errUnknownKey
	case k.lastErr != nil:
		return fmt.Errorf("%w: %w", errKeysUnavailable, k.lastErr)
	}
	return fmt.Errorf("%w: not read yet", errKeysUnavailable)
}

// demand returns the flight under way or starts one, at the budget's expense.
func (k *keySet) demand() *flight {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.flight == nil {
		// At most one reservation is ever outstanding, so the wait is at most
		// one refill.
		return k.start(k.budget.Reserve().Delay())
	}
	return k.flight
}

// refresh reads the set, without touching the budget, and returns what came of
// it. It joins a flight that is under way already.
func (k *keySet) refresh(ctx context.Context) error {
	k.mu.Lock()
	f := k.flight
	if f == nil {
		f = k.start(0)
	}
	k.mu.Unlock()
	select {
	case <-f.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	return k.fault()
}

// fault returns the error of the newest fetch.
func (k *keySet) fault() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.lastErr
}

// start begins a flight; after close one that has failed already. The caller
// holds mu.
func (k *keySet) start(delay time.Duration) *flight {
	now := time.Now()
	f := &flight{due: now.Add(delay), done: make(chan struct{})}
	if k.closed {
		f.due, f.began, k.lastErr = now, now, errClosed
		close(f.done)
		return f
	}
	k.flight = f
	k.flying.Go(func() { k.fly(f, delay) })
	return f
}

func (k *keySet) fly(f *flight, delay time.Duration) {
	defer close(f.done)
	if delay > 0 {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-k.life.Done():
		}
	}
	f.began = time.Now()
	ctx, cancel := context.WithTimeout(k.life, fetchTime)
	defer cancel()
	keys, err := k.fetch(ctx)
	k.land(keys, err)
}

// land publishes what a flight brought. The flight leaves its place before its
// waiters wake, so that the next demand starts a new one.
func (k *keySet) land(keys map[string]*rsa.PublicKey, err error) {
	if err == nil {
		k.publish(keys)
	}
	k.mu.Lock()
	recovered := k.lastErr != nil && err == nil
	k.flight, k.lastErr = nil, err
	k.mu.Unlock()
	switch {
	case err == nil:
		k.m.fetches.WithLabelValues(fetchOK).Inc()
		if recovered {
			k.log.Info("signing keys of the platform are readable again")
		}
	case errors.Is(err, errMetadata):
		k.m.fetches.WithLabelValues(fetchInvalid).Inc()
	default:
		k.m.fetches.WithLabelValues(fetchUnreachable).Inc()
	}
}

// publish replaces the snapshot. Only one flight lands at a time.
func (k *keySet) publish(keys map[string]*rsa.PublicKey) {
	next := &snapshot{make(map[string]*rsa.PublicKey, len(keys))}
	for id, key := range keys {
		if old := k.find(id); old != nil && old.Equal(key) {
			key = old
		}
		next.keys[id] = key
	}
	k.current.Store(next)
	k.m.keys.Set(float64(len(next.keys)))
	k.m.keysLoaded.SetToCurrentTime()
	if k.changed != nil {
		k.changed()
	}
}

// run reads the keys at once and then again and again, until ctx ends.
func (k *keySet) run(ctx context.Context) {
	defer k.close()
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = time.Second, time.Minute
	for {
		wait := refreshEvery
		if err := k.refresh(ctx); err != nil {
			if ctx.Err() != nil {
				return
			}
			wait = pause.NextBackOff()
			k.log.Warn("signing keys of the platform not read; those we have stay in use",
				zap.Error(err), zap.Duration("retry", wait), zap.Bool("loaded", k.current.Load() != nil))
		} else {
			pause.Reset()
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// close ends flights and waits for them. Keys stay usable for requests that
// are still being served; unknown ones can no longer be looked up.
func (k *keySet) close() {
	k.mu.Lock()
	k.closed = true
	k.mu.Unlock()
	k.cancel()
	k.flying.Wait()
}
