package callbacks

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/graph"
)

// FuzzHandler throws requests at the whole handler. Whatever comes, the reply
// is one of ours, nothing panics, and only a request whose Authorization is the
// genuine token reaches the receiver, with nothing of another tenant.
func FuzzHandler(f *testing.F) {
	e := newEdge(f, nil)
	long := goodToken().with("exp", time.Now().Add(1000*time.Hour).Unix())
	genuine := "Bearer " + long.String()
	const json = "application/json"
	f.Add(http.MethodPost, Path, genuine, json, []byte(invite(ourTenant, callID)), false)
	f.Add(http.MethodPost, Path, genuine, json, []byte(invite(otherTenant, callID)), true)
	f.Add(http.MethodPost, Path, genuine, json, []byte(joiningBody()), true)
	f.Add(http.MethodPost, Path, genuine, json, []byte(batch(entry(ourTenant, "../x"), entry("", callID))), true)
	f.Add(http.MethodPost, Path, genuine, "text/plain", []byte("x"), false)
	f.Add(http.MethodPost, Path, "Bearer "+long.by(testKeys()[1], "k0").String(), json, []byte("{}"), false)
	f.Add(http.MethodPost, Path, "Bearer "+long.with("tid", otherTenant).String(), json, []byte("{}"), false)
	f.Add(http.MethodPost, Path, "Bearer e30.e30.e30", json, []byte("{}"), false)
	f.Add(http.MethodGet, "/", "", "", []byte(nil), false)
	statuses := []int{200, 202, 400, 401, 404, 405, 408, 413, 415}
	var handed []graph.Notification
	e.receiver.receive = func(_ context.Context, ns []graph.Notification) error {
		handed = append(handed, ns...)
		return nil
	}
	f.Fuzz(func(t *testing.T, method, path, authorization, contentType string, body []byte, asToken bool) {
		if method == "" || strings.ContainsFunc(method, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return // net/http lets none of these through
		}
		handed, e.receiver.got, e.receiver.from = nil, nil, nil
		if asToken {
			authorization = genuine
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, Path, strings.NewReader(string(body)))
		r.Method, r.URL.Path = method, path
		r.Header.Set("Authorization", authorization)
		r.Header.Set("Content-Type", contentType)
		if len(body)%2 == 0 {
			r.ContentLength = -1
		}
		w := e.do(r)
		if !slices.Contains(statuses, w.Code) {
			t.Fatalf("status %d: %s", w.Code, w.Body)
		}
		if w.Code/100 == 2 && !strings.EqualFold(authorization, genuine) {
			t.Fatalf("a stranger got status %d", w.Code)
		}
		if len(handed) > 0 && w.Code/100 != 2 {
			t.Fatalf("handed over with status %d", w.Code)
		}
		for _, n := range handed {
			if n.Tenant != "" && canonicalID(n.Tenant) != ourTenant {
				t.Fatalf("handed over for tenant %q", n.Tenant)
			}
		}
	})
}

// FuzzParseKeys: a key set from anywhere gives sound keys or an error.
func FuzzParseKeys(f *testing.F) {
	f.Add([]byte(`{"keys":[{"kty":"RSA","kid":"k","n":"AQAB","e":"AQAB"}]}`))
	f.Add([]byte(`{"keys":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		keys, err := parseKeys(body)
		if (err == nil) != (len(keys) > 0) || len(keys) > maxKeys {
			t.Fatalf("%d keys, %v", len(keys), err)
		}
		for id, key := range keys {
			if id == "" || key.N.BitLen() < minKeyBits || key.N.BitLen() > maxKeyBits || key.E < 3 {
				t.Fatalf("an unsound key %q", id)
			}
		}
	})
}
