package callbacks

import (
	"crypto/rsa"
	"crypto/sha256"
	"sync"
	"time"
)

// cacheSize bounds the remembered tokens. The platform uses one token per
// tenant for about an hour, so this is far more than a busy recorder sees.
const cacheSize = 4096

// A verified token, remembered.
type remembered struct {
	caller Caller
	until  time.Time // exp
	keyID  string
	key    *rsa.PublicKey // that verified it
}

// tokenCache remembers verified tokens by their SHA-256, so that what is held
// in memory can't be replayed. Only genuine tokens get in: a stranger can
// neither fill nor flush it.
type tokenCache struct {
	find func(keyID string) *rsa.PublicKey

	mu     sync.RWMutex // guards tokens; hits far outnumber misses
	tokens map[[sha256.Size]byte]remembered
}

func newTokenCache(find func(string) *rsa.PublicKey) *tokenCache {
	return &tokenCache{find: find, tokens: make(map[[sha256.Size]byte]remembered)}
}

// get returns who sent the token if it was verified before, has not expired and
// its key is still published. It asks for the key each time, so a token whose
// key has gone is refused even if it was put in while the key went.
func (c *tokenCache) get(sum [sha256.Size]byte, now time.Time) (Caller, bool) {
	c.mu.RLock()
	t, ok := c.tokens[sum]
	c.mu.RUnlock()
	if !ok || !now.Before(t.until) || c.find(t.keyID) != t.key {
		return Caller{}, false
	}
	return t.caller, true
}

// put remembers a verified token. A full cache first drops what is dead, then
// anything: that token costs one more signature check.
func (c *tokenCache) put(sum [sha256.Size]byte, t remembered, now time.Time) {
	if !now.Before(t.until) {
		return // accepted within the clock skew only
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.tokens) >= cacheSize {
		c.dropDead(now)
	}
	for old := range c.tokens {
		if len(c.tokens) < cacheSize {
			break
		}
		delete(c.tokens, old)
	}
	c.tokens[sum] = t
}

// evict drops tokens that have expired or whose key is no longer published.
func (c *tokenCache) evict() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dropDead(time.Now())
}

func (c *tokenCache) dropDead(now time.Time) {
	for sum, t := range c.tokens {
		if !now.Before(t.until) || c.find(t.keyID) != t.key {
			delete(c.tokens, sum)
		}
	}
}

func (c *tokenCache) len() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.tokens)
}
