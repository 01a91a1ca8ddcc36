package media

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/recorderbot/recorderbot/internal/media/frame"
	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/media/subscription"
	"github.com/recorderbot/recorderbot/internal/media/timeline"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// partLimit is how long a call waits for the evidence of its next part. Where the disk
// is slower the part that is open grows.
const partLimit = 2 * time.Second

// manyTracks is how many tracks a recording has before its call goes on in another: of
// a town hall hundreds speak, and each track is as long as the recording.
const manyTracks = 32

// The sound of a recording is laid out by its samples, what is seen by its times: where
// the two drift apart by offMost, the call goes on in another recording, in which they
// begin together again. Nothing is moved, left out or made up for it.
const offMost = 25 * time.Millisecond // less than a picture lasts

// leastPart is how long a part is that ends for what the host sends, so that no host makes
// recordings without end; how many tracks it may have meanwhile is bounded at the gate.
const leastPart = 10 * time.Second

// parts ends recordings that have become long, or broad, or off, one of each call: a call
// of a day is archived while it goes on, and no more of it than a part is ever in memory,
// or in the spool, as long as the archive keeps up.
func (s *Service) parts(now time.Time) {
	for _, one := range s.all() {
		one.mu.Lock()
		lasted := now.Sub(one.partAt())
		long := s.opts.PartLength > 0 && lasted >= s.opts.PartLength
		broad, off := one.line.Tracks() >= manyTracks, one.line.Adrift() >= int64(offMost/100)
		due := one.gate == gateOpen && !one.parting && !one.failed && (long || lasted >= leastPart && (broad || off))
		one.parting = one.parting || due
		one.mu.Unlock()
		if !due {
			continue
		}
		s.mu.Lock()
		if !s.closed {
			s.owned.Go(func() { one.nextPart(s.late.ctx) })
		}
		s.mu.Unlock()
	}
}

// partAt is when the recording that is open began. Under mu.
func (s *session) partAt() time.Time {
	if s.partBegan.IsZero() {
		return s.openedAt
	}
	return s.partBegan
}

// nextPart ends the recording before the next frame, which is the first of another
// recording under the same permit: the call goes on, and not a frame lies between. In
// this order: the evidence is durable for the new recording, frames go there, the old
// one is sealed, the call is told. If we die in between, the next start finds two
// recordings without a seal, or one whose successor nobody was told of, and knows by
// their order what to do, as after a takeover.
func (s *session) nextPart(ctx context.Context) {
	defer func() {
		s.mu.Lock()
		s.parting = false
		s.mu.Unlock()
	}()
	ask, cancel := context.WithTimeout(ctx, partLimit)
	defer cancel()
	done, err := s.turn(ask)
	if err != nil {
		return // whoever has the turn ends the recording
	}
	defer done()
	next, err := s.beginPart(ask)
	if err != nil {
		s.log.Warn("a long recording goes on without a new part; it is tried again", zap.Error(err))
		return
	}
	s.goOnIn(ctx, next)
}

// goOnIn has frames go to the new recording, seals the old one, and tells the call. It is
// inside a turn.
func (s *session) goOnIn(ctx context.Context, next *spool.Recording) {
	p, ok := s.changeOver(next)
	if !ok { // the gate has closed: the new recording is empty, and nobody's
		_, err := next.Seal(ctx, spool.Seal{Cause: sealUnused})
		// What could not be sealed is not released: the next start finds it.
		if err = errors.Join(err, s.service.opts.Spool.Release(next.ID())); err != nil {
			s.log.Warn("an unused part stays in the spool", zap.Error(err))
		}
		return
	}
	s.replan(func(*subscription.Plan) {})
	report, err := s.sealPart(ctx, p)
	if err != nil {
		// The disk hangs for good, or we are closing: the next start seals it.
		s.log.Error("a part of a recording is not sealed", zap.String("recording", p.old.ID()), zap.Error(err))
		return
	}
	opened := recorder.Opened{Recording: next.ID(), FirstSeq: p.first, At: p.at, Previous: &report}
	s.service.opts.Note(recorder.Entry{Call: s.call.ID, At: time.Now(), Kind: recorder.EntryOpened, Data: opened})
	s.service.opts.Post(s.call.ID, recorder.MediaOpened{Opened: opened})
	s.log.Info("recording goes on in a new part", zap.String("recording", next.ID()), zap.String("continues", p.old.ID()), zap.Uint64("firstSeq", p.first))
}

// beginPart makes the evidence durable for another recording. It is inside a turn.
func (s *session) beginPart(ctx context.Context) (*spool.Recording, error) {
	info := s.host.link.State().Info
	s.mu.Lock()
	if s.gate != gateOpen || s.isOver() {
		s.mu.Unlock()
		return nil, ErrEnding
	}
	permit, first, old := s.permit, s.next, s.recording.ID()
	s.mu.Unlock()
	m := s.describe(info.HostID, info.Epoch, info.SDKVersion)
	m.FirstSeq, m.Part, m.Continues, m.Joint = first, s.part+1, old, jointPart
	data, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("describe the part: %w", err)
	}
	r, err := s.service.opts.Spool.Begin(ctx, permit, uuid.NewString(), data)
	if err != nil {
		return nil, fmt.Errorf("make the permit durable for the next part: %w", err)
	}
	r.Value = s.link
	return r, nil
}

// isOver reports that the end was asked for. Under mu.
func (s *session) isOver() bool {
	select {
	case <-s.ending:
		return true
	default:
		return s.lost != nil || !s.permit.Live()
	}
}

// A parting is what there is of a recording that goes on in another.
type parting struct {
	old     *spool.Recording
	sum     timeline.Summary
	first   uint64 // of the new one; what is below is the old one's
	from    uint64 // first frame of the old one
	began   time.Time
	at      time.Time
	discard map[string]uint64
}

// changeOver makes the new recording the one that takes frames: between two frames, so
// that each is in one of them. It reports false, and changes nothing, where the gate is
// not open any more.
func (s *session) changeOver(next *spool.Recording) (p parting, ok bool) {
	s.write(func(b *spool.Batch) {
		if s.gate != gateOpen || s.isOver() {
			return
		}
		now := time.Now()
		data, err := json.Marshal(openedNote{s.next, now})
		if err != nil || !b.Note(next, noteOpenedKind, data) {
			return // a number and a time always marshal
		}
		s.speakOn(b, next)
		p = parting{s.recording, s.goesOn(), s.next, s.first, s.partAt(), now, s.discards()}
		s.since, s.joins = s.accounted(now)
		s.recording, s.line, s.first = next, timeline.New(), s.next
		s.line.Start(s.next)
		if s.kind == frame.MixedAudio {
			s.line.Expect(s.kind, 0)
		}
		for _, g := range s.announced { // what is to come and never will is the new one's
			if end := g.FirstSeq + g.Count; end > s.next {
				s.keepGap(b, g.Behind(s.next))
			}
		}
		for _, g := range s.passed { // so is what was skipped right before it
			if !s.isBehind(g) {
				s.keepGap(b, g)
			}
		}
		s.part, s.after, s.joint = s.part+1, p.old.ID(), jointPart
		s.partBegan = now
		s.held, s.missing, s.believed, s.onTime = 0, 0, math.MaxInt64, 0
		clear(s.spent)
		s.holed = allSockets // what comes next refers to pictures of the old one
		ok = true
	})
	return p, ok
}

// sealPart seals what goes on in another recording. It waits for the disk.
func (s *session) sealPart(ctx context.Context, p parting) (recorder.SealReport, error) {
	last := p.first - 1
	samples, missing := totals(p.sum)
	data, err := json.Marshal(sealMeta{FirstSeq: p.from, LastSeq: last, Samples: samples, GapSamples: missing, Discarded: p.discard})
	if err != nil {
		return recorder.SealReport{}, fmt.Errorf("describe the seal: %w", err)
	}
	sealed, err := p.old.Seal(ctx, spool.Seal{LastSeq: last, Cause: sealContinued, Meta: data})
	if err != nil {
		return recorder.SealReport{}, err
	}
	s.countGaps(p.sum)
	return recorder.SealReport{
		Recording: p.old.ID(), Frames: sealed.Frames, LastSeq: last, At: sealed.At, FirstAt: p.began, LastAt: p.at,
		Samples: uint64(samples), GapSamples: uint64(missing), GapFrames: framesLost(p.sum), //nolint:gosec // G115: never negative
	}, nil
}
