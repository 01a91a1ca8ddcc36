package chaos

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/recorderbot/recorderbot/internal/teamsim"
	"github.com/recorderbot/recorderbot/internal/teamsim/cloud"
	"github.com/recorderbot/recorderbot/internal/teamsim/host"
	"github.com/recorderbot/recorderbot/internal/teamsim/trace"
)

// Draw makes the plan of a seed.
func Draw(seed uint64) Plan {
	d := drawerOf(seed, 0x9e3779b97f4a7c15)
	p := Plan{Seed: seed, Scenario: teamsim.Scenario{
		Name: "chaos", Seed: seed, Tenants: 1 + d.r.IntN(2), Settle: time.Second,
	}}
	if d.once(8) {
		p.Scenario.Faults = append(p.Scenario.Faults, cloud.Fault{Op: cloud.OpToken, HTTP: 503})
	}
	if d.once(4) {
		p.Scenario.Media.Jitter = d.upTo(40 * time.Millisecond)
	}
	if d.once(4) {
		p.Scenario.Media.Memory = 200*time.Millisecond + d.upTo(time.Second)
	}
	for range 1 + d.r.IntN(4) {
		p.Scenario.Calls = append(p.Scenario.Calls, d.call(p.Scenario.Tenants))
	}
	for range 1 + d.r.IntN(3) {
		p.Lives = append(p.Lives, d.life(len(p.Lives)))
	}
	// From sources of their own: what befalls a seed is the same with them.
	drawerOf(seed, 0x165667b19e3779f9).operators(&p)
	drawerOf(seed, 0x85ebca77c2b2ae63).streams(&p)
	return p
}

// A drawer draws from one seed.
type drawer struct{ r *rand.Rand }

// drawerOf draws from one of a seed's sources.
func drawerOf(seed, source uint64) drawer {
	return drawer{rand.New(rand.NewPCG(seed, source))} //nolint:gosec // a plan is no secret
}

// once is true in one of n cases.
func (d drawer) once(n int) bool { return d.r.IntN(n) == 0 }

func (d drawer) upTo(most time.Duration) time.Duration {
	return time.Duration(d.r.Int64N(int64(most/time.Millisecond)+1)) * time.Millisecond
}

func pick[T any](d drawer, of ...T) T { return of[d.r.IntN(len(of))] }

func (d drawer) call(tenants int) teamsim.Group {
	g := teamsim.Group{
		At: d.upTo(time.Second), Kind: cloud.KindPolicy, Tenant: d.r.IntN(tenants), EstablishAfter: 5*time.Millisecond + d.upTo(100*time.Millisecond),
		End: teamsim.End{When: cloud.Recording, After: 100*time.Millisecond + d.upTo(1500*time.Millisecond), AtMost: 2500 * time.Millisecond},
	}
	if d.once(20) {
		g.Kind = cloud.KindOrdinary
	}
	if d.once(6) {
		g.End.When = pick(d, cloud.Invited, cloud.Answered, cloud.Established, cloud.NotRecording, cloud.Failed)
	}
	for d.once(2) && len(g.Faults) < 3 {
		g.Faults = append(g.Faults, d.graphFault())
	}
	for d.once(2) && len(g.Deliveries) < 3 {
		g.Deliveries = append(g.Deliveries, d.delivery())
	}
	if d.once(3) {
		g.Media = append(g.Media, d.mediaFault())
	}
	if d.once(5) {
		g.Events = append(g.Events, teamsim.Happening{
			When: cloud.Established, After: d.upTo(500 * time.Millisecond),
			Do: pick(d, "hold", "phoneJoins", "share", "group", "rotateKeys"),
		})
	}
	return g
}

// graphFault is what Graph says to one of our requests.
func (d drawer) graphFault() cloud.Fault {
	f := cloud.Fault{Op: pick(d, cloud.OpAnswer, cloud.OpStatus, cloud.OpStatus, cloud.OpStatus, cloud.OpGetCall, cloud.OpGetOperation, cloud.OpDelete)}
	if f.Op == cloud.OpStatus {
		f.Status = pick(d, "recording", "recording", "recording", "notRecording", "failed")
	}
	f.Skip = d.r.IntN(8) / 7
	switch d.r.IntN(9) {
	case 0:
		f.HTTP = pick(d, 500, 502, 503, 504)
	case 1:
		f.HTTP, f.Applied = 503, true
	case 2:
		f.HTTP, f.RetryAfter = 429, time.Second
	case 3:
		f.Drop = true
	case 4:
		f.Lose = true
	case 5:
		f.Delay = d.upTo(400 * time.Millisecond)
	case 6:
		f.Body = pick(d, cloud.BodyHTML, cloud.BodyTruncated, cloud.BodyCut, cloud.BodyEmpty)
	case 7:
		if f.Op == cloud.OpStatus {
			f.HTTP = pick(d, 400, 403)
			break
		}
		f.HTTP = 503
	case 8:
		if f.Op == cloud.OpStatus {
			f.Body = pick(d, cloud.BodyRunning, cloud.BodyNotStarted)
			f.Later = &cloud.Later{
				Progress: pick(d, "completed", "completed", "completed", "failed"), After: d.upTo(400 * time.Millisecond),
				BeforeReply: d.once(3), Silent: d.once(5),
			}
			break
		}
		f.HTTP = 500
	}
	return f
}

// delivery bends the way of a notification.
func (d drawer) delivery() cloud.Delivery {
	b := cloud.Delivery{Of: pick(d, cloud.OfInvite, cloud.OfEstablishing, cloud.OfEstablished, cloud.OfRoster, cloud.OfOperation, cloud.OfDeleted)}
	switch {
	case b.Of == cloud.OfInvite || d.once(3):
		b.Copies = 1 + d.r.IntN(3)
	case b.Of == cloud.OfEstablishing && d.once(2):
		b.Hold = true
	case b.Of != cloud.OfDeleted && d.once(3):
		b.Lose = true
	default:
		b.Delay = d.upTo(700 * time.Millisecond)
	}
	return b
}

// mediaFault is what a media host does to a session, or to all. It skips nothing
// in silence: where the recording ends less than ten frames later nobody can tell
// that from jitter (timeline's doc.go).
func (d drawer) mediaFault() host.Fault {
	f := host.Fault{At: 100*time.Millisecond + d.upTo(time.Second)}
	f.Kind = pick(d, host.FaultCut, host.FaultCut, host.FaultStall, host.FaultGap, host.FaultSkip, host.FaultHole,
		host.FaultDuplicate, host.FaultEarly, host.FaultLate, host.FaultSessionClosed, host.FaultStreamFailure, host.FaultKill, host.FaultUnknownHandle)
	switch f.Kind { //nolint:exhaustive // the others last no time
	case host.FaultCut, host.FaultStall, host.FaultKill:
		f.For = 50*time.Millisecond + d.upTo(500*time.Millisecond)
	case host.FaultGap, host.FaultSkip, host.FaultHole:
		f.For = 20*time.Millisecond + d.upTo(300*time.Millisecond)
	}
	return f
}

// life is the end of the n-th process, from 0.
func (d drawer) life(n int) Life {
	l := Life{Cut: d.once(2), Down: d.upTo(400 * time.Millisecond)}
	if d.once(6) {
		l.Down += time.Second
	}
	if d.once(2) {
		l.Slow = time.Millisecond + d.upTo(25*time.Millisecond)
	}
	switch {
	case d.once(12):
		l.Fail = fmt.Sprintf("%s:%d:%s", pick(d, "sync", "write", "name"), d.step(n), pick(d, "EIO", "ENOSPC", "EROFS"))
	case d.once(2):
		l.Kill = fmt.Sprintf("%s:%d:%s", pick(d, "sync", "write", "write", "name", "any"), d.step(n), pick(d, "before", "within", "after"))
		l.Cut = !d.once(4)
	default:
		l.On, l.Nth, l.After = d.moment(), 1+d.r.IntN(3), d.r0()
		l.Drain = d.once(6)
	}
	return l
}

// step is which step of the disk: a first process does some hundred, a later one
// begins with recovery.
func (d drawer) step(n int) int {
	if n == 0 && !d.once(4) {
		return 1 + d.r.IntN(80)
	}
	return 1 + d.r.IntN(25)
}

// r0 is how long after a moment: often at once.
func (d drawer) r0() time.Duration {
	if d.once(2) {
		return d.upTo(10 * time.Millisecond)
	}
	return d.upTo(600 * time.Millisecond)
}

// moment is what a call of the order goes through.
func (d drawer) moment() trace.Kind {
	return pick(d, trace.InviteSent, trace.InviteReplied, trace.SessionCreated, trace.AnswerReceived, trace.AnswerReplied,
		trace.CallEstablished, trace.StatusReceived, trace.StatusApplied, trace.StatusReplied, trace.StatusReplied, trace.SessionAttached,
		trace.OpenReceived, trace.SessionOpened, trace.FirstAck, trace.FirstAck, trace.FirstAck, trace.CallEnded, trace.PauseReceived,
		trace.SessionPaused, trace.HangUpReceived, trace.SessionClosed)
}
