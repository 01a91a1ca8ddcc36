package chaos

import (
	"fmt"
	"time"

	"github.com/recorderbot/recorderbot/internal/teamsim/trace"
)

// operators gives orders to half of the calls, and to some processes' at their
// beginning and end.
func (d drawer) operators(p *Plan) {
	for i := range p.Scenario.Calls {
		if d.once(2) {
			p.Orders = append(p.Orders, d.orders(i+1)...)
			// There must be time for them.
			end := &p.Scenario.Calls[i].End
			end.After, end.AtMost = end.After+d.upTo(time.Second), end.AtMost+time.Second
		}
	}
	for i := range p.Lives {
		l := &p.Lives[i]
		if i > 0 && d.once(5) {
			l.First = pick(d, "pause", "resume", "resume", "stop")
		}
		if l.On == "" {
			continue
		}
		if d.once(10) { // with calls: a process has done about fifteen when it is ready
			l.Fail = fmt.Sprintf("%s:%d:%s", pick(d, "sync", "write"), 20+d.r.IntN(60), pick(d, "EIO", "ENOSPC"))
		}
		if !l.Drain && d.once(3) {
			l.Last, l.Ahead = pick(d, "pause", "pause", "resume", "stop"), d.upTo(25*time.Millisecond)
		}
		if !l.Drain && d.once(4) {
			l.Handover, l.Cut = true, false // who takes over needs the disk
		}
		if l.Drain && d.once(2) {
			l.Hurry = time.Millisecond + d.upTo(400*time.Millisecond)
		}
	}
}

// orders are those to one call: mostly that it pauses once it is recorded and
// resumes when it has, sometimes anything at any time.
func (d drawer) orders(call int) []Order {
	var all []Order
	give := func(do string, on trace.Kind, nth int) {
		all = append(all, Order{Do: do, Call: call, On: on, Nth: nth, After: d.r0(), Hands: 1 + d.r.IntN(5)/4})
	}
	for n := 1; n <= 3 && (n == 1 || d.once(2)); n++ {
		give("pause", pick(d, trace.SessionOpened, trace.SessionOpened, trace.StatusReceived, trace.StatusReplied), n)
		if !d.once(6) {
			give("resume", pick(d, trace.SessionPaused, trace.SessionPaused, trace.PauseReceived), n)
		}
	}
	if d.once(4) {
		give("stop", d.moment(), 1+d.r.IntN(2))
	}
	for d.once(3) && len(all) < 8 {
		give(pick(d, "pause", "resume"), d.moment(), 1+d.r.IntN(3))
	}
	return all
}
