package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/recorderbot/recorderbot/internal/catalogue"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// errReplay: the journal is not what the machine would have done.
var errReplay = errors.New("the machine of this version would have done otherwise")

type recordingsReplay struct {
	Config string `default:"recorderbot.yaml" help:"Configuration file."`
	ID     string `arg:"" name:"call" help:"The call, or one of its recordings."`
	Quiet  bool   `help:"Print differences only."`
}

// Run feeds a call's journal to the machine again, and shows that the same states
// and commands come out: what the bot did is what the law says it does.
func (cmd recordingsReplay) Run(c *console) error {
	return withCatalogue(c, cmd.Config, func(cat *catalogue.Catalogue, _ string) error {
		found, err := cat.Find(c.ctx, cmd.ID)
		if err != nil {
			return err
		}
		call := found[0].Call
		steps, err := replayCall(c.ctx, cat, call)
		differ := 0
		for _, s := range steps {
			if s.Differs != "" {
				differ++
			} else if cmd.Quiet {
				continue
			}
			fmt.Fprintf(c.out, "%4d  %-18s → %s\n", s.Seq, s.Event, s.State)
			for _, command := range s.Commands {
				fmt.Fprintf(c.out, "        %s\n", command)
			}
			if s.Differs != "" {
				fmt.Fprintf(c.out, "      ! %s\n", s.Differs)
			}
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(c.out, "call %s: %d steps replayed, %d differ\n", call, len(steps), differ)
		if differ > 0 {
			return fmt.Errorf("%w; if the journal is of another version, ask that one", errReplay)
		}
		return nil
	})
}

// replayCall replays the journal of one call.
func replayCall(ctx context.Context, cat *catalogue.Catalogue, call recorder.CallID) ([]recorder.Step, error) {
	journal, err := cat.Journal(ctx, call)
	if err != nil {
		return nil, err
	}
	lines := make([]recorder.Line, len(journal))
	for i, e := range journal {
		lines[i] = recorder.Line{Seq: e.Seq, Kind: recorder.EntryKind(e.Kind), Data: e.Data}
	}
	steps, err := recorder.Replay(call, lines)
	if err == nil && len(steps) == 0 && len(journal) > 0 {
		return nil, fmt.Errorf("the journal of call %s has no steps of the machine: an older version wrote it", call)
	}
	return steps, err
}
