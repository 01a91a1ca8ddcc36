package chaos

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/recorderbot/recorderbot/internal/teamsim"
	"github.com/recorderbot/recorderbot/internal/teamsim/cloud"
	"github.com/recorderbot/recorderbot/internal/teamsim/host"
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
	// Orders are those that were given, Obeyed those that were done; Replayed counts the
	// steps of the calls' journals.
	Orders, Obeyed, Replayed int
	// Report is the referee's, whose violations are looked at one by one.
	Report referee.Report
	// Told are the faults that a living process told as failed (law 3).
	Told []referee.Failure
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
	for _, f := range v.Told {
		fmt.Fprintf(&b, "  failed %v after: %s\n", f.Took.Round(time.Millisecond), f.Fault)
	}
	fmt.Fprintf(&b, "  %d of %d calls recorded, %d deaths, %d of %d orders done, %d steps replayed, %d samples lost unrecorded\n",
		v.Recorded, v.Calls, v.Deaths, v.Obeyed, v.Orders, v.Replayed, v.Lost)
	if !v.Good() {
		fmt.Fprintf(&b, "  kept in %s; again: make chaos SEED=%d\n", v.Dir, v.Plan.Seed)
	}
	return b.String()
}

// verdict asks all who can know.
func (p *play) verdict(ctx context.Context) (Verdict, error) {
	v := Verdict{Plan: p.plan, Dir: p.dir, Deaths: len(p.deaths) - 1, Violations: p.faults}
	orders := p.operators.rest()
	for _, g := range orders {
		p.tell("%v", g)
		if v.Orders++; g.done {
			v.Obeyed++
		}
	}
	if p.over == nil {
		v.Story = p.story
		return v, nil
	}
	r := p.over.result
	r.Calls = p.sim.Cloud.Calls()
	v.Violations = append(v.Violations, silent(p.gaveUp, r.Calls, p.sim.Sessions())...)
	v.Violations = append(v.Violations, disobeyed(orders, r.Calls, p.sim.Sessions())...)
	for _, f := range r.Faults {
		p.tell("the simulation could not: %s", f)
	}
	v.Violations = append(v.Violations, p.check(ctx)...)
	v.Violations = append(v.Violations, p.panics()...)
	outcomes, err := p.outcomes(ctx)
	if err != nil {
		v.Violations = append(v.Violations, err.Error())
	}
	replayed, differs := p.replay(ctx, outcomes)
	v.Replayed, v.Violations = replayed, append(v.Violations, differs...)
	report := p.sim.Judge(p.config.Archive, outcomes, referee.Limits{Slack: 3 * time.Second, Ack: time.Second})
	for _, found := range report.Violations {
		if p.excused(r, report, found) {
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
	v.Calls, v.Report, v.Told = len(r.Calls), report, p.told(r, report)
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
func (p *play) excused(r teamsim.Result, report referee.Report, v referee.Violation) bool {
	i := slices.IndexFunc(r.Calls, func(c cloud.Facts) bool { return c.ID == v.Call })
	if i < 0 {
		return false
	}
	switch v.Kind {
	case referee.KindFailedMissing, referee.KindFailedTooLate, referee.KindAnswerMissing, referee.KindAnswerTooLate,
		referee.KindNotRecordingMissing, referee.KindAnnouncedButNotRecording:
		return p.died(r.Calls[i])
	case referee.KindStoredAfterSeal:
		return p.strayed(r.Calls[i])
	case referee.KindAccounting: // of that, and of nothing else
		k := slices.IndexFunc(report.Calls, func(c referee.CallReport) bool { return c.Call == v.Call })
		return k >= 0 && p.strayed(r.Calls[i]) && report.Calls[k].Account.Error == report.Calls[k].Account.Wrong
	case referee.KindProtocol:
		switch {
		case strings.Contains(v.Detail, "http 0"), strings.Contains(v.Detail, "client disconnected"), strings.Contains(v.Detail, "CANCEL"):
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

// strayed tells whether the media host sent a frame of a pause, against its contract,
// and the process that saw it, and which number the host had named as the first behind
// the pause, died before either was on the disk: the next one takes it for the first.
func (p *play) strayed(c cloud.Facts) bool {
	late := slices.ContainsFunc(p.plan.Scenario.Calls[c.Number-1].Media, func(f host.Fault) bool { return f.Kind == host.FaultLate })
	return late && p.died(c)
}

// inTheDark tells whether the plan keeps from the bot what became of its answer. One
// that is told to wait knows; but what fails while it waits is told at once.
func (p *play) inTheDark(number int) bool {
	g := p.plan.Scenario.Calls[number-1]
	fails := len(g.Media) > 0 || slices.ContainsFunc(p.plan.Lives, func(l Life) bool { return l.Fail != "" })
	return slices.ContainsFunc(g.Faults, func(f cloud.Fault) bool {
		return f.Op == cloud.OpAnswer && (f.HTTP != http.StatusTooManyRequests || fails)
	})
}
