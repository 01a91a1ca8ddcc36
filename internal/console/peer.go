package console

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// A peer's budget of refused logins: enough for a person's mistakes.
const (
	guesses    = 10
	guessEvery = 6 * time.Second
	// mostPeers bounds the memory.
	mostPeers = 4096
)

// peers remembers who was refused lately.
type peers struct {
	mu    sync.Mutex
	known map[netip.Prefix]*peer
}

type peer struct {
	budget *rate.Limiter
	last   time.Time
}

func newPeers() *peers { return &peers{known: make(map[netip.Prefix]*peer)} }

// peerOf is whom a budget belongs to: an address, or the network that one
// subscriber of IPv6 has. What is no address shares one budget.
func peerOf(remote string) netip.Prefix {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Prefix{}
	}
	ip, bits := at.Addr().Unmap().WithZone(""), 32
	if ip.Is6() {
		bits = 64
	}
	p, err := ip.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// wait is how long a peer has to wait until it may try again; 0: it may.
func (ps *peers) wait(p netip.Prefix) time.Duration {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	one := ps.known[p]
	if one == nil {
		return 0
	}
	have := one.budget.Tokens()
	if have >= 1 {
		return 0
	}
	return time.Duration((1 - have) * float64(guessEvery))
}

// refused takes a refused login off a peer's budget.
func (ps *peers) refused(p netip.Prefix) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	one := ps.known[p]
	if one == nil {
		if len(ps.known) >= mostPeers {
			ps.makeRoom()
		}
		one = &peer{budget: rate.NewLimiter(rate.Every(guessEvery), guesses)}
		ps.known[p] = one
	}
	one.last = time.Now()
	one.budget.Allow()
}

// makeRoom forgets those whose budget is whole again, or else the one that was
// refused longest ago.
func (ps *peers) makeRoom() {
	var oldest netip.Prefix
	var when time.Time
	for p, one := range ps.known {
		if one.budget.Tokens() >= guesses {
			delete(ps.known, p)
			continue
		}
		if when.IsZero() || one.last.Before(when) {
			oldest, when = p, one.last
		}
	}
	if len(ps.known) >= mostPeers {
		delete(ps.known, oldest)
	}
}
