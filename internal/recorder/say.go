package recorder

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"
)

// announce: the intention is durable before the request, and what came of it
// before the machine learns of it (law 5). If we die in between, the journal
// says that the platform may have been told.
func (c *call) announce(ctx context.Context, a announcement) {
	before, said := c.saying, &saying{overtaken: make(chan struct{}), sent: make(chan struct{})}
	if before != nil {
		close(before.overtaken)
	}
	c.saying = said
	c.do(ctx, ledgerPatience+announceWait+ledgerPatience, func(ctx context.Context) Event {
		defer said.over()
		if err := c.keep(ctx, a, c.entry(EntryAnnounce, announceData{a.status.String(), a.context})); err != nil {
			return LedgerFailed{err.Error()}
		}
		if !said.mayFollow(before) {
			c.note(EntryFault, faultData{"announce", a.context + " was overtaken and is not sent"})
			return nil
		}
		began := time.Now()
		op, err := c.ask(ctx, a, said)
		said.over()
		f := faultOf(err)
		c.deps.metrics.announced(a.status, op, f, time.Since(began))
		data := announced(op)
		data.Status, data.Context = a.status.String(), a.context
		if f != nil {
			data.Fault, data.Receipt = f.Error(), f.Receipt
			level := zap.WarnLevel
			if f.Kind == FaultGone && a.status != StatusRecording {
				level = zap.InfoLevel // the ordinary end: the call was over when we said so
			}
			c.log.Log(level, "announcement", zap.Stringer("status", a.status), zap.Error(f))
		}
		if err := c.keep(ctx, a, c.entry(EntryAnnounced, data)); err != nil {
			return LedgerFailed{err.Error()}
		}
		if f != nil {
			return StatusFaulted{a.context, *f}
		}
		return StatusReplied{op}
	})
}

// A saying is one announcement on its way to the platform. The next one waits
// until its request is over, and ends it: what we said last is what the platform
// heard last. A request that was cut may have been heard all the same; the
// states keep its context and say the truth again.
type saying struct {
	overtaken chan struct{} // closed: there is a newer one
	sent      chan struct{} // closed: its request is over, or will never be made
	once      sync.Once
}

func (s *saying) over() { s.once.Do(func() { close(s.sent) }) }

// mayFollow waits for the request before, and reports whether this one is still
// the newest.
func (s *saying) mayFollow(before *saying) bool {
	if before != nil {
		limit := time.NewTimer(overtakeLimit)
		defer limit.Stop()
		select {
		case <-before.sent: // it was cut when this one was begun
		case <-limit.C: // law 3 does not wait for a request that can't be cut
		}
	}
	select {
	case <-s.overtaken:
		return false
	default:
		return true
	}
}

func (c *call) ask(ctx context.Context, a announcement, said *saying) (Operation, error) {
	ctx, cancel := context.WithTimeout(ctx, announceWait)
	defer cancel()
	go func() {
		select {
		case <-said.overtaken:
			cancel()
		case <-ctx.Done():
		}
	}()
	return c.deps.platform.Announce(ctx, c.inv.Call, a.status, a.context)
}

// keep journals an entry about an announcement. Leave to record needs the
// journal; the end of a recording must be told even if the journal is gone.
func (c *call) keep(ctx context.Context, a announcement, e Entry) error {
	limit := ledgerPatience
	switch a.status {
	case StatusRecording:
		limit = ledgerTimeout
	case StatusFailed:
		limit = ledgerHurry
	case StatusNotRecording:
	}
	err := c.append(ctx, limit, e)
	if err == nil || a.status == StatusRecording {
		return err
	}
	c.log.Error("the end of a recording is announced without a journal", zap.Error(err))
	c.deps.metrics.unjournaled.Inc()
	return nil
}
