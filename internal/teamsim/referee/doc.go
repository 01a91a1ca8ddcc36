// Package referee judges a recorder by what the simulator saw: the requests
// that arrived, the frames that the media hosts captured, and the archive that
// was left behind.
//
// LAW. The referee never trusts the recorder's own words. It reads a manifest
// only to find files and gaps, and to hold the manifest's numbers against its
// own; it decodes the FLAC files and compares every sample with what was sent at
// that position. It shares no code with the recorder. A report without
// violations means that the laws 1 to 5 and 8 of the design held for everything
// that can be seen from outside; what can't be seen from there (what a disk held
// before a crash, what a log said) it does not judge.
//
// Positions are samples of a session's media from Connect on; the stored sample
// i of a recording that begins at position p is the one at p+i, because gaps are
// filled with zeros of their exact length. So one number tells where a sample
// belongs, and everything that is lost, doubled or shifted shows.
//
// Where audio is unmixed, each source's track is held against what was sent of that
// source alone. It begins where its media time says. Where the source was silent there
// are zeros, and a gap of the cause "idle" says so; what the host has told as lost is
// not told as silence. Whoever was heard has a track. A mix is the sum of the tracks,
// clipped, from where the first of them begins.
//
// Each sample of a session, from Connect to its end, is at each track in exactly one
// place: before consent, stored, in a gap of a cause of the closed set, a speaker's
// silence, a pause, or behind the end. The media host's record tells when it was open, the
// archive what it has; [Account] adds them up, and a sample in no place or in two of
// them is a breach. One place is the host's fault alone: what it lost of a speaker's last
// words without telling.
//
// Of video every frame that was sent is in one track, to the byte of its slices and to
// the tick of its media time, or counted as missing, and counted only for a reason: the
// host held it no more, or nobody can show it, for the key frame that it builds on is not
// there. A track begins with a key frame, and each key frame finds its parameter sets. MP4
// is read by a reader of the referee's own, bare H.264 where there is no MP4.
//
// A union of what two calls have of one conversation ([JudgeUnion]) is held against what
// was sent in both and what the archive was found to have of each: what either has is
// there, to the bit and in its place, and a gap is where neither has anything. Positions
// are those of the conversation, in which both sessions count from one beginning.
package referee
