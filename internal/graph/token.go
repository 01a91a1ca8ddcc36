package graph

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
	"go.uber.org/zap"
	"golang.org/x/sync/singleflight"
)

// A Credential is what the application proves itself with: exactly one.
type Credential struct {
	CertificateFile string // PEM, certificate and key in one file
	SecretFile      string // the client secret, surrounding space ignored
}

// The times of the token cache.
const (
	tokenTimeout = 10 * time.Second
	tokenLeast   = time.Minute      // a token with less left is not used
	refreshRetry = 10 * time.Second // after a failed early renewal
	refreshSoon  = time.Second      // the least time between renewals
)

// tokens keeps one access token per tenant and renews it at half of its life,
// in the background, so that an answer (five seconds) never waits for one. A
// renewal that fails leaves the old token in use while it is good.
type tokens struct {
	opts    Options
	http    *http.Client
	metrics *metrics
	log     *zap.Logger
	flight  singleflight.Group

	mu      sync.Mutex // guards all below
	held    map[string]token
	wake    map[string]chan struct{} // of the tenants that are kept fresh
	lastErr error                    // of the newest purchase that failed
}

type token struct {
	value   string
	expires time.Time
	renew   time.Time
}

func newTokens(o Options, client *http.Client, m *metrics) (*tokens, error) {
	t := &tokens{opts: o, http: client, metrics: m, log: o.Log, held: make(map[string]token), wake: make(map[string]chan struct{})}
	if _, err := t.credential(); err != nil {
		return nil, err
	}
	return t, nil
}

// credential reads the credential anew each time, so that a renewed file is
// taken without a restart.
func (t *tokens) credential() (confidential.Credential, error) {
	c := t.opts.Credential
	switch {
	case (c.CertificateFile == "") == (c.SecretFile == ""):
		return confidential.Credential{}, errors.New("graph: exactly one of a certificate and a secret is needed")
	case c.SecretFile != "":
		data, err := os.ReadFile(c.SecretFile)
		if err != nil {
			return confidential.Credential{}, fmt.Errorf("graph: read the client secret: %w", err)
		}
		return confidential.NewCredFromSecret(strings.TrimSpace(string(data)))
	}
	certs, key, err := readPEM(c.CertificateFile)
	if err != nil {
		return confidential.Credential{}, err
	}
	return confidential.NewCredFromCert(certs, key)
}

func readPEM(name string) ([]*x509.Certificate, crypto.PrivateKey, error) {
	data, err := os.ReadFile(name) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, nil, fmt.Errorf("graph: read the certificate: %w", err)
	}
	certs, key, err := confidential.CertFromPEM(data, "")
	if err != nil {
		return nil, nil, fmt.Errorf("graph: %s is not a PEM file with a certificate and its key: %w", name, err)
	}
	return certs, key, nil
}

// get returns a token for the tenant's Graph.
func (t *tokens) get(ctx context.Context, tenant string) (string, error) {
	now := time.Now()
	t.mu.Lock()
	held, ok := t.held[tenant]
	t.mu.Unlock()
	if ok && held.good(now) {
		return held.value, nil
	}
	return t.renew(ctx, tenant)
}

// good tells whether the token outlives a request that is made with it now.
func (t token) good(now time.Time) bool { return now.Before(t.expires.Add(-tokenLeast)) }

// drop forgets a token that was refused, unless it has been replaced already,
// and has another bought: a bot without a token is not ready, is sent no calls,
// and would else buy none before the old one's time.
func (t *tokens) drop(tenant, value string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.held[tenant].value != value {
		return
	}
	delete(t.held, tenant)
	select {
	case t.wake[tenant] <- struct{}{}:
	default: // it is awake, or the tenant is not kept fresh
	}
}

// renew asks the authority. However many wait, one asks.
func (t *tokens) renew(ctx context.Context, tenant string) (string, error) {
	result := t.flight.DoChan(tenant, func() (any, error) {
		// Detached from the first caller: others wait for it too.
		detached, cancel := context.WithTimeout(context.WithoutCancel(ctx), tokenTimeout)
		defer cancel()
		return t.acquire(detached, tenant)
	})
	select {
	case r := <-result:
		if r.Err != nil {
			return "", r.Err
		}
		value, _ := r.Val.(string)
		return value, nil
	case <-ctx.Done():
		return "", fmt.Errorf("get an access token: %w", ctx.Err())
	}
}

// acquire buys a token, and keeps it or what was wrong. Whoever found none, and
// comes after the one who bought it, buys no other.
func (t *tokens) acquire(ctx context.Context, tenant string) (string, error) {
	t.mu.Lock()
	held := t.held[tenant]
	t.mu.Unlock()
	if now := time.Now(); held.good(now) && now.Before(held.renew) {
		return held.value, nil
	}
	began, outcome := time.Now(), tokenIssued
	bought, err := t.buy(ctx, tenant)
	if err != nil {
		outcome = tokenFailed
	}
	t.metrics.tokens.WithLabelValues(outcome).Observe(time.Since(began).Seconds())
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		t.lastErr = err
		return "", err
	}
	t.held[tenant] = bought
	return bought.value, nil
}

// buy makes a client of its own, since MSAL would give out the token it has as
// long as it is good, and we renew earlier.
func (t *tokens) buy(ctx context.Context, tenant string) (token, error) {
	cred, err := t.credential()
	if err != nil {
		return token{}, &tokenError{code: "credential", err: err, remedy: "the application's credential can't be read: check app.credential and the file's permissions"}
	}
	client, err := confidential.New(t.opts.Authority+"/"+tenant, t.opts.AppID, cred,
		confidential.WithHTTPClient(t.http), confidential.WithInstanceDiscovery(false))
	if err != nil {
		return token{}, fmt.Errorf("get an access token: %w", err)
	}
	result, err := client.AcquireTokenByCredential(ctx, []string{t.opts.Root + "/.default"})
	if err != nil {
		return token{}, readTokenError(err)
	}
	now := time.Now()
	return token{
		value: result.AccessToken, expires: result.ExpiresOn, renew: now.Add(max(result.ExpiresOn.Sub(now)/2, refreshSoon)),
	}, nil
}

// Warm gets a token for each tenant and keeps it fresh until ctx ends, however
// often it fails. It does not wait.
func (c *Client) Warm(ctx context.Context, tenants []string) {
	for _, tenant := range tenants {
		wake := make(chan struct{}, 1)
		c.tokens.mu.Lock()
		c.tokens.wake[tenant] = wake
		c.tokens.mu.Unlock()
		go c.tokens.keepFresh(ctx, tenant, wake)
	}
}

// Ready says why no call could be answered for want of an access token, and
// what to do. It is nil as soon as one of the tenants that are kept fresh (see
// Warm) has a good token: the others' calls are refused with their own reason.
func (c *Client) Ready() error { return c.tokens.ready(time.Now()) }

func (t *tokens) ready(now time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for tenant := range t.wake {
		if held, ok := t.held[tenant]; ok && held.good(now) {
			return nil
		}
	}
	if t.lastErr == nil {
		return errors.New("graph: no access token yet")
	}
	return t.lastErr
}

func (t *tokens) keepFresh(ctx context.Context, tenant string, wake <-chan struct{}) {
	for {
		pause := t.left(tenant)
		if pause <= 0 {
			pause = refreshRetry
			if _, err := t.renew(ctx, tenant); err == nil {
				pause = max(t.left(tenant), refreshSoon)
			} else if ctx.Err() == nil {
				t.log.Warn("access token not renewed", zap.String("tenant", tenant), zap.Error(err))
			}
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-wake:
			timer.Stop()
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// left returns how long the tenant's token needs no renewal.
func (t *tokens) left(tenant string) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if held, ok := t.held[tenant]; ok {
		return time.Until(held.renew)
	}
	return 0
}
