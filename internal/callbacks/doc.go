// Package callbacks is the HTTPS edge that Teams calls: it takes the platform's
// notifications, makes sure that they come from the platform and belong to one
// of our tenants, and hands them over.
//
// # Law
//
// No stranger gets in (law 7). A request is looked at in this order, and the
// first objection ends it:
//
//  1. method and path (405, 404);
//  2. declared size (413);
//  3. bearer token (401, also where the token is genuine but its tenant is not
//     ours; 503 where we cannot tell because we have no keys);
//  4. content type (415);
//  5. the body: read in full within the limit (413), then decoded (400). An
//     entry of a batch that nobody can use, such as one of a foreign resource, is
//     counted, logged and left out; 400 is for a body without one that can;
//  6. the tenant of each notification against the token's (401).
//
// So no byte of the body is read, let alone parsed, before the token has been
// verified. What is accepted is answered 202 after the [Receiver] took it, never
// before; a participantJoining notification is answered 200 with the reply in the
// body. A receiver that has no room makes it 503 with Retry-After, so that the
// platform still has what we did not take. A batch is handed over in one call,
// whole or not at all. After a reply to a stranger the connection is closed:
// connections are bounded, and the platform needs them.
//
// # Tokens
//
// RS256 and nothing else. Keys come from the OpenID configuration of the calling
// service. Three rules keep its rotation and its forgers apart, since before the
// key is known they look the same:
//
//   - Only a token whose other claims are right (algorithm, issuer, audience, times,
//     tenant) may cause a fetch for an unknown key ID.
//   - Fetches are single-flight and share one budget: a small burst, then one each
//     few seconds. Any fetch brings every key, so a forger who spends the budget
//     also buys the honest sender's key: a rotated key is known after one refill
//     at the latest, whatever came before it, and at once while the burst lasts.
//   - A failed fetch never takes keys away. A key that left the published set ends
//     the tokens that it signed, cached or not.
//
// A verified token is remembered by its SHA-256 until it expires; refusals are
// not remembered.
//
// # What is logged
//
// Method, path, status, duration, size, kinds of notification, the platform's
// message ID and our reason: never a token, a body, a name, or a query.
//
// The package knows nothing of what stands before it: it looks at no forwarding
// header and makes no decision by the peer's address.
package callbacks
