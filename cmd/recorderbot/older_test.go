package main

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/recorderbot/recorderbot/internal/catalogue"
)

// TestOlderJournal: the catalogue of a version that kept nothing of an invite beside
// what it acted on (a demo's, as SQL) is refused for reading with what to do; brought
// up to date, its call is found by whom it observed, shown, and replayed step by step.
func TestOlderJournal(t *testing.T) {
	t.Parallel()
	const call, recording = "ff4ae39f-6bb4-4fb8-9a3d-1e601c115a0b", "453df3e2-9d91-450a-b603-39bbdee2e62e"
	dir := configure(t, t.TempDir())
	dump, err := os.ReadFile(filepath.Join("testdata", "older.sql"))
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, "catalogue.db"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.ExecContext(t.Context(), string(dump))
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	said := func(code int, patterns []string, args ...string) {
		t.Helper()
		got, out := command(dir, append([]string{"recordings"}, args...)...)
		for _, p := range patterns {
			if got != code || !regexp.MustCompile(p).MatchString(out) {
				t.Errorf("%s: exit code %d, want %d with %s:\n%s", strings.Join(args, " "), got, code, p, out)
			}
		}
	}
	said(1, []string{`schema is version 2, this program reads 3; start "recorderbot serve" of this version once`}, "list")
	cat, err := catalogue.Open(t.Context(), "sqlite:catalogue.db", dir, catalogue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err = cat.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	said(0, []string{`(?m)^` + recording + ` .* recorded .*archived +- +8d72c79c-.* ` + call + `$`}, "list", "--user", "8D72C79C-55B2-4673-8BED-81895646BF1C", "--policy", "test policy")
	said(0, []string{`(?s)observed user +8d72c79c-.*outcome +recorded.*announced.*sealed`}, "show", call)
	said(0, []string{`call ` + call + `: 9 steps replayed, 0 differ`}, "replay", recording, "--quiet")
}
