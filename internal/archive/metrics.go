package archive

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// The outcomes of a run: a closed set, for they label a metric.
const (
	outcomePublished = "published"
	outcomeAlready   = "already"
	outcomeFailed    = "failed"
)

func outcomeOf(good string, err error) string {
	if err != nil {
		return outcomeFailed
	}
	return good
}

type metrics struct {
	seconds *prometheus.HistogramVec
	backlog prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	m := &metrics{
		seconds: f.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "recorderbot_archive_upload_seconds",
			Help:    "Time to assemble, check and publish one recording.",
			Buckets: prometheus.ExponentialBuckets(0.01, 4, 10),
		}, []string{"outcome"}),
		backlog: f.NewGauge(prometheus.GaugeOpts{
			Name: "recorderbot_archive_backlog_bytes",
			Help: "Sealed recordings in the spool that are not archived yet.",
		}),
	}
	for _, outcome := range []string{outcomePublished, outcomeAlready, outcomeFailed} {
		m.seconds.WithLabelValues(outcome) // there before there is anything to count
	}
	return m
}
