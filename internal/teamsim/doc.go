// Package teamsim is Microsoft's side of a call on one machine: a cloud
// (package cloud), media hosts (package host), and scenarios that say what
// happens to them.
//
// LAW. A run is a function of its scenario and seed: the same calls with the
// same IDs in the same forms meet the same faults in the same order; only times
// differ. Nothing of the product is imported, so that the product is tested
// against the documents and not against itself.
//
// Order of use: [Start] brings up cloud and hosts, [Sim.WriteBotConfig] writes
// what a bot needs to find them (recorderbot.yaml, certificates, credential),
// the bot is started, [Sim.Run] plays the scenario and returns what was seen;
// [Sim.Judge] lets the referee judge that. [Sim.Close] ends it all. Whoever lets
// the bot die, or starts another one beside it, notes that with
// [Sim.BotStopped] and [Sim.BotStarted].
package teamsim
