package graph

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// decodeCall reads a change of a call. resourceData may be absent, and a
// deleted call may have neither state nor result (after a rejection).
func decodeCall(w wireNotification, p place, a Arrival) (Notification, error) {
	var c wireCall
	if len(w.ResourceData) > 0 {
		if err := json.Unmarshal(w.ResourceData, &c); err != nil {
			return Notification{}, refuse(ReasonBadShape, "resourceData is not a call")
		}
	}
	n, err := callOf(c, p)
	if err != nil {
		return Notification{}, err
	}
	if n.Tenant, err = tenantID(c.TenantID); err != nil {
		return Notification{}, err
	}
	n.Scenario = canonicalID(c.CallChainID)
	n.Unknown += strangers(w.ResourceData, callMembers()...)
	state, change := strings.ToLower(c.State), strings.ToLower(w.ChangeType)
	switch {
	case change == "deleted", state == "terminated":
		n.Events = []recorder.Event{ended(c.ResultInfo)}
	case state == "incoming" && (change == "created" || change == ""):
		n.Kind = Invite
		n.Invite = inviteOf(c, n, a)
		n.Invite.Raw = scrub(w.ResourceData)
		describe(n.Invite, n.Invite.Raw)
	case state == "established":
		n.Events = []recorder.Event{recorder.Established{}}
	case !knownState(state):
		n.Unknown++
	}
	return n, nil
}

// callOf names the call a notification is about. Path and data must agree.
func callOf(c wireCall, p place) (Notification, error) {
	id := p.call
	if id == "" {
		id = c.ID
	}
	if id == "" && c.ODataID != "" {
		inner, err := parsePlace(c.ODataID)
		if err != nil {
			return Notification{}, err
		}
		id = inner.call
	}
	n, err := about(Call, id)
	if err != nil {
		return Notification{}, err
	}
	if c.ID != "" {
		if own, err := callID(c.ID); err != nil || own != n.Call {
			return Notification{}, refuse(ReasonBadShape, "the resource and resourceData.id name different calls")
		}
		n.PlatformCall = c.ID
	}
	return n, nil
}

// callMembers are the members of a call that a page names or that were seen,
// those included that we have no use for.
func callMembers() []string {
	return []string{
		"id", "state", "direction", "subject", "callbackUri", "source", "targets", "requestedModalities", "activeModalities",
		"ringingTimeoutInSeconds", "mediaConfig", "mediaState", "chatInfo", "meetingInfo", "callOptions", "callRoutes",
		"transcription", "tenantId", "myParticipantId", "callChainId", "incomingContext", "resultInfo", "toneInfo", "answeredBy",
		"terminationReason", "routingPolicies", "participants", "audioRoutingGroups", "contentSharingSessions", "operations",
		"applicationMetadata", "mediaHostedRegion", "meetingCapability", "meetingProperties", "MeetingUrl",
	}
}

// strangers counts the members of an object that are not known.
func strangers(raw json.RawMessage, known ...string) int {
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		return 0
	}
	n := 0
	for name := range members {
		if !strings.Contains(name, "@") && !slices.Contains(known, name) {
			n++
		}
	}
	return n
}

func knownState(state string) bool {
	switch state {
	case "", "incoming", "establishing", "ringing", "established", "hold", "transferring", "transferaccepted",
		"redirecting", "terminating", "terminated":
		return true
	}
	return false
}

func ended(r *wireResult) recorder.CallEnded {
	if r == nil {
		return recorder.CallEnded{}
	}
	return recorder.CallEnded{Code: int(r.Code), Subcode: int(r.Subcode), Message: shorten(r.Message)}
}

func inviteOf(c wireCall, n Notification, a Arrival) *recorder.Invite {
	inv := &recorder.Invite{
		Call: recorder.CallRef{ID: n.Call, Platform: n.PlatformCall, Tenant: n.Tenant, Scenario: scenarioOf(n.Scenario, a.Chain)},
		At:   a.At, CallChain: n.Scenario, MyParticipant: canonicalID(c.MyParticipantID), Region: shorten(c.MediaHostedRegion),
	}
	if c.IncomingContext != nil {
		inv.ObservedParticipant = canonicalID(c.IncomingContext.ObservedParticipantID)
	}
	if c.ChatInfo != nil {
		inv.ThreadID = shorten(c.ChatInfo.ThreadID)
	}
	if c.Source != nil {
		if u := c.Source.Identity["user"]; u != nil {
			inv.ObservedUser = canonicalID(u.ID[strings.LastIndexByte(u.ID, ':')+1:])
		}
	}
	for _, t := range c.Targets {
		if a := t.Identity["applicationInstance"]; a != nil && inv.ApplicationInstance == "" {
			inv.ApplicationInstance = canonicalID(a.ID)
		}
	}
	if c.ApplicationMetadata != nil && c.ApplicationMetadata.BotData != nil {
		b := c.ApplicationMetadata.BotData
		inv.Call.Scenario = scenarioOf(inv.Call.Scenario, b.CallID)
		inv.Policy = shorten(b.PolicyIdentifier)
		inv.Direction = shorten(strings.ToLower(b.User.ParticipationMethod))
		if b.MediaHostedRegion != "" {
			inv.Region = shorten(b.MediaHostedRegion)
		}
		if inv.ObservedUser == "" {
			inv.ObservedUser = canonicalID(b.User.PolicyHolderID[strings.LastIndexByte(b.User.PolicyHolderID, ':')+1:])
		}
	}
	return inv
}

// scenarioOf returns the first of the names under which Microsoft may know a
// conversation that fits into a header, or none.
func scenarioOf(names ...string) string {
	for _, name := range names {
		if id, err := callID(name); err == nil {
			return string(id)
		}
	}
	return ""
}

// decodeJoining reads a participantJoiningNotification or …LeftNotification.
// Their envelope is undocumented; the call may be given whole or by its path.
func decodeJoining(raw json.RawMessage, p place, a Arrival) (Notification, error) {
	var j wireJoining
	var c wireCall
	if err := json.Unmarshal(raw, &j); err != nil {
		return Notification{}, refuse(ReasonBadShape, "not a participant notification")
	}
	if len(j.Call) > 0 {
		if err := json.Unmarshal(j.Call, &c); err != nil {
			return Notification{}, refuse(ReasonBadShape, "call is not a call")
		}
	}
	n, err := callOf(c, p)
	if err != nil {
		return Notification{}, err
	}
	n.Kind = ParticipantJoining
	if typeName(j.Type) == "participantleftnotification" {
		n.Kind = ParticipantLeft
	}
	if n.Tenant, err = tenantID(c.TenantID); err != nil {
		return Notification{}, err
	}
	n.Scenario, n.Raw, n.Change = canonicalID(c.CallChainID), scrub(raw), "created"
	if n.Kind == ParticipantLeft && j.ParticipantID != "" {
		n.Roster = &recorder.Roster{Delta: true, At: a.At, Participants: []recorder.Participant{{ID: canonicalID(j.ParticipantID), Removed: true}}}
	}
	if c.State != "" && n.Kind == ParticipantJoining {
		n.Invite = inviteOf(c, n, a)
		describe(n.Invite, scrub(j.Call))
	}
	return n, nil
}

// AcceptJoin is the HTTP body that takes on whom a participantJoiningNotification is
// about (Graph, acceptJoinResponse).
func AcceptJoin() []byte { return []byte(`{"@odata.type":"#microsoft.graph.acceptJoinResponse"}`) }

// RejectJoin is the one that turns them down, as busy: to the platform the same as the
// rejection of an invite (Graph, rejectJoinResponse).
func RejectJoin() []byte {
	return []byte(`{"@odata.type":"#microsoft.graph.rejectJoinResponse","reason":"busy"}`)
}

// InviteNewBot is the one that has the platform send an invite for them to a webhook, and
// so to a call of their own (Graph, inviteNewBotResponse).
func InviteNewBot(webhook string) []byte {
	uri, err := json.Marshal(webhook)
	if err != nil { // a string always marshals
		return RejectJoin()
	}
	return append(append([]byte(`{"@odata.type":"#microsoft.graph.inviteNewBotResponse","inviteUri":`), uri...), '}')
}

// shorten bounds words of the platform that go into logs and journals.
func shorten(s string) string {
	const most = 300
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "")
	}
	return s
}
