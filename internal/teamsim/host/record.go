package host

import (
	"slices"
	"time"
)

// records copies what is known. Host.mu is held.
func (h *Host) records() []SessionRecord {
	all := append(slices.Clone(h.past), h.order...)
	slices.SortStableFunc(all, func(a, b *session) int { return a.rec.Created.Compare(b.rec.Created) })
	out := make([]SessionRecord, 0, len(all))
	for _, s := range all {
		r := s.rec
		if s.open {
			r.Periods = slices.Clone(r.Periods)
			r.Periods[len(r.Periods)-1].LastSeq = s.next - 1
		}
		r.Runs, r.Gaps, r.Overflows = slices.Clone(r.Runs), slices.Clone(r.Gaps), slices.Clone(r.Overflows)
		r.Periods, r.Breaks, r.Faults = slices.Clone(r.Periods), slices.Clone(r.Breaks), slices.Clone(r.Faults)
		out = append(out, r)
	}
	return out
}

// A SessionRecord is the truth about one session, kept for the referee.
type SessionRecord struct {
	Session, Host, Epoch string
	Blob                 string
	Audio                *Audio
	// MediaStart is the media time of position 0, in ticks; 0 before Connect.
	MediaStart int64
	Created    time.Time
	Connected  time.Time
	// Disconnected is when the platform's media ended; zero while it flows.
	Disconnected time.Time
	// Closed is when the session was disposed of, ClosedFor why: "stopped",
	// "orphaned", "platform", "killed", "shutdown".
	Closed    time.Time
	ClosedFor string
	// Runs are all frames that were numbered, by seq.
	Runs []Run
	// Gaps are the stretches that were never captured, by FirstSeq: announced
	// or not.
	Gaps []GapRecord
	// Overflows are frames that were captured (they are in Runs too) and, as a
	// link was told, are no longer held.
	Overflows []GapRecord
	// Periods are the times of being open, in order.
	Periods []Period
	// Breaks are the times without a link, from the first Attach on.
	Breaks []Break
	// Acked is the highest durable_seq that was acknowledged.
	Acked uint64
	// AckedUnopened is when something was acknowledged though the session had
	// never been opened; zero where that did not happen.
	AckedUnopened time.Time
	// SentHigh is the highest seq that was given to a link.
	SentHigh uint64
	// Lease is the highest that attached.
	Lease  uint64
	Faults []FaultRecord
}

// A Run is frames with consecutive seqs and consecutive positions.
type Run struct {
	FirstSeq, Count uint64
	// Position of the first sample of the first frame, from Connect on.
	Position int64
	// Time is the media time of the first frame as sent; the others follow at
	// TicksPerFrame.
	Time int64
	// AfterGap: the first frame carries the flag.
	AfterGap bool
	// Outside: captured while the session was not open, though it must not be.
	Outside bool
	// Malformed: sent with a payload of the wrong length.
	Malformed bool
	// Twice: each frame was sent a second time.
	Twice bool
	// Stray: each frame was sent a second time under an unknown handle.
	Stray bool
	// FirstAt and LastAt are when the first and the last frame were captured.
	FirstAt, LastAt time.Time
}

// end is the seq behind the run.
func (r Run) end() uint64 { return r.FirstSeq + r.Count }

// A GapRecord is a stretch of media that never came.
type GapRecord struct {
	FirstSeq uint64
	// Count is how many seqs never come; 0 where only time is missing, before
	// FirstSeq.
	Count uint64
	// Samples that are missing.
	Samples int64
	// From and To are the media times that were announced.
	From, To int64
	// Reason is "overflow", "platform" or "host".
	Reason string
	// Announced tells whether there was a Gap message for it.
	Announced bool
	At        time.Time
}

// A Period is one time of being open.
type Period struct {
	OpenAsked, Opened   time.Time // zero: did not happen
	FirstSeq            uint64
	PauseAsked, Paused  time.Time
	LastSeq             uint64 // last frame captured in this period; FirstSeq-1 if none
	FirstAck, LastAck   time.Time
	FirstAckSeq, AckSeq uint64
	// AllAcked is when LastSeq was acknowledged, after Pause was asked.
	AllAcked time.Time
}

// A Break is a time without a link.
type Break struct {
	Down, Up time.Time
	// Orderly: the recorder sent Detach or ended the stream without error.
	Orderly bool
}

// A FaultRecord is a fault that took effect.
type FaultRecord struct {
	Fault

	From, Until time.Time
	// Seq is the next seq at that time.
	Seq uint64
}
