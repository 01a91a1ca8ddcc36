// Package frame is the vocabulary of media: what a frame and a gap are, and how
// frames are packed in a message of the media host (mediahost.proto, Frames).
//
// Its law: a frame is exactly what the contract says, or it is refused with the
// byte where it went wrong. Nothing is repaired, nothing guessed. A packed
// message is taken whole or not at all.
//
// Units: audio is s16le PCM, mono, 16 000 samples a second; a frame holds 320
// samples (20 ms, 640 bytes). Times are ticks of 100 ns since
// 1900-01-01T00:00:00Z as Microsoft's platform gives them; 0 means unknown.
//
// The package is a leaf: it imports nothing of ours.
package frame
