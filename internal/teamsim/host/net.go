package host

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"
)

// A listener can break all its connections at once and refuse new ones, as a
// cable does that is pulled.
type listener struct {
	net.Listener

	mu    sync.Mutex
	conns map[net.Conn]struct{}
	down  bool
}

func listen(address string) (*listener, error) {
	inner, err := new(net.ListenConfig).Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return &listener{Listener: inner, conns: make(map[net.Conn]struct{})}, nil
}

// Accept closes at once what arrives while the listener is down.
func (l *listener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err //nolint:wrapcheck // grpc looks at the error itself
		}
		if tracked := l.track(conn); tracked != nil {
			return tracked, nil
		}
	}
}

func (l *listener) track(conn net.Conn) net.Conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		abort(conn)
		return nil
	}
	t := &trackedConn{Conn: conn, lis: l}
	l.conns[t] = struct{}{}
	return t
}

// setDown breaks all connections and refuses new ones, or lets them in again.
func (l *listener) setDown(down bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = down
	if down {
		for conn := range l.conns {
			if t, ok := conn.(*trackedConn); ok {
				abort(t.Conn)
			}
			delete(l.conns, conn)
		}
	}
}

// abort closes with a reset, so that what is under way is lost.
func abort(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.SetDeadline(time.Now())
	_ = conn.Close()
}

type trackedConn struct {
	net.Conn

	lis *listener
}

func (t *trackedConn) Close() error {
	t.lis.mu.Lock()
	delete(t.lis.conns, t)
	t.lis.mu.Unlock()
	return t.Conn.Close() //nolint:wrapcheck // nothing to add
}
