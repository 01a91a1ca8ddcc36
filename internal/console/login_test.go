package console

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func (w *world) listed(token string) int {
	return w.ask("GET", Root+"/calls", token, http.NoBody).Code
}

// TestTokensChange: a changed file is the new token alone; one that is gone or
// unfit lets nobody in, and touches no other.
func TestTokensChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	fresh := strings.Replace(viewerToken, "viewer", "fresher", 1)
	for _, step := range []struct {
		name, text string // of the viewer's file; empty: it is removed
		old, fresh int
	}{
		{"as it was", viewerToken, 200, 401},
		{"changed", fresh + "\n", 401, 200},
		{"removed", "", 401, 401},
		{"back", viewerToken, 200, 401},
		{"short", viewerToken[:leastToken-1], 401, 401},
		{"two lines", viewerToken + "\n" + fresh, 401, 401},
		{"another's", operatorToken, 401, 401},
		{"back again", viewerToken, 200, 401},
	} {
		if step.text != "" {
			w.write(t, "viewer", step.text)
		} else if err := os.Remove(filepath.Join(w.dir, "viewer")); err != nil {
			t.Fatal(err)
		}
		w.server.keyring.poll()
		w.server.keyring.poll() // tells nothing twice
		w.server.peers = newPeers()
		if got := w.listed(viewerToken); got != step.old {
			t.Errorf("%s: the old token: %d, want %d", step.name, got, step.old)
		}
		if got := w.listed(fresh); got != step.fresh {
			t.Errorf("%s: the new token: %d, want %d", step.name, got, step.fresh)
		}
		if got := w.listed(operatorToken); got != 200 {
			t.Errorf("%s: another token: %d", step.name, got)
		}
	}
	if n := w.logs.FilterMessageSnippet("lets nobody in").Len(); n != 4 {
		t.Errorf("%d complaints of four faults", n)
	}
	lines := w.audit(t)
	if last := lines[len(lines)-1]; last != "token/desk operator list  granted" {
		t.Errorf("the one whose token was copied is %q", last)
	}
}

// TestRunNoticesChanges: without anybody's help.
func TestRunNoticesChanges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "token")
		put := func(text string) {
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		put(viewerToken)
		s, err := New(Options{Recorder: &desk{}, Auditor: struct{ Auditor }{}, Tokens: []Token{{"eye", RoleViewer, file}}})
		if err != nil {
			t.Fatal(err)
		}
		go func() { _ = s.Run(t.Context()) }()
		put(adminToken)
		if _, ok := s.keyring.find(viewerToken); !ok {
			t.Error("the old token was forgotten before the file was looked at")
		}
		<-time.After(pollEvery + time.Millisecond) // virtual time
		if _, ok := s.keyring.find(viewerToken); ok {
			t.Error("the old token lives on")
		}
		if _, ok := s.keyring.find(adminToken); !ok {
			t.Error("the new token is not known")
		}
	})
}

func TestReadToken(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		viewerToken:                          "",
		" " + viewerToken + "==\r\n":         "",
		"":                                   "of 0 characters; give at least 32",
		strings.Repeat("a", leastToken-1):    "of 31 characters",
		strings.Repeat("a", mostToken):       "",
		strings.Repeat("a", mostToken+1):     "more than the 512",
		strings.Repeat("a", 1<<20):           "more than the 512",
		strings.Repeat("a b", leastToken):    "can't be sent",
		strings.Repeat("=", leastToken):      "can't be sent",
		strings.Repeat("geheimnis-ü", 8):     "can't be sent",
		strings.Repeat("\x00", leastToken+1): "can't be sent",
	} {
		file := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		token, err := ReadToken(file)
		switch {
		case want == "" && (err != nil || token != strings.TrimSpace(text)):
			t.Errorf("%.40q: %v", text, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "geheim")):
			t.Errorf("%.40q: %v; should say %q", text, err, want)
		}
	}
}

// TestGuessersWait: a peer that guesses is held up, even from the true token;
// others, and who guesses nothing, are not.
func TestGuessersWait(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	from := func(remote, token string) (int, string) {
		reply := w.ask("GET", Root+"/calls", token, http.NoBody, func(r *http.Request) { r.RemoteAddr = remote })
		return reply.Code, reply.Header().Get("Retry-After")
	}
	for i := range guesses {
		if code, _ := from("192.0.2.1:1", strangeToken+strconv.Itoa(i)); code != 401 {
			t.Fatalf("guess %d: %d", i, code)
		}
	}
	for _, token := range []string{strangeToken, viewerToken} {
		if code, after := from("192.0.2.1:2", token); code != 429 || after == "" || after == "0" {
			t.Errorf("a guesser: %d, after %q", code, after)
		}
	}
	if code, _ := from("192.0.2.1:3", ""); code != 401 {
		t.Errorf("who guesses nothing: %d", code)
	}
	for _, remote := range []string{"192.0.2.2:1", "[2001:db8::1]:1", "pipe"} {
		if code, _ := from(remote, viewerToken); code != 200 {
			t.Errorf("another peer, %s: %d", remote, code)
		}
	}
	if n := w.counts(t, "recorderbot_console_logins_refused_total")["guessing"]; n != 2 {
		t.Errorf("%v guesses were held up", n)
	}
}

func TestBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ps, p := newPeers(), peerOf("192.0.2.1:1")
		for range 3 * guesses {
			ps.refused(p)
		}
		if d := ps.wait(p); d <= 0 || d > guessEvery {
			t.Errorf("wait %v", d)
		}
		<-time.After(guessEvery) // virtual time
		if d := ps.wait(p); d != 0 {
			t.Errorf("after a while it still waits %v", d)
		}
		for i := range mostPeers + 10 { // the memory is bounded; who guesses most lately stays
			ps.refused(peerOf(fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&255, i&255)))
			ps.refused(p)
			<-time.After(time.Millisecond) // virtual time
		}
		if len(ps.known) > mostPeers || ps.wait(p) == 0 {
			t.Errorf("%d peers, wait %v", len(ps.known), ps.wait(p))
		}
		<-time.After(time.Hour) // virtual time
		ps.refused(peerOf("192.0.2.9:1"))
		if len(ps.known) != 1 {
			t.Errorf("%d peers are remembered for nothing", len(ps.known))
		}
	})
	for remote, want := range map[string]string{
		"192.0.2.1:1": "192.0.2.1/32", "[::ffff:192.0.2.1]:1": "192.0.2.1/32", "[2001:db8::1:2]:1": "2001:db8::/64", "[fe80::1%eth0]:1": "fe80::/64", "@": "invalid Prefix",
	} {
		if got := peerOf(remote).String(); got != want {
			t.Errorf("%s: %s, want %s", remote, got, want)
		}
	}
}
