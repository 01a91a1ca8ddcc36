package host

import (
	"slices"
	"sort"
	"time"

	pb "github.com/recorderbot/recorderbot/internal/media/link/mediahostv1"
	"github.com/recorderbot/recorderbot/internal/teamsim/trace"
)

// A session is one call's sockets. Guarded by Host.mu.
type session struct {
	rec     SessionRecord
	outside *Audio // of frames outside of what was asked for; nil: rec.Audio
	cast    *Cast  // nil: nobody has said
	scene   *scene // nil: one stream of mixed audio is all there is
	ttl     time.Duration
	start   time.Duration // media clock at Connect

	// What was captured.
	frame  int64 // frames of media that have passed since Connect
	next   uint64
	oldest uint64 // first frame still held; next if none
	open   bool
	failed bool // the sockets are lost: nothing is captured any more
	// closing: SessionClosed is on its way.
	closing bool
	turn    int64 // of the speakers
	step    int64 // ticks by which the host's clock was put forward or back
	// newRun: the next frame begins a run; afterGap: and carries the flag, the next
	// one of the stream.
	newRun   bool
	afterGap map[Stream]bool

	// Faults.
	faults    []Fault
	openedAt  int64 // frame of the first Open; -1 before
	mode      mode
	lateLeft  int
	earlyLeft int

	// What goes out, and has to keep its order with the frames.
	items []item

	// The link. cursor is the next seq to send on it, sent how many items went.
	link     *link
	handle   uint32
	cursor   uint64
	sent     int
	gapSaid  map[Stream]bool // the stream's next frame follows an overflow
	detached time.Time       // wall; since when nobody is attached
	acked    uint64
}

// An item is a message that has its place before a certain frame.
type item struct {
	before  uint64
	gap     *GapRecord // a gap is kept until it is acknowledged, and sent again
	message func(handle uint32) *pb.FromHost
	sent    func() // for the trace; may be nil
}

// A mode is a fault that lasts for some frames.
type mode struct {
	kind  FaultKind
	left  int
	fault Fault
	from  int64 // first frame
	index int   // in rec.Faults
}

// swallows tells whether frames are lost in this mode.
func (m mode) swallows() bool {
	return m.kind == FaultGap || m.kind == FaultSkip || m.kind == FaultSilentSkip || m.kind == FaultHole
}

func newSession(rec SessionRecord, ttl time.Duration, faults []Fault) *session {
	s := &session{
		rec: rec, ttl: ttl, next: 1, oldest: 1, openedAt: -1, faults: append([]Fault(nil), faults...),
		afterGap: make(map[Stream]bool), gapSaid: make(map[Stream]bool),
	}
	if f, ok := s.take(FaultEarly); ok {
		s.earlyLeft = f.frames()
	}
	return s
}

// has tells whether a fault waits.
func (s *session) has(kind FaultKind) bool {
	for _, f := range s.faults {
		if f.Kind == kind {
			return true
		}
	}
	return false
}

// take removes a waiting fault.
func (s *session) take(kind FaultKind) (Fault, bool) {
	for i, f := range s.faults {
		if f.Kind == kind {
			s.faults = append(s.faults[:i], s.faults[i+1:]...)
			return f, true
		}
	}
	return Fault{}, false
}

// mediaTime of a frame.
func (s *session) mediaTime(frame int64) int64 { return s.rec.MediaStart + frame*TicksPerFrame }

// capture brings the session up to the media clock.
func (h *Host) capture(s *session) {
	defer h.forget(s)
	if s.rec.Connected.IsZero() || !s.rec.Disconnected.IsZero() || s.failed || !s.rec.Closed.IsZero() {
		return
	}
	due := int64((h.clock.media() - s.start - h.jitter(s)) / (20 * time.Millisecond))
	now := time.Now()
	for s.frame < due && !s.failed && s.rec.Closed.IsZero() {
		if s.open {
			h.startFaults(s)
			if s.failed || !s.rec.Closed.IsZero() {
				return
			}
		}
		s.captureSome(due, now)
	}
}

// jitter is a fixed pattern: a different delay for each frame and session.
func (h *Host) jitter(s *session) time.Duration {
	if h.opt.Jitter <= 0 {
		return 0
	}
	x := uint64(s.frame)*0x9E3779B97F4A7C15 + uint64(len(s.rec.Session))*0xBF58476D1CE4E5B9 + uint64(h.opt.Seed) //nolint:gosec // bits only
	x ^= x >> 31
	x *= 0x94D049BB133111EB
	return time.Duration(x>>11) % h.opt.Jitter
}

// captureSome captures at least one frame, and as many as are alike.
func (s *session) captureSome(due int64, now time.Time) {
	switch {
	case s.open && s.mode.left > 0:
		s.captureOdd(now)
	case s.open:
		n := due - s.frame
		if until := s.nextFault(); until > s.frame {
			n = min(n, until-s.frame)
		}
		s.pass(n, Run{}, now)
	case s.lateLeft > 0:
		s.gossip(s.lateLeft)
		s.lateLeft--
		s.pass(1, Run{Outside: true}, now)
	case s.earlyLeft > 0 && s.link != nil && s.openedAt < 0:
		s.gossip(s.earlyLeft)
		s.earlyLeft--
		s.pass(1, Run{Outside: true}, now)
	case s.lateLeft == 0 && (s.earlyLeft == 0 || s.link == nil):
		s.drop(due) // at the source
	default:
		s.drop(s.frame + 1)
	}
}

// captureOdd captures one frame under a fault that lasts.
func (s *session) captureOdd(now time.Time) {
	m := &s.mode
	m.left--
	switch {
	case s.scene != nil:
		s.passOdd(now)
		return
	case m.swallows():
		s.frame++
		s.newRun = true
		if m.left == 0 {
			s.endLoss(now)
		}
		return
	case m.kind == FaultAbsurdTime:
		s.newRun = true
		absurd := []int64{0, -1, s.mediaTime(s.frame) + 3*24*3600*10_000_000}
		s.number(1, Run{Time: absurd[m.left%3]}, now)
		if m.left%3 == 0 {
			s.rec.Runs[len(s.rec.Runs)-1].Time = 0
		}
		s.newRun = true
	default:
		s.number(1, Run{Malformed: m.kind == FaultMalformed, Twice: m.kind == FaultDuplicate, Stray: m.kind == FaultUnknownHandle}, now)
	}
	if m.left == 0 {
		s.rec.Faults[m.index].Until = now
	}
}

// number gives the next n frames their seqs. like says what is special.
func (s *session) number(n int64, like Run, now time.Time) {
	count := uint64(n) //nolint:gosec // positive
	if k := len(s.rec.Runs); k > 0 && !s.newRun && like.Time == 0 {
		last := &s.rec.Runs[k-1]
		if last.Outside == like.Outside && last.Malformed == like.Malformed && last.Twice == like.Twice && last.Stray == like.Stray {
			last.Count += count
			last.LastAt = now
			s.frame += n
			s.next += count
			return
		}
	}
	like.Stream, like.FirstSeq, like.Count, like.Position = mixed(), s.next, count, s.frame*FrameSamples
	if like.Time == 0 {
		like.Time = s.mediaTime(s.frame) + s.step
	}
	like.AfterGap, like.FirstAt, like.LastAt = s.afterGap[mixed()], now, now
	s.rec.Runs = append(s.rec.Runs, like)
	s.newRun = false
	clear(s.afterGap)
	s.frame += n
	s.next += count
}

// endLoss says what came of frames that were swallowed: the media goes on.
func (s *session) endLoss(now time.Time) {
	m := s.mode
	frames := s.frame - m.from
	g := GapRecord{
		Stream: mixed(), FirstSeq: s.next, Samples: frames * FrameSamples, Position: m.from * FrameSamples, At: now, Reason: m.reason(),
		From: s.mediaTime(m.from), To: s.mediaTime(s.frame), Announced: m.kind == FaultGap || m.kind == FaultSkip,
	}
	if m.kind == FaultGap || m.kind == FaultHole {
		g.Count = uint64(frames) //nolint:gosec // positive
		s.next += g.Count
	}
	s.announce(g)
	s.rec.Gaps = append(s.rec.Gaps, g)
	s.rec.Faults[m.index].Until = now
	s.mode = mode{}
}

// say queues a message behind everything captured so far.
func (s *session) say(message func(handle uint32) *pb.FromHost, sent func()) {
	s.endLossRun(time.Now())
	s.items = append(s.items, item{before: s.next, message: message, sent: sent})
}

// run returns the run that holds seq, or the first one behind it; false where
// there is none.
func (s *session) run(seq uint64) (Run, bool) {
	runs := s.rec.Runs
	i := sort.Search(len(runs), func(i int) bool { return runs[i].end() > seq })
	if i == len(runs) {
		return Run{}, false
	}
	return runs[i], true
}

// period is the current or last time of being open; nil before the first.
func (s *session) period() *Period {
	if len(s.rec.Periods) == 0 {
		return nil
	}
	return &s.rec.Periods[len(s.rec.Periods)-1]
}

// ack forgets what is durable on the recorder's side.
func (h *Host) ack(s *session, seq uint64) {
	now := time.Now()
	seq = min(seq, s.next-1)
	if s.period() == nil && s.rec.AckedUnopened.IsZero() {
		s.rec.AckedUnopened = now
		h.traceSession(s, trace.Event{Kind: trace.FirstAck, At: now, Seq: seq})
	}
	if p := s.period(); p != nil && seq >= p.FirstSeq {
		if p.FirstAck.IsZero() {
			p.FirstAck, p.FirstAckSeq = now, seq
			h.traceSession(s, trace.Event{Kind: trace.FirstAck, At: now, Seq: seq})
		}
		if seq > p.AckSeq {
			p.LastAck, p.AckSeq = now, seq
		}
		h.checkAllAcked(s, p, now)
	}
	if seq <= s.acked {
		return
	}
	s.acked, s.rec.Acked = seq, seq
	s.oldest = max(s.oldest, seq+1)
	done := 0
	for done < s.sent && done < len(s.items) && !s.items[done].needed(seq) {
		done++
	}
	s.items = s.items[done:]
	s.sent -= done
}

// lastFrame is the highest seq, not above seq, of a frame that exists; 0 if
// there is none. Numbers of a gap have no frame.
func (s *session) lastFrame(seq uint64) uint64 {
	for _, r := range slices.Backward(s.rec.Runs) {
		if r.FirstSeq <= seq {
			return min(seq, r.end()-1)
		}
	}
	return 0
}

// needed tells whether the item is still of use once all up to acked is
// durable.
func (i item) needed(acked uint64) bool {
	return i.gap != nil && (i.before > acked || i.before+i.gap.Count > acked+1)
}

// checkAllAcked notes when a paused session has been acknowledged in full.
func (h *Host) checkAllAcked(s *session, p *Period, now time.Time) {
	last := s.lastFrame(p.LastSeq)
	if p.Paused.IsZero() || !p.AllAcked.IsZero() || (p.AckSeq < last && last >= p.FirstSeq) {
		return
	}
	p.AllAcked = now
	h.traceSession(s, trace.Event{Kind: trace.LastAck, At: now, Seq: p.LastSeq})
}
