package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/recorderbot/recorderbot/internal/callbacks"
	"github.com/recorderbot/recorderbot/internal/media"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// The limits of the shutdown's steps. The drain has its own, configured one.
const (
	sealWait   = 45 * time.Second // seal, announce, leave, conclude
	abruptWait = 10 * time.Second
	settleWait = 60 * time.Second // archive what was sealed
	// groundWait is how long a step waits for what runs on its ground. What has not
	// ended then hangs with a disk; the process ends without it.
	groundWait = 5 * time.Second
)

// start recovers what a dead process has left, then opens the doors. When it
// returns, the bot answers.
func (b *bot) start(ctx context.Context) error {
	running := b.life
	b.serveOps()
	b.running.Go(func() {
		if err := b.media.Run(running); err != nil && running.Err() == nil {
			b.log.Error("media links", zap.Error(err))
		}
	})
	b.running.Go(func() { b.gate.Run(running) })
	if err := b.recover(ctx); err != nil {
		return fmt.Errorf("recover: %w", err)
	}
	// The archiver lets go of recordings, so it starts when recovery has looked.
	archiving, cancel := context.WithCancel(running)
	b.stopArchiver = cancel
	b.running.Go(func() { b.archiver.run(archiving) })
	if b.before != nil {
		b.goOn(ctx)
		if err := b.awaitReady(ctx, takenReady, "signing keys", "tokens", "media hosts"); err != nil {
			b.log.Warn("the doors are opened although not all is ready", zap.Error(err))
		}
	}
	if err := b.serveConsole(running); err != nil {
		return err
	}
	if err := b.serveCallbacks(running); err != nil {
		return err
	}
	b.goOn(ctx)
	return nil
}

func (b *bot) serveOps() {
	server := newOpsServer(opsHandler(b.metrics, b.readyChecks()))
	b.running.Go(func() {
		b.served(doorOps, server.Serve(b.opsListener))
	})
	b.later("ops server", 2*time.Second, server.Shutdown)
}

func (b *bot) readyChecks() []readyCheck {
	return []readyCheck{
		{"handover", func() error {
			if b.handing.Load() {
				return errors.New("another process takes over")
			}
			return nil
		}},
		{"draining", func() error {
			if b.registry.Draining() {
				return errors.New("no new calls are taken")
			}
			return nil
		}},
		{"callbacks", func() error {
			if !b.answering.Load() {
				return errors.New("recovering; not answering yet")
			}
			return nil
		}},
		{"signing keys", b.callbacks.Ready},
		{"tokens", b.graph.Ready},
		{"media hosts", b.mediaReady},
		{"storage", b.media.Failed},
		{"catalogue", func() error {
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			defer cancel()
			if err := b.catalogue.Failing(); err != nil {
				return err
			}
			return b.catalogue.Ping(ctx)
		}},
		{"spool", func() error {
			if left := b.spool.SecondsLeft(); left < time.Duration(b.cfg.Capacity.SpoolRoom).Seconds() {
				return fmt.Errorf("room for %.0f s at the present rate; %v are needed", left, time.Duration(b.cfg.Capacity.SpoolRoom))
			}
			return nil
		}},
	}
}

func (b *bot) serveCallbacks(ctx context.Context) error {
	l := b.cfg.Listen.Callbacks
	certs, err := callbacks.NewCertReloader(b.cfg.path(l.CertFile), b.cfg.path(l.KeyFile), b.log.Named("callbacks"))
	if err != nil {
		return fmt.Errorf("listen.callbacks: %w", err)
	}
	certs.Register(b.metrics, "callbacks")
	b.running.Go(func() { _ = certs.Run(ctx) }) // nil by contract
	server := callbacks.NewHTTPServer("", b.parting(b.callbacks.Handler()), &tls.Config{
		MinVersion: tls.VersionTLS12, GetCertificate: certs.GetCertificate,
	})
	server.ErrorLog = callbacks.ErrorLog(b.log.Named("callbacks"))
	b.running.Go(func() {
		b.served(doorCallbacks, server.ServeTLS(b.callbackListener, "", ""))
	})
	b.later("callback server", 5*time.Second, func(ctx context.Context) error {
		if err := server.Shutdown(ctx); err != nil {
			b.log.Info("connections of the callback listener are cut", zap.Error(err))
			return server.Close()
		}
		return nil
	})
	b.answering.Store(true)
	b.log.Info("answering", zap.Stringer("callbacks", b.callbackListener.Addr()), zap.Stringer("ops", b.opsListener.Addr()),
		zap.String("callbackUri", b.cfg.callbackURI()))
	return nil
}

// shutdown ends the bot in order (design.md 5). The drain limit bounds it, and now
// says to hurry.
func (b *bot) shutdown(now <-chan struct{}) error {
	b.registry.Drain()
	b.log.Info("draining", zap.Int("calls", b.registry.Live()), zap.Duration("limit", time.Duration(b.cfg.Shutdown.DrainLimit)))
	hurry := b.waitCalls(now, time.Duration(b.cfg.Shutdown.DrainLimit))
	if !hurry && b.registry.Live() > 0 {
		b.log.Warn("drain limit reached; sealing", zap.Int("calls", b.registry.Live()))
		b.registry.StopAll(recorder.CauseShutdown, false)
		hurry = b.waitCalls(now, sealWait)
	}
	if b.registry.Live() > 0 {
		b.log.Warn("cutting calls short", zap.Int("calls", b.registry.Live()))
		b.registry.StopAll(recorder.CauseShutdown, true)
		b.waitCalls(nil, abruptWait)
	}
	if !hurry {
		b.settle(now)
	}
	return b.close()
}

// settle archives what was sealed.
func (b *bot) settle(now <-chan struct{}) {
	ctx, cancel := hurried(now, settleWait)
	defer cancel()
	if err := b.archiver.settle(ctx); err != nil {
		b.log.Warn("not all is archived; the next start goes on", zap.Error(err))
	}
}

// waitCalls waits until no call is live, for limit at most. It reports whether
// it was told to hurry.
func (b *bot) waitCalls(now <-chan struct{}, limit time.Duration) (hurry bool) {
	ctx, cancel := hurried(now, limit)
	defer cancel()
	if err := b.registry.Wait(ctx); err == nil {
		return false
	}
	select {
	case <-now:
		return now != nil
	default:
		return false
	}
}

// hurried returns a context that ends after limit, or when now says so.
func hurried(now <-chan struct{}, limit time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	go func() {
		select {
		case <-now:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// stopRunning ends what runs behind, and waits for it, but not for a disk that
// hangs.
func (b *bot) stopRunning() error {
	b.cancel()
	ended := make(chan struct{})
	go func() {
		b.running.Wait()
		close(ended)
	}()
	limit := time.NewTimer(groundWait)
	defer limit.Stop()
	select {
	case <-ended:
		return nil
	case <-limit.C:
		return errors.New("what runs behind did not end in time")
	}
}

// close runs the named steps in reverse. It is safe on a half-made bot.
func (b *bot) close() error {
	var errs []error
	stopped := false
	for _, c := range slices.Backward(b.closers) {
		if !stopped && (c.name == "media hosts" || c.name == "spool" || c.name == "catalogue") {
			// The doors are shut; what runs behind them ends before its ground does.
			errs = append(errs, b.stopRunning())
			stopped = true
		}
		ctx, cancel := context.WithTimeout(context.Background(), c.limit)
		if err := c.close(ctx); err != nil {
			errs = append(errs, fmt.Errorf("close the %s: %w", c.name, err))
		}
		cancel()
	}
	b.closers = nil
	if !stopped {
		errs = append(errs, b.stopRunning())
	}
	return errors.Join(errs...)
}

// mediaReady: hosts that are full are no reason to be taken out of service, for the
// calls in progress must be heard of. Who is told that we are ready finds the gate
// open: it has seen the hosts as they are now.
func (b *bot) mediaReady() error {
	hosts := b.media.Health()
	if !slices.ContainsFunc(hosts, media.HostHealth.Willing) {
		return fmt.Errorf("none of %d takes calls", len(hosts))
	}
	b.gate.Measure(time.Now())
	return nil
}
