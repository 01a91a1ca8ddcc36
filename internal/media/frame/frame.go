package frame

import "time"

// Sizes of audio and time.
const (
	AudioBytes     = 640     // bytes of one audio frame
	AudioSamples   = 320     // samples of one audio frame
	SampleRate     = 16_000  // samples a second
	TicksPerSample = 625     // ticks of 100 ns
	TicksPerFrame  = 200_000 // ticks of 100 ns: 20 ms
)

// Kind is what a frame holds. The numbers are those of mediahost.proto.
type Kind uint8

// The kinds.
const (
	MixedAudio   Kind = iota + 1 // all speakers in one stream; source 0
	UnmixedAudio                 // one speaker
	Video                        // one H.264 access unit, Annex B
	Screen                       // one H.264 access unit of a shared screen
)

// String returns the kind's name as manifests and metrics spell it.
func (k Kind) String() string {
	switch k {
	case MixedAudio:
		return "mixedAudio"
	case UnmixedAudio:
		return "unmixedAudio"
	case Video:
		return "video"
	case Screen:
		return "screen"
	}
	return "unknown"
}

// Audio reports whether a frame of the kind holds PCM.
func (k Kind) Audio() bool { return k == MixedAudio || k == UnmixedAudio }

// Valid reports whether the kind is one of the four.
func (k Kind) Valid() bool { return k >= MixedAudio && k <= Screen }

// Flags are what the platform says about a frame, as bits.
type Flags uint8

// The flags. The numbers are those of mediahost.proto.
const (
	Silence  Flags = 1 // the platform calls the audio silent
	KeyFrame Flags = 2 // video that can be decoded without what was before
	AfterGap Flags = 4 // first after a gap

	allFlags = Silence | KeyFrame | AfterGap
)

// A Header says what a frame is, without its media.
type Header struct {
	Seq        uint64 // from 1, per session, without holes but for announced gaps
	MediaTime  int64  // ticks of 100 ns since 1900-01-01, by the platform's clock; 0: unknown
	SenderTime int64  // ticks of 100 ns since 1900-01-01, by the sender's clock; 0: unknown
	Source     uint32 // source ID as in the roster; 0 for mixed audio
	Kind       Kind
	Flags      Flags
	Socket     uint8  // 0 for audio
	Width      uint16 // pixels, video only
	Height     uint16 // pixels, video only
}

// A Frame is 20 ms of audio or one access unit of video. Its payload is only
// valid during the call that it is passed to: who keeps it copies it.
type Frame struct {
	Header

	Payload []byte
}

// GapCause says why media is missing.
type GapCause string

// The causes. The first three are the media host's words (mediahost.proto,
// Gap.Reason), the others are found out by the recorder.
const (
	CauseOverflow    GapCause = "overflow"    // the recorder was too slow or away too long
	CausePlatform    GapCause = "platform"    // the platform delivered nothing
	CauseHost        GapCause = "host"        // the media host's own fault
	CauseUnannounced GapCause = "unannounced" // a hole in the sequence numbers
	CauseTime        GapCause = "time"        // the media clock jumped between two frames
	CauseLink        GapCause = "link"        // lost by a cut of the link
	CauseCrash       GapCause = "crash"       // lost because a process died
	CauseTail        GapCause = "tail"        // the end was never received
)

// GapCauses are all causes of something lost.
func GapCauses() []GapCause {
	return []GapCause{
		CauseOverflow, CausePlatform, CauseHost, CauseUnannounced, CauseTime, CauseLink, CauseCrash, CauseTail,
	}
}

// Valid reports whether the cause is one of the closed set, and so fit for a
// metric's label.
func (c GapCause) Valid() bool {
	switch c {
	case CauseOverflow, CausePlatform, CauseHost, CauseUnannounced, CauseTime, CauseLink, CauseCrash, CauseTail:
		return true
	}
	return false
}

// A Gap says that media is missing and why: Count frames from FirstSeq on, or,
// where Count is 0, the time from FromTime to ToTime.
type Gap struct {
	Kind     Kind     `json:"kind"`
	Source   uint32   `json:"source"`
	FirstSeq uint64   `json:"firstSeq"`
	Count    uint64   `json:"count"`    // frames; 0: the times tell
	FromTime int64    `json:"fromTime"` // ticks of 100 ns since 1900-01-01; 0: unknown
	ToTime   int64    `json:"toTime"`   // ticks of 100 ns since 1900-01-01; 0: unknown
	Cause    GapCause `json:"cause"`
}

// Behind returns what of a gap of numbers is left from the frame seq on, which is within it.
func (g Gap) Behind(seq uint64) Gap {
	if seq <= g.FirstSeq {
		return g
	}
	gone := seq - g.FirstSeq
	g.FirstSeq, g.Count = seq, g.Count-gone
	if g.Kind.Audio() && g.FromTime > 0 && gone < 1<<32 { // one frame behind the other
		g.FromTime += int64(gone) * TicksPerFrame
	}
	return g
}

// secondsTo1970 is the time between the platform's epoch and Unix's: 25 567 days.
const secondsTo1970 = 25_567 * 86_400

// Time turns the platform's ticks into a time in UTC. Ticks of 0, unknown, are
// the zero time.
func Time(ticks int64) time.Time {
	if ticks == 0 {
		return time.Time{}
	}
	const perSecond = 10_000_000
	return time.Unix(ticks/perSecond-secondsTo1970, ticks%perSecond*100).UTC()
}

// Ticks turns a time into the platform's ticks; the zero time is 0. Times
// outside the years 1 to 29 000 or so do not fit.
func Ticks(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return (t.Unix()+secondsTo1970)*10_000_000 + int64(t.Nanosecond())/100
}
