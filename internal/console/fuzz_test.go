package console

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/recorderbot/recorderbot/internal/catalogue"
)

// FuzzRequest: whatever is sent, a stranger is told 401 alone, a viewer orders
// nothing, and every reply is JSON of a known status.
func FuzzRequest(f *testing.F) {
	for _, seed := range []struct {
		method, path, token, kind string
		body                      []byte
	}{
		{"GET", "/api/v1/calls", viewerToken, "", nil},
		{"POST", "/api/v1/calls/x/pause", viewerToken, "application/json", []byte("{}")},
		{"POST", "/api/v1/calls/%2e%2e/stop", "x", "application/json", []byte(`{"reason":"\u0000"}`)},
		{"POST", "/api/v1/drain", "", "text/plain", []byte("x")},
		{"GET", "//api/v1//calls/../drain", viewerToken, "", nil},
	} {
		f.Add(seed.method, seed.path, seed.token, seed.kind, seed.body)
	}
	base := fuzzed(f)
	f.Fuzz(func(t *testing.T, method, path, token, kind string, body []byte) {
		u, err := url.Parse("https://console.example" + path)
		if err != nil || method == "" {
			return
		}
		d, audited := &desk{}, &auditCounter{}
		s := &Server{options: Options{Recorder: d, Auditor: audited, Reasons: base.options.Reasons, Log: base.log}, keyring: base.keyring, authority: base.authority, peers: newPeers(), origin: base.origin, m: base.m, log: base.log}
		s.routes = s.router()
		r := (&http.Request{Method: method, URL: u, Header: http.Header{}, ContentLength: int64(len(body)), RemoteAddr: "192.0.2.1:1"}).WithContext(t.Context())
		r.Body = http.NoBody
		if len(body) > 0 {
			r.Body = readCloser{bytes.NewReader(body)}
		}
		r.Header["Authorization"] = []string{"Bearer " + token}
		r.Header["Content-Type"] = []string{kind}
		reply := httptest.NewRecorder()
		s.Handler().ServeHTTP(reply, r)
		if known := token == viewerToken || token == operatorToken || token == adminToken; !known && (reply.Code != 401 || audited.entries != 0) {
			t.Errorf("a stranger got %d", reply.Code)
		}
		if token == viewerToken && slices.ContainsFunc(d.orders, func(o string) bool { return o != "list" && o[:5] != "show " }) {
			t.Errorf("a viewer ordered %q", d.orders)
		}
		if !slices.Contains([]int{200, 400, 401, 403, 404, 405, 413, 415}, reply.Code) || !utf8.Valid(reply.Body.Bytes()) {
			t.Errorf("status %d, %q", reply.Code, reply.Body)
		}
	})
}

// fuzzed is a server without a catalogue: a fuzzer has no time for disks.
func fuzzed(f *testing.F) *Server {
	f.Helper()
	tokens := []Token{{"eye", RoleViewer, viewerToken}, {"desk", RoleOperator, operatorToken}, {"chief", RoleAdmin, adminToken}}
	dir := f.TempDir()
	for i := range tokens {
		token := tokens[i].File
		tokens[i].File = filepath.Join(dir, tokens[i].Name)
		if err := os.WriteFile(tokens[i].File, []byte(token), 0o600); err != nil {
			f.Fatal(err)
		}
	}
	s, err := New(Options{Recorder: &desk{}, Auditor: &auditCounter{}, Tokens: tokens})
	if err != nil {
		f.Fatal(err)
	}
	return s
}

type auditCounter struct{ entries int }

func (a *auditCounter) Audit(context.Context, catalogue.AuditEntry) error {
	a.entries++
	return nil
}

type readCloser struct{ *bytes.Reader }

func (readCloser) Close() error { return nil }
