package callbacks

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// certificate writes a new self-signed certificate to dir, and says its serial.
func certificate(t *testing.T, dir string, serial int64, notAfter time.Time) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "bot.example.com"},
		NotBefore: notAfter.Add(-1000 * time.Hour), NotAfter: notAfter,
		DNSNames: []string{"bot.example.com"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	write(t, certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	write(t, keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	return certFile, keyFile
}

func write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func touch(t *testing.T, at time.Time, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := os.Chtimes(name, at, at); err != nil {
			t.Fatal(err)
		}
	}
}

func (c *CertReloader) serial(t *testing.T) int64 {
	t.Helper()
	certificate, err := c.GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	return certificate.Leaf.SerialNumber.Int64()
}

// TestCertificateRenewed walks a renewal as it happens: certificate first, key
// later, with a broken state in between that is reported once.
func TestCertificateRenewed(t *testing.T) {
	t.Parallel()
	dir, other := t.TempDir(), t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zapcore.ErrorLevel)
		certFile, keyFile := certificate(t, dir, 1, time.Now().Add(100*time.Hour))
		c, err := NewCertReloader(certFile, keyFile, zap.New(core))
		if err != nil {
			t.Fatal(err)
		}
		registry := newRegistry()
		c.Register(registry, "callbacks")
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go func() { _ = c.Run(ctx) }()
		expect := func(serial int64, errors int, left time.Duration) {
			t.Helper()
			<-time.After(3 * certPoll)
			synctest.Wait()
			if got := c.serial(t); got != serial {
				t.Errorf("certificate %d in use, want %d", got, serial)
			}
			if got := logs.Len(); got != errors {
				t.Errorf("%d errors logged, want %d: %v", got, errors, logs.All())
			}
			if got := expiry(t, registry); got > left || got < left-5*time.Minute {
				t.Errorf("expires in %v, want about %v", got, left)
			}
		}
		expect(1, 0, 100*time.Hour)

		newCert, newKey := certificate(t, other, 2, time.Now().Add(200*time.Hour))
		replace(t, newCert, certFile)
		expect(1, 1, 100*time.Hour) // does not fit the key: reported once
		replace(t, newKey, keyFile)
		expect(2, 1, 200*time.Hour)

		certificate(t, dir, 3, time.Now().Add(-time.Hour))
		touch(t, time.Now(), certFile, keyFile)
		expect(2, 2, 200*time.Hour) // expired: kept out

		if err := os.Remove(certFile); err != nil {
			t.Fatal(err)
		}
		expect(2, 3, 200*time.Hour)
		certificate(t, dir, 4, time.Now().Add(300*time.Hour))
		expect(4, 3, 300*time.Hour)
	})
}

func replace(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func expiry(t *testing.T, registry *prometheus.Registry) time.Duration {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "recorderbot_tls_certificate_expiry_seconds" {
			return time.Duration(f.GetMetric()[0].GetGauge().GetValue() * float64(time.Second))
		}
	}
	t.Fatal("no such metric")
	return 0
}

func TestCertificateAtStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certFile, keyFile := certificate(t, dir, 1, time.Now().Add(-time.Minute))
	if _, err := NewCertReloader(certFile, keyFile, nil); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("expired: %v", err)
	}
	if _, err := NewCertReloader(filepath.Join(dir, "none"), keyFile, nil); err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("missing: %v", err)
	}
	if _, err := NewCertReloader(certFile, certFile, nil); err == nil {
		t.Error("certificate as key: no error")
	}
}

// serve starts a real listener on the loopback.
func serveTLS(t *testing.T, e *edge, shorten func(*http.Server)) (*http.Client, string, *CertReloader) {
	t.Helper()
	certFile, keyFile := certificate(t, t.TempDir(), 1, time.Now().Add(time.Hour))
	reloader, err := NewCertReloader(certFile, keyFile, nil)
	if err != nil {
		t.Fatal(err)
	}
	server := NewHTTPServer("", e.Handler(), &tls.Config{GetCertificate: reloader.GetCertificate, MinVersion: tls.VersionTLS12})
	server.ErrorLog = discard()
	if shorten != nil {
		shorten(server)
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.ServeTLS(listener, "", "") }()
	t.Cleanup(func() { _ = server.Close(); <-done })
	pool := x509.NewCertPool()
	pool.AddCert(reloader.current.Load().Leaf)
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true,
	}}
	t.Cleanup(client.CloseIdleConnections)
	return client, "https://" + listener.Addr().String(), reloader
}

func TestOverTLS(t *testing.T) {
	t.Parallel()
	e := newEdge(t, nil)
	client, address, _ := serveTLS(t, e, nil)
	old := client.Transport.(*http.Transport).Clone()
	old.ForceAttemptHTTP2, old.TLSClientConfig.NextProtos = false, []string{"http/1.1"}
	old.Protocols = new(http.Protocols)
	old.Protocols.SetHTTP1(true)
	t.Cleanup(old.CloseIdleConnections)
	stream := func(s string) io.Reader { return struct{ io.Reader }{strings.NewReader(s)} }
	huge := strings.Repeat(" ", DefaultMaxBody+1)
	for name, test := range map[string]struct {
		body   func() io.Reader
		token  string
		status int
	}{
		"plain":               {func() io.Reader { return strings.NewReader(invite(ourTenant, callID)) }, goodToken().String(), 202},
		"chunked":             {func() io.Reader { return stream(invite(ourTenant, callID)) }, goodToken().String(), 202},
		"oversized":           {func() io.Reader { return strings.NewReader(huge) }, goodToken().String(), 413},
		"oversized, chunked":  {func() io.Reader { return stream(huge) }, goodToken().String(), 413},
		"oversized, stranger": {func() io.Reader { return strings.NewReader(huge) }, "x", 413},
		"a stranger's, big":   {func() io.Reader { return stream(huge) }, "x", 401},
		"a stranger's, 3 MiB": {func() io.Reader { return strings.NewReader(huge + huge + huge) }, "x", 413},
		"at the limit":        {func() io.Reader { return strings.NewReader(pad(invite(ourTenant, callID), DefaultMaxBody)) }, goodToken().String(), 202},
		"one above the limit": {func() io.Reader { return stream(pad(invite(ourTenant, callID), DefaultMaxBody+1)) }, goodToken().String(), 413},
	} {
		for major, client := range map[int]*http.Client{1: {Transport: old}, 2: client} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address+Path, test.body())
			if err != nil {
				t.Fatal(err)
			}
			r.Header = post(t, test.token, "").Header
			resp, err := client.Do(r)
			if err != nil {
				t.Errorf("%s, HTTP/%d: %v", name, major, err)
				continue
			}
			if _, err := io.Copy(io.Discard, resp.Body); err != nil {
				t.Errorf("%s, HTTP/%d: %v", name, major, err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != test.status || resp.ProtoMajor != major {
				t.Errorf("%s: status %d by %s, want %d by HTTP/%d", name, resp.StatusCode, resp.Proto, test.status, major)
			}
		}
	}
}

func pad(s string, to int) string { return s + strings.Repeat(" ", to-len(s)) }

// TestSlowBody: a genuine sender that stalls is cut off by the read timeout and
// nothing is handed over; one that stalls in the header gets no answer at all.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	e := newEdge(t, nil)
	client, address, _ := serveTLS(t, e, func(s *http.Server) {
		s.ReadTimeout, s.ReadHeaderTimeout = 300*time.Millisecond, 300*time.Millisecond
	})
	config := client.Transport.(*http.Transport).TLSClientConfig.Clone()
	config.NextProtos = []string{"http/1.1"}
	dial := func() net.Conn {
		conn, err := (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", strings.TrimPrefix(address, "https://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	conn := dial()
	_, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{",
		Path, goodToken())
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusRequestTimeout {
		t.Errorf("status %d", resp.StatusCode)
	}
	if len(e.receiver.batches()) != 0 {
		t.Error("half a body was handed over")
	}
	conn = dial()
	if _, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost:", Path); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(conn); len(got) != 0 && !strings.HasPrefix(string(got), "HTTP/1.1 4") {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestHTTPServerLimits(t *testing.T) {
	t.Parallel()
	for _, config := range []*tls.Config{nil, {MinVersion: tls.VersionTLS10}, {MinVersion: tls.VersionTLS13}} {
		s := NewHTTPServer(":9441", http.NotFoundHandler(), config)
		if s.ReadHeaderTimeout == 0 || s.ReadTimeout == 0 || s.WriteTimeout == 0 || s.IdleTimeout == 0 || s.MaxHeaderBytes == 0 {
			t.Errorf("a limit is missing: %+v", s)
		}
		if config != nil && (s.TLSConfig == config || s.TLSConfig.MinVersion < max(config.MinVersion, tls.VersionTLS12)) {
			t.Errorf("TLS from version %x", s.TLSConfig.MinVersion)
		}
	}
}

// TestRefusalCanBeRead: a sender that writes all before it reads anything gets its
// refusal, and no reset connection.
func TestRefusalCanBeRead(t *testing.T) {
	t.Parallel()
	e := newEdge(t, nil)
	client, address, _ := serveTLS(t, e, nil)
	config := client.Transport.(*http.Transport).TLSClientConfig.Clone()
	config.NextProtos = []string{"http/1.1"}
	conn, err := (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", strings.TrimPrefix(address, "https://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	const size = DefaultMaxBody + 1 // more than the buffers between us hold
	if _, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", Path, size); err != nil {
		t.Fatal(err)
	}
	n, err := conn.Write(make([]byte, size))
	if err != nil {
		t.Fatalf("after %d bytes: %v", n, err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Error(resp.Status)
	}
}
