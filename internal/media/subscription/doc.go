// Package subscription decides whose video a call's sockets receive.
//
// # Law
//
// A socket is asked to receive only while the platform says that it can (a Subscribe
// before that is refused, and one to a socket that went inactive is gone:
// mediahost.md), and again when it can once more. No source is on two sockets. While
// somebody with a camera has no socket, the sockets are with those who spoke last. A
// socket that delivers frames which can't be decoded is asked for a key frame, until one
// comes, once a second at most.
//
// # Use
//
// A [Plan] is pure: it is told what happens, with the time, and [Plan.Next] returns what
// to ask of the media host now. It is not safe for concurrent use. It holds nothing but
// what the roster names: its memory is bounded by [maxCameras].
//
// A new process that takes a session over does not hear again which sockets are active:
// what it was not told of it tries, and where that is refused it waits.
package subscription
