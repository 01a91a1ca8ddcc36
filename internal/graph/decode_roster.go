package graph

import (
	"bytes"
	"encoding/json"
	"math"
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
	ps, seq, delta, err := participantsOf(raw)
	if err != nil {
		return Notification{}, err
	}
	r := &recorder.Roster{Sequence: seq, Delta: delta || raw[0] != '[' || p.id != "", At: at}
	for _, w := range ps {
		part, unknown := participantOf(w)
		part.Removed = part.Removed || gone
		n.Unknown += unknown
		r.Participants = append(r.Participants, part)
	}
	n.Roster = r
	return n, nil
}

func participantsOf(raw json.RawMessage) (ps []wireParticipant, seq int64, delta bool, err error) {
	bad := refuse(ReasonBadShape, "resourceData is not a roster")
	raw = bytes.TrimSpace(raw)
	var list []json.RawMessage
	switch {
	case len(raw) == 0 || string(raw) == "null":
		return nil, 0, false, nil
	case raw[0] == '[':
		if json.Unmarshal(raw, &list) != nil {
			return nil, 0, false, bad
		}
	default:
		list = []json.RawMessage{raw}
	}
	for _, item := range list {
		var d wireDelta
		if json.Unmarshal(item, &d) != nil {
			return nil, 0, false, bad
		}
		if typeName(d.Type) == "deltaparticipants" {
			ps, seq, delta = append(ps, d.Participants...), max(seq, int64(d.SequenceNumber)), true
			continue
		}
		var w wireParticipant
		if json.Unmarshal(item, &w) != nil {
			return nil, 0, false, bad
		}
		ps, seq = append(ps, w), max(seq, int64(w.RosterSequenceNumber))
	}
	return ps, seq, delta, nil
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
