package cloud_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/recorderbot/recorderbot/internal/teamsim/cloud"
	"github.com/recorderbot/recorderbot/internal/teamsim/trace"
)

// TestFaultsOfAnnouncements plays each fault on a call of its own and looks at
// the three sides of it: what the bot gets, what the platform does, and what
// the trace says.
func TestFaultsOfAnnouncements(t *testing.T) {
	t.Parallel()
	b := newBot(t, nil)
	for name, c := range map[string]struct {
		fault    cloud.Fault
		status   int // 0: no reply
		applied  bool
		progress string // as told
		check    func(result) bool
	}{
		"throttled": {cloud.Fault{HTTP: 429, RetryAfter: 1500 * time.Millisecond}, 429, false, "", func(r result) bool {
			return r.header.Get("Retry-After") == "2"
		}},
		"consent":  {cloud.Fault{HTTP: 403, Code: "7504"}, 403, false, "", func(r result) bool { return r.code() == "7504" }},
		"policy":   {cloud.Fault{HTTP: 403, Code: "8506"}, 403, false, "", func(r result) bool { return r.code() == "8506" }},
		"error":    {cloud.Fault{HTTP: 500}, 500, false, "", nil},
		"done 503": {cloud.Fault{HTTP: 503, Applied: true}, 503, true, "", nil},
		"html 502": {cloud.Fault{HTTP: 502, Body: cloud.BodyHTML}, 502, false, "", func(r result) bool { return r.body == nil }},
		"dropped":  {cloud.Fault{Drop: true}, 0, true, "", nil},
		"lost":     {cloud.Fault{Lose: true}, 0, false, "", nil},
		"html": {cloud.Fault{Body: cloud.BodyHTML}, 200, true, "", func(r result) bool {
			return strings.HasPrefix(r.header.Get("Content-Type"), "text/html")
		}},
		"truncated": {cloud.Fault{Body: cloud.BodyTruncated}, 200, true, "", func(r result) bool {
			return r.err == nil && len(r.raw) > 0 && !json.Valid(r.raw)
		}},
		"cut":     {cloud.Fault{Body: cloud.BodyCut}, 200, true, "", func(r result) bool { return r.err != nil }},
		"empty":   {cloud.Fault{Body: cloud.BodyEmpty}, 200, true, "", func(r result) bool { return len(r.raw) == 0 }},
		"running": {cloud.Fault{Body: cloud.BodyRunning}, 200, false, "running", nil},
		"waiting": {cloud.Fault{Body: cloud.BodyNotStarted}, 200, false, "notStarted", nil},
		"failed": {cloud.Fault{Body: cloud.BodyFailed}, 200, false, "failed", func(r result) bool {
			return r.body["resultInfo"] != nil
		}},
		"capital": {cloud.Fault{Body: cloud.BodyCapital}, 200, true, "completed", func(r result) bool { return r.body["status"] == "Completed" }},
		"foreign": {cloud.Fault{Body: cloud.BodyForeign}, 200, true, "", func(r result) bool { return r.body["clientContext"] != "c/1" }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.fault.Op, c.fault.Status = cloud.OpStatus, "recording"
			call := b.established(cloud.CallSpec{Faults: []cloud.Fault{c.fault}})
			r := b.announce(call, "recording", "c/1")
			if r.status != c.status || c.check != nil && !c.check(r) {
				t.Errorf("got %d %v %s", r.status, r.header, r.raw)
			}
			if c.progress != "" && r.body["status"] != c.progress && name != "capital" {
				t.Errorf("the reply says %v", r.body["status"])
			}
			a := call.Facts().Announcements[0]
			if !a.Applied.IsZero() != c.applied || a.Progress != c.progress || a.HTTP != c.status {
				t.Errorf("facts: %+v", a)
			}
			if a.Success.IsZero() == (c.progress == "completed") {
				t.Errorf("success: %+v", a)
			}
			replied := 0
			for _, e := range b.cloud.Trace().OfCall(call.ID()) {
				if e.Kind == trace.StatusReplied {
					replied++
					if e.HTTP != c.status || e.Progress != c.progress {
						t.Errorf("trace: %v", e)
					}
				}
			}
			if replied != 1 {
				t.Errorf("%d replies in the trace", replied)
			}
			// The fault is used up, and it is only about recording.
			if r := b.announce(call, "recording", "c/2"); r.status != http.StatusOK || r.body["status"] != "completed" {
				t.Errorf("again: %d %s", r.status, r.raw)
			}
			b.noViolations()
		})
	}
}

func TestOperationEndsLater(t *testing.T) {
	t.Parallel()
	b := newBot(t, nil)
	for name, c := range map[string]struct {
		later cloud.Later
		want  string
	}{
		"completed": {cloud.Later{Progress: "completed", After: 30 * time.Millisecond}, "completed"},
		"failed":    {cloud.Later{Progress: "failed", After: time.Millisecond}, "failed"},
		"before":    {cloud.Later{Progress: "completed", BeforeReply: true}, "completed"},
		"silent":    {cloud.Later{Progress: "completed", Silent: true}, "completed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			call := b.established(cloud.CallSpec{Faults: []cloud.Fault{{Op: cloud.OpStatus, Body: cloud.BodyRunning, Later: &c.later}}})
			r := b.announce(call, "recording", "c/1")
			if r.body["status"] != "running" {
				t.Fatalf("reply: %s", r.raw)
			}
			id, _ := r.body["id"].(string)
			poll := func() any { return b.do(http.MethodGet, callPath(call.ID(), "operations/"+id), nil).body["status"] }
			told := func(n seen) bool { return strings.Contains(n.resource, "/operations/"+id) }
			if !c.later.Silent {
				n := b.await(told)
				var op struct{ Status, ClientContext string }
				if err := json.Unmarshal(n.data, &op); err != nil || !strings.EqualFold(op.Status, c.want) || op.ClientContext != "c/1" {
					t.Errorf("notification: %v %s", err, n.data)
				}
			} else {
				b.reach(call, cloud.Recording)
				for _, n := range b.seen() {
					if told(n) {
						t.Errorf("a silent end is told: %+v", n)
					}
				}
			}
			if got := poll(); got != c.want {
				t.Errorf("poll: %v", got)
			}
			a := call.Facts().Announcements[0]
			if (c.want == "completed") == a.Success.IsZero() || (c.want == "completed") == a.Applied.IsZero() {
				t.Errorf("facts: %+v", a)
			}
			if c.later.BeforeReply && a.Success.After(a.Replied) {
				t.Errorf("the notification was to come first: %+v", a)
			}
		})
	}
}

func TestFaultsOfOtherRequests(t *testing.T) {
	t.Parallel()
	b := newBot(t, nil)
	call := b.place(cloud.CallSpec{Faults: []cloud.Fault{
		{Op: cloud.OpAnswer, HTTP: 503},
		{Op: cloud.OpAnswer, Drop: true},
		{Op: cloud.OpKeepAlive, Skip: 1, Times: 2, HTTP: 500},
		{Op: cloud.OpDelete, Drop: true},
	}})
	answer := func() int {
		return b.do(http.MethodPost, callPath(call.ID(), "answer"), answerBody(b.callback())).status
	}
	for i, want := range []int{503, 0, 202} {
		if got := answer(); got != want {
			t.Errorf("answer %d: %d, not %d", i, got, want)
		}
	}
	b.reach(call, cloud.Established)
	for i, want := range []int{200, 500, 500, 200} {
		if got := b.do(http.MethodPost, callPath(call.ID(), "keepAlive"), nil).status; got != want {
			t.Errorf("keepAlive %d: %d, not %d", i, got, want)
		}
	}
	if f := call.Facts(); f.KeepAlives != 2 {
		t.Errorf("%d keepAlives had effect", f.KeepAlives)
	}
	if got := b.do(http.MethodDelete, callPath(call.ID(), ""), nil); got.err == nil {
		t.Errorf("delete: %d", got.status)
	}
	b.reach(call, cloud.Left)
	b.noViolations()
}

func TestFaultsOfTheCloud(t *testing.T) {
	t.Parallel()
	b := newBot(t, func(o *cloud.Options) {
		o.Faults = []cloud.Fault{
			{Op: cloud.OpOpenID, HTTP: 503},
			{Op: cloud.OpKeys, Body: cloud.BodyHTML},
			{Op: cloud.OpStatus, Status: "failed", HTTP: 500},
		}
	})
	var v any
	if got := b.get(b.cloud.OpenIDConfigurationURL(), &v); got != 503 {
		t.Errorf("openid: %d", got)
	}
	call := b.established(cloud.CallSpec{})
	if r := b.announce(call, "failed", "c/1"); r.status != 500 {
		t.Errorf("failed: %d", r.status)
	}
	if r := b.announce(call, "failed", "c/2"); r.status != 200 {
		t.Errorf("failed again: %d", r.status)
	}
	b.reach(call, cloud.Failed)
}

func TestBadScriptsAreRefused(t *testing.T) {
	t.Parallel()
	b := newBot(t, nil)
	for name, f := range map[string]cloud.Fault{
		"op":        {Op: "dance"},
		"status":    {Op: cloud.OpAnswer, Status: "recording"},
		"body":      {Op: cloud.OpStatus, Body: "haiku"},
		"body's op": {Op: cloud.OpAnswer, Body: cloud.BodyRunning},
		"http":      {Op: cloud.OpAnswer, HTTP: 100},
		"both":      {Op: cloud.OpAnswer, Drop: true, Lose: true},
		"later":     {Op: cloud.OpStatus, Later: &cloud.Later{Progress: "running"}},
		"later's":   {Op: cloud.OpAnswer, Later: &cloud.Later{Progress: "failed"}},
	} {
		if err := b.cloud.Check(cloud.CallSpec{Faults: []cloud.Fault{f}}); err == nil {
			t.Errorf("fault %s is taken", name)
		}
	}
	for name, d := range map[string]cloud.Delivery{
		"of":     {Of: "dance"},
		"invite": {Of: cloud.OfInvite, Lose: true},
		"both":   {Of: cloud.OfRoster, Lose: true, Copies: 1},
		"forge":  {Of: cloud.OfRoster, Forge: "bribe"},
	} {
		if err := b.cloud.Check(cloud.CallSpec{Deliveries: []cloud.Delivery{d}}); err == nil {
			t.Errorf("delivery %s is taken", name)
		}
	}
}
