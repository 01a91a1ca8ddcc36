package console

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"

	"go.uber.org/zap"
)

// The length of a token, in characters. Shorter ones could be guessed.
const (
	leastToken = 32
	mostToken  = 512
)

// A Token is a bearer token of the configuration.
type Token struct {
	Name string
	Role Role
	File string // holds the token
}

// ReadToken reads a token's file: one token, at least 32 characters of those
// that a header can carry. Errors do not quote it.
func ReadToken(file string) (string, error) {
	f, err := os.Open(file) //nolint:gosec // the operator names the file
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, 2*mostToken))
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(data))
	switch {
	case len(token) < leastToken:
		return "", fmt.Errorf("%s holds a token of %d characters; give at least %d, as openssl rand -hex 32 does", file, len(token), leastToken)
	case len(token) > mostToken:
		return "", fmt.Errorf("%s holds more than the %d characters that a token may have", file, mostToken)
	case !b64token(token):
		return "", fmt.Errorf("%s holds something that can't be sent as a bearer token; use letters, digits and -._~+/, as openssl rand -hex 32 does", file)
	}
	return token, nil
}

// b64token is RFC 6750's: letters, digits, "-._~+/", then "=".
func b64token(s string) bool {
	s = strings.TrimRight(s, "=")
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-._~+/", r)
	})
}

// A keyring is the tokens as their files have them now.
type keyring struct {
	tokens []Token
	log    *zap.Logger
	keys   atomic.Pointer[[]key]
	faults []string // of each token, as last told; poll's
}

// A key is a token that can be shown.
type key struct {
	sum [sha256.Size]byte
	who identity
}

func newKeyring(tokens []Token, log *zap.Logger) *keyring {
	k := &keyring{tokens: tokens, log: log, faults: make([]string, len(tokens))}
	k.poll()
	return k
}

// poll reads the files. They are small and few, and reading beats guessing by
// their dates whether they have changed. What can't be read lets nobody in: a
// removed token must not live on.
func (k *keyring) poll() {
	keys := make([]key, 0, len(k.tokens))
	for i, t := range k.tokens {
		token, err := ReadToken(t.File)
		sum := sha256.Sum256([]byte(token))
		for _, other := range keys {
			if err == nil && other.sum == sum {
				err = errors.New("the same token as that of " + other.who.name + "; give each their own")
			}
		}
		k.tell(i, t, err)
		if err == nil {
			keys = append(keys, key{sum, identity{"token/" + t.Name, t.Role}})
		}
	}
	k.keys.Store(&keys)
}

// tell logs what is wrong with a token, once.
func (k *keyring) tell(i int, t Token, err error) {
	fault := ""
	if err != nil {
		fault = err.Error()
	}
	switch {
	case fault == k.faults[i]:
	case err != nil:
		k.log.Error("a token lets nobody in until its file is put right", zap.String("token", t.Name), zap.Error(err))
	default:
		k.log.Info("a token is in use again", zap.String("token", t.Name))
	}
	k.faults[i] = fault
}

// find looks a token up. How long it takes depends on the number of tokens alone.
func (k *keyring) find(token string) (identity, bool) {
	sum := sha256.Sum256([]byte(token))
	var who identity
	found := 0
	for _, one := range *k.keys.Load() {
		if subtle.ConstantTimeCompare(one.sum[:], sum[:]) == 1 {
			who, found = one.who, 1
		}
	}
	return who, found == 1
}
