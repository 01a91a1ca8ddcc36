package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestExportCommand: a WAV is written once, and not from a folder that somebody
// has been in.
func TestExportCommand(t *testing.T) {
	t.Parallel()
	a := newAttic(t)
	a.keep(t, "r1", 1)
	if err := a.drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	dir, out := a.shut(t), t.TempDir()
	export := func(file, want string, code int) {
		t.Helper()
		if got, said := command(dir, "recordings", "export", "r1", "--out", file); got != code || !strings.Contains(said, want) {
			t.Errorf("exit code %d, want %d with %q:\n%s", got, code, want, said)
		}
	}
	first, second := filepath.Join(out, "a.wav"), filepath.Join(out, "b.wav")
	export(first, first, 0)
	export(first, "is there already", 1)
	export(out, "is there already", 1)
	events := filepath.Join(dir, "archive", "r1", "events.jsonl")
	if err := errors.Join(os.Chmod(events, 0o600), os.Truncate(events, 100)); err != nil {
		t.Fatal(err)
	}
	export(second, "not what was published", 1)
	if _, err := os.Lstat(second); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the refused export left a file: %v", err)
	}
}
