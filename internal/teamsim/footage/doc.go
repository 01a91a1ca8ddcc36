// Package footage holds clips of H.264 for the simulated media hosts to play.
//
// LAW. A clip is real video, made once by libx264 from test patterns (SOURCES.md
// names the commands), in the form in which Teams' media platform hands it over:
// Annex B, NAL units of the types 7, 8, 5 and 1 alone, no B-frames, one access unit
// a picture. It can be looped, and entered at each of its key frames: what follows
// decodes without fault. The bytes are the same on every machine.
//
// The clip [Sync] and [Beep] belong together: its pictures show a white flash where
// the beep begins, so that whoever has recorded both can measure how far they are
// apart.
package footage
