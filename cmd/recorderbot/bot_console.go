package main

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/recorderbot/recorderbot/internal/callbacks"
	consoleapi "github.com/recorderbot/recorderbot/internal/console"
)

// maxConsoleConnections bounds the console's listener: it has few users, and
// strangers must not use up the descriptors that the spool needs.
const maxConsoleConnections = 128

func (b *bot) makeConsole(context.Context) (err error) {
	if !b.cfg.consoleServed() {
		return nil
	}
	con := b.cfg.Console
	o := consoleapi.Options{
		Recorder: b.registry, Auditor: b.catalogue, Version: buildVersion(), ClientCAFile: b.cfg.path(con.ClientCAFile),
		Reasons:    func() []string { return readiness(b.readyChecks()).Reasons },
		Registerer: b.metrics, Log: b.log.Named("console"),
	}
	for _, t := range con.Tokens {
		role, _ := consoleapi.ParseRole(t.Role) // check-config knows it
		o.Tokens = append(o.Tokens, consoleapi.Token{Name: t.Name, Role: role, File: b.cfg.path(t.File)})
	}
	for _, c := range con.Clients {
		role, _ := consoleapi.ParseRole(c.Role)
		o.Clients = append(o.Clients, consoleapi.Client{CommonName: c.CommonName, Role: role})
	}
	b.console, err = consoleapi.New(o)
	return err
}

// serveConsole opens the operators' door. It stays open while the process drains:
// that is when they look.
func (b *bot) serveConsole(ctx context.Context) error {
	if b.console == nil {
		return nil
	}
	l := b.cfg.Listen.Console
	certs, err := callbacks.NewCertReloader(b.cfg.path(l.CertFile), b.cfg.path(l.KeyFile), b.log.Named("console"))
	if err != nil {
		return fmt.Errorf("listen.console: %w", err)
	}
	certs.Register(b.metrics, "console")
	b.running.Go(func() { _ = certs.Run(ctx) })     // nil by contract
	b.running.Go(func() { _ = b.console.Run(ctx) }) // nil by contract
	server := callbacks.NewHTTPServer("", b.parting(b.console.Handler()), b.console.TLS(certs.GetCertificate))
	server.WriteTimeout = consoleapi.ReplyTime
	server.ErrorLog = callbacks.ErrorLog(b.log.Named("console"))
	b.running.Go(func() {
		b.served(doorConsole, server.ServeTLS(b.consoleListener, "", ""))
	})
	b.later("console server", 5*time.Second, func(ctx context.Context) error {
		if err := server.Shutdown(ctx); err != nil {
			b.log.Info("connections of the console listener are cut", zap.Error(err))
			return server.Close()
		}
		return nil
	})
	b.log.Info("console", zap.Stringer("address", b.consoleListener.Addr()))
	return nil
}
