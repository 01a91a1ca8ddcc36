// The command plays chaos: see package chaos, and "make chaos".
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/recorderbot/recorderbot/internal/chaos"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, out, errOut io.Writer) int {
	flags := flag.NewFlagSet("chaos", flag.ContinueOnError)
	flags.SetOutput(errOut)
	var o chaos.Options
	flags.IntVar(&o.Count, "seeds", 100, "how many seeds")
	flags.Uint64Var(&o.First, "first", 1, "the first seed")
	seed := flags.Uint64("seed", 0, "play this seed alone, and tell all")
	flags.IntVar(&o.AtOnce, "at-once", 3, "how many at the same time")
	flags.StringVar(&o.Dir, "dir", "", "where to keep the files; default: in memory")
	times := flags.Int("times", 1, "how often to play that seed")
	exact := flags.Int("exact", 0, "play so many calls in peace instead, and count samples")
	words := flags.Bool("plan", false, "only tell the plans")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	o.Draw = chaos.Draw
	if *exact > 0 {
		o.Count, o.Draw = chaos.Peace(*exact)
	}
	if *seed != 0 {
		o.First, o.Count, o.Again = *seed, *times, true
	}
	if *words {
		for i := range o.Count {
			fmt.Fprint(out, o.Draw(o.First+uint64(i)).Words())
		}
		return 0
	}
	if err := play(ctx, o, *exact > 0, out, errOut); err != nil {
		fmt.Fprintln(errOut, "chaos:", err)
		return 1
	}
	return 0
}

// play builds the program and plays the seeds.
func play(ctx context.Context, o chaos.Options, exact bool, out, errOut io.Writer) error {
	bin, err := os.MkdirTemp("", "recorderbot-chaos-bin-")
	if err != nil {
		return fmt.Errorf("make a folder for the program: %w", err)
	}
	defer func() { _ = os.RemoveAll(filepath.Clean(bin)) }()
	if o.Bot, err = chaos.Build(ctx, ".", bin); err != nil {
		return err
	}
	o.Over = func(v chaos.Verdict) {
		if !v.Good() || o.Count == 1 {
			fmt.Fprintln(out, v)
		}
	}
	o.Each = func(done int) {
		if done%50 == 0 && done < o.Count {
			fmt.Fprintf(errOut, "%d of %d seeds\n", done, o.Count)
		}
	}
	summary, err := chaos.Run(ctx, o)
	if err != nil {
		fmt.Fprintln(errOut, "chaos:", err)
	}
	fmt.Fprintln(errOut, summary.Tried())
	fmt.Fprintln(out, summary)
	if exact {
		fmt.Fprintln(errOut, "every sample of the sessions, at each track:", &summary.Account)
		fmt.Fprintln(out, summary.Exact())
	}
	if !summary.Good() || exact && !summary.IsExact() || err != nil {
		return fmt.Errorf("not all is well")
	}
	return nil
}
