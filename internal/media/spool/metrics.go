package spool

import (
	"math"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics are the package's metrics.
type metrics struct {
	commit   prometheus.Histogram
	failures prometheus.Counter
	damage   prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, l *Log) *metrics {
	f := promauto.With(reg)
	f.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "recorderbot_spool_bytes",
		Help: "Bytes of the segments that hold records not yet released.",
	}, func() float64 { return float64(l.bytes()) })
	f.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "recorderbot_spool_seconds_left",
		Help: "Seconds until the spool's disk is full at the current rate.",
	}, l.SecondsLeft)
	f.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "recorderbot_spool_recordings",
		Help: "Recordings in the spool that were not released.",
	}, func() float64 {
		l.known.Lock()
		defer l.known.Unlock()
		return float64(len(l.state.tracks))
	})
	f.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "recorderbot_spool_commit_stalled",
		Help: "1 while a commit has been under way for more than a second: the disk hangs.",
	}, func() float64 {
		if l.Stalled() > stalledAfter {
			return 1
		}
		return 0
	})
	return &metrics{
		commit: f.NewHistogram(prometheus.HistogramOpts{
			Name:    "recorderbot_spool_commit_seconds",
			Help:    "Time from the beginning of a commit until it is on stable storage.",
			Buckets: []float64{.00025, .0005, .001, .002, .004, .008, .016, .032, .064, .125, .25, .5, 1, 2, 5},
		}),
		failures: f.NewCounter(prometheus.CounterOpts{
			Name: "recorderbot_spool_failures_total",
			Help: "Writes or fsyncs that failed. After one the process must end.",
		}),
		damage: f.NewCounter(prometheus.CounterOpts{
			Name: "recorderbot_spool_damage_total",
			Help: "Faults found on disk when the spool was opened.",
		}),
	}
}

// stalledAfter is how long a commit may take before somebody should look. A
// sound disk takes some milliseconds.
const stalledAfter = time.Second

// bytes is the size of the segments in use.
func (l *Log) bytes() int64 {
	l.known.Lock()
	defer l.known.Unlock()
	var n int64
	for _, s := range l.segs {
		n += s.size
	}
	return n
}

// rate is a moving average of bytes a second.
type rate struct {
	mu   sync.Mutex
	born time.Time
	last time.Time // guarded by mu
	sum  float64   // bytes, faded; guarded by mu
}

// rateWindow is how fast the past fades.
const rateWindow = 30 * time.Second

func newRate() *rate {
	now := time.Now()
	return &rate{born: now, last: now}
}

func (r *rate) add(n int, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fade(now)
	r.sum += float64(n)
}

func (r *rate) perSecond(now time.Time) float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fade(now)
	// A young log has not had a whole window yet.
	age := max(now.Sub(r.born), time.Second)
	return r.sum / (rateWindow.Seconds() * (1 - math.Exp(-age.Seconds()/rateWindow.Seconds())))
}

func (r *rate) fade(now time.Time) {
	if d := now.Sub(r.last); d > 0 {
		r.sum *= math.Exp(-d.Seconds() / rateWindow.Seconds())
		r.last = now
	}
}
