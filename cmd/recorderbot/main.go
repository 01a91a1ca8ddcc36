package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"
)

// version is set by the linker: -X main.version=v1.2.3.
var version string

// commands is the command line.
type commands struct {
	Serve       serveCommand       `cmd:"" help:"Answer and record calls until a signal ends it."`
	Demo        demoCommand        `cmd:"" help:"Record a whole simulated call on this machine; nothing to set up."`
	CheckConfig checkConfigCommand `cmd:"" help:"Check a configuration file and say all that is wrong with it."`
	Check       checkCommand       `cmd:"" help:"Prove the order from the disk: spool, catalogue and archive."`
	Recordings  recordingsCommand  `cmd:"" help:"List what came of invites, show it, export recordings."`
	Calls       callsCommand       `cmd:"" help:"List, pause, resume and stop live calls, through the console of the running service."`
	Drain       drainCommand       `cmd:"" help:"Make the running service refuse new calls, through its console."`
	Simulate    simulateCommand    `cmd:"" help:"Run the simulator of Teams alone, against a recorderbot of yours."`
	Version     versionCommand     `cmd:"" help:"Say which version this is."`
}

// console is what a subcommand may write to and read from.
type console struct {
	ctx         context.Context //nolint:containedctx // kong hands bindings to Run; this one ends with the first signal
	now         <-chan struct{} // closed by the second signal
	out, errOut io.Writer
	environ     []string
}

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr, os.Environ()))
}

// run is main without the process: what tests start. It returns the exit code:
// 0 done, 1 failed, 2 wrong usage.
func run(args []string, out, errOut io.Writer, environ []string) int {
	var cmds commands
	exit := -1
	parser, err := kong.New(&cmds, kong.Name("recorderbot"), kong.Writers(out, errOut), kong.UsageOnError(),
		kong.Description("An open compliance recorder for Microsoft Teams that keeps the order."),
		kong.Exit(func(code int) { exit = code }))
	if err != nil {
		fmt.Fprintln(errOut, "recorderbot:", err)
		return 2
	}
	kctx, err := parser.Parse(args)
	switch {
	case exit >= 0:
		return exit // --help
	case err != nil:
		fmt.Fprintf(errOut, "recorderbot: %v\nrun recorderbot --help for the commands\n", err)
		return 2
	}
	ctx, now, stop := signals()
	defer stop()
	if err := kctx.Run(&console{ctx: ctx, now: now, out: out, errOut: errOut, environ: environ}); err != nil {
		if !errors.Is(err, errReported) {
			fmt.Fprintln(errOut, "recorderbot:", err)
		}
		return 1
	}
	return 0
}

// errReported ends a command as failed that has said why already.
var errReported = errors.New("failed")

// signals turns the first SIGTERM or SIGINT into the end of ctx, and the second
// into the closing of now: finish, and at once.
func signals() (ctx context.Context, now <-chan struct{}, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	caught := make(chan os.Signal, 2)
	signal.Notify(caught, syscall.SIGTERM, syscall.SIGINT)
	hurry, done := make(chan struct{}), make(chan struct{})
	go func() {
		for n := 0; ; n++ {
			select {
			case <-caught:
				if n == 0 {
					cancel()
					continue
				}
				close(hurry)
				signal.Stop(caught) // a third one ends the process as it is
				return
			case <-done:
				return
			}
		}
	}()
	return ctx, hurry, func() { signal.Stop(caught); close(done); cancel() }
}

type versionCommand struct{}

// Run prints the version.
func (versionCommand) Run(c *console) error {
	_, err := fmt.Fprintln(c.out, "recorderbot", buildVersion(), goVersion())
	return err
}

// buildVersion is the linker's version, or the module's, or "devel".
func buildVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}

func goVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.GoVersion
	}
	return "unknown"
}

type checkConfigCommand struct {
	Config string `default:"recorderbot.yaml" help:"Configuration file."`
}

// Run says all that is wrong, or that all is well.
func (cmd checkConfigCommand) Run(c *console) error {
	cfg, err := loadConfig(cmd.Config, c.environ)
	if err != nil {
		return err
	}
	for _, w := range cfg.warnings() {
		fmt.Fprintln(c.out, "warning:", w)
	}
	_, err = fmt.Fprintf(c.out, "%s is in order; Teams' webhook (calling) URL is %s\n", cmd.Config, cfg.callbackURI())
	return err
}
