package host

import (
	"cmp"
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
			last := &r.Periods[len(r.Periods)-1]
			last.LastSeq, last.To = s.next-1, s.frame*FrameSamples
		}
		r.Samples = s.frame * FrameSamples
		r.Runs, r.Gaps, r.Overflows = slices.Clone(r.Runs), slices.Clone(r.Gaps), slices.Clone(r.Overflows)
		r.Streams = slices.Clone(r.Streams)
		r.Periods, r.Breaks, r.Faults = slices.Clone(r.Periods), slices.Clone(r.Breaks), slices.Clone(r.Faults)
		out = append(out, r)
	}
	return out
}

// A SessionRecord is the truth about one session, kept for the referee.
type SessionRecord struct {
	Session, Host, Epoch string
	Blob                 string
	// Unmixed: its audio is one stream for each speaker.
	Unmixed bool
	// Audio is what the session hears as mixed audio.
	Audio *Audio
	// Streams are those of which a frame was numbered, by their first one.
	Streams []StreamRecord
	// MediaStart is the media time of position 0, in ticks; 0 before Connect.
	MediaStart int64
	// Samples is how long the session's media was: from Connect until it ended, captured
	// or not.
	Samples   int64
	Created   time.Time
	Connected time.Time
	// Disconnected is when the platform's media ended; zero while it flows.
	Disconnected time.Time
	// Closed is when the session was disposed of, ClosedFor why: "stopped",
	// "orphaned", "platform", "killed", "shutdown".
	Closed    time.Time
	ClosedFor string
	// Runs are all frames that were numbered, by seq, of all streams.
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

// A Stream is frames of one kind from one source.
type Stream struct {
	Kind   uint8
	Source uint32 // 0 of mixed audio
}

// The kinds, as mediahost.proto numbers them.
const (
	KindMixed   = 1
	KindUnmixed = 2
	KindVideo   = 3
	KindScreen  = 4
)

func mixed() Stream { return Stream{Kind: KindMixed} }

func (s Stream) compare(o Stream) int {
	return cmp.Or(cmp.Compare(s.Kind, o.Kind), cmp.Compare(s.Source, o.Source))
}

// A StreamRecord is one of a session's streams.
type StreamRecord struct {
	Stream

	// Audio is what it sounds like by position, also where it was not captured; nil
	// of video, whose runs hold the pictures.
	Audio *Audio
}

// A Picture is the payload of a frame of video.
type Picture struct {
	Data          []byte // Annex B; not to be changed
	Key           bool
	Width, Height uint16
}

// A Run is frames of one stream with consecutive seqs and consecutive positions; of
// video, one frame.
type Run struct {
	Stream Stream

	FirstSeq, Count uint64
	// Position of the first sample of the first frame, from Connect on. Of video, that
	// of the audio it came with: when it was taken, Time tells.
	Position int64
	// Time is the media time of the first frame as sent; the others follow at
	// TicksPerFrame.
	Time int64
	// Picture of a frame of video, and the socket on which it came.
	Picture *Picture
	Socket  uint8
	// Dropped: a picture that is no longer held, for want of room.
	Dropped bool
	// Absurd: Time is one that can't be.
	Absurd bool
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

// A GapRecord is a stretch of one stream's media that never came.
type GapRecord struct {
	Stream   Stream
	FirstSeq uint64
	// Count is how many seqs never come; 0 where only time is missing, before
	// FirstSeq.
	Count uint64
	// Samples that are missing, from Position on; none of video.
	Samples, Position int64
	// From and To are the media times that were announced: of video those of the first
	// and the last frame.
	From, To int64
	// Reason is "overflow", "platform" or "host".
	Reason string
	// Announced tells whether there was a Gap message for it.
	Announced bool
	At        time.Time
}

// A Period is one time of being open.
type Period struct {
	OpenAsked, Opened time.Time // zero: did not happen
	// From and To are the positions at which it was opened and shut.
	From, To            int64
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
