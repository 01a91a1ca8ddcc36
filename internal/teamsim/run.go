package teamsim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/recorderbot/recorderbot/internal/teamsim/cloud"
	"github.com/recorderbot/recorderbot/internal/teamsim/host"
	"github.com/recorderbot/recorderbot/internal/teamsim/trace"
)

// A Result is what was seen in a run: never what the bot says of itself.
type Result struct {
	Scenario       string    `json:"scenario"`
	Seed           uint64    `json:"seed"`
	Started, Ended time.Time //
	// Calls are in order of their numbers.
	Calls []cloud.Facts `json:"calls"`
	// Sessions are what the media hosts sent and were told.
	Sessions []host.SessionRecord `json:"-"`
	Trace    []trace.Event        `json:"-"`
	// Violations are the events of the trace that the documentation forbids.
	Violations []trace.Event `json:"violations,omitempty"`
	Stats      cloud.Stats   `json:"stats"`
	// Answer and Reject are from the invite's last byte to the arrival of the one or
	// the other, Announce from the sending of the established notification to the
	// first announcement.
	Answer, Reject, Announce Latency
	// Faults are what the simulation itself could not do.
	Faults []string `json:"faults,omitempty"`
}

// Blobs tells which media blob answered which call, for the referee.
func (r Result) Blobs() map[string]string {
	blobs := make(map[string]string, len(r.Calls))
	for _, c := range r.Calls {
		if c.Blob != "" {
			blobs[c.ID] = c.Blob
		}
	}
	return blobs
}

// A player plays the calls of one run.
type player struct {
	sim   *Sim
	ctx   context.Context //nolint:containedctx // it is one run's, as the player is
	tasks sync.WaitGroup

	mu     sync.Mutex
	faults []string
	more   int // the number of the last call
}

// Run plays the scenario against the bot whose calling webhook is botURL, and
// returns when every call is over and the bot has disposed of its media
// sessions, or the scenario's patience has ended, or ctx. It may be called once
// for a Sim.
func (s *Sim) Run(ctx context.Context, botURL string) (Result, error) {
	s.Cloud.SetWebhook(botURL)
	p := &player{sim: s, ctx: ctx}
	started := time.Now()
	number := 0
	for _, g := range s.Scenario.Calls {
		number += g.Count * g.legs()
	}
	p.more = number
	number = 0
	for _, g := range s.Scenario.Calls {
		first := number + 1
		number += g.Count * g.legs()
		p.tasks.Go(func() { p.place(g, started, first) })
	}
	p.tasks.Wait()
	patience := time.NewTimer(s.Scenario.Settle)
	defer patience.Stop()
	s.settled(patience.C, ctx.Done())

	r := Result{
		Scenario: s.Scenario.Name, Seed: s.Scenario.Seed, Started: started, Ended: time.Now(),
		Calls: s.Cloud.Calls(), Sessions: s.Sessions(), Trace: s.Trace.Events(), Violations: s.Trace.Violations(),
		Stats: s.Cloud.Stats(), Faults: p.faults,
	}
	r.Answer, r.Announce = latencies(r.Calls, cloud.Facts.AnswerTook), latencies(r.Calls, cloud.Facts.AnnounceTook)
	r.Reject = latencies(r.Calls, cloud.Facts.RejectTook)
	if err := context.Cause(ctx); err != nil {
		return r, fmt.Errorf("run the scenario %q: %w", s.Scenario.Name, err)
	}
	return r, nil
}

// place starts the calls of a group at their times.
func (p *player) place(g Group, started time.Time, first int) {
	for i := range g.Count {
		at := started.Add(g.At)
		if g.Rate > 0 {
			at = at.Add(time.Duration(float64(i) / g.Rate * float64(time.Second)))
		}
		if !p.wait(time.Until(at), nil) {
			return
		}
		if g.Pair != nil {
			p.pair(&g, leg{number: first + 2*i, first: first, room: &host.Room{}})
			continue
		}
		p.tasks.Go(func() { p.play(&g, leg{number: first + i, first: first}) })
	}
}

// pair places the two invites of one.
func (p *player) pair(g *Group, l leg) {
	other, second := l, g.second()
	other.number, other.second = l.number+1, true
	p.tasks.Go(func() { p.play(g, l) })
	p.tasks.Go(func() {
		if p.wait(g.Pair.After, nil) {
			p.play(&second, other)
		}
	})
}

// play is one call, from forged invites to its end.
func (p *player) play(g *Group, l leg) {
	number := l.number
	for _, kind := range g.Attacks {
		if _, err := p.sim.Cloud.Attack(kind); err != nil {
			p.fault("attack %s: %v", kind, err)
		}
	}
	st, err := p.sim.stage(g, l)
	if err != nil {
		p.fault("call %d: %v", number, err)
		return
	}
	p.through(g, p.sim.spec(g, l, st), st, l.people())
}

// through plays a call that is cast from its invite to its end; the people are those of
// the call with that number.
func (p *player) through(g *Group, spec cloud.CallSpec, st *stage, people int) {
	call, err := p.sim.Cloud.PlaceCall(p.ctx, spec)
	if err != nil {
		p.fault("call %d: %v", spec.Number, err)
		return
	}
	if st.people != nil {
		p.tasks.Go(func() { p.follow(call, st.people, people, st.begun) })
	}
	for _, h := range g.Events {
		p.tasks.Go(func() {
			if p.reach(call, h.When) && p.wait(h.After, call.Passed(cloud.Ended)) {
				p.happen(call, g, h.Do)
			}
		})
	}
	p.end(call, g.End)
	if err := call.Wait(p.ctx, cloud.Done); err != nil {
		p.fault("call %d: %v", spec.Number, err)
	}
}

// join lets a participant of the policy join a call. Where the bot asks for another one,
// that gets an invite for a call of the same conversation.
func (p *player) join(call *cloud.Call, g *Group) {
	reply, err := call.Join(cloud.Participant{ID: joiningParticipant, User: joiningParticipant, Name: "Joining User", SourceID: 4343})
	if err != nil {
		p.fault("call %s: %v", call.ID(), err)
	}
	if reply.InviteURI == "" {
		return
	}
	one := &Group{
		Count: 1, Kind: g.Kind, Tenant: g.Tenant, Style: g.Style, Region: g.Region, Variants: g.Variants, EstablishAfter: g.EstablishAfter,
		End: End{When: cloud.Recording, After: time.Second, AtMost: g.End.AtMost},
	}
	p.mu.Lock()
	p.more++
	l := leg{number: p.more, first: p.more}
	p.mu.Unlock()
	st, err := p.sim.stage(one, l)
	if err != nil {
		p.fault("call %d: %v", l.number, err)
		return
	}
	spec := p.sim.spec(one, l, st)
	spec.Chain, spec.Webhook = call.Facts().Chain, reply.InviteURI
	p.tasks.Go(func() { p.through(one, spec, st, l.number) })
}

// spec is the call's, for the cloud.
func (s *Sim) spec(g *Group, l leg, st *stage) cloud.CallSpec {
	spec := cloud.CallSpec{
		Number: l.number, Tenant: s.tenants[g.Tenant], Kind: g.Kind, Region: g.Region, Variants: g.Variants,
		EstablishAfter: g.EstablishAfter, Linger: g.Linger, Faults: g.Faults, Deliveries: g.Deliveries,
		Media: st, Sources: s.sources(l.people()), Transferor: g.Transferor,
	}
	if g.Pair != nil {
		spec.Pair, spec.Second = l.number+1, l.second
	}
	if l.second {
		spec.Pair, spec.Webhook = l.number-1, s.Paired
	}
	if st.people != nil {
		ps := participants(st.people, l.people(), 0)
		spec.Observed, spec.Participants = &ps[0], ps[1:]
	}
	if g.Style == "documented" {
		style := cloud.Documented()
		spec.Style = &style
	}
	if g.Together {
		spec.Chain = fmt.Sprintf("c0000000-0000-4000-8000-%012d", l.first)
	}
	if g.Chain != "" {
		spec.Chain = named("chain " + g.Chain)
	}
	if g.Thread != "" {
		spec.Thread = "19:meeting_" + named("thread "+g.Thread) + "@thread.v2"
	}
	return spec
}

// named is the ID that stands for a name.
func named(name string) string { return uuid.NewSHA1(uuid.NameSpaceOID, []byte(name)).String() }

// sources are those of the two whom a call has where the scenario names nobody.
func (s *Sim) sources(number int) [2]uint32 {
	r := rand.New(rand.NewPCG(s.Scenario.Seed^0x74776f, uint64(number))) //nolint:gosec // reproducible by seed, on purpose
	return [2]uint32{100 + r.Uint32N(1000), 2000 + r.Uint32N(1000)}
}

// end ends the call when its time has come, or at the latest when it is too
// old.
func (p *player) end(call *cloud.Call, e End) {
	tooOld := time.NewTimer(e.AtMost)
	defer tooOld.Stop()
	ending := cloud.Ending{Code: e.Code, Subcode: e.Subcode, Message: e.Message}
	var reached <-chan struct{}
	if !e.Never {
		reached = call.Passed(e.When)
	}
	select {
	case <-reached:
		if p.wait(e.After, call.Passed(cloud.Ended)) {
			call.End(ending)
		}
	case <-call.Passed(cloud.Ended):
	case <-tooOld.C:
		call.End(ending)
	case <-p.ctx.Done():
		call.End(ending)
	}
}

// happen does one of the doings to a call.
func (p *player) happen(call *cloud.Call, g *Group, do string) {
	c := p.sim.Cloud
	switch do {
	case "hold", "resume":
		call.ChangeRoster(func(ps []cloud.Participant) []cloud.Participant {
			ps[0].Inactive = do == "hold"
			return ps
		})
	case "phoneJoins":
		call.ChangeRoster(func(ps []cloud.Participant) []cloud.Participant {
			return append(ps, cloud.Participant{ID: phoneParticipant, Phone: "+49301234567", SourceID: 4242})
		})
	case "phoneLeaves":
		call.ChangeRoster(func(ps []cloud.Participant) []cloud.Participant {
			return slices.DeleteFunc(ps, func(q cloud.Participant) bool { return q.ID == phoneParticipant })
		})
	case "share", "unshare":
		call.ShareContent(do == "share")
	case "group":
		p.join(call, g)
	case "leave":
		call.Leave(joiningParticipant)
	case "transfer":
		call.TellState("transferring")
		call.TellState("transferAccepted")
	case "rotateKeys", "replaceKeys":
		if err := c.RotateKeys(do == "rotateKeys"); err != nil {
			p.fault("%v", err)
		}
	}
}

const (
	phoneParticipant   = "f0000000-0000-4000-8000-000000000001"
	joiningParticipant = "f0000000-0000-4000-8000-000000000002"
)

// reach waits for a milestone; false when the call is over without it.
func (p *player) reach(call *cloud.Call, m cloud.Milestone) bool {
	err := call.Wait(p.ctx, m)
	if err != nil && !errors.Is(err, cloud.ErrNotReached) {
		p.sim.log.Debug("wait for a milestone", zap.Error(err))
	}
	return err == nil
}

// wait pauses; false when over or the run's end comes first.
func (p *player) wait(d time.Duration, over <-chan struct{}) bool {
	t := time.NewTimer(max(0, d))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-over:
	case <-p.ctx.Done():
	}
	return false
}

func (p *player) fault(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, fmt.Sprintf(format, args...))
}
