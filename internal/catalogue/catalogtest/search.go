package catalogtest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/recorderbot/recorderbot/internal/catalogue"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// roster is what a roster's entry has: recorder's own is not exported.
type roster []recorder.Participant

// People returns them.
func (r roster) People() []recorder.Participant { return r }

// named lists what a filter selects, as call/recording, newest first.
func (s *suite) named(f catalogue.Filter) string {
	s.t.Helper()
	all, err := s.c.Invites(s.t.Context(), f)
	must(s.t, err)
	var ids []string
	for _, r := range all {
		ids = append(ids, strings.TrimSuffix(string(r.Call)+"/"+r.ID, "/"))
	}
	return strings.Join(ids, " ")
}

// spoken is an invite that says a lot.
func spoken(id recorder.CallID, second int) recorder.Invite {
	inv := invite(id, second)
	inv.ObservedUser, inv.ObservedParticipant = "8a34a46b-3d17-4adc-8dce-dc4e7d572698", "op-"+string(id)
	inv.Policy = "TeamsComplianceRecordingPolicy=Tenant:Trading_Floor 100%"
	inv.Parties = []recorder.Party{
		{Role: recorder.RoleObserved, Kind: "user", ID: inv.ObservedUser, Name: "Ännchen Müller", Tenant: "t", Participant: inv.ObservedParticipant},
		{Role: recorder.RoleTransferor, Kind: "user", ID: "Reception"},
		{Role: recorder.RoleOtherSide, Kind: "phone", ID: "0049 30 1234", Number: "+49301234", Participant: "p2"},
		{Role: recorder.RoleSource, Kind: "phone", ID: "4711", Number: "4711"},
		{Role: recorder.RoleSource, Kind: "guest", Name: "100% O'Hara_"},
		{Role: recorder.RolePairedRecorder, Participant: "my-b"},
		{Role: recorder.RoleOtherRecorder, ID: "+555"},
	}
	inv.Facts = []recorder.Fact{
		{Name: "source.region", Value: "amer"},
		{Name: "botData.inviteReasons", Value: "ComplianceRecording"},
		{Name: "botData.inviteReasons", Value: "a=b %_!"},
		{Name: "subject", Value: "Ürgent"},
	}
	return inv
}

// whatIsSaidIsKept: an invite comes back as it was, after a crash too.
func whatIsSaidIsKept(s *suite) {
	t := s.t
	s.c.Note(entry("a", recorder.EntryState, "before its invite"))
	s.c.Invited(spoken("a", 0))
	s.c.Invited(invite("b", 1))
	odd := invite("c", 2)
	odd.Facts = []recorder.Fact{{Name: "a=\nb", Value: "c\r\nd\x00\xff"}, {Name: "e", Value: ""}}
	odd.Parties = []recorder.Party{{Role: "x", Name: "\x00\xff"}, {Role: "x", Name: "\x00\xff"}}
	s.c.Invited(odd)
	s.reopen(t)
	for id, want := range map[recorder.CallID]recorder.Invite{"a": spoken("a", 0), "b": invite("b", 1), "c": odd} {
		want.Raw = nil
		if id == "c" {
			want.Facts = []recorder.Fact{{Name: "a  b", Value: "c  d??"}, {Name: "e"}}
			want.Parties = []recorder.Party{{Role: "x", Name: "??"}} // one and the same
		}
		got, err := s.c.Call(t.Context(), id)
		must(t, err)
		equal(t, "call", got, catalogue.Call{Invite: want, InviteKnown: true})
	}
	calls, err := s.c.Unfinished(t.Context())
	must(t, err)
	if len(calls) != 3 || len(calls[0].Invite.Parties) != 7 || len(calls[0].Invite.Facts) != 4 {
		t.Errorf("unfinished: %+v", calls)
	}
	if got := s.story(t, "a"); !strings.Contains(got[1], `"parties":[{"role":"observed","kind":"user","id":"8a34a46b-`) {
		t.Errorf("journal: %s", got)
	}
}

// partiesAreFound: whoever is named is found, by ID, number or name, however it is
// written, and nobody else is.
func partiesAreFound(s *suite) {
	t := s.t
	s.c.Invited(spoken("a", 0))
	other := invite("b", 1)
	other.ObservedUser, other.Policy, other.Direction = "Somebody", "Other", "caller"
	s.c.Invited(other)
	must(t, s.c.RecordingSealed(t.Context(), "a", report("ra")))
	must(t, s.c.RecordingSealed(t.Context(), "x", report("rx"))) // of a call that is not here
	field := func(name, value string) catalogue.Filter {
		return catalogue.Filter{Fields: []recorder.Fact{{Name: name, Value: value}}}
	}
	for name, test := range map[string]struct {
		f    catalogue.Filter
		want string
	}{
		"all":                    {catalogue.Filter{}, "b a/ra x/rx"},
		"the observed":           {catalogue.Filter{User: "8A34A46B-3D17-4ADC-8DCE-DC4E7D572698"}, "a/ra"},
		"of the call's row":      {catalogue.Filter{User: "SOMEBODY"}, "b"},
		"the transferor":         {catalogue.Filter{User: "reception"}, "a/ra"},
		"nobody":                 {catalogue.Filter{User: "8a34a46b"}, ""},
		"quotes":                 {catalogue.Filter{User: "' OR 1=1 --"}, ""},
		"international":          {catalogue.Filter{Number: "+49301234"}, "a/ra"},
		"no plus":                {catalogue.Filter{Number: "49301234"}, "a/ra"},
		"a switchboard's":        {catalogue.Filter{Number: "4711"}, "a/ra"},
		"not international":      {catalogue.Filter{Number: "+4711"}, ""},
		"another number":         {catalogue.Filter{Number: "+4930123"}, ""},
		"an ID is no number":     {catalogue.Filter{Number: "+555"}, ""},
		"nor are its digits":     {catalogue.Filter{Number: "555"}, ""},
		"a name":                 {catalogue.Filter{Name: "ÄNNCHEN m"}, "a/ra"},
		"a name with signs":      {catalogue.Filter{Name: "% O'hara_"}, "a/ra"},
		"no wildcards":           {catalogue.Filter{Name: "100_"}, ""},
		"direction":              {catalogue.Filter{Direction: "CALLER"}, "b"},
		"policy":                 {catalogue.Filter{Policy: "teamscompliancerecordingpolicy=tenant:trading_floor 100%"}, "a/ra"},
		"the policy's name":      {catalogue.Filter{Policy: "trading_floor 100%"}, "a/ra"},
		"a part of it":           {catalogue.Filter{Policy: "floor 100%"}, ""},
		"no wildcards in policy": {catalogue.Filter{Policy: "trading_floor%"}, ""},
		"chain":                  {catalogue.Filter{Conversation: "CHAIN"}, "b a/ra"},
		"thread":                 {catalogue.Filter{Conversation: "19:x@thread.v2"}, "b a/ra"},
		"no conversation":        {catalogue.Filter{Conversation: "19:y@thread.v2"}, ""},
		"field":                  {field("SOURCE.region", "AMER"), "a/ra"},
		"field of a list":        {field("botData.inviteReasons", "a=b %_!"), "a/ra"},
		"field, any value":       {field("subject", ""), "a/ra"},
		"field, other value":     {field("subject", "Ürgen"), ""},
		"field, no wildcards":    {field("source_region", "amer"), ""},
		"a value is no field":    {field("amer", ""), ""},
		"times and user":         {catalogue.Filter{User: "reception", Since: at(0), Until: at(1)}, "a/ra"},
		"other times and user":   {catalogue.Filter{User: "reception", Since: at(1)}, ""},
		"state and user":         {catalogue.Filter{User: "reception", State: catalogue.StateOpen}, ""},
		"call and user":          {catalogue.Filter{User: "reception", Call: "A"}, "a/ra"},
		"another call and user":  {catalogue.Filter{User: "reception", Call: "B"}, ""},
	} {
		equal(t, name, s.named(test.f), test.want)
	}
}

// participantsAreFound: whom a roster names is found while the call lives, by each
// name and number; and is kept once, however often rosters repeat it.
func participantsAreFound(s *suite) {
	t := s.t
	bob := recorder.Participant{ID: "p1", Kind: "user", Identity: "Bob-ID", Name: "Bob"}
	phone := recorder.Participant{ID: "p2", Kind: "user", Identity: "amy-id", Also: []recorder.Identity{
		{Kind: "phone", ID: "tel:+44-1632-960123"}, {Kind: "assertedIdentity", ID: "+44 1632 960124"},
	}}
	withheld := recorder.Participant{ID: "p3", Kind: "phone", Identity: "anonymous"}
	robert, guest := recorder.Participant{ID: "p1", Kind: "user", Identity: "Bob-ID", Name: "Robert"}, recorder.Participant{ID: "p4", Kind: "guest", Name: "Guest"}
	gone := recorder.Participant{ID: "p1", Removed: true}
	for i, r := range []roster{{bob}, {bob, phone}, {bob, phone, withheld}, {gone}, {robert, guest}} {
		if !s.c.Note(recorder.Entry{Call: "a", At: at(i), Kind: recorder.EntryRoster, Data: r}) {
			t.Fatal("a roster was refused")
		}
		if i == 2 {
			must(t, s.c.Append(t.Context()))
			s.reopen(t) // what is known then is not entered again
		}
	}
	// Of another kind of entry they are not participants.
	must(t, s.c.Append(t.Context(), entry("b", recorder.EntryMedia, roster{bob})))
	people, err := s.c.People(t.Context(), "a")
	must(t, err)
	var got []string
	for _, p := range people {
		got = append(got, fmt.Sprintf("%s %s %s %s %s", p.Participant, p.Kind, p.ID, p.Number, p.Name))
	}
	equal(t, "people", got, []string{
		"p1 user Bob-ID  Bob", "p2 assertedIdentity +44 1632 960124 +441632960124 ", "p2 phone tel:+44-1632-960123 +441632960123 ", "p2 user amy-id  ", "p3 phone anonymous  ",
		"p1 user Bob-ID  Robert", "p4 guest   Guest",
	})
	for name, f := range map[string]catalogue.Filter{
		"ID": {User: "bob-id"}, "name": {Name: "bob"}, "the later name": {Name: "ROBERT"}, "number": {Number: "+441632960123"},
		"who has a number": {User: "AMY-ID"}, "withheld": {User: "anonymous"}, "a guest": {Name: "guest"},
	} {
		equal(t, name, s.named(f), "a")
	}
	call, err := s.c.Call(t.Context(), "a")
	must(t, err)
	if len(call.Invite.Parties) != 0 {
		t.Errorf("participants are taken for the invite's: %+v", call.Invite.Parties)
	}
}

// flagsAreFound: what the archive found in a recording selects it, and what it did not
// find any more does not.
func flagsAreFound(s *suite) {
	t := s.t
	ctx := t.Context()
	for i, id := range []string{"a", "b", "c"} {
		s.c.Invited(invite(recorder.CallID(id), i))
		must(t, s.c.RecordingSealed(ctx, recorder.CallID(id), report("r"+id)))
	}
	flagged := func(id string, flags ...string) {
		t.Helper()
		a := archived(id, "sum")
		a.Flags = flags
		must(t, s.c.RecordingArchived(ctx, a))
	}
	flagged("ra", "oneWay", "clipping")
	flagged("rb", "oneWay", "ofALaterVersion", "oneWay")
	flagged("rc", "veryShort")
	flagged("rc") // again, after a crash
	s.reopen(t)
	for want, f := range map[string]catalogue.Filter{
		"b/rb a/ra": {Flags: []string{"ONEWAY"}}, "a/ra": {Flags: []string{"oneWay", "clipping"}}, "": {Flags: []string{"veryShort"}},
		"b/rb": {Flags: []string{"oneWay"}, Since: at(1)},
	} {
		equal(t, fmt.Sprint(f.Flags, f.Since), s.named(f), want)
	}
	r, err := s.c.Recording(ctx, "ra")
	must(t, err)
	equal(t, "flags", r.Flags, []string{"clipping", "oneWay"})
	all, err := s.c.Recordings(ctx, catalogue.Filter{Call: "b"})
	must(t, err)
	equal(t, "flags", all[0].Flags, []string{"ofALaterVersion", "oneWay"})
	if _, err = s.c.Invites(ctx, catalogue.Filter{Flags: []string{"nonsense"}}); err == nil || !strings.Contains(err.Error(), "one of clipping, gapShare") {
		t.Errorf("an unknown flag: %v", err)
	}
	if err = s.c.RecordingArchived(ctx, catalogue.Archived{Recording: "x", Path: "p", ManifestSHA256: "s", Flags: []string{"oneWay"}}); err == nil {
		t.Error("a stranger was archived")
	}
}

// searchIsExact compares what filters select with what they say, over random calls.
func searchIsExact(s *suite) {
	t := s.t
	run := 0
	word := rapid.SampledFrom([]string{"", "a", "A", "b%", "b_", "ä!"})
	rapid.Check(t, func(rt *rapid.T) {
		run++
		prefix := fmt.Sprint("run", run, "-")
		var calls []recorder.Invite
		for i := range rapid.IntRange(1, 6).Draw(rt, "calls") {
			inv := recorder.Invite{
				Call: recorder.CallRef{ID: recorder.CallID(fmt.Sprint(prefix, i)), Tenant: prefix}, At: at(i),
				ObservedUser: word.Draw(rt, "user"), Policy: "x:" + word.Draw(rt, "policy"), Direction: word.Draw(rt, "direction"),
			}
			for range rapid.IntRange(0, 3).Draw(rt, "parties") {
				inv.Parties = append(inv.Parties, recorder.Party{Role: recorder.RoleSource, ID: word.Draw(rt, "id"), Name: word.Draw(rt, "name")})
			}
			for range rapid.IntRange(0, 3).Draw(rt, "facts") {
				inv.Facts = append(inv.Facts, recorder.Fact{Name: "n" + word.Draw(rt, "field"), Value: word.Draw(rt, "value")})
			}
			calls = append(calls, inv)
			s.c.Invited(inv)
		}
		must(t, s.c.Append(t.Context()))
		f := catalogue.Filter{
			Tenant: prefix, User: word.Draw(rt, "of user"), Name: word.Draw(rt, "of name"), Policy: word.Draw(rt, "of policy"),
			Direction: word.Draw(rt, "of direction"),
		}
		if rapid.Bool().Draw(rt, "by field") {
			f.Fields = []recorder.Fact{{Name: "n" + word.Draw(rt, "of field"), Value: word.Draw(rt, "of value")}}
		}
		if rapid.Bool().Draw(rt, "by time") {
			f.Since, f.Until = at(1), at(4)
		}
		var want []string
		for _, inv := range slices.Backward(calls) {
			if meets(f, inv) {
				want = append(want, string(inv.Call.ID))
			}
		}
		if got := s.named(f); got != strings.Join(want, " ") {
			rt.Fatalf("%+v of %+v: %q, want %q", f, calls, got, want)
		}
	})
}

// meets says what a filter means.
func meets(f catalogue.Filter, inv recorder.Invite) bool {
	is := func(want, have string) bool { return want == "" || strings.EqualFold(want, have) }
	party := func(match func(recorder.Party) bool) bool {
		return slices.ContainsFunc(append(inv.Parties, recorder.Party{ID: inv.ObservedUser}), match)
	}
	ok := is(f.Direction, inv.Direction) && (is(f.Policy, inv.Policy) || is("x:"+f.Policy, inv.Policy))
	ok = ok && (f.User == "" || party(func(p recorder.Party) bool { return strings.EqualFold(f.User, p.ID) }))
	ok = ok && (f.Name == "" || party(func(p recorder.Party) bool { return strings.Contains(strings.ToLower(p.Name), strings.ToLower(f.Name)) }))
	for _, want := range f.Fields {
		ok = ok && slices.ContainsFunc(inv.Facts, func(h recorder.Fact) bool {
			return strings.EqualFold(h.Name, want.Name) && is(want.Value, h.Value)
		})
	}
	in := func(t, since, until time.Time) bool { return since.IsZero() || !t.Before(since) && t.Before(until) }
	return ok && in(inv.At, f.Since, f.Until)
}
