package callbacks

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"go.uber.org/zap"
)

// certPoll is how often the files are looked at.
const certPoll = 10 * time.Second

var errExpired = errors.New("certificate expired")

// A CertReloader serves a listener's certificate and takes a renewed one from
// disk while running. A renewal that cannot be read, or is only half there,
// leaves the old certificate in use and is tried again.
type CertReloader struct {
	certFile, keyFile string
	log               *zap.Logger
	current           atomic.Pointer[tls.Certificate]
	seen              stamp // of the files last looked at; New's, then Run's
	failed            bool  // the last look ended in an error; Run's
}

// A stamp tells one state of the two files from another. Its zero value is the
// state in which one could not be looked at.
type stamp struct{ cert, key os.FileInfo }

func (s stamp) equal(t stamp) bool { return sameFile(s.cert, t.cert) && sameFile(s.key, t.key) }

// sameFile compares the file itself too: a renewal is usually renamed into its
// place, and modification times are coarse.
func sameFile(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

// NewCertReloader loads the PEM files, certificate chain and private key. It
// fails if they are missing, do not belong together, or have expired.
func NewCertReloader(certFile, keyFile string, log *zap.Logger) (*CertReloader, error) {
	if log == nil {
		log = zap.NewNop()
	}
	c := &CertReloader{certFile: certFile, keyFile: keyFile, log: log}
	seen, err := c.stat()
	if err != nil {
		return nil, fmt.Errorf("load certificate: %w", err)
	}
	certificate, err := c.load()
	if err != nil {
		return nil, fmt.Errorf("load certificate: %w", err)
	}
	c.seen = seen
	c.current.Store(certificate)
	return c, nil
}

// GetCertificate is for tls.Config.
func (c *CertReloader) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return c.current.Load(), nil
}

// GetClientCertificate is for the tls.Config of a client.
func (c *CertReloader) GetClientCertificate(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	return c.current.Load(), nil
}

// Register publishes the seconds left until the certificate in use expires
// (negative afterwards) as recorderbot_tls_certificate_expiry_seconds{listener}.
func (c *CertReloader) Register(reg prometheus.Registerer, listener string) {
	promauto.With(reg).NewGaugeFunc(prometheus.GaugeOpts{
		Name:        "recorderbot_tls_certificate_expiry_seconds",
		Help:        "Seconds until the listener's certificate expires.",
		ConstLabels: prometheus.Labels{"listener": listener},
	}, func() float64 { return time.Until(c.current.Load().Leaf.NotAfter).Seconds() })
}

// Run looks at the files every ten seconds until ctx ends, and returns nil.
func (c *CertReloader) Run(ctx context.Context) error {
	tick := time.NewTicker(certPoll)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			c.poll()
		case <-ctx.Done():
			return nil
		}
	}
}

// poll takes over a renewed certificate. The stamp is taken before the files
// are read, so a write in between is seen next time; a failed load is repeated
// each time, but logged once for each state of the files.
func (c *CertReloader) poll() {
	seen, err := c.stat()
	changed := !seen.equal(c.seen)
	if err == nil && !changed && !c.failed {
		return
	}
	var certificate *tls.Certificate
	if err == nil {
		certificate, err = c.load()
	}
	again := c.failed && !changed
	c.seen, c.failed = seen, err != nil
	switch {
	case err != nil && !again:
		c.log.Error("renewed certificate not usable; the old one stays in use",
			zap.Error(err), zap.Time("expires", c.current.Load().Leaf.NotAfter))
	case err == nil && !certificate.Leaf.Equal(c.current.Load().Leaf):
		c.current.Store(certificate)
		c.log.Info("certificate renewed", zap.Time("expires", certificate.Leaf.NotAfter))
	}
}

func (c *CertReloader) stat() (stamp, error) {
	cert, err := os.Stat(c.certFile)
	if err != nil {
		return stamp{}, err
	}
	key, err := os.Stat(c.keyFile)
	if err != nil {
		return stamp{}, err
	}
	return stamp{cert, key}, nil
}

func (c *CertReloader) load() (*tls.Certificate, error) {
	certificate, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return nil, fmt.Errorf("read %s and %s: %w", c.certFile, c.keyFile, err)
	}
	if certificate.Leaf == nil { // GODEBUG=x509keypairleaf=0
		if certificate.Leaf, err = x509.ParseCertificate(certificate.Certificate[0]); err != nil {
			return nil, fmt.Errorf("read %s: %w", c.certFile, err)
		}
	}
	if end := certificate.Leaf.NotAfter; time.Now().After(end) {
		return nil, fmt.Errorf("%s: %w on %s: put a renewed certificate in its place",
			c.certFile, errExpired, end.Format(time.DateOnly))
	}
	return &certificate, nil
}
