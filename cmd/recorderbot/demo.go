package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/recorderbot/recorderbot/internal/media/durable"
	"github.com/recorderbot/recorderbot/internal/recorder"
	"github.com/recorderbot/recorderbot/internal/teamsim"
	"github.com/recorderbot/recorderbot/internal/teamsim/referee"
	"github.com/recorderbot/recorderbot/internal/teamsim/trace"
)

// demoLimit bounds the whole demo.
const demoLimit = 3 * time.Minute

type demoCommand struct {
	Out    string        `help:"Folder to write to; it must be empty or not exist. Default: a new one in the working folder."`
	Length time.Duration `default:"20s" help:"How long the people speak."`
}

// Run records one simulated call, judges it, and shows what came of it.
func (cmd demoCommand) Run(c *console) error {
	if cmd.Length < time.Second || cmd.Length > time.Hour {
		return fmt.Errorf("--length %v is not between 1s and 1h", cmd.Length)
	}
	dir, err := cmd.folder()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.ctx, demoLimit+cmd.Length)
	defer cancel()
	d := &demo{dir: dir, length: cmd.Length, console: c}
	defer d.close()
	if err := d.play(ctx); err != nil {
		return err
	}
	return d.report()
}

// folder makes the demo's folder.
func (cmd demoCommand) folder() (string, error) {
	dir := cmd.Out
	if dir == "" {
		dir = "recorderbot-demo-" + time.Now().Format("20060102-150405")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return "", fmt.Errorf("--out %s is not empty; name another folder, or remove it", dir)
	}
	return dir, durable.MkdirAll(dir, 0o750)
}

// A demo is one simulated call and the bot that records it: the same wiring as
// serve, in the same process as the simulator, talking over real sockets.
type demo struct {
	dir     string
	length  time.Duration
	console *console

	sim     *teamsim.Sim
	bot     *bot
	config  teamsim.BotConfig
	result  teamsim.Result
	verdict referee.Report
	over    chan recorder.Conclusion
	log     *durable.Hidden // becomes recorderbot.log at the end
}

// play runs the call from invite to archive.
func (d *demo) play(ctx context.Context) error {
	if err := d.startSim(); err != nil {
		return err
	}
	if err := d.startBot(ctx); err != nil {
		return err
	}
	stop := make(chan struct{})
	shown := make(chan struct{})
	go func() { defer close(shown); d.progress(stop) }()
	result, err := d.sim.Run(ctx, d.config.URL)
	if err == nil {
		err = d.settle(ctx)
	}
	close(stop)
	<-shown
	if err != nil {
		return fmt.Errorf("play the call: %w", err)
	}
	// What was seen until the very end, not until the last call was over.
	result.Trace, result.Sessions = d.sim.Trace.Events(), d.sim.Sessions()
	d.result = result
	err = d.bot.shutdown(nil)
	d.bot = nil
	return err
}

func (d *demo) startSim() error {
	scenario, err := teamsim.Builtin("demo")
	if err != nil {
		return err
	}
	scenario.Calls[0].End.After = d.length
	scenario.Calls[0].End.AtMost = d.length + time.Minute
	if d.sim, err = teamsim.Start(scenario, teamsim.Options{Dir: filepath.Join(d.dir, "simulator")}); err != nil {
		return err
	}
	d.config, err = d.sim.WriteBotConfig(d.dir, teamsim.BotOptions{})
	return err
}

func (d *demo) startBot(ctx context.Context) error {
	cfg, err := loadConfig(d.config.File, nil)
	if err != nil {
		return err
	}
	if d.log, err = durable.CreateHidden(filepath.Join(d.dir, "recorderbot.log"), 0o640); err != nil {
		return err
	}
	log, err := newLogger(cfg.Log.Level, d.log)
	if err != nil {
		return err
	}
	d.over = make(chan recorder.Conclusion, 1)
	b, err := newBot(ctx, cfg, log.With(zap.String("in", "demo")), func(_ recorder.Invite, end recorder.Conclusion) {
		select {
		case d.over <- end:
		default:
		}
	})
	if err != nil {
		return err
	}
	if err := b.start(ctx); err != nil {
		return errors.Join(err, b.close())
	}
	d.bot = b
	return d.waitReady(ctx)
}

// waitReady waits until the bot says that it can take calls, as a load
// balancer would.
func (d *demo) waitReady(ctx context.Context) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		ready := readiness(d.bot.readyChecks())
		if ready.Ready {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("the bot is not ready: %v", ready.Reasons)
		}
	}
}

// settle waits until the call has its outcome and its folder.
func (d *demo) settle(ctx context.Context) error {
	select {
	case <-d.over:
	case <-ctx.Done():
		return fmt.Errorf("the call has no outcome: %w", ctx.Err())
	}
	return d.bot.archiver.settle(ctx)
}

func (d *demo) close() {
	if d.bot != nil {
		_ = d.bot.close()
	}
	if d.sim != nil {
		_ = d.sim.Close()
	}
	if d.log != nil {
		_ = d.log.Commit()
	}
}

// milestones are shown in this order.
func milestones() []struct {
	kind   trace.Kind
	status string
	text   string
} {
	return []struct {
		kind   trace.Kind
		status string
		text   string
	}{
		{trace.InviteSent, "", "Teams invites the bot"},
		{trace.AnswerReceived, "", "the bot answers"},
		{trace.CallEstablished, "", "the call is established"},
		{trace.StatusReceived, "recording", "the bot announces: recording"},
		{trace.StatusReplied, "recording", "Graph confirms"},
		{trace.SessionOpened, "", "media flows"},
		{trace.FirstAck, "", "the first frame is on disk"},
		{trace.CallEnded, "", "the people hang up"},
		{trace.SessionPaused, "", "the media host pauses, all is sealed"},
		{trace.StatusReceived, "notRecording", "the bot announces: notRecording"},
	}
}

// progress shows what the simulator sees, as it happens.
func (d *demo) progress(stop <-chan struct{}) {
	var began time.Time // of the invite
	steps, next := milestones(), 0
	terminal := false
	if f, ok := d.console.out.(*os.File); ok {
		terminal = isTerminal(f)
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for stopping := false; ; {
		events := d.sim.Trace.Events()
		for next < len(steps) {
			at, seen := find(events, steps[next].kind, steps[next].status)
			if !seen {
				break
			}
			if began.IsZero() {
				began = at
			}
			fmt.Fprintf(d.console.out, "\r%8.3f s  %-40s\n", at.Sub(began).Seconds(), steps[next].text)
			next++
		}
		if stopping {
			return
		}
		if terminal && !began.IsZero() && next < len(steps) {
			fmt.Fprintf(d.console.out, "\r%8.1f s  %-40s", time.Since(began).Seconds(), d.meter(time.Since(began)))
		}
		select {
		case <-tick.C:
		case <-stop:
			stopping = true
		}
	}
}

// meter is a bar that fills as the call goes on.
func (d *demo) meter(passed time.Duration) string {
	const width = 30
	full := min(int(float64(width)*passed.Seconds()/d.length.Seconds()), width)
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", width-full) + "]"
}

func find(events []trace.Event, kind trace.Kind, status string) (time.Time, bool) {
	for _, e := range events {
		if e.Kind == kind && (status == "" || e.Status == status) {
			return e.At, true
		}
	}
	return time.Time{}, false
}
