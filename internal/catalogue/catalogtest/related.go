package catalogtest

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/recorderbot/recorderbot/internal/catalogue"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// related lists the calls of a call's conversation, oldest first, with their links.
func (s *suite) related(id recorder.CallID) string {
	s.t.Helper()
	all, err := s.c.Related(s.t.Context(), id)
	must(s.t, err)
	var words []string
	for _, r := range all {
		var links []string
		for _, l := range r.Links {
			links = append(links, string(l))
		}
		words = append(words, string(r.Call)+":"+strings.Join(links, "+"))
	}
	return strings.Join(words, " ")
}

// plain is an invite of a call of its own.
func plain(id recorder.CallID, minute int) recorder.Invite {
	return recorder.Invite{
		Call: recorder.CallRef{ID: id, Tenant: "tenant"}, At: at(0).Add(time.Duration(minute) * time.Minute),
		ObservedParticipant: "op-" + string(id), MyParticipant: "my-" + string(id), ObservedUser: "user-" + string(id),
	}
}

func (s *suite) end(id recorder.CallID, minute int) {
	s.t.Helper()
	must(s.t, s.c.Conclude(s.t.Context(), recorder.Conclusion{
		Call: id, Outcome: recorder.OutcomeRecorded, Cause: recorder.CauseCallEnded, At: at(0).Add(time.Duration(minute) * time.Minute),
	}))
}

// pairIsLinked: two bots that record one participant know of each other, and so do
// the bots of all who are in one meeting; other tenants' calls are nobody's business.
func pairIsLinked(s *suite) {
	t := s.t
	first, second, third, foreign, alone := plain("a", 0), plain("b", 0), plain("c", 1), plain("d", 0), plain("e", 0)
	for _, inv := range []*recorder.Invite{&first, &second, &third, &foreign} {
		inv.CallChain, inv.ThreadID = "chain", "19:t@thread.v2"
	}
	second.ObservedParticipant = first.ObservedParticipant
	first.Parties = []recorder.Party{{Role: recorder.RolePairedRecorder, ID: "x", Participant: second.MyParticipant}}
	third.CallChain, third.Call.Scenario = "", "chain" // told by a header alone
	foreign.Call.Tenant, foreign.ObservedParticipant = "another", first.ObservedParticipant
	for _, inv := range []recorder.Invite{first, second, third, foreign, alone} {
		s.c.Invited(inv)
	}
	s.end("b", 2)
	s.reopen(t)
	for id, want := range map[recorder.CallID]string{
		"a": "b:sameParticipant+pairedRecorder+callChain+thread c:callChain+thread",
		"b": "a:sameParticipant+pairedRecorder+callChain+thread c:callChain+thread",
		"c": "a:callChain+thread b:callChain+thread",
		"d": "", "e": "",
	} {
		equal(t, string(id), s.related(id), want)
	}
	all, err := s.c.Related(t.Context(), "a")
	must(t, err)
	if b := all[0]; b.Outcome != "recorded" || b.Cause != recorder.CauseCallEnded || !b.InvitedAt.Equal(second.At) || all[1].Outcome != "" {
		t.Errorf("%+v", all)
	}
	if _, err := s.c.Related(t.Context(), "nobody"); !errors.Is(err, catalogue.ErrUnknown) {
		t.Errorf("a stranger: %v", err)
	}
}

// transferIsLinked: a call that began as a transfer belongs to the one that was
// transferred, though it has another chain; not to what its transferor did at other
// times.
func transferIsLinked(s *suite) {
	t := s.t
	long, before, consult, earlier, later := plain("a", 0), plain("b", 10), plain("c", 14), plain("d", 0), plain("e", 60)
	for i, inv := range []*recorder.Invite{&long, &before, &consult, &earlier, &later} {
		inv.CallChain = fmt.Sprint("chain", i)
	}
	// b: Reception under policy with a caller; c: its question to the one who is to take
	// the call, who is under policy; a: a meeting in which Reception sits all day.
	before.ObservedUser = "Reception"
	consult.Parties = []recorder.Party{{Role: recorder.RoleOtherSide, Kind: "user", ID: "RECEPTION"}}
	long.Parties = []recorder.Party{{Role: recorder.RoleTarget, Kind: "user", ID: "reception"}}
	earlier.ObservedUser, later.ObservedUser = "reception", "reception"
	after := plain("f", 15)
	after.Parties = []recorder.Party{{Role: recorder.RoleTransferor, Kind: "user", ID: "reception"}, {Role: recorder.RoleTransferor}}
	nobody := plain("g", 15)
	nobody.Parties = []recorder.Party{{Role: recorder.RoleTransferor, Name: "only a name"}, {Role: recorder.RoleSource, Name: "only a name"}}
	for _, inv := range []recorder.Invite{long, before, consult, earlier, later, after, nobody} {
		s.c.Invited(inv)
	}
	s.end("d", 9)
	s.end("c", 15)
	must(t, s.c.Append(t.Context()))
	for id, want := range map[recorder.CallID]string{
		"f": "b:transferor c:transferor", "b": "f:transferor", "c": "f:transferor", "a": "", "d": "", "e": "", "g": "",
	} {
		equal(t, string(id), s.related(id), want)
	}
	s.end("b", 16)
	equal(t, "after its end", s.related("b"), "f:transferor")
	equal(t, "after its end", s.related("f"), "b:transferor c:transferor")
	telephone := plain("h", 17)
	telephone.Parties = []recorder.Party{{Role: recorder.RoleTransferor, Kind: "phone", ID: "0049301", Number: "+49301"}}
	by := plain("i", 16)
	by.Parties = []recorder.Party{{Role: recorder.RoleOtherSide, Kind: "phone", ID: "+49 30 1", Number: "+49301"}}
	s.c.Invited(telephone)
	s.c.Invited(by)
	must(t, s.c.Append(t.Context()))
	equal(t, "by telephone", s.related("h"), "i:transferor")
}

// threadIsOfATime: a series of meetings has one thread, and a channel one for all.
func threadIsOfATime(s *suite) {
	t := s.t
	message := func(inv recorder.Invite, id string) recorder.Invite {
		inv.ThreadID, inv.Facts = "19:t@thread.v2", []recorder.Fact{{Name: "chatInfo.messageId", Value: id}}
		return inv
	}
	for _, inv := range []recorder.Invite{
		message(plain("a", 0), "0"), message(plain("b", 30), "0"), message(plain("c", 31), "7"), message(plain("d", 32), "8"), message(plain("e", 33), "7"),
		message(plain("f", 24*60), "0"), message(plain("g", 24*60+1), "0"),
	} {
		s.c.Invited(inv)
	}
	must(t, s.c.Append(t.Context()))
	for id, want := range map[recorder.CallID]string{
		"a": "b:thread c:thread d:thread e:thread f:thread", "c": "a:thread b:thread e:thread f:thread g:thread", "d": "a:thread b:thread f:thread g:thread",
	} {
		equal(t, string(id), s.related(id), want)
	}
}

// strangersAreApart: what the platform writes where there is nobody, or where somebody
// does not wish to be known, makes no conversation of strangers' calls.
func strangersAreApart(s *suite) {
	t := s.t
	const zero = "00000000-0000-0000-0000-000000000000"
	for i, id := range []recorder.CallID{"a", "b"} {
		inv := plain(id, i)
		inv.CallChain, inv.Call.Scenario, inv.ObservedParticipant, inv.MyParticipant = zero, zero, zero, zero
		inv.Parties = []recorder.Party{{Role: recorder.RolePairedRecorder, Kind: "unknown", ID: zero, Participant: zero}}
		for _, role := range []recorder.PartyRole{recorder.RoleTransferor, recorder.RoleSource} {
			inv.Parties = append(inv.Parties, recorder.Party{Role: role, Kind: "user", ID: zero}, recorder.Party{Role: role, Kind: "phone", ID: "anonymous"})
		}
		s.c.Invited(inv)
	}
	must(t, s.c.Append(t.Context()))
	equal(t, "a stranger", s.related("a")+s.related("b"), "")
}
