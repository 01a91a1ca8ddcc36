package graph

import (
	"bytes"
	"encoding/json"
	"maps"
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
		each, from := []json.RawMessage{item}, len(l.participants)
		if typeName(d.Type) == "deltaparticipants" {
			l.sequence, l.delta, each = max(l.sequence, int64(d.SequenceNumber)), true, d.Participants
			l.unknown += strangers(item, "id", "sequenceNumber", "participants")
		}
		for _, person := range each {
			if l.add(person) != nil {
				return people{}, bad
			}
		}
		if l.delta { // whoever is in it is known as of its number, at least
			for i := range l.participants[from:] {
				p := &l.participants[from+i]
				p.Sequence = max(p.Sequence, int64(d.SequenceNumber))
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
	l.sequence = max(l.sequence, p.Sequence)
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
	n += strangers(w.Info, "id", "identity", "countryCode", "endpointType", "isIdentityAnonymized", "languageId", "nonAnonymizedIdentity", "participantId", "platformId", "region")
	for _, s := range w.Streams {
		n += strangers(s, "mediaType", "label", "sourceId", "direction", "serverMuted")
	}
	return n
}

// participantOf translates one participant and counts what no page names.
func participantOf(w wireParticipant) (p recorder.Participant, unknown int) {
	p = recorder.Participant{
		ID: canonicalID(w.ID), Sequence: max(int64(w.RosterSequenceNumber), 0),
		Muted: w.IsMuted != nil && *w.IsMuted, MuteUntold: w.IsMuted == nil,
		InLobby: w.IsInLobby != nil && *w.IsInLobby, LobbyUntold: w.IsInLobby == nil,
		Anonymized: w.IsIdentityAnonymized || w.Info != nil && w.Info.IsIdentityAnonymized,
	}
	if w.RemovedState != nil {
		p.Removed, p.Reason = true, shorten(w.RemovedState.Reason)
	}
	if w.RecordingInfo != nil && w.RecordingInfo.RecordingStatus != "" {
		if p.Recording = canonical(w.RecordingInfo.RecordingStatus, "unknown", "notRecording", "recording", "failed"); p.Recording == "" {
			unknown++
		}
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
	if w.MediaStreams != nil {
		p.Streams = []recorder.MediaStream{} // told, if only that there are none
	}
	for _, s := range w.MediaStreams {
		stream := recorder.MediaStream{
			Type: canonical(s.MediaType, "unknown", "audio", "video", "videoBasedScreenSharing", "data"), Label: shorten(s.Label), ServerMuted: s.ServerMuted,
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
// identitySet and communicationsIdentitySet), the one that says best who somebody is
// first: an asserted identity is what they wish to be seen as, and an encrypted one
// nobody can read.
func identityKinds() []string {
	return []string{
		"user", "phone", "applicationInstance", "application", "guest", "device", "azureCommunicationServicesUser", "acsUser",
		"acsApplicationInstance", "spoolUser", "spoolApplicationInstance", "onPremises", "assertedIdentity", "encrypted",
		"conversation",
	}
}

// mostAlso bounds the further identities of one participant.
const mostAlso = 8

// identify fills in who it is: of the identities in a set the one that says it best,
// and the others beside it. Guests come under names that no page lists.
func identify(p *recorder.Participant, set map[string]*wireIdentity) {
	p.Kind = "unknown"
	var all []recorder.Identity
	take := func(name, kind string) {
		if id := set[name]; id != nil && (id.ID != "" || id.DisplayName != "") {
			who := identify1(kind, id.ID) // an ID may say better than its place of what kind it is
			all = append(all, recorder.Identity{Kind: who.Kind, ID: who.ID, Name: shorten(id.DisplayName), Tenant: canonicalID(id.TenantID)})
		}
	}
	for _, kind := range identityKinds() {
		take(kind, kind)
	}
	for _, name := range slices.Sorted(maps.Keys(set)) {
		if !slices.Contains(identityKinds(), name) && set[name] != nil && set[name].ID != "" {
			take(name, "guest")
		}
	}
	if len(all) == 0 {
		return
	}
	p.Kind, p.Identity, p.Name, p.Tenant = all[0].Kind, all[0].ID, all[0].Name, all[0].Tenant
	if also := all[1:min(len(all), 1+mostAlso)]; len(also) > 0 {
		p.Also = also
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
