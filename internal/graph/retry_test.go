package graph

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// TestRetry: requests that may be repeated are, when the platform is busy.
func TestRetry(t *testing.T) {
	t.Parallel()
	for _, code := range []int{429, 503, 504} {
		for _, name := range []string{"answer", "reject", "keepAlive", "hangUp"} {
			t.Run(fmt.Sprint(code, name), func(t *testing.T) {
				t.Parallel()
				cl := newCloud(t, nil)
				cl.graph = func(w http.ResponseWriter, _ *http.Request) {
					if len(cl.requests()) < 3 {
						w.WriteHeader(code)
						return
					}
					w.WriteHeader(http.StatusAccepted)
				}
				if err := ops(cl.client(t))[name](t.Context()); err != nil {
					t.Fatal(err)
				}
				if n := len(cl.requests()); n != 3 {
					t.Errorf("%d requests", n)
				}
			})
		}
	}
}

// TestRetryAfterIsHonoured: a second is a second, and what outlasts the
// deadline ends the request at once.
func TestRetryAfterIsHonoured(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		header func() string
		least  time.Duration
	}{
		"seconds": {func() string { return "1" }, time.Second},
		"date":    {func() string { return time.Now().Add(2 * time.Second).UTC().Format(http.TimeFormat) }, time.Second / 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var times []time.Time
			cl := newCloud(t, func(w http.ResponseWriter, _ *http.Request) {
				if times = append(times, time.Now()); len(times) == 1 {
					w.Header().Set("Retry-After", test.header())
					w.WriteHeader(http.StatusTooManyRequests)
				}
			})
			if _, err := cl.client(t).KeepAlive(t.Context(), testRef()); err != nil {
				t.Fatal(err)
			}
			if len(times) != 2 || times[1].Sub(times[0]) < test.least {
				t.Errorf("asked at %v", times)
			}
		})
	}
	t.Run("too long", func(t *testing.T) {
		t.Parallel()
		cl := newCloud(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "60")
			w.WriteHeader(http.StatusTooManyRequests)
		})
		start := time.Now()
		_, err := cl.client(t).KeepAlive(t.Context(), testRef())
		if f := fault(t, err); f.Kind != recorder.FaultThrottled || f.RetryAfter != time.Minute || time.Since(start) > 5*time.Second {
			t.Errorf("%+v after %v", f, time.Since(start))
		}
	})
}

func TestRetryAfterValues(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "0": 0, "-5": 0, "7": 7 * time.Second, "soon": 0, "999999999999999999999": 0, "99999": time.Hour,
		"Tue, 24 Nov 2026 03:00:30 GMT": 30 * time.Second, "Tue, 24 Nov 2026 02:00:00 GMT": 0,
	} {
		if got := retryAfter(http.Header{"Retry-After": {value}}, now); got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
}

// TestDeadline: a platform that says nothing costs the caller's time only.
func TestDeadline(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	cl := newCloud(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	t.Cleanup(func() { close(release) })
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := cl.client(t).Answer(ctx, testRef(), recorder.Session{Blob: "blob"})
	if f := fault(t, err); f.Kind != recorder.FaultUnknown || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("fault %v", f)
	}
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("took %v", took)
	}
}
