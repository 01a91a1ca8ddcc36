// Package speech holds recordings of two people and mixes them into a
// conversation.
//
// Law: what it returns is real human speech (SOURCES.md names origin and
// licence), 16 kHz, mono, signed 16 bit, and the same for the same arguments on
// every machine. It starts with speech and ends with speech, so that a missing
// first or last word is seen and heard.
package speech
