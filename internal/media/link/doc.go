// Package link speaks the protocol with one media host (mediahost.proto): one
// gRPC connection over mutual TLS, and on it one Link stream that carries all
// sessions.
//
// # Law
//
//   - What the host says about a session reaches the session's [Owner] in the
//     order in which the host said it, and only under a handle that this
//     connection attached. Handles are never used twice within the reach of a
//     late frame, so no frame can be taken for one of another call.
//   - An acknowledgement is sent only for what its caller called durable.
//   - A cut of the stream is nobody's fault and loses nothing by itself: the
//     link connects again, attaches every session with a higher lease from the
//     last durable frame on, and asks again for what was asked before (open,
//     pause). Only after [Options.Bridge] without an attachment, or where the
//     host says that the session is gone, is the session lost, and then its owner
//     hears it exactly once.
//   - Nothing here decides what may be stored, and nothing here keeps a frame: each
//     buffer on its way is zeroed when the next record is waited for, ours and those
//     of TLS and gRPC (scrub.go).
//
// # Goroutines and locks
//
// Run's goroutine connects and reads. Each connection has a sender, the only
// caller of SendMsg, and the link has a watchdog. Owners and the [Handler] hear
// from the reader, but for Lost and Changed, which may come from the watchdog.
//
// Link.mu guards sessions and what is asked of them; it is never held while an
// owner, the handler or the network is called. The way of a frame takes no lock
// of this package: handles are looked up in a table of atomic pointers.
// Link.BeginAcks, Session.Durable and Link.EndAcks, called from the spool's
// commit, take only the lock of the list of acknowledgements, which is never held
// while anything is waited for. Link.mu may be held when it is taken, not the
// other way round.
//
// # Bytes
//
// The stream uses a codec of its own ([codec]): it reads Frames.packed in place,
// from a buffer of its own, and writes Acks without an object for each. On the wire it
// is plain protobuf.
package link
