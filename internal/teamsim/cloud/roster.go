package cloud

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
)

// firstRoster is the observed user, whom the spec names or one other, and the
// bot.
func (c *Call) firstRoster(r *rand.Rand) []Participant {
	observed := Participant{Name: "Observed User", SourceID: 100 + r.Uint32N(1000)}
	other := Participant{ID: c.ids.other, User: c.ids.otherUser, Name: "Other User", SourceID: 2000 + r.Uint32N(1000)}
	for i, p := range []*Participant{&observed, &other} {
		orDefault(&c.spec.Sources[i], p.SourceID)
		p.SourceID = c.spec.Sources[i]
	}
	if c.spec.Observed != nil {
		observed = *c.spec.Observed
	}
	observed.ID, observed.User = c.ids.observed, c.ids.observedUser
	if c.spec.Participants != nil {
		return append([]Participant{observed}, c.spec.Participants...)
	}
	return []Participant{observed, other}
}

// roster is all participants, the bot among them.
func (c *Call) roster() []any {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.participantList()
}

// participantList needs mu.
func (c *Call) participantList() []any {
	list := make([]any, 0, len(c.participants)+1)
	for _, p := range c.participants {
		list = append(list, c.participant(p))
	}
	return append(list, c.bots()...)
}

// bots are those in the roster: of a pair both. mu must be held.
func (c *Call) bots() []any {
	all := []any{c.bot(c.ids.myParticipant)}
	if c.ids.paired != "" {
		all = append(all, c.bot(c.ids.paired))
	}
	return all
}

// bot is one in the roster. What the other of a pair has announced is not told: which
// status of two the platform shows is published nowhere. mu must be held.
func (c *Call) bot(participant string) map[string]any {
	status := c.status
	if participant != c.ids.myParticipant {
		status = "unknown"
	}
	return map[string]any{
		"@odata.type": "#microsoft.graph.participant",
		"id":          participant,
		"info": map[string]any{
			"@odata.type": "#microsoft.graph.participantInfo",
			"identity": map[string]any{
				"@odata.type": "#microsoft.graph.identitySet",
				"application": map[string]any{"@odata.type": "#microsoft.graph.identity", "id": c.cloud.opts.AppID, "displayName": nil},
				"user":        nil, "device": nil, "phone": nil,
			},
		},
		"mediaStreams":  []any{},
		"isMuted":       false,
		"isInLobby":     false,
		"metadata":      nil,
		"recordingInfo": map[string]any{"initiator": nil, "recordingStatus": c.style.enum(status)},
	}
}

func (c *Call) participant(p Participant) map[string]any {
	d := map[string]any{
		"@odata.type":  "#microsoft.graph.participant",
		"id":           p.ID,
		"info":         map[string]any{"@odata.type": "#microsoft.graph.participantInfo", "identity": c.identity(p), "region": "amer", "languageId": "en-US"},
		"mediaStreams": c.streams(p),
		"isMuted":      p.Muted || p.ServerMuted, // by the client or the server, as documented
		"isInLobby":    p.InLobby,
	}
	if c.style.Numbered {
		d["rosterSequenceNumber"] = c.changed[p.ID]
	}
	if p.Removed {
		d["removedState"] = map[string]any{"@odata.type": "#microsoft.graph.removedState", "reason": "removed"}
	}
	return d
}

// identity is the identity set of a participant: one member says who it is.
func (c *Call) identity(p Participant) map[string]any {
	one := func(id, name string) map[string]any {
		m := map[string]any{"@odata.type": "#microsoft.graph.identity", "id": id}
		if name != "" {
			m["displayName"] = name
		}
		return m
	}
	set := map[string]any{"@odata.type": "#microsoft.graph.identitySet"}
	switch {
	case p.Phone != "":
		set["phone"] = one(p.Phone, "")
	case p.Guest != "":
		set["guest"] = one(p.Guest, p.Name)
	case p.Application != "":
		set["application"] = one(p.Application, p.Name)
	default:
		user := one(p.User, "")
		user["displayName"], user["tenantId"], user["identityProvider"] = p.Name, c.spec.Tenant, "AAD"
		set["user"] = user
	}
	if c.style.Extras {
		set["simulatedIdentity"] = map[string]any{"id": "unknown kind"}
	}
	return set
}

// streams are main-audio and what else a participant has.
func (c *Call) streams(p Participant) []any {
	all := p.Streams
	if p.SourceID != 0 {
		audio := Stream{Type: "audio", Label: "main-audio", SourceID: p.SourceID, Direction: "sendReceive"}
		if p.Inactive {
			audio.Direction = "inactive"
		}
		all = append([]Stream{audio}, all...)
	}
	out := make([]any, 0, len(all))
	for _, s := range all {
		m := map[string]any{
			"@odata.type": "#microsoft.graph.mediaStream", "mediaType": c.style.enum(s.Type), "label": s.Label,
			"sourceId": strconv.FormatUint(uint64(s.SourceID), 10), "direction": c.style.enum(s.Direction),
			"serverMuted": p.ServerMuted && s.Type == "audio",
		}
		if s.Label == "" {
			m["label"] = nil
		}
		out = append(out, m)
	}
	return out
}

// rosterData is the full array; or a delta, where the bot asked for it or the style
// wants it: who is new or other than in the roster before, and those who are no longer
// there. mu must be held.
func (c *Call) rosterData() any {
	before := c.told
	c.told = slices.Clone(c.participants)
	c.sequence++
	same := func(p Participant) bool {
		return slices.ContainsFunc(before, func(q Participant) bool { return reflect.DeepEqual(p, q) })
	}
	var news []any
	for _, p := range c.participants {
		if !same(p) {
			c.changed[p.ID] = c.sequence
			news = append(news, c.participant(p))
		}
	}
	if !c.answer.delta && !c.style.Delta {
		return c.participantList()
	}
	for _, p := range before {
		if !slices.ContainsFunc(c.participants, func(q Participant) bool { return p.ID == q.ID }) {
			p.Removed = true
			c.changed[p.ID] = c.sequence
			news = append(news, c.participant(p))
		}
	}
	if c.sequence == 1 {
		news = append(news, c.bots()...)
	}
	if news == nil {
		news = []any{}
	}
	delta := map[string]any{
		"@odata.type": "#microsoft.graph.deltaParticipants", "sequenceNumber": c.sequence, "participants": news,
	}
	if c.style.DeltaList {
		return []any{delta}
	}
	return delta
}
