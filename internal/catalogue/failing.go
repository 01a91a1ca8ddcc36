package catalogue

import (
	"errors"
	"strings"
	"time"

	"go.uber.org/zap"
)

// The probe: a write that leaves no trace, as large as a few entries, so that a
// full disk does not let it through where it would refuse them.
const (
	probeEvery = 5 * time.Second
	probeBytes = 16 << 10
)

// errTransaction: not the work could not be written, but nothing can be.
var errTransaction = errors.New("transaction")

// Failing returns why the last attempt to commit anything failed, nil after one
// that worked, or before the first. It takes no lock. While it fails, the catalogue
// tries by itself every few seconds: whoever takes no calls for it will see none
// that could show that it can be written again.
func (c *Catalogue) Failing() error {
	if fault := c.fault.Load(); fault != nil {
		return *fault
	}
	return nil
}

// try does a batch in one transaction and notes what that says of the disk. Work
// that is at fault itself says nothing, and neither does a commit of nothing.
func (c *Catalogue) try(s *session, batch []*item) error {
	err := s.transaction(batch)
	switch {
	case err == nil && s.wrote:
		c.works()
	case err == nil, own(err) && !errors.Is(err, errTransaction):
	default:
		c.fails(err)
	}
	return err
}

// fails is the writer's, as are works and the timer.
func (c *Catalogue) fails(err error) {
	if c.fault.Swap(&err) == nil {
		c.log.Error("the catalogue can't be written", zap.Error(err))
	}
	if c.again == nil {
		c.again = time.AfterFunc(probeEvery, c.probe)
		return
	}
	c.again.Reset(probeEvery) // it was tried just now
}

func (c *Catalogue) works() {
	if c.fault.Swap(nil) == nil {
		return
	}
	c.again.Stop()
	c.log.Info("the catalogue can be written again")
}

// probe queues the probe. Where there is no room for it, there is work enough to
// tell; where the catalogue is closed, nobody asks.
func (c *Catalogue) probe() {
	data := strings.Repeat("x", probeBytes)
	_ = c.queue.push(&item{size: len(data), quiet: true, write: func(s *session) error {
		// No call has an empty name. Both are in one transaction: crash in here, and
		// neither happened.
		if _, err := s.put(putProbe, data); err != nil {
			return err
		}
		_, err := s.put(dropProbe)
		return err
	}}, mostItems, mostBytes)
}
