package roster_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/recorderbot/recorderbot/internal/media/roster"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// A say is one roster in short: "a" is there, "a!" is there and muted, "a-" has left;
// with a number as in "a!7".
type say struct {
	asked  int // at; 0: unasked
	number int64
	delta  bool
	who    string
}

func (s say) roster() recorder.Roster {
	r := recorder.Roster{Delta: s.delta, Sequence: s.number}
	if s.asked > 0 {
		r.Asked = at(s.asked)
	}
	for i := 0; i < len(s.who); i++ {
		switch c := s.who[i]; {
		case c >= 'a' && c <= 'z':
			r.Participants = append(r.Participants, recorder.Participant{ID: string(c)})
		case c == '!':
			r.Participants[len(r.Participants)-1].Muted = true
		case c == '-':
			r.Participants[len(r.Participants)-1].Removed = true
		case c >= '0' && c <= '9':
			p := &r.Participants[len(r.Participants)-1]
			p.Sequence = 10*p.Sequence + int64(c-'0')
		}
	}
	return r
}

// TestWhichWordIsNewer goes through the ways in which two words about one thing can
// meet. Each roster comes a second after the one before, the first at 11.
func TestWhichWordIsNewer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		told []say
		want string
	}{
		"numbers beat the time of asking":            {[]say{{0, 5, true, "a"}, {3, 0, false, "a!7"}}, "a!"},
		"an older number never counts":               {[]say{{0, 5, true, "a"}, {12, 0, false, "a!4"}}, "a"},
		"an equal number leaves it to time":          {[]say{{0, 5, true, "a"}, {3, 0, false, "a!5"}}, "a"},
		"an equal number, later":                     {[]say{{0, 5, true, "a"}, {0, 0, false, "a!5"}}, "a!"},
		"without numbers the time of asking decides": {[]say{{0, 0, true, "a"}, {3, 0, false, "a!"}}, "a"},
		"asked after it":                             {[]say{{0, 0, true, "a"}, {11, 0, false, "a!"}}, "a!"},
		"the first word counts, however old":         {[]say{{3, 0, false, "a!"}}, "a!"},
		"numbers stay what they were":                {[]say{{0, 5, true, "a"}, {0, 0, true, "a!"}, {0, 4, true, "a"}}, "a!"},
		"a delta comes again":                        {[]say{{0, 5, true, "a"}, {0, 0, true, "a!"}, {0, 5, true, "a"}}, "a!"},
		"and nothing came between":                   {[]say{{0, 5, true, "a"}, {0, 5, true, "a!"}}, "a!"},
		"its second part":                            {[]say{{0, 5, true, "a"}, {0, 5, true, "b"}}, "a b"},
		"a newer delta after something unnumbered":   {[]say{{0, 5, true, "a"}, {0, 0, true, "a!"}, {0, 6, true, "a"}}, "a"},
		"asked before something unnumbered":          {[]say{{0, 5, true, "a"}, {0, 0, true, "a!"}, {11, 0, false, "a7"}}, "a!"},
		"an old list repeats what was said":          {[]say{{0, 0, false, "a3b5"}, {0, 0, true, "b!"}, {0, 0, false, "a1b5"}}, "a b!"},
		"an old list without some numbers":           {[]say{{0, 0, false, "a3b"}, {0, 0, false, "a!1b!"}}, "a b!"},
		"two deltas in one":                          {[]say{{0, 6, true, "a4"}, {0, 5, true, "a!5"}}, "a!"},
		"a participant twice":                        {[]say{{0, 0, true, "aa!"}}, "a!"},
		"missing in what is newer by number":         {[]say{{0, 5, true, "c"}, {3, 0, false, "a7b3"}}, "a b"},
		"missing in what is newer, and old in part":  {[]say{{0, 0, false, "a6c5"}, {0, 0, false, "b7a3"}}, "a b"},
		"missing in what is as new":                  {[]say{{0, 0, false, "a5c5"}, {0, 0, false, "a5"}}, "a"},
		"missing in what may be older, asked before": {[]say{{0, 5, true, "c"}, {3, 0, false, "a3"}}, "a c"},
		"missing in what may be older, asked after":  {[]say{{0, 5, true, "c"}, {12, 0, false, "a3"}}, "a"},
		"missing in what is old":                     {[]say{{0, 0, false, "a4c5"}, {0, 0, false, "a3"}}, "a c"},
		"missing, and told of late":                  {[]say{{0, 5, true, "c"}, {0, 0, false, "a7"}, {0, 6, true, "c"}}, "a"},
		"a list's number is not its own":             {[]say{{0, 50, false, "a"}, {0, 3, true, "a!"}, {0, 2, true, "a"}}, "a!"},
		"gone before it came":                        {[]say{{0, 5, true, "a-"}, {0, 4, true, "a"}}, ""},
		"back":                                       {[]say{{0, 5, true, "a!"}, {0, 6, true, "a-"}, {0, 7, true, "a"}}, "a"},
		"nobody":                                     {[]say{{0, 5, true, "ab"}, {0, 0, false, ""}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := roster.New()
			for i, s := range c.told {
				r.Take(at(11+i), s.roster())
			}
			is := ""
			for _, p := range r.Current() {
				if is != "" {
					is += " "
				}
				if is += p.ID; p.Muted {
					is += "!"
				}
			}
			if is != c.want {
				t.Errorf("%q, want %q", is, c.want)
			}
		})
	}
}

// TestWhoSomebodyIs: the newest word counts, what is empty is no word, and what no
// newer one has told may come from an older one. Each is a change.
func TestWhoSomebodyIs(t *testing.T) {
	t.Parallel()
	type of = recorder.Participant
	past := func(told ...of) roster.Past {
		h := roster.NewHistory()
		for i, p := range told {
			p.ID = "p"
			if changed := h.Take(at(i), delta(p.Sequence, p)); !changed && p.Tenant != "no change" {
				t.Errorf("%d is no change in %+v", i, told)
			}
		}
		got := *h.Participants()[0]
		got.ID, got.Present = "", nil
		return got
	}
	desk := []recorder.Identity{{Kind: "assertedIdentity", ID: "d"}}
	for i, c := range []struct {
		told []of
		want roster.Past
	}{
		{[]of{{Identity: "i", Kind: "user", Name: "n", Tenant: "t", Recording: "failed"}}, roster.Past{Identity: "i", Kind: "user", Name: "n", Tenant: "t", Recording: "failed"}},
		{[]of{{Identity: "i", Kind: "user"}, {Kind: "unknown", Tenant: "no change"}}, roster.Past{Identity: "i", Kind: "user"}},
		{[]of{{Identity: "i", Kind: "user"}, {Kind: "guest", Tenant: "no change"}}, roster.Past{Identity: "i", Kind: "user"}},
		{[]of{{Kind: "unknown"}, {Kind: "guest"}}, roster.Past{Kind: "guest"}},
		{[]of{{Kind: "guest"}, {Kind: "unknown", Tenant: "no change"}}, roster.Past{Kind: "guest"}},
		{[]of{{Kind: "guest"}, {Tenant: "no change"}}, roster.Past{Kind: "guest"}},
		{[]of{{Identity: "i", Name: "n"}, {Identity: "j", Name: "n"}}, roster.Past{Identity: "j", Name: "n"}},
		{[]of{{Kind: "phone"}, {Identity: "+1", Kind: "phone"}}, roster.Past{Identity: "+1", Kind: "phone"}},
		{[]of{{Identity: "i", Kind: "user"}, {Identity: "j", Kind: "user"}}, roster.Past{Identity: "j", Kind: "user"}},
		{[]of{{Identity: "i", Kind: "user"}, {Identity: "i", Kind: "guest"}}, roster.Past{Identity: "i", Kind: "guest"}},
		{[]of{{Identity: "i", Tenant: "t"}, {Identity: "i", Tenant: "u"}}, roster.Past{Identity: "i", Tenant: "u"}},
		{[]of{{Identity: "i"}, {Identity: "i", Anonymized: true}}, roster.Past{Identity: "i", Anonymized: true}},
		{[]of{{Name: "n"}, {Anonymized: true}}, roster.Past{Name: "n", Anonymized: true}},
		{[]of{{Identity: "i"}, {Identity: "i", Also: desk}}, roster.Past{Identity: "i", Also: desk}},
		{[]of{{Name: "n"}, {Also: desk}}, roster.Past{Name: "n", Also: desk}},
		{[]of{{Name: "n"}, {Name: "m"}, {Recording: "recording"}}, roster.Past{Name: "m", Recording: "recording"}},
		{[]of{{Name: "n", Sequence: 5}, {Name: "m", Recording: "r", Identity: "i", Sequence: 4}}, roster.Past{Name: "n", Recording: "r", Identity: "i"}},
		{[]of{{Identity: "i", Sequence: 5}, {Identity: "j", Name: "m", Sequence: 4}}, roster.Past{Identity: "i", Name: "m"}},
		{[]of{{Kind: "phone", Sequence: 5}, {Identity: "+1", Kind: "phone", Sequence: 4}}, roster.Past{Identity: "+1", Kind: "phone"}},
		{[]of{{Kind: "phone", Sequence: 5}, {Kind: "guest", Sequence: 4, Tenant: "no change"}}, roster.Past{Kind: "phone"}},
	} {
		if diff := cmp.Diff(c.want, past(c.told...)); diff != "" {
			t.Errorf("%d: -want +got\n%s", i, diff)
		}
	}
	for kind, bot := range map[string]bool{"application": true, "applicationInstance": true, "user": false, "": false} {
		p := roster.Past{Kind: kind}
		if n := (roster.Person{Kind: kind}); p.Bot() != bot || n.Bot() != bot {
			t.Errorf("%q is a bot: %v", kind, p.Bot())
		}
	}
}

// TestStreamsInAnyOrder are the same streams; and what is given is not written to.
func TestStreamsInAnyOrder(t *testing.T) {
	t.Parallel()
	stream := func(id uint32, kind, direction, label string) recorder.MediaStream {
		return recorder.MediaStream{SourceID: id, Type: kind, Direction: direction, Label: label}
	}
	all := []recorder.MediaStream{
		stream(2, "video", "sendOnly", "b"), stream(1, "audio", "sendReceive", "a"), stream(2, "video", "sendOnly", "a"), stream(3, "audio", "sendReceive", ""),
		stream(2, "video", "inactive", "a"), stream(1, "audio", "sendReceive", "a"), stream(0, "video", "sendOnly", ""),
	}
	r := roster.New()
	r.Take(at(1), delta(0, recorder.Participant{ID: "a", Streams: all}))
	want := []roster.Person{{ID: "a", Audio: []uint32{1, 3}, Video: []uint32{2}}}
	if diff := cmp.Diff(want, r.Current()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if all[0].Label != "b" {
		t.Error("what was given is written to")
	}
	other := append([]recorder.MediaStream{}, all[3:]...)
	if r.Take(at(2), delta(0, recorder.Participant{ID: "a", Streams: append(other, all[:3]...)})) {
		t.Error("another order is a change")
	}
	if !r.Take(at(3), delta(0, recorder.Participant{ID: "a", Streams: all[:3]})) || !r.Take(at(4), delta(0, recorder.Participant{ID: "a", Streams: audio()})) {
		t.Error("fewer streams are no change")
	}
}

// TestNumbersOfLists say nothing of the numbering but that it has come so far.
func TestNumbersOfLists(t *testing.T) {
	t.Parallel()
	r := roster.New()
	r.Take(at(1), say{0, 50, false, "a"}.roster()) // as an older version wrote it
	r.Take(at(2), delta(3, person("a", true)))
	if c := r.Counts(); c.Behind != 0 {
		t.Errorf("%+v", c)
	}
	r.Take(at(3), delta(9, person("b", true)))
	r.Take(at(4), say{0, 0, false, "a5b9"}.roster())
	r.Take(at(5), say{0, 0, false, "a5"}.roster()) // b has left
	r.Take(at(6), delta(7, person("a", true)))
	if c := r.Counts(); c.Behind != 1 {
		t.Errorf("%+v", c)
	}
}

// TestTakeSaysWhatHasChanged, whoever of several it was.
func TestTakeSaysWhatHasChanged(t *testing.T) {
	t.Parallel()
	r := roster.New()
	r.Take(at(1), delta(0, person("a", false), person("c", false)))
	r.Take(at(5), delta(0, person("b", false)))
	r.Take(at(6), delta(0, person("c", false)))
	if !r.Take(at(7), say{3, 0, false, ""}.roster()) || len(r.Current()) != 2 { // b and c came after the question
		t.Error("a has left, and that is no change")
	}
	if r.Take(at(8), delta(0, recorder.Participant{ID: "a", Removed: true, Reason: "left"})) {
		t.Error("a leaves again")
	}
}

// TestRestartNeedsAscent: what is far behind, but in no order, is no new numbering; a
// restart forgets what was said under the old one.
func TestRestartNeedsAscent(t *testing.T) {
	t.Parallel()
	old := func() *roster.Roster {
		r := roster.New()
		r.Take(at(1), delta(1000, recorder.Participant{ID: "a", Name: "old", Identity: "old", Recording: "failed"}))
		return r
	}
	r := old()
	for _, n := range []int64{4, 3, 2, 1, 5, 5, 4, 6} {
		r.Take(at(2), delta(n, recorder.Participant{ID: "a", Name: "new"}))
	}
	if c := r.Counts(); c.Restarts != 0 || c.Behind != 6 || c.Repeated != 2 { // 4 and 5 come twice
		t.Errorf("%+v", c)
	}
	r.Take(at(3), delta(7, recorder.Participant{ID: "a", Name: "new", Identity: "new"})) // 1, 5, 6, 7
	if p := r.Current()[0]; r.Counts().Restarts != 1 || p.Name != "new" || p.Identity != "new" {
		t.Errorf("%+v, %+v", r.Counts(), p)
	}
	r.Take(at(4), delta(6, recorder.Participant{ID: "a", Name: "late"}))
	if p := r.Current()[0]; p.Name != "new" {
		t.Errorf("%+v", p)
	}
	if r.Take(at(5), delta(9, recorder.Participant{ID: "a", Name: "newer"})); r.Counts().Behind != 8 {
		t.Errorf("%+v", r.Counts())
	}
	r = old() // something newer between: it was late after all
	for _, n := range []int64{1, 2, 3, 1001, 4, 5, 6} {
		r.Take(at(2), delta(n, recorder.Participant{ID: "a", Name: fmt.Sprint(n)}))
	}
	if p := r.Current()[0]; r.Counts().Restarts != 0 || p.Name != "1001" {
		t.Errorf("%+v, %+v", r.Counts(), p)
	}
}
