package teamsim_test

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/recorderbot/recorderbot/internal/teamsim"
	"github.com/recorderbot/recorderbot/internal/teamsim/cloud"
	"github.com/recorderbot/recorderbot/internal/teamsim/trace"
)

// pki is one for all tests: its RSA keys take longer than most of them.
var pki = sync.OnceValue(func() *teamsim.PKI {
	p, err := teamsim.WritePKI(filepath.Join(os.TempDir(), "teamsim-test-"+strconv.Itoa(os.Getpid())))
	if err != nil {
		panic(err)
	}
	return p
})

func TestMain(m *testing.M) {
	code := m.Run()
	_ = os.RemoveAll(pki().Dir)
	os.Exit(code)
}

func TestBuiltinScenariosAreGood(t *testing.T) {
	t.Parallel()
	names := teamsim.BuiltinNames()
	for _, want := range []string{
		"one-call", "hundred-calls", "refused", "running-then-completed", "throttled", "ended-before-consent",
		"gaps", "link-cut", "notifications", "lost-established",
	} {
		if !slices.Contains(names, want) {
			t.Errorf("there is no %s among %v", want, names)
		}
	}
	for _, name := range names {
		s, err := teamsim.Builtin(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if s.Name != name || s.About == "" {
			t.Errorf("%s: named %q, about %q", name, s.Name, s.About)
		}
		sim, err := teamsim.Start(s, teamsim.Options{PKI: pki()})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := teamsim.Builtin("nothing"); err == nil || !strings.Contains(err.Error(), "one-call") {
		t.Errorf("an unknown name: %v", err)
	}
}

func TestScenarioIsReadStrictly(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ yaml, want string }{
		"unknown key":   {"name: x\ncals: []\n", "cals"},
		"twice":         {"name: x\nname: y\ncalls: [{}]\n", "name"},
		"no calls":      {"name: x\n", "no calls"},
		"bad style":     {"name: x\ncalls: [{style: baroque}]\n", "baroque"},
		"bad event":     {"name: x\ncalls: [{events: [{do: dance}]}]\n", "dance"},
		"bad milestone": {"name: x\ncalls: [{end: {when: sometime}}]\n", "sometime"},
		"bad tenant":    {"name: x\ncalls: [{tenant: 1}]\n", "tenant"},
		"bad attack":    {"name: x\ncalls: [{attacks: [bribe]}]\n", "bribe"},
	} {
		if _, err := teamsim.ReadScenario([]byte(c.yaml)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, yaml := range map[string]string{
		"fault":    "name: x\ncalls: [{faults: [{op: dance}]}]\n",
		"delivery": "name: x\ncalls: [{deliveries: [{of: dance}]}]\n",
		"media":    "name: x\ncalls: [{media: [{kind: dance}]}]\n",
	} {
		s, err := teamsim.ReadScenario([]byte(yaml))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := teamsim.Start(s, teamsim.Options{PKI: pki()}); err == nil || !strings.Contains(err.Error(), "dance") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func scenario(t *testing.T, text string) teamsim.Scenario {
	t.Helper()
	s, err := teamsim.ReadScenario([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRunWithEitherCredential(t *testing.T) {
	t.Parallel()
	for _, credential := range []string{"secret", "certificate"} {
		t.Run(credential, func(t *testing.T) {
			t.Parallel()
			r, _ := play(t, scenario(t, "name: run\ncredential: "+credential+"\ncalls: [{count: 2, end: {after: 100ms}}]\n"))
			if len(r.Violations) != 0 || len(r.Faults) != 0 {
				t.Errorf("violations %v, faults %v", r.Violations, r.Faults)
			}
			if len(r.Calls) != 2 || len(r.Sessions) != 2 || r.Answer.Count != 2 || r.Announce.Count != 2 {
				t.Fatalf("%d calls, %d sessions, answer %v, announce %v", len(r.Calls), len(r.Sessions), r.Answer, r.Announce)
			}
			for _, c := range r.Calls {
				if c.EndSubcode != 5001 || len(c.Announcements) != 1 || c.Announcements[0].Progress != "completed" {
					t.Errorf("call: %+v", c)
				}
			}
			for _, s := range r.Sessions {
				if s.Connected.IsZero() || s.Disconnected.IsZero() || s.ClosedFor != "stopped" {
					t.Errorf("session: connected %v, disconnected %v, closed for %q", s.Connected, s.Disconnected, s.ClosedFor)
				}
			}
			if len(r.Blobs()) != 2 {
				t.Errorf("blobs: %v", r.Blobs())
			}
		})
	}
}

func TestHundredCallsASecond(t *testing.T) {
	t.Parallel()
	s, err := teamsim.Builtin("hundred-calls")
	if err != nil {
		t.Fatal(err)
	}
	s.Calls[0].End.After = 200 * time.Millisecond
	// How fast this machine is, with the race detector and among other tests, is
	// not what is tested.
	s.Timing.AnswerWithin, s.Calls[0].End.AtMost = time.Minute, time.Minute
	r, _ := play(t, s)
	if len(r.Violations) != 0 || r.Answer.Count != 100 || r.Announce.Count != 100 {
		t.Errorf("%d violations, answer %v, announce %v, first: %v", len(r.Violations), r.Answer, r.Announce, r.Violations[:min(1, len(r.Violations))])
	}
	if spread := r.Calls[99].InviteSent.Sub(r.Calls[0].InviteSent); spread < 900*time.Millisecond {
		t.Errorf("100 calls at 100 a second took only %v to place", spread)
	}
	t.Logf("answer %v; announce %v", r.Answer, r.Announce)
}

func TestRunIsDeterministic(t *testing.T) {
	t.Parallel()
	var runs [2][]string
	for i := range runs {
		r, _ := play(t, scenario(t, `
name: same
seed: 77
calls:
  - count: 3
    faults: [{op: updateRecordingStatus, body: running, later: {progress: completed, after: 20ms}}]
    deliveries: [{of: roster, lose: true}]
    end: {after: 50ms}
`))
		for _, c := range r.Calls {
			runs[i] = append(runs[i], c.ID, c.Chain, c.Observed)
			for _, e := range r.Trace {
				if e.Call == c.ID && (e.Kind == trace.NotificationSent || e.Kind == trace.NotificationLost) {
					runs[i] = append(runs[i], string(e.Kind)+" "+e.Status+" "+e.Progress)
				}
			}
		}
	}
	if diff := cmp.Diff(runs[0], runs[1]); diff != "" {
		t.Errorf("the same seed differs: %s", diff)
	}
}

func TestForgedInvitesAreHeldAgainstTheBot(t *testing.T) {
	t.Parallel()
	// The tiny bot checks no tokens: every forgery must be noticed.
	r, _ := play(t, scenario(t, "name: forged\ncalls: [{attacks: [all], end: {after: 10ms}}]\n"))
	forged := 0
	for _, v := range r.Violations {
		if strings.Contains(v.Detail, "forged token") {
			forged++
		}
	}
	if forged != len(cloud.Forgeries()) {
		t.Errorf("%d of %d forgeries are held against a bot that takes all", forged, len(cloud.Forgeries()))
	}
}

func TestPKI(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p, err := teamsim.WritePKI(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range [][2]string{
		{teamsim.FileBotCert, teamsim.FileBotKey},
		{teamsim.FileClientCert, teamsim.FileClientKey},
		{teamsim.FileCredential, teamsim.FileCredential},
	} {
		pair, pairErr := tls.LoadX509KeyPair(filepath.Join(dir, f[0]), filepath.Join(dir, f[1]))
		if pairErr != nil {
			t.Errorf("%s: %v", f[0], pairErr)
			continue
		}
		usage := x509.ExtKeyUsageServerAuth
		if f[0] == teamsim.FileClientCert {
			usage = x509.ExtKeyUsageClientAuth
		}
		_, err = pair.Leaf.Verify(x509.VerifyOptions{Roots: p.Roots, KeyUsages: []x509.ExtKeyUsage{usage}})
		if signed := err == nil; signed != (f[0] != teamsim.FileCredential) {
			t.Errorf("%s: %v", f[0], err)
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s can be read by others: %v", f.Name(), info.Mode())
		}
	}
	if s, err := os.ReadFile(filepath.Join(dir, teamsim.FileSecret)); err != nil || strings.TrimSpace(string(s)) != p.Secret || len(p.Secret) < 32 {
		t.Errorf("the secret: %v", err)
	}
}

// TestNoPortIsOfferedTwice: what was free a moment ago for one bot is not
// offered to the next, and none of it can be taken by an outgoing connection.
func TestNoPortIsOfferedTwice(t *testing.T) {
	t.Parallel()
	sim, err := teamsim.Start(scenario(t, "name: ports\ncalls: [{end: {after: 10ms}}]\n"), teamsim.Options{PKI: pki()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	offered := map[string]bool{}
	for range 20 {
		c, err := sim.WriteBotConfig(t.TempDir(), teamsim.BotOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, address := range []string{strings.TrimPrefix(c.PublicURL, "https://"), c.Console, c.Ops} {
			_, port, err := net.SplitHostPort(address)
			if n, _ := strconv.Atoi(port); err != nil || n >= 32768 || offered[port] {
				t.Errorf("%s: offered before, or out of the range that is safe", address)
			}
			offered[port] = true
		}
	}
}
