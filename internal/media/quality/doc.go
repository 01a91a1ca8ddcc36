// Package quality finds in a recording what a person should look at: nothing is
// missing by its numbers, and yet something may be wrong.
//
// # Law
//
// A flag is a fact that anybody can find again in the files and the manifest, by the
// rule that stands beside it; it changes nothing of what is recorded. What costs a look
// at every sample costs little: a [Meter] counts, and does nothing else.
//
// The flags are a closed set ([Flags]): words of manifests, of the catalogue's search
// and of a metric.
package quality
