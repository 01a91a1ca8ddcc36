// Package graph speaks Microsoft Graph's cloud communications API, both ways:
// it decodes what the platform sends to our callback, and makes the requests
// that a call needs.
//
// # The law
//
// Nothing is guessed. What the platform sends is bounded before it is parsed,
// taken in every documented and observed form (enums in any case, numbers or
// strings for codes, one entity or a list), and kept as it came, less tokens;
// what is unknown is tolerated and counted, and an entry that is contradictory
// is refused whole, itself and no other of its batch. A reply is a success only
// if it can be read as one: an announcement whose reply cannot be read has an
// unknown fate, never a good one. The client never repeats an announcement by itself; whether to ask again
// is the state machine's decision. What an invite says beside what we act on (whom it
// names, by which telephone number, in which meeting) is kept field by field, and
// nothing in it can make the invite unreadable.
//
// Sources: learn.microsoft.com/graph/api, resources call, commsNotification,
// participant, mediaStream, updateRecordingStatusOperation; methods
// call-answer, call-reject, call-updaterecordingstatus, call-keepalive,
// call-get, call-list-participants, call-delete (v1.0); what real invites have and no
// page lists: msteams-docs #9159 and #9170, comms-samples #157, #237, #417 and #667.
package graph
