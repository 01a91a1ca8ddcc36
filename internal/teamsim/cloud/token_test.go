package cloud_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
	"github.com/golang-jwt/jwt/v5"

	"github.com/recorderbot/recorderbot/internal/teamsim/cloud"
	"github.com/recorderbot/recorderbot/internal/teamsim/trace"
)

// get reads a document of the cloud without a token.
func (b *bot) get(u string, v any) int {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, u, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	resp, err := b.http.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	if resp.StatusCode == http.StatusOK {
		if err := json.Unmarshal(body, v); err != nil {
			b.t.Fatalf("%s: %v: %s", u, err, body)
		}
	}
	return resp.StatusCode
}

// published reads the calling service's keys as a bot does, from the OpenID
// configuration on.
func (b *bot) published() map[string]*rsa.PublicKey {
	b.t.Helper()
	var config struct {
		JWKS   string   `json:"jwks_uri"`
		Issuer string   `json:"issuer"`
		Algs   []string `json:"id_token_signing_alg_values_supported"`
	}
	b.get(b.cloud.OpenIDConfigurationURL(), &config)
	if config.Issuer != "https://api.botframework.com" || !slices.Equal(config.Algs, []string{"RS256"}) {
		b.t.Errorf("OpenID configuration: %+v", config)
	}
	var set struct {
		Keys []struct{ Kty, Kid, N, E string } `json:"keys"`
	}
	b.get(config.JWKS, &set)
	keys := map[string]*rsa.PublicKey{}
	for _, k := range set.Keys {
		n, err1 := base64.RawURLEncoding.DecodeString(k.N)
		e, err2 := base64.RawURLEncoding.DecodeString(k.E)
		if err1 != nil || err2 != nil || k.Kty != "RSA" {
			b.t.Fatalf("key %+v: %v, %v", k, err1, err2)
		}
		keys[k.Kid] = &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
	}
	return keys
}

// verify is a strict verifier of its own: what a good bot must do.
func verify(keys map[string]*rsa.PublicKey, header string) error {
	scheme, token, _ := strings.Cut(header, " ")
	if scheme != "Bearer" {
		return jwt.ErrTokenMalformed
	}
	claims := jwt.MapClaims{}
	_, err := jwt.ParseWithClaims(token, claims, func(t *jwt.Token) (any, error) {
		kid, _ := t.Header["kid"].(string)
		if key, ok := keys[kid]; ok {
			return key, nil
		}
		return nil, jwt.ErrTokenUnverifiable
	}, jwt.WithValidMethods([]string{"RS256"}), jwt.WithAudience(appID), jwt.WithExpirationRequired())
	if err != nil {
		return err
	}
	iss, _ := claims["iss"].(string)
	if iss != "https://api.botframework.com" && iss != "https://graph.microsoft.com" {
		return jwt.ErrTokenInvalidIssuer
	}
	tid, _ := claims["tid"].(string)
	long, _ := claims["http://schemas.microsoft.com/identity/claims/tenantid"].(string)
	if tid+long != tenant {
		return jwt.ErrTokenInvalidClaims
	}
	return nil
}

func TestGenuineTokensVerify(t *testing.T) {
	t.Parallel()
	b := newBot(t, nil)
	keys := b.published()
	headers := map[string]bool{}
	b.answerWith(func(r *http.Request, _ []byte) (int, []byte) {
		b.mu.Lock()
		defer b.mu.Unlock()
		headers[r.Header.Get("Authorization")] = true
		if r.Header.Get("Content-Type") != "application/json" || r.Header.Get("User-Agent") != "Microsoft-Skype/3.0,(Calling/1.0)" {
			t.Errorf("headers: %v", r.Header)
		}
		return http.StatusAccepted, nil
	})
	for _, style := range []cloud.Style{{}, {LongTenant: true}, {GraphIssuer: true}, {LongTenant: true, GraphIssuer: true}} {
		call := b.place(cloud.CallSpec{Style: &style})
		call.End(cloud.Ending{})
		b.reach(call, cloud.Done)
	}
	if len(headers) != 4 {
		t.Errorf("%d different tokens for four forms", len(headers))
	}
	for h := range headers {
		if err := verify(keys, h); err != nil {
			t.Errorf("a genuine token: %v", err)
		}
	}
}

// parts takes a forged header apart without verifying anything.
func parts(t *testing.T, header string) (head, claims map[string]any, signature []byte, signed string) {
	t.Helper()
	token := strings.TrimPrefix(strings.TrimPrefix(header, "Bearer "), "Basic ")
	p := strings.Split(token, ".")
	if len(p) != 3 {
		t.Fatalf("%q has %d parts", token, len(p))
	}
	for i, v := range []*map[string]any{&head, &claims} {
		raw, err := base64.RawURLEncoding.DecodeString(p[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw, v); err != nil {
			t.Fatal(err)
		}
	}
	signature, err := base64.RawURLEncoding.DecodeString(p[2])
	if err != nil {
		t.Fatal(err)
	}
	return head, claims, signature, p[0] + "." + p[1]
}

// TestForgeriesAreWhatTheyClaim verifies of each kind that it is wrong in its
// one way, and right in the others as far as they can be.
func TestForgeriesAreWhatTheyClaim(t *testing.T) {
	t.Parallel()
	b := newBot(t, nil)
	keys := b.published()
	var kid string
	var public *rsa.PublicKey
	for k, v := range keys {
		kid, public = k, v
	}
	genuine := func(signed string, signature []byte) bool {
		h := crypto.SHA256.New()
		h.Write([]byte(signed))
		return rsa.VerifyPKCS1v15(public, crypto.SHA256, h.Sum(nil), signature) == nil
	}
	now := float64(time.Now().Unix())
	for _, kind := range cloud.Forgeries() {
		header, err := b.cloud.Forge(kind, tenant)
		if err != nil {
			t.Fatal(err)
		}
		if err := verify(keys, header); err == nil {
			t.Errorf("%s: a strict verifier takes it", kind)
		}
		if kind == cloud.ForgeMissing && header != "" {
			t.Errorf("%s: %q", kind, header)
		}
		if kind == cloud.ForgeMissing || kind == cloud.ForgeGarbage {
			continue
		}
		head, claims, signature, signed := parts(t, header)
		right := map[string]bool{
			"signature": genuine(signed, signature),
			"alg":       head["alg"] == "RS256",
			"kid":       head["kid"] == kid,
			"aud":       claims["aud"] == appID,
			"iss":       claims["iss"] == "https://api.botframework.com",
			"tid":       claims["tid"] == tenant,
			"exp":       claims["exp"] != nil && claims["exp"].(float64) > now,
			"nbf":       claims["nbf"].(float64) <= now+1,
			"scheme":    strings.HasPrefix(header, "Bearer "),
		}
		var wrong []string
		for name, ok := range right {
			if !ok {
				wrong = append(wrong, name)
			}
		}
		slices.Sort(wrong)
		want := map[cloud.Forgery][]string{
			cloud.ForgeScheme:        {"scheme"},
			cloud.ForgeAlgNone:       {"alg", "signature"},
			cloud.ForgeHS256:         {"alg", "signature"},
			cloud.ForgeStripped:      {"signature"},
			cloud.ForgeWrongKey:      {"signature"},
			cloud.ForgeUnknownKey:    {"kid", "signature"},
			cloud.ForgeNoKeyID:       {"kid", "signature"},
			cloud.ForgeAudience:      {"aud"},
			cloud.ForgeIssuer:        {"iss"},
			cloud.ForgeTenant:        {"tid"},
			cloud.ForgeNoTenant:      {"tid"},
			cloud.ForgeExpired:       {"exp"},
			cloud.ForgeNotYet:        {"nbf"},
			cloud.ForgeNoExpiry:      {"exp"},
			cloud.ForgeTamperedClaim: {"signature"},
		}[kind]
		if !slices.Equal(wrong, want) {
			t.Errorf("%s: wrong in %v, not in %v", kind, wrong, want)
		}
	}
	hs, err := b.cloud.Forge(cloud.ForgeHS256, tenant)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	secret := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	if _, err := jwt.Parse(strings.TrimPrefix(hs, "Bearer "), func(*jwt.Token) (any, error) { return secret, nil }); err != nil {
		t.Errorf("hs256 would not deceive a careless verifier: %v", err)
	}
}

func TestKeyRotation(t *testing.T) {
	t.Parallel()
	b := newBot(t, nil)
	first := b.published()
	if err := b.cloud.RotateKeys(true); err != nil {
		t.Fatal(err)
	}
	both := b.published()
	header, err := b.cloud.Forge(cloud.ForgeNone, tenant)
	if err != nil {
		t.Fatal(err)
	}
	if verify(first, header) == nil || verify(both, header) != nil || len(both) != 2 {
		t.Error("the new key is not the one that signs, or is not published")
	}
	if err := b.cloud.RotateKeys(false); err != nil {
		t.Fatal(err)
	}
	if last := b.published(); len(last) != 1 || verify(last, header) == nil {
		t.Error("the old keys are still good")
	}
}

func TestMSALWithCertificate(t *testing.T) {
	t.Parallel()
	registered, stranger := rsaCertificate(t), rsaCertificate(t)
	b := newBot(t, func(o *cloud.Options) { o.Secret, o.Certificate = "", registered.Leaf })
	for name, c := range map[string]struct {
		cert *x509.Certificate
		key  crypto.PrivateKey
		good bool
	}{
		"registered": {registered.Leaf, registered.PrivateKey, true},
		"stranger":   {stranger.Leaf, stranger.PrivateKey, false},
	} {
		credential, err := confidential.NewCredFromCert([]*x509.Certificate{c.cert}, c.key)
		if err != nil {
			t.Fatal(err)
		}
		if token, err := b.token(credential); (err == nil && token != "") != c.good {
			t.Errorf("%s: %q, %v", name, token, err)
		}
	}
	if n := len(b.cloud.Trace().OfKind(trace.TokenRefused)); n < 1 {
		t.Errorf("%d refusals in the trace", n)
	}
}
