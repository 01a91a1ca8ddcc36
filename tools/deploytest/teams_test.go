package deploytest

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	scriptFile  = root + "/deploy/teams/New-RecordingPolicy.ps1"
	cmdletsFile = root + "/deploy/teams/cmdlets.txt"
)

// cmdlets are the cmdlets of the MicrosoftTeams module with their parameters.
func cmdlets(t *testing.T) map[string][]string {
	t.Helper()
	known := map[string][]string{}
	for line := range strings.Lines(read(t, cmdletsFile)) {
		if words := strings.Fields(line); len(words) > 0 && words[0] != "#" {
			known[words[0]] = words[1:]
		}
	}
	return known
}

// script is the script without its comments.
func script(t *testing.T) string {
	t.Helper()
	text := regexp.MustCompile(`(?s)<#.*?#>`).ReplaceAllString(read(t, scriptFile), "")
	return regexp.MustCompile(`(?m)^\s*#.*$`).ReplaceAllString(text, "")
}

// settings are the keys of the hash tables that the script splats.
func settings(t *testing.T, text string) map[string][]string {
	t.Helper()
	tables := map[string][]string{}
	for _, m := range regexp.MustCompile(`(?s)\$(\w+) = @\{(.*?)\n\}`).FindAllStringSubmatch(text, -1) {
		for _, key := range regexp.MustCompile(`(?m)^\s+(\w+)\s+=`).FindAllStringSubmatch(m[2], -1) {
			tables[m[1]] = append(tables[m[1]], key[1])
		}
	}
	return tables
}

// TestTeamsScriptUsesWhatThereIs: every cmdlet and parameter is a documented
// one, and what changes something is asked for first (-WhatIf).
func TestTeamsScriptUsesWhatThereIs(t *testing.T) {
	t.Parallel()
	known, text := cmdlets(t), script(t)
	tables := settings(t, text)
	used := map[string]bool{}
	for line := range strings.Lines(text) {
		m := regexp.MustCompile(`\b(\w+-Cs\w+)\b([^|}]*)`).FindStringSubmatch(line)
		if m == nil {
			continue
		}
		name, args := m[1], m[2]
		used[name] = true
		parameters, ok := known[name]
		if !ok {
			t.Errorf("%s is not a known cmdlet", name)
			continue
		}
		for _, p := range regexp.MustCompile(`\s-([A-Za-z]+)\b`).FindAllStringSubmatch(args, -1) {
			if p[1] != "ErrorAction" && !slices.Contains(parameters, p[1]) {
				t.Errorf("%s has no parameter -%s", name, p[1])
			}
		}
		for _, splat := range regexp.MustCompile(`\s@(\w+)`).FindAllStringSubmatch(args, -1) {
			if len(tables[splat[1]]) == 0 {
				t.Errorf("%s: @%s is no table", name, splat[1])
			}
			for _, key := range tables[splat[1]] {
				if !slices.Contains(parameters, key) {
					t.Errorf("%s has no parameter %s (in @%s)", name, key, splat[1])
				}
			}
		}
	}
	for name := range known {
		if !used[name] {
			t.Errorf("the script does not use %s", name)
		}
	}
	if len(tables["applicationSettings"]) != 8 || len(tables["policySettings"]) != 5 {
		t.Errorf("settings: %v", tables)
	}
}

// TestTeamsScriptAsksFirst: each statement that changes something is inside a
// block that ShouldProcess guards.
func TestTeamsScriptAsksFirst(t *testing.T) {
	t.Parallel()
	text := script(t)
	if !strings.Contains(text, "SupportsShouldProcess = $true") || !strings.Contains(text, "Set-StrictMode") || !strings.Contains(text, "$ErrorActionPreference = 'Stop'") {
		t.Error("no -WhatIf, no strict mode, or errors are passed over")
	}
	var guards []bool // for each open block: whether it is guarded
	changes := 0
	for line := range strings.Lines(text) {
		if regexp.MustCompile(`\b(New|Set|Sync|Grant)-Cs`).MatchString(line) {
			changes++
			if !slices.Contains(guards, true) {
				t.Errorf("not guarded by ShouldProcess: %s", strings.TrimSpace(line))
			}
		}
		for _, r := range line {
			switch r {
			case '{':
				guards = append(guards, strings.Contains(line, "ShouldProcess("))
			case '}':
				if len(guards) == 0 {
					t.Fatalf("a brace too many: %s", line)
				}
				guards = guards[:len(guards)-1]
			}
		}
	}
	if len(guards) != 0 || changes != 8 {
		t.Errorf("%d braces open at the end, %d changes found", len(guards), changes)
	}
}

// TestTeamsScriptIsDocumented: every parameter is described and validated, and
// the flags of the recording application default to the documented True.
func TestTeamsScriptIsDocumented(t *testing.T) {
	t.Parallel()
	full := read(t, scriptFile)
	param := full[strings.Index(full, "\nparam("):strings.Index(full, "\n)\n")]
	names := regexp.MustCompile(`(?m)^\s+\[(?:guid|string|bool|uint32|int|switch|string\[\])\] \$(\w+)`).FindAllStringSubmatch(param, -1)
	if len(names) != 17 {
		t.Errorf("%d parameters", len(names))
	}
	for _, n := range names {
		if !strings.Contains(full, ".PARAMETER "+n[1]+"\n") {
			t.Errorf("-%s is not described", n[1])
		}
	}
	for _, flag := range []string{"RequiredBeforeMeetingJoin", "RequiredDuringMeeting", "RequiredBeforeCallEstablishment", "RequiredDuringCall"} {
		if !strings.Contains(param, "[bool] $"+flag+" = $true") {
			t.Errorf("-%s is not $true by default: fail closed", flag)
		}
	}
	for _, want := range []string{".SYNOPSIS", ".DESCRIPTION", ".EXAMPLE", "#Requires -Modules MicrosoftTeams", "[ValidateRange(1, 2)]"} {
		if !strings.Contains(full, want) {
			t.Errorf("the script lacks %s", want)
		}
	}
}
