package catalogtest

import (
	"errors"
	"fmt"
	"sort"
	"testing"

	"pgregory.net/rapid"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// model compares the catalogue with three maps over random histories, with
// reopening in between.
func model(s *suite) {
	t := s.t
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		m := &world{s: s, tb: t, prefix: fmt.Sprint("run", run, "-"), journal: map[recorder.CallID][]string{}, outcome: map[recorder.CallID]string{}}
		call := rapid.SampledFrom([]string{"a", "b", "c"})
		n := rapid.IntRange(0, 1<<30)
		rt.Repeat(map[string]func(*rapid.T){
			"invite":   func(rt *rapid.T) { m.invite(m.id(call.Draw(rt, "call"))) },
			"note":     func(rt *rapid.T) { m.note(rt, m.id(call.Draw(rt, "call")), n.Draw(rt, "n")) },
			"append":   func(rt *rapid.T) { m.append(rt, m.id(call.Draw(rt, "call")), n.Draw(rt, "n")) },
			"conclude": func(rt *rapid.T) { m.conclude(rt, m.id(call.Draw(rt, "call")), n.Draw(rt, "n")) },
			"compare":  func(rt *rapid.T) { m.compare(rt) },
		})
		if run%5 == 0 {
			s.reopen(t)
		}
		m.compare(rt)
		m.finish(rt)
	})
}

// finish gives every call an outcome, so that the next history starts clean.
func (m *world) finish(rt *rapid.T) {
	for id := range m.journal {
		m.conclude(rt, id, 0)
	}
}

type world struct {
	s       *suite
	tb      testing.TB
	prefix  string
	journal map[recorder.CallID][]string // kind and data
	outcome map[recorder.CallID]string
	invited map[recorder.CallID]bool
}

func (m *world) id(call string) recorder.CallID { return recorder.CallID(m.prefix + call) }

func (m *world) add(id recorder.CallID, kind recorder.EntryKind, data any) {
	m.journal[id] = append(m.journal[id], fmt.Sprintf("%d %s %v", len(m.journal[id])+1, kind, data))
}

func (m *world) invite(id recorder.CallID) {
	m.s.c.Invited(recorder.Invite{Call: recorder.CallRef{ID: id}, At: at(0)})
	if m.invited == nil {
		m.invited = map[recorder.CallID]bool{}
	}
	if !m.invited[id] {
		m.invited[id] = true
		m.add(id, recorder.EntryInvite, `{"platform":""}`)
	}
}

func (m *world) note(rt *rapid.T, id recorder.CallID, n int) {
	if !m.s.c.Note(entry(id, recorder.EntryState, n)) {
		rt.Fatal("note refused")
	}
	m.add(id, recorder.EntryState, n)
}

func (m *world) append(rt *rapid.T, id recorder.CallID, n int) {
	if err := m.s.c.Append(m.tb.Context(), entry(id, recorder.EntryAnnounce, n), entry(id, recorder.EntryAnnounced, n)); err != nil {
		rt.Fatal(err)
	}
	m.add(id, recorder.EntryAnnounce, n)
	m.add(id, recorder.EntryAnnounced, n)
}

func (m *world) conclude(rt *rapid.T, id recorder.CallID, n int) {
	o := outcomes()[n%5]
	err := m.s.c.Conclude(m.tb.Context(), recorder.Conclusion{Call: id, Outcome: o, Cause: recorder.CauseNone})
	switch {
	case m.outcome[id] == "" && err == nil:
		m.outcome[id] = o.String()
		m.add(id, recorder.EntryOutcome, fmt.Sprintf(`{"outcome":%q,"cause":"none"}`, o))
	case m.outcome[id] != "" && errors.Is(err, recorder.ErrConcluded):
	default:
		rt.Fatalf("conclude %s, which has %q: %v", id, m.outcome[id], err)
	}
}

func (m *world) compare(rt *rapid.T) {
	if err := m.s.c.Append(m.tb.Context()); err != nil { // all that is queued
		rt.Fatal(err)
	}
	var want []string
	for id, lines := range m.journal {
		equal(m.tb, "journal", m.s.story(m.tb, id), lines)
		if m.outcome[id] == "" {
			want = append(want, string(id))
			continue
		}
		o, err := m.s.c.OutcomeOf(m.tb.Context(), id)
		if err != nil || o.Outcome != m.outcome[id] {
			rt.Fatalf("outcome of %s: %v, %v; not %s", id, o, err, m.outcome[id])
		}
	}
	calls, err := m.s.c.Unfinished(m.tb.Context())
	if err != nil {
		rt.Fatal(err)
	}
	var got []string
	for _, c := range calls {
		if id := string(c.Invite.Call.ID); len(id) > len(m.prefix) && id[:len(m.prefix)] == m.prefix {
			got = append(got, id)
		}
	}
	sort.Strings(got)
	sort.Strings(want)
	equal(m.tb, "unfinished", got, want)
	if m.tb.Failed() {
		rt.FailNow()
	}
}
