// Package admission decides whether a new call can be taken.
//
// # Law
//
// Calls in progress come first: a call is admitted only where all that it will need
// is there beside all that the admitted ones need, whether they use it already or
// not. Otherwise its invite is rejected at once.
//
// # How
//
//   - A [Gate] counts the calls that hold a place: from Admit to Ended, or from
//     Hold for those that a dead process has left. The count is exact, so that a
//     thousand invites at once are not taken for one.
//   - What is measured (media hosts, spool, commits, CPU) is measured behind, by
//     [Gate.Run], a few times a second, and condensed into how many calls each limit
//     allows in all, and whether one is closed altogether. Admit compares numbers
//     under one short lock and waits for nobody.
//   - A limit in calls is given for all calls that hold a place, not for those to
//     come: so it stays true for the calls that are admitted until the next
//     measurement, none of which can be seen in what was measured.
//   - Commit latency and CPU are smoothed over some seconds; where they have closed
//     the gate they open it only when they are well below their limits, so that it
//     does not flap. Without commits the latency fades: somebody has to try the disk.
//   - A place that nobody gives back, as that of a repeated invite of a call that has
//     ended, is taken back when the call has not been live for a while.
//
// Nothing here measures by itself: what is measured comes from [Sources], and the
// time with it. Nothing is kept on disk: a process that starts has no calls, and
// says so call by call where it takes some over.
package admission
