package main

import (
	"time"

	"github.com/recorderbot/recorderbot/internal/admission"
	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// newGate makes what admits calls. It sees everything, and so can only be wired
// here. What it asks for is there once the registry is.
func (b *bot) newGate() *admission.Gate {
	c := b.cfg.Capacity
	cpu := &cpuMeter{}
	return admission.New(admission.Limits{
		Calls: c.Calls, SpoolRoom: time.Duration(c.SpoolRoom), CommitLatency: time.Duration(c.CommitLatency), CPU: float64(c.CPU) / 100,
	}, admission.Sources{
		Hosts: b.hostSeats, Spool: b.spoolUse, Commits: b.spoolCommits, CPU: cpu.read,
		JournalFailing: func() bool { return b.catalogue.Failing() != nil },
		Draining:       func() bool { return b.registry.Draining() },
		Live: func(id recorder.CallID) bool {
			_, live := b.registry.Tenant(id)
			return live
		},
	}, b.metrics)
}

func (b *bot) hostSeats() (all admission.Hosts) {
	for _, h := range b.media.Health() {
		all.Willing = all.Willing || h.Willing()
		all.Calls += h.Seats()
	}
	return all
}

func (b *bot) spoolUse() admission.Spool {
	r := b.spool.Room()
	return admission.Spool{Free: r.Free, Rate: r.Rate, Open: r.Open, PerCall: spool.StreamRate} // mixed audio: one stream a call
}

func (b *bot) spoolCommits() admission.Commits {
	running := b.spool.Stalled() // first: else one that ends in between would be missed
	n, took := b.spool.Commits()
	return admission.Commits{Count: n, Took: took, Running: running}
}
