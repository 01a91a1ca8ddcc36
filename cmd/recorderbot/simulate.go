package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/recorderbot/recorderbot/internal/media/durable"
	"github.com/recorderbot/recorderbot/internal/teamsim"
	"github.com/recorderbot/recorderbot/internal/teamsim/cloud"
	"github.com/recorderbot/recorderbot/internal/teamsim/referee"
)

// botPatience is how long the simulator waits for a bot to come up.
const botPatience = 5 * time.Minute

type simulateCommand struct {
	Dir      string        `default:"recorderbot-simulation" help:"Folder for certificates and the configuration of the bot; it must be empty or not exist."`
	Scenario string        `default:"one-call" help:"A built-in scenario's name, or a scenario file (YAML)."`
	List     bool          `help:"List the built-in scenarios and stop."`
	Seed     uint64        `help:"Another seed than the scenario's."`
	Settle   time.Duration `default:"15s" help:"How long to wait, after the last call, for the bot's archive."`
}

// Run plays a scenario against a recorderbot that the user starts beside it,
// and judges what it did.
func (cmd simulateCommand) Run(c *console) error {
	if cmd.List {
		return cmd.list(c)
	}
	scenario, err := cmd.scenario()
	if err != nil {
		return err
	}
	if entries, readErr := os.ReadDir(cmd.Dir); readErr == nil && len(entries) > 0 {
		return fmt.Errorf("--dir %s is not empty; name another folder, or remove it", cmd.Dir)
	}
	if err = durable.MkdirAll(cmd.Dir, 0o750); err != nil {
		return err
	}
	sim, err := teamsim.Start(scenario, teamsim.Options{Dir: filepath.Join(cmd.Dir, "simulator")})
	if err != nil {
		return err
	}
	defer func() { _ = sim.Close() }()
	config, err := sim.WriteBotConfig(cmd.Dir, teamsim.BotOptions{})
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "Start the bot in another terminal:\n\n  recorderbot serve --config %s\n\nThe scenario %q begins when it is ready.\n", shortPath(config.File), scenario.Name)
	if err = waitOps(c.ctx, config.Ops, botPatience); err != nil {
		return err
	}
	fmt.Fprintln(c.out, "The bot is ready.")
	watching, done := context.WithCancel(c.ctx)
	defer done()
	go watchLives(watching, config.Ops, sim)
	result, err := sim.Run(c.ctx, config.URL)
	if err != nil {
		return err
	}
	fmt.Fprintln(c.out, "The calls are over; waiting for the archive.")
	waitArchive(c.ctx, config, answered(result.Calls), cmd.Settle)
	return cmd.judge(c, sim, result, config)
}

// answered is how many calls may end up in the archive: what was turned down never
// does.
func answered(calls []cloud.Facts) (n int) {
	for i := range calls {
		if !calls[i].Answered.IsZero() {
			n++
		}
	}
	return n
}

func (cmd simulateCommand) list(c *console) error {
	w := tabwriter.NewWriter(c.out, 0, 4, 2, ' ', 0)
	for _, name := range teamsim.BuiltinNames() {
		s, err := teamsim.Builtin(name)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s\t%s\n", name, s.About)
	}
	return w.Flush()
}

func (cmd simulateCommand) scenario() (s teamsim.Scenario, err error) {
	data, err := os.ReadFile(cmd.Scenario)
	switch {
	case err == nil:
		s, err = teamsim.ReadScenario(data)
	case errors.Is(err, os.ErrNotExist):
		s, err = teamsim.Builtin(cmd.Scenario)
	}
	if err != nil {
		return s, fmt.Errorf("--scenario %s: %w; --list shows the built-in ones", cmd.Scenario, err)
	}
	if cmd.Seed != 0 {
		s.Seed = cmd.Seed
	}
	return s, nil
}

func (cmd simulateCommand) judge(c *console, sim *teamsim.Sim, result teamsim.Result, config teamsim.BotConfig) error {
	verdict := sim.Judge(config.Archive, nil, referee.Limits{})
	outcomes := map[string]int{}
	for _, call := range verdict.Calls {
		outcomes[call.Outcome]++
	}
	fmt.Fprintf(c.out, "calls %d, samples sent %d, stored %d, gaps %d\n", len(result.Calls), verdict.SamplesSent, verdict.SamplesStored, verdict.GapSamples)
	fmt.Fprintf(c.out, "every sample of the sessions, at each track: %v\n", &verdict.Account)
	fmt.Fprintf(c.out, "invite to answer: %v\ninvite to rejection: %v\nestablished to announcement: %v\n", result.Answer, result.Reject, result.Announce)
	for outcome, n := range outcomes {
		if outcome == "" {
			outcome = "nothing archived"
		}
		fmt.Fprintf(c.out, "%s: %d\n", outcome, n)
	}
	for _, f := range result.Faults {
		fmt.Fprintln(c.out, "the simulation itself:", f)
	}
	for _, v := range verdict.Violations {
		fmt.Fprintln(c.out, "VIOLATION", v)
	}
	if n := len(verdict.Violations); n > 0 {
		return fmt.Errorf("%d violations", n)
	}
	_, err := fmt.Fprintln(c.out, "no violation")
	return err
}
