package cloud

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	callbackIssuer = "https://api.botframework.com"
	graphIssuer    = "https://graph.microsoft.com"
	// longTenantClaim is how .NET spells tid; observed on tokens of the same
	// issuer.
	longTenantClaim = "http://schemas.microsoft.com/identity/claims/tenantid"
	// strangerTenant is a tenant that no bot of ours knows.
	strangerTenant = "5f3c9f00-0000-4000-8000-00000000dead"
)

// A Forgery is a way in which a callback token is not what it should be.
type Forgery string

// The forgeries. A bot must answer each with 401.
const (
	ForgeNone          Forgery = ""
	ForgeMissing       Forgery = "missing"       // no Authorization header
	ForgeScheme        Forgery = "scheme"        // Basic instead of Bearer
	ForgeGarbage       Forgery = "garbage"       // not a JWT
	ForgeAlgNone       Forgery = "algNone"       // unsigned, alg none
	ForgeHS256         Forgery = "hs256"         // HMAC with the public key as its secret
	ForgeStripped      Forgery = "stripped"      // RS256 announced, signature cut off
	ForgeWrongKey      Forgery = "wrongKey"      // known key ID, other key
	ForgeUnknownKey    Forgery = "unknownKey"    // key ID that is not published
	ForgeNoKeyID       Forgery = "noKeyID"       // other key, no key ID
	ForgeAudience      Forgery = "audience"      // for another app
	ForgeIssuer        Forgery = "issuer"        // from another issuer
	ForgeTenant        Forgery = "tenant"        // of a tenant that is not ours
	ForgeNoTenant      Forgery = "noTenant"      // without a tenant
	ForgeExpired       Forgery = "expired"       // an hour ago
	ForgeNotYet        Forgery = "notYet"        // valid in an hour
	ForgeNoExpiry      Forgery = "noExpiry"      // without exp
	ForgeTamperedClaim Forgery = "tamperedClaim" // genuine signature over other claims
)

// Forgeries lists all kinds.
func Forgeries() []Forgery {
	return []Forgery{
		ForgeMissing, ForgeScheme, ForgeGarbage, ForgeAlgNone, ForgeHS256, ForgeStripped, ForgeWrongKey,
		ForgeUnknownKey, ForgeNoKeyID, ForgeAudience, ForgeIssuer, ForgeTenant, ForgeNoTenant, ForgeExpired,
		ForgeNotYet, ForgeNoExpiry, ForgeTamperedClaim,
	}
}

// tokenCache holds the callback tokens in use, as the service signs one for
// many notifications.
type tokenCache struct {
	mu     sync.Mutex
	tokens map[string]cachedToken
	// stranger signs what a stranger would; made when first needed.
	stranger signingKey
}

type cachedToken struct {
	header string
	until  time.Time
}

func (t *tokenCache) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.tokens)
}

// authorization returns a genuine Authorization header for a tenant.
func (c *Cloud) authorization(tenant string, style Style) (string, error) {
	key := fmt.Sprintf("%s/%v/%v", tenant, style.LongTenant, style.GraphIssuer)
	now := time.Now()
	c.tokens.mu.Lock()
	defer c.tokens.mu.Unlock()
	if t, ok := c.tokens.tokens[key]; ok && now.Before(t.until) {
		return t.header, nil
	}
	token, err := sign(c.keys.current(), c.callbackClaims(tenant, style, now))
	if err != nil {
		return "", err
	}
	t := cachedToken{"Bearer " + token, now.Add(c.opts.CallbackTokenLifetime / 2)}
	c.tokens.tokens[key] = t
	return t.header, nil
}

// callbackClaims are those of the documented example, in either spelling of
// the tenant and from either issuer.
func (c *Cloud) callbackClaims(tenant string, style Style, now time.Time) jwt.MapClaims {
	claims := jwt.MapClaims{
		"aud": c.opts.AppID,
		"iss": callbackIssuer,
		"iat": now.Unix(),
		"nbf": now.Unix(),
		"exp": now.Add(c.opts.CallbackTokenLifetime).Unix(),
	}
	if style.GraphIssuer {
		claims["iss"] = graphIssuer
	}
	if style.LongTenant {
		claims[longTenantClaim] = tenant
	} else {
		claims["tid"] = tenant
	}
	return claims
}

func sign(key signingKey, claims jwt.MapClaims) (string, error) {
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, claims)
	if key.id != "" {
		token.Header["kid"] = key.id
		token.Header["x5t"] = key.id
	}
	s, err := token.SignedString(key.private)
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	return s, nil
}

// Forge returns an Authorization header that is wrong in the named way and
// right in every other; empty for ForgeMissing.
func (c *Cloud) Forge(kind Forgery, tenant string) (string, error) {
	now := time.Now()
	claims := c.callbackClaims(tenant, Style{}, now)
	key := c.keys.current()
	bearer := func(s string, err error) (string, error) { return "Bearer " + s, err }
	switch kind {
	case ForgeNone:
	case ForgeMissing:
		return "", nil
	case ForgeScheme:
		s, err := sign(key, claims)
		return "Basic " + s, err
	case ForgeGarbage:
		return "Bearer not.a.token", nil
	case ForgeAlgNone:
		token := jwt.NewWithClaims(jwt.SigningMethodNone, claims)
		token.Header["kid"] = key.id
		return bearer(token.SignedString(jwt.UnsafeAllowNoneSignatureType))
	case ForgeHS256:
		return bearer(signWithPublicKey(key, claims))
	case ForgeStripped:
		s, err := sign(key, claims)
		return "Bearer " + s[:strings.LastIndexByte(s, '.')+1], err
	case ForgeWrongKey, ForgeUnknownKey, ForgeNoKeyID:
		return bearer(c.signAsStranger(kind, key.id, claims))
	case ForgeAudience:
		claims["aud"] = "00000000-0000-4000-8000-0000000000ff"
	case ForgeIssuer:
		claims["iss"] = "https://sts.example.com"
	case ForgeTenant:
		claims["tid"] = strangerTenant
	case ForgeNoTenant:
		delete(claims, "tid")
	case ForgeExpired:
		claims["iat"] = now.Add(-2 * time.Hour).Unix()
		claims["nbf"] = claims["iat"]
		claims["exp"] = now.Add(-time.Hour).Unix()
	case ForgeNotYet:
		claims["nbf"] = now.Add(time.Hour).Unix()
		claims["exp"] = now.Add(2 * time.Hour).Unix()
	case ForgeNoExpiry:
		delete(claims, "exp")
	case ForgeTamperedClaim:
		return bearer(tamper(key, claims))
	default:
		return "", fmt.Errorf("forge a token: unknown kind %q", kind)
	}
	return bearer(sign(key, claims))
}

// signWithPublicKey is the classic confusion: HS256 with the PEM of the public
// key, which everybody has, as its secret.
func signWithPublicKey(key signingKey, claims jwt.MapClaims) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(&key.private.PublicKey)
	if err != nil {
		return "", fmt.Errorf("sign with the public key: %w", err)
	}
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, claims)
	token.Header["kid"] = key.id
	return token.SignedString(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func (c *Cloud) signAsStranger(kind Forgery, knownID string, claims jwt.MapClaims) (string, error) {
	c.tokens.mu.Lock()
	if c.tokens.stranger.private == nil {
		key, err := newSigningKey(nil)
		if err != nil {
			c.tokens.mu.Unlock()
			return "", err
		}
		c.tokens.stranger = key
	}
	stranger := c.tokens.stranger
	c.tokens.mu.Unlock()
	switch kind { //nolint:exhaustive // the three kinds of a stranger's signature
	case ForgeWrongKey:
		stranger.id = knownID
	case ForgeNoKeyID:
		stranger.id = ""
	default:
	}
	return sign(stranger, claims)
}

// tamper puts a genuine signature under claims that it was not made for.
func tamper(key signingKey, claims jwt.MapClaims) (string, error) {
	genuine, err := sign(key, claims)
	if err != nil {
		return "", err
	}
	claims["exp"] = time.Now().Add(1000 * time.Hour).Unix()
	other, err := sign(key, claims)
	if err != nil {
		return "", err
	}
	return other[:strings.LastIndexByte(other, '.')] + genuine[strings.LastIndexByte(genuine, '.'):], nil
}
