package graph

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// Kind says what a notification is about.
type Kind uint8

// The kinds of notifications.
const (
	Unknown            Kind = iota // of a call, or of nothing we know: counted, kept as evidence
	Invite                         // a call comes in; a policy invite where ObservedParticipant is set
	Call                           // a call's state
	Roster                         // who is in the call
	Operation                      // how far a request of ours has come
	ParticipantJoining             // one more participant for a grouped call; wants JoinReply
	ParticipantLeft                // a participant of a grouped call has left
	ContentSharing                 // someone began or ended to share
)

// String returns the kind's word, from a closed set: a metric's label.
func (k Kind) String() string {
	switch k {
	case Invite:
		return "invite"
	case Call:
		return "call"
	case Roster:
		return "roster"
	case Operation:
		return "operation"
	case ParticipantJoining:
		return "participantJoining"
	case ParticipantLeft:
		return "participantLeft"
	case ContentSharing:
		return "contentSharing"
	case Unknown:
	}
	return "unknown"
}

// A Notification is one entry of what the platform sent, translated.
type Notification struct {
	Kind   Kind
	Change string // created, updated, deleted, in lower case; "other" for every other word
	// Call is the call in canonical form, PlatformCall as the platform wrote it.
	// Both are empty only where the notification names no call (Unknown).
	Call         recorder.CallID
	PlatformCall string
	// Tenant is the call's tenant where the notification names it: a GUID in
	// lower case. The invite of a recorded call always does.
	Tenant string
	// Scenario correlates the calls of one conversation: the call chain, which
	// equals the Scenario-Id header in everything that was ever observed.
	Scenario string
	Invite   *recorder.Invite // of an Invite and of a ParticipantJoining
	Events   []recorder.Event // for the call's mailbox, in order
	Roster   *recorder.Roster
	// Unknown counts members and enum values that we have no meaning for.
	Unknown int
	// Raw is the resource data with its members in order, less everything that
	// could be a token: evidence. It is nil where there was none.
	Raw json.RawMessage
}

// The reasons of a DecodeError: a closed set, for a metric's label.
const (
	ReasonSize         = "size"         // body larger than 1 MiB
	ReasonUTF8         = "utf8"         // not UTF-8
	ReasonJSON         = "json"         // not JSON, or not one value
	ReasonDepth        = "depth"        // nested too deeply
	ReasonMembers      = "members"      // too many members or values
	ReasonNumber       = "number"       // a number of absurd length
	ReasonDuplicate    = "duplicate"    // a member twice in one object
	ReasonEnvelope     = "envelope"     // not a commsNotifications
	ReasonEntries      = "entries"      // too many notifications
	ReasonEntry        = "entry"        // an entry that is no notification
	ReasonCall         = "call"         // no call ID, or none that can be one
	ReasonCallMismatch = "callMismatch" // the entry names two calls
	ReasonTenant       = "tenant"       // a tenant that can't be one
)

// A DecodeError says why a body was refused. Nothing of the body was used.
type DecodeError struct {
	Reason string // from a closed set
	Detail string // for people; no content beyond names and numbers
}

// Error says what was wrong.
func (e *DecodeError) Error() string {
	return fmt.Sprintf("graph: notification refused (%s): %s", e.Reason, e.Detail)
}

func refuse(reason, format string, args ...any) error {
	return &DecodeError{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

// JoinReply returns the body of the HTTP response to a participant joining a
// grouped call. Microsoft documents the types but not the envelope: the type
// is named because all replies derive from one abstract type.
func JoinReply(accept bool) []byte {
	if accept {
		return []byte(`{"@odata.type":"#microsoft.graph.acceptJoinResponse"}`)
	}
	return []byte(`{"@odata.type":"#microsoft.graph.rejectJoinResponse","reason":"busy"}`)
}

// Decode translates a callback's body. at is when its request arrived. It
// returns the notifications in order, or a *DecodeError and none.
func Decode(body []byte, at time.Time) ([]Notification, error) {
	root, err := parse(body, limits{bytes: maxBody, depth: maxDepth, members: maxMembers, values: maxValues})
	if err != nil {
		return nil, err
	}
	return decodeEnvelope(root, at)
}
