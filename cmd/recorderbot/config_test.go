package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// writeConfig writes text as a configuration file beside good TLS files.
func writeConfig(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	writePair(t, dir, "tls")
	if err := os.WriteFile(filepath.Join(dir, "secret"), []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "recorderbot.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

const goodConfig = `publicURL: https://bot.example.com
app:
  id: 0efc74f7-41c3-47a4-8775-7259bfef4241
  tenants: [1fdd12d0-4620-44ed-baec-459b611f84b2]
  credential: {secretFile: secret}
listen:
  callbacks: {address: ":9441", certFile: tls.crt, keyFile: tls.key}
mediaHosts: {addresses: ["mediahost-0:9443"], certFile: tls.crt, keyFile: tls.key, caFile: tls.crt}
`

func TestGoodConfig(t *testing.T) {
	t.Parallel()
	name := writeConfig(t, goodConfig+"spool: {segmentSize: 16MiB, commitInterval: 5ms}\nkeys:\n")
	cfg, err := loadConfig(name, []string{"RECORDERBOT_LISTEN_OPS_ADDRESS=127.0.0.1:1234", "RECORDERBOT_APP_TENANTS=1fdd12d0-4620-44ed-baec-459b611f84b2,2fdd12d0-4620-44ed-baec-459b611f84b2", "RECORDERBOT_PORT=tcp://1.2.3.4"})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Spool.SegmentSize != 16<<20 || cfg.Listen.Ops.Address != "127.0.0.1:1234" || len(cfg.App.Tenants) != 2 {
		t.Errorf("%+v", cfg)
	}
	if got, want := cfg.Capacity, (CapacityConfig{SpoolRoom: Duration(2 * time.Hour), CommitLatency: Duration(200 * time.Millisecond), CPU: 90}); got != want {
		t.Errorf("capacity %+v by default, want %+v", got, want)
	}
	if cfg.callbackURI() != "https://bot.example.com/api/calls" || cfg.path("spool") != filepath.Join(filepath.Dir(name), "spool") {
		t.Error(cfg.callbackURI(), cfg.path("spool"))
	}
}

// TestEveryFaultAtOnce: one run names all that is wrong, each with its line and
// what to do.
func TestEveryFaultAtOnce(t *testing.T) {
	t.Parallel()
	name := writeConfig(t, `publicURL: http://bot.example.com
cloud: mars
colour: blue
app:
  id: not-a-guid
  tenants: []
  credential: {secretFile: secret, managedIdentity: true}
  secret: hunter2
listen:
  callbacks: {address: "9441", certFile: missing.crt, keyFile: tls.key}
endpoints: {graph: "ftp://x", openIDConfiguration: "https://"}
mediaHosts:
  addresses: []
  certFile: tls.crt
  keyFile: tls.key
recording: {audio: stereo, participantCapacity: many, onFailure: panic}
spool: {commitInterval: soon, segmentSize: big}
archive: {url: "ftp://x"}
keys: {kms: x}
capacity: {calls: -1, spoolRoom: 10s, commitLatency: 2s, cpu: 101}
`)
	_, err := loadConfig(name, nil)
	faults, ok := errors.AsType[ConfigErrors](err)
	if !ok {
		t.Fatalf("%T %v", err, err)
	}
	var got []string
	for _, f := range faults {
		got = append(got, fmt.Sprintf("%d %s", f.Line, f.Key))
		if f.Remedy == "" {
			t.Errorf("no remedy: %v", f)
		}
	}
	want := []string{
		"1 publicURL", "2 cloud", "3 colour", "5 app.id", "6 app.tenants", "7 app.credential", "8 app.secret",
		"10 listen.callbacks.address", "10 listen.callbacks.certFile", "11 endpoints.graph", "11 endpoints.openIDConfiguration",
		"12 mediaHosts.caFile", "13 mediaHosts.addresses", "16 recording.participantCapacity", "16 recording.audio", "16 recording.onFailure",
		"17 spool.commitInterval", "17 spool.segmentSize", "18 archive.url", "19 keys",
		"20 capacity.calls", "20 capacity.spoolRoom", "20 capacity.commitLatency", "20 capacity.cpu",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s\n%v", diff, err)
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Error("a value of an unknown key is shown; it may be a secret")
	}
	if !regexp.MustCompile(`recorderbot\.yaml:10: listen\.callbacks\.certFile: no such file: .*missing\.crt; create it`).MatchString(err.Error()) {
		t.Error(err)
	}
}

func TestBrokenFiles(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ text, want string }{
		"not YAML":      {"publicURL: [", "recorderbot.yaml:1: not YAML: "},
		"a list":        {"- a\n- b\n", "must be a section"},
		"empty":         {"", "publicURL: is missing"},
		"section wrong": {strings.Replace(goodConfig, "  callbacks:", "  ops: 7\n  callbacks:", 1), "listen.ops: must be a section"},
		"list wrong":    {strings.Replace(goodConfig, "[1fdd12d0-4620-44ed-baec-459b611f84b2]", "1fdd12d0-4620-44ed-baec-459b611f84b2", 1), "app.tenants: must be a list"},
		"twice":         {goodConfig + "cloud: global\ncloud: global\n", "recorderbot.yaml:10: cloud: given twice"},
		"section twice": {goodConfig + "app: {}\n", "recorderbot.yaml:9: app: given twice"},
		"tab":           {"publicURL: https://x\napp:\n\tid: x\n", "recorderbot.yaml:3: not YAML: "},
		"a word":        {"hello", "recorderbot.yaml:1: must be a section"},
		"app is a word": {"publicURL: https://x\napp: hello\n" + goodConfig[strings.Index(goodConfig, "listen:"):], "recorderbot.yaml:2: app: must be a section with keys; write it as {key: value}"},
		"two documents": {goodConfig + "---\n" + goodConfig, "more than one document"},
		"bad bool":      {goodConfig + "recording: {screenShare: perhaps}\n", "neither true nor false"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := loadConfig(writeConfig(t, tt.text), nil)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want %q", err, tt.want)
			}
			// One fault is told once, and nothing that only follows from it.
			if faults, ok := errors.AsType[ConfigErrors](err); name != "empty" && (!ok || len(faults) != 1 || faults[0].Remedy == "") {
				t.Errorf("%d faults for one: %v", len(faults), err)
			}
		})
	}
	if _, err := loadConfig(filepath.Join(t.TempDir(), "none.yaml"), nil); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Error(err)
	}
}
