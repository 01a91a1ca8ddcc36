package graph

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// Labels.
const (
	codeNoReply = "error"
	tokenIssued = "issued"
	tokenFailed = "failed"
)

type metrics struct {
	requests *prometheus.CounterVec
	took     *prometheus.HistogramVec
	tokens   *prometheus.HistogramVec
	unknown  *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	seconds := []float64{.01, .025, .05, .1, .25, .5, 1, 2, 3, 4, 5, 10}
	m := &metrics{
		requests: f.NewCounterVec(prometheus.CounterOpts{
			Name: "recorderbot_graph_requests_total", Help: "Requests to Graph, by HTTP status; error: no reply.",
		}, []string{"operation", "code"}),
		took: f.NewHistogramVec(prometheus.HistogramOpts{
			Name: "recorderbot_graph_request_seconds", Help: "How long requests to Graph took.", Buckets: seconds,
		}, []string{"operation"}),
		tokens: f.NewHistogramVec(prometheus.HistogramOpts{
			Name: "recorderbot_graph_token_seconds", Help: "How long it took to get an access token.", Buckets: seconds,
		}, []string{"outcome"}),
		unknown: f.NewCounterVec(prometheus.CounterOpts{
			Name: "recorderbot_graph_unknown_values_total", Help: "Members and values of Graph's replies that no page names.",
		}, []string{"operation"}),
	}
	for _, operation := range []string{opAnswer, opReject, opAnnounce, opPoll, opKeepAlive, opHangUp, opAskCall, opAskRoster} {
		m.requests.WithLabelValues(operation, codeNoReply) // 0 from the start
		m.took.WithLabelValues(operation)
	}
	m.unknown.WithLabelValues(opAskRoster)
	for _, outcome := range []string{tokenIssued, tokenFailed} {
		m.tokens.WithLabelValues(outcome)
	}
	return m
}

func (m *metrics) request(operation, code string, r recorder.Receipt) {
	m.requests.WithLabelValues(operation, code).Inc()
	m.took.WithLabelValues(operation).Observe(r.RepliedAt.Sub(r.SentAt).Seconds())
}
