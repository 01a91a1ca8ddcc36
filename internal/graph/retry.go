package graph

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// mostRetries bounds how often one request is made again; fewRetries, one that all
// calls make every minute while the platform is in trouble.
const (
	mostRetries = 6
	fewRetries  = 2
)

// A retry paces the repetitions of one request.
type retry struct {
	pace *backoff.ExponentialBackOff
	left int
}

func newRetry(few bool) *retry {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval = 100*time.Millisecond, 5*time.Second
	b.Reset()
	if few {
		return &retry{pace: b, left: fewRetries}
	}
	return &retry{pace: b, left: mostRetries}
}

// wait pauses as long as the platform asked, or by the pace where it did not.
// It returns false at once where the pause would outlast ctx.
func (r *retry) wait(ctx context.Context, asked time.Duration) bool {
	r.left--
	pause := max(asked, r.pace.NextBackOff())
	if deadline, ok := ctx.Deadline(); r.left < 0 || ok && time.Until(deadline) <= pause {
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
