package callbacks

import (
	"bytes"
	"context"
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/recorderbot/recorderbot/internal/graph"
)

const (
	appID       = "0efc74f7-41c3-47a4-8775-7259bfef4241"
	ourTenant   = "1fdd12d0-4620-44ed-baec-459b611f84b2"
	otherTenant = "8986d25d-ed3f-4bb8-b739-14d2fcc37b09"
	issuer      = "https://api.botframework.com"
	longTenant  = "http://schemas.microsoft.com/identity/claims/tenantid"
)

// testKeys are made once: making an RSA key is the slowest thing here.
var testKeys = sync.OnceValue(func() []*rsa.PrivateKey {
	keys := make([]*rsa.PrivateKey, 3)
	for i := range keys {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		keys[i] = key
	}
	return keys
})

// platform is the calling service's OpenID end: a real HTTPS server whose
// published keys can be exchanged, and which counts how often it is asked.
type platform struct {
	*httptest.Server
	mu        sync.Mutex
	published map[string]*rsa.PublicKey
	broken    int // status instead of an answer; 0: none
	fetches   atomic.Int64
}

func newPlatform(tb testing.TB, published map[string]*rsa.PublicKey) *platform {
	tb.Helper()
	p := &platform{published: published}
	mux := http.NewServeMux()
	mux.HandleFunc("/v1/.well-known/OpenIdConfiguration", func(w http.ResponseWriter, _ *http.Request) {
		p.answer(w, map[string]any{"issuer": issuer, "jwks_uri": p.URL + "/v1/keys"})
	})
	mux.HandleFunc("/v1/keys", func(w http.ResponseWriter, _ *http.Request) {
		p.fetches.Add(1)
		p.mu.Lock()
		set := keySetJSON(p.published)
		p.mu.Unlock()
		p.answer(w, set)
	})
	p.Server = httptest.NewTLSServer(mux)
	tb.Cleanup(p.Close)
	return p
}

func (p *platform) answer(w http.ResponseWriter, v any) {
	p.mu.Lock()
	broken := p.broken
	p.mu.Unlock()
	if broken != 0 {
		w.WriteHeader(broken)
		return
	}
	_ = json.NewEncoder(w).Encode(v)
}

func (p *platform) publish(keys map[string]*rsa.PublicKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.published = keys
}

func (p *platform) breakDown(status int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broken = status
}

func (p *platform) configuration() string { return p.URL + "/v1/.well-known/OpenIdConfiguration" }

func (p *platform) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(p.Certificate())
	return pool
}

func keySetJSON(keys map[string]*rsa.PublicKey) map[string]any {
	var set []map[string]any
	for id, key := range keys {
		set = append(set, map[string]any{
			"kty": "RSA", "use": "sig", "kid": id, "x5t": id,
			"n":            base64.RawURLEncoding.EncodeToString(key.N.Bytes()),
			"e":            base64.RawURLEncoding.EncodeToString(big.NewInt(int64(key.E)).Bytes()),
			"endorsements": []string{"msteams"},
		})
	}
	return map[string]any{"keys": set}
}

// token is made by hand, not by the library under test, so that it can be
// wrong in every way.
type token struct {
	header map[string]any
	claims map[string]any
	key    *rsa.PrivateKey
	// sign replaces RS256.
	sign func(signed string) []byte
}

func goodToken() token {
	now := time.Now()
	return token{
		header: map[string]any{"alg": "RS256", "typ": "JWT", "kid": "k0", "x5t": "k0"},
		claims: map[string]any{
			"aud": appID, "iss": issuer, "iat": now.Unix(), "nbf": now.Unix(),
			"exp": now.Add(65 * time.Minute).Unix(), "tid": ourTenant,
		},
		key: testKeys()[0],
	}
}

func (k token) with(claim string, value any) token {
	k.claims = maps.Clone(k.claims)
	if value == nil {
		delete(k.claims, claim)
	} else {
		k.claims[claim] = value
	}
	return k
}

func (k token) head(name string, value any) token {
	k.header = maps.Clone(k.header)
	if value == nil {
		delete(k.header, name)
	} else {
		k.header[name] = value
	}
	return k
}

func (k token) by(key *rsa.PrivateKey, id string) token {
	k = k.head("kid", id)
	k.key = key
	return k
}

func (k token) String() string {
	encode := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	signed := encode(k.header) + "." + encode(k.claims)
	if k.sign != nil {
		return signed + "." + base64.RawURLEncoding.EncodeToString(k.sign(signed))
	}
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(nil, k.key, crypto.SHA256, sum[:])
	if err != nil {
		panic(err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func hmacSign(secret []byte) func(string) []byte {
	return func(signed string) []byte {
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(signed))
		return mac.Sum(nil)
	}
}

// receiver is what stands behind the edge in these tests: it keeps what it was
// given and does what its hooks say.
type receiver struct {
	mu      sync.Mutex
	got     [][]graph.Notification
	from    []Caller
	receive func(ctx context.Context, ns []graph.Notification) error
	joining func() ([]byte, error)
}

func (r *receiver) Receive(ctx context.Context, from Caller, ns []graph.Notification) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.receive != nil {
		if err := r.receive(ctx, ns); err != nil {
			return err
		}
	}
	r.got, r.from = append(r.got, ns), append(r.from, from)
	return nil
}

func (r *receiver) Joining(context.Context, Caller, graph.Notification) ([]byte, error) {
	if r.joining != nil {
		return r.joining()
	}
	return graph.AcceptJoin(), nil
}

func (r *receiver) batches() [][]graph.Notification {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.got
}

// edge is a server with what surrounds it.
type edge struct {
	*Server
	receiver *receiver
	registry *prometheus.Registry
}

// newEdge makes a server whose keys are loaded, without a network.
func newEdge(tb testing.TB, change func(*Options)) *edge {
	tb.Helper()
	e := &edge{receiver: &receiver{}, registry: prometheus.NewPedanticRegistry()}
	o := Options{
		AppID: appID, Tenants: []string{ourTenant}, Receiver: e.receiver,
		Registerer: e.registry, Log: zap.NewNop(),
	}
	if change != nil {
		change(&o)
	}
	s, err := New(o)
	if err != nil {
		tb.Fatal(err)
	}
	e.Server = s
	s.keys.fetch = func(context.Context) (map[string]*rsa.PublicKey, error) {
		return map[string]*rsa.PublicKey{"k0": &testKeys()[0].PublicKey}, nil
	}
	if err := s.keys.refresh(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.keys.close)
	return e
}

func (e *edge) do(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	e.Handler().ServeHTTP(w, r)
	return w
}

// post makes a request as the platform does.
func post(tb testing.TB, bearer, body string) *http.Request {
	tb.Helper()
	r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, Path, bytes.NewBufferString(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "Microsoft-Skype/3.0,(Calling/1.0)")
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	return r
}

// value reads a metric: the sum over the labels that match.
func (e *edge) value(tb testing.TB, name string, labels ...string) float64 {
	tb.Helper()
	families, err := e.registry.Gather()
	if err != nil {
		tb.Fatal(err)
	}
	var sum float64
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
	metrics:
		for _, m := range f.GetMetric() {
			have := map[string]string{}
			for _, l := range m.GetLabel() {
				have[l.GetName()] = l.GetValue()
			}
			for i := 0; i < len(labels); i += 2 {
				if have[labels[i]] != labels[i+1] {
					continue metrics
				}
			}
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return sum
}

// invite is a policy-recording invite; tenant and call as given.
func invite(tenant, call string) string { return batch(entry(tenant, call)) }

func entry(tenant, call string) string {
	return fmt.Sprintf(`{"@odata.type":"#microsoft.graph.commsNotification","changeType":"created",
"resourceUrl":"/communications/calls/%[2]s","resourceData":{"@odata.type":"#microsoft.graph.call","id":%[2]q,
"state":"incoming","direction":"incoming","tenantId":%[1]q,"myParticipantId":"8d8a9a39-ba1c-4e28-8ba6-df2ba3d7a9b7",
"callChainId":"a590efba-429f-46c8-bc2b-a12134505bcf",
"incomingContext":{"observedParticipantId":"ec040873-8235-45fd-a403-c7259a5a548e"}}}`, tenant, call)
}

func batch(entries ...string) string {
	var b bytes.Buffer
	b.WriteString(`{"@odata.type":"#microsoft.graph.commsNotifications","value":[`)
	for i, e := range entries {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(e)
	}
	b.WriteString("]}")
	return b.String()
}

const callID = "57dab8b1-894c-409a-b240-bd8beae78896"

func newRegistry() *prometheus.Registry { return prometheus.NewPedanticRegistry() }

func discard() *log.Logger { return log.New(io.Discard, "", 0) }
