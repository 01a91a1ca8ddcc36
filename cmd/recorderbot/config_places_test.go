package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// faultsOf loads a configuration that has faults.
func faultsOf(t *testing.T, text string, environ ...string) ConfigErrors {
	t.Helper()
	_, err := loadConfig(writeConfig(t, text), environ)
	if err == nil {
		return nil
	}
	faults, ok := errors.AsType[ConfigErrors](err)
	if !ok {
		t.Fatalf("%T %v", err, err)
	}
	for _, f := range faults {
		if f.Remedy == "" {
			t.Errorf("no remedy: %v", f)
		}
	}
	return faults
}

// TestOneFaultEach: a good configuration with one fault, which is found alone,
// under its key, with its line.
func TestOneFaultEach(t *testing.T) {
	t.Parallel()
	const tenant = "1fdd12d0-4620-44ed-baec-459b611f84b2"
	for name, test := range map[string]struct{ old, new, key, words string }{
		"secret is a folder":      {"secretFile: secret", "secretFile: .", "app.credential.secretFile", "is a folder"},
		"certificate is a folder": {"secretFile: secret", "certificateFile: .", "app.credential.certificateFile", "is a folder"},
		"key is a folder":         {"keyFile: tls.key}\nmedia", "keyFile: .}\nmedia", "listen.callbacks.keyFile", "is a folder"},
		"tenant twice":            {tenant, tenant + ", " + strings.ToUpper(tenant), "app.tenants[1]", "twice"},
		"issuer empty":            {"media", "endpoints: {issuers: [https://a, \"\"]}\nmedia", "endpoints.issuers[1]", "empty"},
		"ops on callbacks":        {"listen:\n", "listen:\n  ops: {address: \"127.0.0.1:9441\"}\n", "listen.ops.address", "listen.callbacks.address"},
		"console on ops":          {"listen:\n", "console: {clientCAFile: tls.crt, clients: [{commonName: a, role: viewer}]}\nlisten:\n  console: {address: \"localhost:9440\", certFile: tls.crt, keyFile: tls.key}\n", "listen.console.address", "listen.ops.address"},
		"spool is a file":         {"media", "spool: {dir: secret}\nmedia", "spool.dir", "is not a folder"},
		"spool below a file":      {"media", "spool: {dir: secret/x}\nmedia", "spool.dir", "cannot be used"},
		"archive is a file":       {"media", "archive: {url: \"file:secret\"}\nmedia", "archive.url", "is not a folder"},
		"archive on a host":       {"media", "archive: {url: \"file://host/x\"}\nmedia", "archive.url", "names no folder"},
		"catalogue is a folder":   {"media", "catalogue: {url: \"sqlite:.\"}\nmedia", "catalogue.url", "is a folder"},
		"catalogue without":       {"media", "catalogue: {url: recorderbot.db}\nmedia", "catalogue.url", "no scheme"},
		"number":                  {"media", "recording: {participantCapacity: many}\nmedia", "recording.participantCapacity", "whole number, such as"},
		"list for one":            {"media", "cloud: [global]\nmedia", "cloud", "single value"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faults := faultsOf(t, strings.Replace(goodConfig, test.old, test.new, 1))
			if len(faults) != 1 || faults[0].Key != test.key || faults[0].Line == 0 || !strings.Contains(faults[0].Error(), test.words) {
				t.Errorf("%v", faults)
			}
		})
	}
}

// TestFaultsTellNoSecrets: not of an address, and not of a line that is no YAML.
func TestFaultsTellNoSecrets(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"catalogue: {url: \"postgres://u:HUSH@h/db\"}\n", "catalogue: {url: \"HUSH\"}\n", "archive: {url: \"azblob://a/c?sig=HUSH\"}\n",
		"archive: {url: \"u-HUSH:x\"}\n", "archive: {url: \"file:x?sig=HUSH\"}\n",
		"endpoints: {graph: \"http://u:HUSH@h\"}\n", "endpoints: {authority: \"https://u:HUSH@h/common\"}\n", "endpoints: {openIDConfiguration: \"x?sig=HUSH\"}\n",
		"listen: {ops: {address: \"u:HUSH@h:1\"}}\n", "archive: {url: HUSH\n", "archive:\n\turl: HUSH\n", "archive: {url: [HUSH, }\n",
	} {
		faults := faultsOf(t, goodConfig+text)
		if len(faults) == 0 || strings.Contains(faults.Error(), "HUSH") {
			t.Errorf("%s: %v", text, faults)
		}
	}
	for _, u := range []string{"http://u:HUSH@h", "https://h?sig=HUSH", "https://[::HUSH@"} {
		faults := faultsOf(t, strings.Replace(goodConfig, "https://bot.example.com", u, 1))
		if len(faults) != 1 || strings.Contains(faults.Error(), "HUSH") {
			t.Errorf("%s: %v", u, faults)
		}
	}
}

// TestVariables: a fault of a variable names the variable, and one that nobody
// reads is a fault.
func TestVariables(t *testing.T) {
	t.Parallel()
	for kv, want := range map[string]string{
		"RECORDERBOT_SPOOL_COMMITINTERVAL=soon":              "RECORDERBOT_SPOOL_COMMITINTERVAL: spool.commitInterval: \"soon\"",
		"RECORDERBOT_SPOOL_SEGMENTSIZE=":                     "RECORDERBOT_SPOOL_SEGMENTSIZE: spool.segmentSize: ",
		"RECORDERBOT_PUBLICURL=http://x":                     "RECORDERBOT_PUBLICURL: publicURL: ",
		"RECORDERBOT_APP_TENANTS=":                           "RECORDERBOT_APP_TENANTS: app.tenants: is empty",
		"RECORDERBOT_APP_TENANTS=a":                          "RECORDERBOT_APP_TENANTS: app.tenants[0]: ",
		"RECORDERBOT_APP_CREDENTIAL_CERTIFICATEFILE=tls.crt": "has 2 credentials, with RECORDERBOT_APP_CREDENTIAL_CERTIFICATEFILE",
		"RECORDERBOT_BOGUS=1":                                "RECORDERBOT_BOGUS: names no key; remove it",
		"RECORDERBOT_PUBLIC_URL=https://x":                   "RECORDERBOT_PUBLIC_URL: names no key; write RECORDERBOT_PUBLICURL",
		"RECORDERBOT_KEYS=x":                                 "RECORDERBOT_KEYS: names no key",
		"RECORDERBOT_LISTEN_OPS_PORT=9440":                   "RECORDERBOT_LISTEN_OPS_PORT: names no key",
		// Not ours: what Kubernetes tells of its services, and our tests their children.
		"RECORDERBOT_PORT=tcp://10.0.0.1:9441":                         "",
		"RECORDERBOT_OPS_PORT_9440_TCP=tcp://10.0.0.1:9440":            "",
		"RECORDERBOT_CALLBACKS_PORT_9441_TCP_ADDR=10.0.0.1":            "",
		"RECORDERBOT_CALLBACKS_SERVICE_HOST=10.0.0.1":                  "",
		"RECORDERBOT_CALLBACKS_SERVICE_PORT_HTTPS=9441":                "",
		"RECORDERBOT_TEST_CHILD=1":                                     "",
		"RECORDERBOTS=1":                                               "",
		"RECORDERBOT_APP_TENANTS=1fdd12d0-4620-44ed-baec-459b611f84b3": "",
	} {
		faults := faultsOf(t, goodConfig, kv)
		if want == "" {
			if len(faults) != 0 {
				t.Errorf("%s: %v", kv, faults)
			}
			continue
		}
		if len(faults) != 1 || !strings.Contains(faults[0].Error(), want) {
			t.Errorf("%s: %v", kv, faults)
		}
	}
	// What the file says of an overridden key is of no account.
	if faults := faultsOf(t, goodConfig+"spool: {commitInterval: soon}\n", "RECORDERBOT_SPOOL_COMMITINTERVAL=5ms"); len(faults) != 0 {
		t.Errorf("%v", faults)
	}
}

// TestTolerated: marks that editors leave, and addresses that only look alike.
func TestTolerated(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"byte order mark": "\xef\xbb\xbf" + goodConfig,
		"carriage return": strings.ReplaceAll(goodConfig, "\n", "\r\n"),
		"other host":      strings.Replace(goodConfig, "\":9441\"", "\"127.0.0.2:9440\"", 1),
		"any port":        strings.Replace(goodConfig, "listen:\n", "listen:\n  ops: {address: \"127.0.0.1:0\"}\n", 1),
		"from the root":   goodConfig + "archive: {url: \"file:///nowhere/archive\"}\n",
	} {
		if faults := faultsOf(t, text); len(faults) != 0 {
			t.Errorf("%s: %v", name, faults)
		}
	}
	name := writeConfig(t, goodConfig+"spool: {dir: there}\n")
	if err := os.Mkdir(filepath.Join(filepath.Dir(name), "there"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := loadConfig(name, nil); err != nil {
		t.Error(err)
	}
}
