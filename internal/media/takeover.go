package media

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/link"
	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// How a recording joins the one before it in its call.
const (
	jointStart    = "start"    // there is none
	jointPause    = "pause"    // an operator paused the call
	jointTakeover = "takeover" // its process died, or handed over: not a frame lies between
	jointPart     = "part"     // it had become long: not a frame lies between
)

// sealContinued: the recording ends here because its process did, and another one
// goes on with the next frame.
const sealContinued = "continued"

// A Left is what a dead process has left of a call's media.
type Left struct {
	Call    recorder.CallRef
	Session *recorder.Session // nil: none was made, as far as anybody knows
	// Recordings are those of the call that the spool holds without a seal, oldest
	// first. There is more than one where a process died while it took over.
	Recordings []spool.Info
	Parts      int       // recordings of the call before those
	After      string    // the last of them
	AfterAt    time.Time // when its last frame was durable
	AfterSeq   uint64    // that frame; 0: none
	Until      time.Time // when the call was over for everybody; zero: it may live
	// Seen is when the dead process was last known to live, by the clock that its
	// leases came from.
	Seen time.Time
	// Paused: the call is kept without being recorded, perhaps for long, so the session
	// is attached at once: a host disposes of one that nobody has.
	Paused bool
}

// left is a Left in the service's keeping.
type left struct {
	Left

	session recorder.Session
	host    *host // nil: there is no session, or its host is not configured any more
	late    bool  // the seal waits for the disk; guarded by Service.mu

	mu       sync.Mutex // held while it is sealed, so that this happens once
	sealed   *recorder.SealReport
	measures sync.Once
	measured chan struct{} // closed: exact is known, or will never be
	exact    map[string]recorder.SealReport
}

// Adopt takes what a dead process has left of a call into this one's keeping:
// Open goes on with it, under the new permit that it is given; Seal seals it where
// that never comes. Until then the host holds what was not acknowledged, and
// nothing is asked of it.
func (s *Service) Adopt(l Left) {
	kept := &left{Left: l, measured: make(chan struct{})}
	if l.Session != nil {
		kept.session = *l.Session
		kept.host = s.hostOf(*l.Session)
	}
	s.mu.Lock()
	s.left[l.Call.ID] = kept
	s.mu.Unlock()
	if !l.Paused || kept.host == nil || len(l.Recordings) > 0 {
		return
	}
	one, err := s.ready(l.Call.ID)
	if err == nil {
		one.adopt = false // no Open waits for the attachment
		one.link.Pause()  // the dead process may not have come to it
		err = one.link.Attach()
	}
	if err != nil {
		s.log.Error("the media session of a paused call is not attached; resuming will fail", zap.String("call", string(l.Call.ID)), zap.Error(err))
	}
}

// hostOf finds a session's host by where it was reached, else by its name.
func (s *Service) hostOf(session recorder.Session) *host {
	for _, h := range s.hosts {
		if session.Address != "" && h.address == session.Address {
			return h
		}
	}
	for _, h := range s.hosts {
		if id := h.link.State().Info.HostID; id != "" && id == session.Host {
			return h
		}
	}
	return nil
}

// ready returns the session in which the call can be recorded now: the one that
// was placed, or, where a recording of it was sealed (a pause) or its process has
// died, one that stands for the same sockets anew.
func (s *Service) ready(call recorder.CallID) (*session, error) {
	s.mu.Lock()
	one, l := s.sessions[call], s.left[call]
	s.mu.Unlock()
	var next *session
	switch {
	case one != nil && !one.isSealed():
		return one, nil
	case one != nil:
		next = s.renew(one)
	case l == nil:
		return nil, ErrUnknownCall
	case l.host == nil:
		return nil, fmt.Errorf("%w: it was on media host %q (%s), which is not configured any more", ErrUnknownCall, l.session.Host, l.session.Address)
	default:
		next = s.adopted(l)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions[call] != one {
		return nil, ErrEnding // released, or another Open was first
	}
	if one == nil {
		s.metrics.sessions.Inc()
	}
	s.sessions[call] = next
	return next, nil
}

func (s *session) isSealed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.report != nil
}

// renew makes a session for the next recording of a call that was paused. Whatever
// the host still holds of the pause is not asked for, and not taken.
func (s *Service) renew(one *session) *session {
	next := newSession(s, one.host, one.call, one.id, one.streams)
	next.adopt, next.joint = true, jointPause
	one.mu.Lock()
	next.part, next.after = one.part+1, one.report.Recording
	if next.after == "" { // it never came to a recording
		next.part, next.after, next.joint = one.part, one.after, one.joint
	}
	late := one.lateSeq
	one.mu.Unlock()
	one.viewer.succeed(&next.viewer)
	one.link.Detach()
	// What is durable was acknowledged, and must not be asked for again: what comes has
	// higher numbers.
	next.behind = max(one.link.DurableSeq(), late) + 1
	next.link = one.host.link.Adopt(one.id, next, link.Hold{FromSeq: one.link.DurableSeq() + 1, Fresh: true, Lease: one.link.Lease()})
	return next
}

// adopted makes a session for a call that another process was recording.
func (s *Service) adopted(l *left) *session {
	next := newSession(s, l.host, l.Call, l.session.ID, s.streamsFrom(l.session.Streams))
	next.adopt, next.left = true, l
	next.part, next.after, next.joint = l.Parts+len(l.Recordings)+1, l.After, jointStart
	if l.Parts > 0 {
		next.joint = jointPause
	}
	hold := link.Hold{FromSeq: l.AfterSeq + 1, Fresh: len(l.Recordings) == 0, Lease: leaseAt(l.Seen)}
	durable := l.durable()
	for i, info := range l.Recordings {
		next.after, next.joint, next.since = info.ID, jointTakeover, durable[i]
		if info.Frames > 0 {
			hold.FromSeq = info.LastSeq + 1
		}
		hold.Lease = max(hold.Lease, leaseAt(info.LastAt))
	}
	next.from = l.next()
	next.link = l.host.link.Adopt(l.session.ID, next, hold)
	return next
}

// next is the first frame that is not on stable storage and was to be recorded; 0:
// none was. Where nothing of a recording is durable, what the host holds no more of it
// is missing: it began behind the recordings before it, whatever was foretold.
func (l Left) next() (seq uint64) {
	for _, info := range l.Recordings {
		switch {
		case info.Frames > 0:
			seq = info.LastSeq + 1
		case seq == 0:
			seq = max(firstSeq(info), l.AfterSeq+1)
		}
	}
	return seq
}

// interrupts reports that the session goes on with a recording that has frames, be it
// that only the host still holds them. A host that does not send any more was asked to pause, by a process that died before the
// platform heard of it: who is in the call believes to be recorded, so what it still
// holds belongs here, and the time until it sends again is missing. Under mu.
func (s *session) interrupts(oldest uint64) bool {
	if s.gate != gateArmed || s.left == nil || s.from == 0 {
		return false
	}
	return oldest >= s.from || slices.ContainsFunc(s.left.Recordings, func(i spool.Info) bool { return i.Frames > 0 })
}

// hostIsShut notes that the host has closed its own gate, and why. Under mu.
func (s *session) hostIsShut(recording bool) {
	switch {
	case s.hostShut:
	case recording:
		s.hostShut, s.shutBy = true, frame.CauseLink
	default:
		s.hostShut, s.shutBy = true, frame.CauseCrash
		// By our clock; a frame that the host still holds tells it better.
		s.lastTime = frame.Ticks(s.since) - frame.TicksPerFrame
	}
}

// lostByDeath records what the host could not hold for as long as nobody had the
// session.
func (s *session) lostByDeath(lost uint64) {
	if lost > 0 {
		s.heard(frame.Gap{Kind: s.streams.unclaimed(), FirstSeq: s.from, Count: lost, Cause: frame.CauseCrash})
	}
}

// began is when what is to be stored begins, by our clock. Under mu.
func (s *session) began() time.Time {
	if s.since.IsZero() {
		return s.openedAt
	}
	return s.since
}

// leaseAt is the highest lease that a process can have used whose clock said t:
// leases follow the clock, in milliseconds.
func leaseAt(t time.Time) uint64 { return uint64(max(t.UnixMilli(), 0)) }

// awaitHost waits until the host has the session, or, where the session is to be
// attached later, can be reached.
func (s *session) awaitHost(ctx context.Context) error {
	if !s.adopt {
		return s.awaitAttached(ctx)
	}
	tick := time.NewTicker(hostEvery)
	defer tick.Stop()
	for !s.host.link.State().Up {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting for the media host: %w", link.ErrDown)
		}
	}
	return nil
}

const hostEvery = 20 * time.Millisecond

// goOn seals what a dead process has left, now that its next frame is this
// session's. If we crash before, the next start finds two recordings without a
// seal and knows by their order what to do.
func (s *session) goOn(ctx context.Context) *recorder.SealReport {
	if s.left == nil || len(s.left.Recordings) == 0 {
		return nil
	}
	report, err := s.service.sealLeft(ctx, s.left, true)
	if err != nil {
		s.log.Error("what a dead process has left is not sealed yet", zap.Error(err))
		return nil
	}
	return report
}

// durable is until when each of the recordings is on stable storage, by our clock. One
// that goes on with another, and has no frame of its own, has nothing later than that
// one: the time between them was nobody's.
func (l Left) durable() []time.Time {
	at, before := make([]time.Time, len(l.Recordings)), l.AfterAt
	for i, info := range l.Recordings {
		at[i] = info.LastAt
		var m meta
		goesOn := json.Unmarshal(info.Meta, &m) == nil && (m.Joint == jointTakeover || m.Joint == jointPart)
		if goesOn && info.Frames == 0 && !before.IsZero() && before.Before(at[i]) {
			at[i] = before
		}
		before = at[i]
	}
	return at
}

// announced is how much a recording without frames says to be missing by numbers.
func (s *Service) announced(id string) (length time.Duration, err error) {
	for r, err := range s.opts.Spool.Read(id) {
		var damage *spool.DamageError
		switch {
		case errors.As(err, &damage):
		case err != nil:
			return 0, fmt.Errorf("read what recording %s misses: %w", id, err)
		case r.Type == spool.GapType:
			length += time.Duration(min(r.Gap.Count, maxGap)) * frameLength
		}
	}
	return length, nil
}

// sealLeft seals what a dead process has left: where the next process goes on, at
// its last frame; else with the time from there until the call's end missing.
func (s *Service) sealLeft(ctx context.Context, l *left, goesOn bool) (*recorder.SealReport, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sealed != nil {
		return l.sealed, nil
	}
	var before *recorder.SealReport
	until := l.Until
	if until.IsZero() {
		until = time.Now()
	}
	durable := l.durable()
	infos := slices.Clone(l.Recordings)
	for i := range infos {
		if durable[i].Before(infos[i].LastAt) {
			said, err := s.announced(infos[i].ID)
			if err != nil {
				return nil, err
			}
			infos[i].LastAt = durable[i].Add(said)
		}
	}
	for i, e := range Endings(infos, until, goesOn) {
		sealed, err := s.opts.Spool.SealRecovered(ctx, e.Recording, e.Seal)
		if err != nil {
			return nil, fmt.Errorf("seal recording %s: %w", e.Recording, err)
		}
		report := e.Report
		report.At, report.LastAt, report.Previous = sealed.At, l.Recordings[i].LastAt, before
		before = &report
	}
	l.sealed = before
	if goesOn {
		l.measures.Do(func() { s.measure(l) })
	}
	return before, nil
}

func firstSeq(info spool.Info) uint64 {
	var m meta
	if json.Unmarshal(info.Meta, &m) != nil {
		return 0
	}
	return m.FirstSeq
}

// Parts sorts the unsealed recordings of one call as Left wants them.
func Parts(infos []spool.Info) []spool.Info {
	return slices.SortedFunc(slices.Values(infos), func(a, b spool.Info) int { return cmp.Compare(a.Serial, b.Serial) })
}
