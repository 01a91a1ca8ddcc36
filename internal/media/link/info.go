package link

import (
	"time"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/link/mediahostv1"
)

// Health is how a media host is, by its own words.
type Health uint8

// The kinds of health.
const (
	HealthUnknown Health = iota
	Normal
	HeavilyLoaded // takes no new calls
	Overloaded
	NotReady
)

// String is the health as a metric's label.
func (h Health) String() string {
	switch h {
	case Normal:
		return "normal"
	case HeavilyLoaded:
		return "heavilyLoaded"
	case Overloaded:
		return "overloaded"
	case NotReady:
		return "notReady"
	case HealthUnknown:
	}
	return "unknown"
}

// Info is what a media host says of itself.
type Info struct {
	HostID              string // stable name
	Epoch               string // new at each start of the host's process
	Region              string // as in the invite's mediaHostedRegion; may be empty
	SDKVersion          string
	SDKReleased         time.Time // zero: unknown
	CertificateNotAfter time.Time // zero: unknown
	Health              Health
	Draining            bool
	Sessions, Capacity  uint32
}

func infoOf(m *mediahostv1.HostInfo) Info {
	return Info{
		HostID: m.GetHostId(), Epoch: m.GetEpoch(), Region: m.GetRegion(),
		SDKVersion: m.GetSdkVersion(), SDKReleased: frame.Time(m.GetSdkReleased()),
		CertificateNotAfter: frame.Time(m.GetCertificateNotAfter()),
		Health:              healthOf(m.GetHealth()), Draining: m.GetDraining(),
		Sessions: m.GetSessions(), Capacity: m.GetCapacity(),
	}
}

func healthOf(h mediahostv1.Health) Health {
	switch h {
	case mediahostv1.Health_HEALTH_NORMAL:
		return Normal
	case mediahostv1.Health_HEALTH_HEAVILY_LOADED:
		return HeavilyLoaded
	case mediahostv1.Health_HEALTH_OVERLOADED:
		return Overloaded
	case mediahostv1.Health_HEALTH_NOT_READY:
		return NotReady
	case mediahostv1.Health_HEALTH_UNSPECIFIED:
	}
	return HealthUnknown
}

func gapOf(m *mediahostv1.Gap) frame.Gap {
	g := frame.Gap{
		Source: m.GetSourceId(), FirstSeq: m.GetFirstSeq(), Count: m.GetCount(),
		FromTime: m.GetFromTime(), ToTime: m.GetToTime(), Cause: frame.CauseHost,
	}
	if k := m.GetKind(); k <= uint32(frame.Screen) {
		g.Kind = frame.Kind(k)
	}
	switch m.GetReason() {
	case mediahostv1.Gap_REASON_OVERFLOW:
		g.Cause = frame.CauseOverflow
	case mediahostv1.Gap_REASON_PLATFORM:
		g.Cause = frame.CausePlatform
	case mediahostv1.Gap_REASON_HOST, mediahostv1.Gap_REASON_UNSPECIFIED:
	}
	return g
}
