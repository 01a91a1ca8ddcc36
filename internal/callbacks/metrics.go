package callbacks

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/recorderbot/recorderbot/internal/graph"
)

// metrics are this package's counters. All labels come from closed sets: status
// codes, the reasons of reply.go and of graph.DecodeError, graph.Kind, verdicts.
// Labels of callback_tokens_total.
const (
	tokenCached   = "cache"
	tokenVerified = "signature"
)

type metrics struct {
	requests      *prometheus.CounterVec // code
	rejected      *prometheus.CounterVec // reason
	notifications *prometheus.CounterVec // kind, verdict
	unknown       *prometheus.CounterVec // kind
	seconds       prometheus.Histogram   // request read to reply written
	fetches       *prometheus.CounterVec // outcome: ok, unreachable, invalid
	keys          prometheus.Gauge       // usable signing keys
	keysLoaded    prometheus.Gauge       // when they were last read, Unix seconds
	tokens        *prometheus.CounterVec // source: cache, signature
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	m := &metrics{
		requests: f.NewCounterVec(prometheus.CounterOpts{
			Name: "recorderbot_callback_requests_total",
			Help: "Requests to the callback listener by status code.",
		}, []string{"code"}),
		rejected: f.NewCounterVec(prometheus.CounterOpts{
			Name: "recorderbot_callbacks_rejected_total",
			Help: "Requests that were not handed over, by reason.",
		}, []string{"reason"}),
		notifications: f.NewCounterVec(prometheus.CounterOpts{
			Name: "recorderbot_notifications_total",
			Help: "Notifications of verified senders by kind and by what became of them.",
		}, []string{"kind", "verdict"}),
		unknown: f.NewCounterVec(prometheus.CounterOpts{
			Name: "recorderbot_notification_unknown_values_total",
			Help: "Members and values of accepted notifications that no page names, by kind of notification.",
		}, []string{"kind"}),
		seconds: f.NewHistogram(prometheus.HistogramOpts{
			Name:    "recorderbot_callback_seconds",
			Help:    "Time from a request's headers to its reply.",
			Buckets: []float64{.0001, .0005, .001, .005, .01, .05, .1, .5, 1, 2.5, 5, 10},
		}),
		fetches: f.NewCounterVec(prometheus.CounterOpts{
			Name: "recorderbot_openid_fetches_total",
			Help: "Fetches of the platform's signing keys by outcome (ok, unreachable, invalid).",
		}, []string{"outcome"}),
		keys: f.NewGauge(prometheus.GaugeOpts{
			Name: "recorderbot_openid_keys",
			Help: "Signing keys of the platform that are in use.",
		}),
		keysLoaded: f.NewGauge(prometheus.GaugeOpts{
			Name: "recorderbot_openid_keys_loaded_timestamp_seconds",
			Help: "When the platform's signing keys were last read, as Unix time.",
		}),
		tokens: f.NewCounterVec(prometheus.CounterOpts{
			Name: "recorderbot_callback_tokens_total",
			Help: "Tokens accepted, by how: remembered (cache) or verified (signature).",
		}, []string{"source"}),
	}
	// 0 from the start: a rate sees only what follows a first value.
	for _, outcome := range []string{fetchOK, fetchUnreachable, fetchInvalid} {
		m.fetches.WithLabelValues(outcome)
	}
	for _, source := range []string{tokenCached, tokenVerified} {
		m.tokens.WithLabelValues(source)
	}
	m.requests.WithLabelValues("202")
	for _, why := range append(graph.DecodeReasons(), reasons()...) {
		m.rejected.WithLabelValues(why)
	}
	for _, k := range graph.Kinds() {
		m.notifications.WithLabelValues(k.String(), verdictAccepted)
		m.unknown.WithLabelValues(k.String())
	}
	return m
}
