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
	Capitals bool `yaml:"capitals" json:"capitals,omitempty"`
	// Undashed writes call IDs as older documentation does: upper case, no
	// dashes.
	Undashed bool `yaml:"undashed" json:"undashed,omitempty"`
	// Twin adds "resource" (/app/calls/...) beside "resourceUrl".
	Twin bool `yaml:"twin" json:"twin,omitempty"`
	// Wire writes botData as real payloads have it (MRIs, ComplianceRecording,
	// callId, isMultiParty) instead of as documented.
	Wire bool `yaml:"wire" json:"wire,omitempty"`
	// Extras adds undocumented members that were seen, and ones nobody has seen.
	Extras bool `yaml:"extras" json:"extras,omitempty"`
	// Annotations adds @odata.id and @odata.etag.
	Annotations bool `yaml:"annotations" json:"annotations,omitempty"`
	// StringCodes writes resultInfo's code and subcode as strings.
	StringCodes bool `yaml:"stringCodes" json:"stringCodes,omitempty"`
	// NullResult writes "resultInfo": null where there is none.
	NullResult bool `yaml:"nullResult" json:"nullResult,omitempty"`
	// Ending is the form of the deleted notification: result (terminated with
	// resultInfo), noResult (terminated alone), stateless (resultInfo alone),
	// bare (neither).
	Ending string `yaml:"ending" json:"ending,omitempty"`
	// Terminating sends the optional update before the deletion.
	Terminating bool `yaml:"terminating" json:"terminating,omitempty"`
	// EstablishedFirst sends established before establishing.
	EstablishedFirst bool `yaml:"establishedFirst" json:"establishedFirst,omitempty"`
	// NoEstablishing leaves establishing out.
	NoEstablishing bool `yaml:"noEstablishing" json:"noEstablishing,omitempty"`
	// RepeatEstablished sends a second established with toneInfo.
	RepeatEstablished bool `yaml:"repeatEstablished" json:"repeatEstablished,omitempty"`
	// Batch sends established and the roster in one request.
	Batch bool `yaml:"batch" json:"batch,omitempty"`
	// LongTenant spells the token's tenant claim as a URI.
	LongTenant bool `yaml:"longTenant" json:"longTenant,omitempty"`
	// GraphIssuer: the token's issuer is https://graph.microsoft.com.
	GraphIssuer bool `yaml:"graphIssuer" json:"graphIssuer,omitempty"`
	// MediaFirst: when the call ends, media stops before the notification.
	MediaFirst bool `yaml:"mediaFirst" json:"mediaFirst,omitempty"`
	// DeletedFirst: the call is over, and the bot is told so, before it is invited;
	// the invite overtook nothing, it was held up.
	DeletedFirst bool `yaml:"deletedFirst" json:"deletedFirst,omitempty"`
	// Delta writes rosters as deltas, with a sequence number and who has changed, also
	// where the bot did not ask for it. The seed never chooses it.
	Delta bool `yaml:"delta" json:"delta,omitempty"`
	// DeltaList wraps a delta into a list of one, as was seen in a log.
	DeltaList bool `yaml:"deltaList" json:"deltaList,omitempty"`
	// Numbered gives each participant a rosterSequenceNumber.
	Numbered bool `yaml:"numbered" json:"numbered,omitempty"`
	// BareJoining sends participantJoiningNotification as the whole body,
	// instead of as resourceData in an envelope.
	BareJoining bool `yaml:"bareJoining" json:"bareJoining,omitempty"`
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

// With returns the style with what is set in o added.
func (s Style) With(o Style) Style {
	if o.Ending != "" {
		s.Ending = o.Ending
	}
	for _, m := range []struct {
		to   *bool
		from bool
	}{
		{&s.Capitals, o.Capitals},
		{&s.Undashed, o.Undashed},
		{&s.Twin, o.Twin},
		{&s.Wire, o.Wire},
		{&s.Extras, o.Extras},
		{&s.Annotations, o.Annotations},
		{&s.StringCodes, o.StringCodes},
		{&s.NullResult, o.NullResult},
		{&s.Terminating, o.Terminating},
		{&s.EstablishedFirst, o.EstablishedFirst},
		{&s.NoEstablishing, o.NoEstablishing},
		{&s.RepeatEstablished, o.RepeatEstablished},
		{&s.Batch, o.Batch},
		{&s.LongTenant, o.LongTenant},
		{&s.GraphIssuer, o.GraphIssuer},
		{&s.MediaFirst, o.MediaFirst},
		{&s.BareJoining, o.BareJoining},
		{&s.DeletedFirst, o.DeletedFirst},
		{&s.Delta, o.Delta},
		{&s.DeltaList, o.DeltaList},
		{&s.Numbered, o.Numbered},
	} {
		*m.to = *m.to || m.from
	}
	return s
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

// withRoster draws the forms of rosters, by a row of its own: those of before stay what
// they were.
func (s Style) withRoster(r *rand.Rand) Style {
	s.DeltaList, s.Numbered = r.IntN(2) == 0, r.IntN(2) == 0
	return s
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
