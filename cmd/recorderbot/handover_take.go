package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/recorderbot/recorderbot/internal/callbacks"
	"github.com/recorderbot/recorderbot/internal/media/durable"
)

// The bounds of taking over.
const (
	takenTokens = 10 * time.Second // before the other lets go
	takenLocks  = 10 * time.Second // of one that ended in bad order
	takenReady  = 2 * time.Second  // the doors wait for keys and media hosts
)

// A predecessor is the running process that we take over from.
type predecessor struct {
	conn  *net.UnixConn
	offer handoverOffer
	doors []net.Listener // in the offer's order; nil: taken by the bot
}

// ask asks the running process for its doors. On error it goes on as if nobody had
// asked.
func ask(ctx context.Context, cfg *Config) (*predecessor, error) {
	request, err := describe(cfg)
	if err != nil {
		return nil, err
	}
	path, err := handoverSocket(cfg)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, fmt.Errorf("no recorderbot that could hand over runs with the spool %s (%w): start without --handover", request.Spool, err)
	case err != nil:
		return nil, err
	}
	conn, ok := c.(*net.UnixConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("%s is no Unix socket", path), c.Close())
	}
	p := &predecessor{conn: conn}
	if err = p.hear(request); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *predecessor) hear(request handoverRequest) error {
	if err := sameUser(p.conn); err != nil {
		return err
	}
	if err := say(p.conn, request); err != nil {
		return fmt.Errorf("ask the running process: %w", err)
	}
	files, err := hear(p.conn, handoverSpeak, &p.offer)
	defer closeFiles(files)
	switch {
	case err != nil:
		return fmt.Errorf("the running process gave no answer; it goes on (%w)", err)
	case p.offer.Refused != "":
		return errors.New(p.offer.Refused)
	case len(files) != len(p.offer.Doors):
		return fmt.Errorf("the running process named %d listening sockets and handed over %d; it goes on", len(p.offer.Doors), len(files))
	}
	for _, f := range files {
		l, err := net.FileListener(f)
		if err != nil {
			return fmt.Errorf("take over a listening socket: %w", err)
		}
		p.doors = append(p.doors, l)
	}
	return nil
}

// door returns the socket that was listening there, once; nil: none was.
func (p *predecessor) door(name, address string) *net.TCPListener {
	if p == nil {
		return nil
	}
	for i, d := range p.offer.Doors {
		if d.Name != name || d.Address != address || p.doors[i] == nil {
			continue
		}
		if l, ok := p.doors[i].(*net.TCPListener); ok {
			p.doors[i] = nil
			return l
		}
	}
	return nil
}

// close lets go of what was not used: sockets at addresses that are not configured
// any more, and the word with the other process.
func (p *predecessor) close() {
	for _, l := range p.doors {
		if l != nil {
			_ = l.Close()
		}
	}
	p.doors = nil
	_ = p.conn.Close()
}

// takeOver has the running process let go. Before, all is looked at that could keep
// us from serving: until we accept, it goes on and nothing has changed.
func (b *bot) takeOver(ctx context.Context) error {
	if b.before == nil {
		return nil
	}
	if err := b.rehearse(ctx); err != nil {
		return fmt.Errorf("%w; the running process goes on", err)
	}
	b.log.Info("taking over", zap.Int("pid", b.before.offer.PID), zap.String("version", b.before.offer.Version))
	began := time.Now()
	if err := say(b.before.conn, handoverWord{Accept: true}); err != nil {
		return fmt.Errorf("the running process is gone: %w; start without --handover", err)
	}
	var word handoverWord
	files, err := hear(b.before.conn, handoverDone, &word)
	closeFiles(files)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("the running process did not let go within %v: end it, then start without --handover", handoverDone)
	case err != nil:
		b.log.Error("the process before has ended in the middle; its calls are recovered as after a crash", zap.Error(err))
	case word.Fault != "":
		b.log.Error("the process before has not let go in good order; its calls are recovered as after a crash", zap.String("fault", word.Fault))
	default:
		b.log.Info("taken over", zap.Int("calls", word.Calls), zap.Duration("took", time.Since(began)))
		return nil
	}
	return b.awaitLocks(ctx)
}

// awaitLocks waits for the kernel to let go of what the process before had locked.
func (b *bot) awaitLocks(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, takenLocks)
	defer cancel()
	own, err := describe(b.cfg)
	if err != nil {
		return err
	}
	return poll(ctx, 20*time.Millisecond, func() error {
		lock, err := durable.Lock(own.Catalogue + ".lock")
		if err != nil {
			return err
		}
		return lock.Close()
	})
}

// rehearse does what needs nothing of the running process's, and what start would
// fail at.
func (b *bot) rehearse(ctx context.Context) error {
	b.graph.Warm(b.life, b.cfg.App.Tenants)
	var faults []error
	pair := func(key, cert, private string) {
		if _, err := callbacks.NewCertReloader(b.cfg.path(cert), b.cfg.path(private), b.log); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", key, err))
		}
	}
	l, m := b.cfg.Listen, b.cfg.MediaHosts
	pair("listen.callbacks", l.Callbacks.CertFile, l.Callbacks.KeyFile)
	pair("mediaHosts.certFile", m.CertFile, m.KeyFile)
	if b.cfg.consoleServed() {
		pair("listen.console", l.Console.CertFile, l.Console.KeyFile)
	}
	for key, file := range map[string]string{"mediaHosts.caFile": m.CAFile, "endpoints.caFile": b.cfg.Endpoints.CAFile} {
		if _, err := certPool(b.cfg.path(file)); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", key, err))
		}
	}
	if len(faults) > 0 {
		return errors.Join(faults...)
	}
	ctx, cancel := context.WithTimeout(ctx, takenTokens)
	defer cancel()
	return poll(ctx, 10*time.Millisecond, b.graph.Ready)
}

// taken says to the process before that all is well, so that it ends well.
func (b *bot) taken() {
	if b.before == nil {
		return
	}
	if err := say(b.before.conn, handoverWord{Ready: true}); err != nil {
		b.log.Debug("the process before did not wait", zap.Error(err))
	}
	b.before.close()
}
