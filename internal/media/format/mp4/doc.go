// Package mp4 writes H.264 into MP4 files as it came, without decoding it, and
// reads them back.
//
// # Law
//
// Each frame that is given to a [Writer] is either a sample of the file, with its
// NAL units byte for byte and its time to the tick, or its [Result] says why it is
// not. [Stats] counts both, and the caller records what is not in the file as
// missing: nothing is lost silently. A [Reader] yields what is in the file, for the
// comparison bit by bit.
//
// What is written plays. A file of [NewSeekWriter] plays whatever a crash leaves of
// it, up to the last whole fragment. A file of [NewWriter] does so once it is
// truncated to [Reader.Whole]: libavformat, and so ffmpeg and Chromium, refuses
// a file that ends within a moof.
//
// A writer produces bytes, not files: where they go, and that they are durable, is
// the caller's business.
//
// # The form
//
// Fragmented MP4 (ISO/IEC 14496-12): ftyp, moov, then a moof and an mdat for each
// fragment. The header comes with the first key frame, for only then is it known
// what it says. A fragment begins with a key frame where key frames come often
// enough, and is bounded in bytes and samples.
//
// Time counts in ticks of 100 ns ([Timescale]), the platform's own unit: a sample
// of the 16 kHz audio is 625 of them, so both clocks are told exactly. A frame lasts
// until the next one. A time that is not after the one before is moved to the tick
// after it, and counted. A frame that lasts longer than a sample can say (429 s) is
// cut short; the next fragment says its own time, and players show the picture until
// then. By default the timeline begins with the first stored frame, and [Stats].Zero
// says when that is by the caller's clock, for the picture to be laid beside the
// sound. With [Options].FromOrigin the file begins later than 0 instead.
//
// # Pictures of more than one size
//
// Parameter sets stay where they came, in the samples, and those of the first key
// frame are in the header too: sample entry avc3 (ISO/IEC 14496-15). So the size may
// change in mid-file. Chromium 156 plays such a file from a plain <video src>: it
// fires resize and goes on, and seeks back and forth over the change; ffmpeg 5.1
// decodes from it what it decodes from the byte stream; Firefox 153, GStreamer 1.22
// and VLC 3.0 play it too. Some players know only avc1:
// if the sets never changed, Close says so instead, where it can go back; the sets
// are in the samples all the same, which avc1 does not foresee and players do not
// mind.
//
// # Frames that can't be shown
//
// Frames before the first key frame are [Undecodable]. After a gap
// ([Writer.Discontinuity]) the frames up to the next key frame refer to some that
// are missing. They are stored and marked as [Damaged] if the caller says that they
// have the size of the key frame before. Otherwise they are Undecodable too: a frame
// of another size, without its own key frame, ends Chromium's playback for good
// ("PIPELINE_ERROR_DECODE"), and with it all that comes after.
//
// # Finding one's way
//
// Close writes an index (sidx) into room that is left for it in front of the first
// fragment. With it Chromium opens an hour of video at once; without it, it reads
// all of the file first, and then seeks as well. The index names every fragment, and
// is written only if all of them begin with a key frame: with one that named every
// other fragment, Chromium failed to decode after a seek. libavformat makes no use
// of mfra unless it is told to, so there is none.
package mp4
