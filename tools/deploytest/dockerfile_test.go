package deploytest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"debug/elf"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/json"
)

// An instruction is one line of the Dockerfile, continuations joined.
type instruction struct{ stage, word, rest string }

func dockerfile(t *testing.T) []instruction {
	t.Helper()
	text := regexp.MustCompile(`(?m)^#.*\n`).ReplaceAllString(read(t, root+"/Dockerfile"), "")
	text = strings.ReplaceAll(text, "\\\n", " ")
	stage := ""
	var all []instruction
	for line := range strings.Lines(text) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if word == "" {
			continue
		}
		if word == "FROM" {
			stage = "final"
			if _, name, ok := strings.Cut(rest, " AS "); ok {
				stage = strings.TrimSpace(name)
			}
		}
		all = append(all, instruction{stage, word, strings.TrimSpace(rest)})
	}
	return all
}

// one returns the text of the only such instruction of a stage.
func one(t *testing.T, all []instruction, stage, word string) string {
	t.Helper()
	var found []string
	for _, i := range all {
		if i.stage == stage && i.word == word {
			found = append(found, i.rest)
		}
	}
	if len(found) != 1 {
		t.Fatalf("stage %s has %d instructions %s", stage, len(found), word)
	}
	return found[0]
}

func TestDockerfile(t *testing.T) {
	t.Parallel()
	all := dockerfile(t)
	for word, want := range map[string]string{
		"FROM":       "scratch",
		"USER":       "65532:65532",
		"STOPSIGNAL": "SIGTERM",
		"ENTRYPOINT": `["/recorderbot"]`,
		"CMD":        `["serve", "--config", "/etc/recorderbot/recorderbot.yaml"]`,
		"VOLUME":     `["/data"]`,
		"EXPOSE":     "9441 9442 9440",
	} {
		if got := one(t, all, "final", word); got != want {
			t.Errorf("%s is %s, not %s", word, got, want)
		}
	}
	for _, word := range []string{"ENTRYPOINT", "CMD", "VOLUME"} {
		var list []string
		text := one(t, all, "final", word)
		if err := json.Unmarshal([]byte(text), &list); err != nil {
			t.Errorf("%s %s is not in exec form, and there is no shell: %v", word, text, err)
		}
	}
	copies := ""
	for _, i := range all {
		if i.stage != "final" {
			continue
		}
		switch i.word {
		case "RUN", "ADD":
			t.Errorf("the final stage has no shell: %s %s", i.word, i.rest)
		case "COPY":
			copies += i.rest + "\n"
			if !strings.Contains(i.rest, "--from=build") {
				t.Errorf("the final stage takes from the build alone: COPY %s", i.rest)
			}
		case "ENV", "ARG":
			t.Errorf("nothing is set in the final image: %s %s", i.word, i.rest)
		}
	}
	for _, want := range []string{"/etc/ssl/certs/ca-certificates.crt", "/usr/share/zoneinfo", "/out/etc/passwd", "--chown=65532:65532 /out/data /data", "/out/recorderbot /recorderbot"} {
		if !strings.Contains(copies, want) {
			t.Errorf("the image lacks %s", want)
		}
	}
	// The Go of the image is the Go of the module.
	module := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(read(t, root+"/go.mod"))[1]
	if from := one(t, all, "build", "FROM"); !strings.Contains(from, "golang:"+module+"-") {
		t.Errorf("the image builds with %s, the module wants Go %s", from, module)
	}
	for _, i := range all {
		if i.word == "COPY" && i.stage == "build" {
			checkContext(t, i.rest)
		}
	}
}

// checkContext: what the build copies passes .dockerignore, and nothing else.
func checkContext(t *testing.T, args string) {
	t.Helper()
	ignore := read(t, root+"/.dockerignore")
	fields := strings.Fields(args)
	for _, src := range fields[:len(fields)-1] {
		if !strings.Contains(ignore, "\n!"+src+"\n") {
			t.Errorf("COPY %s: .dockerignore keeps it out", src)
		}
		if _, err := os.Stat(filepath.Join(root, src)); err != nil {
			t.Error(err)
		}
	}
}

// build runs the Dockerfile's own build command, into a folder of the test.
func build(t *testing.T) string {
	t.Helper()
	command := ""
	for _, i := range dockerfile(t) {
		if i.word == "RUN" && strings.Contains(i.rest, "go build") {
			command = i.rest
		}
	}
	if command == "" {
		t.Fatal("the Dockerfile builds nothing")
	}
	bin := filepath.Join(t.TempDir(), "recorderbot")
	command = strings.ReplaceAll(command, "/out/recorderbot", bin)
	ctx, cancel := context.WithTimeout(t.Context(), 9*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-euc", command)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "TARGETOS=linux", "TARGETARCH=amd64", "VERSION=v9.8.7-test", "CGO_ENABLED=1", "GOFLAGS=", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return bin
}

// TestDockerfileBuildsAStaticBinary: without a container engine this is the
// nearest to building the image.
func TestDockerfileBuildsAStaticBinary(t *testing.T) {
	t.Parallel()
	bin := build(t)
	f, err := elf.Open(bin)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("the binary has a %v segment: it is not static, and scratch has no loader", p.Type)
		}
	}
	if libs, lerr := f.ImportedLibraries(); lerr != nil || len(libs) != 0 {
		t.Errorf("it needs %v (%v)", libs, lerr)
	}
	if s := f.Section(".symtab"); s != nil {
		t.Error("it is not stripped")
	}
	out, err := exec.CommandContext(t.Context(), bin, "version").Output()
	if err != nil || !strings.Contains(string(out), "v9.8.7-test") {
		t.Errorf("version says %q, %v", out, err)
	}
	if cwd, aerr := filepath.Abs(root); aerr != nil || strings.Contains(read(t, bin), cwd+"/cmd") {
		t.Errorf("it names the folder it was built in (%v)", aerr)
	}
	t.Run("configuration", func(t *testing.T) { checkConfig(t, bin) })
}

// checkConfig has the program judge the configurations that the chart writes.
func checkConfig(t *testing.T, bin string) {
	t.Helper()
	for name, values := range sets() {
		if name == "bare" {
			continue
		}
		dir := t.TempDir()
		text := configText(t, values...)
		for _, file := range []string{"/secrets/credential/bot.pem", "/secrets/callbacks/tls.crt", "/secrets/callbacks/tls.key", "/secrets/mediahosts/tls.crt", "/secrets/mediahosts/tls.key", "/secrets/mediahosts/ca.crt", "/secrets/endpoints/ca.crt", "/secrets/credential/password",
			"/secrets/console/tls.crt", "/secrets/console/tls.key", "/secrets/console-tokens/desk", "/secrets/console-tokens/chief", "/secrets/console-clients/ca.crt"} {
			if !strings.Contains(text, file) {
				continue
			}
			text = strings.ReplaceAll(text, file, dir+file)
		}
		writeSecrets(t, dir)
		if strings.Contains(text, " /secrets") {
			t.Errorf("%s: a secret that no volume holds:\n%s", name, text)
		}
		text = strings.ReplaceAll(text, "/data/", dir+"/data/")
		file := filepath.Join(dir, "recorderbot.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.CommandContext(t.Context(), bin, "check-config", "--config", file).CombinedOutput(); err != nil {
			t.Errorf("%s: the program refuses the chart's configuration: %v\n%s\n%s", name, err, out, text)
		}
		// It does judge: a wrong key is refused.
		if err := os.WriteFile(file, []byte(text+"\nnonsense: 1\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.CommandContext(t.Context(), bin, "check-config", "--config", file).CombinedOutput(); err == nil {
			t.Errorf("%s: nonsense was accepted: %s", name, out)
		}
	}
}

// writeSecrets puts files where the chart mounts them, made for this test.
func writeSecrets(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bot.example.com"}, DNSNames: []string{"bot.example.com"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour * 24 * 60), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	for name, data := range map[string][]byte{
		"credential/bot.pem": append(append([]byte{}, cert...), keyPEM...), "credential/password": []byte("secret"),
		"callbacks/tls.crt": cert, "callbacks/tls.key": keyPEM,
		"mediahosts/tls.crt": cert, "mediahosts/tls.key": keyPEM, "mediahosts/ca.crt": cert, "endpoints/ca.crt": cert,
		"console/tls.crt": cert, "console/tls.key": keyPEM, "console-clients/ca.crt": cert,
		"console-tokens/desk": []byte(strings.Repeat("desk", 10)), "console-tokens/chief": []byte(strings.Repeat("chief", 10)),
	} {
		file := filepath.Join(dir, "secrets", name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
