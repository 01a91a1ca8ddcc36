package teamsim

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// The files that WritePKI makes in its folder.
const (
	FileCA          = "ca.crt"          // trusted for everything here
	FileBotCert     = "bot.crt"         // the bot's listeners
	FileBotKey      = "bot.key"         //
	FileClientCert  = "mediaclient.crt" // the bot towards media hosts
	FileClientKey   = "mediaclient.key" //
	FileCredential  = "credential.pem"  //nolint:gosec // a file's name: certificate and key of the app
	FileSecret      = "secret.txt"      // secret of the app
	credentialBits  = 2048
	certificateTime = 30 * 24 * time.Hour
)

// A PKI is a certificate authority of its own, made anew for each run, and what
// it issued.
type PKI struct {
	// Dir is where the bot's files are.
	Dir string
	// Roots trust the authority.
	Roots *x509.CertPool
	// Cloud and Host are the servers' own certificates; their keys are in memory
	// only.
	Cloud, Host tls.Certificate
	// Credential is the app's registered certificate.
	Credential *x509.Certificate
	// Secret is the app's registered secret.
	Secret string
	// Signing is the first key of the calling service's tokens.
	Signing *rsa.PrivateKey

	ca    *x509.Certificate
	caKey crypto.Signer
}

// WritePKI makes an authority, certificates for 127.0.0.1, ::1 and localhost,
// and the app's credentials, and writes the bot's part into dir.
func WritePKI(dir string) (*PKI, error) {
	p := &PKI{Dir: dir, Roots: x509.NewCertPool()}
	for _, step := range []func() error{p.makeAuthority, p.issueAll, p.makeCredential} {
		if err := step(); err != nil {
			return nil, fmt.Errorf("write the simulator's certificates: %w", err)
		}
	}
	return p, nil
}

func (p *PKI) makeAuthority() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	template, err := certificateTemplate("teamsim authority")
	if err != nil {
		return err
	}
	template.IsCA = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return fmt.Errorf("make the authority: %w", err)
	}
	if p.ca, err = x509.ParseCertificate(der); err != nil {
		return fmt.Errorf("make the authority: %w", err)
	}
	p.caKey = key
	p.Roots.AddCert(p.ca)
	return writeFile(filepath.Join(p.Dir, FileCA), pemBlock("CERTIFICATE", der))
}

func (p *PKI) issueAll() error {
	var err error
	if p.Cloud, _, err = p.issue("teamsim cloud", x509.ExtKeyUsageServerAuth); err != nil {
		return err
	}
	if p.Host, _, err = p.issue("teamsim media host", x509.ExtKeyUsageServerAuth); err != nil {
		return err
	}
	for _, f := range []struct {
		name, cert, key string
		usage           x509.ExtKeyUsage
	}{
		{"recorderbot", FileBotCert, FileBotKey, x509.ExtKeyUsageServerAuth},
		{"recorderbot media client", FileClientCert, FileClientKey, x509.ExtKeyUsageClientAuth},
	} {
		cert, key, err := p.issue(f.name, f.usage)
		if err != nil {
			return err
		}
		err = errors.Join(
			writeFile(filepath.Join(p.Dir, f.cert), pemBlock("CERTIFICATE", cert.Certificate[0])),
			writeFile(filepath.Join(p.Dir, f.key), key))
		if err != nil {
			return err
		}
	}
	return nil
}

// issue makes a certificate and returns its key also as PEM.
func (p *PKI) issue(name string, usage x509.ExtKeyUsage) (tls.Certificate, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, fmt.Errorf("make a key for %s: %w", name, err)
	}
	template, err := certificateTemplate(name)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{usage}
	template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	template.DNSNames = []string{"localhost"}
	der, err := x509.CreateCertificate(rand.Reader, template, p.ca, key.Public(), p.caKey)
	if err != nil {
		return tls.Certificate{}, nil, fmt.Errorf("issue a certificate to %s: %w", name, err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return tls.Certificate{}, nil, fmt.Errorf("write the key of %s: %w", name, err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pemBlock("PRIVATE KEY", pkcs8), nil
}

// makeCredential makes what is registered for the app with Entra ID: a
// self-signed certificate, as administrators upload it, and a secret.
func (p *PKI) makeCredential() error {
	key, err := rsa.GenerateKey(rand.Reader, credentialBits)
	if err != nil {
		return fmt.Errorf("make the credential's key: %w", err)
	}
	if p.Signing, err = rsa.GenerateKey(rand.Reader, credentialBits); err != nil {
		return fmt.Errorf("make the calling service's key: %w", err)
	}
	template, err := certificateTemplate("recorderbot credential")
	if err != nil {
		return err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return fmt.Errorf("make the credential: %w", err)
	}
	if p.Credential, err = x509.ParseCertificate(der); err != nil {
		return fmt.Errorf("make the credential: %w", err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("write the credential: %w", err)
	}
	secret := make([]byte, 20)
	if _, err := rand.Read(secret); err != nil {
		return fmt.Errorf("make the secret: %w", err)
	}
	p.Secret = hex.EncodeToString(secret)
	return errors.Join(
		writeFile(filepath.Join(p.Dir, FileCredential), append(pemBlock("CERTIFICATE", der), pemBlock("PRIVATE KEY", pkcs8)...)),
		writeFile(filepath.Join(p.Dir, FileSecret), []byte(p.Secret+"\n")))
}

func certificateTemplate(name string) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, fmt.Errorf("draw a serial number: %w", err)
	}
	now := time.Now()
	return &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: name, Organization: []string{"recorderbot simulator"}},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.Add(certificateTime),
		BasicConstraintsValid: true,
	}, nil
}

func pemBlock(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// writeFile writes a file of the bot's, readable by its owner only. The
// simulator has no power cuts to fear: what it writes is made anew for each run.
func writeFile(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil { //nolint:forbidigo // not the product: nothing here must outlive a crash
		return err
	}
	return os.WriteFile(path, data, 0o600) //nolint:forbidigo // as above
}
