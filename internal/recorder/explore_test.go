package recorder

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// The bounds of the exploration. Everything else is exhausted: any outcome of
// any piece of work, in any order, and at any moment anything that the platform,
// the media host, the disk, an operator or our own faults can bring, any number
// of times. make explore goes further than make test.
var (
	exploreAnnouncements = flag.Int("explore.announcements", 3, "announcements of a call without a crash; what follows of them may be one more")
	exploreCrashed       = flag.Int("explore.crashed", 2, "announcements of a call with a crash")
	exploreCrashes       = flag.Int("explore.crashes", 1, "crashes of a call")
	exploreAgain         = flag.Int("explore.again", 1, "announcements of a call with one crash more")
)

const mostHangUps = 2

// A node is one reachable state of the real machine, with what is under way
// around it and what the laws need to know of the past.
type node struct {
	machine state
	around  around
	parent  int // of the shortest way here
	by      any // an Event, or died
	depth   int
}

// An exploration visits every node once, nearest first.
type exploration struct {
	nodes    []node
	index    map[string]int
	most     int // announcements
	crashes  int
	policy   FailurePolicy
	next     [][]int // successors, for the question whether every call can end
	crossed  int
	violated []string
}

func (x *exploration) visit(s state, a around, parent int, by any) {
	key := essence(s) + a.key()
	at, known := x.index[key]
	if !known {
		at = len(x.nodes)
		x.index[key] = at
		depth := 0
		if parent >= 0 {
			depth = x.nodes[parent].depth + 1
		}
		x.nodes = append(x.nodes, node{s, a, parent, by, depth})
		x.next = append(x.next, nil)
	}
	if parent >= 0 {
		x.crossed++
		x.next[parent] = append(x.next[parent], at)
	}
}

// step feeds an event to the machine, as the actor would, and holds the laws.
func (x *exploration) step(from int, ev Event, work string) {
	n := x.nodes[from]
	s, a := revived(n.machine, n.around.live), n.around.clone()
	a.finished(ev, work)
	next, err := a.feed(s, ev)
	if err != nil {
		x.violated = append(x.violated, fmt.Sprintf("%v\n%s", err, x.way(from, ev)))
		return
	}
	x.visit(plain(next), a, from, ev)
	x.crashBehind(from, s, next, a, ev)
}

// crashBehind has the process die right behind an event of which the journal does
// not know yet. Where it announces something there is no such moment: what is
// announced is in the journal first. That the process dies in a state of which the
// journal knows is for run.
func (x *exploration) crashBehind(from int, before, next state, a around, ev Event) {
	if !x.mayCrash(a) {
		return
	}
	if _, over := next.(ended); over {
		a.concluded = 0 // its outcome was not entered any more
		_, cmds := before.on(ev)
		x.crash(from, remember(next, cmds), a, ev)
	}
	if was := x.nodes[from].around; len(was.asked) == len(a.asked) {
		a.fault = was.fault // which only the dead process knew
		x.crash(from, remember(before, nil), a, ev)
	}
}

func (x *exploration) mayCrash(a around) bool { return a.crashes < x.crashes && len(a.asked) <= x.most }

// crash takes the call up from what a dead process remembered, in each way in which
// the spool may hold what it was recording.
func (x *exploration) crash(from int, m Memory, a around, by any) {
	for _, t := range a.leftovers(m) {
		b := a.afterCrash(t)
		s, cmds := resume(leg{call: "c", onFailure: x.policy}, t)
		err := b.perform(s, cmds)
		if err == nil {
			err = b.holds(s)
		}
		if err != nil {
			x.violated = append(x.violated, fmt.Sprintf("%v\n%s\nthe process dies, and the next one finds %s", err, x.way(from, by), Words(t)))
			continue
		}
		x.visit(plain(s), b, from, died{by, t})
	}
}

// died is a step of a trace: an event, and then the end of the process.
type died struct {
	behind any
	found  Takeover
}

// way is the shortest trace to a node and one event further, in words.
func (x *exploration) way(at int, last any) string {
	lines := []string{x.nodes[at].machine.kind() + " ← " + show(last)}
	for ; x.nodes[at].parent >= 0; at = x.nodes[at].parent {
		lines = append(lines, x.nodes[x.nodes[at].parent].machine.kind()+" ← "+show(x.nodes[at].by))
	}
	slices.Reverse(lines)
	return strings.Join(lines, "\n")
}

// run explores from an invite that is admitted, or refused.
func (x *exploration) run(policy FailurePolicy, refused Cause) {
	x.policy = policy
	a := around{}
	s, cmds := begin(leg{call: "c", onFailure: policy}, refused)
	if err := a.perform(s, cmds); err != nil {
		x.violated = append(x.violated, err.Error())
		return
	}
	x.visit(plain(s), a, -1, nil)
	for at := 0; at < len(x.nodes) && len(x.violated) == 0; at++ {
		n := x.nodes[at]
		if _, over := n.machine.(ended); over {
			continue
		}
		if !n.around.progresses(n.machine) {
			x.violated = append(x.violated, "law 4: stuck: nothing is under way and no clock runs\n"+x.way(at, Established{}))
		}
		if x.mayCrash(n.around) {
			x.crash(at, remember(n.machine, nil), n.around, n.by)
		}
		for _, w := range n.around.work {
			for _, ev := range w.ends(n.around) {
				x.step(at, ev, w.name)
			}
		}
		for _, t := range n.around.timers {
			if n.around.mayFire(n.machine, t, x.most) {
				x.step(at, TimerFired{t}, "")
			}
		}
		for _, ev := range n.around.unasked(x.most) {
			x.step(at, ev, "")
		}
	}
}

// endless returns a node from which no end can be reached, or -1.
func (x *exploration) endless() int {
	back := make([][]int, len(x.nodes))
	var queue []int
	can := make([]bool, len(x.nodes))
	for from, all := range x.next {
		for _, to := range all {
			back[to] = append(back[to], from)
		}
		if _, over := x.nodes[from].machine.(ended); over {
			can[from] = true
			queue = append(queue, from)
		}
	}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		for _, from := range back[at] {
			if !can[from] {
				can[from] = true
				queue = append(queue, from)
			}
		}
	}
	return slices.Index(can, false)
}

// TestEveryReachableState explores the real machine against everything that
// can happen to it, and holds the laws in each state. It says how far it went; a
// violation comes as the shortest way to it.
func TestEveryReachableState(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]struct {
		policy        FailurePolicy
		refused       Cause
		most, crashes int
	}{
		"leave": {FailureLeave, "", *exploreAnnouncements, 0}, "stay": {FailureStay, "", *exploreAnnouncements, 0},
		"leave, crash": {FailureLeave, "", *exploreCrashed, *exploreCrashes}, "stay, crash": {FailureStay, "", *exploreCrashed, *exploreCrashes},
		"leave, crash again": {FailureLeave, "", *exploreAgain, *exploreCrashes + 1},
		"refused":            {FailureLeave, CauseDraining, 1, *exploreCrashes},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := &exploration{index: map[string]int{}, most: start.most, crashes: start.crashes}
			if testing.Short() {
				x.most = min(x.most, 2)
			}
			x.run(start.policy, start.refused)
			for _, v := range x.violated {
				t.Error(v)
			}
			if at := x.endless(); at >= 0 && len(x.violated) == 0 {
				t.Errorf("law 4: no end can be reached\n%s", x.way(at, Established{}))
			}
			deepest := x.nodes[len(x.nodes)-1].depth
			t.Logf("%d states, %d transitions, depth %d, at most %d announcements, %d hang-ups and %d crashes",
				len(x.nodes), x.crossed, deepest, x.most, mostHangUps, x.crashes)
		})
	}
}
