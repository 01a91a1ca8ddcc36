package cloud_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"

	"github.com/recorderbot/recorderbot/internal/teamsim/cloud"
)

const (
	appID  = "0efc74f7-41c3-47a4-8775-7259bfef4241"
	tenant = "932899f8-2ea1-4604-8413-27bd2892079f"
	secret = "a secret of the test"
)

// certificate makes a self-signed certificate for 127.0.0.1.
func certificate(t *testing.T, key any, public any) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func ecCertificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return certificate(t, key, key.Public())
}

// signingKey is one for all tests: making it takes longer than most of them.
var signingKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func rsaCertificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return certificate(t, key, key.Public())
}

// A seen is one notification that the scripted bot got.
type seen struct {
	change, resource, state string
	data                    json.RawMessage
}

// A bot is the smallest client of the cloud: it takes notifications and makes
// the requests a test tells it to make.
type bot struct {
	t     *testing.T
	cloud *cloud.Cloud
	http  *http.Client
	media *media

	mu     sync.Mutex
	notes  []seen
	more   chan struct{}
	status func(r *http.Request, body []byte) (int, []byte) // nil: 202
	bearer string
}

// media remembers what the cloud connected.
type media struct {
	mu        sync.Mutex
	connected map[string]bool
	refuse    bool
}

func (m *media) Connect(blob string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refuse {
		return errors.New("no such session")
	}
	m.connected[blob] = true
	return nil
}

func (m *media) Disconnect(blob string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.connected[blob] = false
}

func (m *media) live(blob string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.connected[blob]
}

// newBot starts a cloud and a bot for it.
func newBot(t *testing.T, change func(*cloud.Options)) *bot {
	t.Helper()
	b := &bot{t: t, more: make(chan struct{}), media: &media{connected: map[string]bool{}}}
	listener := httptest.NewTLSServer(http.HandlerFunc(b.serve))
	t.Cleanup(listener.Close)
	botCA := x509.NewCertPool()
	botCA.AddCert(listener.Certificate())
	own := ecCertificate(t)
	o := cloud.Options{
		AppID: appID, Tenants: []string{tenant}, Secret: secret, TLS: own, BotCA: botCA, Media: b.media, Seed: 7, SigningKey: signingKey(),
		Webhook: listener.URL + "/api/calls", RetryAfter: time.Millisecond,
	}
	if change != nil {
		change(&o)
	}
	c, err := cloud.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	pool := x509.NewCertPool()
	pool.AddCert(own.Leaf)
	b.cloud = c
	b.http = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}}
	t.Cleanup(b.http.CloseIdleConnections)
	return b
}

func (b *bot) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		b.t.Error(err)
	}
	b.mu.Lock()
	status := b.status
	b.mu.Unlock()
	if status != nil {
		code, reply := status(r, body)
		if code != http.StatusAccepted {
			if code == http.StatusServiceUnavailable {
				w.Header().Set("Retry-After", "0")
			}
			w.WriteHeader(code)
			_, _ = w.Write(reply)
			return
		}
	}
	var envelope struct {
		Type  string `json:"@odata.type"`
		Value []struct {
			Change   string          `json:"changeType"`
			Resource string          `json:"resourceUrl"`
			Data     json.RawMessage `json:"resourceData"`
		} `json:"value"`
	}
	if err := json.Unmarshal(body, &envelope); err != nil || envelope.Type != "#microsoft.graph.commsNotifications" {
		b.t.Errorf("envelope: %v: %s", err, body)
	}
	b.mu.Lock()
	for _, n := range envelope.Value {
		var call struct{ State string }
		if len(n.Data) > 0 && n.Data[0] == '{' {
			_ = json.Unmarshal(n.Data, &call)
		}
		b.notes = append(b.notes, seen{strings.ToLower(n.Change), n.Resource, strings.ToLower(call.State), n.Data})
	}
	close(b.more)
	b.more = make(chan struct{})
	b.mu.Unlock()
	w.WriteHeader(http.StatusAccepted)
}

func (b *bot) answerWith(f func(r *http.Request, body []byte) (int, []byte)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status = f
}

func (b *bot) seen() []seen {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]seen(nil), b.notes...)
}

// await waits for a notification.
func (b *bot) await(match func(seen) bool) seen {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 10*time.Second)
	defer cancel()
	for {
		b.mu.Lock()
		more := b.more
		for _, n := range b.notes {
			if match(n) {
				b.mu.Unlock()
				return n
			}
		}
		b.mu.Unlock()
		select {
		case <-more:
		case <-ctx.Done():
			b.t.Fatalf("no such notification among %+v", b.seen())
		}
	}
}

func state(s string) func(seen) bool { return func(n seen) bool { return n.state == s } }

// token gets an access token with the real MSAL.
func (b *bot) token(credential confidential.Credential) (string, error) {
	client, err := confidential.New(b.cloud.Root()+"/"+tenant, appID, credential,
		confidential.WithHTTPClient(b.http), confidential.WithInstanceDiscovery(false))
	if err != nil {
		return "", err
	}
	result, err := client.AcquireTokenByCredential(b.t.Context(), []string{b.cloud.Root() + "/.default"})
	return result.AccessToken, err
}

func (b *bot) authorised() string {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bearer == "" {
		credential, err := confidential.NewCredFromSecret(secret)
		if err != nil {
			b.t.Fatal(err)
		}
		token, err := b.token(credential)
		if err != nil {
			b.t.Fatal(err)
		}
		b.bearer = "Bearer " + token
	}
	return b.bearer
}

// A result is a reply of the cloud.
type result struct {
	status int
	header http.Header
	body   map[string]any
	raw    []byte
	err    error
}

func (r result) code() string {
	e, _ := r.body["error"].(map[string]any)
	code, _ := e["code"].(string)
	return code
}

// do makes a request to a call. body may be nil, a string or something to be
// marshalled.
func (b *bot) do(method, path string, body any, change ...func(*http.Request)) result {
	b.t.Helper()
	var content io.Reader
	switch v := body.(type) {
	case nil:
	case string:
		content = strings.NewReader(v)
	default:
		raw, err := json.Marshal(v)
		if err != nil {
			b.t.Fatal(err)
		}
		content = bytes.NewReader(raw)
	}
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.cloud.Root()+path, content)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Authorization", b.authorised())
	r.Header.Set("client-request-id", "c-1")
	r.Header.Set("Scenario-Id", "s-1")
	if content != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, f := range change {
		f(r)
	}
	resp, err := b.http.Do(r)
	if err != nil {
		return result{err: err}
	}
	defer func() { _ = resp.Body.Close() }()
	out := result{status: resp.StatusCode, header: resp.Header}
	out.raw, out.err = io.ReadAll(resp.Body)
	_ = json.Unmarshal(out.raw, &out.body)
	return out
}

func callPath(id, op string) string {
	if op == "" {
		return "/v1.0/communications/calls/" + id
	}
	return "/v1.0/communications/calls/" + id + "/" + op
}

func answerBody(callback string) map[string]any {
	return map[string]any{
		"callbackUri":         callback,
		"acceptedModalities":  []string{"audio"},
		"mediaConfig":         map[string]any{"@odata.type": "#microsoft.graph.appHostedMediaConfig", "blob": "the blob"},
		"callOptions":         map[string]any{"@odata.type": "#microsoft.graph.incomingCallOptions", "isDeltaRosterEnabled": false},
		"participantCapacity": 100,
	}
}

func (b *bot) answer(call *cloud.Call) {
	b.t.Helper()
	if r := b.do(http.MethodPost, callPath(call.ID(), "answer"), answerBody(b.callback())); r.status != http.StatusAccepted || len(r.raw) != 0 {
		b.t.Fatalf("answer: %+v %s", r, r.raw)
	}
}

func (b *bot) callback() string {
	// The webhook and the callback are one endpoint of the bot.
	return b.cloud.Webhook()
}

func (b *bot) announce(call *cloud.Call, status, clientContext string) result {
	b.t.Helper()
	return b.do(http.MethodPost, callPath(call.ID(), "updateRecordingStatus"), map[string]any{"status": status, "clientContext": clientContext})
}

// place places a call and waits until the bot has its invite.
func (b *bot) place(spec cloud.CallSpec) *cloud.Call {
	b.t.Helper()
	call, err := b.cloud.PlaceCall(b.t.Context(), spec)
	if err != nil {
		b.t.Fatal(err)
	}
	b.reach(call, cloud.Invited)
	return call
}

func (b *bot) reach(call *cloud.Call, m cloud.Milestone) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 10*time.Second)
	defer cancel()
	if err := call.Wait(ctx, m); err != nil {
		b.t.Fatal(err)
	}
}

// established places a call that is answered and established.
func (b *bot) established(spec cloud.CallSpec) *cloud.Call {
	b.t.Helper()
	call := b.place(spec)
	b.answer(call)
	b.reach(call, cloud.Established)
	return call
}

func (b *bot) noViolations() {
	b.t.Helper()
	for _, v := range b.cloud.Trace().Violations() {
		b.t.Errorf("violation: %v", v)
	}
}
