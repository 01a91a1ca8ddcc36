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

	mu   sync.Mutex // guards held
	held map[string]token
}

type token struct {
	value   string
	expires time.Time
	renew   time.Time
}

func newTokens(o Options, client *http.Client, m *metrics) (*tokens, error) {
	t := &tokens{opts: o, http: client, metrics: m, log: o.Log, held: make(map[string]token)}
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
	if ok && now.Before(held.expires.Add(-tokenLeast)) {
		return held.value, nil
	}
	return t.renew(ctx, tenant)
}

// drop forgets a token that was refused, unless it has been replaced already.
func (t *tokens) drop(tenant, value string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.held[tenant].value == value {
		delete(t.held, tenant)
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

// acquire makes a client of its own, since MSAL would give out the token it
// has as long as it is good, and we renew earlier.
func (t *tokens) acquire(ctx context.Context, tenant string) (string, error) {
	began := time.Now()
	outcome := "failed"
	defer func() { t.metrics.tokens.WithLabelValues(outcome).Observe(time.Since(began).Seconds()) }()
	cred, err := t.credential()
	if err != nil {
		return "", err
	}
	client, err := confidential.New(t.opts.Authority+"/"+tenant, t.opts.AppID, cred,
		confidential.WithHTTPClient(t.http), confidential.WithInstanceDiscovery(false))
	if err != nil {
		return "", fmt.Errorf("get an access token: %w", err)
	}
	result, err := client.AcquireTokenByCredential(ctx, []string{t.opts.Root + "/.default"})
	if err != nil {
		return "", readTokenError(err)
	}
	outcome = "issued"
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.held[tenant] = token{
		value: result.AccessToken, expires: result.ExpiresOn, renew: now.Add(max(result.ExpiresOn.Sub(now)/2, refreshSoon)),
	}
	return result.AccessToken, nil
}

// Warm gets a token for each tenant and keeps it fresh until ctx ends. It does
// not wait.
func (c *Client) Warm(ctx context.Context, tenants []string) {
	for _, tenant := range tenants {
		go c.tokens.keepFresh(ctx, tenant)
	}
}

func (t *tokens) keepFresh(ctx context.Context, tenant string) {
	for {
		pause := refreshRetry
		if _, err := t.renew(ctx, tenant); err != nil {
			if ctx.Err() != nil {
				return
			}
			t.log.Warn("access token not renewed", zap.String("tenant", tenant), zap.Error(err))
		} else {
			t.mu.Lock()
			pause = max(time.Until(t.held[tenant].renew), refreshSoon)
			t.mu.Unlock()
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}
