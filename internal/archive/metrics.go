package archive

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/recorderbot/recorderbot/internal/media/quality"
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
	flags   *prometheus.CounterVec
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
		flags: f.NewCounterVec(prometheus.CounterOpts{
			Name: "recorderbot_recording_flags_total",
			Help: "Archived recordings that a person should look at, by what was found.",
		}, []string{"flag"}),
	}
	for _, flag := range quality.Flags() {
		m.flags.WithLabelValues(string(flag))
	}
	for _, outcome := range []string{outcomePublished, outcomeAlready, outcomeFailed} {
		m.seconds.WithLabelValues(outcome) // there before there is anything to count
	}
	return m
}
