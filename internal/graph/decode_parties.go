package graph

import (
	"cmp"
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// describe fills in whom an invite names and all else that it says. raw is the call
// without tokens. Nothing in it can make an invite unreadable.
func describe(inv *recorder.Invite, raw json.RawMessage) {
	call := treeOf(raw)
	p := parties{}
	p.incoming(call, inv)
	p.bot(call.get("applicationMetadata").get("botData"))
	p.named(recorder.RoleSource, call.get("source"))
	for _, t := range call.get("targets").items() {
		p.named(recorder.RoleTarget, t)
	}
	p.identities(recorder.RoleOrganizer, "", call.get("meetingInfo").get("organizer"))
	m, ok := parseMeeting(call.get("MeetingUrl").text())
	if ok {
		p.add(recorder.Party{Role: recorder.RoleOrganizer, Kind: "user", ID: m.organizer, Tenant: m.tenant})
		inv.ThreadID = cmp.Or(inv.ThreadID, m.thread)
	}
	for _, r := range call.get("callRoutes").items() {
		p.identities(recorder.RoleRouteOriginal, "", r.get("original"))
		p.identities(recorder.RoleRouteFinal, "", r.get("final"))
	}
	inv.Parties = p.all
	f := facts{left: p.left}
	f.call(call)
	inv.Facts = f.done()
}

// parties gathers them, each once.
type parties struct {
	all  []recorder.Party
	left int // had no room
}

func (p *parties) add(who recorder.Party) {
	switch {
	case who.ID == "" && who.Name == "" && who.Participant == "", slices.Contains(p.all, who):
	case len(p.all) >= recorder.MostParties:
		p.left++
	default:
		p.all = append(p.all, who)
	}
}

// incoming reads incomingContext. Who the observed participant is stands elsewhere:
// the source of a policy's invite is the observed user, as the sample of Microsoft
// says, and so is the policy's holder.
func (p *parties) incoming(call tree, inv *recorder.Invite) {
	c := call.get("incomingContext")
	observed := recorder.Party{Role: recorder.RoleObserved, ID: inv.ObservedUser, Participant: inv.ObservedParticipant}
	if observed.ID != "" {
		observed.Kind = "user"
		for _, who := range identitiesOf(call.get("source").get("identity")) {
			if who.Kind == "user" && who.ID == observed.ID {
				observed.Name, observed.Tenant = who.Name, who.Tenant
			}
		}
	}
	p.add(observed)
	p.add(recorder.Party{Role: recorder.RoleTrigger, Participant: canonicalID(c.get("sourceParticipantId").text())})
	p.identities(recorder.RoleOnBehalfOf, "", c.get("onBehalfOf"))
	p.identities(recorder.RoleTransferor, "", c.get("transferor"))
}

// bot reads botData, which is documented by an example alone.
func (p *parties) bot(data tree) {
	user, other := data.get("user"), data.get("otherSideUser")
	p.raw(recorder.RolePolicyHolder, user.get("policyHolderId"), user.get("policyHolderTenantId"), tree{}, "user")
	p.raw(recorder.RoleOtherSide, other.get("id"), other.get("tenantId"), other.get("participantId"), "user")
	p.raw(recorder.RoleOtherSideOnBehalfOf, other.get("onBehalfOf").get("id"), other.get("onBehalfOf").get("tenantId"), tree{}, "user")
	for _, r := range data.get("pairedRecorders").items() {
		p.raw(recorder.RolePairedRecorder, r.get("id"), tree{}, r.get("participantId"), "unknown")
	}
	for _, r := range data.get("otherRecorders").items() {
		p.raw(recorder.RoleOtherRecorder, r.get("id"), tree{}, r.get("participantId"), "unknown")
	}
}

// raw adds someone who is given by one ID. kind is who it is where the ID does not
// say it.
func (p *parties) raw(role recorder.PartyRole, id, tenant, participant tree, kind string) {
	who := identify1(kind, id.text())
	who.Role, who.Tenant, who.Participant = role, tenantOf(tenant), canonicalID(participant.text())
	if who.ID == "" {
		who.Kind = ""
	}
	p.add(who)
}

// named adds a participantInfo.
func (p *parties) named(role recorder.PartyRole, info tree) {
	participant := cmp.Or(canonicalID(info.get("id").text()), canonicalID(info.get("participantId").text()))
	p.identities(role, participant, info.get("identity"))
}

// identities adds each identity of a set; where there is none, the participant ID.
func (p *parties) identities(role recorder.PartyRole, participant string, set tree) {
	all := identitiesOf(set)
	if len(all) == 0 {
		all = []recorder.Party{{}}
	}
	for _, who := range all {
		who.Role, who.Participant = role, participant
		p.add(who)
	}
}

// identitiesOf reads an identity set: one member for each kind of identity that is
// known of one and the same person.
func identitiesOf(set tree) (all []recorder.Party) {
	for _, name := range set.members() {
		id := set.get(name)
		if _, object := id.v.(map[string]any); !object {
			continue // null, or no identity, as @odata.type and endpointType
		}
		who := identify1(cmp.Or(canonical(name, identityKinds()...), "unknown"), id.get("id").text())
		who.Name, who.Tenant = shorten(id.get("displayName").text()), tenantOf(id.get("tenantId"))
		if who.ID != "" || who.Name != "" {
			all = append(all, who)
		}
	}
	return all
}

func tenantOf(t tree) string {
	id := canonicalID(t.text())
	if id == uuid.Nil.String() {
		return "" // so a telephone's is written
	}
	return id
}

// rawIDs are the prefixes that make an ID of the platform say itself of what kind
// it is: "8:orgid:<object ID>", "4:+15551234567" (Azure Communication Services,
// identifiers; seen in botData, comms-samples #157 and #237). Of users of that
// service the prefix is a part of the ID.
var rawIDs = [...]struct { //nolint:gochecknoglobals // constant
	prefix, kind string
	whole        bool
}{
	{"4:", "phone", false},
	{"8:orgid:", "user", false},
	{"8:gcch:", "user", false},
	{"8:dod:", "user", false},
	{"8:teamsvisitor:", "guest", false},
	{"8:acs:", "azureCommunicationServicesUser", true},
	{"8:gcch-acs:", "azureCommunicationServicesUser", true},
	{"8:dod-acs:", "azureCommunicationServicesUser", true},
	{"8:spool:", "spoolUser", true},
	{"28:orgid:", "application", false},
	{"28:gcch:", "application", false},
	{"28:dod:", "application", false},
}

// identify1 reads one ID. kind is what the ID's place says; a prefix says it better.
func identify1(kind, id string) recorder.Party {
	who := recorder.Party{Kind: kind}
	for _, r := range rawIDs {
		if len(id) > len(r.prefix) && strings.EqualFold(id[:len(r.prefix)], r.prefix) {
			if who.Kind = r.kind; !r.whole {
				id = id[len(r.prefix):]
			}
			break
		}
	}
	who.ID = canonicalID(id)
	if who.Kind == "phone" || who.Kind == "assertedIdentity" && strings.HasPrefix(id, "+") {
		who.Number, _ = recorder.ParseNumber(id) // else it is no number: anonymous, a name
	}
	return who
}

// A meeting is what the address of one says.
type meeting struct{ thread, organizer, tenant string }

// parseMeeting reads MeetingUrl, which no page lists and real invites have
// (msteams-docs #9159): …/l/meetup-join/{thread}/{message}?context={"Tid":…,"Oid":…}.
// What is in it stands in the page on the call resource.
func parseMeeting(address string) (meeting, bool) {
	u, err := url.Parse(address)
	if err != nil || address == "" {
		return meeting{}, false
	}
	_, rest, ok := strings.Cut(u.Path, "/l/meetup-join/")
	if !ok {
		return meeting{}, false
	}
	thread, _, _ := strings.Cut(rest, "/")
	context := treeOf(json.RawMessage(u.Query().Get("context")))
	return meeting{
		thread: shorten(oneLine(thread)), organizer: canonicalID(context.get("Oid").text()), tenant: tenantOf(context.get("Tid")),
	}, true
}
