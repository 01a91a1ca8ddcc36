package callbacks

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

const (
	// algorithm is the only signature accepted. The platform uses it; whatever
	// else a token names (none, HS256 with the public key as secret) is forged.
	algorithm = "RS256"
	// skew is allowed between the platform's clock and ours.
	skew = 5 * time.Minute
	// maxToken bounds a token in bytes. Observed ones are below 1 KiB.
	maxToken = 8 << 10
	// keysRetry is the Retry-After, in seconds, where keys cannot be read.
	keysRetry = 5
)

// A Caller is a verified sender.
type Caller struct {
	// Tenant is the tenant that the token speaks for: a GUID in lower case with
	// dashes, and on the allow list.
	Tenant string
}

// claims is what we read of a token.
type claims struct {
	jwt.RegisteredClaims
	// The tenant comes under its short name, or under the name that .NET gives
	// it; where both are present they must agree.
	Tenant     string `json:"tid"`
	LongTenant string `json:"http://schemas.microsoft.com/identity/claims/tenantid"`
}

// tenant returns the tenant in canonical form, empty where none or two are
// named.
func (c *claims) tenant() string {
	short, long := canonicalID(c.Tenant), canonicalID(c.LongTenant)
	switch {
	case short == "":
		return long
	case long != "" && long != short:
		return ""
	}
	return short
}

// canonicalID brings a tenant's or an application's ID into the form that is
// compared: a GUID in lower case with dashes.
func canonicalID(s string) string {
	if id, err := uuid.Parse(s); err == nil {
		return id.String()
	}
	return strings.ToLower(s)
}

// verifier decides who sent a request.
type verifier struct {
	issuers []string
	tenants map[string]struct{} // canonical
	keys    *keySet
	cache   *tokenCache
	m       *metrics
	parser  *jwt.Parser
	checker *jwt.Validator
}

func newVerifier(appID string, issuers, tenants []string, keys *keySet, m *metrics) *verifier {
	options := []jwt.ParserOption{
		jwt.WithValidMethods([]string{algorithm}),
		jwt.WithAudience(appID, canonicalID(appID)), jwt.WithExpirationRequired(), jwt.WithLeeway(skew),
		jwt.WithStrictDecoding(),
	}
	v := &verifier{
		issuers: issuers, keys: keys, m: m,
		tenants: make(map[string]struct{}, len(tenants)),
		cache:   newTokenCache(keys.find),
		parser:  jwt.NewParser(options...),
		checker: jwt.NewValidator(options...),
	}
	for _, t := range tenants {
		v.tenants[canonicalID(t)] = struct{}{}
	}
	keys.changed = v.cache.evict
	return v
}

// authenticate returns the sender of a request, or the reply that refuses it.
// It reads nothing but the Authorization header.
func (v *verifier) authenticate(ctx context.Context, header http.Header) (Caller, *reply) {
	token, no := bearer(header)
	if no != nil {
		return Caller{}, no
	}
	sum, now := sha256.Sum256([]byte(token)), time.Now()
	if caller, ok := v.cache.get(sum, now); ok {
		v.m.tokens.WithLabelValues(tokenCached).Inc()
		return caller, nil
	}
	t, err := v.verify(ctx, token)
	if err != nil {
		no := refusal(err)
		return Caller{}, &no
	}
	v.m.tokens.WithLabelValues(tokenVerified).Inc()
	if _, ok := v.tenants[t.caller.Tenant]; !ok {
		no := unauthorized(reasonTenant)
		return Caller{}, &no
	}
	v.cache.put(sum, t, now)
	return t.caller, nil
}

// bearer takes the token out of the one Authorization header (RFC 6750 §2.1).
func bearer(header http.Header) (string, *reply) {
	values := header.Values("Authorization")
	if len(values) == 0 {
		return "", &reply{
			status: http.StatusUnauthorized, reason: reasonNoToken,
			text: "a bearer token is required", challenge: "Bearer",
		}
	}
	scheme, token, ok := strings.Cut(values[0], " ")
	if len(values) > 1 || !ok || !strings.EqualFold(scheme, "Bearer") || token == "" || len(token) > maxToken {
		no := unauthorized(reasonMalformed)
		return "", &no
	}
	return token, nil
}

// tokenError is a refusal of a token, with its reason.
type tokenError struct {
	reason reason
	err    error
}

func (e *tokenError) Error() string { return string(e.reason) }
func (e *tokenError) Unwrap() error { return e.err }

// refusal turns an error of verify into a reply.
func refusal(err error) reply {
	var bad *tokenError
	switch {
	case errors.Is(err, errKeysUnavailable):
		return unavailable(reasonNoKeys, keysRetry, "tokens cannot be verified at the moment", err)
	case errors.As(err, &bad):
		return unauthorized(bad.reason)
	case errors.Is(err, errUnknownKey):
		no := unauthorized(reasonUnknownKey)
		no.err = err // says also where the keys cannot be read
		return no
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return unauthorized(reasonSignature)
	}
	return unauthorized(reasonMalformed)
}

// verify checks a token in full. All that costs us nothing is checked before
// the key is looked up, since a look-up may cause a fetch.
func (v *verifier) verify(ctx context.Context, token string) (remembered, error) {
	var c claims
	var found remembered
	_, err := v.parser.ParseWithClaims(token, &c, func(t *jwt.Token) (any, error) {
		if err := v.check(t, &c); err != nil {
			return nil, err
		}
		id, _ := t.Header["kid"].(string)
		if id == "" || len(id) > maxKeyID {
			return nil, &tokenError{reasonMalformed, nil}
		}
		key := v.keys.find(id)
		if _, ours := v.tenants[c.tenant()]; key == nil && ours {
			var err error
			if key, err = v.keys.lookup(ctx, id); err != nil {
				return nil, err
			}
		}
		if key == nil {
			return nil, errUnknownKey
		}
		found.keyID, found.key = id, key
		return key, nil
	})
	if err != nil {
		return remembered{}, v.sharpen(token, err)
	}
	found.caller, found.until = Caller{Tenant: c.tenant()}, c.ExpiresAt.Time
	return found, nil
}

// check looks at all claims but the tenant's place on the allow list, which is
// no fault of the token.
func (v *verifier) check(t *jwt.Token, c *claims) error {
	if _, ok := t.Header["crit"]; ok {
		return &tokenError{reasonMalformed, nil} // RFC 7515 §4.1.11: we understand no extension
	}
	switch err := v.checker.Validate(c); {
	case err == nil:
	case errors.Is(err, jwt.ErrTokenInvalidAudience):
		return &tokenError{reasonAudience, err}
	case errors.Is(err, jwt.ErrTokenExpired):
		return &tokenError{reasonExpired, err}
	case errors.Is(err, jwt.ErrTokenNotValidYet):
		return &tokenError{reasonNotYetValid, err}
	default:
		return &tokenError{reasonMalformed, err}
	}
	if !slices.Contains(v.issuers, c.Issuer) {
		return &tokenError{reasonIssuer, nil}
	}
	if c.tenant() == "" {
		return &tokenError{reasonMalformed, nil} // none, or two that differ
	}
	return nil
}

// sharpen tells an unwanted algorithm from a wrong signature; the library
// reports both, and an algorithm that it does not know, in its own ways.
func (v *verifier) sharpen(token string, err error) error {
	head, _, _ := strings.Cut(token, ".")
	raw, decodeErr := v.parser.DecodeSegment(head)
	if decodeErr != nil {
		return err
	}
	var header struct {
		Algorithm string `json:"alg"`
	}
	if json.Unmarshal(raw, &header) == nil && header.Algorithm != algorithm {
		return &tokenError{reasonAlgorithm, err}
	}
	return err
}
