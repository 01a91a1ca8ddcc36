package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/catalogue"
	"github.com/recorderbot/recorderbot/internal/recorder"
	"github.com/recorderbot/recorderbot/internal/teamsim"
	"github.com/recorderbot/recorderbot/internal/teamsim/cloud"
	"github.com/recorderbot/recorderbot/internal/teamsim/host"
	"github.com/recorderbot/recorderbot/internal/teamsim/referee"
)

// A trial is one call under a fault, and what a good bot makes of it: outcome and
// cause, as "outcome/cause"; several where chance decides.
type trial struct {
	name string
	call teamsim.Group
	want []string
	left bool // the bot hangs up, and is heard
}

// try plays all trials beside each other, against one bot. The referee finds no
// violation, each call has one outcome with its cause, failures are told in time,
// and counted for the alert.
func try(t *testing.T, s teamsim.Scenario, trials []trial, change func(*Config)) referee.Report {
	t.Helper()
	for _, tr := range trials {
		s.Calls = append(s.Calls, tr.call)
	}
	r := newRig(t, s, change)
	r.start(t)
	result, err := r.sim.Run(t.Context(), r.config.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range result.Faults {
		t.Errorf("the simulation itself: %s", f)
	}
	failures := r.failures(t)
	r.stop(t)
	outcomes := map[string]catalogue.Outcome{}
	catalogued := map[string][]string{}
	r.read(t, func(ctx context.Context, c catalogueReader) error {
		for _, f := range result.Calls {
			o, err := c.OutcomeOf(ctx, recorder.CallID(f.ID))
			if errors.Is(err, catalogue.ErrUnknown) {
				continue
			}
			if err != nil {
				return err
			}
			outcomes[f.ID], catalogued[f.ID] = o, []string{o.Outcome}
		}
		return nil
	})
	report := r.sim.Judge(r.config.Archive, catalogued, referee.Limits{Bridge: r.cfg.bridge})
	name := map[string]string{}
	failed := map[string]int{}
	for i, f := range result.Calls {
		tr, o := trials[i], outcomes[f.ID]
		name[f.ID] = tr.name
		if got := o.Outcome + "/" + string(o.Cause); !slices.Contains(tr.want, got) {
			t.Errorf("%s: %s, want %v; announced %v; %s", tr.name, got, tr.want, statuses(f), o.Detail)
		}
		if tr.left && f.Left.IsZero() {
			t.Errorf("%s: the bot never hung up", tr.name)
		}
		if o.Outcome == string(outcomeFailed) {
			failed[string(o.Cause)]++
		}
	}
	for cause, n := range failed {
		if failures[cause] != n {
			t.Errorf("%d calls failed of %s, the metric that the alert rests on says %d", n, cause, failures[cause])
		}
	}
	for _, v := range report.Violations {
		t.Errorf("%s: %v", name[v.Call], v)
	}
	if report.LostUnrecorded != 0 || report.WithoutOutcome != 0 {
		t.Errorf("%d samples lost unrecorded, %d calls without outcome", report.LostUnrecorded, report.WithoutOutcome)
	}
	r.proof(t)
	t.Logf("%d calls, %d recordings, %d samples sent, %d stored, %d in gaps, 0 lost unrecorded; failed at most %v after the fault",
		len(result.Calls), report.Recordings, report.SamplesSent, report.SamplesStored, report.GapSamples, report.Told.Round(time.Millisecond))
	return report
}

const outcomeFailed = "failed"

// failures is what the alert for failed calls rests on, by cause.
func (r *rig) failures(t *testing.T) map[string]int {
	t.Helper()
	families, err := r.bot.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, f := range families {
		if f.GetName() != "recorderbot_call_failures_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			counts[m.GetLabel()[0].GetValue()] += int(m.GetCounter().GetValue())
		}
	}
	return counts
}

// A class is a way in which a request goes wrong.
type class struct {
	name  string
	fault cloud.Fault
}

// classes are all of them, once each.
func classes() []class {
	all := []class{
		{"lost", cloud.Fault{Lose: true}},
		{"reply lost", cloud.Fault{Drop: true}},
		{"a proxy's page", cloud.Fault{Body: cloud.BodyHTML}},
		{"a proxy's 502", cloud.Fault{HTTP: http.StatusBadGateway, Body: cloud.BodyHTML}},
		{"half a reply", cloud.Fault{Body: cloud.BodyTruncated}},
		{"cut in the reply", cloud.Fault{Body: cloud.BodyCut}},
		{"empty", cloud.Fault{Body: cloud.BodyEmpty}},
		{"slow", cloud.Fault{Delay: 700 * time.Millisecond}},
		{"429", cloud.Fault{HTTP: http.StatusTooManyRequests, RetryAfter: time.Second}},
		{"500, and done", cloud.Fault{HTTP: http.StatusInternalServerError, Applied: true}},
	}
	for _, status := range []int{400, 401, 403, 404, 408, 409, 410, 412, 500, 501, 502, 503, 504} {
		all = append(all, class{fmt.Sprint(status), cloud.Fault{HTTP: status}})
	}
	return all
}

// refused tells whether the class is a no that no second try turns into a yes.
func (c class) refused() bool {
	switch c.fault.HTTP {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusConflict, http.StatusPreconditionFailed:
		return true
	}
	return false
}

func (c class) gone() bool {
	return c.fault.HTTP == http.StatusNotFound || c.fault.HTTP == http.StatusGone
}

// TestGraphFaults: every request to Graph meets every class of error.
func TestGraphFaults(t *testing.T) {
	t.Parallel()
	var trials []trial
	short := teamsim.End{When: cloud.Recording, After: 2500 * ms, AtMost: 20 * time.Second}
	long := teamsim.End{When: cloud.Recording, After: 3 * time.Second, AtMost: 40 * time.Second}
	add := func(on, class string, g teamsim.Group, want ...string) {
		g.At = time.Duration(len(trials)) * 20 * time.Millisecond
		if g.End == (teamsim.End{}) {
			g.End = short
		}
		if strings.HasSuffix(want[0], "callGone") || strings.HasSuffix(want[0], "TooLate") {
			g.End.AtMost = 14 * time.Second // what the bot believes to be gone, it does not leave
		}
		trials = append(trials, trial{name: on + ": " + class, call: g, want: want})
	}
	for _, c := range classes() {
		on := func(op cloud.Op, status string) []cloud.Fault {
			f := c.fault
			f.Op, f.Status = op, status
			return []cloud.Fault{f}
		}
		add("answer", c.name, teamsim.Group{Faults: on(cloud.OpAnswer, "")}, wantAnswer(c)...)
		add("recording", c.name, teamsim.Group{Faults: on(cloud.OpStatus, "recording")}, wantRecording(c)...)
		add("notRecording", c.name, teamsim.Group{Faults: on(cloud.OpStatus, "notRecording")}, "recorded/callEnded")
		add("failed", c.name, teamsim.Group{
			Faults: on(cloud.OpStatus, "failed"), Media: []host.Fault{{Kind: host.FaultStreamFailure, At: 300 * time.Millisecond}},
			End: teamsim.End{Never: true, AtMost: 20 * time.Second},
		}, "failed/mediaLost")
		add("poll", c.name, teamsim.Group{Faults: append(on(cloud.OpGetOperation, ""), cloud.Fault{
			Op: cloud.OpStatus, Status: "recording", Body: cloud.BodyRunning, Later: &cloud.Later{Progress: "completed", After: 200 * time.Millisecond, Silent: true},
		}), End: long}, "recorded/callEnded")
		add("hang up", c.name, teamsim.Group{Faults: append(on(cloud.OpDelete, ""), cloud.Fault{
			Op: cloud.OpStatus, Status: "recording", Times: -1, HTTP: http.StatusForbidden, Code: "8506",
		}), End: teamsim.End{Never: true, AtMost: 20 * time.Second}}, "failed/notPolicyCall")
		trials[len(trials)-1].left = true
		// Who is in the call is told by notifications, too: nothing hangs on the reply.
		add("participants", c.name, teamsim.Group{Faults: on(cloud.OpParticipants, "")}, "recorded/callEnded")
		add("get call", c.name, teamsim.Group{
			Faults: on(cloud.OpGetCall, ""), Deliveries: []cloud.Delivery{{Of: cloud.OfEstablished, Times: -1, Lose: true}, {Of: cloud.OfRoster, Times: -1, Lose: true}}, End: long,
		}, wantGetCall(c)...)
	}
	never := teamsim.End{Never: true, AtMost: 50 * time.Second}
	add("recording", "running, for ever", teamsim.Group{End: never, Faults: []cloud.Fault{
		{Op: cloud.OpStatus, Status: "recording", Times: -1, Body: cloud.BodyRunning},
	}}, "failed/statusUnknown")
	add("recording", "unknown, for ever", teamsim.Group{End: never, Faults: []cloud.Fault{
		{Op: cloud.OpStatus, Status: "recording", Times: -1, HTTP: http.StatusInternalServerError},
	}}, "failed/statusUnknown")
	try(t, teamsim.Scenario{Name: "graph-faults", Seed: 31, Settle: 20 * time.Second}, trials, nil)
}

func wantAnswer(c class) []string {
	switch {
	case c.fault.HTTP == http.StatusForbidden: // the code that Graph has for it
		return []string{"notRecorded/consentMissing"}
	case c.refused():
		return []string{"notRecorded/answerRefused"}
	case c.gone():
		return []string{"notRecorded/answerTooLate"}
	}
	return []string{"recorded/callEnded"}
}

func wantRecording(c class) []string {
	switch {
	case c.fault.HTTP == http.StatusForbidden:
		return []string{"failed/consentMissing"}
	case c.refused():
		return []string{"failed/statusRefused"}
	case c.gone():
		return []string{"notRecorded/callGone"}
	}
	return []string{"recorded/callEnded"}
}

func wantGetCall(c class) []string {
	if c.gone() {
		return []string{"notRecorded/callGone"}
	}
	return []string{"recorded/callEnded"}
}
