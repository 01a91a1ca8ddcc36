package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/net/netutil"
)

// The names of the listening sockets.
const (
	doorCallbacks = "callbacks"
	doorConsole   = "console"
	doorOps       = "ops"
)

// A door is a listening socket, as it was configured.
type door struct {
	name, address string
	socket        *net.TCPListener
}

// listen opens a door, or takes the one that the process before had there: whoever
// has knocked since is in its queue. most bounds its connections; 0: nothing does.
func (b *bot) listen(name, address string, most int) (net.Listener, error) {
	socket := b.before.door(name, address)
	if socket == nil {
		var lc net.ListenConfig
		l, err := lc.Listen(context.Background(), "tcp", address)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		tcp, ok := l.(*net.TCPListener)
		if !ok {
			return nil, fmt.Errorf("%s: %q is no TCP address", name, address)
		}
		socket = tcp
	}
	var l net.Listener = socket
	if most > 0 {
		l = netutil.LimitListener(l, most)
	}
	b.doors = append(b.doors, door{name, address, socket})
	b.later(name+" listener", time.Second, func(context.Context) error { return ignoreClosed(l.Close()) })
	return l, nil
}

// doorFiles are copies of our listening sockets, for the process that follows.
func (b *bot) doorFiles() (offered []handoverDoor, files []*os.File, err error) {
	for _, d := range b.doors {
		f, err := d.socket.File()
		if err != nil {
			closeFiles(files)
			return nil, nil, fmt.Errorf("%s listener: %w", d.name, err)
		}
		offered, files = append(offered, handoverDoor{d.name, d.address}), append(files, f)
	}
	return offered, files, nil
}

// shutDoors accepts no more, all doors together. Connections that stand are told with
// their next reply that it was the last one; those that are silent for a while are
// closed. Requests under way come to their end, for limit at most. Who knocks meanwhile
// waits in the sockets' queues, for the next process has these too.
func (b *bot) shutDoors(limit time.Duration) error {
	var listeners, servers, rest []closer
	for _, c := range b.closers {
		switch {
		case strings.HasSuffix(c.name, " listener"):
			listeners = append(listeners, c)
		case strings.HasSuffix(c.name, " server"):
			servers = append(servers, c)
		default:
			rest = append(rest, c)
		}
	}
	b.closers = rest
	err := closeAll(listeners, limit)
	// A connection that is closed while a request is on its way to us loses it, and
	// its sender must send again. Those that are in use are so within this.
	<-time.After(lingerTime)
	return errors.Join(err, closeAll(servers, limit))
}

func closeAll(all []closer, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var wg sync.WaitGroup
	faults := make([]error, len(all))
	for i, c := range all {
		wg.Go(func() { faults[i] = c.close(ctx) })
	}
	wg.Wait()
	return errors.Join(faults...)
}

// parting serves, and once another process takes over tells each client that its
// connection ends: the next request is for that one.
func (b *bot) parting(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if b.handing.Load() {
			w.Header().Set("Connection", "close")
		}
		h.ServeHTTP(w, r)
	})
}

// served logs why a door is not served any more, where that was not our doing.
func (b *bot) served(name string, err error) {
	if !errors.Is(err, http.ErrServerClosed) && !b.handing.Load() {
		b.log.Error(name+" listener", zap.Error(err))
	}
}

// awaitReady waits, not for ever, until what calls need is there: what waits at the
// doors is not to be turned away because the hosts are not connected yet.
func (b *bot) awaitReady(ctx context.Context, limit time.Duration, names ...string) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		why := error(nil)
		for _, c := range b.readyChecks() {
			for _, name := range names {
				if c.name != name {
					continue
				}
				if err := c.check(); err != nil {
					why = fmt.Errorf("%s: %w", name, err)
				}
			}
		}
		if why == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			b.log.Debug("waited in vain", zap.Error(why))
			return why
		}
	}
}
