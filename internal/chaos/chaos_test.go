package chaos

import "testing"

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
	for _, want := range []string{
		"Graph answer", "Graph updateRecordingStatus", "Graph getCall", "Graph deleteCall", "notification invite", "notification deleted",
		"media cut", "media kill", "media stall", "killed by itself", "disk fails", "drained", "power cut", "killed",
		"handed over", "told twice", "order pause", "order resume", "order stop", "last order pause", "last order resume", "last order stop",
		"first order pause", "first order resume", "first order stop",
	} {
		if !seen[want] {
			t.Errorf("no plan has: %s", want)
		}
	}
}
