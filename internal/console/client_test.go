package console

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// A signer signs certificates.
type signer struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newSigner(t *testing.T) *signer {
	t.Helper()
	s := &signer{}
	c := s.issue(t, "authority", time.Hour, 0)
	s.cert, s.key = c.Leaf, c.PrivateKey.(*ecdsa.PrivateKey)
	return s
}

// issue signs a certificate; the first is the signer's own.
func (s *signer) issue(t *testing.T, name string, life time.Duration, usage x509.ExtKeyUsage) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(life), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	parent, by := s.cert, s.key
	if parent == nil {
		template.IsCA, template.KeyUsage, parent, by = true, x509.KeyUsageCertSign, template, key
	} else {
		template.ExtKeyUsage = []x509.ExtKeyUsage{usage}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), by)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func (s *signer) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.cert.Raw}))
}

// TestClientCertificates: over true TLS, with and without HTTP/2.
func TestClientCertificates(t *testing.T) {
	t.Parallel()
	ours, others := newSigner(t), newSigner(t)
	var file string
	w := newWorld(t, func(o *Options) { o.ClientCAFile, o.Clients = "", nil })
	file = w.write(t, "ca.pem", ours.pem())
	w.server.authority = newAuthority(file, []Client{{"desk1", RoleOperator}}, w.server.log)
	certificate := ours.issue(t, "console", time.Hour, x509.ExtKeyUsageServerAuth)
	server := httptest.NewUnstartedServer(w.server.Handler())
	server.TLS = w.server.TLS(func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &certificate, nil })
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(ours.cert)
	client := func(c *tls.Certificate, h2 bool) *http.Client {
		config := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}
		if c != nil {
			// Whatever authorities the server names: strangers do not keep to them.
			config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return c, nil }
		}
		tr := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: h2}
		t.Cleanup(tr.CloseIdleConnections)
		return &http.Client{Transport: tr}
	}
	ask := func(c *http.Client, token string) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+callPath+"/pause", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		reply, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = reply.Body.Close() }()
		_, _ = io.Copy(io.Discard, reply.Body)
		return reply.StatusCode
	}
	good := ours.issue(t, "desk1", time.Hour, x509.ExtKeyUsageClientAuth)
	for name, tt := range map[string]struct {
		cert  *tls.Certificate
		token string
		want  int
	}{
		"good":                     {&good, "", 200},
		"none":                     {nil, "", 401},
		"none, with a token":       {nil, operatorToken, 200},
		"good, with a bad token":   {&good, strangeToken, 401},
		"unknown name":             {new(ours.issue(t, "desk2", time.Hour, x509.ExtKeyUsageClientAuth)), "", 401},
		"expired":                  {new(ours.issue(t, "desk1", -time.Hour, x509.ExtKeyUsageClientAuth)), "", 401},
		"of another authority":     {new(others.issue(t, "desk1", time.Hour, x509.ExtKeyUsageClientAuth)), "", 401},
		"a server's":               {new(ours.issue(t, "desk1", time.Hour, x509.ExtKeyUsageServerAuth)), "", 401},
		"bad, with a viewer's own": {new(others.issue(t, "desk1", time.Hour, x509.ExtKeyUsageClientAuth)), viewerToken, 403},
	} {
		for _, h2 := range []bool{false, true} {
			if got := ask(client(tt.cert, h2), tt.token); got != tt.want {
				t.Errorf("%s, HTTP/2 %v: %d, want %d", name, h2, got, tt.want)
			}
		}
	}
	// The authority is taken away: the connection that stands is nobody's.
	kept := client(&good, false)
	if got := ask(kept, ""); got != 200 {
		t.Error(got)
	}
	w.write(t, "ca.pem", others.pem())
	w.server.authority.poll()
	if got := ask(kept, ""); got != 401 {
		t.Errorf("a removed authority's client: %d", got)
	}
	w.write(t, "ca.pem", "nothing")
	w.server.authority.poll()
	if got := ask(client(new(others.issue(t, "desk1", time.Hour, x509.ExtKeyUsageClientAuth)), false), ""); got != 401 {
		t.Errorf("without an authority: %d", got)
	}
	if n := w.counts(t, "recorderbot_console_logins_refused_total"); n["expiredClient"] != 2 || n["unknownClient"] < 8 {
		t.Errorf("%v", n)
	}
}

// TestOptions: all that is wrong, at once.
func TestOptions(t *testing.T) {
	t.Parallel()
	_, err := New(Options{ClientCAFile: "x"})
	want := "console: no recorder or no auditor\nneither tokens nor clients: nobody could use it\nclients need an authority, and an authority clients"
	if err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
	for r := RoleViewer; r <= RoleAdmin; r++ {
		if got, ok := ParseRole(r.String()); !ok || got != r {
			t.Errorf("%v", r)
		}
	}
	if _, ok := ParseRole("none"); ok || len(Roles()) != 3 {
		t.Error("none is a role")
	}
	s, err := New(Options{Recorder: &desk{}, Auditor: struct{ Auditor }{}, Tokens: []Token{{"a", RoleViewer, "nowhere"}}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Run(ctx); err != nil {
		t.Error(err)
	}
}
