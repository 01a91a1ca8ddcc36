package callbacks

import (
	"context"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Limits of what is read from the OpenID configuration and the key set.
const (
	maxMetadata = 1 << 20 // bytes of one document
	maxKeys     = 256     // keys of one set
	minKeyBits  = 2048    // RFC 7518 §3.3
	maxKeyBits  = 8192    // verification time grows with the square
	maxKeyID    = 512     // bytes
	fetchTime   = 5 * time.Second
)

// Outcomes of a fetch, as metric labels.
const (
	fetchOK          = "ok"
	fetchUnreachable = "unreachable" // no answer, or not 200
	fetchInvalid     = "invalid"     // an answer that is no key set
)

// errMetadata marks an answer that came but that cannot be used.
var errMetadata = errors.New("unusable answer")

// source reads the platform's signing keys: OpenID configuration, then the key
// set that it names (OpenID Connect Discovery 1.0 §4, RFC 7517 §5).
type source struct {
	url    string
	client *http.Client
}

func newSource(configuration string, ca *x509.CertPool) *source {
	transport := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		TLSClientConfig:     &tls.Config{RootCAs: ca, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: fetchTime,
		MaxIdleConns:        2,
		IdleConnTimeout:     30 * time.Second,
		ForceAttemptHTTP2:   true,
	}
	return &source{configuration, &http.Client{
		Transport: transport,
		Timeout:   fetchTime,
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if req.URL.Scheme != "https" || len(via) > 3 {
				return fmt.Errorf("%w: redirected to %s", errMetadata, req.URL.Redacted())
			}
			return nil
		},
	}}
}

// close drops idle connections.
func (s *source) close() { s.client.CloseIdleConnections() }

// keys fetches both documents anew. Errors name the address and the fault.
func (s *source) keys(ctx context.Context) (map[string]*rsa.PublicKey, error) {
	body, err := s.get(ctx, s.url)
	if err != nil {
		return nil, fmt.Errorf("fetch OpenID configuration: %w", err)
	}
	var configuration struct {
		KeySet string `json:"jwks_uri"`
	}
	if json.Unmarshal(body, &configuration) != nil {
		return nil, fmt.Errorf("read OpenID configuration %s: %w: not JSON", s.url, errMetadata)
	}
	if err = checkURL(configuration.KeySet); err != nil {
		return nil, fmt.Errorf("read OpenID configuration %s: %w: jwks_uri: %w", s.url, errMetadata, err)
	}
	body, err = s.get(ctx, configuration.KeySet)
	if err != nil {
		return nil, fmt.Errorf("fetch signing keys: %w", err)
	}
	keys, err := parseKeys(body)
	if err != nil {
		return nil, fmt.Errorf("read signing keys %s: %w", configuration.KeySet, err)
	}
	return keys, nil
}

func (s *source) get(ctx context.Context, address string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("request %s: %w", address, err)
	}
	req.Header.Set("Accept", "application/json")
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("get %s: status %d", address, resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxMetadata+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("get %s: %w", address, err)
	case len(body) > maxMetadata:
		return nil, fmt.Errorf("get %s: %w: more than %d bytes", address, errMetadata, maxMetadata)
	}
	return body, nil
}

// checkURL demands an absolute https address: keys that came in the clear
// would let anyone on the way sign tokens.
func checkURL(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return fmt.Errorf("%q is not an address", address)
	case u.Scheme != "https" || u.Host == "":
		return fmt.Errorf("%q is not an https address", address)
	}
	return nil
}

// jwk is one member of a key set; what we do not use is not read.
type jwk struct {
	Type      string `json:"kty"`
	Use       string `json:"use"`
	Algorithm string `json:"alg"`
	ID        string `json:"kid"`
	Modulus   string `json:"n"`
	Exponent  string `json:"e"`
}

// parseKeys reads a JSON Web Key Set. Keys for other purposes or algorithms are
// passed over (RFC 7517 §5), and so is a key that is too weak; a set without one
// usable key is refused, since taking it would lock everybody out.
func parseKeys(body []byte) (map[string]*rsa.PublicKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, fmt.Errorf("%w: not JSON", errMetadata)
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("%w: %d keys, at most %d are read", errMetadata, len(set.Keys), maxKeys)
	}
	keys := make(map[string]*rsa.PublicKey, len(set.Keys))
	for _, raw := range set.Keys {
		var k jwk
		if json.Unmarshal(raw, &k) != nil || k.ID == "" || len(k.ID) > maxKeyID {
			continue
		}
		if public := k.rsa(); public != nil && keys[k.ID] == nil {
			keys[k.ID] = public
		}
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%w: none of %d keys is an RSA signing key with an ID", errMetadata, len(set.Keys))
	}
	return keys, nil
}

// rsa returns the key, or nil where it is not one for RS256.
func (k jwk) rsa() *rsa.PublicKey {
	if k.Type != "RSA" || (k.Use != "" && k.Use != "sig") || (k.Algorithm != "" && k.Algorithm != algorithm) {
		return nil
	}
	n, err := decodeNumber(k.Modulus)
	if err != nil || n.BitLen() < minKeyBits || n.BitLen() > maxKeyBits || n.Bit(0) == 0 {
		return nil
	}
	e, err := decodeNumber(k.Exponent)
	if err != nil || e.BitLen() > 31 || e.Int64() < 3 || e.Bit(0) == 0 {
		return nil
	}
	return &rsa.PublicKey{N: n, E: int(e.Int64())}
}

// decodeNumber reads Base64urlUInt (RFC 7518 §2), padded or not.
func decodeNumber(s string) (*big.Int, error) {
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(s, "="))
	if err != nil {
		return nil, err
	}
	return new(big.Int).SetBytes(b), nil
}
