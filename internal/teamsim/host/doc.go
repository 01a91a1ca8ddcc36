// Package host is a media host as mediahost.proto wants it, without Windows and
// without Teams: the other end of the recorder's Link.
//
// LAW. What a host without faults sends is deterministic: the n-th frame after
// Connect holds the samples [320n, 320n+320) of the session's [Audio], its media
// time is the session's start + 200 000 ticks * n, exactly, and seq numbers the
// frames that were captured while the session was open, without holes. Nothing
// is captured before Open nor after Pause; Paused names the last frame and
// follows it. Frames are held until they are acknowledged, for Options.Memory at
// most, and sent again after Attach; what was dropped is announced as a Gap, one
// for each stretch. A higher lease fences the lower.
//
// Where audio is unmixed, each [Speaker] of the session's [Cast] is a stream of his
// own, on the same clock, with frames only while he speaks: the frames of one tick of
// 20 ms share their media time, and at most [MaxSpeakers] of them come, the most
// active. A [Camera] that is subscribed to on a socket that is active sends pictures at
// irregular times, each with the media time at which it was taken; a shared screen
// likewise. One row of numbers goes over all streams, so that a Gap, which is of one
// stream, names numbers that follow each other in the row. What there is no room for
// goes first of video, whole groups of pictures (Options.VideoMemory).
//
// What Microsoft says nothing of, this host does so: the screen's socket is the one
// behind those of video; a source is subscribed to on one socket at a time; who takes
// a session over is told the receive status of its sockets again, and finds the
// subscriptions as they were; a picture that was taken before Open does not come.
//
// A host departs from that only where a [Fault] was injected, and [Host.Records]
// tells for every frame what was captured, so that the referee can know the
// truth without asking the recorder.
//
// The host keeps descriptions of frames, not their bytes: a payload is made when
// it is sent. That is what makes thousands of sessions in one process cheap, with
// one goroutine that paces them all.
package host
