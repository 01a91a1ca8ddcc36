package chaos

import (
	"fmt"
	"testing"

	"github.com/recorderbot/recorderbot/internal/teamsim"
	"github.com/recorderbot/recorderbot/internal/teamsim/referee"
)

// TestChaos is "make chaos" in short. A seed that fails here fails there, too.
func TestChaos(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it builds the program and plays for a quarter of a minute")
	}
	bot, err := Build(t.Context(), "../..", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	summary, err := Run(t.Context(), Options{
		Bot: bot, First: 1, Count: 6, AtOnce: 3,
		Over: func(v Verdict) {
			if !v.Good() {
				t.Errorf("%v", v)
			}
		},
	})
	if err != nil {
		t.Error(err)
	}
	if summary.Seeds != 6 || summary.Calls == 0 || summary.Deaths == 0 || summary.Orders == 0 || summary.Replayed == 0 {
		t.Errorf("hardly anything was tried: %+v", summary)
	}
	t.Log(summary.Tried())
	t.Log(summary)
}

// TestExact is "make exact" in short.
func TestExact(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it builds the program and plays for a quarter of a minute")
	}
	const calls = 24
	bot, err := Build(t.Context(), "../..", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	seeds, draw := Peace(calls)
	summary, err := Run(t.Context(), Options{
		Bot: bot, First: 1, Count: seeds, AtOnce: 2, Draw: draw,
		Over: func(v Verdict) {
			if !v.Good() {
				t.Errorf("%v", v)
			}
		},
	})
	if err != nil {
		t.Error(err)
	}
	a := &summary.Account
	if !summary.IsExact() || summary.Calls != calls || summary.Tracks == 0 || summary.Sent == 0 || a.Missing() == 0 || a.Paused == 0 || summary.FramesSent == 0 {
		t.Errorf("%+v", summary)
	}
	t.Log(summary.Exact())
	t.Log(a)
}

// TestExactIsExact: one sample is enough.
func TestExactIsExact(t *testing.T) {
	t.Parallel()
	good := Summary{Calls: 2, Recorded: 2, Sent: 320, Account: referee.Account{Samples: 960, BeforeConsent: 320, Stored: 320, Idle: 320}}
	if !good.IsExact() {
		t.Errorf("%+v", good)
	}
	for name, spoil := range map[string]func(*Summary){
		"a wrong sample":   func(s *Summary) { s.Account.Wrong = 1 },
		"an error":         func(s *Summary) { s.Account.Error = 1 },
		"one not stored":   func(s *Summary) { s.Sent++ },
		"one lost untold":  func(s *Summary) { s.Account.Idle, s.Account.Untold = 319, 1 },
		"one unaccounted":  func(s *Summary) { s.Account.Idle-- },
		"a violation":      func(s *Summary) { s.Violations = 1 },
		"nothing recorded": func(s *Summary) { s.Recorded = 0 },
		"one unrecorded":   func(s *Summary) { s.Unrecorded = 1 },
	} {
		bad := good
		if spoil(&bad); bad.IsExact() {
			t.Errorf("%s is exact: %+v", name, bad)
		}
	}
}

// TestPeace: so many calls as are asked for, and everything that they may bring.
func TestPeace(t *testing.T) {
	t.Parallel()
	for _, calls := range []int{1, 8, 24, 1000} {
		seeds, draw := Peace(calls)
		n := 0
		for seed := range seeds {
			p := draw(uint64(seed + 1))
			n += len(p.Scenario.Calls)
			if p.Words() != draw(uint64(seed+1)).Words() || len(p.Lives) > 0 || len(p.Scenario.Faults) > 0 {
				t.Errorf("seed %d: %s", seed+1, p.Words())
			}
		}
		if n != calls {
			t.Errorf("%d calls, want %d", n, calls)
		}
	}
	seen := map[string]bool{}
	for seed := uint64(1); seed <= 125; seed++ {
		p := DrawPeace(seed, peaceful)
		tellStreams(p, seen)
		for _, g := range p.Scenario.Calls {
			if len(g.Faults)+len(g.Deliveries) > 0 {
				t.Errorf("seed %d has faults", seed)
			}
			for _, f := range g.Media {
				seen["media "+string(f.Kind)] = true
			}
		}
		for _, o := range p.Orders {
			seen["order "+o.Do] = true
		}
		seen["jitter"] = seen["jitter"] || p.Scenario.Media.Jitter > 0
	}
	for _, want := range append(streamy(), "mixed alone", "media gap", "media skip", "order pause", "order resume", "jitter") {
		if !seen[want] {
			t.Errorf("no plan has: %s", want)
		}
	}
}

// streamy is what plans may have of streams.
func streamy() []string {
	return []string{
		"unmixed", "mixed", "cameras", "screen", "short parts", "1 people", "2 people", "3 people", "4 people", "5 people",
		"phone", "guest", "application", "in no roster", "never named", "comes", "goes", "muted", "held", "silent", "a camera", "a screen",
	}
}

// tellStreams notes what a plan has of it.
func tellStreams(p Plan, seen map[string]bool) {
	note := func(what string, has bool) { seen[what] = seen[what] || has }
	r := p.Scenario.Recording
	note(r.Audio, r.Audio != "")
	note("cameras", r.Cameras > 0)
	note("screen", r.ScreenShare)
	note("short parts", r.PartLength > 0)
	for _, g := range p.Scenario.Calls {
		note(fmt.Sprintf("%d people", len(g.People)), r != teamsim.Recording{})
		note("mixed alone", len(g.People) == 0)
		for i := range g.People {
			one := &g.People[i]
			note(one.Kind, true)
			note("in no roster", one.Hidden)
			note("never named", one.Named < 0)
			note("comes", one.Joins > 0)
			note("goes", one.Leaves > 0)
			note("muted", one.Muted != nil)
			note("held", one.Held != nil)
			note("silent", one.Silent)
			note("a camera", one.Cameras != nil)
			note("a screen", one.Screens != nil)
		}
	}
}

// TestDraw: a plan is a function of its seed, the simulator takes each, and
// together they try everything that they may.
func TestDraw(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for seed := uint64(1); seed <= 2000; seed++ {
		p := Draw(seed)
		if words := p.Words(); words != Draw(seed).Words() {
			t.Fatalf("seed %d has two plans", seed)
		}
		for _, g := range p.Scenario.Calls {
			for i := range g.Faults {
				seen["Graph "+string(g.Faults[i].Op)] = true
			}
			for _, d := range g.Deliveries {
				seen["notification "+d.Of] = true
			}
			for _, f := range g.Media {
				seen["media "+string(f.Kind)] = true
			}
		}
		tellStreams(p, seen)
		seen["as ever"] = seen["as ever"] || p.Scenario.Recording == teamsim.Recording{}
		for _, l := range p.Lives {
			seen["killed by itself"] = seen["killed by itself"] || l.Kill != ""
			seen["disk fails"] = seen["disk fails"] || l.Fail != ""
			seen["drained"] = seen["drained"] || l.Drain
			seen["power cut"] = seen["power cut"] || l.Cut
			seen["killed"] = seen["killed"] || l.On != "" && !l.Drain && !l.Handover
			seen["handed over"] = seen["handed over"] || l.Handover
			seen["told twice"] = seen["told twice"] || l.Drain && l.Hurry > 0
			seen["last order "+l.Last], seen["first order "+l.First] = true, true
			if l.Handover && (l.Cut || l.Drain) {
				t.Errorf("seed %d: nobody can take over from a process whose disk is gone, or that drains", seed)
			}
		}
		for _, o := range p.Orders {
			seen["order "+o.Do] = true
			if o.Call < 1 || o.Call > len(p.Scenario.Calls) || o.Nth < 1 || o.Hands < 1 {
				t.Errorf("seed %d: %+v", seed, o)
			}
		}
	}
	for _, want := range append(streamy(),
		"as ever", "Graph answer", "Graph updateRecordingStatus", "Graph getCall", "Graph deleteCall", "notification invite", "notification deleted",
		"media cut", "media kill", "media stall", "killed by itself", "disk fails", "drained", "power cut", "killed",
		"handed over", "told twice", "order pause", "order resume", "order stop", "last order pause", "last order resume", "last order stop",
		"first order pause", "first order resume", "first order stop",
	) {
		if !seen[want] {
			t.Errorf("no plan has: %s", want)
		}
	}
}
