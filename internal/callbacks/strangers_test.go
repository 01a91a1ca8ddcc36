package callbacks

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// TestStrangersDoNotSit: whoever is not verified gets a reply and a closed
// connection; the platform keeps its own.
func TestStrangersDoNotSit(t *testing.T) {
	t.Parallel()
	for _, http2 := range []bool{false, true} {
		opened, closed := make(chan struct{}, 64), make(chan struct{}, 64)
		client, address, _ := serveTLS(t, newEdge(t, nil), func(s *http.Server) {
			s.ConnState = func(_ net.Conn, state http.ConnState) {
				switch state {
				case http.StateNew:
					opened <- struct{}{}
				case http.StateClosed:
					closed <- struct{}{}
				case http.StateActive, http.StateIdle, http.StateHijacked:
				}
			}
		})
		client.Transport.(*http.Transport).ForceAttemptHTTP2 = http2
		ask := func(bearer, path string) int {
			r := post(t, bearer, invite(ourTenant, callID))
			out, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address+path, r.Body)
			if err != nil {
				t.Fatal(err)
			}
			out.Header = r.Header
			resp, err := client.Do(out)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			if (resp.ProtoMajor == 2) != http2 {
				t.Errorf("spoken by %s", resp.Proto)
			}
			return resp.StatusCode
		}
		for range 3 {
			if code := ask(goodToken().String(), Path); code != 202 {
				t.Errorf("status %d", code)
			}
		}
		if len(opened) != 1 || len(closed) != 0 {
			t.Errorf("%d connections of the platform, %d closed", len(opened), len(closed))
		}
		// A stranger's request ends the connection that it came by, each time anew.
		for _, stranger := range []struct{ bearer, path string }{
			{"", Path}, {"garbage", Path}, {goodToken().by(testKeys()[1], "k0").String(), Path}, {goodToken().String(), "/"},
		} {
			if code := ask(stranger.bearer, stranger.path); code != 401 && code != 404 {
				t.Errorf("status %d", code)
			}
			<-closed
		}
	}
}

// TestErrorLog: what the server says is bounded, and at the level that fits.
func TestErrorLog(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zapcore.DebugLevel)
	l := ErrorLog(zap.New(core))
	for i := range 1000 {
		l.Printf("http: TLS handshake error from 192.0.2.1:%d: EOF", i)
		l.Printf("http: Accept error: %d %s", i, strings.Repeat("\xff", 1000))
	}
	for level, words := range map[zapcore.Level]string{
		zapcore.DebugLevel: "http: TLS handshake error from 192.0.2.1:0: EOF", zapcore.WarnLevel: "http: Accept error: 0 ",
	} {
		all := logs.FilterLevelExact(level).All()
		if len(all) != errorLines {
			t.Errorf("%d lines at %v for 1000", len(all), level)
			continue
		}
		if said, _ := all[0].ContextMap()["said"].(string); !strings.HasPrefix(said, words) || len(said) > errorChars || !utf8.ValidString(said) {
			t.Errorf("%v: %q", level, said)
		}
	}
}
