package recorder

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"
)

// The bounds of asking who is in a call because of sources that no roster names.
const (
	// askRosterEvery is the least time between two questions.
	askRosterEvery = 10 * time.Second
	// askRosterEight questions are asked that far apart, eight more twice as far, and
	// so on up to askRosterDoubled times: a source that nobody ever names must not
	// cost a request every ten seconds for a day.
	askRosterEight   = 8
	askRosterDoubled = 6
	// askRosterMost a call. With the pauses above they last for more than a day.
	askRosterMost = 200
)

// curiosity bounds how often a call asks who is in it.
type curiosity struct {
	mu    sync.Mutex
	last  time.Time
	asked int
}

// may reports whether the call may ask now, and counts it.
func (q *curiosity) may(now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	pause := askRosterEvery << min(q.asked/askRosterEight, askRosterDoubled)
	if q.asked >= askRosterMost || q.asked > 0 && now.Sub(q.last) < pause {
		return false
	}
	q.last, q.asked = now, q.asked+1
	return true
}

// wonder hands a call the word that a source has no name, unless it has asked for
// names a short while ago: then the reply may tell, or the next such word does.
func (c *call) wonder() error {
	select {
	case <-c.deps.freezing:
		return ErrBusy
	default:
	}
	if c.curiosity.may(time.Now()) && !c.post(UnknownSource{}) {
		return ErrBusy
	}
	return nil
}

// noteRoster adds a roster to the call's journal and tells whoever follows it, in
// the same order. It reports whether the journal had room.
func (c *call) noteRoster(r Roster) bool {
	c.rosters.Lock() // two notifications at a time, and a reply
	defer c.rosters.Unlock()
	d, lists := rosterData{Sequence: r.Sequence, Delta: r.Delta, Participants: r.Participants, Asked: r.Asked}, c.lists
	if !r.Delta {
		d, r, lists = c.lists.next(r)
	}
	e := c.entry(EntryRoster, d)
	if !c.deps.ledger.Note(e) {
		return false
	}
	c.lists = lists
	if c.deps.onRoster != nil {
		r.At = e.At
		c.deps.onRoster(c.inv.Call.ID, r)
	}
	return true
}

func (c *call) askRoster(ctx context.Context) {
	c.do(ctx, requestTimeout, func(ctx context.Context) Event {
		asked := time.Now()
		roster, err := c.deps.platform.AskRoster(ctx, c.inv.Call)
		if err != nil {
			c.log.Info("asking for the participants", zap.Error(err))
			return nil // notifications tell too
		}
		roster.Asked = asked
		if !c.noteRoster(roster) {
			c.noRoom()
		}
		return nil
	})
}
