package host

import (
	"fmt"
	"time"
)

// A FaultKind names one way of misbehaving, as scenario files write it.
type FaultKind string

// Faults of one session. At counts media time from the session's first Open,
// but for the first five, which wait for what they are about. Where audio is unmixed or
// there is video, Frames counts ticks of 20 ms, each with all that comes in it.
const (
	// FaultEarly: Frames frames (default 10) are sent while attached, before the
	// first Open. Inject it before Attach.
	FaultEarly FaultKind = "early"
	// FaultLate: Frames frames (default 10) are sent after Paused.
	FaultLate FaultKind = "late"
	// FaultNeverOpened: Open is not answered and nothing is captured.
	FaultNeverOpened FaultKind = "neverOpened"
	// FaultNeverPaused: Pause stops the frames but is not answered.
	FaultNeverPaused FaultKind = "neverPaused"
	// FaultCloseOnDisconnect: Disconnect closes the session (PLATFORM).
	FaultCloseOnDisconnect FaultKind = "closeOnDisconnect"

	// FaultGap: for For, frames get numbers but never come; announced with their
	// count and Reason ("overflow", "platform", "host"; default overflow).
	FaultGap FaultKind = "gap"
	// FaultSkip: for For, the platform delivers nothing; announced with times
	// only (count 0), Reason platform by default.
	FaultSkip FaultKind = "skip"
	// FaultSilentSkip: as skip, without a Gap message and without a hole in seq.
	FaultSilentSkip FaultKind = "silentSkip"
	// FaultHole: for For, frames get numbers but never come, unannounced.
	FaultHole FaultKind = "hole"
	// FaultDuplicate: Frames frames (default 1) are sent twice in a row.
	FaultDuplicate FaultKind = "duplicate"
	// FaultMalformed: Frames frames of audio (default 1) have payloads of 638 bytes.
	FaultMalformed FaultKind = "malformed"
	// FaultAbsurdTime: Frames frames (default 1) have a media time of 0, -1 or
	// three days ahead, in turn.
	FaultAbsurdTime FaultKind = "absurdTime"
	// FaultClockStep: the host's clock is put forward by For, or back where Reason is
	// "back": from here on all media times are others, and nothing is missing.
	FaultClockStep FaultKind = "clockStep"
	// FaultUnknownHandle: Frames frames (default 1) are sent a second time under
	// a handle that nobody attached.
	FaultUnknownHandle FaultKind = "unknownHandle"
	// FaultSessionClosed: the session ends, SessionClosed{PLATFORM}.
	FaultSessionClosed FaultKind = "sessionClosed"
	// FaultStreamFailure: StreamFailure; no frame follows.
	FaultStreamFailure FaultKind = "streamFailure"
	// FaultDetached: a higher lease takes the session away.
	FaultDetached FaultKind = "detached"
)

// Faults of the whole host. They may be injected for a session, then At counts
// from its first Open, or for the host, then from the injection.
const (
	// FaultCut: all connections break; new ones are refused for For.
	FaultCut FaultKind = "cut"
	// FaultStall: nothing is sent for For; the connections stand.
	FaultStall FaultKind = "stall"
	// FaultKill: the process dies: sessions, frames and connections are gone. It
	// is back after For, under a new epoch.
	FaultKill FaultKind = "kill"
	// FaultRefuse: for For (0: for ever), CreateSession fails: Reason "exhausted"
	// (default), "unavailable" or "hang" (no reply at all).
	FaultRefuse FaultKind = "refuse"
	// FaultOverload: for For (0: for ever), the host reports HEALTH_OVERLOADED and
	// refuses with RESOURCE_EXHAUSTED.
	FaultOverload FaultKind = "overload"
	// FaultDrain: from now on the host is draining: UNAVAILABLE for new sessions.
	FaultDrain FaultKind = "drain"
)

// A Fault is one scripted misbehaviour.
type Fault struct {
	Kind   FaultKind     `yaml:"kind"`
	At     time.Duration `yaml:"at"`
	For    time.Duration `yaml:"for"`
	Frames int           `yaml:"frames"`
	Reason string        `yaml:"reason"`
	// Source is whose frames are meant, of audio or video, in gap, skip, silentSkip,
	// hole, duplicate, malformed, absurdTime and unknownHandle where audio is unmixed or
	// there is video; 0: everybody's.
	Source uint32 `yaml:"source"`
}

// check says what is wrong with a fault. ofHost: it is injected for the host.
func (f Fault) check(ofHost bool) error {
	if f.At < 0 || f.For < 0 || f.Frames < 0 {
		return fmt.Errorf("fault %q: at, for and frames can't be negative", f.Kind)
	}
	switch f.Kind {
	case FaultGap, FaultSkip, FaultSilentSkip, FaultHole:
		if f.frames() < 1 {
			return fmt.Errorf("fault %q: for must be at least 20ms", f.Kind)
		}
		if _, ok := gapReason(f.Reason); !ok {
			return fmt.Errorf("fault %q: reason %q is not overflow, platform or host", f.Kind, f.Reason)
		}
	case FaultCut, FaultStall, FaultKill, FaultRefuse, FaultOverload, FaultDrain:
		if f.Kind == FaultRefuse && f.Reason != "" && f.Reason != "exhausted" && f.Reason != "unavailable" && f.Reason != "hang" {
			return fmt.Errorf("fault %q: reason %q is not exhausted, unavailable or hang", f.Kind, f.Reason)
		}
		return nil
	case FaultClockStep:
		if f.For <= 0 || (f.Reason != "" && f.Reason != "back") {
			return fmt.Errorf("fault %q: for must be positive, reason %q nothing or back", f.Kind, f.Reason)
		}
	case FaultEarly, FaultLate, FaultNeverOpened, FaultNeverPaused, FaultCloseOnDisconnect, FaultDuplicate,
		FaultMalformed, FaultAbsurdTime, FaultUnknownHandle, FaultSessionClosed, FaultStreamFailure, FaultDetached:
	default:
		return fmt.Errorf("there is no fault %q", f.Kind)
	}
	if ofHost {
		return fmt.Errorf("fault %q is one of a session, not of the host", f.Kind)
	}
	return nil
}

// frames is how many frames the fault is about.
func (f Fault) frames() int {
	switch f.Kind { //nolint:exhaustive // the others count frames, or nothing
	case FaultGap, FaultSkip, FaultSilentSkip, FaultHole:
		return int(f.For / (20 * time.Millisecond))
	case FaultEarly, FaultLate:
		if f.Frames == 0 {
			return 10
		}
	}
	return max(1, f.Frames)
}
