package recorder

import "time"

// A Command is something that the call asks the world to do. Commands are
// values, so that a test can compare what a state wants done.
//
//sumtype:decl
type Command interface{ isCommand() }

type (
	// CreateSession asks a media host for the call's sockets.
	CreateSession struct{}
	// Reject turns the invite down.
	Reject struct{ Reason RejectReason }
	// Answer accepts the invite with the session's blob.
	Answer struct {
		Session Session
		// Again: the platform said that the call still waits, after a try without a
		// reply. That makes sense within the five seconds only.
		Again bool
	}
	// AskCall asks the platform whether the call lives.
	AskCall struct{}
	// Announce sets the recording status.
	Announce struct{ announcement announcement }
	// Poll asks how far the announcement's operation has come.
	Poll struct {
		announcement announcement
		Operation    OperationID
	}
	// OpenMedia opens the gate.
	OpenMedia struct{ Permit Permit }
	// SealMedia shuts the gate and seals the recording, and what a dead process has
	// left of the call.
	SealMedia struct {
		call     CallID
		permit   Permit // inert where the process that had it is dead
		Graceful bool
	}
	// WithdrawPermit shuts the gate at once.
	WithdrawPermit struct{ permit Permit }
	// ReleaseMedia disposes of the sockets.
	ReleaseMedia struct{ Reason Cause }
	// KeepAlive tells the platform that we are here.
	KeepAlive struct{}
	// AskRoster asks who is in the call.
	AskRoster struct{}
	// HangUp leaves the call.
	HangUp struct{}
	// SetTimer starts or restarts a timer.
	SetTimer struct {
		Timer Timer
		After time.Duration
	}
	// StopTimers stops the named timers.
	StopTimers struct{ Timers []Timer }
	// Conclude enters the call's one outcome.
	Conclude struct{ End Conclusion }
	// Unexpected counts an event that this state has no use for.
	Unexpected struct{ Event Event }
)

func (CreateSession) isCommand()  {}
func (Reject) isCommand()         {}
func (Answer) isCommand()         {}
func (AskCall) isCommand()        {}
func (Announce) isCommand()       {}
func (Poll) isCommand()           {}
func (OpenMedia) isCommand()      {}
func (SealMedia) isCommand()      {}
func (WithdrawPermit) isCommand() {}
func (ReleaseMedia) isCommand()   {}
func (KeepAlive) isCommand()      {}
func (AskRoster) isCommand()      {}
func (HangUp) isCommand()         {}
func (SetTimer) isCommand()       {}
func (StopTimers) isCommand()     {}
func (Conclude) isCommand()       {}
func (Unexpected) isCommand()     {}

// A Timer is one of the machine's clocks. Each runs at most once at a time.
type Timer uint8

// The timers.
const (
	TimerAskCall       Timer = iota + 1 // no "established" yet: ask
	TimerEstablish                      // no "established" at all: give up
	TimerPoll                           // the operation is running: poll it
	TimerRetry                          // announce again
	TimerReply                          // no final word on the announcement: announce again
	TimerAnnounceLimit                  // no consent at all: fail
	TimerSeal                           // sealing takes too long
	TimerRetractLimit                   // the end can't be announced: leave anyway
	TimerKeepAlive
	TimerLeave // no reply to our leaving, or to our rejection
)

// String returns the timer's name.
func (t Timer) String() string {
	return name(t, "none", "askCall", "establish", "poll", "retry", "reply", "announceLimit", "seal", "retractLimit", "keepAlive", "leave")
}

// The durations. Those with a source are demands of the platform.
const (
	askCallAfter   = 10 * time.Second
	establishLimit = 60 * time.Second
	pollEvery      = 500 * time.Millisecond
	replyLimit     = 10 * time.Second
	announceLimit  = 30 * time.Second
	retryFirst     = 200 * time.Millisecond
	retryMost      = 2 * time.Second
	sealLimit      = 10 * time.Second
	// sealFailedLimit leaves room to announce failed within the two seconds of
	// law 3.
	sealFailedLimit = time.Second
	retractLimit    = 15 * time.Second
	// leaveLimit is long: a leg left behind blocks fail-closed policies.
	leaveLimit  = 2 * time.Minute
	rejectLimit = 10 * time.Second
	// askedLimit bounds the doubt whether a call lives whose sockets closed, and
	// sealAskedLimit what the seal, under way since then, still gets if it does;
	// the rest of law 3's two seconds is for the announcement.
	askedLimit     = time.Second
	sealAskedLimit = 300 * time.Millisecond
	// refusedHangUps is how often a refused hang-up is tried again: a leg left
	// behind is worse than a few requests, and a credential may be mended.
	refusedHangUps = 5
	// answers are how many times an answer without a reply is given.
	answers = 4
)
