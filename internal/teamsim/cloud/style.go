package cloud

import (
	"math/rand/v2"
	"strings"
)

// A Style is one of the forms in which the service writes notifications. All of
// them are documented or were observed.
type Style struct {
	// Capitals writes enumerations as the .NET SDK's logs show them: Created,
	// Incoming, Established.
	Capitals bool
	// Undashed writes call IDs as older documentation does: upper case, no
	// dashes.
	Undashed bool
	// Twin adds "resource" (/app/calls/...) beside "resourceUrl".
	Twin bool
	// Wire writes botData as real payloads have it (MRIs, ComplianceRecording,
	// callId, isMultiParty) instead of as documented.
	Wire bool
	// Extras adds undocumented members that were seen, and ones nobody has seen.
	Extras bool
	// Annotations adds @odata.id and @odata.etag.
	Annotations bool
	// StringCodes writes resultInfo's code and subcode as strings.
	StringCodes bool
	// NullResult writes "resultInfo": null where there is none.
	NullResult bool
	// Ending is the form of the deleted notification: result (terminated with
	// resultInfo), noResult (terminated alone), stateless (resultInfo alone),
	// bare (neither).
	Ending string
	// Terminating sends the optional update before the deletion.
	Terminating bool
	// EstablishedFirst sends established before establishing.
	EstablishedFirst bool
	// NoEstablishing leaves establishing out.
	NoEstablishing bool
	// RepeatEstablished sends a second established with toneInfo.
	RepeatEstablished bool
	// Batch sends established and the roster in one request.
	Batch bool
	// LongTenant spells the token's tenant claim as a URI.
	LongTenant bool
	// GraphIssuer: the token's issuer is https://graph.microsoft.com.
	GraphIssuer bool
	// MediaFirst: when the call ends, media stops before the notification.
	MediaFirst bool
	// BareJoining sends participantJoiningNotification as the whole body,
	// instead of as resourceData in an envelope.
	BareJoining bool
}

// The endings.
const (
	EndingResult    = "result"
	EndingNoResult  = "noResult"
	EndingStateless = "stateless"
	EndingBare      = "bare"
)

// Documented is the style of Microsoft's documentation, example 3 of answer.
func Documented() Style {
	return Style{Twin: true, Ending: EndingResult, StringCodes: true, Terminating: true, MediaFirst: true}
}

// newStyle draws a style.
func newStyle(r *rand.Rand) Style {
	coin := func() bool { return r.IntN(2) == 0 }
	rarely := func() bool { return r.IntN(5) == 0 }
	return Style{
		Capitals:          coin(),
		Undashed:          rarely(),
		Twin:              coin(),
		Wire:              coin(),
		Extras:            coin(),
		Annotations:       coin(),
		StringCodes:       coin(),
		NullResult:        coin(),
		Ending:            []string{EndingResult, EndingResult, EndingNoResult, EndingStateless, EndingBare}[r.IntN(5)],
		Terminating:       coin(),
		EstablishedFirst:  rarely(),
		NoEstablishing:    rarely(),
		RepeatEstablished: rarely(),
		Batch:             rarely(),
		LongTenant:        coin(),
		GraphIssuer:       rarely(),
		MediaFirst:        coin(),
		BareJoining:       coin(),
	}
}

// enum writes a documented lower-camel enumeration value.
func (s Style) enum(v string) string {
	if s.Capitals && v != "" {
		return strings.ToUpper(v[:1]) + v[1:]
	}
	return v
}

// callID writes a canonical call ID.
func (s Style) callID(id string) string {
	if s.Undashed {
		return strings.ToUpper(strings.ReplaceAll(id, "-", ""))
	}
	return id
}
