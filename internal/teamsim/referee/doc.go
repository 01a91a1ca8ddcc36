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
package referee
