package cloud_test

import (
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/recorderbot/recorderbot/internal/teamsim/cloud"
)

func TestTokenEndpointIsStrict(t *testing.T) {
	t.Parallel()
	b := newBot(t, nil)
	endpoint := b.cloud.Root() + "/" + tenant + "/oauth2/v2.0/token"
	good := func() url.Values {
		return url.Values{"grant_type": {"client_credentials"}, "client_id": {appID}, "client_secret": {secret}, "scope": {b.cloud.Root() + "/.default"}}
	}
	post := func(endpoint, kind string, form url.Values) (int, string) {
		status, reply := b.form(endpoint, kind, form)
		fault, _ := reply["error"].(string)
		return status, fault
	}
	const form = formType
	for _, c := range []struct {
		name, key, value, want string
		status                 int
	}{
		{"good", "", "", "", 200},
		{"wrong secret", "client_secret", "guess", "invalid_client", 401},
		{"no secret", "client_secret", "", "invalid_client", 401},
		{"other app", "client_id", tenant, "unauthorized_client", 400},
		{"password grant", "grant_type", "password", "unsupported_grant_type", 400},
		{"other scope", "scope", "https://graph.microsoft.com/.default", "invalid_scope", 400},
		{"delegated scope", "scope", b.cloud.Root() + "/Calls.AccessMedia.All", "invalid_scope", 400},
		{"no scope", "scope", "openid", "invalid_scope", 400},
		{"two credentials", "client_assertion", "x.y.z", "invalid_request", 400},
	} {
		f := good()
		if c.key != "" {
			f.Set(c.key, c.value)
		}
		if status, fault := post(endpoint, form, f); status != c.status || fault != c.want {
			t.Errorf("%s: %d %s", c.name, status, fault)
		}
	}
	if status, _ := post(endpoint, "application/json", good()); status != 400 {
		t.Errorf("JSON: %d", status)
	}
	if status, _ := post(b.cloud.Root()+"/11111111-1111-4111-8111-111111111111/oauth2/v2.0/token", form, good()); status != 400 {
		t.Errorf("unknown tenant: %d", status)
	}
}

func TestAccessTokensAreChecked(t *testing.T) {
	t.Parallel()
	const other = "932899f8-2ea1-4604-8413-27bd28920000"
	b := newBot(t, func(o *cloud.Options) { o.Tenants = append(o.Tenants, other) })
	call := b.place(cloud.CallSpec{Tenant: tenant})
	foreign := b.place(cloud.CallSpec{Tenant: other})
	callback, err := b.cloud.Forge(cloud.ForgeNone, tenant)
	if err != nil {
		t.Fatal(err)
	}
	stale := newBot(t, func(o *cloud.Options) { o.AccessTokenLifetime = -time.Minute })
	for name, c := range map[string]struct {
		bot    *bot
		call   *cloud.Call
		header string
		want   int
	}{
		"good":           {b, call, b.authorised(), http.StatusOK},
		"none":           {b, call, "", http.StatusUnauthorized},
		"garbage":        {b, call, "Bearer x.y.z", http.StatusUnauthorized},
		"basic":          {b, call, strings.Replace(b.authorised(), "Bearer", "Basic", 1), http.StatusUnauthorized},
		"callback token": {b, call, callback, http.StatusUnauthorized},
		"other tenant":   {b, foreign, b.authorised(), http.StatusUnauthorized},
		"other cloud":    {stale, stale.place(cloud.CallSpec{}), b.authorised(), http.StatusUnauthorized},
		"expired":        {stale, stale.place(cloud.CallSpec{}), stale.rawToken(), http.StatusUnauthorized},
	} {
		r := c.bot.do(http.MethodGet, callPath(c.call.ID(), ""), nil, func(r *http.Request) { r.Header.Set("Authorization", c.header) })
		if r.status != c.want {
			t.Errorf("%s: %d %s", name, r.status, r.raw)
		}
		if r.status == http.StatusUnauthorized && r.code() != "InvalidAuthenticationToken" {
			t.Errorf("%s: code %q", name, r.code())
		}
	}
}

// rawToken gets a token without MSAL, which takes no expired one, and makes it
// the bot's.
func (b *bot) rawToken() string {
	b.t.Helper()
	status, reply := b.form(b.cloud.Root()+"/"+tenant+"/oauth2/v2.0/token", formType, url.Values{
		"grant_type": {"client_credentials"}, "client_id": {appID}, "client_secret": {secret}, "scope": {b.cloud.Root() + "/.default"},
	})
	if status != http.StatusOK {
		b.t.Fatalf("token: %d %v", status, reply)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bearer = "Bearer " + reply["access_token"].(string)
	return b.bearer
}

const formType = "application/x-www-form-urlencoded"

// form posts a form and reads the JSON reply.
func (b *bot) form(endpoint, kind string, form url.Values) (int, map[string]any) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", kind)
	resp, err := b.http.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var reply map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&reply); err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, reply
}

func TestClientAssertionsAreVerified(t *testing.T) {
	t.Parallel()
	registered, stranger := rsaCertificate(t), rsaCertificate(t)
	b := newBot(t, func(o *cloud.Options) { o.Secret, o.Certificate = "", registered.Leaf })
	endpoint := b.cloud.Root() + "/" + tenant + "/oauth2/v2.0/token"
	for i, c := range []struct {
		name   string
		key    crypto.PrivateKey
		change func(jwt.MapClaims, map[string]any)
		want   int
	}{
		{"good", registered.PrivateKey, nil, 200},
		{"used twice", registered.PrivateKey, func(c jwt.MapClaims, _ map[string]any) { c["jti"] = "jti-0" }, 401},
		{"other key", stranger.PrivateKey, nil, 401},
		{"other audience", registered.PrivateKey, func(c jwt.MapClaims, _ map[string]any) { c["aud"] = "https://login.microsoftonline.com/" }, 401},
		{"other issuer", registered.PrivateKey, func(c jwt.MapClaims, _ map[string]any) { c["iss"] = tenant }, 401},
		{"expired", registered.PrivateKey, func(c jwt.MapClaims, _ map[string]any) { c["exp"] = time.Now().Add(-time.Hour).Unix() }, 401},
		{"no thumbprint", registered.PrivateKey, func(_ jwt.MapClaims, h map[string]any) { delete(h, "x5t#S256") }, 401},
	} {
		claims := jwt.MapClaims{
			"aud": endpoint, "iss": appID, "sub": appID, "jti": "jti-" + string(rune('0'+i)),
			"nbf": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(),
		}
		sum := sha256.Sum256(registered.Leaf.Raw)
		token := jwt.NewWithClaims(jwt.SigningMethodPS256, claims)
		token.Header["x5t#S256"] = base64.StdEncoding.EncodeToString(sum[:])
		if c.change != nil {
			c.change(claims, token.Header)
		}
		assertion, err := token.SignedString(c.key)
		if err != nil {
			t.Fatal(err)
		}
		status, reply := b.form(endpoint, formType, url.Values{
			"grant_type": {"client_credentials"}, "client_id": {appID}, "scope": {b.cloud.Root() + "/.default"},
			"client_assertion": {assertion}, "client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		})
		if status != c.want {
			t.Errorf("%s: %d %v", c.name, status, reply)
		}
	}
}
