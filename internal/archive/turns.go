package archive

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// A Turn is something that happened to the conversation, not to its recording: it says
// why nobody is heard for a while, or why the conversation goes on in another call.
type Turn struct {
	Turn TurnKind `json:"turn"`
	// By is what tells: "roster", "state" (of the call), "end" (its result), "invite".
	By   string    `json:"by"`
	From time.Time `json:"from"`
	// To is missing where it lasted to the end of what we know, or was a moment.
	To          time.Time `json:"to,omitzero"`
	Participant string    `json:"participant,omitempty"` // who it was that held
}

// A TurnKind is a kind of turn.
type TurnKind string

// The turns. Teams tells no more of them: a held call is seen in the roster
// (comms-samples #618), a transfer as the end of one call and the invite of another
// (#212, #617).
const (
	// TurnHold: somebody has put the call on hold: their audio, that went before,
	// is inactive.
	TurnHold TurnKind = "hold"
	// TurnGroup: more than two people are in the call.
	TurnGroup TurnKind = "group"
	// TurnTransferring, TurnTransferAccepted and TurnRedirecting are states of the call.
	TurnTransferring     TurnKind = "transferring"
	TurnTransferAccepted TurnKind = "transferAccepted"
	TurnRedirecting      TurnKind = "redirecting"
	// TurnTransferredAway: the call ended as its transfer completed.
	TurnTransferredAway TurnKind = "transferredAway"
	// TurnTransferredHere: the call began as a transfer.
	TurnTransferredHere TurnKind = "transferredHere"
)

// transferCompleted is the subcode of "Call ended as the transfer completed
// successfully" (Graph, call: delete, call end reason codes: 200, 7015).
const transferCompleted json.Number = "7015"

// TurnsOf reads the turns of a call out of its journal, in the order in which they
// began.
func TurnsOf(f Facts, events []Event) []Turn {
	return turnsOf(f, events, participantsOf(historyOf(events), events, nil))
}

func turnsOf(f Facts, events []Event, all []Participant) (turns []Turn) {
	if slices.ContainsFunc(f.Parties, func(p recorder.Party) bool { return p.Role == recorder.RoleTransferor }) {
		turns = append(turns, Turn{Turn: TurnTransferredHere, By: "invite", From: clean(f.InvitedAt)})
	}
	turns = slices.Concat(turns, holds(all), groups(all), told(events))
	slices.SortStableFunc(turns, func(a, b Turn) int { return a.From.Compare(b.From) })
	return turns
}

// holds are the times in which somebody's audio was inactive after it had been active:
// who joined without any has not put the call on hold.
func holds(all []Participant) (turns []Turn) {
	for _, p := range all {
		if bot(p.Kind) {
			continue
		}
		active := false
		for _, s := range p.Streams {
			switch {
			case s.Type != "audio":
			case s.Direction == "inactive" && active:
				turns = append(turns, Turn{Turn: TurnHold, By: "roster", From: s.From, To: s.To, Participant: p.ID})
			case s.Direction == "sendReceive", s.Direction == "sendOnly":
				active = true
			}
		}
	}
	return turns
}

func bot(kind string) bool { return kind == "application" || kind == "applicationInstance" }

// groups are the times in which more than two people were there.
func groups(all []Participant) (turns []Turn) {
	type step struct {
		at     time.Time
		people int // who came, less who left
	}
	var steps []step
	for _, p := range all {
		if bot(p.Kind) || p.Kind == "" || p.Kind == "unknown" {
			continue
		}
		for _, s := range p.Present {
			steps = append(steps, step{s.From, 1})
			if !s.To.IsZero() {
				steps = append(steps, step{s.To, -1})
			}
		}
	}
	slices.SortStableFunc(steps, func(a, b step) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.people, b.people)) })
	there := 0
	for _, s := range steps {
		before := there
		there += s.people
		switch {
		case before == 2 && there == 3:
			turns = append(turns, Turn{Turn: TurnGroup, By: "roster", From: s.at})
		case before == 3 && there == 2:
			turns[len(turns)-1].To = s.at
		}
	}
	return turns
}

// told are the turns that notifications about the call itself tell.
func told(events []Event) (turns []Turn) {
	states := map[string]TurnKind{
		"hold": TurnHold, "transferring": TurnTransferring, "transferaccepted": TurnTransferAccepted, "redirecting": TurnRedirecting,
	}
	open := -1
	for _, e := range inOrder(events) {
		c, ok := callOf(e)
		if !ok {
			continue
		}
		at := clean(e.At)
		if c.Result.Subcode == transferCompleted && c.ended {
			turns = append(turns, Turn{Turn: TurnTransferredAway, By: "end", From: at})
		}
		kind, turn := states[strings.ToLower(c.State)]
		switch {
		case open >= 0 && turns[open].Turn == kind, c.State == "" && !c.ended:
			continue // repeated, or of something else
		case open >= 0:
			turns[open].To, open = at, -1
		}
		if turn && !c.ended {
			turns = append(turns, Turn{Turn: kind, By: "state", From: at})
			open = len(turns) - 1
		}
	}
	return turns
}

// A toldCall is what a notification says of the call.
type toldCall struct {
	State  string `json:"state"`
	Result struct {
		Subcode json.Number `json:"subcode"`
	} `json:"resultInfo"`
	ended bool
}

func callOf(e Event) (c toldCall, ok bool) {
	var n struct{ Kind, Change, Raw string }
	if e.Kind != string(recorder.EntryNotification) || json.Unmarshal(e.Data, &n) != nil || n.Kind != "call" {
		return toldCall{}, false
	}
	_ = json.Unmarshal([]byte(n.Raw), &c) // a deleted call may have no data, and a field another shape
	c.ended = n.Change == "deleted" || strings.EqualFold(c.State, "terminated")
	return c, true
}
