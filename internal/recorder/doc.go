// Package recorder owns the life of one recorded call: when it may be
// recorded, and when the platform is told.
//
// # The law
//
// Microsoft allows a bot to record or otherwise persist media only after
// updateRecordingStatus(recording) got a success reply, and demands that the
// recording has ended before the end is announced (Graph, call:
// updateRecordingStatus). This package makes the order a chain of values, each
// of which can only be made from the one before:
//
//	announcement ─▶ 2xx + Operation{completed, our client context} ─mint─▶ Permit
//	      ─Media.Open─▶ frames ─Media.Seal─▶ SealReport ─▶ announcement(notRecording)
//
// Success is both: a 2xx of the request itself, and the operation's completion,
// in the reply or told later. Whichever is seen first waits for the other; a
// completion that overtakes a refusal grants nothing.
//
// # How it holds
//
//   - A call is one goroutine with one mailbox (Call). Its state is a local
//     variable of that goroutine.
//   - A state is a struct of its own that holds only what is true in it: only
//     recording and sealing know a permit, only announcing the announcement
//     whose reply they await. state.on is pure and total: every state names
//     every event, and says what is to be done as values (Command). The table
//     of all of them is testdata/transitions.golden.
//   - A Permit comes out of mint and nowhere else; its zero value is inert.
//   - Announcements of one call are one at a time: a newer one cuts the request
//     before it and waits until that is over, so that what we said last is what
//     the platform heard last.
//   - What is done, and what came of it, is in the journal (Ledger) before the
//     machine learns of it: an event about an announcement does not exist
//     until it is durable. A crash between any two lines leaves a journal that
//     says what was asked, and a spool that says what was allowed.
//   - TestEveryReachableState explores the machine itself, not a model of it:
//     from an invite, every outcome of every piece of work in any order, with any
//     notification, fault, order of an operator, panic and clock at any moment and
//     as often as it likes, and a crash with a takeover behind any event, known to
//     the journal or not. In each state the laws hold, something leads on, and an
//     end can be reached. It is bounded in announcements, crashes and hang-ups of a
//     call (flags explore.*; make explore goes further). Not in it: time as such
//     (that what is owed comes within two seconds is the clocks' lengths, and tests
//     in virtual time), what media hosts remember, and SQL and disk.
//   - A monitor that shares no code with the machine watches the commands and
//     refuses one that would break the order (order_violations_total).
//
// docs/order.md says all this to people, and which test shows what.
//
// # States
//
//	invited → answering → announcing → recording → sealing → retracting → leaving → ended
//	   └▶ rejecting ─▶ ended   ▲  ▲                                │  └▶ staying ─▶ leaving
//	             resume        │  └──────────── paused ◀───────────┘
//	             takeover      reviving
//
// Only recording and sealing know a permit. A call has a recording for each permit:
// after a pause the next announcement, and its success, make another. staying comes
// after a failure where the policy is to stay in the call, and ended from anywhere
// when the platform drops the call and nothing is open. All edges are in
// docs/order.md, made from the golden table.
//
// # Takeover
//
// A permit never survives its process. The next one takes each call without an
// outcome up (Registry.TakeUp) from the Memory in its journal and from what the
// spool holds: on the way out it goes on where it was; what was being recorded, or
// about to be, is reviving: it asks whether the call lives, announces recording
// anew, and only after its success goes on with the next frame, as another
// recording. What the dead process left unsealed is sealed when that begins, or
// when it can't; then the call has failed. Replay feeds a journal, takeovers and
// all, to the machine again. All calls of a dead process are live before the first goes
// on (Hold, GoOn), so that the doors can be opened between the two.
//
// The package imports nothing of ours, no net/http and no os. What it needs of
// the world are the ports Platform, Media and Ledger.
package recorder
