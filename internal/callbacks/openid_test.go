package callbacks

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// running starts a server on a platform, as the product does.
func running(t *testing.T, p *platform) *edge {
	t.Helper()
	e := &edge{receiver: &receiver{}}
	e.registry = newRegistry()
	s, err := New(Options{
		AppID: strings.ToUpper(appID), Tenants: []string{strings.ToUpper(ourTenant)},
		OpenIDConfigurationURL: p.configuration(), CA: p.pool(),
		Receiver: e.receiver, Registerer: e.registry,
	})
	if err != nil {
		t.Fatal(err)
	}
	e.Server = s
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	return e
}

// ready waits until the keys are loaded: by the platform's first fetch.
func ready(t *testing.T, e *edge) {
	t.Helper()
	if err := e.keys.refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := e.Ready(); err != nil {
		t.Fatal(err)
	}
}

// TestRotationOverHTTPS is the whole way: forged tokens, rotation, genuine
// token, with a real key server.
func TestRotationOverHTTPS(t *testing.T) {
	t.Parallel()
	keys := testKeys()
	p := newPlatform(t, map[string]*rsa.PublicKey{"k0": &keys[0].PublicKey})
	e := running(t, p)
	ready(t, e)
	good := goodToken()
	send := func(k token) int { return e.do(post(t, k.String(), invite(ourTenant, callID))).Code }
	if got := send(good); got != 202 {
		t.Fatalf("status %d", got)
	}
	// Badly shaped tokens with unknown keys cost nothing.
	before := p.fetches.Load()
	for i, bad := range []token{
		good.with("aud", "x"), good.with("iss", "x"), good.with("exp", 1), good.with("tid", otherTenant), good.with("tid", nil),
		good.head("alg", "RS512"), good.head("crit", []string{"x"}), good.with("nbf", 9999999999),
	} {
		if got := send(bad.by(keys[2], fmt.Sprint("bad", i))); got != 401 {
			t.Errorf("bad token %d: status %d", i, got)
		}
	}
	if got := p.fetches.Load() - before; got != 0 {
		t.Errorf("%d fetches for tokens that are wrong in themselves, want 0", got)
	}
	for i := range fetchBurst - 2 {
		if got := send(good.by(keys[2], fmt.Sprint("forged", i))); got != 401 {
			t.Errorf("forged token: status %d", got)
		}
	}
	p.publish(map[string]*rsa.PublicKey{"k1": &keys[1].PublicKey})
	if got := send(good.by(keys[1], "k1")); got != 202 {
		t.Errorf("rotated key: status %d", got)
	}
	if got := send(good); got != 401 {
		t.Errorf("token of the withdrawn key: status %d", got)
	}
	before = p.fetches.Load()
	for i := range 50 {
		if got := send(good.by(keys[2], fmt.Sprint("more", i))); got != 401 {
			t.Fatalf("forged token: status %d", got)
		}
	}
	if got := p.fetches.Load() - before; got > 2 {
		t.Errorf("%d fetches for 50 forged tokens", got)
	}
}

// TestNoKeysAtStart: not ready, says why, and tells senders to come again.
func TestNoKeysAtStart(t *testing.T) {
	t.Parallel()
	keys := testKeys()
	p := newPlatform(t, map[string]*rsa.PublicKey{"k0": &keys[0].PublicKey})
	p.breakDown(http.StatusBadGateway)
	e := running(t, p)
	w := e.do(post(t, goodToken().String(), invite(ourTenant, callID)))
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("status %d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
	}
	err := e.Ready()
	if err == nil || !strings.Contains(err.Error(), "502") || !strings.Contains(err.Error(), p.configuration()) {
		t.Errorf("Ready: %v", err)
	}
	if got := e.value(t, "recorderbot_openid_fetches_total", "outcome", fetchUnreachable); got == 0 {
		t.Error("the failure is not counted")
	}
	p.breakDown(0)
	if w := e.do(post(t, goodToken().String(), invite(ourTenant, callID))); w.Code != 202 {
		t.Errorf("status %d once the keys are readable", w.Code)
	}
	ready(t, e)
}

func TestUntrustedKeyServer(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, nil)
	p.Config.ErrorLog = discard()
	s := newSource(p.configuration(), nil) // the system's roots do not know it
	if _, err := s.keys(t.Context()); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("got %v", err)
	}
}

// TestMetadata: answers that must not replace the keys we have.
func TestMetadata(t *testing.T) {
	t.Parallel()
	var configuration, set string
	mux := http.NewServeMux()
	mux.HandleFunc("/configuration", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(configuration)) })
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(set)) })
	mux.Handle("/clear", http.RedirectHandler("http://127.0.0.1:1/", http.StatusFound))
	mux.Handle("/loop", http.RedirectHandler("/loop", http.StatusFound))
	server := httptest.NewTLSServer(mux)
	t.Cleanup(server.Close)
	s := &source{server.URL + "/configuration", server.Client()}
	s.client.CheckRedirect = newSource("https://x", nil).client.CheckRedirect
	point := func(path string) string { return `{"jwks_uri":"` + server.URL + path + `"}` }
	for name, test := range map[string]struct{ configuration, set, want string }{
		"configuration not JSON": {"<html>", "", "not JSON"},
		"no jwks_uri":            {"{}", "", "jwks_uri"},
		"keys in the clear":      {`{"jwks_uri":"http://example.com/keys"}`, "", "not an https address"},
		"redirect to the clear":  {point("/clear"), "", "redirected"},
		"redirect for ever":      {point("/loop"), "", "redirected"},
		"keys missing":           {point("/none"), "", "404"},
		"keys not JSON":          {point("/keys"), "<html>", "not JSON"},
		"no keys":                {point("/keys"), `{"keys":[]}`, "none of 0 keys"},
		"too many keys":          {point("/keys"), `{"keys":[` + strings.Repeat(`{},`, maxKeys) + `{}]}`, "at most"},
		"too long":               {point("/keys"), `{"keys":[]}` + strings.Repeat(" ", maxMetadata), "more than"},
	} {
		configuration, set = test.configuration, test.set
		_, err := s.keys(t.Context())
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q in it", name, err, test.want)
		}
		if wantInvalid := test.want != "404"; errors.Is(err, errMetadata) != wantInvalid {
			t.Errorf("%s: classed wrongly: %v", name, err)
		}
	}
}

func TestParseKeys(t *testing.T) {
	t.Parallel()
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	key := &testKeys()[0].PublicKey
	make1 := func(change func(map[string]any)) map[string]any {
		m := keySetJSON(map[string]*rsa.PublicKey{"k": key})["keys"].([]map[string]any)[0]
		change(m)
		return m
	}
	for name, test := range map[string]struct {
		key map[string]any
		ok  bool
	}{
		"plain":            {make1(func(map[string]any) {}), true},
		"with alg":         {make1(func(m map[string]any) { m["alg"] = "RS256" }), true},
		"without use":      {make1(func(m map[string]any) { delete(m, "use") }), true},
		"padded":           {make1(func(m map[string]any) { m["e"] = "AQAB==" }), true},
		"for encryption":   {make1(func(m map[string]any) { m["use"] = "enc" }), false},
		"for RS512":        {make1(func(m map[string]any) { m["alg"] = "RS512" }), false},
		"elliptic":         {make1(func(m map[string]any) { m["kty"] = "EC" }), false},
		"octets":           {map[string]any{"kty": "oct", "kid": "k", "k": "c2VjcmV0"}, false},
		"without ID":       {make1(func(m map[string]any) { delete(m, "kid") }), false},
		"ID not text":      {make1(func(m map[string]any) { m["kid"] = 1 }), false},
		"without modulus":  {make1(func(m map[string]any) { delete(m, "n") }), false},
		"modulus garbage":  {make1(func(m map[string]any) { m["n"] = "***" }), false},
		"weak":             {make1(func(m map[string]any) { m["n"] = enc(string(weak.N.Bytes())) }), false},
		"monstrous":        {make1(func(m map[string]any) { m["n"] = enc(strings.Repeat("\xff", maxKeyBits/8+1)) }), false},
		"even modulus":     {make1(func(m map[string]any) { m["n"] = enc(string(new(big.Int).Lsh(key.N, 1).Bytes())) }), false},
		"exponent 1":       {make1(func(m map[string]any) { m["e"] = "AQ" }), false},
		"exponent even":    {make1(func(m map[string]any) { m["e"] = "BA" }), false},
		"exponent endless": {make1(func(m map[string]any) { m["e"] = enc(strings.Repeat("\xff", 64)) }), false},
	} {
		body, err := json.Marshal(map[string]any{"keys": []any{test.key, 7, nil, "x"}})
		if err != nil {
			t.Fatal(err)
		}
		keys, err := parseKeys(body)
		if (err == nil) != test.ok || (test.ok && !keys["k"].Equal(key)) {
			t.Errorf("%s: got %d keys, %v", name, len(keys), err)
		}
	}
}

// TestNothingLeaks: a server that has run and stopped leaves no goroutine.
func TestNothingLeaks(t *testing.T) { // not parallel: it counts goroutines
	ignore := goleak.IgnoreCurrent()
	p := newPlatform(t, map[string]*rsa.PublicKey{"k0": &testKeys()[0].PublicKey})
	s, err := New(Options{
		AppID: appID, Tenants: []string{ourTenant}, Receiver: &receiver{},
		OpenIDConfigurationURL: p.configuration(), CA: p.pool(),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Run(ctx) }()
	if err := s.keys.refresh(ctx); err != nil {
		t.Fatal(err)
	}
	stop()
	<-done
	p.Close()
	goleak.VerifyNone(t, ignore)
}
