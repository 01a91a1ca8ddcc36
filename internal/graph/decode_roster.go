package graph

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// decodeRoster reads a roster: a list of participants, or a delta of it, which
// has been seen both alone and as a list of one. A single participant, and all
// at …/participants/{id}, is a change too: only a list takes those out of the
// roster whom it does not name. Without data nobody was named at all.
func decodeRoster(w wireNotification, p place, at time.Time) (Notification, error) {
	n, err := about(Roster, p.call)
	if err != nil {
		return Notification{}, err
	}
	raw := bytes.TrimSpace(w.ResourceData)
	gone := strings.EqualFold(w.ChangeType, "deleted") && p.id != ""
	if len(raw) == 0 || string(raw) == "null" {
		if gone {
			n.Roster = &recorder.Roster{Delta: true, At: at, Participants: []recorder.Participant{{ID: canonicalID(p.id), Removed: true}}}
		}
		return n, nil
	}
	list, err := participantsOf(raw)
	if err != nil {
		return Notification{}, err
	}
	r := &recorder.Roster{Sequence: list.sequence, Delta: list.delta || raw[0] != '[' || p.id != "", At: at, Participants: list.participants}
	for i := range r.Participants {
		r.Participants[i].Removed = r.Participants[i].Removed || gone
	}
	n.Roster, n.Unknown = r, list.unknown
	return n, nil
}

// A people is what a roster's JSON holds.
type people struct {
	participants []recorder.Participant
	sequence     int64
	delta        bool
	unknown      int // members and values that no page names
}

func participantsOf(raw json.RawMessage) (people, error) {
	bad := refuse(ReasonBadShape, "resourceData is not a roster")
	raw = bytes.TrimSpace(raw)
	var items []json.RawMessage
	switch {
	case len(raw) == 0 || string(raw) == "null":
		return people{}, nil
	case raw[0] == '[':
		if json.Unmarshal(raw, &items) != nil {
			return people{}, bad
		}
	default:
		items = []json.RawMessage{raw}
	}
	var l people
	for _, item := range items {
		var d wireDelta
		if json.Unmarshal(item, &d) != nil {
			return people{}, bad
		}
		each := []json.RawMessage{item}
		if typeName(d.Type) == "deltaparticipants" {
			l.sequence, l.delta, each = max(l.sequence, int64(d.SequenceNumber)), true, d.Participants
			l.unknown += strangers(item, "id", "sequenceNumber", "participants")
		}
		for _, person := range each {
			if l.add(person) != nil {
				return people{}, bad
			}
		}
	}
	return l, nil
}

func (l *people) add(raw json.RawMessage) error {
	var w wireParticipant
	if err := json.Unmarshal(raw, &w); err != nil {
		return err
	}
	p, unknown := participantOf(w)
	l.participants = append(l.participants, p)
	l.sequence = max(l.sequence, int64(w.RosterSequenceNumber))
	l.unknown += unknown + strangersOf(raw)
	return nil
}

// strangersOf counts the members of a participant, of who it is and of its
// streams, that no page names.
func strangersOf(raw json.RawMessage) int {
	var w struct {
		Info    json.RawMessage   `json:"info"`
		Streams []json.RawMessage `json:"mediaStreams"`
	}
	if json.Unmarshal(raw, &w) != nil {
		return 0
	}
	n := strangers(raw, "id", "info", "identity", "isIdentityAnonymized", "isInLobby", "isMuted", "mediaStreams", "metadata",
		"preferredDisplayName", "recordingInfo", "removedState", "restrictedExperience", "rosterSequenceNumber")
	n += strangers(w.Info, "id", "identity", "countryCode", "endpointType", "languageId", "nonAnonymizedIdentity", "participantId", "platformId", "region")
	for _, s := range w.Streams {
		n += strangers(s, "mediaType", "label", "sourceId", "direction", "serverMuted")
	}
	return n
}

// participantOf translates one participant and counts what no page names.
func participantOf(w wireParticipant) (p recorder.Participant, unknown int) {
	p = recorder.Participant{ID: canonicalID(w.ID), Muted: w.IsMuted, InLobby: w.IsInLobby}
	if w.RemovedState != nil {
		p.Removed, p.Reason = true, w.RemovedState.Reason
	}
	identity := w.Identity
	if w.Info != nil {
		identity = w.Info.Identity
	}
	identify(&p, identity)
	for name, id := range identity {
		if id != nil && id.ID != "" && !slices.Contains(identityKinds(), name) {
			unknown++
		}
	}
	for _, s := range w.MediaStreams {
		stream := recorder.MediaStream{
			Type: canonical(s.MediaType, "unknown", "audio", "video", "videoBasedScreenSharing", "data"), Label: s.Label, ServerMuted: s.ServerMuted,
			Direction: canonical(s.Direction, "inactive", "sendOnly", "receiveOnly", "sendReceive"),
		}
		if stream.Type == "" || stream.Direction == "" {
			unknown++
		}
		if s.SourceID < 0 || s.SourceID > math.MaxUint32 {
			unknown++
			continue
		}
		stream.SourceID = uint32(s.SourceID)
		p.Streams = append(p.Streams, stream)
	}
	return p, unknown
}

// identityKinds are the members of an identity set that a page names (Graph,
// identitySet and communicationsIdentitySet).
func identityKinds() []string {
	return []string{
		"user", "phone", "applicationInstance", "application", "guest", "device", "encrypted", "onPremises", "assertedIdentity",
		"azureCommunicationServicesUser", "acsUser", "acsApplicationInstance", "spoolUser", "spoolApplicationInstance",
		"conversation",
	}
}

// identify fills in who it is. An identity set has one member that is not
// null; guests come under names that no page lists.
func identify(p *recorder.Participant, set map[string]*wireIdentity) {
	p.Kind = "unknown"
	for _, kind := range []string{"user", "phone", "applicationInstance", "application", "guest", "device"} {
		if id := set[kind]; id != nil && (id.ID != "" || id.DisplayName != "") {
			p.Kind, p.Identity, p.Name, p.Tenant = kind, canonicalID(id.ID), id.DisplayName, canonicalID(id.TenantID)
			return
		}
	}
	for name, id := range set {
		if id != nil && id.ID != "" && (p.Identity == "" || name < p.Kind) {
			p.Kind, p.Identity, p.Name, p.Tenant = "guest", id.ID, id.DisplayName, id.TenantID
		}
	}
}

// canonical returns the documented spelling of an enum value, or "".
func canonical(v string, names ...string) string {
	for _, n := range names {
		if strings.EqualFold(v, n) {
			return n
		}
	}
	return ""
}
