package recorder

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	invites       *prometheus.CounterVec
	calls         *prometheus.GaugeVec
	answer        prometheus.Histogram
	announcement  *prometheus.HistogramVec
	announcements *prometheus.CounterVec
	unexpected    *prometheus.CounterVec
	recordings    *prometheus.CounterVec
	failures      *prometheus.CounterVec
	violations    prometheus.Counter
	unjournaled   prometheus.Counter
	draining      prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	seconds := []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2, 3, 4, 5, 10}
	m := &metrics{
		invites: f.NewCounterVec(prometheus.CounterOpts{
			Name: "recorderbot_invites_total", Help: "Invites, by how they ended.",
		}, []string{"outcome"}),
		calls: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "recorderbot_calls", Help: "Calls, by the state they are in.",
		}, []string{"state"}),
		answer: f.NewHistogram(prometheus.HistogramOpts{
			Name: "recorderbot_answer_seconds", Help: "From the arrival of an invite to the reply to our answer; the platform allows 5 s.", Buckets: seconds,
		}),
		announcement: f.NewHistogramVec(prometheus.HistogramOpts{
			Name: "recorderbot_announcement_seconds", Help: "How long updateRecordingStatus took.", Buckets: seconds,
		}, []string{"status", "outcome"}),
		announcements: f.NewCounterVec(prometheus.CounterOpts{
			Name: "recorderbot_announcements_total", Help: "Announcements of a recording status, by what came of them.",
		}, []string{"status", "outcome"}),
		unexpected: f.NewCounterVec(prometheus.CounterOpts{
			Name: "recorderbot_unexpected_events_total", Help: "Events that the call's state had no use for.",
		}, []string{"state", "event"}),
		recordings: f.NewCounterVec(prometheus.CounterOpts{
			Name: "recorderbot_recordings_total", Help: "Recordings that were sealed, by the outcome of their call.",
		}, []string{"outcome"}),
		failures: f.NewCounterVec(prometheus.CounterOpts{
			Name: "recorderbot_call_failures_total", Help: "Calls that ended as failed, by cause.",
		}, []string{"cause"}),
		violations: f.NewCounter(prometheus.CounterOpts{
			Name: "recorderbot_order_violations_total", Help: "Steps that would have broken the order and were refused. Must stay 0.",
		}),
		unjournaled: f.NewCounter(prometheus.CounterOpts{
			Name: "recorderbot_unjournaled_total", Help: "Steps that had to be taken although the journal failed.",
		}),
		draining: f.NewGauge(prometheus.GaugeOpts{
			Name: "recorderbot_draining", Help: "1 while no new calls are taken.",
		}),
	}
	m.export()
	return m
}

// keepAlives exports how old the oldest keepAlive is.
func (m *metrics) keepAlives(reg prometheus.Registerer, age func() float64) {
	promauto.With(reg).NewGaugeFunc(prometheus.GaugeOpts{
		Name: "recorderbot_keepalive_age_seconds",
		Help: "For how long the platform has accepted no keepAlive of a live call, the longest of all; it ends a call after 2700 s.",
	}, age)
}

// export makes what was not counted yet a 0: a rate sees only what follows a
// first value.
func (m *metrics) export() {
	for _, k := range stateKinds() {
		m.calls.WithLabelValues(k)
		for _, ev := range eventNames() {
			m.unexpected.WithLabelValues(k, ev)
		}
	}
	for _, s := range []RecordingStatus{StatusRecording, StatusNotRecording, StatusFailed} {
		m.announcements.WithLabelValues(s.String(), "completed")
		m.announcement.WithLabelValues(s.String(), "completed")
	}
	for _, cause := range failureCauses() {
		m.failures.WithLabelValues(string(cause))
	}
	for o := OutcomeRecorded; o <= OutcomeRejected; o++ {
		m.invites.WithLabelValues(o.String())
		m.recordings.WithLabelValues(o.String())
	}
}

func (m *metrics) enter(state string) { m.calls.WithLabelValues(state).Inc() }
func (m *metrics) leave(state string) { m.calls.WithLabelValues(state).Dec() }

func (m *metrics) announced(s RecordingStatus, op Operation, f *Fault, took time.Duration) {
	outcome := op.Progress.String()
	if f != nil {
		outcome = f.Kind.String()
	}
	m.announcements.WithLabelValues(s.String(), outcome).Inc()
	m.announcement.WithLabelValues(s.String(), outcome).Observe(took.Seconds())
}

func (m *metrics) concluded(end Conclusion) {
	m.invites.WithLabelValues(end.Outcome.String()).Inc()
	for _, r := range end.Recordings {
		if r.Recording != "" {
			m.recordings.WithLabelValues(end.Outcome.String()).Inc()
		}
	}
	if end.Outcome == OutcomeFailed {
		m.failures.WithLabelValues(string(end.Cause)).Inc()
	}
}
