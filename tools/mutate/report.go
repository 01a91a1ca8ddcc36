package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// A report is all that was tried.
type report struct {
	trials []*trial
	guards map[string]int    // by file
	left   map[string]string // entries of the list that name no mutant
}

func (t *trial) where() string {
	return fmt.Sprintf("%s:%d:%d %s: %s => %s", t.pos.Filename, t.pos.Line, t.pos.Column, t.function, t.guard, t.mutation)
}

type count struct{ mutants, killed, equivalent, survived int }

func (c *count) add(t *trial) {
	c.mutants++
	switch {
	case t.equivalent:
		c.equivalent++
	case t.killer != "":
		c.killed++
	default:
		c.survived++
	}
}

// print writes the table, what is wrong, and the line that sums it up.
func (r *report) print(out io.Writer, o options, took time.Duration) error {
	files := map[string]*count{}
	var all count
	for _, t := range r.trials {
		if files[t.pos.Filename] == nil {
			files[t.pos.Filename] = &count{}
		}
		files[t.pos.Filename].add(t)
		all.add(t)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "guards\tmutants\tkilled\tequivalent\tsurvived\t  file")
	for _, name := range slices.Sorted(maps.Keys(files)) {
		c := files[name]
		fmt.Fprintf(w, "%d\t%d\t%d\t%d\t%d\t  %s\n", r.guards[name], c.mutants, c.killed, c.equivalent, c.survived, name)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	err := r.faults(out, o)
	fmt.Fprintf(out, "%v, %s\n", took.Round(time.Second), extent(o))
	if _, werr := fmt.Fprintf(out, "mutation: %d mutants, %d killed, %d equivalent, %d survived\n", all.mutants, all.killed, all.equivalent, all.survived); werr != nil {
		return fmt.Errorf("write the report: %w", werr)
	}
	return err
}

func extent(o options) string {
	switch {
	case o.only != "":
		return "only " + o.only
	case o.short:
		return fmt.Sprintf("of the machine a sample (seed %d)", o.seed)
	}
	return "the whole"
}

// faults says what is wrong, line by line.
func (r *report) faults(out io.Writer, o options) error {
	var errs []error
	survived, refuted := 0, 0
	for _, t := range r.trials {
		switch {
		case t.refuted:
			refuted++
			fmt.Fprintf(out, "listed as equivalent, but killed by %s: %s\n", t.killer, t.where())
		case !t.equivalent && t.killer == "":
			survived++
			fmt.Fprintf(out, "survived: %s\n", t.where())
		}
	}
	if survived > 0 {
		errs = append(errs, errSurvived)
	}
	if refuted > 0 {
		errs = append(errs, errors.New("the list of equivalent mutants is wrong: take out what is killed"))
	}
	stale := slices.Sorted(maps.Keys(r.left))
	for _, name := range stale {
		if strings.Contains(name, o.only) {
			fmt.Fprintf(out, "listed as equivalent, but there is no such mutant: %s\n", name)
		}
	}
	if len(stale) > 0 {
		errs = append(errs, errors.New("the list of equivalent mutants names what is not there: take it out"))
	}
	return errors.Join(errs...)
}
