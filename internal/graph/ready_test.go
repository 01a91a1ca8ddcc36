package graph

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// A desk is a token authority without a network, for bubbles.
type desk struct {
	mu     sync.Mutex // guards all below
	refuse map[string]string
	sold   int
}

func (d *desk) set(tenant, body string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.refuse == nil {
		d.refuse = map[string]string{}
	}
	d.refuse[tenant] = body
}

func (d *desk) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sold
}

// RoundTrip implements http.RoundTripper.
func (d *desk) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
		_ = r.Body.Close()
	}
	w := httptest.NewRecorder()
	tenant, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	d.mu.Lock()
	defer d.mu.Unlock()
	switch base := "https://login.example/" + tenant; {
	case strings.HasSuffix(rest, "openid-configuration"):
		writeJSON(w, 200, fmt.Sprintf(`{"issuer":%q,"authorization_endpoint":%q,"token_endpoint":%q}`, base+"/v2.0", base+"/authorize", base+"/token"))
	case d.refuse[tenant] != "":
		writeJSON(w, 401, d.refuse[tenant])
	default:
		d.sold++
		writeJSON(w, 200, fmt.Sprintf(`{"token_type":"Bearer","expires_in":3600,"access_token":"token-%d"}`, d.sold))
	}
	return w.Result(), nil
}

func newDeskClient(t *testing.T, d *desk, secret string) *Client {
	t.Helper()
	o := Options{
		Root: "https://graph.example", Authority: "https://login.example", AppID: testApp, Credential: Credential{SecretFile: secret},
		CallbackURI: "https://bot.contoso.com/api/calls", Registerer: prometheus.NewRegistry(), Log: zap.NewNop(),
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	c.tokens.http = &http.Client{Transport: d}
	return c
}

const wrongSecret = `{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided.","error_codes":[7000215]}`

// TestReady: one good token of the configured tenants is enough. Without, it
// says what to do, and asks on until there is one.
func TestReady(t *testing.T) {
	t.Parallel()
	const first, second = "932899f8-2ea1-4604-8413-27bd28920701", "932899f8-2ea1-4604-8413-27bd28920702"
	secret := secretFile(t)
	synctest.Test(t, func(t *testing.T) {
		var d desk
		d.set(first, wrongSecret)
		d.set(second, wrongSecret)
		c := newDeskClient(t, &d, secret)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		expect := func(when string, pass time.Duration, words string) {
			t.Helper()
			<-time.After(pass)
			synctest.Wait()
			switch err := c.Ready(); {
			case (err == nil) != (words == ""):
				t.Errorf("%s: %v", when, err)
			case err != nil && (!strings.Contains(err.Error(), words) || strings.Contains(err.Error(), testSecret)):
				t.Errorf("%s: %v, want %q", when, err, words)
			}
		}
		expect("nobody asked", 0, "yet")
		c.Warm(ctx, []string{first, second})
		expect("refused", 0, "the client secret is wrong")
		d.set(second, "")
		expect("one sells", refreshRetry, "")
		// The platform refuses that token: another is bought at once, for nobody asks.
		held, sold := c.tokens.held[second].value, d.count()
		c.tokens.drop(second, held)
		expect("refused by Graph", 0, "")
		if got := d.count() - sold; got != 1 {
			t.Errorf("%d tokens bought for the one refused", got)
		}
		d.set(second, wrongSecret)
		expect("the old one is good", 30*time.Minute, "")
		expect("and then no more", 30*time.Minute, "the client secret is wrong")
		d.set(second, "")
		expect("found again", refreshRetry, "")
	})
}

// TestOnePurchaseForARefusedToken: who needs the next token and who keeps it
// fresh do not buy one each, whoever comes first.
func TestOnePurchaseForARefusedToken(t *testing.T) {
	t.Parallel()
	secret := secretFile(t)
	synctest.Test(t, func(t *testing.T) {
		var d desk
		c := newDeskClient(t, &d, secret)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		c.Warm(ctx, []string{testTenant})
		synctest.Wait()
		for i := range 20 {
			value, err := c.tokens.get(ctx, testTenant)
			if err != nil || value != fmt.Sprintf("token-%d", i+1) {
				t.Fatalf("%q, %v", value, err)
			}
			c.tokens.drop(testTenant, value)
			c.tokens.drop(testTenant, value) // by another request with it
			if i%2 == 0 {
				synctest.Wait()
			}
		}
	})
}

// TestLostSecret: a credential that cannot be read is told with its remedy.
func TestLostSecret(t *testing.T) {
	t.Parallel()
	secret := secretFile(t)
	synctest.Test(t, func(t *testing.T) {
		c := newDeskClient(t, &desk{}, secret)
		c.tokens.opts.SecretFile += ".gone"
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		c.Warm(ctx, []string{testTenant})
		synctest.Wait()
		if err := c.Ready(); err == nil || !strings.Contains(err.Error(), "app.credential") {
			t.Errorf("%v", err)
		}
	})
}
