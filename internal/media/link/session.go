package link

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/link/mediahostv1"
)

// Attached is the host's word on a session that this link has now.
type Attached struct {
	Oldest uint64 // oldest frame that the host still holds; 0 if none
	Next   uint64 // number of the next new frame
	Open   bool   // frames are flowing
	Again  bool   // the session had been attached before: a cut is over
}

// LossReason says why a session is lost.
type LossReason uint8

// The reasons.
const (
	LossCut      LossReason = iota + 1 // no attachment for longer than can be bridged
	LossEpoch                          // the host's process is another one now
	LossRefused                        // the host did not let us attach
	LossDetached                       // someone with a higher lease took it
	LossFailure                        // the sockets are lost
	LossClosed                         // closed in good order, as at the call's end
	LossShutdown                       // closed because the host stops, or nobody had attached in time
	LossReset                          // the host counts its frames anew
)

// String is the reason as a metric's label.
func (r LossReason) String() string {
	switch r {
	case LossCut:
		return "cut"
	case LossEpoch:
		return "epoch"
	case LossRefused:
		return "refused"
	case LossDetached:
		return "detached"
	case LossFailure:
		return "failure"
	case LossClosed:
		return "closed"
	case LossShutdown:
		return "shutdown"
	case LossReset:
		return "reset"
	}
	return "unknown"
}

// A Loss is the end of a session that its owner did not ask for.
type Loss struct {
	Reason LossReason
	Detail string // for people; no content
}

// An Owner is told what happens to its session. The methods must not block for
// long: the host's other sessions wait. All but Cut and Lost come from the
// link's reader, in the order in which the host said it.
type Owner interface {
	Attached(a Attached)
	// Opened: frames may follow, none before firstSeq. It may come again after
	// a cut, where the host had closed its gate.
	Opened(firstSeq uint64)
	// Paused: no frame follows, and lastSeq was the last one sent.
	Paused(lastSeq uint64)
	// Gap: what it names will never come. It may come before or after the
	// frames around it.
	Gap(g frame.Gap)
	// Speakers: who speaks from beforeSeq on has changed.
	Speakers(beforeSeq uint64, sources []uint32, dominant uint32)
	// ReceiveStatus: a video socket, or that of the screen, can be subscribed, or can't
	// any more: then what was subscribed is no longer.
	ReceiveStatus(socket uint8, screen, active bool)
	// Subscribed: what came of a Subscribe. detail is empty where it was done, else for
	// people.
	Subscribed(socket uint8, source uint32, detail string)
	// Cut: the stream broke; the link is trying to attach again.
	Cut(detail string)
	// Lost: nothing more will come. It is the last call.
	Lost(loss Loss)
}

// want is what a session's owner has asked for.
type want uint8

const (
	wantAttached want = iota
	wantOpen
	wantPaused
)

// A Session is one call's sockets, as seen from this link.
type Session struct {
	link  *Link
	id    string
	owner Owner

	// Guarded by link.mu.
	want     want
	asked    bool            // the host was told what is wanted, in this attachment
	settled  bool            // the host has confirmed what is wanted
	opens    int             // Open that are not answered, in this attachment
	pauses   int             // Pause that are not answered, in this attachment
	heard    []chan struct{} // closed when every Pause of this attachment is answered
	handle   uint32          // under which Attach was sent on this connection; 0: none
	lease    uint64          // of the last Attach
	attached bool            // the host has confirmed the Attach
	again    bool            // it was attached before
	since    time.Time       // without attachment since; zero while attached
	retries  int             // of an Attach under a handle that the host had in use
	over     bool            // detached or lost: nothing is told any more
	fresh    bool            // adopted, and what the host holds is nobody's

	ackAs atomic.Uint32 // handle to acknowledge under; 0 while not attached

	// The way of acknowledgements; guarded by link.acks.mu.
	durable  uint64 // last frame on stable storage
	firstAt  int64  // when the first one was, Unix ns
	lastAt   int64  // when the last one was, Unix ns
	dirty    bool   // on the list of acknowledgements to be sent
	sending  uint64 // what the message under way says
	ackedSeq uint64 // last frame whose acknowledgement was sent
}

// Attach takes an adopted session onto its link, away from whoever had it: at once
// where the link is up, else as soon as it is.
func (s *Session) Attach() error {
	l := s.link
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case s.over:
		return fmt.Errorf("attach session %s: given up already", s.id)
	case l.sessions[s.id] != nil:
		return fmt.Errorf("attach session %s: attached already", s.id)
	case len(l.sessions) >= maxSessions/2:
		return fmt.Errorf("attach session %s: %w", s.id, ErrFull)
	}
	s.since = time.Now()
	l.take(s)
	return nil
}

// Lease is the lease under which the session was last attached.
func (s *Session) Lease() uint64 {
	s.link.mu.Lock()
	defer s.link.mu.Unlock()
	return s.lease
}

// ID is the session's name.
func (s *Session) ID() string { return s.id }

// Open asks the host to send. Opened tells when it has; after a cut the link
// asks again by itself.
func (s *Session) Open() { s.ask(wantOpen) }

// Pause asks the host to stop. Paused tells when it has.
func (s *Session) Pause() { s.ask(wantPaused) }

func (s *Session) ask(w want) {
	s.link.mu.Lock()
	defer s.link.mu.Unlock()
	if s.over || (s.want == w && (s.settled || s.asked)) {
		return
	}
	s.want, s.asked, s.settled = w, false, false
	if s.attached {
		s.send()
	}
}

// send tells the host what is wanted. Under link.mu.
func (s *Session) send() {
	s.asked = true
	switch s.want {
	case wantOpen:
		s.opens++
		s.link.send(&mediahostv1.ToHost{Message: &mediahostv1.ToHost_Open{Open: &mediahostv1.Open{Handle: s.handle}}})
	case wantPaused:
		s.pauses++
		s.link.send(&mediahostv1.ToHost{Message: &mediahostv1.ToHost_Pause{Pause: &mediahostv1.Pause{Handle: s.handle}}})
	case wantAttached:
	}
}

// Heard returns once the host has read all that was sent for this session
// before, acknowledgements included: messages of one direction keep their order,
// so one more Pause is asked, and its answer is the proof. It returns at once
// where the session is not attached or not paused, and with ctx's error where
// the host is silent.
func (s *Session) Heard(ctx context.Context) error {
	s.link.mu.Lock()
	if s.over || !s.attached || s.want != wantPaused {
		s.link.mu.Unlock()
		return nil
	}
	heard := make(chan struct{})
	s.heard = append(s.heard, heard)
	s.send()
	s.link.mu.Unlock()
	select {
	case <-heard:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// allHeard tells those who wait in Heard. Under link.mu.
func (s *Session) allHeard() {
	for _, c := range s.heard {
		close(c)
	}
	s.heard = nil
}

// Detach gives the session up. Its owner hears nothing any more. The sockets
// stay until Link.StopSession.
func (s *Session) Detach() {
	l := s.link
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.over {
		return
	}
	if s.attached {
		l.send(&mediahostv1.ToHost{Message: &mediahostv1.ToHost_Detach{Detach: &mediahostv1.Detach{Handle: s.handle}}})
	}
	l.drop(s)
}

// Attached reports whether the session is attached now.
func (s *Session) Attached() bool {
	s.link.mu.Lock()
	defer s.link.mu.Unlock()
	return s.attached && !s.over
}

// Durable notes that all frames up to seq are on stable storage since now (Unix
// ns). Between Link.BeginAcks and Link.EndAcks only.
func (s *Session) Durable(seq uint64, now int64) {
	if seq <= s.durable {
		return
	}
	if s.firstAt == 0 {
		s.firstAt = now
	}
	s.durable, s.lastAt = seq, now
	s.link.acks.mark(s)
}

// DurableSeq returns the last frame that Durable was told of.
func (s *Session) DurableSeq() uint64 {
	s.link.acks.mu.Lock()
	defer s.link.acks.mu.Unlock()
	return s.durable
}

// DurableTimes returns when the first and the last frame became durable; zero
// where none has.
func (s *Session) DurableTimes() (first, last time.Time) {
	s.link.acks.mu.Lock()
	defer s.link.acks.mu.Unlock()
	if s.firstAt == 0 {
		return time.Time{}, time.Time{}
	}
	return time.Unix(0, s.firstAt), time.Unix(0, s.lastAt)
}
