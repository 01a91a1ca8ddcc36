package teamsim

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/recorderbot/recorderbot/internal/teamsim/cloud"
)

// Latency is how long something took, over all calls in which it happened.
type Latency struct {
	Count              int `json:"count"`
	P50, P90, P99, Max time.Duration
}

// String is one line for a report.
func (l Latency) String() string {
	if l.Count == 0 {
		return "never"
	}
	return fmt.Sprintf("%d: p50 %s, p90 %s, p99 %s, max %s", l.Count, l.P50, l.P90, l.P99, l.Max)
}

// latencies takes nearest-rank percentiles: each is a time that was measured.
func latencies(calls []cloud.Facts, took func(cloud.Facts) (time.Duration, bool)) Latency {
	var all []time.Duration
	for _, c := range calls {
		if d, ok := took(c); ok {
			all = append(all, d)
		}
	}
	if len(all) == 0 {
		return Latency{}
	}
	slices.Sort(all)
	rank := func(q float64) time.Duration { return all[max(0, int(math.Ceil(q*float64(len(all))))-1)] }
	return Latency{Count: len(all), P50: rank(0.5), P90: rank(0.9), P99: rank(0.99), Max: all[len(all)-1]}
}
