package graph

import (
	"encoding/json"
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
	Unknown      int             // enum values that no page names
	Raw          json.RawMessage // resource data as it came, less tokens
}

// Decode reads a callback's body: a commsNotifications batch, or a bare
// participantJoiningNotification or participantLeftNotification. at is when it
// arrived. The error is a *DecodeError, and then nothing of the body counts.
func Decode(body []byte, at time.Time) ([]Notification, error) {
	if err := bound(body, maxBody); err != nil {
		return nil, err
	}
	var env wireEnvelope
	if err := json.Unmarshal(body, &env); err != nil {
		return nil, refuse(ReasonBadShape, "the body is not an object with @odata.type and value")
	}
	switch typeName(env.Type) {
	case "commsnotifications":
	case "participantjoiningnotification", "participantleftnotification":
		n, err := decodeJoining(body, place{}, at)
		if err != nil {
			return nil, err
		}
		return []Notification{n}, nil
	default:
		return nil, refuse(ReasonWrongType, "@odata.type is not #microsoft.graph.commsNotifications")
	}
	switch {
	case len(env.Value) == 0:
		return nil, refuse(ReasonBadShape, "value is empty or missing")
	case len(env.Value) > maxEntries:
		return nil, refuse(ReasonTooMany, "value has %d entries; at most %d are taken", len(env.Value), maxEntries)
	}
	ns := make([]Notification, 0, len(env.Value))
	for i, raw := range env.Value {
		n, err := decodeOne(raw, at)
		if err != nil {
			return nil, entry(i, err)
		}
		ns = append(ns, n)
	}
	return ns, nil
}

func entry(i int, err error) error {
	if d, ok := err.(*DecodeError); ok { //nolint:errorlint // made right here, never wrapped
		return refuse(d.Reason, "entry %d: %s", i, d.Detail)
	}
	return err
}

// typeName is the last word of an @odata.type, in lower case.
func typeName(t string) string {
	return strings.ToLower(t[strings.LastIndexByte(t, '.')+1:])
}

func decodeOne(raw json.RawMessage, at time.Time) (Notification, error) {
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
		return decodeJoining(w.ResourceData, p, at)
	}
	n, err := decodeData(single(w, p), p, t, at)
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

func decodeData(w wireNotification, p place, dataType string, at time.Time) (Notification, error) {
	switch {
	case p.rest == "participants":
		return decodeRoster(w, p, at)
	case p.rest == "operations":
		return decodeOperation(w.ResourceData, p, at)
	case p.rest == "contentsharingsessions":
		return about(ContentSharing, p.call)
	case p.rest != "" || dataType != "" && dataType != "call":
		n, err := about(Unknown, p.call)
		n.Unknown++
		return n, err
	}
	return decodeCall(w, p, at)
}

// about makes a notification of a call named by its path.
func about(kind Kind, platformID string) (Notification, error) {
	id, err := callID(platformID)
	if err != nil {
		return Notification{}, err
	}
	return Notification{Kind: kind, Call: id, PlatformCall: platformID}, nil
}
