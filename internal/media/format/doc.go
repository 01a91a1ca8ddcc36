// Package format writes and reads the files that people open: FLAC and WAV (RF64
// beyond 4 GiB), both 16 kHz, 16 bit, one channel.
//
// # Law
//
// What is read back is what was written, sample for sample, and any player
// agrees: the FLAC carries the MD5 of its samples (RFC 9639 §8.2), so a file that
// decodes with a matching MD5 is whole.
//
// The encoder is ours, because a recorder must keep up with thousands of streams;
// the decoder is not, so that what is read back was not made up by the same mind.
// The same samples and tags make the same bytes, on every machine. Every point of
// the seek table leads to the frame that it names.
//
// A mix is the sum of its tracks, sample by sample, in 32 bits: where a track gives
// nothing it is silent, where the sum is beyond 16 bits the nearest value stands
// for it and is counted. No track is turned down, no sample is given twice, and
// what comes too late for the mix is an error.
//
// A writer produces bytes, not files: where they go, and that they are durable,
// is the caller's business (package archive, through package durable). A FLAC cut
// off in the middle plays up to the cut, but says in its header that it holds
// nothing: it was never finished.
package format
