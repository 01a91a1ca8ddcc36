package graph

import (
	"strings"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// roster reads participants. A list at …/participants is the whole roster;
// deltaParticipants, a single participant, and everything at
// …/participants/{id} are changes, which take nobody out of the roster that
// they don't name.
func (d *decoder) roster(where place, data *node) {
	r := &recorder.Roster{At: d.at, Delta: where.id != "" || data.isObject()}
	switch {
	case data == nil && where.id != "" && d.n.Change == "deleted":
		gone := &node{typ: typeString, text: where.id}
		r.Participants = []recorder.Participant{{ID: id(gone), Removed: true}}
	case data == nil:
		d.n.Unknown++
		return
	}
	for _, v := range data.list() {
		if strings.EqualFold(v.odataType(), typeDelta) {
			d.delta(r, v)
			continue
		}
		if p, ok := d.participant(v); ok {
			p.Removed = p.Removed || r.Delta && d.n.Change == "deleted"
			r.Participants = append(r.Participants, p)
		}
	}
	d.n.Roster = r
}

// delta reads a deltaParticipants. Several in one notification are applied in
// their order; the highest number is that of the result.
func (d *decoder) delta(r *recorder.Roster, v *node) {
	d.members(v, "sequenceNumber", "participants")
	r.Delta = true
	r.Sequence = max(r.Sequence, d.integer(v.get("sequenceNumber"), 64))
	for _, p := range v.get("participants").list() {
		if p, ok := d.participant(p); ok {
			r.Participants = append(r.Participants, p)
		}
	}
}

// participant reads one participant. Without an ID it is nobody: such a
// fragment is counted and left out.
func (d *decoder) participant(v *node) (recorder.Participant, bool) {
	p := recorder.Participant{ID: id(v.get("id"))}
	if p.ID == "" {
		d.n.Unknown++
		return p, false
	}
	d.members(v, "id", "info", "isInLobby", "isMuted", "mediaStreams", "metadata", "recordingInfo", "removedState",
		"restrictedExperience", "rosterSequenceNumber", "isIdentityAnonymized", "preferredDisplayName")
	p.Muted, p.InLobby = v.get("isMuted").bool(), v.get("isInLobby").bool()
	if removed := v.get("removedState"); removed != nil {
		p.Removed, p.Reason = true, text(removed.get("reason"), 128)
	}
	d.identity(&p, v.find("info", "identity"))
	for _, s := range v.get("mediaStreams").list() {
		if s, ok := d.stream(s); ok {
			p.Streams = append(p.Streams, s)
		}
	}
	return p, true
}

// identity says who a participant is. An identity set has several members, of
// which one is filled; users come first, because a user in a room counts as
// the user.
func (d *decoder) identity(p *recorder.Participant, set *node) {
	for _, kind := range []string{"user", "guest", "phone", "applicationInstance", "application", "device"} {
		if who := set.get(kind); who.isObject() {
			p.Kind, p.Identity, p.Name, p.Tenant = kind, id(who.get("id")), text(who.get("displayName"), 256), id(who.get("tenantId"))
			return
		}
	}
	if set == nil {
		return
	}
	p.Kind = "unknown"
	for _, m := range set.members {
		if m.value.isObject() {
			d.n.Unknown++
			p.Identity, p.Name, p.Tenant = id(m.value.get("id")), text(m.value.get("displayName"), 256), id(m.value.get("tenantId"))
			return
		}
	}
}

// stream reads one media stream. Its source ID is a number in a string; where
// that can't be read no frame could ever be matched with it.
func (d *decoder) stream(v *node) (recorder.MediaStream, bool) {
	d.members(v, "sourceId", "mediaType", "direction", "label", "serverMuted")
	source, ok := v.get("sourceId").int(64)
	if !ok || source < 0 || source > 1<<32-1 {
		d.n.Unknown++
		return recorder.MediaStream{}, false
	}
	s := recorder.MediaStream{
		SourceID: uint32(source), Label: text(v.get("label"), 64), ServerMuted: v.get("serverMuted").bool(),
		Type:      d.word(v.get("mediaType"), "unknown", "audio", "video", "videoBasedScreenSharing", "data"),
		Direction: d.word(v.get("direction"), "inactive", "sendOnly", "receiveOnly", "sendReceive"),
	}
	if s.Type == other || s.Type == "" {
		s.Type = "unknown"
	}
	if s.Direction == other {
		s.Direction = ""
	}
	return s, true
}
