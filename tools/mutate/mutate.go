package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// confirmations are how often a mutant that is listed as equivalent must be killed
// before the list is called wrong: a test may fail by itself now and then.
const confirmations = 3

// A trial is what becomes of one mutant.
type trial struct {
	mutant
	killer     string
	equivalent bool
	refuted    bool // listed as equivalent, and killed
}

// mutate tries the mutants of all targets and reports. It returns an error where one
// survived, or the list of equivalent ones is wrong.
func mutate(ctx context.Context, o options, all []target, known map[string]string, out io.Writer, began time.Time) error {
	root, err := filepath.Abs(o.root)
	if err != nil {
		return fmt.Errorf("find the module: %w", err)
	}
	scratch, err := os.MkdirTemp("", "mutate-")
	if err != nil {
		return fmt.Errorf("make a directory for the builds: %w", err)
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	rep := report{left: map[string]string{}, guards: map[string]int{}}
	maps.Copy(rep.left, known)
	for i, t := range all {
		dir := filepath.Join(scratch, fmt.Sprint(i))
		if err := os.Mkdir(dir, 0o700); err != nil {
			return fmt.Errorf("make a directory for the builds: %w", err)
		}
		b, err := newBuild(ctx, root, dir, t)
		if err != nil {
			return err
		}
		chosen := rep.choose(b.mutants[1:], o)
		if len(chosen) == 0 {
			continue
		}
		if err := b.survey(ctx, o); err != nil {
			return err
		}
		for _, s := range b.sources {
			rep.guards[s.path] += s.guards
		}
		done, err := b.try(ctx, o, chosen, out)
		if err != nil {
			return err
		}
		rep.trials = append(rep.trials, done...)
	}
	return rep.print(out, o, time.Since(began))
}

// choose marks what is listed as equivalent, and takes what the short run is for.
func (r *report) choose(all []mutant, o options) []*trial {
	var whole, sampled []*trial
	for _, m := range all {
		t := &trial{mutant: m}
		if _, t.equivalent = r.left[m.name()]; t.equivalent {
			delete(r.left, m.name())
		}
		switch {
		case !strings.Contains(m.name(), o.only), m.long && o.short:
		case m.sampled && o.short:
			sampled = append(sampled, t)
		default:
			whole = append(whole, t)
		}
	}
	slices.SortFunc(sampled, func(a, b *trial) int { return cmp.Compare(a.draw(o.seed), b.draw(o.seed)) })
	return append(whole, sampled[:min(len(sampled), o.sample)]...)
}

// draw is by name, so that a change elsewhere does not change the sample.
func (t *trial) draw(seed uint64) uint64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d %s", seed, t.name())
	return h.Sum64()
}

// try asks the quick tests about each mutant, and then the slow ones.
func (b *build) try(ctx context.Context, o options, trials []*trial, out io.Writer) ([]*trial, error) {
	var slowly sync.Once
	var surveyed error
	var mu sync.Mutex
	err := each(o.workers, trials, func(t *trial) error {
		killer, err := b.ask(ctx, t.id, false)
		if err == nil && killer == "" && !o.quick && (!o.short || !t.equivalent) {
			slowly.Do(func() { surveyed = b.surveyEach(ctx, o.workers, true) })
			if surveyed != nil {
				return surveyed
			}
			killer, err = b.ask(ctx, t.id, true)
		}
		if err != nil {
			return err
		}
		t.killer = killer
		if t.equivalent && killer != "" {
			if t.refuted, err = b.refuted(ctx, t.id); err != nil {
				return err
			}
		}
		if o.verbose {
			mu.Lock()
			defer mu.Unlock()
			fmt.Fprintf(out, "%s: %s\n", t.where(), cmp.Or(killer, "survived"))
		}
		return nil
	})
	return trials, err
}

// refuted reports whether a mutant that is listed as equivalent is killed each time.
func (b *build) refuted(ctx context.Context, id int) (bool, error) {
	for range confirmations - 1 {
		quick, err := b.ask(ctx, id, false)
		if err != nil {
			return false, err
		}
		slow := ""
		if quick == "" {
			if slow, err = b.ask(ctx, id, true); err != nil {
				return false, err
			}
		}
		if quick == "" && slow == "" {
			return false, nil
		}
	}
	return true, nil
}

var errSurvived = errors.New("a guard can go, and no test sees it: add the test, or take the guard out")
