// Package speech holds recordings of two people and of a third, synthetic voice,
// and mixes those of the people into a conversation.
//
// Law: what it returns is speech (SOURCES.md names origin and licence; that of A
// and B is human), 16 kHz, mono, signed 16 bit, and the same for the same arguments
// on every machine. It starts with speech and ends with speech, so that a missing
// first or last word is seen and heard.
package speech
