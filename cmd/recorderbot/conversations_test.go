package main

import (
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/recorderbot/recorderbot/internal/archive"
	"github.com/recorderbot/recorderbot/internal/teamsim"
)

// conversationLinks are, of the built-in scenario, what each call is related to, and by
// what: by number.
var conversationLinks = map[int]map[int]string{
	1: {2: "transferor"},
	2: {1: "transferor"},
	3: {4: "callChain, transferor"},
	4: {3: "callChain, transferor"},
	5: {6: "callChain"},
	6: {5: "callChain"},
	7: {8: "callChain, thread", 9: "thread"},
	8: {7: "callChain, thread", 9: "thread"},
	9: {7: "thread", 8: "thread"},
}

// TestConversations: calls of one conversation are linked by all that says so, and by
// nothing else; and each recording says what happened to its conversation.
func TestConversations(t *testing.T) {
	t.Parallel()
	s, err := teamsim.Builtin("conversations")
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, s, nil)
	r.start(t)
	result, verdict := r.run(t)
	for _, v := range verdict.Violations {
		t.Error(v)
	}
	r.proof(t)
	numbers := map[string]int{}
	for _, c := range result.Calls {
		numbers[c.ID] = c.Number
	}
	related := regexp.MustCompile(`(?m)^related call +(\S+) .*\((.*)\)$`)
	for _, c := range result.Calls {
		code, said := command(filepath.Dir(r.config.File), "recordings", "show", c.ID)
		if code != 0 {
			t.Errorf("call %d: %s", c.Number, said)
		}
		got := map[int]string{}
		for _, m := range related.FindAllStringSubmatch(said, -1) {
			got[numbers[m[1]]] = m[2]
		}
		if diff := cmp.Diff(conversationLinks[c.Number], got); diff != "" {
			t.Errorf("related to call %d: -want +got\n%s", c.Number, diff)
		}
	}
	turns := map[int][]archive.TurnKind{}
	for _, m := range r.manifests(t) {
		n := numbers[string(m.Call)]
		for _, turn := range m.Turns {
			turns[n] = append(turns[n], turn.Turn)
			if over := turn.Turn == archive.TurnHold && n == 1 && turn.To.IsZero(); over {
				t.Errorf("call %d: the hold has no end: %+v", n, turn)
			}
		}
		slices.Sort(turns[n])
	}
	if diff := cmp.Diff(conversationTurns(), turns); diff != "" {
		t.Errorf("turns: -want +got\n%s", diff)
	}
}

// conversationTurns are what happened, by the call's number, in alphabetical order.
func conversationTurns() map[int][]archive.TurnKind {
	return map[int][]archive.TurnKind{
		1: {archive.TurnHold, archive.TurnTransferAccepted, archive.TurnTransferredAway, archive.TurnTransferring},
		2: {archive.TurnTransferredHere},
		3: {archive.TurnTransferredAway},
		4: {archive.TurnTransferredHere},
		5: {archive.TurnGroup},
		9: {archive.TurnHold},
	}
}
