package console

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics are this package's counters. All labels come from closed sets.
type metrics struct {
	requests *prometheus.CounterVec // action, outcome
	acts     *prometheus.CounterVec // action, outcome
	refused  *prometheus.CounterVec // reason
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	m := &metrics{
		requests: f.NewCounterVec(prometheus.CounterOpts{
			Name: "recorderbot_console_requests_total", Help: "Requests to the console by what was asked for and what came of it.",
		}, []string{"action", "outcome"}),
		acts: f.NewCounterVec(prometheus.CounterOpts{
			Name: "recorderbot_operator_actions_total", Help: "Orders of operators that were carried out, or tried, by what came of them.",
		}, []string{"action", "outcome"}),
		refused: f.NewCounterVec(prometheus.CounterOpts{
			Name: "recorderbot_console_logins_refused_total", Help: "Requests to the console without a valid identity, by reason.",
		}, []string{"reason"}),
	}
	// 0 from the start: a rate sees only what follows a first value.
	for _, a := range actions() {
		for _, o := range outcomes() {
			m.requests.WithLabelValues(string(a), string(o))
		}
		for _, o := range []outcome{outcomeDone, outcomePending, outcomeNotFound, outcomeConflict, outcomeFailed} {
			if a.acts() {
				m.acts.WithLabelValues(string(a), string(o))
			}
		}
	}
	for _, why := range refusals() {
		m.refused.WithLabelValues(string(why))
	}
	return m
}
