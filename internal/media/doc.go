// Package media is the recorder's media side: it places calls on media hosts,
// holds the gate between their frames and the spool, and seals recordings.
//
// # Law
//
// A frame is stored only if all of this is true at the moment it is stored:
//
//   - the call's permit is live, and its evidence is durable in the spool;
//   - the host has confirmed our Open, and the frame's number is not below the
//     first that it named;
//   - the host has not said Paused, or the frame's number is not above the last
//     that it named;
//   - the gate is not shut: no seal has begun in earnest, the session is not
//     lost, and storage works;
//   - it is the next of its session: nothing is stored twice, and what is missing
//     before it becomes a recorded gap first.
//
// Every other frame is discarded at once, counted under one reason, and never kept
// for later. An acknowledgement goes to the host for frames whose commit is on
// stable storage, and for no others. After Seal has returned nothing of the call
// is stored.
//
// # Streams
//
// What of a call is recorded ([Streams]) is its policy's: mixed audio, or each speaker
// apart, cameras, a shared screen. All frames of a session have one row of numbers. Where
// mixed audio is alone, a missing number is 20 ms of it; beside other streams nobody can
// tell whose it was, unless the host says so, and the media clock decides what the audio
// misses. Whose video is received is package subscription's business, by the rosters and
// by who speaks, which is derived only while the gate is open.
//
// A recording that has become long goes on in another under the same permit (part.go):
// between two frames, the evidence first.
//
// # Who owns what
//
//   - A [Service] owns the hosts and the map of sessions (Service.mu).
//   - A session (type session) belongs to one call. What the gate needs is
//     guarded by session.mu, which is one lock for all sessions of a host: the
//     link's reader takes it once for each message, inside spool.Update. So the
//     order of locks is the spool's, then the gates'. Nobody who holds session.mu
//     calls the spool, the link or the recorder, or waits, but the reader, which
//     calls the Batch that it was given: that only copies.
//   - Open, Seal and Release of one session take turns (session.turn). Seal and
//     Release make an Open that waits give up first.
//   - The spool's commit calls [Service.OnDurable], which takes the links' lists of
//     acknowledgements and nothing else: it never waits for the reader, which may
//     be waiting for it.
//   - What happens unasked is handed to the call by Options.Post, which never waits:
//     neither does a reader or a commit.
//
// # When we crash
//
// Between any two lines the spool holds a permit record, then frames and gaps,
// in order. What the host was not told to be durable it still holds, for as long
// as it can. A recording without a seal is sealed by the next start, from what is
// there (spool.SealRecovered).
package media
