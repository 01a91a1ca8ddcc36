package console

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// A Client is somebody who shows a certificate.
type Client struct {
	CommonName string
	Role       Role
}

// authority is who signs clients' certificates, as its file has it now.
type authority struct {
	file  string // empty: no certificate is taken
	log   *zap.Logger
	roles map[string]Role // by common name
	pool  atomic.Pointer[x509.CertPool]
	fault string // as last told; poll's
}

func newAuthority(file string, clients []Client, log *zap.Logger) *authority {
	a := &authority{file: file, log: log, roles: make(map[string]Role, len(clients))}
	for _, c := range clients {
		a.roles[c.CommonName] = c.Role
	}
	a.poll()
	return a
}

// poll reads the file. What can't be read lets nobody in.
func (a *authority) poll() {
	pool := x509.NewCertPool()
	fault := ""
	if a.file != "" {
		data, err := os.ReadFile(a.file)
		if err == nil && !pool.AppendCertsFromPEM(data) {
			err = errors.New("no PEM certificate in " + a.file)
		}
		if err != nil {
			fault = err.Error()
		}
	}
	if fault != a.fault && fault != "" {
		a.log.Error("no client certificate is taken until the authority's file is put right", zap.String("fault", fault))
	}
	a.fault = fault
	a.pool.Store(pool)
}

// ask makes a TLS configuration ask for a certificate. It is judged by verify, for
// each request: who has a bad one is told so, and counted.
func (a *authority) ask(c *tls.Config) {
	if a.file == "" {
		return
	}
	c.ClientAuth = tls.RequestClientCert
	// A resumed session would bring the certificate of an earlier day.
	c.SessionTicketsDisabled = true
	base := c.Clone()
	c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		now := base.Clone()
		now.ClientCAs = a.pool.Load() // tells the client which certificate to choose
		return now, nil
	}
}

var (
	errClientUnknown = errors.New("no client of the configuration")
	errClientExpired = errors.New("the certificate is not valid now")
)

// verify tells whose certificate it is.
func (a *authority) verify(chain []*x509.Certificate) (identity, error) {
	leaf, between := chain[0], x509.NewCertPool()
	if now := time.Now(); now.After(leaf.NotAfter) || now.Before(leaf.NotBefore) {
		return identity{}, errClientExpired
	}
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots: a.pool.Load(), Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return identity{}, fmt.Errorf("%w: %w", errClientUnknown, err)
	}
	role, ok := a.roles[leaf.Subject.CommonName]
	if !ok {
		return identity{}, errClientUnknown
	}
	return identity{"client/" + leaf.Subject.CommonName, role}, nil
}
