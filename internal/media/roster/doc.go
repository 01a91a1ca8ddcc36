// Package roster follows who is in a call, with which streams, and who was.
//
// # Law
//
//   - The newest word counts, about each thing that is said of a participant on its
//     own (there or gone, in the lobby, muted, the streams, the identity, the name).
//     Rosters that come late, twice or in another order change nothing that a newer
//     one has said. Whatever was lost, a whole roster that is newer than all before
//     it sets all to rights.
//   - Nothing is guessed: what a roster does not mention stays as it was.
//   - Memory and time are bounded, whatever comes in; what had no room is counted.
//   - The same rosters in the same order give the same result: the archive, from the
//     journal, sees what was seen live.
//
// # Which word is newer
//
// Numbers decide where both have one, and time where one has none.
//
// A delta has a number that "is used to identify the notification order", and each
// participant the number of the roster "in which the participant was last updated"
// (Graph, deltaParticipants and participant). A whole list has none of its own: it
// is at least as new as the newest of those whom it names. So whoever is missing in
// it has left if he was last updated before that; whoever was updated after it may
// have left, or not have come yet, and then the list is taken as it comes, unless it
// says something of somebody else that is known to be old.
//
// A list that we asked for (GET participants) is as old as the question: between it
// and the reply a notification may have told something newer, and that stands.
//
// Numbers may begin anew; nobody says whether they do. Several deltas in ascending
// order, with nothing newer between, that cannot be late ones are taken for that:
// each has the number of another one that was seen before, or is far behind. So are
// many whole lists that are all old.
//
// # Sources
//
// A source ID belongs to the participant whose roster entry lists it, per media type,
// whatever its direction (a call on hold keeps its stream, comms-samples #618). Where
// two claim it, the claim that came last counts: the platform may hand a number on, and the
// word that the one before has lost it may be late or lost. A whole list that names two
// with it says that they share it, as telephones do. 0 and 0xFFFFFFFF are
// nobody's: they mean the mix and none.
//
// # Use
//
// A [Roster] knows how things stand now; the media side keeps one for each call. A
// [History] remembers when they changed; the archive makes one from the journal. A
// [Speaking] gathers from the host's words of who speaks the times at which each
// source did. None of them is safe for concurrent use, and none does anything but
// compute.
//
// BUG(roster): A list that names nobody is taken for what it says. Teams was seen to
// send such ones of calls that went on (comms-samples #453, #599); the next roster
// brings everyone back, with a hole in between.
package roster
