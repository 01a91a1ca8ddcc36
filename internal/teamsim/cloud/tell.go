package cloud

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/recorderbot/recorderbot/internal/teamsim/trace"
)

// invite sends the invite and says whether the bot took it.
func (c *Call) invite() bool {
	return c.emit(notification{of: OfInvite, change: "created", data: c.inviteData()})
}

// TellState tells the bot that the call has another state, such as transferring. What it
// means for the call is the caller's to do.
func (c *Call) TellState(state string) {
	c.emit(notification{of: OfState, change: "updated", data: c.callData(state)})
}

// establish tells the bot, in the style's order, that the call is being
// established and is; false when the call is over first.
func (c *Call) establish() bool {
	establishing := notification{of: OfEstablishing, change: "updated", data: c.callData("establishing")}
	established := notification{of: OfEstablished, change: "updated", data: c.callData("established")}
	first := !c.style.EstablishedFirst && !c.style.NoEstablishing
	if first {
		c.emit(establishing)
	}
	if c.spec.EstablishAfter < 0 {
		if c.pause(-c.spec.EstablishAfter) {
			c.end(endMediaFailed(), "")
		}
		return false
	}
	if !c.pause(c.spec.EstablishAfter) {
		return false
	}
	c.mu.Lock()
	if c.phase == phaseEnded {
		c.mu.Unlock()
		return false
	}
	c.phase = phaseEstablished
	c.facts.Established = time.Now()
	c.cloud.trace(trace.Event{Kind: trace.CallEstablished, Call: c.ids.call})
	roster := notification{of: OfRoster, change: "updated", suffix: "/participants", data: c.rosterData()}
	c.mu.Unlock()
	if c.style.Batch {
		c.emit(established, roster)
	} else {
		c.emit(established)
	}
	c.mu.Lock()
	c.pass(Established)
	c.mu.Unlock()
	if !first && !c.style.NoEstablishing {
		c.emit(establishing)
	}
	if !c.style.Batch {
		c.emit(roster)
	}
	if c.style.RepeatEstablished {
		again := c.callData("established")
		again["toneInfo"] = map[string]any{"@odata.type": "#microsoft.graph.toneInfo", "sequenceId": 1, "tone": "tone1"}
		c.emit(notification{of: OfEstablished, change: "updated", data: again})
	}
	return true
}

// ChangeRoster changes the participants (the observed user is the first, the
// bot is not among them) and tells the bot. Where the bot asked for a delta, it
// holds those who are new or other than before, and those who are gone as removed. What
// change is given is its own.
func (c *Call) ChangeRoster(change func([]Participant) []Participant) {
	c.mu.Lock()
	c.participants = change(slices.Clone(c.participants))
	n := notification{of: OfRoster, change: "updated", suffix: "/participants", data: c.rosterData()}
	c.mu.Unlock()
	c.emit(n)
}

// ShareContent tells the bot that content sharing begins or ends, as documented
// without resourceData.
func (c *Call) ShareContent(begin bool) {
	change := "deleted"
	if begin {
		change = "created"
	}
	c.emit(notification{of: "contentSharing", change: change, suffix: "/contentsharingsessions/" + uuid.NewString()})
}

// tellOperation sends an operation's end. Other operations' terminal
// notifications were seen as "deleted"; no example of this one is published.
func (c *Call) tellOperation(op *operation, body map[string]any) {
	progress, _ := body["status"].(string)
	body["status"] = c.style.enum(progress)
	c.emit(notification{of: OfOperation, change: "deleted", suffix: "/operations/" + op.id, data: body, operation: op, progress: progress})
}

// tellEnd sends the optional terminating and the deletion, and what was held
// back.
func (c *Call) tellEnd() {
	c.mu.Lock()
	e := c.ending
	answered := !c.facts.Answered.IsZero()
	c.mu.Unlock()
	if c.style.Terminating && answered {
		c.emit(notification{of: OfTerminating, change: "updated", data: c.callData("terminating")})
	}
	c.emit(notification{of: OfDeleted, change: "deleted", data: c.endData(e)})
	c.flush()
}
