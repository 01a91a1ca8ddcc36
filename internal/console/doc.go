// Package console is where operators command the recorder: a REST API over
// HTTPS to see the live calls, pause, resume and stop one, and drain the process.
//
// # Law
//
// No stranger gets in, and nothing is served unwritten (law 7). A request is
// looked at in this order, and the first objection ends it:
//
//  1. identity: a bearer token or a client certificate (401; 429 where the peer
//     has guessed too often). Until then nothing of the request is looked at but
//     its credential: no path, no body;
//  2. origin: a browser that was sent here by another site is turned away (403):
//     it would bring its user's certificate along;
//  3. path and method (404, 405);
//  4. role (403; who tried it is in the audit);
//  5. the body: size (413), content type (415), content (400). It may give the
//     reason for an order, and nothing else;
//  6. the audit entry, durable (503 where it can't be: then nothing is done);
//  7. the act; then what came of it goes into the audit too.
//
// If we crash between 6 and 7, the audit says that something was granted which
// was not done, never the other way round. If we crash within 7, the call's own
// journal says how far it came.
//
// # Identities
//
// An identity is a name and a role; how it was shown is this package's alone, so
// that another way can be added beside the two. Tokens lie in files that are read
// again when they change: a token whose file is gone, or unfit, is nobody's.
// They are compared as SHA-256, all of them, in constant time. Certificates are
// verified at every request, not only in the handshake, so that one that has
// expired, or whose authority was removed, ends with it.
//
// Whoever guesses waits: each peer (an IPv4 address, or an IPv6 /64) has a small
// budget of refused logins. Others are not held up, and neither are those who
// show a certificate.
//
// # What is logged
//
// Method, path, status, duration, identity, action, peer, our reason: never a
// token or a body.
package console
