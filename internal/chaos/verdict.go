package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/recorderbot/recorderbot/internal/teamsim"
	"github.com/recorderbot/recorderbot/internal/teamsim/cloud"
	"github.com/recorderbot/recorderbot/internal/teamsim/referee"
)

// A Verdict is what came of a seed.
type Verdict struct {
	Plan Plan
	Dir  string
	// Violations are the referee's, the disk's, and of the processes.
	Violations []string
	// Lost samples are accounted for by no gap.
	Lost int64
	// Without are the calls that were taken and do not have exactly one outcome.
	Without []string
	// Story is what happened, for people.
	Story []string
	// Deaths and Calls are how much was tried.
	Deaths, Calls, Recorded int
}

// Good tells whether nothing is wrong.
func (v Verdict) Good() bool { return len(v.Violations) == 0 && v.Lost == 0 && len(v.Without) == 0 }

// String tells a person what went wrong, and how to see it again.
func (v Verdict) String() string {
	var b strings.Builder
	b.WriteString(v.Plan.Words())
	for _, s := range v.Story {
		fmt.Fprintln(&b, "  "+s)
	}
	for _, s := range v.Violations {
		fmt.Fprintln(&b, "  VIOLATION "+s)
	}
	for _, s := range v.Without {
		fmt.Fprintln(&b, "  WITHOUT ONE OUTCOME "+s)
	}
	fmt.Fprintf(&b, "  %d of %d calls recorded, %d deaths, %d samples lost unrecorded\n", v.Recorded, v.Calls, v.Deaths, v.Lost)
	if !v.Good() {
		fmt.Fprintf(&b, "  kept in %s; again: make chaos SEED=%d\n", v.Dir, v.Plan.Seed)
	}
	return b.String()
}

// verdict asks all who can know.
func (p *play) verdict(ctx context.Context) (Verdict, error) {
	v := Verdict{Plan: p.plan, Dir: p.dir, Deaths: len(p.deaths) - 1, Violations: p.faults}
	if p.over == nil {
		v.Story = p.story
		return v, nil
	}
	r := p.over.result
	r.Calls = p.sim.Cloud.Calls()
	for _, f := range r.Faults {
		p.tell("the simulation could not: %s", f)
	}
	v.Violations = append(v.Violations, p.check(ctx)...)
	v.Violations = append(v.Violations, p.panics()...)
	outcomes, err := p.outcomes(ctx)
	if err != nil {
		v.Violations = append(v.Violations, err.Error())
	}
	report := p.sim.Judge(p.config.Archive, outcomes, referee.Limits{Slack: 3 * time.Second, Ack: time.Second})
	for _, found := range report.Violations {
		if p.excused(r, found) {
			p.tell("excused by the death of the process: %v", found)
			continue
		}
		if found.Kind == referee.KindOutcomeMissing {
			v.Without = append(v.Without, found.String()) // counted by itself
			continue
		}
		v.Violations = append(v.Violations, found.String())
		v.Lost += found.Samples
	}
	v.Calls = len(r.Calls)
	for _, c := range r.Calls {
		if slices.ContainsFunc(outcomes[c.ID], func(o string) bool { return strings.HasPrefix(o, "recorded") }) {
			v.Recorded++
		}
	}
	v.Story = p.story
	return v, nil
}

// excused tells whether a breach is one that nobody could have avoided: a process
// that is dead can't be in time, can't reply, and leaves its requests half sent; and
// one that was told nothing of its answer can't know that there was none.
func (p *play) excused(r teamsim.Result, v referee.Violation) bool {
	i := slices.IndexFunc(r.Calls, func(c cloud.Facts) bool { return c.ID == v.Call })
	if i < 0 {
		return false
	}
	switch v.Kind {
	case referee.KindFailedMissing, referee.KindFailedTooLate, referee.KindAnswerMissing, referee.KindAnswerTooLate,
		referee.KindNotRecordingMissing, referee.KindAnnouncedButNotRecording:
		return p.died(r.Calls[i])
	case referee.KindProtocol:
		switch {
		case strings.Contains(v.Detail, "http 0"), strings.Contains(v.Detail, "client disconnected"):
			return p.died(r.Calls[i])
		case strings.Contains(v.Detail, "the call was not answered"):
			return p.inTheDark(r.Calls[i].Number)
		}
	}
	return false
}

// died tells whether a process did while the call lived, or just before or after.
func (p *play) died(c cloud.Facts) bool {
	const around = 300 * time.Millisecond
	return slices.ContainsFunc(p.deaths[1:], func(d death) bool {
		return d.to.After(c.InviteSent) && (c.Ended.IsZero() || d.from.Add(-around).Before(c.Ended))
	})
}

// inTheDark tells whether the plan keeps from the bot what became of its answer.
func (p *play) inTheDark(number int) bool {
	return slices.ContainsFunc(p.plan.Scenario.Calls[number-1].Faults, func(f cloud.Fault) bool {
		return f.Op == cloud.OpAnswer && f.HTTP != http.StatusTooManyRequests
	})
}

// check proves the order from the disk.
func (p *play) check(ctx context.Context) []string {
	text, err := p.command(ctx, "check")
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
	text, err := p.command(ctx, "recordings", "list", "--json", "--limit", "1000000")
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
		if row.Outcome != "" && !slices.Contains(all[row.Call], row.Outcome) {
			all[row.Call] = append(all[row.Call], row.Outcome)
		}
	}
	return all, nil
}
