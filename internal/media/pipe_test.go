package media

import (
	"context"
	"net"
	"sync"
	"testing"
)

// A pipe is a network between recorder and host that can be frozen: connections
// stand, and nothing comes through.
type pipe struct {
	addr string
	wg   sync.WaitGroup

	mu    sync.Mutex
	still chan struct{} // closed: thawed
	conns []net.Conn
}

func newPipe(tb testing.TB, target string) *pipe {
	tb.Helper()
	lis, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	p := &pipe{addr: lis.Addr().String(), still: make(chan struct{})}
	close(p.still)
	p.wg.Go(func() {
		for {
			in, err := lis.Accept()
			if err != nil {
				return
			}
			out, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", target)
			if err != nil {
				_ = in.Close()
				continue
			}
			p.mu.Lock()
			p.conns = append(p.conns, in, out)
			p.mu.Unlock()
			p.wg.Go(func() { p.pump(in, out) })
			p.wg.Go(func() { p.pump(out, in) })
		}
	})
	tb.Cleanup(func() {
		_ = lis.Close()
		p.thaw()
		p.mu.Lock()
		for _, c := range p.conns {
			_ = c.Close()
		}
		p.mu.Unlock()
		p.wg.Wait()
	})
	return p
}

func (p *pipe) pump(dst, src net.Conn) {
	defer func() { _ = dst.Close() }()
	buf := make([]byte, 32<<10)
	for {
		n, err := src.Read(buf)
		p.mu.Lock()
		still := p.still
		p.mu.Unlock()
		<-still
		if _, werr := dst.Write(buf[:n]); werr != nil || err != nil {
			return
		}
	}
}

func (p *pipe) freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.still = make(chan struct{})
}

func (p *pipe) thaw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.still:
	default:
		close(p.still)
	}
}
