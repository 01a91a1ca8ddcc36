package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// shell is what a POSIX shell makes of a line, in the working folder.
func shell(t *testing.T, line string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "/bin/sh", "-c", line).CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s", line, err, out)
	}
	return string(out)
}

// TestTyped: what the demo prints starts the same program again, wherever it is.
func TestTyped(t *testing.T) {
	here, path, away := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "it's a folder")
	t.Chdir(here)
	t.Setenv("PATH", path)
	program := func(dir, name string) string {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("#!/bin/sh\necho '"+name+"' at \"$0\"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		return file
	}
	program(path, "other")
	for name, tt := range map[string]struct{ program, want string }{
		"here":                       {program(here, "bot"), "./bot"},
		"on the path":                {program(path, "pathbot"), "pathbot"},
		"away":                       {program(away, "bot"), quoted(filepath.Join(away, "bot"))},
		"another of its name on it":  {program(away, "other"), quoted(filepath.Join(away, "other"))},
		"here, with a space":         {program(here, "my bot"), "'./my bot'"},
		"in a folder of this folder": {program(filepath.Join(here, "bin"), "binbot"), filepath.Join(here, "bin", "binbot")},
	} {
		got := typed(tt.program)
		if got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
		base := filepath.Base(tt.program)
		if out := shell(t, got); !strings.HasPrefix(out, base+" at ") || !strings.HasSuffix(strings.TrimSpace(out), base) {
			t.Errorf("%s: %s starts %s", name, got, out)
		}
	}
}

// TestPasted: a shell gets the path that was meant, as one word and no flag.
func TestPasted(t *testing.T) {
	here := t.TempDir()
	t.Chdir(here)
	for path, want := range map[string]string{
		filepath.Join(here, "demo", "recorderbot.yaml"): "demo/recorderbot.yaml",
		filepath.Join(here, "my demo", "a.flac"):        "my demo/a.flac",
		filepath.Join(here, "-out", "a.flac"):           "./-out/a.flac",
		filepath.Join(here, "~", "$HOME `id`", "*;&"):   "~/$HOME `id`/*;&",
		"/else where/it's/\"a\"\\n":                     "/else where/it's/\"a\"\\n",
		"/tmp/Ünï":                                      "/tmp/Ünï",
	} {
		if got := shell(t, `printf '<%s>' `+pasted(path)); got != "<"+want+">" {
			t.Errorf("%s is pasted as %s, and read as %s", path, pasted(path), got)
		}
	}
	if got := quoted(""); got != "''" {
		t.Errorf("nothing is quoted as %s", got)
	}
	if got := pasted(filepath.Join(here, "demo-1")); got != "demo-1" {
		t.Errorf("a plain path is quoted: %s", got)
	}
}
