package graph

import (
	"fmt"
	"strings"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// calls decodes a notification of a call's state, or an invite.
func (d *decoder) calls(where place, data *node) error {
	d.n.Kind = Call
	entities := data.list()
	for _, call := range entities {
		if !call.isObject() {
			return refuse(ReasonEntry, "the resource data of a call is not an object")
		}
		d.knownCall(call)
		if err := d.identify(where, call); err != nil {
			return err
		}
		d.callState(call)
	}
	if len(entities) > 0 {
		return nil
	}
	if err := d.nameCall(where.call); err != nil {
		return err
	}
	if d.n.Change == "deleted" { // no data is no doubt: the call is gone
		d.n.Events = append(d.n.Events, recorder.CallEnded{})
		return nil
	}
	d.n.Unknown++
	return nil
}

// identify finds out which call the entity is, and whose. All that names the
// call must agree: one notification must not reach two calls.
func (d *decoder) identify(where place, call *node) error {
	name := where.call
	for _, also := range []string{call.get("id").str(), splitPath(call.get("@odata.id").str()).call} {
		if also == "" {
			continue
		}
		if name == "" {
			name = also
			continue
		}
		a, err := callID(name)
		if err != nil {
			return err
		}
		b, err := callID(also)
		if err != nil {
			return err
		}
		if a != b {
			return refuse(ReasonCallMismatch, "the resource path and the resource data name different calls")
		}
	}
	if err := d.nameCall(name); err != nil {
		return err
	}
	return d.nameTenant(call)
}

// nameTenant sets the tenant. It becomes part of the token authority's URL and
// is compared with the caller's, so that nothing but a GUID is one.
func (d *decoder) nameTenant(call *node) error {
	v := call.get("tenantId")
	if v == nil {
		return nil
	}
	t, ok := guid(v.str())
	if !ok {
		return refuse(ReasonTenant, "tenantId %s is not a GUID", quote(v.str()))
	}
	if d.n.Tenant != "" && d.n.Tenant != t {
		return refuse(ReasonTenant, "the resource data names two tenants")
	}
	d.n.Tenant = t
	return nil
}

// knownCall counts what we don't know about a call. Members that we know of
// and have no use for are listed too.
func (d *decoder) knownCall(call *node) {
	d.members(call, "id", "state", "direction", "subject", "callbackUri", "source", "targets", "requestedModalities",
		"activeModalities", "ringingTimeoutInSeconds", "mediaConfig", "mediaState", "chatInfo", "meetingInfo", "callOptions",
		"callRoutes", "transcription", "tenantId", "myParticipantId", "callChainId", "incomingContext", "resultInfo", "toneInfo",
		"answeredBy", "terminationReason", "routingPolicies", "participants", "audioRoutingGroups", "contentSharingSessions",
		"operations", "applicationMetadata", "mediaHostedRegion", "meetingCapability", "meetingProperties")
}

// callState turns an entity into an invite or into events.
func (d *decoder) callState(call *node) {
	state := d.word(call.get("state"), "incoming", "establishing", "ringing", "established", "hold", "transferring",
		"transferAccepted", "redirecting", "terminating", "terminated")
	switch {
	case d.n.Change == "deleted" || state == "terminated": // whatever else it says
		d.n.Events = append(d.n.Events, d.callEnded(call.get("resultInfo")))
	case d.n.Change == "created" && (state == "incoming" || state == ""):
		d.n.Kind = Invite
		d.n.Invite = d.invite(call)
	case state == "established":
		d.n.Events = append(d.n.Events, recorder.Established{})
	}
}

func (d *decoder) callEnded(result *node) recorder.CallEnded {
	d.members(result, "code", "subcode", "message")
	return recorder.CallEnded{
		Code: int(d.integer(result.get("code"), 32)), Subcode: int(d.integer(result.get("subcode"), 32)),
		Message: text(result.get("message"), 256),
	}
}

// invite reads an incoming call. What is missing stays empty: a call without
// an observed participant is an invite too, and is rejected by the recorder.
func (d *decoder) invite(call *node) *recorder.Invite {
	bot := call.find("applicationMetadata", "botData")
	d.members(bot, "callId", "mediaHostedRegion", "user", "otherSideUser", "inviteReasons", "policyIdentifier",
		"pairedRecorders", "otherRecorders", "isMultiParty", "applicationType")
	context := call.get("incomingContext")
	d.members(context, "observedParticipantId", "sourceParticipantId", "onBehalfOf", "transferor")
	user := id(call.find("source", "identity", "user", "id"))
	if user == "" {
		user = id(bot.find("user", "policyHolderId"))
	}
	region := text(bot.get("mediaHostedRegion"), 64)
	if region == "" {
		region = text(call.get("mediaHostedRegion"), 64)
	}
	direction := d.word(bot.find("user", "participationMethod"), "caller", "callee")
	if direction == other {
		direction = ""
	}
	d.n.Scenario = id(call.get("callChainId"))
	return &recorder.Invite{
		Call: recorder.CallRef{
			ID: d.n.Call, Platform: d.n.PlatformCall, Tenant: d.n.Tenant, Scenario: d.n.Scenario,
		},
		At: d.at, CallChain: d.n.Scenario,
		ObservedParticipant: id(context.get("observedParticipantId")), MyParticipant: id(call.get("myParticipantId")),
		ObservedUser: user, ApplicationInstance: applicationInstance(call),
		Policy: text(bot.get("policyIdentifier"), 256), Region: region,
		ThreadID: text(call.find("chatInfo", "threadId"), 256), Direction: direction, Raw: d.n.Raw,
	}
}

// applicationInstance finds the resource account that the policy names.
func applicationInstance(call *node) string {
	for _, t := range call.get("targets").list() {
		if instance := id(t.find("identity", "applicationInstance", "id")); instance != "" {
			return instance
		}
	}
	return ""
}

// joining reads a participantJoiningNotification: one more participant for a
// call that was answered with a capacity.
func (d *decoder) joining(where place, data *node) error {
	d.n.Kind = ParticipantJoining
	d.members(data, "call", "changeType", "resourceUrl", "resource")
	call := data.get("call")
	if !call.isObject() {
		return refuse(ReasonEntry, "a participantJoiningNotification without a call")
	}
	d.knownCall(call)
	if err := d.identify(where, call); err != nil {
		return err
	}
	d.n.Invite = d.invite(call)
	return nil
}

// left reads a participantLeftNotification.
func (d *decoder) left(where place, data *node) error {
	d.n.Kind = ParticipantLeft
	d.members(data, "call", "participantId", "changeType", "resourceUrl", "resource")
	if err := d.identify(where, data.get("call")); err != nil {
		return err
	}
	who := id(data.get("participantId"))
	if who == "" {
		d.n.Unknown++
		return nil
	}
	d.n.Roster = &recorder.Roster{Delta: true, At: d.at, Participants: []recorder.Participant{{ID: who, Removed: true}}}
	return nil
}

// operation reads how far a request of ours has come. Only announcements
// matter; they are told from others by their type and, where that is missing,
// by the client context, which the recorder compares with its own.
func (d *decoder) operation(where place, data *node) {
	t := strings.ToLower(data.odataType())
	if !data.isObject() || t != "" && t != typeStatusUpdate {
		d.n.Unknown++
		return
	}
	op, ok := d.statusOperation(data)
	if op.ID == "" {
		op.ID = recorder.OperationID(text(&node{typ: typeString, text: where.id}, 128))
	}
	if !ok || op.Context == "" {
		return
	}
	op.At, op.Receipt = d.at, recorder.Receipt{RepliedAt: d.at}
	d.n.Events = append(d.n.Events, recorder.StatusReplied{Operation: op})
}

// statusOperation reads an updateRecordingStatusOperation, from a notification
// or from a reply. ok is false where its status has no meaning for us: then it
// says neither yes nor no. A status that is missing or null means that the
// outcome follows (Graph, "commsOperation").
func (d *decoder) statusOperation(data *node) (op recorder.Operation, ok bool) {
	d.members(data, "id", "clientContext", "status", "resultInfo")
	op.ID = recorder.OperationID(id(data.get("id")))
	op.Context = data.get("clientContext").str()
	if len(op.Context) > maxContext {
		d.n.Unknown++
		return op, false
	}
	op.Reason = reason(d, data.get("resultInfo"))
	switch d.word(data.get("status"), "notStarted", "running", "completed", "failed") {
	case "completed":
		op.Progress = recorder.Completed
	case "failed":
		op.Progress = recorder.Failed
	case "notStarted", "running", "":
		op.Progress = recorder.Running
	default:
		return op, false
	}
	return op, true
}

// maxContext is how long a clientContext may be (Graph, "call:
// updateRecordingStatus").
const maxContext = 256

func reason(d *decoder, result *node) string {
	if !result.isObject() {
		return ""
	}
	r := d.callEnded(result)
	return strings.TrimSpace(fmt.Sprintf("%d/%d %s", r.Code, r.Subcode, r.Message))
}
