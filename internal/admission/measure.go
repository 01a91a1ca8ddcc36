package admission

import (
	"math"
	"time"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// Sources are what is measured. They are asked by one goroutine at a time and must
// not wait for a disk, a network or a call.
type Sources struct {
	Hosts func() Hosts
	Spool func() Spool
	// Commits are the spool's so far.
	Commits func() Commits
	// CPU is what the process has used so far, and how many cores it may use.
	CPU func() (used time.Duration, cores float64)
	// JournalFailing: the catalogue can't be written.
	JournalFailing func() bool
	Draining       func() bool
	// Live tells whether a call is known to the recorder.
	Live func(recorder.CallID) bool
}

// Hosts are the media hosts together.
type Hosts struct {
	Willing bool // at least one takes calls, if it has a seat
	// Calls is how many calls of ours they can hold in all: those that they hold
	// already, and the free seats of those that take more.
	Calls int
}

// A Spool is the room for recordings.
type Spool struct {
	Free    int64   // bytes
	Rate    float64 // bytes a second, at which it is used up now
	Open    int     // recordings that Rate covers
	PerCall float64 // bytes a second that one more call may need
}

// Commits are cumulative.
type Commits struct {
	Count   uint64
	Took    time.Duration // together
	Running time.Duration // the one that is under way, so far; 0: there is none
}

const (
	// smoothing is the time within which a measurement fades to a third: long against
	// one slow commit or one collection of garbage, short against a call.
	smoothing = 5 * time.Second
	// Below these parts of their limits the gate opens again.
	commitOpen = 0.5
	cpuOpen    = 0.9
	// hangsAfter is how long a commit may be under way before no call is taken,
	// whatever the average. Soon after, the calls in progress fail.
	hangsAfter = time.Second
	// longest is the most that is taken for the time since the last measurement: a
	// process that was stopped for an hour knows nothing of that hour.
	longest = 2 * smoothing
)

// measured is what the last measurement has seen of what only grows.
type measured struct {
	at      time.Time
	commits Commits
	cpu     time.Duration
}

// A view is what admission needs to know of the last measurement.
type view struct {
	at     time.Time
	closed recorder.Cause // no call is taken; "": the gate is open
	// How many calls may hold a place; negative: this limit is not set.
	configured, hosts, spool int
}

// refusal says why no call can be taken beside those that hold a place.
func (v *view) refusal(held int) recorder.Cause {
	switch {
	case v.closed != "":
		return v.closed
	case v.configured >= 0 && held >= v.configured:
		return recorder.CauseAtCapacity
	case held >= v.hosts:
		return recorder.CauseHostsBusy
	case held >= v.spool:
		return recorder.CauseNoSpoolRoom
	}
	return ""
}

// Measure looks at everything and sets what the next invites meet. Run calls it;
// whoever can't wait for Run may, too.
func (g *Gate) Measure(now time.Time) {
	g.measuring.Lock()
	defer g.measuring.Unlock()
	held := g.sweep(now)
	v := &view{at: now, configured: -1}
	if g.limits.Calls > 0 {
		v.configured = g.limits.Calls
	}
	hosts := g.sources.Hosts()
	v.hosts = hosts.Calls
	v.spool = callsInSpool(g.sources.Spool(), held, g.limits.SpoolRoom)
	hangs := g.measureLoads(now)
	switch {
	case g.sources.Draining():
		v.closed = recorder.CauseDraining
	case g.sources.JournalFailing():
		v.closed = recorder.CauseJournalFailed // answered, it could only fail
	case hangs || g.commits.shut:
		v.closed = recorder.CauseStorageSlow
	case g.cpu.shut:
		v.closed = recorder.CauseCPUBusy
	case !hosts.Willing:
		v.closed = recorder.CauseNoMediaHost
	}
	g.view.Store(v)
	g.metrics.show(v, held, g.commits.value, g.cpu.value)
}

// measureLoads brings the smoothed loads up to date. It reports whether a commit
// hangs.
func (g *Gate) measureLoads(now time.Time) (hangs bool) {
	commits := g.sources.Commits()
	used, cores := g.sources.CPU()
	last, passed := g.last, now.Sub(g.last.at)
	if passed > 0 {
		g.last = measured{now, commits, used}
	}
	if passed > 0 && !last.at.IsZero() {
		latency := commits.Running
		if n := commits.Count - last.commits.Count; n > 0 {
			latency = max(latency, (commits.Took-last.commits.Took)/time.Duration(n)) //nolint:gosec // G115: commits of one interval
		}
		g.commits.add(latency.Seconds(), min(passed, longest))
		if cores > 0 {
			g.cpu.add(min(float64(used-last.cpu)/float64(passed)/cores, 1), min(passed, longest))
		}
	}
	return g.limits.CommitLatency > 0 && commits.Running > hangsAfter
}

// callsInSpool is how many calls may hold a place so that the spool lasts for room.
// Of those that do, some are not being recorded yet, and so not in the rate.
func callsInSpool(s Spool, held int, room time.Duration) int {
	spare := float64(s.Free)/room.Seconds() - s.Rate
	return max(0, min(s.Open, held)+int(math.Floor(min(spare/s.PerCall, math.MaxInt32))))
}

// A smooth is an exponentially weighted average with a limit. Its zero limit is
// never exceeded.
type smooth struct {
	limit, open float64 // open: part of the limit below which it opens again
	value       float64
	shut        bool
}

func (s *smooth) add(sample float64, passed time.Duration) {
	s.value += (sample - s.value) * (1 - math.Exp(-passed.Seconds()/smoothing.Seconds()))
	switch {
	case s.limit <= 0:
	case s.value > s.limit:
		s.shut = true
	case s.value < s.limit*s.open:
		s.shut = false
	}
}
