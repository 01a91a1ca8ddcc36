package graph

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// mostRetries bounds how often one request is made again.
const mostRetries = 6

// A retry paces the repetitions of one request.
type retry struct {
	pace  *backoff.ExponentialBackOff
	tries int
}

func newRetry() *retry {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval = 100*time.Millisecond, 5*time.Second
	b.Reset()
	return &retry{pace: b}
}

// wait pauses as long as the platform asked, or by the pace where it did not.
// It returns false at once where the pause would outlast ctx.
func (r *retry) wait(ctx context.Context, asked time.Duration) bool {
	r.tries++
	pause := max(asked, r.pace.NextBackOff())
	if deadline, ok := ctx.Deadline(); r.tries > mostRetries || ok && time.Until(deadline) <= pause {
		return false
	}
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// retryAfter reads the header of that name: seconds, or a date. It is bounded:
// whoever asks for more than an hour will be asked again then.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	if v == "" {
		return 0
	}
	d := time.Duration(0)
	if n, err := strconv.Atoi(v); err == nil {
		d = time.Duration(min(n, 3600)) * time.Second
	} else if at, err := http.ParseTime(v); err == nil {
		d = at.Sub(now)
	}
	return min(max(d, 0), time.Hour)
}
