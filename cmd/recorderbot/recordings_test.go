package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/catalogue"
	"github.com/recorderbot/recorderbot/internal/recorder"
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

// TestEveryInviteIsVisible: what was not recorded is listed and shown beside what
// was, with the reason and what an administrator must do.
func TestEveryInviteIsVisible(t *testing.T) {
	t.Parallel()
	const rejected, live, remedy = "0e0e0e0e-aaaa-4bbb-8ccc-000000000001", "0e0e0e0e-aaaa-4bbb-8ccc-000000000002", "have an administrator consent"
	a := newAttic(t)
	a.keep(t, "r1", 1)
	for _, id := range []recorder.CallID{rejected, live} {
		a.catalogue.Invited(recorder.Invite{
			Call: recorder.CallRef{ID: id, Tenant: "abc"}, At: time.Now(), ObservedParticipant: "p", ObservedUser: "def",
		})
	}
	err := errors.Join(
		a.catalogue.Append(t.Context(), recorder.Entry{Call: rejected, Kind: recorder.EntryReject, Data: map[string]string{"reason": "forbidden"}}),
		a.catalogue.Conclude(t.Context(), recorder.Conclusion{
			Call: rejected, Outcome: recorder.OutcomeRejected, Cause: recorder.CauseNoMediaHost, Detail: "refused;\n" + remedy,
		}),
		a.drain(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	dir := a.shut(t)
	for _, tt := range []struct {
		args string
		code int
		want []string // patterns, in all that is said
		none string   // what is not in it
	}{
		{"list", 0, []string{`(?m)^r1 .* recorded .*archived .*call-r1$`, `(?m)^- .* rejected +noMediaHost +- +- +def +` + rejected, `(?m)^- .*Z +- +- +- +- +- +- +def +` + live}, ""},
		{"list --outcome rejected", 0, []string{rejected}, "r1"},
		{"list --outcome recorded", 0, []string{"call-r1"}, rejected},
		{"list --limit 1", 0, []string{live, `newest 1, and there are more`}, rejected},
		{"list --limit 3", 0, []string{live, rejected}, "there are more"},
		{"list --tenant ABC --user DEF", 0, []string{rejected, live}, "r1"},
		{"list --call " + strings.ToUpper(rejected), 0, []string{rejected}, live},
		{"show " + strings.ToUpper(rejected), 0, []string{`outcome +rejected`, `cause +noMediaHost`, `detail +refused; ` + remedy, `reject +reason="forbidden"`}, "recording "},
		{"show " + live, 0, []string{`outcome +none yet`, ` invite`}, "cause"},
		{"show R1", 0, []string{`recording +r1`, `state +archived`, `call +call-r1`, `outcome +recorded`}, ""},
		{"show CALL-R1", 0, []string{`recording +r1`, `outcome +recorded`, `notRecording`}, ""},
		{"show nobody", 1, []string{`recording or call "nobody": .*unknown`}, ""},
		{"export --out x.wav " + rejected, 1, []string{"has no recording"}, ""},
		{"export --out x.wav nobody", 1, []string{"unknown"}, ""},
	} {
		code, out := command(dir, append([]string{"recordings"}, strings.Fields(tt.args)...)...)
		if code != tt.code || tt.none != "" && strings.Contains(out, tt.none) {
			t.Errorf("%s: exit code %d, want %d without %q:\n%s", tt.args, code, tt.code, tt.none, out)
		}
		for _, want := range tt.want {
			if !regexp.MustCompile(want).MatchString(out) {
				t.Errorf("%s: %q is not in:\n%s", tt.args, want, out)
			}
		}
	}
	code, out := command(dir, "recordings", "list", "--json", "--outcome", "rejected")
	var row catalogue.Recording
	if err := json.Unmarshal([]byte(out), &row); code != 0 || err != nil || row.ID != "" || row.Call != rejected || row.Cause != recorder.CauseNoMediaHost || !strings.Contains(row.OutcomeDetail, remedy) {
		t.Errorf("as JSON: %d, %v\n%s", code, err, out)
	}
}

// TestExportAsksWhich: a call with two recordings is shown whole, and exported
// only by the recording's name.
func TestExportAsksWhich(t *testing.T) {
	t.Parallel()
	a := newAttic(t)
	a.keep(t, "r1", 1)
	if err := a.catalogue.RecordingSealed(t.Context(), "call-r1", recorder.SealReport{Recording: "r2"}); err != nil {
		t.Fatal(err)
	}
	dir := a.shut(t)
	code, out := command(dir, "recordings", "show", "call-r1")
	if code != 0 || strings.Count(out, "\nrecording ")+strings.Count(out, "\ncall ") != 2 || !strings.HasPrefix(out, "recording ") {
		t.Errorf("exit code %d, want two recordings and one call:\n%s", code, out)
	}
	if code, out = command(dir, "recordings", "export", "--out", "x.wav", "call-r1"); code != 1 || !strings.Contains(out, "r1, r2") {
		t.Errorf("exit code %d:\n%s", code, out)
	}
}

// TestLengthOf: however many tracks a recording has, it is as long as one of them.
func TestLengthOf(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC)
	const day = 24 * 3600 * 16000
	for name, tt := range map[string]struct {
		r    catalogue.Recording
		want string
	}{
		"archived":         {catalogue.Recording{State: catalogue.StateArchived, Samples: 5 * 16000, StartedAt: at, EndedAt: at.Add(2*time.Second + 62500)}, "2s"},
		"archived, empty":  {catalogue.Recording{State: catalogue.StateArchived, StartedAt: at, EndedAt: at}, "0s"},
		"sealed":           {catalogue.Recording{State: catalogue.StateSealed, Samples: 16000, GapSamples: 8000, StartedAt: at, EndedAt: at.Add(time.Minute)}, "1.5s"},
		"a week of tracks": {catalogue.Recording{State: catalogue.StateSealed, Samples: 50 * day, GapSamples: 1}, "1200h0m0s"},
	} {
		if got := lengthOf(tt.r); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}
