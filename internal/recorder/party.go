package recorder

import (
	"errors"
	"strings"
)

// The bounds of what is kept of an invite beside the fields of Invite. What lies
// beyond is in Raw alone; the fact FactLeftOut says how much it is.
const (
	MostParties = 64
	MostFacts   = 192
)

// A PartyRole says as what an invite, or a roster, names someone.
type PartyRole string

// The roles, with the member of the invite that they come from.
const (
	RoleObserved            PartyRole = "observed"            // incomingContext.observedParticipantId
	RoleTrigger             PartyRole = "trigger"             // incomingContext.sourceParticipantId
	RoleOnBehalfOf          PartyRole = "onBehalfOf"          // incomingContext.onBehalfOf
	RoleTransferor          PartyRole = "transferor"          // incomingContext.transferor
	RolePolicyHolder        PartyRole = "policyHolder"        // botData.user
	RoleOtherSide           PartyRole = "otherSide"           // botData.otherSideUser
	RoleOtherSideOnBehalfOf PartyRole = "otherSideOnBehalfOf" // botData.otherSideUser.onBehalfOf
	RolePairedRecorder      PartyRole = "pairedRecorder"      // botData.pairedRecorders
	RoleOtherRecorder       PartyRole = "otherRecorder"       // botData.otherRecorders
	RoleSource              PartyRole = "source"              // source
	RoleTarget              PartyRole = "target"              // targets
	RoleOrganizer           PartyRole = "organizer"           // meetingInfo.organizer, or the Oid of MeetingUrl
	RoleRouteOriginal       PartyRole = "routeOriginal"       // callRoutes.original
	RoleRouteFinal          PartyRole = "routeFinal"          // callRoutes.final
	RoleParticipant         PartyRole = "participant"         // of a roster
)

// A Party is someone in one role. One person may be named in several roles, and in
// one role by several kinds of identity: each is a Party.
type Party struct {
	Role PartyRole `json:"role"`
	// Kind is the identity's member of its identity set: user, guest, phone,
	// application, applicationInstance, encrypted and so on; "unknown" where the
	// platform does not say; empty where only a participant ID was told.
	Kind   string `json:"kind,omitempty"`
	ID     string `json:"id,omitempty"`     // object ID, application ID, number as it came
	Number string `json:"number,omitempty"` // as ParseNumber gives it
	Name   string `json:"name,omitempty"`   // display name
	Tenant string `json:"tenant,omitempty"`
	// Participant is the party's ID in the roster, where told.
	Participant string `json:"participant,omitempty"`
}

// A Fact is one field of an invite, by the name that the platform gives it:
// "source.region", "botData.user.clientLocation". The members of lists come in
// order under one name. Value is one line.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// FactLeftOut is the name of the fact that counts what the bounds left out.
const FactLeftOut = "leftOut"

// ErrNumber is what ParseNumber says of anything else than a number.
var ErrNumber = errors.New("not a telephone number")

// mostDigits is the longest number there is, without its "+" (ITU-T E.164, 6.1).
const mostDigits = 15

// ParseNumber brings a telephone number into one form, so that equal numbers are
// equal text: "+" and digits for an international number, written with "+" or "00"
// before it; else the digits alone, for a number of some country or switchboard.
// Spaces, dots, dashes, slashes and brackets do not matter, nor does a "tel:" in
// front or the parameters of RFC 3966 behind, nor a "(0)" that is dialled at home
// only. ErrNumber: it is none.
func ParseNumber(s string) (string, error) {
	s = strings.TrimSpace(s)
	if len(s) > 4 && strings.EqualFold(s[:4], "tel:") {
		s, _, _ = strings.Cut(s[4:], ";")
	}
	if strings.HasPrefix(s, "+") || strings.HasPrefix(s, "00") {
		s = strings.Replace(s, "(0)", "", 1)
	}
	var digits strings.Builder
	international := false
	for i, c := range s {
		switch {
		case c >= '0' && c <= '9':
			digits.WriteRune(c)
		case c == '+' && digits.Len() == 0 && !international && strings.Trim(s[:i], " (") == "":
			international = true
		case strings.ContainsRune(" .-/()\u00a0\u2010\u2011\u2013", c):
		default:
			return "", ErrNumber
		}
	}
	number := digits.String()
	if rest, ok := strings.CutPrefix(number, "00"); ok && !international {
		number, international = rest, true
	}
	switch {
	case number == "" || len(number) > mostDigits:
		return "", ErrNumber
	case international:
		return "+" + number, nil
	}
	return number, nil
}
