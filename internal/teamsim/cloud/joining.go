package cloud

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/recorderbot/recorderbot/internal/teamsim/trace"
)

// A JoinReply is what the bot's HTTP reply to a participantJoiningNotification
// said.
type JoinReply struct {
	Accepted  bool   `json:"accepted,omitempty"`
	Reason    string `json:"reason,omitempty"`    // of a rejection: None, Busy, Forbidden
	InviteURI string `json:"inviteURI,omitempty"` // where another bot is asked to be invited
}

// Join tells the bot that a further participant under the same policy is about
// to join, and returns its reply. The service may send it again after the bot
// accepted. The participant enters the roster when accepted; the roster is not
// sent.
//
// How the notification is wrapped, and with which HTTP status the reply comes,
// is published nowhere; both wrappings exist, and 200 is demanded.
func (c *Call) Join(p Participant) (JoinReply, error) {
	c.mu.Lock()
	capacity, answered := c.answer.capacity, c.phase == phaseAnswered || c.phase == phaseEstablished
	failed := c.hasFailed()
	c.mu.Unlock()
	if !answered || capacity < 2 {
		return JoinReply{}, errors.New("join: the bot did not ask for grouping, or the call is not answered")
	}
	joining := c.callData("")
	joining["id"] = c.ids.call
	joining["callChainId"] = c.ids.chain
	joining["tenantId"] = c.spec.Tenant
	joining["incomingContext"] = map[string]any{
		"@odata.type": "#microsoft.graph.incomingContext", "sourceParticipantId": p.ID, "observedParticipantId": p.ID,
	}
	data := map[string]any{"@odata.type": "#microsoft.graph.participantJoiningNotification", "call": joining}
	body := mustJSON(data)
	if !c.style.BareJoining {
		body = envelope([]map[string]any{c.wire(notification{of: OfJoining, change: "updated", data: data})})
	}
	authorization, err := c.cloud.authorization(c.spec.Tenant, c.style)
	if err != nil {
		return JoinReply{}, err
	}
	c.cloud.trace(trace.Event{Kind: trace.NotificationSent, Call: c.ids.call, Status: OfJoining})
	reply := c.request(c.callback(OfEstablished), authorization, body, OfJoining)
	c.cloud.trace(trace.Event{Kind: trace.NotificationReplied, Call: c.ids.call, Status: OfJoining, HTTP: reply.status, Detail: reply.fault})
	r, err := decodeJoin(reply.status, reply.body)
	if err != nil {
		c.cloud.violate(c.ids.call, "reply to participantJoining: "+err.Error())
		return JoinReply{}, fmt.Errorf("join: %w", err)
	}
	c.joined(p, r, failed)
	return r, nil
}

// joined takes note of a reply, and of whom it takes on. failed: that the recording had
// was known before the bot was asked.
func (c *Call) joined(p Participant, r JoinReply, failed bool) {
	if r.Accepted && failed {
		c.cloud.violate(c.ids.call, "a participant was taken on by a call whose recording has failed")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.Accepted && !slices.ContainsFunc(c.participants, func(q Participant) bool { return q.ID == p.ID }) {
		c.participants = append(c.participants, p)
	}
	c.facts.Joins = append(c.facts.Joins, r)
}

// hasFailed tells whether failed is what was announced last. Under mu.
func (c *Call) hasFailed() bool {
	status := ""
	for _, a := range c.facts.Announcements {
		if !a.Applied.IsZero() {
			status = a.Status
		}
	}
	return status == statusFailed
}

// decodeJoin reads the reply as documented.
func decodeJoin(status int, body []byte) (JoinReply, error) {
	if status != http.StatusOK {
		return JoinReply{}, fmt.Errorf("http %d, not 200", status)
	}
	members, err := object(body, "@odata.type", "reason", "inviteUri")
	if err != nil {
		return JoinReply{}, err
	}
	var kind string
	if err := member(members, "@odata.type", &kind); err != nil {
		return JoinReply{}, err
	}
	text := func(name string) (string, error) {
		var s string
		err := json.Unmarshal(members[name], &s)
		return s, err
	}
	switch kind {
	case "#microsoft.graph.acceptJoinResponse":
		if len(members) != 1 {
			return JoinReply{}, errors.New("acceptJoinResponse has no members")
		}
		return JoinReply{Accepted: true}, nil
	case "#microsoft.graph.rejectJoinResponse":
		reason, err := text("reason")
		return JoinReply{Reason: reason}, err
	case "#microsoft.graph.inviteNewBotResponse":
		uri, err := text("inviteUri")
		return JoinReply{InviteURI: uri}, err
	}
	return JoinReply{}, fmt.Errorf("@odata.type %q is not a join response", kind)
}

// Leave tells the bot that a participant whom it manages has left.
func (c *Call) Leave(participant string) {
	c.mu.Lock()
	c.participants = slices.DeleteFunc(c.participants, func(p Participant) bool { return p.ID == participant })
	c.mu.Unlock()
	data := map[string]any{
		"@odata.type": "#microsoft.graph.participantLeftNotification", "call": c.callData(""), "participantId": participant,
	}
	c.emit(notification{of: OfLeft, change: "updated", data: data})
}

// Attack sends an invite of a call that does not exist with a forged token, and
// returns the bot's HTTP status. Anything but 401 is a violation.
func (c *Cloud) Attack(kind Forgery) (int, error) {
	spec := CallSpec{}
	if err := spec.complete(c); err != nil {
		return 0, err
	}
	call := newCall(c, spec)
	authorization, err := c.Forge(kind, spec.Tenant)
	if err != nil {
		return 0, err
	}
	n := notification{of: OfInvite, change: "created", data: call.inviteData()}
	status := call.request(*c.webhook.Load(), authorization, envelope([]map[string]any{call.wire(n)}), OfInvite).status
	c.trace(trace.Event{Kind: trace.FaultInjected, HTTP: status, Detail: "forged invite: " + string(kind)})
	if status != http.StatusUnauthorized {
		c.violate("", fmt.Sprintf("an invite with a forged token (%s) got %d, not 401", kind, status))
	}
	return status, nil
}
