package recorder

import "time"

// A CallID names one call (our leg, from invite to end) in a canonical form: a
// GUID in lower case with dashes where the platform's ID is a GUID, else the
// platform's ID as it is.
type CallID string

// A CallRef is what the platform needs to know of a call in a request.
type CallRef struct {
	ID CallID
	// Platform is the call's ID exactly as the platform wrote it in the invite;
	// it goes into request paths.
	Platform string
	// Tenant is the tenant of the call; the token is bought there.
	Tenant string
	// Scenario correlates our requests with the platform's; it may be empty.
	Scenario string
}

// An OperationID names one long-running operation of the platform.
type OperationID string

// An Invite is a request of the platform to record one participant's call.
type Invite struct {
	Call CallRef
	// At is when the request that carried the invite arrived: the five seconds
	// within which it must be answered start here.
	At                  time.Time
	CallChain           string // conversation; shared by the invites of one conversation
	ObservedParticipant string // participant ID under policy; empty: not a policy invite
	MyParticipant       string // the bot's own participant ID
	ObservedUser        string // object ID of the observed user, where told
	ApplicationInstance string // object ID of the bot's application instance
	Policy              string // botData.policyIdentifier
	Region              string // botData.mediaHostedRegion, for example "USEA"
	ThreadID            string // chatInfo.threadId
	Direction           string // botData.user.participationMethod in lower case: caller, callee, dialin, dialout
	// Parties are all whom the invite names, and Facts all else that it says, each in
	// the order of PartyRole and of the notification; bounded by MostParties and
	// MostFacts. Personal data: for the catalogue and the archive, never for a log.
	Parties []Party
	Facts   []Fact
	// Raw is the notification's resource data as received (JSON), less tokens:
	// evidence.
	Raw []byte
}

// RecordingStatus is what the platform shows the people in the call.
type RecordingStatus uint8

// The statuses that can be announced.
const (
	StatusRecording RecordingStatus = iota + 1
	StatusNotRecording
	StatusFailed
)

// String returns the platform's word for the status.
func (s RecordingStatus) String() string {
	return name(s, "unknown", "recording", "notRecording", "failed")
}

// Standing is where a call stands on the platform's side.
type Standing uint8

// The standings that matter here; any other, or none told, is StandingUnknown.
const (
	StandingUnknown     Standing = iota
	StandingIncoming             // not answered
	StandingEstablished          // media may flow
)

// String returns the standing's name.
func (s Standing) String() string { return name(s, "unknown", "incoming", "established") }

// Progress is how far an operation has come.
type Progress uint8

// Running operations are followed by another reply; the others are final.
const (
	Running Progress = iota + 1
	Completed
	Failed
)

// String returns the platform's word for the progress.
func (p Progress) String() string { return name(p, "unknown", "running", "completed", "failed") }

// An Operation is the platform's reply to an announcement. Context is the
// clientContext we chose when asking: it pairs answer and question even where
// a notification overtakes the HTTP response.
type Operation struct {
	ID       OperationID
	Context  string
	Progress Progress
	Reason   string // resultInfo, where told
	At       time.Time
	Receipt  Receipt
}

// A Receipt is what the platform said about one request of ours, kept as
// evidence.
type Receipt struct {
	HTTPStatus      int       `json:"httpStatus,omitempty"` // 0: not an HTTP reply
	RequestID       string    `json:"requestId,omitempty"`
	ClientRequestID string    `json:"clientRequestId,omitempty"`
	ScenarioID      string    `json:"scenarioId,omitempty"`
	Location        string    `json:"location,omitempty"`
	Date            string    `json:"date,omitempty"` // the reply's Date header, as it was
	SentAt          time.Time `json:"sentAt,omitzero"`
	RepliedAt       time.Time `json:"repliedAt,omitzero"`
}

// RejectReason tells the platform why an invite is turned down.
type RejectReason uint8

// The reasons that the platform knows.
const (
	RejectBusy RejectReason = iota + 1
	RejectForbidden
)

// String returns the platform's word for the reason.
func (r RejectReason) String() string { return name(r, "none", "busy", "forbidden") }

// Outcome is how an invite ended. Each invite has exactly one.
type Outcome uint8

// The outcomes.
const (
	OutcomeRecorded Outcome = iota + 1
	OutcomeRecordedWithGaps
	OutcomeNotRecorded
	OutcomeFailed
	OutcomeRejected
)

// String returns the catalogue's word for the outcome.
func (o Outcome) String() string {
	return name(o, "unknown", "recorded", "recordedWithGaps", "notRecorded", "failed", "rejected")
}

// A Cause says why something ended as it did: a word from a closed set, so
// that it can label a metric.
type Cause string

// The causes.
const (
	CauseNone              Cause = "none"
	CauseNotPolicyInvite   Cause = "notPolicyInvite"
	CauseDraining          Cause = "draining"
	CauseNoMediaHost       Cause = "noMediaHost"
	CauseNoSpoolRoom       Cause = "noSpoolRoom"
	CauseAtCapacity        Cause = "atCapacity"  // as many calls as are configured
	CauseHostsBusy         Cause = "hostsBusy"   // the media hosts have no seat left
	CauseStorageSlow       Cause = "storageSlow" // commits of the spool take too long
	CauseCPUBusy           Cause = "cpuBusy"     // the process has no time left
	CauseAnswerRefused     Cause = "answerRefused"
	CauseAnswerTooLate     Cause = "answerTooLate"
	CauseNeverEstablished  Cause = "neverEstablished"
	CauseEndedBeforeStart  Cause = "endedBeforeConsent"
	CauseStatusRefused     Cause = "statusRefused"
	CauseStatusUnknown     Cause = "statusUnknown"
	CauseNotPolicyCall     Cause = "notPolicyCall"    // 8506
	CauseConsentMissing    Cause = "consentMissing"   // 7504
	CauseMediaLost         Cause = "mediaLost"        // host or sockets gone
	CauseNoMedia           Cause = "noMedia"          // permitted, but nothing came
	CauseStorageFailed     Cause = "storageFailed"    // spool write or fsync
	CauseJournalFailed     Cause = "journalFailed"    // catalogue not writable
	CauseSealFailed        Cause = "sealFailed"       // not sealed in time
	CauseStopped           Cause = "stopped"          // operator
	CauseShutdown          Cause = "shutdown"         // drain limit or second signal
	CausePanic             Cause = "panic"            // our own fault
	CauseProcessDied       Cause = "processDied"      // found at start
	CauseCallEnded         Cause = "callEnded"        // the ordinary end
	CauseCallGone          Cause = "callGone"         // the platform no longer knows it
	CauseMediaSilentAtOpen Cause = "mediaOpenTimeout" // host never confirmed Open
)

// failureCauses are the causes with which a call can end as failed.
func failureCauses() []Cause {
	return []Cause{
		CauseStatusRefused, CauseStatusUnknown, CauseNotPolicyCall, CauseConsentMissing, CauseMediaLost, CauseMediaSilentAtOpen,
		CauseStorageFailed, CauseJournalFailed, CauseSealFailed, CauseShutdown, CausePanic, CauseProcessDied,
	}
}

// name is the String of all small enums here.
func name[T ~uint8](v T, names ...string) string {
	if int(v) >= len(names) {
		return names[0]
	}
	return names[v]
}

// ParseOutcome is the inverse of Outcome.String.
func ParseOutcome(word string) (Outcome, bool) {
	for o := OutcomeRecorded; o <= OutcomeRejected; o++ {
		if o.String() == word {
			return o, true
		}
	}
	return 0, false
}
