package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/recorderbot/recorderbot/internal/teamsim"
	"github.com/recorderbot/recorderbot/internal/teamsim/referee"
)

// check proves the order from the disk.
func (p *play) check(ctx context.Context) []string {
	text, err := p.run(ctx, "check")
	if err == nil {
		return nil
	}
	var found []string
	for line := range strings.Lines(string(text)) {
		if fault, ok := strings.CutPrefix(line, "VIOLATION"); ok {
			found = append(found, "check: "+strings.TrimSpace(fault))
		}
	}
	if len(found) == 0 {
		found = append(found, fmt.Sprintf("check: %v: %s", err, text))
	}
	return found
}

// panics looks for what no log may hold.
func (p *play) panics() []string {
	var found []string
	for _, name := range p.logs {
		text, err := os.ReadFile(filepath.Clean(name))
		if err != nil {
			found = append(found, err.Error())
		}
		for line := range bytes.Lines(text) {
			if bytes.HasPrefix(line, []byte("panic:")) || bytes.HasPrefix(line, []byte("fatal error:")) || bytes.Contains(line, []byte("panic: ")) {
				found = append(found, filepath.Base(name)+": "+strings.TrimSpace(string(line)))
			}
		}
	}
	return found
}

// outcomes asks the catalogue, through the program.
func (p *play) outcomes(ctx context.Context) (map[string][]string, error) {
	text, err := p.run(ctx, "recordings", "list", "--json", "--limit", "1000000")
	if err != nil {
		return nil, fmt.Errorf("recordings list: %w: %s", err, text)
	}
	all := map[string][]string{}
	for line := range bytes.Lines(text) {
		var row struct {
			Call    string `json:"call"`
			Outcome string `json:"outcome"`
		}
		if err = json.Unmarshal(line, &row); err != nil {
			return nil, fmt.Errorf("recordings list: %w: %s", err, line)
		}
		if _, ok := all[row.Call]; !ok {
			all[row.Call] = nil
		}
		if row.Outcome != "" && !slices.Contains(all[row.Call], row.Outcome) {
			all[row.Call] = append(all[row.Call], row.Outcome)
		}
	}
	return all, nil
}

// replayed is the last line of "recordings replay".
var replayed = regexp.MustCompile(`(?m)^call \S+: (\d+) steps replayed, 0 differ$`)

// replay feeds the journals of all calls to the machine again: the same states and
// commands must come out, wherever a process died in writing them.
func (p *play) replay(ctx context.Context, outcomes map[string][]string) (steps int, differs []string) {
	for _, call := range slices.Sorted(maps.Keys(outcomes)) {
		text, err := p.run(ctx, "recordings", "replay", call, "--quiet")
		m := replayed.FindSubmatch(text)
		if err != nil || m == nil {
			differs = append(differs, fmt.Sprintf("replay: %v: %s", err, text))
			continue
		}
		n, _ := strconv.Atoi(string(m[1])) // digits
		steps += n
	}
	return steps, differs
}

// told are the faults of the media and of the disk that a process which lived told as
// failed.
func (p *play) told(r teamsim.Result, report referee.Report) []referee.Failure {
	var all []referee.Failure
	for _, c := range report.Calls {
		for _, f := range r.Calls {
			if f.ID != c.Call {
				continue
			}
			died := p.died(f)
			for _, told := range c.Failures {
				// Whose disk has failed ends, but tells first.
				if !died || strings.HasSuffix(told.Fault, spoolFailed) {
					all = append(all, told)
				}
			}
		}
	}
	return all
}
