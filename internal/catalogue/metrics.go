package catalogue

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	commit   prometheus.Histogram
	failures prometheus.Counter
}

// newMetrics registers the catalogue's metrics. length is asked at each scrape.
func newMetrics(reg prometheus.Registerer, length func() int) *metrics {
	f := promauto.With(reg)
	f.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "recorderbot_catalogue_queue_length", Help: "Pieces of work that wait for the catalogue's writer.",
	}, func() float64 { return float64(length()) })
	return &metrics{
		commit: f.NewHistogram(prometheus.HistogramOpts{
			Name: "recorderbot_catalogue_commit_seconds", Help: "How long one commit of the catalogue took, with all its statements.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}),
		failures: f.NewCounter(prometheus.CounterOpts{
			Name: "recorderbot_catalogue_failures_total", Help: "Pieces of work that did not get into the catalogue: refused by a full queue, unreadable, or not written.",
		}),
	}
}
