package host_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	pb "github.com/recorderbot/recorderbot/internal/media/link/mediahostv1"
	"github.com/recorderbot/recorderbot/internal/teamsim/host"
)

func TestManySessionsShareALinkInRealTime(t *testing.T) {
	t.Parallel()
	const sessions = 200
	h := newHost(t, host.Options{Speed: 2, Jitter: 5 * time.Millisecond, Speakers: []uint32{11, 12}})
	c := dial(t, h)
	l := openLink(t, c)
	for i := range uint32(sessions) {
		id := fmt.Sprint("s", i)
		if err := h.Connect(create(t, c, id)); err != nil {
			t.Fatal(err)
		}
		l.send(&pb.ToHost{Message: &pb.ToHost_Attach{Attach: &pb.Attach{SessionId: id, Handle: i, Lease: 1, FromSeq: 1}}})
		l.send(&pb.ToHost{Message: &pb.ToHost_Open{Open: &pb.Open{Handle: i}}})
	}
	last := make(map[uint32]uint64)
	for done := 0; done < sessions; {
		g := l.next()
		if g.message != nil {
			continue
		}
		if g.seq != last[g.handle]+1 {
			t.Fatalf("%v after %d", g, last[g.handle])
		}
		if last[g.handle] = g.seq; g.seq == 20 {
			done++
		}
	}
}

func TestNobodyEntersWithoutACertificate(t *testing.T) {
	t.Parallel()
	cert, pool := selfSigned(t)
	h := newHost(t, host.Options{TLS: &tls.Config{
		Certificates: []tls.Certificate{cert}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS13,
	}})
	with := dial(t, h, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{cert}, RootCAs: pool, MinVersion: tls.VersionTLS13,
	})))
	if _, err := with.GetInfo(t.Context(), &pb.GetInfoRequest{}); err != nil {
		t.Errorf("with a certificate: %v", err)
	}
	without := dial(t, h, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13})))
	if _, err := without.GetInfo(t.Context(), &pb.GetInfoRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("without: %v", err)
	}
}

func selfSigned(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IsCA: true, BasicConstraintsValid: true,
		NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}
