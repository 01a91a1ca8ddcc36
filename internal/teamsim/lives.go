package teamsim

import (
	"github.com/recorderbot/recorderbot/internal/teamsim/referee"
	"github.com/recorderbot/recorderbot/internal/teamsim/trace"
)

// BotStarted notes that a process of the bot is about to be started, and why. To
// be called before it is. Where one was noted before and has not stopped, it is a
// handover: both live for a while. Whoever never starts the bot twice need not
// note anything.
func (s *Sim) BotStarted(why string) { s.Trace.Add(trace.Event{Kind: trace.BotStarted, Detail: why}) }

// BotStopped notes that the process that was started first, of those that live,
// is gone, and how. To be called when it is.
func (s *Sim) BotStopped(how string) { s.Trace.Add(trace.Event{Kind: trace.BotStopped, Detail: how}) }

// BotRestarted is BotStopped and BotStarted, for a process that died and is begun
// anew at once. Note BotStopped by itself where time passes in between.
func (s *Sim) BotRestarted(why string) {
	s.BotStopped(why)
	s.BotStarted(why)
}

// BotFault notes that something fails, from now on, without which the bot can't
// record, such as its disk.
func (s *Sim) BotFault(what string) { s.Trace.Add(trace.Event{Kind: trace.BotFault, Detail: what}) }

// Judge lets the referee judge all that was seen until now: call it when [Run]
// has returned and the bot has archived all. outcomes is what the bot's catalogue
// says of each call, by call ID; nil: it was not asked. Zero limits are the laws'
// own.
func (s *Sim) Judge(archive string, outcomes map[string][]string, limits referee.Limits) referee.Report {
	return referee.Judge(s.seen(archive, outcomes, limits))
}

// JudgeUnion lets the referee judge a folder that was made of the recordings of two
// calls of one conversation, by their IDs. archive holds those of both.
func (s *Sim) JudgeUnion(archive, folder, first, second string) referee.UnionReport {
	return referee.JudgeUnion(s.seen(archive, nil, referee.Limits{}), folder, first, second)
}

// seen is all that was until now.
func (s *Sim) seen(archive string, outcomes map[string][]string, limits referee.Limits) referee.Input {
	blobs := map[string]string{}
	for _, f := range s.Cloud.Calls() {
		if f.Blob != "" {
			blobs[f.ID] = f.Blob
		}
	}
	return referee.Input{
		Trace: s.Trace.Events(), Sessions: s.Sessions(), Blobs: blobs, ArchiveDir: archive, Outcomes: outcomes, Limits: limits,
	}
}
