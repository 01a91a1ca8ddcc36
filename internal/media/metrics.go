package media

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/link"
)

// A reason says why a frame was discarded.
type reason uint8

// The reasons.
const (
	beforeConsent  reason = iota // no permit yet
	beforeOpened                 // permitted, but the host had not confirmed, or an earlier frame than it named
	afterPaused                  // the host had said that nothing follows
	afterSeal                    // the gate is shut, or the permit was withdrawn
	duplicate                    // stored already, or its place was passed
	unknownSession               // a handle of nobody
	malformed                    // not a frame of the contract
	implausible                  // a number too far ahead to be true
	unwanted                     // a kind of media that nobody asked for
	reasons
)

// String is the reason as a metric's label and in reports.
func (r reason) String() string {
	return [...]string{
		"beforeConsent", "beforeOpened", "afterPaused", "afterSeal", "duplicate",
		"unknownSession", "malformed", "implausible", "unwanted", "unknown",
	}[min(r, reasons)]
}

type metrics struct {
	stored    [frame.Screen + 1]prometheus.Counter
	discarded [reasons]prometheus.Counter
	gaps      *prometheus.CounterVec
	gapFrames *prometheus.CounterVec
	faults    *prometheus.CounterVec
	lost      *prometheus.CounterVec
	hosts     *prometheus.GaugeVec
	down      prometheus.Gauge
	cuts      prometheus.Counter
	sdkAge    prometheus.Gauge
	certLeft  prometheus.Gauge
	seal      *prometheus.HistogramVec
	durable   prometheus.Histogram
	open      prometheus.Histogram
	sessions  prometheus.Gauge
	silent    prometheus.Gauge
	placed    *prometheus.CounterVec

	subscriptions *prometheus.CounterVec
	keyFrames     prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	counter := func(name, help, label string) *prometheus.CounterVec {
		return f.NewCounterVec(prometheus.CounterOpts{Name: "recorderbot_" + name, Help: help}, []string{label})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return f.NewGauge(prometheus.GaugeOpts{Name: "recorderbot_" + name, Help: help})
	}
	fast := []float64{.002, .005, .01, .015, .02, .025, .03, .04, .06, .1, .25, .5, 1, 2, 5}
	m := &metrics{
		gaps: counter("media_gap_samples_total", "Audio samples recorded as missing, by cause, when their recording was sealed.", "cause"),
		gapFrames: counter("media_gap_frames_total",
			"Frames recorded as missing that no samples tell of: of video, and of nobody knows whom; by cause, when their recording was sealed.", "cause"),
		faults: counter("media_host_faults_total", "Messages of media hosts that broke the contract and changed nothing, by kind.", "fault"),
		lost:   counter("media_sessions_lost_total", "Sessions that ended unasked, by reason.", "reason"),
		placed: counter("media_placements_total", "Sessions asked of media hosts, by outcome.", "outcome"),
		hosts: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "recorderbot_media_hosts", Help: "Media hosts by health.",
		}, []string{"health"}),
		down:     gauge("media_links_down", "Media hosts that have not been connected for more than 2 seconds."),
		cuts:     f.NewCounter(prometheus.CounterOpts{Name: "recorderbot_media_link_cuts_total", Help: "Connections to media hosts that broke."}),
		sdkAge:   gauge("media_sdk_age_days", "Age of the oldest media SDK among the hosts; the platform refuses old ones after about three months."),
		certLeft: gauge("media_host_certificate_expiry_seconds", "Seconds until the first certificate of a media host expires."),
		seal: f.NewHistogramVec(prometheus.HistogramOpts{
			Name: "recorderbot_seal_seconds", Help: "From the order to seal to the seal on stable storage.", Buckets: fast,
		}, []string{"outcome"}),
		durable: f.NewHistogram(prometheus.HistogramOpts{
			Name: "recorderbot_media_link_durable_seconds", Help: "From a frame's arrival to stable storage.", Buckets: fast,
		}),
		open: f.NewHistogram(prometheus.HistogramOpts{
			Name: "recorderbot_media_open_seconds", Help: "From the permit to the media host's confirmation that frames flow.", Buckets: fast,
		}),
		sessions:      gauge("media_sessions", "Sessions on media hosts, ours."),
		silent:        gauge("media_sessions_silent", "Open sessions whose link is up and that have had no frame for 5 seconds."),
		subscriptions: counter("media_video_subscriptions_total", "Cameras and screens asked of media hosts, by outcome.", "outcome"),
		keyFrames: f.NewCounter(prometheus.CounterOpts{
			Name: "recorderbot_media_key_frame_requests_total", Help: "Key frames asked of media hosts because what came could not be decoded.",
		}),
	}
	stored := counter("media_frames_total", "Frames handed to the spool, by kind.", "kind")
	for k := frame.MixedAudio; k <= frame.Screen; k++ {
		m.stored[k] = stored.WithLabelValues(k.String())
	}
	discarded := counter("media_frames_discarded_total", "Frames that were not stored, by reason.", "reason")
	for r := range reasons {
		m.discarded[r] = discarded.WithLabelValues(r.String())
	}
	m.begin()
	return m
}

// begin has all series there from the start: a rate sees only what follows a first value.
func (m *metrics) begin() {
	for _, cause := range frame.GapCauses() {
		m.gaps.WithLabelValues(string(cause))
		m.gapFrames.WithLabelValues(string(cause))
	}
	for _, outcome := range []string{"sealed", "failed"} {
		m.seal.WithLabelValues(outcome)
	}
	for _, outcome := range []string{"placed", "refused", "failed"} {
		m.placed.WithLabelValues(outcome)
	}
	for _, outcome := range []string{"subscribed", "refused"} {
		m.subscriptions.WithLabelValues(outcome)
	}
	for r := link.LossCut; r <= link.LossReset; r++ {
		m.lost.WithLabelValues(r.String())
	}
	for _, fault := range []string{
		faultGap, faultTime, faultSpeakers, string(link.FaultUnknownHandle), string(link.FaultUnexpectedOpened),
		string(link.FaultUnexpectedPaused), string(link.FaultUnexpectedAttach), string(link.FaultUnknownMessage), string(link.FaultUnknownSocket),
	} {
		m.faults.WithLabelValues(fault)
	}
}

// healths are the labels of media_hosts.
func healths() []string {
	return []string{
		link.Normal.String(), link.HeavilyLoaded.String(), link.Overloaded.String(), link.NotReady.String(),
		link.HealthUnknown.String(), healthDraining, healthDown,
	}
}

// Labels of media_hosts for what is not the host's own word.
const (
	healthDraining = "draining"
	healthDown     = "down"
)
