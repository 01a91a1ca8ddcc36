package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
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

// TestCheckBeforeServe: there is nothing yet, also where somebody has made the
// folders. It is said in one line, and is not success.
func TestCheckBeforeServe(t *testing.T) {
	t.Parallel()
	dir := configure(t, t.TempDir())
	for range 2 {
		out := checked(t, dir, 1, "nothing to check yet")
		if strings.Count(out, "\n") != 1 {
			t.Errorf("more than one line:\n%s", out)
		}
		for _, made := range []string{"spool/lost+found", "archive"} {
			if err := os.MkdirAll(filepath.Join(dir, made), 0o700); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestCheckGoesOn: a store that is missing or unreadable is a finding, and what
// is wrong with the others is found all the same.
func TestCheckGoesOn(t *testing.T) {
	t.Parallel()
	a := newAttic(t)
	a.keep(t, "r1", 1)
	if err := a.drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.keep(t, "r2", 2) // waits in the spool
	state := a.shut(t)
	checked(t, state, 0, "no violation")

	garbage := func(name string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			t.Helper()
			all, err := filepath.Glob(filepath.Join(dir, name))
			if err != nil || len(all) == 0 {
				t.Fatal(all, err)
			}
			for _, file := range all {
				if err := errors.Join(os.Remove(file), os.WriteFile(file, []byte("garbage, and more of it"), 0o600)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	without := func(name string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			t.Helper()
			if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	query := func(text string) func(*testing.T, string) {
		return func(t *testing.T, dir string) { t.Helper(); tamper(t, dir, text) }
	}
	flac := filepath.Join("archive", "r1", "audio-mixed.flac")
	for name, tt := range map[string]struct {
		spoil []func(*testing.T, string)
		want  []string
	}{
		"no spool":           {[]func(*testing.T, string){without("spool"), without(flac)}, []string{"spool: law 6", "recording r2 of call call-r2: law 4: neither in the spool nor in the archive: the catalogue has it as sealed", "missing: audio-mixed.flac"}},
		"unreadable spool":   {[]func(*testing.T, string){garbage("spool/*.seg"), without(flac)}, []string{"spool: law 6", "recording r2 of call call-r2: law 4", "missing: audio-mixed.flac"}},
		"no catalogue":       {[]func(*testing.T, string){without("catalogue.db"), without(flac)}, []string{"catalogue: law 6", "1 folders", "missing: audio-mixed.flac"}},
		"garbled catalogue":  {[]func(*testing.T, string){garbage("catalogue.db"), without(flac)}, []string{"catalogue: law 6", "missing: audio-mixed.flac"}},
		"no archive":         {[]func(*testing.T, string){without("archive"), query("DELETE FROM journal WHERE kind = 'announced'")}, []string{"archive: law 6", "call call-r1: law 1"}},
		"nothing at all":     {[]func(*testing.T, string){without("archive"), garbage("spool/*.seg"), without("catalogue.db")}, []string{"archive: law 6", "spool: law 6", "catalogue: law 6"}},
		"no outcome":         {[]func(*testing.T, string){query("DELETE FROM outcomes WHERE call = 'call-r1'")}, []string{"call call-r1: law 4: the call has ended in its journal", "r1: law 4: the manifest's outcome"}},
		"no trace of an end": {[]func(*testing.T, string){query("DELETE FROM outcomes WHERE call = 'call-r1'"), query("DELETE FROM journal WHERE kind = 'outcome'")}, []string{"r1: law 4: the manifest's outcome"}},
		"no call":            {[]func(*testing.T, string){query("DELETE FROM calls WHERE id = 'call-r1'")}, []string{"call call-r1: law 4: the call is not in the catalogue"}},
		"given up":           {[]func(*testing.T, string){query("UPDATE recordings SET state = 'failed', detail = 'why' WHERE id = 'r2'")}, []string{"recording r2 of call call-r2: law 4: not archived, and given up: why"}},
		"begun, and lost":    {[]func(*testing.T, string){query("UPDATE recordings SET state = 'open', frames = 0, sealed_at = 0 WHERE id = 'r2'"), without("spool")}, []string{"recording r2 of call call-r2: law 4: neither in the spool nor in the archive: the catalogue has it as open"}},
		"one of two lost":    {[]func(*testing.T, string){query("INSERT INTO recordings SELECT 'r9', call, 'open', 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, '', '', 0, '' FROM recordings WHERE id = 'r2'")}, []string{"recording r9 of call call-r2: law 4: neither", "1 violations"}},
		"one lost, one given up": {[]func(*testing.T, string){
			query("INSERT INTO recordings SELECT 'r9', call, 'open', 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, '', '', 0, '' FROM recordings WHERE id = 'r2'"),
			query("UPDATE recordings SET state = 'failed', detail = 'why' WHERE id = 'r2'"), // and still in the spool
		}, []string{"recording r9 of call call-r2: law 4: neither", "recording r2 of call call-r2: law 4: not archived, and given up: why", "2 violations"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "state")
			if err := os.CopyFS(dir, os.DirFS(state)); err != nil {
				t.Fatal(err)
			}
			for _, spoil := range tt.spoil {
				spoil(t, dir)
			}
			out := checked(t, dir, 1, "VIOLATION")
			for _, want := range tt.want {
				if !strings.Contains(out, want) {
					t.Errorf("%q is not in:\n%s", want, out)
				}
			}
		})
	}
}

// tamper changes a catalogue as a person could.
func tamper(t *testing.T, dir, query string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "catalogue.db"))
	if err != nil {
		t.Fatal(err)
	}
	res, err := db.ExecContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		t.Errorf("%s changes %d rows: %v", query, n, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}
