package chaos

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Build makes the program, with the journal of a power cut in it, in dir.
func Build(ctx context.Context, root, dir string) (string, error) {
	out := filepath.Join(dir, "recorderbot")
	cmd := exec.CommandContext(ctx, "go", "build", "-tags", "chaos", "-o", out, "./cmd/recorderbot") //nolint:gosec // our own program
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build recorderbot: %w\n%s", err, text)
	}
	return out, nil
}

// A child is one process of the bot.
type child struct {
	cmd   *exec.Cmd
	born  int           // how many events there were
	ended chan struct{} // closed when it is over
	err   error         // how; readable then

	ready     bool           // it took calls
	listening sync.WaitGroup // to what fails in it
	failed    time.Time      // since when it can't store; readable when it was waited for
}

// start starts the n-th process of the bot, from 0, with what its command takes more.
func (p *play) start(n int, more ...string) (*child, error) {
	l := p.life(n)
	log, err := os.CreateTemp(p.dir, fmt.Sprintf("recorderbot-%d-*.log", n+1))
	if err != nil {
		return nil, fmt.Errorf("start the bot: %w", err)
	}
	defer func() { _ = log.Close() }()                      // it has a descriptor of its own
	cmd := exec.Command(p.bot, p.args("serve", more...)...) //nolint:gosec,noctx // killed by hand, as the plan says
	cmd.Env = append(environ(), "CHAOS_DIR="+p.journal(), "CHAOS_KILL="+l.Kill, "CHAOS_FAIL="+l.Fail, "CHAOS_TELL=3")
	if l.Slow > 0 {
		cmd.Env = append(cmd.Env, "CHAOS_SLOW="+l.Slow.String())
	}
	cmd.Stdout, cmd.Stderr = log, log
	p.sim.BotStarted(l.String())
	born := p.sim.Trace.Len()
	// Should this process be killed, nothing of it may stay behind.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	c := &child{cmd: cmd, ended: make(chan struct{}), born: born}
	heard, told, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start the bot: %w", err)
	}
	cmd.ExtraFiles = []*os.File{told} // descriptor 3
	err = cmd.Start()
	_ = told.Close() // the child has its own
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the bot: %w", err), heard.Close())
	}
	c.listening.Go(func() { p.listen(c, heard) })
	p.logs = append(p.logs, log.Name())
	go func() {
		c.err = cmd.Wait()
		close(c.ended)
	}()
	return c, nil
}

// spoolFailed is how the fault of a disk is called.
const spoolFailed = " of the spool failed"

// listen notes when the process's spool begins to fail: then it can't record. What
// else fails, of the archive, is done again.
func (p *play) listen(c *child, heard io.ReadCloser) {
	defer func() { _ = heard.Close() }()
	lines := bufio.NewScanner(heard)
	for lines.Scan() {
		kind, path, _ := strings.Cut(lines.Text(), " ")
		if kind == "name" || filepath.Dir(path) != p.config.Spool || !c.failed.IsZero() {
			continue
		}
		c.failed = time.Now()
		p.sim.BotFault("a " + kind + spoolFailed)
	}
}

// environ is ours without what the bot or its disk would take for theirs.
func environ() []string {
	var env []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "CHAOS_") && !strings.HasPrefix(e, "RECORDERBOT_") {
			env = append(env, e)
		}
	}
	return env
}

func (p *play) args(command string, more ...string) []string {
	return append([]string{command, "--config", p.config.File}, more...)
}

// run runs one of the bot's commands on the state that it has left.
func (p *play) run(ctx context.Context, command ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, commandLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.bot, append(command, "--config", p.config.File)...) //nolint:gosec // our own program
	cmd.Env = environ()
	return cmd.CombinedOutput()
}

// killed tells whether the process is over by SIGKILL.
func (c *child) killed() bool {
	exit, ok := errors.AsType[*exec.ExitError](c.err)
	if !ok {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// dies tells whether it has ended, or does so in a moment: the other one may have
// been seen to end first.
func (c *child) dies() bool {
	select {
	case <-c.ended:
		return true
	case <-time.After(500 * time.Millisecond):
		return false
	}
}

// kill ends it at once, and waits until it is over.
func (c *child) kill() {
	_ = c.cmd.Process.Kill() // over already
	<-c.ended
}

// ready waits until the bot says that it takes calls; false when it has ended, or
// the time is up.
func (p *play) ready(ctx context.Context, c *child) bool {
	limit := time.NewTimer(readyLimit)
	defer limit.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if p.asked(ctx) {
			return true
		}
		select {
		case <-tick.C:
		case <-c.ended:
			return false
		case <-limit.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

func (p *play) asked(ctx context.Context) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.config.Ops+"/readyz", http.NoBody)
	if err != nil {
		return false
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}
