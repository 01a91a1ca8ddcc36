package callbacks

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestTokens sends one token of each kind, and looks at the status and at the
// reason that is counted: a refusal for the wrong reason is luck.
func TestTokens(t *testing.T) {
	t.Parallel()
	keys := testKeys()
	public := keys[0].PublicKey
	der, err := x509.MarshalPKIXPublicKey(&public)
	if err != nil {
		t.Fatal(err)
	}
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	now := time.Now()
	good := goodToken()
	parts := strings.Split(good.String(), ".")
	hs := good.head("alg", "HS256")
	hs.sign = hmacSign(publicPEM)
	hsRaw := good.head("alg", "HS256")
	hsRaw.sign = hmacSign(public.N.Bytes())
	none := good.head("alg", "none")
	none.sign = func(string) []byte { return nil }
	forged := good.by(keys[1], "k0")

	for name, test := range map[string]struct {
		token  string
		status int
		reason reason
	}{
		"good":                    {good.String(), 202, ""},
		"other issuer we know":    {good.with("iss", "https://graph.microsoft.com").String(), 202, ""},
		"long tenant claim":       {good.with("tid", nil).with(longTenant, ourTenant).String(), 202, ""},
		"both tenant claims":      {good.with(longTenant, strings.ToUpper(ourTenant)).String(), 202, ""},
		"audience among others":   {good.with("aud", []string{"x", appID}).String(), 202, ""},
		"without nbf":             {good.with("nbf", nil).String(), 202, ""},
		"expired within the skew": {good.with("exp", now.Add(-4*time.Minute).Unix()).String(), 202, ""},
		"early within the skew":   {good.with("nbf", now.Add(4*time.Minute).Unix()).String(), 202, ""},

		"none":                 {"", 401, reasonNoToken},
		"garbage":              {"garbage", 401, reasonMalformed},
		"two parts":            {parts[0] + "." + parts[1], 401, reasonMalformed},
		"four parts":           {good.String() + ".x", 401, reasonMalformed},
		"not base64":           {"!!!." + parts[1] + "." + parts[2], 401, reasonMalformed},
		"claims not JSON":      {parts[0] + ".e30x." + parts[2], 401, reasonMalformed},
		"too long":             {strings.Repeat("a", maxToken+1), 401, reasonMalformed},
		"expired":              {good.with("exp", now.Add(-6*time.Minute).Unix()).String(), 401, reasonExpired},
		"without exp":          {good.with("exp", nil).String(), 401, reasonMalformed},
		"exp is text":          {good.with("exp", "tomorrow").String(), 401, reasonMalformed},
		"not yet valid":        {good.with("nbf", now.Add(6*time.Minute).Unix()).String(), 401, reasonNotYetValid},
		"wrong audience":       {good.with("aud", "https://api.botframework.com").String(), 401, reasonAudience},
		"without audience":     {good.with("aud", nil).String(), 401, reasonMalformed},
		"wrong issuer":         {good.with("iss", "https://sts.windows.net/x/").String(), 401, reasonIssuer},
		"issuer's prefix":      {good.with("iss", issuer+"/").String(), 401, reasonIssuer},
		"without issuer":       {good.with("iss", nil).String(), 401, reasonIssuer},
		"without tenant":       {good.with("tid", nil).String(), 401, reasonMalformed},
		"two tenants":          {good.with(longTenant, otherTenant).String(), 401, reasonMalformed},
		"unknown tenant":       {good.with("tid", otherTenant).String(), 401, reasonTenant},
		"alg none":             {none.String(), 401, reasonAlgorithm},
		"alg None":             {none.head("alg", "None").String(), 401, reasonAlgorithm},
		"alg missing":          {good.head("alg", nil).String(), 401, reasonAlgorithm},
		"HS256 by PEM":         {hs.String(), 401, reasonAlgorithm},
		"HS256 by modulus":     {hsRaw.String(), 401, reasonAlgorithm},
		"RS512":                {good.head("alg", "RS512").String(), 401, reasonAlgorithm},
		"PS256":                {good.head("alg", "PS256").String(), 401, reasonAlgorithm},
		"unknown kid":          {good.by(keys[1], "kx").String(), 401, reasonUnknownKey},
		"forged":               {forged.String(), 401, reasonSignature},
		"forged, tenant too":   {forged.with("tid", otherTenant).String(), 401, reasonSignature},
		"changed claims":       {parts[0] + "." + enc(`{"aud":"`+appID+`","iss":"`+issuer+`","exp":9999999999,"tid":"`+ourTenant+`"}`) + "." + parts[2], 401, reasonSignature},
		"without signature":    {parts[0] + "." + parts[1] + ".", 401, reasonSignature},
		"without kid":          {good.head("kid", nil).String(), 401, reasonMalformed},
		"kid is a number":      {good.head("kid", 7).String(), 401, reasonMalformed},
		"kid is endless":       {good.head("kid", strings.Repeat("k", maxKeyID+1)).String(), 401, reasonMalformed},
		"critical extension":   {good.head("crit", []string{"b64"}).String(), 401, reasonMalformed},
		"key in the token":     {good.by(keys[1], "kx").head("jwk", keySetJSON(nil)).String(), 401, reasonUnknownKey},
		"exp beyond all times": {good.by(keys[1], "k0").with("exp", 1e300).String(), 401, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEdge(t, nil)
			w := e.do(post(t, test.token, invite(ourTenant, callID)))
			if w.Code != test.status {
				t.Fatalf("status %d (%s), want %d", w.Code, w.Body, test.status)
			}
			if test.status == 202 {
				if got := len(e.receiver.batches()); got != 1 {
					t.Errorf("%d batches handed over, want 1", got)
				}
				return
			}
			if len(e.receiver.batches()) != 0 {
				t.Error("handed over all the same")
			}
			if test.reason != "" && e.value(t, "recorderbot_callbacks_rejected_total", "reason", string(test.reason)) != 1 {
				t.Errorf("not counted as %q", test.reason)
			}
			if challenge := w.Header().Get("WWW-Authenticate"); (test.status == 401) != strings.HasPrefix(challenge, "Bearer") {
				t.Errorf("WWW-Authenticate: %q with status %d", challenge, w.Code)
			}
			if body := w.Body.String(); strings.Count(body, "\n") != 1 || strings.Contains(body, appID) || strings.Contains(body, ourTenant) {
				t.Errorf("the reply is not one harmless line: %q", body)
			}
		})
	}
}

func enc(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func TestAuthorizationHeader(t *testing.T) {
	t.Parallel()
	e := newEdge(t, nil)
	good := goodToken().String()
	for name, test := range map[string]struct {
		values []string
		status int
	}{
		"scheme in lower case": {[]string{"bearer " + good}, 202},
		"basic":                {[]string{"Basic " + good}, 401},
		"no scheme":            {[]string{good}, 401},
		"empty":                {[]string{""}, 401},
		"scheme alone":         {[]string{"Bearer"}, 401},
		"no token":             {[]string{"Bearer "}, 401},
		"two spaces":           {[]string{"Bearer  " + good}, 401},
		"two headers":          {[]string{"Bearer " + good, "Bearer " + good}, 401},
		"two tokens":           {[]string{"Bearer " + good + ", Bearer " + good}, 401},
	} {
		r := post(t, "", invite(ourTenant, callID))
		r.Header["Authorization"] = test.values
		if w := e.do(r); w.Code != test.status {
			t.Errorf("%s: status %d, want %d", name, w.Code, test.status)
		}
	}
}

// TestTokenCache: a verified token is not verified again until it expires, then
// in the skew each time, then refused; and it goes with its key.
func TestTokenCache(t *testing.T) {
	t.Parallel()
	testKeys() // outside the bubble
	synctest.Test(t, func(t *testing.T) {
		e := newEdge(t, nil)
		good := goodToken()
		raw := good.String()
		try := func(want int, source string, count float64) {
			t.Helper()
			if w := e.do(post(t, raw, invite(ourTenant, callID))); w.Code != want {
				t.Fatalf("status %d, want %d", w.Code, want)
			}
			if got := e.value(t, "recorderbot_callback_tokens_total", "source", source); got != count {
				t.Fatalf("%v tokens by %s, want %v", got, source, count)
			}
		}
		try(202, "signature", 1)
		try(202, "cache", 1)
		<-time.After(64 * time.Minute)
		try(202, "cache", 2)
		<-time.After(2 * time.Minute)
		try(202, "signature", 2)
		try(202, "signature", 3)
		<-time.After(5 * time.Minute)
		try(401, "signature", 3)
		if got := e.verifier.cache.len(); got != 1 {
			t.Errorf("%d tokens remembered, want the first alone until it is evicted", got)
		}
		e.verifier.cache.evict()
		if got := e.verifier.cache.len(); got != 0 {
			t.Errorf("%d tokens remembered after eviction, want 0", got)
		}
	})
}

func TestTokenCacheGoesWithItsKey(t *testing.T) {
	t.Parallel()
	keys := testKeys()
	for name, next := range map[string]map[string]*rsa.PublicKey{
		"key gone":     {"k1": &keys[1].PublicKey},
		"key replaced": {"k0": &keys[1].PublicKey},
	} {
		e := newEdge(t, nil)
		raw := goodToken().String()
		if w := e.do(post(t, raw, invite(ourTenant, callID))); w.Code != 202 {
			t.Fatalf("%s: status %d at first", name, w.Code)
		}
		same := map[string]*rsa.PublicKey{"k0": {N: keys[0].N, E: keys[0].E}}
		e.keys.publish(same)
		if got := e.verifier.cache.len(); got != 1 {
			t.Errorf("%s: the token is forgotten although its key was published again", name)
		}
		e.keys.fetch = func(context.Context) (map[string]*rsa.PublicKey, error) { return next, nil }
		e.keys.publish(next)
		if got := e.verifier.cache.len(); got != 0 {
			t.Errorf("%s: %d tokens remembered, want 0", name, got)
		}
		if w := e.do(post(t, raw, invite(ourTenant, callID))); w.Code != http.StatusUnauthorized {
			t.Errorf("%s: status %d afterwards", name, w.Code)
		}
	}
}

func TestTokenCacheIsBounded(t *testing.T) {
	t.Parallel()
	key := &testKeys()[0].PublicKey
	c := newTokenCache(func(string) *rsa.PublicKey { return key })
	now := time.Now()
	var sum [32]byte
	for range cacheSize + 100 {
		if _, err := rand.Read(sum[:]); err != nil {
			t.Fatal(err)
		}
		c.put(sum, remembered{until: now.Add(time.Hour), key: key}, now)
	}
	if got := c.len(); got != cacheSize {
		t.Errorf("%d tokens, want %d", got, cacheSize)
	}
	if _, ok := c.get(sum, now); !ok {
		t.Error("the newest token was dropped")
	}
	if _, ok := c.get(sum, now.Add(time.Hour)); ok {
		t.Error("a token is good at its exp")
	}
}

// TestTokenCacheLateEntry: a token that is put in while its key is being
// withdrawn is not good, though no eviction has seen it.
func TestTokenCacheLateEntry(t *testing.T) {
	t.Parallel()
	old, now := &testKeys()[0].PublicKey, time.Now()
	current := old
	c := newTokenCache(func(string) *rsa.PublicKey { return current })
	c.put([32]byte{1}, remembered{until: now.Add(time.Hour), key: old}, now)
	if _, ok := c.get([32]byte{1}, now); !ok {
		t.Error("not remembered")
	}
	for _, next := range []*rsa.PublicKey{nil, &testKeys()[1].PublicKey} {
		current = next
		if _, ok := c.get([32]byte{1}, now); ok {
			t.Error("the token outlived its key")
		}
	}
}
