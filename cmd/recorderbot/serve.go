package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

type serveCommand struct {
	Config   string `default:"recorderbot.yaml" help:"Configuration file."`
	Handover bool   `help:"Take the live calls over from the recorderbot that runs here now: an upgrade that ends no call."`
}

// Run serves until the first signal, then drains; the second signal ends it.
func (cmd serveCommand) Run(c *console) error {
	// Before the first secret is read, and the first frame can come.
	if err := undumpable(); err != nil {
		return err
	}
	cfg, err := loadConfig(cmd.Config, c.environ)
	if err != nil {
		return err
	}
	log, err := newLogger(cfg.Log.Level, c.errOut)
	if err != nil {
		return err
	}
	defer func() { _ = log.Sync() }()
	for _, w := range cfg.warnings() {
		log.Warn(w)
	}
	var before *predecessor
	if cmd.Handover {
		if before, err = ask(c.ctx, cfg); err != nil {
			return fmt.Errorf("take over: %w", err)
		}
	}
	return serve(c, cfg, log, before)
}

func serve(c *console, cfg *Config, log *zap.Logger, before *predecessor) error {
	if os.Getenv("GOGC") == "" {
		// Little is allocated and much lives long: headroom would be most of the
		// memory. 50 costs about 3 % of CPU at 4 000 streams.
		debug.SetGCPercent(50)
	}
	b, err := newHeir(c.ctx, cfg, log, nil, before)
	if err != nil {
		return err
	}
	if err := b.start(c.ctx); err != nil {
		return errors.Join(err, b.close())
	}
	b.taken()
	hurry, over := make(chan struct{}), make(chan struct{})
	defer close(over)
	var cause error
	select {
	case h := <-b.heirs:
		return b.handOver(h)
	case cause = <-b.fatal:
		close(hurry) // law 3 is under way for each call; there is nothing to drain for
	case <-c.ctx.Done():
		go func() {
			select {
			case <-c.now:
				close(hurry)
			case err := <-b.fatal:
				log.Error("storage failed while draining", zap.Error(err))
				close(hurry)
			case <-over:
			}
		}()
	}
	return errors.Join(cause, b.shutdown(hurry))
}

// newLogger logs JSON in service, and readable lines in a terminal.
func newLogger(level string, out io.Writer) (*zap.Logger, error) {
	l, err := zapcore.ParseLevel(level)
	if err != nil {
		return nil, fmt.Errorf("log.level: %w", err)
	}
	cfg := zap.NewProductionEncoderConfig()
	cfg.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	cfg.EncodeDuration = zapcore.StringDurationEncoder
	encoder := zapcore.NewJSONEncoder(cfg)
	if f, ok := out.(*os.File); ok && isTerminal(f) {
		cfg.EncodeTime = zapcore.TimeEncoderOfLayout("15:04:05.000")
		cfg.EncodeLevel = zapcore.CapitalColorLevelEncoder
		encoder = zapcore.NewConsoleEncoder(cfg)
	}
	core := zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(out)), l)
	// Sampled by message: a storm of the same line can't take the disk or the CPU.
	return zap.New(zapcore.NewSamplerWithOptions(core, time.Second, 100, 100)), nil
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
