package graph

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

const (
	testApp    = "24701998-1a73-4d42-8085-bf46ed0ae039"
	testTenant = "932899f8-2ea1-4604-8413-27bd2892079f"
	testCall   = "e71f0300-9c1f-4d99-b5f4-2722e877d497"
	testSecret = "s3cret-of-the-application"
)

func testRef() recorder.CallRef {
	return recorder.CallRef{ID: testCall, Platform: testCall, Tenant: testTenant, Scenario: "05f2f70f-3a9c-47c1-80a9-cc79e91d8cec"}
}

// A seen is a request as it arrived.
type seen struct {
	method, path string
	header       http.Header
	body         []byte
}

// A cloud plays Graph and Entra ID on one TLS server with HTTP/2.
type cloud struct {
	*httptest.Server
	graph     http.HandlerFunc // set before the first request
	authority http.HandlerFunc // of the token endpoint; default: sells tokens
	issuer    string           // default: the server's own

	mu    sync.Mutex // guards all below
	asked []seen     // of Graph
	sold  int
}

func newCloud(t *testing.T, graph http.HandlerFunc) *cloud {
	t.Helper()
	c := &cloud{graph: graph}
	c.authority = c.sell
	c.Server = httptest.NewUnstartedServer(http.HandlerFunc(c.serve))
	c.EnableHTTP2 = true
	c.StartTLS()
	t.Cleanup(c.Close)
	c.issuer = c.URL + "/" + testTenant + "/v2.0"
	return c
}

func (c *cloud) serve(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasSuffix(r.URL.Path, "/v2.0/.well-known/openid-configuration"):
		base := c.URL + "/" + testTenant
		writeJSON(w, 200, fmt.Sprintf(`{"issuer":%q,"authorization_endpoint":%q,"token_endpoint":%q}`,
			c.issuer, base+"/oauth2/v2.0/authorize", base+"/oauth2/v2.0/token"))
	case strings.HasSuffix(r.URL.Path, "/oauth2/v2.0/token"):
		c.authority(w, r)
	default:
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		c.mu.Lock()
		c.asked = append(c.asked, seen{r.Method, r.URL.Path, r.Header.Clone(), body})
		c.mu.Unlock()
		c.graph(w, r)
	}
}

// sell sells the n-th token under the name "token-n".
func (c *cloud) sell(w http.ResponseWriter, _ *http.Request) {
	c.mu.Lock()
	c.sold++
	n := c.sold
	c.mu.Unlock()
	writeJSON(w, 200, fmt.Sprintf(`{"token_type":"Bearer","expires_in":3600,"access_token":"token-%d"}`, n))
}

func (c *cloud) requests() []seen {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]seen(nil), c.asked...)
}

func (c *cloud) tokens() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sold
}

func writeJSON(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// options are those of a bot that speaks with c.
func (c *cloud) options(t *testing.T) Options {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(c.Certificate())
	return Options{
		Root: c.URL, Authority: c.URL, AppID: testApp, Credential: Credential{SecretFile: secretFile(t)},
		CallbackURI: "https://bot.contoso.com/api/calls", CA: pool, UserAgent: "recorderbot/test",
		Registerer: prometheus.NewRegistry(),
	}
}

func (c *cloud) client(t *testing.T) *Client {
	t.Helper()
	return newClient(t, c.options(t))
}

func newClient(t *testing.T, o Options) *Client {
	t.Helper()
	client, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.http.CloseIdleConnections)
	return client
}

func secretFile(t *testing.T) string {
	t.Helper()
	return writeFile(t, "secret", []byte(testSecret+"\n"))
}

func writeFile(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// newCertificate makes a self-signed one, with its key in the same PEM.
func newCertificate(t *testing.T) (pemData []byte, cert *x509.Certificate) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bot"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	if cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	pemData = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return append(pemData, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})...), cert
}
