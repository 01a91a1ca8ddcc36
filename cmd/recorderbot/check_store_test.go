package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/recorderbot/recorderbot/internal/archive"
	"github.com/recorderbot/recorderbot/internal/catalogue"
)

// shut closes an attic as the end of a process does, and writes a configuration
// beside what it leaves. It returns the state's folder.
func (a *attic) shut(t *testing.T) string {
	t.Helper()
	if err := a.catalogue.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := a.spool.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	return configure(t, a.dir)
}

// configure writes a configuration into a folder.
func configure(t *testing.T, dir string) string {
	t.Helper()
	made := filepath.Dir(writeConfig(t, goodConfig+"catalogue: {url: \"sqlite:catalogue.db\"}\nspool: {segmentSize: 1MiB}\n"))
	if err := os.CopyFS(dir, os.DirFS(made)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// command runs a subcommand on a state's folder and returns its exit code and
// all it says.
func command(dir string, args ...string) (int, string) {
	var out bytes.Buffer
	code := run(append(args, "--config", filepath.Join(dir, "recorderbot.yaml")), &out, &out, nil)
	return code, out.String()
}

// checked runs check on a state's folder.
func checked(t *testing.T, dir string, code int, want string) string {
	t.Helper()
	got, out := command(dir, "check")
	if got != code || !strings.Contains(out, want) {
		t.Errorf("exit code %d, want %d with %q:\n%s", got, code, want, out)
	}
	return out
}

// edit opens a closed attic's catalogue again.
func edit(t *testing.T, dir string, f func(*catalogue.Catalogue) error) {
	t.Helper()
	cat, err := catalogue.Open(t.Context(), "sqlite:catalogue.db", dir, catalogue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err = f(cat); err != nil {
		t.Error(err)
	}
	if err = cat.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// TestCheckOfACopy: a state's folder that was copied or moved is checked, shown
// and exported where it is, also where its catalogue has whole paths of before.
func TestCheckOfACopy(t *testing.T) {
	t.Parallel()
	a := newAttic(t)
	a.keep(t, "r1", 1)
	if err := a.drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	rec, err := a.catalogue.Recording(t.Context(), "r1")
	if err != nil || rec.Path != "r1" {
		t.Errorf("the catalogue has the path %q, want the folder's name: %v", rec.Path, err)
	}
	dir := a.shut(t)
	checked(t, dir, 0, "no violation")

	for name, entered := range map[string]string{"name": "r1", "whole path": filepath.Join(a.assembler.Dir(), "r1")} {
		edit(t, dir, func(cat *catalogue.Catalogue) error {
			return cat.RecordingArchived(t.Context(), catalogue.Archived{
				Recording: "r1", Path: entered, ManifestSHA256: rec.ManifestSHA256, Samples: rec.Samples, Bytes: rec.Bytes,
			})
		})
		moved := filepath.Join(t.TempDir(), "moved")
		if err := os.CopyFS(moved, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		hidden := dir + "-away" // nothing of the original may be needed
		if err := os.Rename(dir, hidden); err != nil {
			t.Fatal(err)
		}
		checked(t, moved, 0, "no violation")
		for _, args := range [][]string{{"recordings", "show", "r1"}, {"recordings", "list", "--json"}} {
			if code, out := command(moved, args...); code != 0 || !strings.Contains(out, filepath.Join(moved, "archive", "r1")) {
				t.Errorf("%s: %v of the moved state: %d\n%s", name, args, code, out)
			}
		}
		if code, out := command(moved, "recordings", "export", "r1", "--out", filepath.Join(t.TempDir(), "a.wav")); code != 0 {
			t.Errorf("%s: export of the moved state: %d\n%s", name, code, out)
		}
		if err := os.Rename(hidden, dir); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(moved, "archive", "r1", "audio-mixed.flac")); err != nil {
			t.Fatal(err)
		}
		checked(t, moved, 1, string(archive.FindingMissing))
		checked(t, dir, 0, "no violation")
	}
}
