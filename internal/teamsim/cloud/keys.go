package cloud

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"sync"
)

// keyBits is the size of signing keys, as the service's own.
const keyBits = 2048

// A signingKey is one key of a key set. The zero value is no key.
type signingKey struct {
	id      string
	private *rsa.PrivateKey
}

// newSigningKey names a key; nil: a new one.
func newSigningKey(private *rsa.PrivateKey) (signingKey, error) {
	if private == nil {
		var err error
		if private, err = rsa.GenerateKey(rand.Reader, keyBits); err != nil {
			return signingKey{}, fmt.Errorf("make a signing key: %w", err)
		}
	}
	der, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		return signingKey{}, fmt.Errorf("name a signing key: %w", err)
	}
	sum := sha256.Sum256(der)
	return signingKey{id: base64.RawURLEncoding.EncodeToString(sum[:20]), private: private}, nil
}

// keyRing is the calling service's key set: one key signs, all are published.
type keyRing struct {
	mu        sync.Mutex
	signing   signingKey
	published []signingKey
}

func newKeyRing(first *rsa.PrivateKey) (*keyRing, error) {
	key, err := newSigningKey(first)
	if err != nil {
		return nil, err
	}
	return &keyRing{signing: key, published: []signingKey{key}}, nil
}

func (r *keyRing) current() signingKey {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.signing
}

// rotate makes a new key and signs with it from now on. Where keepOld is false
// the older keys are no longer published.
func (r *keyRing) rotate(keepOld bool) error {
	key, err := newSigningKey(nil)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !keepOld {
		r.published = nil
	}
	r.published = append(r.published, key)
	r.signing = key
	return nil
}

// A jwk is an RSA public key as of RFC 7517.
type jwk struct {
	Type         string   `json:"kty"`
	Use          string   `json:"use"`
	ID           string   `json:"kid"`
	Thumbprint   string   `json:"x5t"`
	Modulus      string   `json:"n"`
	Exponent     string   `json:"e"`
	Endorsements []string `json:"endorsements,omitempty"`
}

func (r *keyRing) document() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	var set struct {
		Keys []jwk `json:"keys"`
	}
	for _, k := range r.published {
		public := k.private.PublicKey
		set.Keys = append(set.Keys, jwk{
			Type:         "RSA",
			Use:          "sig",
			ID:           k.id,
			Thumbprint:   k.id,
			Modulus:      base64.RawURLEncoding.EncodeToString(public.N.Bytes()),
			Exponent:     base64.RawURLEncoding.EncodeToString(big.NewInt(int64(public.E)).Bytes()),
			Endorsements: []string{"msteams"},
		})
	}
	return mustJSON(set)
}

// RotateKeys makes the calling service sign with a new key. Where keepOld is
// false, the old ones leave the published set, as after a leak.
func (c *Cloud) RotateKeys(keepOld bool) error {
	if err := c.keys.rotate(keepOld); err != nil {
		return err
	}
	c.tokens.forget()
	return nil
}

// handleOpenID serves the calling service's OpenID configuration.
func (c *Cloud) handleOpenID(w http.ResponseWriter, r *http.Request) {
	if c.serveFault(w, r, OpOpenID) {
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"issuer":                                callbackIssuer,
		"authorization_endpoint":                "https://invalid.botframework.com",
		"jwks_uri":                              c.Root() + keysPath,
		"id_token_signing_alg_values_supported": []string{"RS256"},
		"token_endpoint_auth_methods_supported": []string{"private_key_jwt"},
	})
}

// handleKeys serves the calling service's keys.
func (c *Cloud) handleKeys(w http.ResponseWriter, r *http.Request) {
	if c.serveFault(w, r, OpKeys) {
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = w.Write(c.keys.document())
}

// mustJSON marshals what was built here and can always be marshalled.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("teamsim: marshal %T: %v", v, err))
	}
	return b
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(mustJSON(v))
}
