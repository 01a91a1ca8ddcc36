package cloud

import "strconv"

// A notification is one member of an envelope's value.
type notification struct {
	of     string // as Delivery.Of
	change string // created, updated, deleted
	suffix string // of the resource, behind the call's ID
	data   any    // resourceData; nil: absent
	// operation and progress are set on OfOperation.
	operation *operation
	progress  string
}

// wire writes a notification in the call's style.
func (c *Call) wire(n notification) map[string]any {
	id := c.style.callID(c.ids.call)
	w := map[string]any{
		"@odata.type": "#microsoft.graph.commsNotification",
		"changeType":  c.style.enum(n.change),
		"resourceUrl": "/communications/calls/" + id + n.suffix,
	}
	if c.style.Twin {
		w["resource"] = "/app/calls/" + id + n.suffix
	}
	if n.data != nil {
		w["resourceData"] = n.data
	}
	return w
}

func envelope(values []map[string]any) []byte {
	return mustJSON(map[string]any{"@odata.type": "#microsoft.graph.commsNotifications", "value": values})
}

// callData is a call as resourceData, with a state unless that is empty.
func (c *Call) callData(state string) map[string]any {
	d := map[string]any{"@odata.type": "#microsoft.graph.call"}
	if state != "" {
		d["state"] = c.style.enum(state)
	}
	if c.style.Annotations {
		d["@odata.id"] = "/communications/calls/" + c.style.callID(c.ids.call)
		d["@odata.etag"] = `W/"5445"`
	}
	if c.style.Extras {
		d["mediaHostedRegion"] = c.spec.Region
		d["simulatedMember"] = map[string]any{"nobody": "has seen this"}
	}
	return d
}

// inviteData is the incoming call, as example 3 of the documentation of answer
// or, in the wire style, as in real logs.
func (c *Call) inviteData() map[string]any {
	d := c.callData("incoming")
	d["direction"] = c.style.enum("incoming")
	d["source"] = c.source()
	d["targets"] = []any{c.target()}
	d["tenantId"] = c.spec.Tenant
	d["myParticipantId"] = c.ids.myParticipant
	d["id"] = c.ids.call
	if c.spec.Kind == KindOrdinary {
		d["requestedModalities"] = []string{"audio"}
		return d
	}
	d["callChainId"] = c.ids.chain
	d["meetingInfo"] = map[string]any{"@odata.type": "#microsoft.graph.tokenMeetingInfo", "token": c.ids.requestToken}
	d["incomingContext"] = c.incomingContext()
	d["applicationMetadata"] = map[string]any{"botData": c.botData()}
	if c.style.Wire || c.spec.Thread != "" {
		d["chatInfo"] = map[string]any{"@odata.type": "#microsoft.graph.chatInfo", "threadId": c.ids.thread, "messageId": "0"}
	}
	if c.style.Wire {
		d["callbackUri"] = c.webhook()
	}
	if c.style.Extras {
		d["meetingCapability"] = map[string]any{"allowAnonymousUsersToDialOut": false}
	}
	return d
}

func (c *Call) incomingContext() map[string]any {
	in := map[string]any{
		"@odata.type":           "#microsoft.graph.incomingContext",
		"sourceParticipantId":   c.ids.observed,
		"observedParticipantId": c.ids.observed,
	}
	if c.ids.transferor != "" {
		in["transferor"] = map[string]any{
			"@odata.type": "#microsoft.graph.identitySet",
			"user": map[string]any{
				"@odata.type": "#microsoft.graph.identity", "id": c.ids.transferor, "displayName": "Transferring User", "tenantId": c.spec.Tenant,
			},
		}
	}
	return in
}

// pairedRecorders are the other bots of the pair: none where the bot is alone.
func (c *Call) pairedRecorders() []any {
	if c.ids.paired == "" {
		return []any{}
	}
	return []any{map[string]any{"id": c.ids.instance, "participantId": c.ids.paired}}
}

func (c *Call) source() map[string]any {
	user := map[string]any{"@odata.type": "#microsoft.graph.identity", "id": c.ids.observedUser, "identityProvider": "AAD"}
	if c.style.Wire {
		user["displayName"] = "Observed User"
		user["tenantId"] = c.spec.Tenant
	}
	return map[string]any{
		"@odata.type":  "#microsoft.graph.participantInfo",
		"id":           c.ids.observed,
		"identity":     map[string]any{"@odata.type": "#microsoft.graph.identitySet", "user": user},
		"endpointType": c.style.enum("default"),
		"region":       "amer",
	}
}

func (c *Call) target() map[string]any {
	return map[string]any{
		"@odata.type": "#microsoft.graph.invitationParticipantInfo",
		"identity": map[string]any{
			"@odata.type": "#microsoft.graph.identitySet",
			"applicationInstance": map[string]any{
				"@odata.type": "#microsoft.graph.identity", "id": c.ids.instance, "identityProvider": "AAD",
			},
		},
		"endpointType": c.style.enum("default"),
		"id":           c.ids.myParticipant,
		"region":       nil,
		"languageId":   nil,
	}
}

// botData is documented by one example only; real payloads differ.
func (c *Call) botData() map[string]any {
	if !c.style.Wire {
		return map[string]any{
			"mediaHostedRegion": c.spec.Region,
			"user":              map[string]any{"participationMethod": "callee", "clientLocation": "US"},
			"otherSideUser": map[string]any{
				"id": c.ids.otherUser, "participantId": c.ids.other, "tenantId": c.spec.Tenant,
				"onBehalfOf": map[string]any{"id": c.ids.otherUser}, "participationMethod": "caller", "clientLocation": "EUNO",
			},
			"inviteReasons":    []string{"PolicyBasedRecording"},
			"policyIdentifier": "Test Policy",
			"pairedRecorders":  c.pairedRecorders(),
			"otherRecorders":   []any{},
		}
	}
	return map[string]any{
		"callId":            c.ids.chain,
		"mediaHostedRegion": c.spec.Region,
		"user": map[string]any{
			"participationMethod": "Callee", "policyHolderId": "8:orgid:" + c.ids.observedUser, "policyHolderTenantId": c.spec.Tenant,
		},
		"otherSideUser": map[string]any{
			"id": "8:orgid:" + c.ids.otherUser, "participantId": c.ids.other, "tenantId": c.spec.Tenant, "participationMethod": "Caller",
		},
		"inviteReasons":    []string{"ComplianceRecording"},
		"policyIdentifier": "TeamsComplianceRecordingPolicy=Tenant:simulated",
		"otherRecorders":   []any{},
		"pairedRecorders":  c.pairedRecorders(),
		"isMultiParty":     false,
		"applicationType":  nil,
	}
}

// endData is the deleted notification's call.
func (c *Call) endData(e Ending) map[string]any {
	state := "terminated"
	if c.style.Ending == EndingStateless || c.style.Ending == EndingBare {
		state = ""
	}
	d := c.callData(state)
	if e == (Ending{}) || c.style.Ending == EndingNoResult || c.style.Ending == EndingBare {
		if c.style.NullResult {
			d["resultInfo"] = nil
		}
		return d
	}
	result := map[string]any{"@odata.type": "#microsoft.graph.resultInfo", "code": e.Code, "subcode": e.Subcode, "message": e.Message}
	if c.style.StringCodes {
		result["code"], result["subcode"] = strconv.Itoa(e.Code), strconv.Itoa(e.Subcode)
	}
	d["resultInfo"] = result
	if c.style.Extras {
		d["terminationReason"] = "CallTerminated"
	}
	return d
}

// resource is the call as GET returns it, after fixtures/resp_200_get_call.
func (c *Call) resource() map[string]any {
	c.mu.Lock()
	defer c.mu.Unlock()
	state := "established"
	switch c.phase {
	case phaseIncoming:
		state = "incoming"
	case phaseAnswered:
		state = "establishing"
	case phaseEstablished:
	case phaseEnded:
		state = "terminated"
	}
	d := c.inviteData()
	d["state"] = state
	d["direction"] = "incoming"
	d["@odata.context"] = c.cloud.Root() + "/v1.0/$metadata#communications/calls/$entity"
	d["callbackUri"] = c.facts.CallbackURI
	for _, null := range []string{"ringingTimeoutInSeconds", "subject", "resultInfo", "answeredBy", "toneInfo"} {
		d[null] = nil
	}
	return d
}
