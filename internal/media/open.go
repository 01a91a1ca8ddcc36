package media

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/recorderbot/recorderbot/internal/media/link"
	"github.com/recorderbot/recorderbot/internal/media/spool"
	"github.com/recorderbot/recorderbot/internal/recorder"
)

// meta is what the spool keeps beside the permit: enough to archive the
// recording without us.
type meta struct {
	Call       recorder.CallID `json:"call"`
	Tenant     string          `json:"tenant"`
	Host       string          `json:"host"`
	HostEpoch  string          `json:"hostEpoch"`
	SDKVersion string          `json:"sdkVersion"`
	Session    string          `json:"session"`
	Audio      string          `json:"audio"`
	Cameras    int             `json:"cameras,omitempty"` // at a time
	Screen     bool            `json:"screen,omitempty"`
	FirstSeq   uint64          `json:"firstSeq"` // as the host foretold it; the note "opened" has the last word
	// Of the recordings of one call: this one's number, from 1, the one before it, and
	// how they join.
	Part      int    `json:"part"`
	Continues string `json:"continues,omitempty"`
	Joint     string `json:"joint"`
}

const noteOpenedKind = "opened"

// openedNote is the data of the note "opened".
type openedNote struct {
	FirstSeq uint64    `json:"firstSeq"`
	At       time.Time `json:"at"`
}

// Open implements recorder.Media. In this order: the host has the session, the
// evidence is durable, the host is told to send, the host confirms, the gate
// opens. If we die in between, the spool has a permit without frames.
//
// An error that wraps context.DeadlineExceeded means that the host did not
// answer in time.
func (s *Service) Open(ctx context.Context, permit recorder.Permit) (recorder.Opened, error) {
	evidence, err := permit.Evidence()
	if err != nil {
		return recorder.Opened{}, fmt.Errorf("open media: %w", err)
	}
	one, err := s.ready(evidence.Call)
	if err != nil {
		return recorder.Opened{}, fmt.Errorf("open media of call %s: %w", evidence.Call, err)
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, openLimit)
	defer cancel()
	ctx, give := context.WithCancelCause(ctx)
	defer give(nil)
	go func() {
		select {
		case <-one.ending:
			give(ErrEnding) // the seal must not wait for us
		case <-ctx.Done():
		}
	}()
	done, err := one.turn(ctx)
	if err != nil {
		return recorder.Opened{}, fmt.Errorf("open media of call %s: %w", evidence.Call, err)
	}
	defer done()
	opened, err := one.open(ctx, permit)
	if err != nil {
		// Whatever the host says from here on, the gate stays shut.
		one.shut()
		return recorder.Opened{}, fmt.Errorf("open media of call %s: %w", evidence.Call, err)
	}
	s.metrics.open.Observe(time.Since(began).Seconds())
	opened.Previous = one.goOn(ctx)
	one.log.Info("recording", zap.String("recording", opened.Recording), zap.Uint64("firstSeq", opened.FirstSeq))
	return opened, nil
}

// open works inside a turn.
func (s *session) open(ctx context.Context, permit recorder.Permit) (recorder.Opened, error) {
	if err := s.awaitHost(ctx); err != nil {
		return recorder.Opened{}, err
	}
	if s.isEnding() {
		return recorder.Opened{}, ErrEnding
	}
	if err := s.begin(ctx, permit); err != nil {
		return recorder.Opened{}, err
	}
	if s.isEnding() {
		return recorder.Opened{}, ErrEnding // what was begun is sealed as it is: empty
	}
	s.mu.Lock()
	s.toldAt = time.Now()
	s.mu.Unlock()
	s.link.Open()
	if s.adopt { // what the host holds comes with the attachment: the gate is armed by now
		if err := s.host.takeOver(s); err != nil {
			return recorder.Opened{}, err
		}
	}
	err := s.awaitOr(ctx, func() bool { return s.gate != gateArmed && !s.hostShut })
	s.mu.Lock()
	opened := recorder.Opened{FirstSeq: s.first, At: s.openedAt, Recording: s.recording.ID()}
	open, attached := s.gate == gateOpen && !s.hostShut, s.attached
	s.mu.Unlock()
	switch {
	case open:
		s.noteOpened(ctx, opened)
		return opened, nil
	case isTimeout(err) && attached:
		return recorder.Opened{}, fmt.Errorf("the media host did not confirm Open: %w", err)
	case isTimeout(err):
		return recorder.Opened{}, fmt.Errorf("waiting for Opened: %w", link.ErrDown)
	case err != nil:
		return recorder.Opened{}, err
	}
	return recorder.Opened{}, ErrEnding
}

// isEnding reports that nothing may be opened any more: a seal or release waits
// for its turn, or has had it.
func (s *session) isEnding() bool {
	select {
	case <-s.ending:
		return true
	default:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gate == gateShut
}

// awaitAttached waits until the host has the session.
func (s *session) awaitAttached(ctx context.Context) error {
	err := s.awaitOr(ctx, func() bool { return s.attached })
	switch {
	case isTimeout(err) && !s.host.link.State().Up:
		return fmt.Errorf("waiting for the media host: %w", link.ErrDown)
	case isTimeout(err):
		return fmt.Errorf("the media host did not confirm Attach: %w", err)
	}
	return err
}

// awaitOr is await that ends early where the session is lost or its gate shut.
func (s *session) awaitOr(ctx context.Context, cond func() bool) error {
	var lost *link.Loss
	err := s.await(ctx, func() bool {
		lost = s.lost
		return lost != nil || s.gate == gateShut || cond()
	})
	switch {
	case lost != nil:
		return fmt.Errorf("%w: %v: %s", ErrLost, lost.Reason, lost.Detail)
	case err != nil && errors.Is(context.Cause(ctx), ErrEnding):
		return ErrEnding
	}
	return err
}

// begin makes the evidence durable and arms the gate.
func (s *session) begin(ctx context.Context, permit recorder.Permit) error {
	info := s.host.link.State().Info
	known := s.describe(info.HostID, info.Epoch, info.SDKVersion)
	s.mu.Lock()
	known.FirstSeq = max(s.hostNext, s.from, s.behind, 1)
	known.Part, known.Continues, known.Joint = s.part, s.after, s.joint
	again := s.recording != nil
	s.mu.Unlock()
	if again {
		return errors.New("a recording was begun already")
	}
	data, err := json.Marshal(known)
	if err != nil {
		return fmt.Errorf("describe the recording: %w", err)
	}
	s.setBeginning(true)
	recording, err := s.service.opts.Spool.Begin(ctx, permit, uuid.NewString(), data)
	s.setBeginning(false)
	if err != nil {
		switch {
		case errors.Is(err, recorder.ErrNotPermitted):
		case ctx.Err() == nil:
			s.fail(recorder.CauseStorageFailed, err.Error())
		case isTimeout(err) && s.service.opts.Spool.Stalled() > hangsAtOpen:
			// At once, before our caller says that it was the host.
			s.tellFailed(recorder.CauseStorageFailed, err.Error())()
		}
		return fmt.Errorf("make the permit durable: %w", err)
	}
	recording.Value = s.link
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recording, s.permit = recording, permit
	if s.gate == gateClosed {
		s.gate = gateArmed
	}
	return nil
}

// describe is what is the same of all of the session's recordings.
func (s *session) describe(host, epoch, sdk string) meta {
	return meta{
		Call: s.call.ID, Tenant: s.call.Tenant, Host: host, HostEpoch: epoch, SDKVersion: sdk,
		Session: s.id, Audio: s.streams.mode(), Cameras: s.streams.Cameras, Screen: s.streams.Screen,
	}
}

func (s *session) setBeginning(b bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.beginning = b
}

// noteOpened leaves the first number beside the frames.
func (s *session) noteOpened(ctx context.Context, o recorder.Opened) {
	data, err := json.Marshal(openedNote{o.FirstSeq, o.At})
	if err != nil {
		return // a number and a time always marshal
	}
	s.writeWithin(ctx, func(b *spool.Batch) { b.Note(s.recording, noteOpenedKind, data) })
}
