package cloud

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/recorderbot/recorderbot/internal/teamsim/trace"
)

// maxForm bounds a token request, bytes.
const maxForm = 64 << 10

// An authorityError is the authority's refusal, in its own words.
type authorityError struct {
	status int
	kind   string // OAuth error code, RFC 6749 §5.2
	number int    // AADSTS number
	text   string
}

func (f *authorityError) Error() string { return fmt.Sprintf("AADSTS%d: %s", f.number, f.text) }

// handleAuthority serves /{tenant}/v2.0/.well-known/openid-configuration and
// /{tenant}/oauth2/v2.0/token.
func (c *Cloud) handleAuthority(w http.ResponseWriter, r *http.Request, tenant, rest string) {
	switch rest {
	case "v2.0/.well-known/openid-configuration":
		if r.Method != http.MethodGet {
			c.refusePath(w, r, http.StatusMethodNotAllowed, "the authority's OpenID configuration takes GET only")
			return
		}
		c.authorityConfiguration(w, r, tenant)
	case "oauth2/v2.0/token":
		if r.Method != http.MethodPost {
			c.refusePath(w, r, http.StatusMethodNotAllowed, "the token endpoint takes POST only")
			return
		}
		c.token(w, r, tenant)
	default:
		c.refusePath(w, r, http.StatusNotFound, "the authority has no such path")
	}
}

func (c *Cloud) authorityConfiguration(w http.ResponseWriter, r *http.Request, tenant string) {
	if c.serveFault(w, r, OpDiscovery) {
		return
	}
	base := c.Root() + "/" + tenant
	writeJSON(w, http.StatusOK, map[string]any{
		"token_endpoint": base + "/oauth2/v2.0/token",
		"token_endpoint_auth_methods_supported": []string{
			"client_secret_post", "private_key_jwt", "client_secret_basic",
		},
		"jwks_uri":                 base + "/discovery/v2.0/keys",
		"issuer":                   base + "/v2.0",
		"authorization_endpoint":   base + "/oauth2/v2.0/authorize",
		"scopes_supported":         []string{"openid", "profile", "email", "offline_access"},
		"response_types_supported": []string{"code", "id_token", "code id_token", "id_token token"},
		"subject_types_supported":  []string{"pairwise"},
		"tenant_region_scope":      "EU",
		"cloud_instance_name":      "microsoftonline.com",
		"msgraph_host":             strings.TrimPrefix(c.Root(), "https://"),
	})
}

func (c *Cloud) token(w http.ResponseWriter, r *http.Request, tenant string) {
	if c.serveFault(w, r, OpToken) {
		return
	}
	token, err := c.grant(r, tenant)
	if err != nil {
		var refusal *authorityError
		if !errors.As(err, &refusal) {
			refusal = &authorityError{http.StatusBadRequest, "invalid_request", 900144, err.Error()}
		}
		c.trace(trace.Event{Kind: trace.TokenRefused, HTTP: refusal.status, Detail: refusal.Error()})
		writeJSON(w, refusal.status, map[string]any{
			"error":             refusal.kind,
			"error_description": refusal.Error() + " Trace ID: " + uuid.NewString(),
			"error_codes":       []int{refusal.number},
			"timestamp":         time.Now().UTC().Format("2006-01-02 15:04:05Z"),
			"trace_id":          uuid.NewString(),
			"correlation_id":    r.Header.Get("client-request-id"),
		})
		return
	}
	c.trace(trace.Event{Kind: trace.TokenIssued, HTTP: http.StatusOK, Detail: tenant})
	seconds := int(c.opts.AccessTokenLifetime.Seconds())
	writeJSON(w, http.StatusOK, map[string]any{
		"token_type":     "Bearer",
		"expires_in":     seconds,
		"ext_expires_in": seconds,
		"access_token":   token,
	})
}

// grant checks a client credentials request (RFC 6749 §4.4) and makes the
// access token.
func (c *Cloud) grant(r *http.Request, tenant string) (string, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return "", fmt.Errorf("the token endpoint takes application/x-www-form-urlencoded, not %q", r.Header.Get("Content-Type"))
	}
	r.Body = http.MaxBytesReader(nil, r.Body, maxForm)
	if err = r.ParseForm(); err != nil {
		return "", fmt.Errorf("read the form: %w", err)
	}
	form := r.PostForm
	if !slices.Contains(c.opts.Tenants, tenant) {
		return "", &authorityError{http.StatusBadRequest, "invalid_request", 90002, "Tenant '" + tenant + "' not found."}
	}
	if got := form.Get("grant_type"); got != "client_credentials" {
		return "", &authorityError{http.StatusBadRequest, "unsupported_grant_type", 70003, "grant type '" + got + "'"}
	}
	if got := form.Get("client_id"); got != c.opts.AppID {
		return "", &authorityError{http.StatusBadRequest, "unauthorized_client", 700016, "Application '" + got + "' was not found."}
	}
	if err = c.checkScope(form.Get("scope")); err != nil {
		return "", err
	}
	if err = c.checkClient(form, tenant); err != nil {
		return "", err
	}
	now := time.Now()
	access, err := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{
		"aud":   c.Root(),
		"iss":   c.Root() + "/" + tenant + "/v2.0",
		"iat":   now.Unix(),
		"nbf":   now.Unix(),
		"exp":   now.Add(c.opts.AccessTokenLifetime).Unix(),
		"appid": c.opts.AppID,
		"tid":   tenant,
		"roles": []string{"Calls.AccessMedia.All", "Calls.JoinGroupCall.All"},
		"jti":   uuid.NewString(),
	}).SignedString(c.accessKey)
	if err != nil {
		return "", fmt.Errorf("sign an access token: %w", err)
	}
	return access, nil
}

// checkScope demands Graph's .default; the three OpenID scopes that MSAL adds
// by itself are tolerated, as the authority does.
func (c *Cloud) checkScope(scope string) error {
	want := c.Root() + "/.default"
	found := false
	for s := range strings.FieldsSeq(scope) {
		switch s {
		case "openid", "profile", "offline_access":
		case want:
			found = true
		default:
			return &authorityError{http.StatusBadRequest, "invalid_scope", 1002012, "The provided value for scope " + s + " is not valid; it must be " + want}
		}
	}
	if !found {
		return &authorityError{http.StatusBadRequest, "invalid_scope", 1002012, "scope must hold " + want}
	}
	return nil
}

// checkClient authenticates the app by secret or by signed assertion.
func (c *Cloud) checkClient(form url.Values, tenant string) error {
	secret, assertion := form.Get("client_secret"), form.Get("client_assertion")
	switch {
	case secret != "" && assertion != "":
		return &authorityError{http.StatusBadRequest, "invalid_request", 90020, "two client credentials in one request"}
	case secret != "":
		if c.opts.Secret == "" || subtle.ConstantTimeCompare([]byte(secret), []byte(c.opts.Secret)) != 1 {
			return &authorityError{http.StatusUnauthorized, "invalid_client", 7000215, "Invalid client secret provided."}
		}
		return nil
	case assertion == "":
		return &authorityError{http.StatusUnauthorized, "invalid_client", 7000216, "'client_assertion' or 'client_secret' is required."}
	case form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer":
		return &authorityError{http.StatusBadRequest, "invalid_request", 900144, "client_assertion_type is not jwt-bearer"}
	}
	if err := c.checkAssertion(assertion, tenant); err != nil {
		return &authorityError{http.StatusUnauthorized, "invalid_client", 700027, "The certificate's signature on the client assertion is not valid: " + err.Error()}
	}
	return nil
}

// checkAssertion verifies a client assertion (RFC 7523 §3) with the registered
// certificate. Its use twice is refused, as its jti is for.
func (c *Cloud) checkAssertion(assertion, tenant string) error {
	if c.opts.Certificate == nil {
		return errors.New("no certificate is registered")
	}
	var claims jwt.RegisteredClaims
	token, err := jwt.ParseWithClaims(assertion, &claims,
		func(*jwt.Token) (any, error) { return c.opts.Certificate.PublicKey, nil },
		jwt.WithValidMethods([]string{"PS256", "RS256"}),
		jwt.WithAudience(c.Root()+"/"+tenant+"/oauth2/v2.0/token"),
		jwt.WithIssuer(c.opts.AppID),
		jwt.WithSubject(c.opts.AppID),
		jwt.WithExpirationRequired(),
		jwt.WithLeeway(5*time.Minute))
	if err != nil {
		return fmt.Errorf("verify the assertion: %w", err)
	}
	sum := sha256.Sum256(c.opts.Certificate.Raw)
	print256, _ := token.Header["x5t#S256"].(string)
	got, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(strings.NewReplacer("+", "-", "/", "_").Replace(print256), "="))
	if err != nil || subtle.ConstantTimeCompare(got, sum[:]) != 1 {
		return errors.New("x5t#S256 does not name the registered certificate")
	}
	if claims.ID == "" || !c.firstUse(claims.ID) {
		return fmt.Errorf("jti %q is missing or was used before", claims.ID)
	}
	return nil
}
