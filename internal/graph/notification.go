package graph

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// Kind says what a notification is about.
type Kind uint8

// The kinds of notifications.
const (
	Unknown Kind = iota
	Invite
	Call
	Roster
	Operation
	ParticipantJoining
	ParticipantLeft
	ContentSharing
)

// String is the kind's metric label.
func (k Kind) String() string {
	names := [...]string{"unknown", "invite", "call", "roster", "operation", "participantJoining", "participantLeft", "contentSharing"}
	if int(k) >= len(names) {
		return names[0]
	}
	return names[k]
}

// Kinds are all kinds, for metrics.
func Kinds() []Kind {
	return []Kind{Unknown, Invite, Call, Roster, Operation, ParticipantJoining, ParticipantLeft, ContentSharing}
}

// A Notification is one change that the platform tells.
type Notification struct {
	Kind         Kind
	Change       string // created, updated, deleted, or as it came
	Call         recorder.CallID
	PlatformCall string // the call's ID as it came
	Tenant       string // empty where the notification names none
	Scenario     string // callChainId, where named
	Invite       *recorder.Invite
	Events       []recorder.Event
	Roster       *recorder.Roster
	// Unknown counts members and enum values that no page names. What is not 0
	// belongs into the evidence as Raw: what was read of it is not all of it.
	Unknown int
	Raw     json.RawMessage // resource data as it came, less tokens
}

// An Arrival is when and how a callback's body came.
type Arrival struct {
	At time.Time
	// Chain is the header X-Microsoft-Skype-Chain-ID, where there was one: it
	// names the conversation, as callChainId does.
	Chain string
}

// A Batch is what a callback's body holds.
type Batch struct {
	Notifications []Notification
	// Skipped says what was wrong with the entries that are not among them. The
	// platform sends unrelated entries in one batch, and has no reason to send
	// the good ones again.
	Skipped []*DecodeError
}

// Decode reads a callback's body: a commsNotifications batch, or a bare
// participantJoiningNotification or participantLeftNotification. The error is a
// *DecodeError, and then nothing of the body counts: the body itself is wrong,
// or no entry of it can be used.
func Decode(body []byte, a Arrival) (Batch, error) {
	if err := bound(body, maxBody); err != nil {
		return Batch{}, err
	}
	var env wireEnvelope
	if err := json.Unmarshal(body, &env); err != nil {
		return Batch{}, refuse(ReasonBadShape, "the body is not an object with @odata.type and value")
	}
	switch typeName(env.Type) {
	case "commsnotifications":
	case "participantjoiningnotification", "participantleftnotification":
		n, err := decodeJoining(body, place{}, a)
		if err != nil {
			return Batch{}, err
		}
		return Batch{Notifications: []Notification{n}}, nil
	default:
		return Batch{}, refuse(ReasonWrongType, "@odata.type is not #microsoft.graph.commsNotifications")
	}
	switch {
	case len(env.Value) == 0:
		return Batch{}, refuse(ReasonBadShape, "value is empty or missing")
	case len(env.Value) > maxEntries:
		return Batch{}, refuse(ReasonTooMany, "value has %d entries; at most %d are taken", len(env.Value), maxEntries)
	}
	b := Batch{Notifications: make([]Notification, 0, len(env.Value))}
	for i, raw := range env.Value {
		n, err := decodeOne(raw, a)
		if bad, ok := errors.AsType[*DecodeError](err); ok {
			b.Skipped = append(b.Skipped, &DecodeError{Reason: bad.Reason, Detail: fmt.Sprintf("entry %d: %s", i, bad.Detail)})
			continue
		}
		b.Notifications = append(b.Notifications, n)
	}
	if len(b.Notifications) == 0 {
		return Batch{}, b.Skipped[0]
	}
	return b, nil
}

// typeName is the last word of an @odata.type, in lower case.
func typeName(t string) string {
	return strings.ToLower(t[strings.LastIndexByte(t, '.')+1:])
}

func decodeOne(raw json.RawMessage, a Arrival) (Notification, error) {
	var w wireNotification
	if err := json.Unmarshal(raw, &w); err != nil {
		return Notification{}, refuse(ReasonBadShape, "not a commsNotification")
	}
	if t := typeName(w.Type); t != "" && t != "commsnotification" {
		return Notification{}, refuse(ReasonWrongType, "@odata.type of the entry is not #microsoft.graph.commsNotification")
	}
	p, err := whereOf(w)
	if err != nil {
		return Notification{}, err
	}
	var data struct {
		Type string `json:"@odata.type"`
	}
	_ = json.Unmarshal(w.ResourceData, &data) // a list has no type of its own
	t := typeName(data.Type)
	if t == "participantjoiningnotification" || t == "participantleftnotification" {
		return decodeJoining(w.ResourceData, p, a)
	}
	n, err := decodeData(single(w, p), p, t, a)
	if err != nil {
		return Notification{}, err
	}
	n.Raw = scrub(w.ResourceData)
	n.Change = strings.ToLower(w.ChangeType)
	if n.Change != "created" && n.Change != "updated" && n.Change != "deleted" {
		n.Unknown++
	}
	return n, nil
}

// whereOf reads the resource's path; the two forms of it must not disagree.
func whereOf(w wireNotification) (place, error) {
	p, err := parsePlace(w.ResourceURL)
	if err != nil {
		return place{}, err
	}
	twin, err := parsePlace(w.Resource)
	switch {
	case err != nil:
		return place{}, err
	case p.call == "":
		return twin, nil
	case twin.call != "" && canonicalID(twin.call) != canonicalID(p.call):
		return place{}, refuse(ReasonBadShape, "resource and resourceUrl name different calls")
	}
	return p, nil
}

// single unwraps a list of one: "resourceData is either an entity or a
// collection of entities" (Graph, commsNotification). Rosters read lists
// themselves, and a list of more than one call or operation is refused there.
func single(w wireNotification, p place) wireNotification {
	var list []json.RawMessage
	if p.rest != "participants" && json.Unmarshal(w.ResourceData, &list) == nil && len(list) == 1 {
		w.ResourceData = list[0]
	}
	return w
}

func decodeData(w wireNotification, p place, dataType string, a Arrival) (Notification, error) {
	switch {
	case p.rest == "participants":
		return decodeRoster(w, p, a.At)
	case p.rest == "operations":
		return decodeOperation(w.ResourceData, p, a.At)
	case p.rest == "contentsharingsessions":
		return about(ContentSharing, p.call)
	case p.rest != "" || dataType != "" && dataType != "call":
		n, err := about(Unknown, p.call)
		n.Unknown++
		return n, err
	}
	return decodeCall(w, p, a)
}

// about makes a notification of a call named by its path.
func about(kind Kind, platformID string) (Notification, error) {
	id, err := callID(platformID)
	if err != nil {
		return Notification{}, err
	}
	return Notification{Kind: kind, Call: id, PlatformCall: platformID}, nil
}
