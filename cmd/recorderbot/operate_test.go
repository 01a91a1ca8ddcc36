package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/recorderbot/recorderbot/internal/catalogue"
	consoleapi "github.com/recorderbot/recorderbot/internal/console"
	"github.com/recorderbot/recorderbot/internal/teamsim"
)

// operate runs a command against the rig's bot and checks how it ends.
func (r *rig) operate(t *testing.T, code int, want string, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	if got := run(append(args, "--config", r.config.File), &out, &out, nil); got != code || !strings.Contains(out.String(), want) {
		t.Fatalf("%s: exit code %d, want %d with %q:\n%s", strings.Join(args, " "), got, code, want, &out)
	}
	return out.String()
}

// live waits until the one call is in a state.
func (r *rig) live(t *testing.T, state string) consoleapi.Call {
	t.Helper()
	var call consoleapi.Call
	err := poll(t.Context(), 20*time.Millisecond, func() error {
		if err := json.Unmarshal([]byte(r.operate(t, 0, "", "calls", "list", "--json")), &call); err != nil {
			return err
		}
		if call.State != state {
			return errNotReady
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return call
}

// TestOperatorCommands: the commands command the running bot; what is paused is
// sealed and announced, and the referee finds the order kept.
func TestOperatorCommands(t *testing.T) {
	t.Parallel()
	r := newRig(t, endless(t, 1), nil)
	r.start(t)
	ended := r.playing(t, 1)
	call := r.live(t, "recording")
	id := string(call.Call)
	if table := r.operate(t, 0, "RECORDING", "calls", "list"); !strings.Contains(table, id) {
		t.Error(table)
	}
	r.operate(t, 1, "resume in state recording", "calls", "resume", id)
	r.operate(t, 0, "is paused", "calls", "pause", strings.ToUpper(id), "--reason", "card number")
	r.operate(t, 1, "state", "calls", "pause", id)
	if now := r.live(t, "paused"); !now.Paused || now.Recording != "" {
		t.Errorf("%+v", now)
	}
	r.operate(t, 0, "is recording again", "calls", "resume", id)
	if now := r.live(t, "recording"); now.Paused || now.Recording == call.Recording {
		t.Errorf("%+v", now)
	}
	r.operate(t, 1, "no such call is live", "calls", "stop", "nobody")
	r.operate(t, 0, "no new calls are taken; 1 live", "drain")
	if !r.bot.registry.Draining() {
		t.Error("it does not drain")
	}
	waited := make(chan struct{})
	go func() {
		defer close(waited)
		r.operate(t, 0, "no new calls are taken; 0 live", "drain", "--wait", "--every", "10ms")
	}()
	r.operate(t, 0, `"done":true`, "calls", "stop", id, "--json")
	<-waited
	result := <-ended
	r.stop(t)
	r.operate(t, 1, "did not answer", "calls", "list")
	r.noViolation(t, result)
	if diff := cmp.Diff(map[string]int{"recorded": 1}, r.outcomes(t)); diff != "" {
		t.Error(diff)
	}
	r.audited(t, id)
}

// audited: each order is in the audit before what came of it.
func (r *rig) audited(t *testing.T, id string) {
	t.Helper()
	cat, err := catalogue.Open(t.Context(), r.cfg.Catalogue.URL, filepath.Dir(r.cfg.file), catalogue.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cat.Close(t.Context()) }()
	all, err := cat.Audited(t.Context(), catalogue.AuditFilter{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range all {
		if string(e.Call) != id {
			continue
		}
		if e.Identity != "token/simulator" || e.Role != "admin" || !strings.HasPrefix(e.Remote, "127.0.0.1:") {
			t.Errorf("%+v", e)
		}
		line := e.Action + " " + e.Result
		if e.Result == "granted" && e.Detail != "" {
			line += " " + e.Detail
		}
		got = append([]string{line}, got...)
	}
	want := []string{
		"resume granted", "resume conflict", "pause granted card number", "pause done", "pause granted", "pause conflict",
		"resume granted", "resume done", "stop granted", "stop done",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("audit (-want +got):\n%s", diff)
	}
}

const consoleConfig = goodConfig + `console:
  tokens:
    - {name: eye, role: viewer, file: eye.token}
    - {name: desk, role: operator, file: desk.token}
`

// writeConsole writes a configuration with a console that nobody serves.
func writeConsole(t *testing.T, text string) string {
	t.Helper()
	text = strings.Replace(text, "listen:\n", "listen:\n  console: {address: \"127.0.0.1:1\", certFile: tls.crt, keyFile: tls.key}\n", 1)
	name := writeConfig(t, text)
	dir := filepath.Dir(name)
	err := errors.Join(
		os.WriteFile(filepath.Join(dir, "eye.token"), []byte(strings.Repeat("eye.", 10)), 0o600),
		os.WriteFile(filepath.Join(dir, "desk.token"), []byte(strings.Repeat("desk", 10)), 0o600),
		os.WriteFile(filepath.Join(dir, "short.token"), []byte("hunter2"), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// TestOperatorIdentity: which credential a command uses, and that it says what is
// missing.
func TestOperatorIdentity(t *testing.T) {
	t.Parallel()
	name := writeConsole(t, consoleConfig)
	dir := filepath.Dir(name)
	other := strings.Replace(name, "recorderbot.yaml", "admin.token", 1)
	if err := os.WriteFile(other, []byte(strings.Repeat("admin", 10)), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := loadConfig(name, nil)
	if err != nil {
		t.Fatal(err)
	}
	for need, want := range map[consoleapi.Role]string{
		consoleapi.RoleViewer: strings.Repeat("eye.", 10), consoleapi.RoleOperator: strings.Repeat("desk", 10),
	} {
		if got, err := (consoleFlags{}).credential(&console{}, cfg, need); err != nil || got != want {
			t.Errorf("%v: %q, %v", need, got, err)
		}
	}
	env := &console{environ: []string{tokenFileVariable + "=" + other}}
	if got, err := (consoleFlags{}).credential(env, cfg, consoleapi.RoleViewer); err != nil || !strings.HasPrefix(got, "admin") {
		t.Errorf("by the environment: %q, %v", got, err)
	}
	if got, err := (consoleFlags{TokenFile: filepath.Join(dir, "desk.token")}).credential(env, cfg, consoleapi.RoleViewer); err != nil || !strings.HasPrefix(got, "desk") {
		t.Errorf("by the flag: %q, %v", got, err)
	}
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"drain", "--config", name}, 1, "no token whose role is admin or more"},
		{[]string{"calls", "list", "--config", name}, 1, "did not answer"},
		{[]string{"calls", "list", "--config", name, "--token-file", filepath.Join(dir, "short.token")}, 1, "give at least 32"},
		{[]string{"calls", "list", "--config", name, "--cert-file", filepath.Join(dir, "secret")}, 1, "--cert-file"},
		{[]string{"calls", "list", "--config", name, "--ca-file", filepath.Join(dir, "secret")}, 1, "no PEM certificate"},
		{[]string{"calls", "list", "--config", name, "--address", "nowhere"}, 1, "is not host:port"},
		{[]string{"calls", "list", "--config", writeConfig(t, goodConfig)}, 1, "has no console; write listen.console"},
		{[]string{"calls", "pause", "--config", name}, 2, "<call>"},
		{[]string{"calls"}, 2, "--help"},
		{[]string{"check-config", "--config", name}, 0, "is in order"},
	} {
		var out bytes.Buffer
		if code := run(tt.args, &out, &out, env.environ[:0]); code != tt.code || !strings.Contains(out.String(), tt.want) || strings.Contains(out.String(), "hunter2") {
			t.Errorf("%v: exit code %d, want %d with %q:\n%s", tt.args, code, tt.code, tt.want, &out)
		}
	}
	var out bytes.Buffer
	if code := run([]string{"check-config", "--config", name}, &out, &out, env.environ); code != 0 {
		t.Errorf("the commands' variable is taken for a key: %s", &out)
	}
}

// TestConsoleConfig: each fault of who may use the console.
func TestConsoleConfig(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ old, new, key, words string }{
		"nobody":          {consoleConfig[len(goodConfig):], "", "console.tokens", "nobody could use"},
		"no name":         {"name: eye, ", "", "console.tokens[0].name", "is missing"},
		"name twice":      {"name: eye", "name: desk", "console.tokens[1].name", "twice"},
		"role":            {"role: viewer", "role: boss", "console.tokens[0].role", "viewer, operator, admin"},
		"no file":         {", file: eye.token", "", "console.tokens[0].file", "is missing"},
		"missing file":    {"eye.token", "nowhere.token", "console.tokens[0].file", "no such file"},
		"short token":     {"eye.token", "short.token", "console.tokens[0].file", "at least 32"},
		"token twice":     {"eye.token", "desk.token", "console.tokens[1].file", "same token as console.tokens[0].file"},
		"clients without": {"console:\n", "console:\n  clients: [{commonName: a, role: viewer}]\n", "console.clientCAFile", "is missing"},
		"authority alone": {"console:\n", "console:\n  clientCAFile: tls.crt\n", "console.clients", "is empty"},
		"client twice":    {"console:\n", "console:\n  clientCAFile: tls.crt\n  clients: [{commonName: a, role: viewer}, {commonName: a, role: admin}]\n", "console.clients[1].commonName", "twice"},
		"unknown key":     {"role: viewer", "role: viewer, secret: hunter2", "console.tokens[0].secret", "unknown key"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := loadConfig(writeConsole(t, strings.Replace(consoleConfig, tt.old, tt.new, 1)), nil)
			faults, _ := errors.AsType[ConfigErrors](err)
			if len(faults) != 1 || faults[0].Key != tt.key || !strings.Contains(faults[0].Error(), tt.words) || faults[0].Remedy == "" || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%v", err)
			}
		})
	}
	if _, err := loadConfig(writeConfig(t, goodConfig+"console: {clientCAFile: tls.crt, clients: [{commonName: a, role: viewer}]}\n"), nil); err == nil || !strings.Contains(err.Error(), "listen.console: is missing") {
		t.Errorf("a console that nobody serves: %v", err)
	}
}

// TestNoConsole: without the section nothing is listened on and nothing exported.
func TestNoConsole(t *testing.T) {
	t.Parallel()
	s, err := teamsim.Builtin("one-call")
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, s, func(c *Config) { c.Listen.Console, c.Console = TLSListener{}, ConsoleConfig{} })
	r.start(t)
	if r.bot.console != nil || r.bot.consoleListener != nil {
		t.Error("there is a console that nobody asked for")
	}
	if err := r.bot.shutdown(nil); err != nil {
		t.Error(err)
	}
}
