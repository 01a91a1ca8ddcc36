// Package timeline tells where each frame of a recording lies, in samples, and
// where something is missing.
//
// # Law
//
// Every sample between a track's first and last is either stored or part of a
// recorded gap: Stored + GapSamples = Samples, exactly, whatever comes in.
// Arrival jitter and clock drift neither create gaps nor hide them.
//
// # What is believed
//
// In this order:
//
//  1. Sequence numbers. The media host numbers all frames of a session without
//     holes (mediahost.proto, Frames), so a missing number is a missing frame.
//     One frame of audio is 320 samples. Where only one stream of audio is on
//     the link, the frame is that stream's; where there are others too, nobody
//     can tell whose it was and the clock decides.
//  2. Announced gaps. With a count they say why numbers are missing, and whose they
//     were: that is believed before a gap of which only numbers are known. Without
//     one (the platform skipped) their times say how long.
//  3. The frames' media time, last and reluctantly: it is when the platform
//     handed a frame over, so it jitters, and drifts against the sample clock. It
//     makes a gap only where it stays late: 25 frames in a row (10, where the
//     recording ends sooner) by a frame or more, or from a frame on that the host
//     flagged. Times that cannot be (0, backwards, a day ahead,
//     or more than the gate's last [Belief] allows) are counted and change nothing, unless the clock keeps to them: then
//     it was set anew, which is no gap either.
//
// A track of unmixed audio has frames only while its source speaks. The time
// between is a gap of cause [Idle]: it keeps all tracks on one clock, and it is
// counted apart, for nothing is lost in it. What is lost of such a source lies where the
// announcement says, behind that silence; where none says when, right behind what came.
//
// # Use
//
// A [Timeline] is pure and streaming: it reads headers in spool order, holds a
// fixed amount of memory for each track, plus its gaps. [Timeline.Finish] ends it.
// A [Cursor] then walks the same records again and says for each frame how much
// silence goes before it: what a writer of files needs, with memory for nothing
// but the gaps. The media package feeds a Timeline live, for its totals.
//
// BUG(timeline): A single frame that the platform skips without a hole in the
// numbers, without a flag and under jitter of more than a few milliseconds
// cannot be told from jitter. It shows up in Track.Skew only.
package timeline
