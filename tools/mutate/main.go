package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

// options are what a person may ask for.
type options struct {
	root       string
	equivalent string
	short      bool
	sample     int
	seed       uint64
	workers    int
	verbose    bool
	only       string
	quick      bool
}

func run(ctx context.Context, args []string, out io.Writer) error {
	var o options
	f := flag.NewFlagSet("mutate", flag.ContinueOnError)
	f.StringVar(&o.root, "root", "..", "the product's module")
	f.StringVar(&o.equivalent, "equivalent", "mutate/equivalent.txt", "the reviewed `file` of mutants that no test can tell")
	f.BoolVar(&o.short, "short", false, "of the machine's mutants try a sample only")
	f.IntVar(&o.sample, "sample", 80, "how many of the machine's mutants -short tries")
	f.Uint64Var(&o.seed, "seed", 1, "which of them")
	f.IntVar(&o.workers, "workers", runtime.NumCPU(), "how many runs at a time")
	f.BoolVar(&o.verbose, "v", false, "say of each mutant who killed it")
	f.StringVar(&o.only, "only", "", "try only mutants whose name contains this; say nothing of the others")
	f.BoolVar(&o.quick, "quick", false, "ask the quick tests only: what survives may yet be killed by a slow one")
	if err := f.Parse(args); err != nil {
		return err
	}
	began := time.Now()
	text, err := os.ReadFile(o.equivalent)
	if err != nil {
		return fmt.Errorf("the list of equivalent mutants: %w", err)
	}
	known, err := parseEquivalents(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", o.equivalent, err)
	}
	return mutate(ctx, o, targets(), known, out, began)
}
