package graph

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// keepAlive asks for something that needs a token.
func keepAlive(ctx context.Context, c *Client) error {
	_, err := c.KeepAlive(ctx, testRef())
	return err
}

// TestSecret: MSAL's request, with the secret out of the file.
func TestSecret(t *testing.T) {
	t.Parallel()
	cl := newCloud(t, func(http.ResponseWriter, *http.Request) {})
	forms := make(chan url.Values, 1)
	cl.authority = func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err == nil {
			forms <- r.PostForm
		}
		cl.sell(w, r)
	}
	if err := keepAlive(t.Context(), cl.client(t)); err != nil {
		t.Fatal(err)
	}
	form := <-forms
	if form.Get("client_id") != testApp || form.Get("client_secret") != testSecret || form.Get("grant_type") != "client_credentials" ||
		!strings.Contains(form.Get("scope"), cl.URL+"/.default") {
		t.Errorf("form without what it needs: id %q, grant %q, scope %q", form.Get("client_id"), form.Get("grant_type"), form.Get("scope"))
	}
}

// TestCertificate: one PEM with both; the assertion is signed with its key.
func TestCertificate(t *testing.T) {
	t.Parallel()
	pemData, cert := newCertificate(t)
	cl := newCloud(t, func(http.ResponseWriter, *http.Request) {})
	assertions := make(chan string, 1)
	cl.authority = func(w http.ResponseWriter, r *http.Request) {
		assertions <- r.PostFormValue("client_assertion")
		cl.sell(w, r)
	}
	o := cl.options(t)
	o.Credential = Credential{CertificateFile: writeFile(t, "bot.pem", pemData)}
	if err := keepAlive(t.Context(), newClient(t, o)); err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Parse(<-assertions, func(*jwt.Token) (any, error) { return cert.PublicKey, nil },
		jwt.WithValidMethods([]string{"RS256", "PS256"}), jwt.WithIssuer(testApp), jwt.WithSubject(testApp), jwt.WithExpirationRequired())
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(cert.Raw)
	if got, want := token.Header["x5t#S256"], base64.StdEncoding.EncodeToString(sum[:]); got != want && got != base64.RawURLEncoding.EncodeToString(sum[:]) {
		t.Errorf("thumbprint %v, want %v", got, want)
	}
}

// TestOneTokenForAll: however many requests, one purchase.
func TestOneTokenForAll(t *testing.T) {
	t.Parallel()
	cl := newCloud(t, func(http.ResponseWriter, *http.Request) {})
	c := cl.client(t)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if err := keepAlive(t.Context(), c); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := cl.tokens(); n != 1 {
		t.Errorf("%d tokens for 50 requests", n)
	}
}

// TestRefusedToken is dropped and replaced, once.
func TestRefusedToken(t *testing.T) {
	t.Parallel()
	cl := newCloud(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer token-1" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	if err := keepAlive(t.Context(), cl.client(t)); err != nil {
		t.Fatal(err)
	}
	if n := len(cl.requests()); n != 2 {
		t.Errorf("%d requests", n)
	}
	never := newCloud(t, status(401, `{"error":{"code":"InvalidAuthenticationToken","message":"no"}}`))
	err := keepAlive(t.Context(), never.client(t))
	if f := fault(t, err); f.Kind != recorder.FaultRefused || f.Receipt.HTTPStatus != 401 {
		t.Errorf("fault %+v", f)
	}
	if n := len(never.requests()); n != 2 {
		t.Errorf("%d requests", n)
	}
}

// TestCredentialIsReadAnew: a renewed secret needs no restart.
func TestCredentialIsReadAnew(t *testing.T) {
	t.Parallel()
	cl := newCloud(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer token-1" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	secrets := make(chan string, 2)
	cl.authority = func(w http.ResponseWriter, r *http.Request) {
		secrets <- r.PostFormValue("client_secret")
		cl.sell(w, r)
	}
	o := cl.options(t)
	c := newClient(t, o)
	if _, err := c.tokens.get(t.Context(), testTenant); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(o.SecretFile, []byte("renewed"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := keepAlive(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if first, second := <-secrets, <-secrets; first != testSecret || second != "renewed" {
		t.Errorf("secrets %d and %d bytes long", len(first), len(second))
	}
}

// TestIssuer: MSAL takes an authority only if its OpenID configuration names
// an issuer on the same scheme, host and port. The test shows what a simulated
// or private authority has to do.
func TestIssuer(t *testing.T) {
	t.Parallel()
	cl := newCloud(t, func(http.ResponseWriter, *http.Request) {})
	cl.issuer = "https://elsewhere.example/" + testTenant + "/v2.0"
	if err := keepAlive(t.Context(), cl.client(t)); err == nil || cl.tokens() != 0 {
		t.Errorf("an authority with a stranger as issuer sold a token: %v", err)
	}
	known := newCloud(t, func(http.ResponseWriter, *http.Request) {})
	known.issuer = "https://login.microsoftonline.com/" + testTenant + "/v2.0"
	if err := keepAlive(t.Context(), known.client(t)); err != nil {
		t.Errorf("Microsoft's own issuer: %v", err)
	}
}

// TestNoToken: the request is not sent, and the caller gets a fault in time.
func TestNoToken(t *testing.T) {
	t.Parallel()
	for name, authority := range map[string]http.HandlerFunc{
		"wrong secret": status(401, `{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided.","error_codes":[7000215]}`),
		"no app":       status(400, `{"error":"unauthorized_client","error_description":"AADSTS700016: not found in the directory","error_codes":[700016]}`),
		"busy":         status(503, ""),
		"HTML":         status(200, "<html>"),
	} {
		cl := newCloud(t, func(http.ResponseWriter, *http.Request) {})
		cl.authority = authority
		err := keepAlive(t.Context(), cl.client(t))
		_ = fault(t, err)
		if len(cl.requests()) != 0 || strings.Contains(err.Error(), testSecret) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestNoTenant: a call whose tenant nobody named is no reason to ask the
// authority for a token of anybody's.
func TestNoTenant(t *testing.T) {
	t.Parallel()
	cl := newCloud(t, func(http.ResponseWriter, *http.Request) {})
	c := cl.client(t)
	if token, err := c.tokens.get(t.Context(), ""); err == nil || cl.tokens() != 0 {
		t.Errorf("%q, %v, %d sold", token, err, cl.tokens())
	}
}

// TestSlowAuthority costs the caller its own time, not the authority's.
func TestSlowAuthority(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	cl := newCloud(t, func(http.ResponseWriter, *http.Request) {})
	cl.authority = func(w http.ResponseWriter, r *http.Request) {
		<-release
		cl.sell(w, r)
	}
	t.Cleanup(func() { close(release) })
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	err := keepAlive(ctx, cl.client(t))
	if f := fault(t, err); f.Kind != recorder.FaultUnknown || !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 3*time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
}

// TestHeldToken: a good token is not bought again, an old one is.
func TestHeldToken(t *testing.T) {
	t.Parallel()
	cl := newCloud(t, func(http.ResponseWriter, *http.Request) {})
	c := cl.client(t)
	now := time.Now()
	for i, test := range []struct {
		expires time.Duration
		bought  bool
	}{{time.Hour, false}, {30 * time.Second, true}, {-time.Second, true}} {
		before := cl.tokens()
		tenant := fmt.Sprintf("932899f8-2ea1-4604-8413-27bd289207%02d", i)
		c.tokens.mu.Lock()
		c.tokens.held[tenant] = token{value: "held", expires: now.Add(test.expires)}
		c.tokens.mu.Unlock()
		got, err := c.tokens.get(t.Context(), tenant)
		if err != nil || (got != "held") != test.bought || (cl.tokens() > before) != test.bought {
			t.Errorf("%v: %q, %v", test.expires, got, err)
		}
	}
}

// TestWarm buys in advance, so that the first answer finds a token.
func TestWarm(t *testing.T) {
	t.Parallel()
	cl := newCloud(t, func(http.ResponseWriter, *http.Request) {})
	bought := make(chan struct{}, 1)
	cl.authority = func(w http.ResponseWriter, r *http.Request) {
		cl.sell(w, r)
		bought <- struct{}{}
	}
	c := cl.client(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c.Warm(ctx, []string{testTenant})
	<-bought
	if err := keepAlive(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if n := cl.tokens(); n != 1 {
		t.Errorf("%d tokens", n)
	}
}

// TestRetryGivesUp when the pause would outlast the deadline.
func TestRetryGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		start, r := time.Now(), newRetry(false)
		if !r.wait(ctx, time.Minute) || time.Since(start) != time.Minute {
			t.Errorf("waited %v", time.Since(start))
		}
		if r.wait(ctx, time.Hour) || time.Since(start) != time.Minute {
			t.Errorf("waited %v for what is too late", time.Since(start))
		}
		for r.wait(ctx, 0) {
			if r.left < 0 {
				t.Fatal("no end")
			}
		}
	})
}
