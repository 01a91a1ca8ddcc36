package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/catalogue"
	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/recorder"
	"github.com/recorderbot/recorderbot/internal/teamsim"
)

func journalOf(lines ...[2]string) []catalogue.JournalEntry {
	var all []catalogue.JournalEntry
	for i, l := range lines {
		all = append(all, catalogue.JournalEntry{Seq: int64(i + 1), At: second(i + 1), Kind: l[0], Data: json.RawMessage(l[1])})
	}
	return all
}

func second(n int) time.Time { return time.Date(2026, 11, 24, 10, 0, n, 0, time.UTC) }

// sealOf is a spool, or an archive, that has one seal.
func sealOf(id string, at time.Time) func(string) time.Time {
	return func(recording string) time.Time {
		if recording != id {
			return time.Time{}
		}
		return at
	}
}

// TestCheckJournal: the good journal passes, and each planted fault is found.
func TestCheckJournal(t *testing.T) {
	t.Parallel()
	good := [][2]string{
		{"invite", `{}`},
		{"announce", `{"status":"recording","clientContext":"c/1"}`},
		{"announced", `{"status":"recording","clientContext":"c/1","progress":"completed"}`},
		{"permit", `{"clientContext":"c/1"}`},
		{"opened", `{"recording":"r"}`},
		{"sealed", `{"recording":"r"}`},
		{"announce", `{"status":"notRecording","clientContext":"c/2"}`},
		{"announced", `{"status":"notRecording","clientContext":"c/2","progress":"completed"}`},
		{"outcome", `{}`},
	}
	none := sealOf("", time.Time{})
	if f := checkJournal(journalOf(good...), none); len(f) > 0 {
		t.Fatalf("the good journal: %v", f)
	}
	without := func(i int) [][2]string { return slices.Delete(slices.Clone(good), i, i+1) }
	set := func(i int, data string) [][2]string {
		c := slices.Clone(good)
		c[i][1] = data
		return c
	}
	for name, tt := range map[string]struct {
		lines [][2]string
		want  error
	}{
		"no intention":          {without(1), errSaidUnasked},
		"no reply":              {without(2), errPermitUnbased},
		"running is no success": {set(2, `{"status":"recording","clientContext":"c/1","progress":"running"}`), errPermitUnbased},
		"another context":       {set(3, `{"clientContext":"c/9"}`), errPermitUnbased},
		"not about recording":   {set(1, `{"status":"notRecording","clientContext":"c/1"}`), errPermitUnbased},
		"no permit":             {without(3), errReopened},
		"no seal":               {without(5), errEndUnsealed},
		"two outcomes":          {append(slices.Clone(good), [2]string{"outcome", `{}`}), errManyOutcomes},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if f := checkJournal(journalOf(tt.lines...), none); !errors.Is(errors.Join(f...), tt.want) {
				t.Errorf("found %v, want %v", f, tt.want)
			}
		})
	}
}

// TestCheckJournalWithoutItsSeal: the journal could not be written, but the seal
// is there. It must be this recording's, and precede what was announced.
func TestCheckJournalWithoutItsSeal(t *testing.T) {
	t.Parallel()
	lines := [][2]string{
		{"announce", `{"status":"recording","clientContext":"c/1"}`},
		{"announced", `{"clientContext":"c/1","progress":"completed"}`},
		{"permit", `{"clientContext":"c/1"}`},
		{"opened", `{"recording":"r"}`},
		{"announce", `{"status":"notRecording","clientContext":"c/2"}`},
		{"announced", `{"clientContext":"c/2","progress":"completed"}`},
		{"outcome", `{}`},
	}
	nameless := slices.Clone(lines)
	nameless[3][1] = `{}`
	for name, tt := range map[string]struct {
		lines [][2]string
		seal  func(string) time.Time
		want  error
	}{
		"sealed":                   {lines, sealOf("r", second(4)), nil},
		"sealed at that instant":   {lines, sealOf("r", second(5)), nil},
		"sealed after it":          {lines, sealOf("r", second(6)), errEndUnsealed},
		"another is sealed":        {lines, sealOf("q", second(4)), errEndUnsealed},
		"nobody knows which it is": {nameless, sealOf("", second(4)), errEndUnsealed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := errors.Join(checkJournal(journalOf(tt.lines...), tt.seal)...); !errors.Is(err, tt.want) {
				t.Errorf("found %v, want %v", err, tt.want)
			}
		})
	}
}

// TestCheckAsksForSeals: of a recording whose seal is not journaled, check finds
// it beside the call's end, and then in the manifest. What the catalogue claims
// and the spool does not have is found.
func TestCheckAsksForSeals(t *testing.T) {
	t.Parallel()
	a := newAttic(t)
	a.keep(t, "r1", 1, recorder.EntrySealed)
	found := func(spooled spool.Report) error {
		t.Helper()
		p := proof{out: t.Output(), archiveDir: a.assembler.Dir(), spooled: &spooled}
		if err := p.checkCatalogue(t.Context(), a.catalogue); err != nil {
			t.Fatal(err)
		}
		p.checkFolders()
		p.checkWaiting()
		return errors.Join(p.found...)
	}
	holding := func(all ...spool.Held) spool.Report { return spool.Report{Recordings: all} }
	if err := found(holding(spool.Held{ID: "r1"})); !errors.Is(err, errSealLost) || errors.Is(err, errRecordingLost) || !strings.Contains(err.Error(), "recording r1 of call call-r1") {
		t.Errorf("the spool has it without its seal: %v", err)
	}
	if err := found(holding(spool.Held{ID: "r2", SealedAt: second(1)}, spool.Held{ID: "r3"})); !errors.Is(err, errRecordingLost) || errors.Is(err, errSealLost) {
		t.Errorf("the spool has others: %v", err)
	}
	if err := found(holding(spool.Held{ID: "r2"}, spool.Held{ID: "r1", SealedAt: second(1)})); err != nil {
		t.Errorf("the spool has it: %v", err)
	}
	if err := a.drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := found(spool.Report{}); err != nil {
		t.Errorf("the archive has it: %v", err)
	}
}

// TestCheckSeesTheArchive: after two good calls all is well; a manifest that
// was rewritten, a missing one, and a spool that was thrown away are found.
func TestCheckSeesTheArchive(t *testing.T) {
	t.Parallel()
	s, err := teamsim.Builtin("one-call")
	if err != nil {
		t.Fatal(err)
	}
	s.Calls[0].Count, s.Calls[0].Rate = 2, 2
	s.Calls[0].End.After = 500 * time.Millisecond
	r := newRig(t, s, nil)
	r.start(t)
	if _, verdict := r.run(t); len(verdict.Violations) > 0 {
		t.Fatal(verdict.Violations)
	}
	check := func(code int, want string) {
		t.Helper()
		var out bytes.Buffer
		if got := run([]string{"check", "--config", r.config.File}, &out, &out, nil); got != code || !strings.Contains(out.String(), want) {
			t.Errorf("exit code %d, want %d with %q:\n%s", got, code, want, &out)
		}
	}
	check(0, "no violation")
	names, err := filepath.Glob(filepath.Join(r.config.Archive, "*", "manifest.json"))
	if err != nil || len(names) != 2 {
		t.Fatal(names, err)
	}
	original, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	rewritten := bytes.Replace(original, []byte(`"policy": "`), []byte(`"policy": "X`), 1)
	if err := os.Chmod(names[0], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(names[0], rewritten, 0o600); err != nil {
		t.Fatal(err)
	}
	check(1, errManifestChanged.Error())
	if err := os.WriteFile(names[0], original, 0o600); err != nil {
		t.Fatal(err)
	}
	r.start(t) // beside a live service the rest is checked all the same
	check(0, "not checked")
	r.stop(t)
}
