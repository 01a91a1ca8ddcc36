// Package spool is the log: one append-only sequence of records for all
// recordings of one process, on stable storage within milliseconds.
//
// # The law
//
//   - A frame is in the log only if a permit record of its recording, with the
//     evidence of the reply that allowed it, is in an earlier commit. Begin needs
//     a live permit and returns when its record is durable; Batch.Frame asks the
//     permit again for each frame.
//   - Nothing follows a seal record. Check proves both from the disk alone.
//   - What OnDurable, Begin, Seal and Release have said is on stable storage
//     stays there: recovery after a crash returns it whole, in order, and returns
//     nothing that was not appended.
//   - After a write or an fsync that failed, the log takes nothing more. It never
//     tries an fsync again: the kernel may have thrown the pages away.
//   - Nothing is overwritten before Release.
//
// # On disk
//
// The log is a set of files, NNNNNNNN.seg, of the size that spool.segmentSize had
// when they were begun, written before they are used and used again once all their
// recordings are released. Each use gets the next generation number. A segment
// holds commits, one behind the other, each a multiple of 4096 bytes:
//
//	 0  u32  magic "RBSP"
//	 4  u16  version, 2
//	 6  u16  flags; 0 (a bit will say that the records are encrypted)
//	 8  u64  log, random: a record's payload cannot pass for a commit
//	16  u64  generation of the segment
//	24  u64  number of the commit, one more than the one before
//	32  i64  time, ns since 1970
//	40  u32  bytes of records
//	44  u32  blocks of 4096 bytes of the commit
//	48  u32  key; 0 (reserved for encryption)
//	52  u32  CRC-32C of all that follows the header, padding included
//	56  u32  bytes that were reserved for the segment before its first commit
//	60  u32  CRC-32C of the 60 bytes above
//	64       records, then zeros
//
// A record is
//
//	 0  u32  CRC-32C of all that follows
//	 4  u24  length of the record, u8 its type
//	 8  u8   socket, u8 flags, u8 kind of a frame; u40 serial of the recording
//	16       what the type says
//
// Audio whose samples are all zero is stored without them. The first commit of a
// generation is the table: what is known of each recording that was not
// released, so that recovery reads one segment and not all.
//
// # Recovery
//
// Only one commit is ever under way. So the last commit of the log is whole, or
// it was never acknowledged and is cut off; where a whole commit follows one
// that is not, acknowledged bytes were damaged: that is reported (Damage), and
// reading goes on behind it. If we crash between the fdatasync of a commit and its
// acknowledgement, recovery finds a commit that nobody was told of: it is kept.
//
// A segment has all its bytes before its first commit, and nothing of ours makes
// it shorter. So a file with less than its commits say (ShortSegment) was cut, by
// a hand or by the filesystem, and what was acknowledged in that part is lost. A
// recording that may have had records there yields a DamageError; one that was
// begun there is known to the catalogue alone. The log never goes on in such a
// file, which would hide that it was cut, but in the next generation. It is
// reported until all recordings are released that may have been in it. A file cut
// to less than a block is like one that was deleted: MissingSegment says so,
// unless it was the last.
//
// NNNNNNNN.idx says where in a segment the records of each recording are. It is
// only a cache: where it is missing or wrong, the segment is read instead.
//
// BUG: what a payload holds is not encrypted yet.
package spool
