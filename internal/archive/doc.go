// Package archive turns sealed recordings into folders that outlive us: one
// folder for each, of files that any player and any text editor opens.
//
// # Law
//
//   - A published folder is complete and was read back, or it is not there. The
//     folder is built under a hidden name; what it holds is compared with the
//     spool, sample by sample; one rename publishes it. Nothing is ever changed
//     in a published folder.
//   - Whoever runs the same job again gets the same result: what is published
//     and sound is done, what a crash left behind is swept away and made anew.
//   - storedSamples + gapSamples = samples, for each track and for the whole.
//   - The manifest alone says which reply allowed which bytes, in which order
//     things happened, and where something is missing. Each manifest names the
//     hash of the one before it, so none can vanish unnoticed.
//
// # A folder
//
//	audio-mixed.flac      all speakers; audio-<source>.flac where unmixed
//	video-<source>.mp4    a camera's video, undecoded; screen-<source>.mp4 a shared
//	                      screen's. Where no key frame came: .h264, Annex B, and of
//	                      frames before the first one: -rest.h264
//	events.jsonl          the call's journal and what the spool says beside media
//	manifest.json         everything else; see [Manifest]
//
// Who was in the call, in the lobby, muted, on hold and speaking, and whose each
// source was at which time, is what package roster makes of the journal's rosters and
// of what the media host said of who speaks.
//
// # A union
//
// [Unite] lays the recordings of two calls of one conversation beside each other, such as
// those of a pair of bots, and writes what they hold together: for each track the samples
// of the first where it has them, else of the second, else a gap; of video as many frames
// as can be shown, changing over at key frames. Who was silent in one is silent, unless
// the other heard something. union.json says from which recording each stretch is. What is
// heard in both tells how they lie beside each other, for two hosts have two clocks; one
// shift serves for a whole call, so that clocks which drift apart are told of
// ([UnionClock].SpreadSamples), not followed. Pictures of a part before its first key
// frame ([Track].UndecodableFile) are in a union only where the other call has them. A
// source of which a recording only knows that something is missing, and not when, is a gap
// in all of it. A union is no recording: it is no proof of anything, and can be made again.
//
// Gaps are filled with silence, so that all files of a folder begin at the same
// instant and their time stays true.
//
// # How
//
// [Assembler.Assemble] walks a recording's records in the spool three times: for
// the headers, which give the timeline; for the payloads, which go into the files;
// and once more to compare, with a decoder that is not the encoder. Memory is
// bounded by the number of gaps and participants, not by the recording's length.
// [CheckFolder] reads a published folder with nothing but the folder itself.
//
// BUG(archive): Reading back right after writing reads the page cache. That the
// disk holds the same is fsync's promise.
package archive
