// Package chaos plays random calls with random faults against the real program,
// orders it through its console to pause, resume and stop them, kills it at random
// moments, cuts the power of its disk, lets it drain or hand over, starts it again, and
// asks who can know what came of it: the referee, the program's own check, the
// catalogue, the journals. In half of the plans speakers are recorded apart as they come
// and go, or cameras and screens, or in short parts.
//
// # The law
//
//   - A seed is a plan, and the plan is a function of the seed alone: which calls,
//     which faults, at which step of the disk or at which event of the simulation the
//     process dies, and what of the unsynced bytes survives. Where it can, a plan names
//     the n-th thing that happens, not a time of day: played again it meets the same
//     trouble at the same point, though threads and network may still interleave in
//     another way.
//   - The process is a real one, of a build whose only difference is that durable
//     keeps a journal and dies where it is told to (build tag "chaos").
//   - Whatever happens: no law of the design is broken as the referee sees it, not a
//     sample is lost that no gap accounts for, every invite that was taken has exactly
//     one outcome, and the order is proven from the disk.
//   - What an operator was told is done was done on the wire, and stays so over the
//     death of the process: of a pause nothing is stored, and only an order ends it.
//   - The journal of each call, wherever its process died in writing it, gives the same
//     states and commands again.
//   - A process whose disk fails says so of each call that it records before it ends.
//     How long that and other faults took to be told is measured; what is too long is
//     the referee's, with much slack: the machine may be busy.
//   - In peace ([DrawPeace]), where nothing fails but what a media host says it has lost,
//     every sample that was sent is stored, to the bit, and no other.
package chaos
