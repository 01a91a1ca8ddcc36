// Package graph speaks with Microsoft Graph in both directions: it decodes what
// the platform sends to our callback, and it is the recorder's Platform.
//
// # The law
//
//   - What Teams sends is read strictly where a mistake could touch another
//     call (envelope, call ID, tenant, duplicate members) and tolerantly
//     everywhere else: unknown members and enum values are counted, never
//     fatal. A body is taken as a whole or not at all.
//   - Nothing is a success reply but a 2xx with an operation that can be read
//     and that does not name another announcement. A reply that nobody can read
//     is "unknown", never yes and never no.
//   - An announcement is sent once per call of Announce. Whether to ask again,
//     and with which client context, is the recorder's decision.
//   - Every request has a deadline, every reply a bound. Every error of a
//     request is a *recorder.Fault that says what an administrator must do,
//     where one can do something.
//   - Tokens, secrets and the blob appear in no error, no log and no metric;
//     the token of a meeting is cut out of what is kept as evidence.
//
// # Which half does what
//
// [Decode] is pure: bytes in, [Notification] values out, bounded in time and
// memory by the size of the body. [Client] holds the connection pool and the
// tokens: one token per tenant, bought through MSAL and renewed at half its
// life in the background, so that an answer (5 s) does not wait for one.
//
// If the process dies anywhere in here, nothing is lost but requests under
// way: this package keeps nothing on disk. What is asked is in the journal
// before it is sent, which is the recorder's concern.
//
// Sources: Graph v1.0 "call: answer", "call: updateRecordingStatus", "call:
// keepAlive", "commsNotification", "participant", "deltaParticipants",
// "updateRecordingStatusOperation", "Microsoft Graph throttling guidance",
// "National cloud deployments".
package graph
