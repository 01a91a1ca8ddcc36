package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A test is one of the package's, and what it does when no mutant is awake.
type test struct {
	name    string
	slow    bool
	took    time.Duration
	reaches map[int]bool // mutants whose guard it comes by
}

// patience is for how long a run may be silent beyond what its tests take: a machine
// shared with others is slow now and then, and a mutant that hangs is as dead as one
// that fails.
const patience = 2 * time.Second

// atATime is how many tests run in one process: most of them wait for something.
const atATime = 4

// nimble is what a test takes that is asked before the others.
const nimble = 400 * time.Millisecond

// A result is what came of one run of the binary.
type result struct {
	failed string // the test that failed, or how else it ended; empty: all passed
	output string
	took   time.Duration
}

// errHangs ends a run of which nothing is heard any more.
var errHangs = errors.New("it hangs")

// run runs tests with a mutant awake (0: none), and stops at the first failure, or when
// no test has begun or ended for as long as limit.
func (b *build) run(ctx context.Context, id int, reached string, limit time.Duration, names ...string) (result, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(limit, func() { cancel(errHangs) })
	defer silence.Stop()
	cmd := exec.CommandContext(ctx, b.binary, "-test.run", "^("+strings.Join(names, "|")+")$", "-test.v", "-test.short", "-test.timeout", "10m",
		"-test.parallel", strconv.Itoa(atATime))
	cmd.Dir = b.work
	cmd.Env = append(os.Environ(), "MUTANT="+strconv.Itoa(id), "MUTANT_REACHED="+reached)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // tests have children
	kill := func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Cancel, cmd.WaitDelay = kill, time.Second
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return result{}, fmt.Errorf("run the tests: %w", err)
	}
	cmd.Stderr = cmd.Stdout
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return result{}, fmt.Errorf("run the tests: %w", err)
	}
	var r result
	lines := bufio.NewScanner(pipe)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		silence.Reset(limit)
		if len(r.output) < 1<<16 {
			r.output += line + "\n"
		}
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "--- FAIL: "); ok && r.failed == "" {
			r.failed, _, _ = strings.Cut(name, " ")
			_ = kill()
		}
	}
	_ = kill() // what is left of a line that was too long, and of children
	err = cmd.Wait()
	r.took = time.Since(began)
	switch {
	case r.failed != "" || err == nil:
	case errors.Is(context.Cause(ctx), errHangs):
		r.failed = fmt.Sprintf("silence for %v", limit.Round(time.Millisecond))
	case ctx.Err() != nil:
		return result{}, ctx.Err()
	default:
		r.failed = "the process: " + err.Error()
	}
	return r, nil
}

// survey lists the tests, and runs each alone, awake nothing, to learn how long it
// takes and which guards it reaches. All must pass. Slow ones wait until they are
// needed.
func (b *build) survey(ctx context.Context, o options) error {
	cmd := exec.CommandContext(ctx, b.binary, "-test.list", ".")
	cmd.Dir = b.work
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("list the tests of %s: %w", b.target.dir, err)
	}
	for name := range strings.Lines(string(out)) {
		name = strings.TrimSpace(name)
		if !strings.HasPrefix(name, "Test") && !strings.HasPrefix(name, "Fuzz") || b.target.ignores(name, o.short) {
			continue
		}
		b.tests = append(b.tests, &test{name: name, slow: b.target.slow != nil && b.target.slow.MatchString(name)})
	}
	return b.surveyEach(ctx, o.workers, false)
}

func (b *build) surveyEach(ctx context.Context, workers int, slow bool) error {
	return each(workers, b.tests, func(t *test) error {
		if t.slow != slow {
			return nil
		}
		reached := filepath.Join(b.scratch, "reached-"+t.name)
		r, err := b.run(ctx, 0, reached, 5*time.Minute, t.name)
		if err != nil {
			return err
		}
		if r.failed != "" {
			return fmt.Errorf("%s fails without any mutant (%s):\n%s", t.name, r.failed, r.output)
		}
		t.took = r.took
		t.reaches, err = readReached(reached)
		return err
	})
}

func readReached(path string) (map[int]bool, error) {
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("what a test reached: %w", err)
	}
	ids := map[int]bool{}
	for line := range strings.Lines(string(text)) {
		id, err := strconv.Atoi(strings.TrimSpace(line))
		if err != nil {
			return nil, fmt.Errorf("what a test reached: %w", err)
		}
		ids[id] = true
	}
	return ids, nil
}

// ask runs the tests, slow or not, that reach a mutant; those first that are nimble. It
// returns who killed it, empty if nobody did.
func (b *build) ask(ctx context.Context, id int, slow bool) (string, error) {
	var names [2][]string
	var most [2]time.Duration
	for _, t := range b.tests {
		if t.slow != slow || !t.reaches[id] {
			continue
		}
		turn := 0
		if t.took > nimble {
			turn = 1
		}
		names[turn], most[turn] = append(names[turn], t.name), max(most[turn], t.took)
	}
	for turn := range names {
		if len(names[turn]) == 0 {
			continue
		}
		if r, err := b.run(ctx, id, "", patience+2*most[turn], names[turn]...); err != nil || r.failed != "" {
			return r.failed, err
		}
	}
	return "", nil
}

// each calls f for all, some at a time, and returns the first error.
func each[T any](workers int, all []T, f func(T) error) error {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var first error
	work := slices.Clone(all)
	for range workers {
		wg.Go(func() {
			for {
				mu.Lock()
				if len(work) == 0 || first != nil {
					mu.Unlock()
					return
				}
				one := work[0]
				work = work[1:]
				mu.Unlock()
				if err := f(one); err != nil {
					mu.Lock()
					first = errors.Join(first, err)
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return first
}
