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
// A host departs from that only where a [Fault] was injected, and [Host.Records]
// tells for every frame what was captured, so that the referee can know the
// truth without asking the recorder.
//
// The host keeps descriptions of frames, not their bytes: a payload is made when
// it is sent. That is what makes thousands of sessions in one process cheap, with
// one goroutine that paces them all.
package host
