// Package catalogue is the durable memory of calls: who was invited to what,
// what was said to the platform and what it replied, which recordings there
// are and how each call ended.
//
// # The law
//
//   - What Append or Conclude acknowledged is on stable storage, in order,
//     after everything queued before it. A crash at any line loses nothing
//     acknowledged (law 5).
//   - A call has at most one outcome. The first wins; later ones are refused
//     with recorder.ErrConcluded. The primary key of the table outcomes says
//     so, not only this code (law 4). Unfinished lists the calls without.
//   - What people asked of the console is entered before it is done, and only
//     ever added to (law 7). Audit returns when it is durable.
//   - Whoever an invite or a roster names is found, by ID, number or name, as soon
//     as the journal has it; what was said of him stays found. These are personal
//     data: they are in the tables and never in a log or a metric (law 7).
//   - Invited and Note never block: the call path does not wait for a disk
//     (law 8). What the queue has no room for is refused and counted.
//
// # How it holds
//
// One goroutine owns the one connection that writes. It takes all work that
// has queued up while the commit before was under way, does it in one
// transaction, and only then tells those who wait: one fsync serves them all
// (group commit). The order of the queue is the order of the journal.
//
// A commit that fails fails those who wait for it; the next batch is tried
// afresh. A statement that fails (not the disk, but that piece of work) does
// not take its neighbours along: the batch is done again piece by piece.
// Trying again after a failed fsync is safe here, as it is not for the spool:
// SQLite counts a commit's frames, or a checkpoint's pages, as written only
// after the fsync, and so writes them all again.
//
// If we crash before a commit, nobody was told. If we crash after it and
// before the answer, the entry is there although its author does not know: the
// journal may hold more than was acknowledged, never less.
//
// # Storage
//
// SQLite in WAL mode with synchronous=FULL: the log is synced at every commit.
// The statements and migrations are those that PostgreSQL knows too (times are
// Unix nanoseconds in BIGINT, JSON is TEXT), so that a second implementation
// runs the same conformance suite, catalogtest.Run.
//
// The catalogue is not the truth about recordings: the archive is. Every row
// about a recording can be made again from its manifest.
package catalogue
