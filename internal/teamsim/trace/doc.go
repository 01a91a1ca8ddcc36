// Package trace is the simulator's memory of what it saw and what it sent.
//
// LAW. The order of the log is the order of the calls to [Log.Add]: an event
// with a smaller Index was added earlier, whatever its At says. What another
// side may act upon is added before it is sent (a reply, a notification), and
// what another side did is added when it is received; so an effect never has
// a smaller Index than its cause. Nothing is ever changed or taken away.
//
// The log is the referee's material, not an account of the bot's words: only
// requests that arrived, replies that were sent and effects on the simulated
// platform are in it. Frames are too many for it; the simulated media host
// keeps them in a form of its own.
package trace
