package recorder

import "time"

func (c *call) setTimer(t Timer, after time.Duration) {
	if t == TimerKeepAlive {
		c.setKeepAlive(after)
		return
	}
	c.startTimer(t, after)
}

func (c *call) startTimer(t Timer, after time.Duration) {
	c.stopTimers([]Timer{t})
	k := &clock{at: time.Now().Add(after)}
	c.timers[t] = k
	k.timer = time.AfterFunc(after, func() {
		select {
		case c.ticks <- tick{t, k}:
		case <-c.over:
		}
	})
}

func (c *call) stopTimers(ts []Timer) {
	for _, t := range ts {
		if old := c.timers[t]; old != nil {
			old.timer.Stop()
			delete(c.timers, t)
		}
	}
}

func (c *call) entry(kind EntryKind, data any) Entry {
	return Entry{Call: c.inv.Call.ID, At: time.Now(), Kind: kind, Data: data}
}

// note queues an entry that nothing waits for. Where there is no room the
// journal is not keeping up, which endangers the evidence: law 3.
func (c *call) note(kind EntryKind, data any) {
	if !c.deps.ledger.Note(c.entry(kind, data)) {
		c.noRoom()
	}
}

func (c *call) noRoom() { c.post(LedgerFailed{"the journal's queue is full"}) }

// remember notes an event and what the machine made of it. It is queued before what
// it leads to is: an announcement that was made has its step in the journal.
func (c *call) remember(ev Event, next state, cmds []Command) {
	step := stepOf(eventGiveUp, nil, next, cmds)
	if ev != nil {
		step = stepOf(eventName(ev), ev, next, cmds)
	}
	if _, known := ev.(LedgerFailed); known {
		c.deps.ledger.Note(c.entry(EntryState, step)) // and no more of the same, should it fail
		return
	}
	c.note(EntryState, step)
}
