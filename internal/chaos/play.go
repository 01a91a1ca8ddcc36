package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/recorderbot/recorderbot/internal/media/durable/powercut"
	"github.com/recorderbot/recorderbot/internal/teamsim"
	"github.com/recorderbot/recorderbot/internal/teamsim/trace"
)

// The bounds of a seed. Each is long enough for a machine that is busy with
// others.
const (
	readyLimit   = 20 * time.Second
	drainLimit   = 30 * time.Second
	commandLimit = 30 * time.Second
	seedLimit    = 3 * time.Minute
	moreLives    = 3               // beyond the plan
	letGo        = 8 * time.Second // whoever hands over ends by then, whatever became of the heir
)

// play is one seed being played.
type play struct {
	plan   Plan
	bot    string // the program
	dir    string
	sim    *teamsim.Sim
	config teamsim.BotConfig
	client *http.Client
	random *rand.Rand // what survives power cuts

	operators *operators
	gaveUp    []ending

	result chan outcome // of the calls, once
	over   *outcome     // set when it was received
	deaths []death
	story  []string // what happened, for people
	faults []string // what must not have happened, but for the referee's
	logs   []string // of the processes, in order
}

// outcome is what the simulation has returned.
type outcome struct {
	result teamsim.Result
	err    error
}

// death is a time without a bot that is ready.
type death struct{ from, to time.Time }

// ending is of a process that took calls, from when it couldn't store any more.
type ending struct{ from, to time.Time }

func (p *play) journal() string { return filepath.Join(p.dir, "powercut") }

func (p *play) tell(format string, args ...any) {
	p.story = append(p.story, time.Now().UTC().Format("15:04:05.000")+" "+fmt.Sprintf(format, args...))
}

func (p *play) fault(format string, args ...any) {
	p.faults = append(p.faults, fmt.Sprintf(format, args...))
	p.tell("FAULT "+format, args...)
}

// playSeed plays one plan in dir and returns what came of it.
func playSeed(ctx context.Context, bot, dir string, pki *teamsim.PKI, plan Plan) (Verdict, error) {
	ctx, cancel := context.WithTimeout(ctx, seedLimit)
	defer cancel()
	p := &play{
		plan: plan, bot: bot, dir: dir, client: &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}},
		random: rand.New(rand.NewPCG(plan.Seed, 0xc2b2ae3d27d4eb4f)), //nolint:gosec // what a disk loses is no secret
		result: make(chan outcome, 1),
	}
	var err error
	if p.sim, err = teamsim.Start(plan.Scenario, teamsim.Options{Dir: filepath.Join(dir, "simulator"), PKI: pki}); err != nil {
		return Verdict{}, err
	}
	defer func() { _ = p.sim.Close() }()
	if p.config, err = p.sim.WriteBotConfig(dir, teamsim.BotOptions{SegmentSize: "4MiB"}); err != nil {
		return Verdict{}, err
	}
	if err = p.employ(); err != nil {
		return Verdict{}, err
	}
	working, stop := context.WithCancel(ctx)
	defer stop()
	p.operators.work(working, plan.Orders)
	err = p.lives(ctx)
	stop()
	if err != nil {
		return Verdict{}, fmt.Errorf("seed %d: %w", plan.Seed, err)
	}
	return p.verdict(ctx)
}

// life is the n-th process's, from 0.
func (p *play) life(n int) Life {
	if n < len(p.plan.Lives) {
		return p.plan.Lives[n]
	}
	return Life{}
}

// lives lets one process after the other live, until one has ended in peace when
// all calls were over.
func (p *play) lives(ctx context.Context) error {
	placed := false
	down := death{from: time.Now()}
	var heir *child // has taken over, or tried to
	for n := 0; n < len(p.plan.Lives)+moreLives; n++ {
		l, c, handed := p.life(n), heir, heir != nil
		heir = nil
		var err error
		if !handed {
			if c, err = p.start(n); err != nil {
				return err
			}
		}
		if p.ready(ctx, c) {
			if down.to = time.Now(); !handed {
				p.deaths = append(p.deaths, down)
			}
			c.ready = true
			p.tell("process %d is ready", n+1)
			if !placed {
				placed = true
				go p.calls(ctx)
			}
			p.operators.all(ctx, l.First)
			if heir, err = p.await(ctx, n, c); err != nil {
				return err
			}
		}
		peace := p.bury(ctx, n, c, heir)
		if !handed || !down.to.IsZero() {
			down = death{from: time.Now()}
		}
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("process %d: %w", n+1, context.Cause(ctx))
		case heir != nil:
			continue
		case peace && p.over != nil:
			return p.over.err
		}
		if err = p.pause(ctx, l.Down); err != nil {
			return err
		}
	}
	p.fault("no process has ended in peace")
	return nil
}

// calls plays the scenario.
func (p *play) calls(ctx context.Context) {
	result, err := p.sim.Run(ctx, p.config.URL)
	p.result <- outcome{result, err}
}

// await returns when the process has ended, or was told to, or with the one that
// follows it without a break.
func (p *play) await(ctx context.Context, n int, c *child) (heir *child, err error) {
	l := p.life(n)
	watching, stop := context.WithCancel(ctx)
	defer stop()
	moment := p.moment(watching, c, l)
	results := p.result
	var late <-chan time.Time
	if p.over != nil {
		results = nil
		if l.On == "" {
			p.drain(c, 0)
			return nil, nil
		}
		// The calls are over: what has not come does not come.
		late = time.After(100 * time.Millisecond)
	}
	for {
		select {
		case <-c.ended:
		case <-late:
			p.drain(c, 0)
		case o := <-results:
			p.over = &o
			p.tell("the calls are over")
			p.drain(c, 0)
		case <-moment:
			if l.Handover {
				if heir, err = p.handOver(ctx, n, c); heir == nil && err == nil {
					moment, late = nil, nil // it goes on
					if p.over != nil {
						p.drain(c, 0)
						return nil, nil
					}
					continue
				}
				return heir, err
			}
			p.end(ctx, c, l)
		case <-ctx.Done():
		}
		return nil, nil
	}
}

// moment is closed when the process's has come to end before its time.
func (p *play) moment(ctx context.Context, c *child, l Life) <-chan struct{} {
	moment := make(chan struct{})
	if l.On == "" {
		return moment
	}
	go func() {
		seen := 0
		_, err := p.sim.Trace.Wait(ctx, func(e trace.Event) bool {
			if e.Index >= c.born && e.Kind == l.On {
				seen++
			}
			return seen == l.Nth
		})
		if err == nil && p.pause(ctx, l.After) == nil {
			close(moment)
		}
	}()
	return moment
}

// end ends a process as its life says.
func (p *play) end(ctx context.Context, c *child, l Life) {
	if l.Drain {
		p.drain(c, l.Hurry)
		return
	}
	if l.Last != "" {
		p.operators.all(ctx, l.Last)
		p.pauseQuietly(l.Ahead)
	}
	p.tell("killed by plan")
	c.kill()
}

// handOver starts the process that takes over from the n-th, and returns it when that
// one has ended; nil: it was turned down, or has died before it had anything, and the
// other goes on.
func (p *play) handOver(ctx context.Context, n int, c *child) (*child, error) {
	if l := p.life(n); l.Last != "" {
		p.operators.all(ctx, l.Last)
		p.pauseQuietly(l.Ahead)
	}
	p.tell("process %d is to take over", n+2)
	heir, err := p.start(n+1, "--handover")
	if err != nil {
		return nil, err
	}
	select {
	case <-c.ended:
		if p.life(n).Fail == "" || !heir.dies() || heir.killed() {
			return heir, nil
		}
		// Who gives up lets nobody take over: what it leaves is taken up at a start.
	case <-heir.ended:
	case <-ctx.Done():
		heir.kill()
		return nil, nil
	}
	// Where the heir died in the middle, the other one ends on its own.
	select {
	case <-c.ended:
		if p.life(n).Fail == "" || heir.killed() {
			return heir, nil
		}
	case <-time.After(letGo):
	}
	heir.listening.Wait()
	p.sim.BotStopped(fmt.Sprint(heir.err))
	if !heir.killed() && p.life(n).Fail == "" && p.life(n+1).Fail == "" {
		p.fault("process %d did not take over: %v", n+2, heir.err)
	}
	p.tell("process %d goes on: %v", n+1, heir.err)
	return nil, nil
}

// drain tells the process to end when its calls have; where hurry is not 0, so
// much later not to wait for them.
func (p *play) drain(c *child, hurry time.Duration) {
	p.tell("told to drain")
	_ = c.cmd.Process.Signal(syscall.SIGTERM) // over already
	if hurry == 0 {
		return
	}
	p.pauseQuietly(hurry)
	p.tell("told to hurry")
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
}

// bury waits for the process's end, cuts the power where the plan says so, and
// tells whether it has ended in peace.
func (p *play) bury(ctx context.Context, n int, c, heir *child) (peace bool) {
	l := p.life(n)
	limit := time.NewTimer(drainLimit)
	defer limit.Stop()
	select {
	case <-c.ended:
	case <-limit.C:
		p.fault("process %d is not ready, or does not end, within the limit", n+1)
		_ = c.cmd.Process.Signal(syscall.SIGQUIT) // its log shows where it hangs
		p.pauseQuietly(2 * time.Second)
		c.kill()
	case <-ctx.Done():
		c.kill()
		return false
	}
	c.listening.Wait()
	p.sim.BotStopped(fmt.Sprint(c.err))
	switch {
	case c.err == nil:
		p.tell("process %d has ended in peace", n+1)
	case c.killed():
		p.tell("process %d is dead", n+1)
	case heir != nil && heir.dies():
		p.tell("process %d has let go, and process %d is gone: %v", n+1, n+2, c.err)
	case l.Fail != "":
		if c.ready && !c.failed.IsZero() {
			p.gaveUp = append(p.gaveUp, ending{c.failed, time.Now()})
		}
		p.tell("process %d has given up: %v", n+1, c.err)
	default:
		p.fault("process %d has ended by itself: %v", n+1, c.err)
	}
	if l.Cut {
		loss, err := powercut.Cut(p.journal(), p.random)
		if err != nil {
			p.fault("%v", err)
		}
		p.tell("power cut: %v lost", loss)
	}
	return c.err == nil
}

func (p *play) pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (p *play) pauseQuietly(d time.Duration) { _ = p.pause(context.Background(), d) }

// remove takes the seed's files away.
func remove(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return errors.Join(errors.New("removing what a seed has left"), err)
	}
	return nil
}
