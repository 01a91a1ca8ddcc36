package admission

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

type metrics struct {
	calls    prometheus.Gauge
	capacity *prometheus.GaugeVec
	closed   *prometheus.GaugeVec
	refused  *prometheus.CounterVec
	commit   prometheus.Gauge
	cpu      prometheus.Gauge
}

// The limits that are numbers of calls: labels of admission_capacity.
const (
	limitConfigured = "configured"
	limitHosts      = "mediaHosts"
	limitSpool      = "spoolRoom"
)

// causes are why a call may be turned down for want of room: labels.
func causes() []recorder.Cause {
	return []recorder.Cause{
		recorder.CauseDraining, recorder.CauseJournalFailed, recorder.CauseStorageSlow, recorder.CauseCPUBusy, recorder.CauseNoMediaHost,
		recorder.CauseAtCapacity, recorder.CauseHostsBusy, recorder.CauseNoSpoolRoom,
	}
}

// newMetrics exports everything from the start: a rate sees only what follows a
// first value.
func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	m := &metrics{
		calls: f.NewGauge(prometheus.GaugeOpts{
			Name: "recorderbot_admission_calls", Help: "Calls that hold a place: admitted, and not over.",
		}),
		capacity: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "recorderbot_admission_capacity", Help: "Calls that each limit allows at once; configured is 0 where none is set.",
		}, []string{"limit"}),
		closed: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "recorderbot_admission_closed", Help: "1 for the cause for which an invite would be rejected now.",
		}, []string{"cause"}),
		refused: f.NewCounterVec(prometheus.CounterOpts{
			Name: "recorderbot_admission_refused_total", Help: "Invites that were rejected for want of room, by cause.",
		}, []string{"cause"}),
		commit: f.NewGauge(prometheus.GaugeOpts{
			Name: "recorderbot_admission_commit_seconds", Help: "How long a commit of the spool takes, smoothed over some seconds.",
		}),
		cpu: f.NewGauge(prometheus.GaugeOpts{
			Name: "recorderbot_admission_cpu_ratio", Help: "Part of the cores it may use that the process uses, smoothed over some seconds.",
		}),
	}
	for _, limit := range []string{limitConfigured, limitHosts, limitSpool} {
		m.capacity.WithLabelValues(limit)
	}
	for _, cause := range causes() {
		m.closed.WithLabelValues(string(cause))
		m.refused.WithLabelValues(string(cause))
	}
	return m
}

func (m *metrics) show(v *view, held int, commit, cpu float64) {
	m.capacity.WithLabelValues(limitConfigured).Set(float64(max(v.configured, 0)))
	m.capacity.WithLabelValues(limitHosts).Set(float64(v.hosts))
	m.capacity.WithLabelValues(limitSpool).Set(float64(v.spool))
	now := v.refusal(held)
	for _, cause := range causes() {
		value := 0.0
		if cause == now {
			value = 1
		}
		m.closed.WithLabelValues(string(cause)).Set(value)
	}
	m.commit.Set(commit)
	m.cpu.Set(cpu)
}

// rejected counts an invite that was turned down. Other causes than these are no
// want of room.
func (m *metrics) rejected(cause recorder.Cause) {
	if slices.Contains(causes(), cause) {
		m.refused.WithLabelValues(string(cause)).Inc()
	}
}
