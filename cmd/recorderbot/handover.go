package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/recorderbot/recorderbot/internal/catalogue"
)

// A handover is a crash that is prepared: the running process finishes what it has
// said yes to, stops where its calls stand, makes durable what it has, and lets go.
// Nothing is sealed, announced, paused or left. The next process recovers as after a
// kill, and the media hosts' memory bridges the time between. So whatever goes wrong
// on the way costs what a crash costs, and what the next start can mend.

// The bounds of letting go. Whoever invites us meanwhile waits, and an answer has five
// seconds.
const (
	lingerTime  = 150 * time.Millisecond // connections in use get a last reply
	doorLimit   = 500 * time.Millisecond // requests under way
	freezeLimit = 2 * time.Second        // what calls have under way
	cutLimit    = 3 * time.Second        // more, for what was cut off to end
)

// A heir is a process that takes over.
type heir struct {
	conn    *net.UnixConn
	request handoverRequest
}

// handoverSocket is where the process that has this spool is asked to hand over.
func handoverSocket(cfg *Config) (string, error) {
	dir, err := filepath.Abs(cfg.path(cfg.Spool.Dir))
	if err != nil {
		return "", err
	}
	path := dir + ".handover"
	if most := len(syscall.RawSockaddrUnix{}.Path) - 1; len(path) > most {
		return "", fmt.Errorf("%s has %d bytes, and a socket's path %d at most; shorten spool.dir", path, len(path), most)
	}
	return path, nil
}

// describe is what two processes must have in common to follow each other.
func describe(cfg *Config) (handoverRequest, error) {
	file, err := catalogue.File(cfg.Catalogue.URL, filepath.Dir(cfg.file))
	if err != nil {
		return handoverRequest{}, err
	}
	r := handoverRequest{Protocol: handoverProtocol, Version: buildVersion(), PID: os.Getpid()}
	if r.Spool, err = resolved(cfg.path(cfg.Spool.Dir)); err != nil {
		return handoverRequest{}, fmt.Errorf("spool.dir: %w", err)
	}
	if r.Catalogue, err = resolved(file); err != nil {
		return handoverRequest{}, fmt.Errorf("catalogue.url: %w", err)
	}
	return r, nil
}

func resolved(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	target, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return path, nil
	}
	return target, err
}

// makeHandover listens for a process that would take over. The spool's lock is ours by
// now, so a socket that is there is a dead process's. Where there can be none, upgrades
// need a drain; that is no reason not to serve.
func (b *bot) makeHandover(ctx context.Context) error {
	path, err := handoverSocket(b.cfg)
	if err != nil {
		b.log.Warn("serve --handover will not find this process", zap.Error(err))
		return nil
	}
	if err = os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	lc := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var mode error // before it has a name
		asked := raw.Control(func(fd uintptr) { mode = unix.Fchmod(int(fd), 0o600) })
		return errors.Join(asked, mode)
	}}
	l, err := lc.Listen(ctx, "unix", path)
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { _ = l.Close() })
	b.running.Go(func() {
		defer func() { _ = l.Close() }()
		b.hearHeirs(l)
	})
	return nil
}

// hearHeirs hears one after the other, until one takes over or the socket is closed.
func (b *bot) hearHeirs(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return // closed
		}
		conn, ok := c.(*net.UnixConn)
		if !ok {
			_ = c.Close()
			continue
		}
		h, err := b.hearHeir(conn)
		if err == nil {
			b.heirs <- h // has room for one, and only one comes so far
			return
		}
		b.log.Warn("the calls are not handed over, and this process goes on", zap.Error(err))
		_ = conn.Close()
	}
}

// hearHeir hears who would take over, and hands it our listening sockets. Until it
// says that it has them nothing has changed.
func (b *bot) hearHeir(conn *net.UnixConn) (*heir, error) {
	if err := sameUser(conn); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(b.life, func() { _ = conn.Close() }) // our own end does not wait for it
	defer stop()
	h := &heir{conn: conn}
	files, err := hear(conn, handoverSpeak, &h.request)
	closeFiles(files)
	if err != nil {
		return nil, fmt.Errorf("hear who asks: %w", err)
	}
	if err = b.canHandOver(h.request); err != nil {
		return nil, errors.Join(err, say(conn, handoverOffer{Refused: err.Error(), Version: buildVersion(), PID: os.Getpid()}))
	}
	offered, files, err := b.doorFiles()
	if err != nil {
		return nil, errors.Join(err, say(conn, handoverOffer{Refused: err.Error()}))
	}
	defer closeFiles(files)
	if err = say(conn, handoverOffer{Version: buildVersion(), PID: os.Getpid(), Doors: offered}, files...); err != nil {
		return nil, fmt.Errorf("hand over the listening sockets: %w", err)
	}
	var word handoverWord
	more, err := hear(conn, handoverAccept, &word)
	closeFiles(more)
	switch {
	case err != nil:
		return nil, fmt.Errorf("process %d asked and did not take over: %w", h.request.PID, err)
	case !word.Accept:
		return nil, fmt.Errorf("process %d asked and did not take over", h.request.PID)
	case b.registry.Draining():
		return nil, errors.New("a signal was first")
	}
	return h, nil
}

// canHandOver says why not, and what to do instead.
func (b *bot) canHandOver(r handoverRequest) error {
	own, err := describe(b.cfg)
	switch {
	case err != nil:
		return err
	case r.Protocol != handoverProtocol:
		return fmt.Errorf("version %s hands over by protocol %d, and %s takes over by %d: drain it (SIGTERM), then serve",
			buildVersion(), handoverProtocol, r.Version, r.Protocol)
	case r.Spool != own.Spool:
		return fmt.Errorf("the running process has its spool in %s, not in %s: correct spool.dir", own.Spool, r.Spool)
	case r.Catalogue != own.Catalogue:
		return fmt.Errorf("the running process has its catalogue in %s, not in %s: correct catalogue.url", own.Catalogue, r.Catalogue)
	case !b.answering.Load():
		return errors.New("the running process is still recovering: wait until it is ready (/readyz)")
	case b.registry.Draining():
		return errors.New("the running process is draining: wait for its end, then serve")
	}
	if err = errors.Join(b.media.Failed(), b.catalogue.Failing()); err != nil {
		return fmt.Errorf("the running process can't store what it has: %w: see to it, end it, then serve", err)
	}
	return nil
}

// handOver leaves the calls to an heir. There is no way back from here: the heir, or
// any later start, recovers what this process has left, wherever it may fail.
func (b *bot) handOver(h *heir) error {
	defer func() { _ = h.conn.Close() }()
	began := time.Now()
	b.handing.Store(true)
	b.log.Info("handing over", zap.Int("calls", b.registry.Live()), zap.Int("pid", h.request.PID), zap.String("version", h.request.Version))
	b.stopArchiver() // what it has under way the heir finds and does again
	if err := b.shutDoors(doorLimit); err != nil {
		b.log.Info("requests under way are cut", zap.Error(err))
	}
	ctx, cancel := context.WithTimeout(context.Background(), freezeLimit+cutLimit)
	defer cancel()
	calls, err := b.registry.Freeze(ctx, freezeLimit)
	if err != nil {
		b.log.Warn("work of calls has not ended", zap.Error(err))
	}
	word := handoverWord{Done: true, Calls: calls}
	// The links end before anything could be said on them, and then the ground.
	if err = b.close(); err != nil {
		b.log.Error("not all was let go of in good order", zap.Error(err))
		word.Fault = err.Error()
	}
	if told := say(h.conn, word); told != nil {
		return errors.Join(err, fmt.Errorf("process %d is gone, and nobody serves: start another: %w", h.request.PID, told))
	}
	b.log.Info("handed over", zap.Int("calls", calls), zap.Duration("took", time.Since(began)))
	if err != nil {
		return err // at our end the kernel lets go of the locks that we could not
	}
	var ready handoverWord
	files, err := hear(h.conn, handoverReady, &ready)
	closeFiles(files)
	if err != nil || !ready.Ready {
		return fmt.Errorf("process %d has the calls, and did not say that it is ready: see its log, or start another: %w", h.request.PID, err)
	}
	return nil
}
