// Package powercut takes back what a disk had not promised: it is the power cut
// of tests that kill a real process. A program that was built with the tag
// "chaos" keeps a journal of what durable does to the disk, beside it; after the
// process has died, [Cut] undoes a random part of all that no completed sync had
// made safe, as a disk without power may.
//
// # The law
//
//   - What a completed fdatasync or fsync covered stays. Of bytes that were
//     written since, each sector of 512 bytes stays or is again what it was.
//   - Names that a completed fsync of their directory covered stay. Of what was
//     done to a directory's names since, the first so many things stay, and the
//     others have not happened.
//   - A file that was made and never synced holds what was written, or less, or
//     zeros.
//   - A later process that did not sync what an earlier one had written has not made
//     it safe by reading it: the journal goes on across processes, until the cut.
//
// The journal is written before what it tells of, and what it says of a sync after
// it: a process that dies between has promised nothing.
//
// BUG: SQLite makes its own files, which are not in the journal: of the catalogue
// everything that was written stays. With synchronous=FULL it promises no more than
// it has synced, so that what stays is one of the outcomes that a power cut has.
package powercut
