package media

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/link"
	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/media/subscription"
	"github.com/recorderbot/recorderbot/internal/media/timeline"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// gate is how far the door to the spool is open.
type gate uint8

const (
	gateClosed gate = iota // no recording yet
	gateArmed              // recording begun, the host asked to send
	gateOpen               // the host has confirmed
	gatePaused             // the host has said which frame was its last
	gateShut               // for good
)

// A session is one call's media, from CreateSession to Release.
type session struct {
	service *Service
	host    *host
	call    recorder.CallRef
	id      string // on the host
	log     *zap.Logger
	link    *link.Session // set before the session can be found

	turns    chan struct{} // one of Open, Seal and Release works at a time
	ending   chan struct{} // closed: Seal or Release wants its turn
	end      sync.Once
	ends     *ending       // set by the first Seal, in its turn
	speakers *rate.Limiter // of notes about who speaks
	viewer   viewer
	late     bool // the seal waits for the disk; guarded by Service.mu

	mu *sync.Mutex // the host's gates: guards what follows; see doc.go
	// What every frame touches, close together.
	gate      gate
	resumed   bool // the host had closed its own gate and is open again: the clock tells what is missing
	streams   Streams
	kind      frame.Kind // of the audio
	recording *spool.Recording
	line      *timeline.Timeline
	keyed     uint32 // a bit for each video socket: a key frame came
	holed     uint32 // and that something is missing behind it
	lost      *link.Loss
	first     uint64        // first frame that may be stored
	next      uint64        // next frame that is expected
	lastTime  int64         // media time of the last frame stored
	lastAt    time.Time     // when it came
	onTime    int           // frames that need no look at their time; see judge
	skipped   time.Duration // said to be missing, by its times, since the last frame
	stuckAt   time.Time     // since when every frame is refused
	// What few do.
	refusedAt time.Time    // when the last frame was
	last      uint64       // last frame of all, once paused
	lateSeq   uint64       // highest number of a frame that came in a pause; 0: none
	missing   uint64       // numbers passed over
	spoke     speakersNote // the latest word of who speaks
	looked    uint64       // who was heard below that number was looked for in the rosters
	held      uint64       // numbers that the host had before it attached us; see hold
	believed  int64        // ticks by which the line lets a time be ahead; see judge
	permit    recorder.Permit
	news      chan struct{} // closed, and replaced, when something here changes
	attached  bool
	hostShut  bool           // the host's own gate was closed when it attached us, and had been open
	shutBy    frame.GapCause // what has closed it
	hostNext  uint64         // the host's next number when it attached us
	failed    bool           // the call was told
	beginning bool           // the evidence is on its way to the disk
	cutAt     time.Time
	toldAt    time.Time // the host was told to send
	openedAt  time.Time
	closedAt  time.Time // the host closed the session
	wokenAt   time.Time // when something but a frame last said that frames flow
	quiet     bool      // nothing flows, and that was noted
	gapHeard  bool      // the host said that something is missing, and was believed
	announced []frame.Gap
	passed    []frame.Gap              // said to be missing by their times, behind the last frame
	spent     map[uint32]time.Duration // by source: announced as missing by times alone
	discarded [reasons]uint64
	report    *recorder.SealReport
	// Of a session that somebody had before; see takeover.go.
	left  *left
	part  int    // number of the recording within its call, from 1
	after string // the call's recording before it
	// Of one that has become long; see part.go.
	partBegan time.Time // when the recording that is open began; zero: when the gate opened
	parting   bool      // the next part is on its way
	joins     int64     // media time at which the audio of this part should begin; 0: it has, or nobody knows
	joint     string    // how the two join
	adopt     bool      // not attached yet: the evidence comes first
	// behind is the first frame that can come, by what was acknowledged before; 0:
	// nothing is known, or the host says.
	behind uint64
	from   uint64    // first frame to be stored; 0: the first that comes
	since  time.Time // what is to be stored begins here, by our clock; zero: when the gate opened
}

var _ link.Owner = (*session)(nil)

func newSession(s *Service, h *host, call recorder.CallRef, id string, streams Streams) *session {
	one := &session{
		service: s, host: h, mu: &h.gates, call: call, id: id, streams: streams, kind: streams.audio(),
		log:  h.log.With(zap.String("call", string(call.ID)), zap.String("session", id)),
		part: 1, joint: jointStart,
		turns: make(chan struct{}, 1), ending: make(chan struct{}), news: make(chan struct{}),
		line: timeline.New(), believed: math.MaxInt64, spent: make(map[uint32]time.Duration),
		speakers: newSpeakersLimit(),
	}
	one.viewer.begin(streams)
	return one
}

// turn waits for the session's other work to be over.
func (s *session) turn(ctx context.Context) (done func(), err error) {
	select {
	case s.turns <- struct{}{}:
		return func() { <-s.turns }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// tell wakes who awaits. Under mu.
func (s *session) tell() {
	close(s.news)
	s.news = make(chan struct{})
}

// await returns once cond, called under mu, holds, or with ctx's error. A
// permit that is withdrawn tells nobody, so cond is asked now and then.
func (s *session) await(ctx context.Context, cond func() bool) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		s.mu.Lock()
		ok, news := cond(), s.news
		s.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-news:
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// shut closes the gate for good and has the host stop. It is idempotent.
func (s *session) shut() {
	s.mu.Lock()
	if s.gate != gateShut {
		s.gate = gateShut
		s.tell()
	}
	s.mu.Unlock()
	s.link.Pause()
}

// fail tells the call, once, that it can't be recorded completely.
func (s *session) fail(cause recorder.Cause, detail string) {
	s.tellFailed(cause, detail)()
}

// tellFailed is fail without the log, which may hang: what it returns is called
// when everybody else was told.
func (s *session) tellFailed(cause recorder.Cause, detail string) (log func()) {
	s.mu.Lock()
	told := s.failed || s.report != nil
	s.failed = true
	s.mu.Unlock()
	if told {
		return func() {}
	}
	s.service.opts.Post(s.call.ID, recorder.MediaFailed{Cause: cause, Detail: detail})
	s.note("failed", detail)
	return func() {
		s.log.Error("recording can't go on", zap.String("cause", string(cause)), zap.String("detail", detail))
	}
}

// mediaEntry is the data of a journal entry of kind media.
type mediaEntry struct {
	What   string `json:"what"`
	Host   string `json:"host"`
	Detail string `json:"detail,omitempty"`
}

func (s *session) note(what, detail string) {
	s.service.opts.Note(recorder.Entry{
		Call: s.call.ID, At: time.Now(), Kind: recorder.EntryMedia, Data: mediaEntry{what, s.host.address, detail},
	})
}

// Attached implements link.Owner.
func (s *session) Attached(a link.Attached) {
	s.mu.Lock()
	s.attached, s.wokenAt = true, time.Now()
	if s.hostNext == 0 {
		s.hostNext = a.Next
	}
	s.hold(a.Oldest, a.Next)
	away := time.Since(s.cutAt) // means something where it was cut, and is attached again
	s.cutAt = time.Time{}
	recording := s.gate == gateOpen
	if !a.Open && (recording || s.interrupts(a.Oldest)) {
		s.hostIsShut(recording) // until it is open again, however many cuts that takes
	}
	lost := uint64(0)
	if !recording && s.hostShut && a.Oldest > 0 { // it holds what is to be recorded
		lost = s.openAt(a.Oldest)
	}
	behind := recording && a.Next < s.next
	s.tell()
	s.mu.Unlock()
	if a.Again {
		s.note("attachedAgain", "after "+away.Round(time.Millisecond).String())
	}
	switch {
	case behind:
		s.fail(recorder.CauseMediaLost, "the media host counts its frames anew")
	case recording: // so it was attached before
		s.lostByCut(a)
	}
	s.lostByDeath(lost)
	s.replan((*subscription.Plan).Attached)
}

// lostByCut records what the host had to drop while we were away.
func (s *session) lostByCut(a link.Attached) {
	upTo := a.Oldest
	if upTo == 0 {
		upTo = a.Next
	}
	s.mu.Lock()
	g := frame.Gap{Kind: s.streams.unclaimed(), FirstSeq: s.next, Cause: frame.CauseLink}
	if upTo > s.next {
		g.Count = upTo - s.next
	}
	s.mu.Unlock()
	if g.Count > 0 {
		s.heard(g)
	}
}

// Opened implements link.Owner. Only the first of a recording opens the gate.
func (s *session) Opened(first uint64) {
	s.lostByDeath(s.opens(first))
	s.replan(func(*subscription.Plan) {})
}

// opens returns how many frames were lost while nobody had the session.
func (s *session) opens(first uint64) (lost uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.gate {
	case gateArmed:
		lost = s.openAt(first)
	case gateOpen:
	case gateClosed, gatePaused, gateShut:
		return 0
	}
	// Where the host never closed its gate the numbers tell what is missing.
	s.resumed, s.hostShut = s.resumed || s.hostShut, false
	s.tell()
	return lost
}

// openAt opens the gate for the first frame that the host has, and returns how many
// it had to drop. Under mu.
func (s *session) openAt(first uint64) (lost uint64) {
	first = max(first, 1)
	if s.from > 0 {
		lost, first = first-min(s.from, first), s.from
	} else {
		// What the host had numbered when it attached us was taken before our Open, in
		// a pause or without consent, whatever it says now.
		first = max(first, s.hostNext)
	}
	s.gate, s.openedAt = gateOpen, time.Now()
	s.wokenAt = s.openedAt
	s.first, s.next = first, first
	s.line.Start(first)
	if s.kind == frame.MixedAudio {
		s.line.Expect(s.kind, 0)
	}
	return lost
}

// Paused implements link.Owner.
func (s *session) Paused(last uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gate != gateOpen {
		return
	}
	s.gate = gatePaused
	s.last = max(last, s.next-1) // what is stored was sent, whatever the host says
	if s.last-(s.next-1) > s.missable(time.Now()) {
		s.last, s.gate = 0, gateOpen // nonsense: what is missing then is told by the clock
		return
	}
	s.tell()
}

// Cut implements link.Owner.
func (s *session) Cut(detail string) {
	s.mu.Lock()
	s.attached, s.cutAt, s.stuckAt = false, time.Now(), time.Time{}
	s.tell()
	s.mu.Unlock()
	s.note("cut", detail)
}

// Lost implements link.Owner. What was admitted stays; the recorder decides.
func (s *session) Lost(loss link.Loss) {
	s.mu.Lock()
	s.attached, s.lost, s.closedAt = false, &loss, time.Now()
	over, sealed := s.gate == gateShut, s.report != nil
	s.tell()
	s.mu.Unlock()
	switch {
	case sealed:
		s.lostAfterSeal(loss)
		return
	case over:
		return
	}
	s.service.metrics.lost.WithLabelValues(loss.Reason.String()).Inc()
	s.note("lost", loss.Reason.String()+": "+loss.Detail)
	if loss.Reason == link.LossClosed {
		s.service.opts.Post(s.call.ID, recorder.MediaClosed{Detail: loss.Detail})
		return
	}
	s.fail(recorder.CauseMediaLost, loss.Reason.String()+": "+loss.Detail)
}

// lostAfterSeal tells a call that is kept without being recorded that it can't be
// recorded again. One that is on its way out has no use for it.
func (s *session) lostAfterSeal(loss link.Loss) {
	detail := loss.Reason.String() + ": " + loss.Detail
	s.note("lost", detail)
	var ev recorder.Event = recorder.MediaFailed{Cause: recorder.CauseMediaLost, Detail: detail}
	if loss.Reason == link.LossClosed {
		ev = recorder.MediaClosed{Detail: loss.Detail}
	}
	s.service.opts.Post(s.call.ID, ev)
}

// stuck reports that the session is open, and that for too long frames have come and
// all of them were refused. What is sent again behind a cut is refused too, but at
// once.
func (s *session) stuck() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gate == gateOpen && s.attached && !s.failed && !s.stuckAt.IsZero() && s.refusedAt.Sub(s.stuckAt) > stuckLimit
}

// discards returns the counts by reason. Under mu.
func (s *session) discards() map[string]uint64 {
	m := map[string]uint64{}
	for r, n := range s.discarded {
		if n > 0 {
			m[reason(r).String()] = n
		}
	}
	return m
}

// refused returns how many frames were refused in all. Under mu.
func (s *session) refused() (n uint64) {
	for _, one := range s.discarded {
		n += one
	}
	return n
}

// isTimeout reports whether err is a deadline that has passed.
func isTimeout(err error) bool { return errors.Is(err, context.DeadlineExceeded) }
