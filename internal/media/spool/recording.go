package spool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/recorderbot/recorderbot/internal/recorder"
)

// A Recording is an open recording of this process.
type Recording struct {
	// Value is the owner's own: set it right after Begin, before the recording is
	// used in an Update.
	Value any

	log    *Log
	permit recorder.Permit
	orphan bool   // found by Open: it has no permit and takes no media
	track  *track // its fields are guarded by log.known

	// Guarded by log.mu:
	counts counts
	saved  counts  // before the batch of that number
	batch  uint64  // the last batch that held a frame
	seal   *ticket // of the commit that holds the seal; nil: not sealed

	told uint64 // number of the last commit that OnDurable was told of; the committer's
}

// ID returns the recording's ID.
func (r *Recording) ID() string { return r.track.id }

// Begin begins a recording under a permit that must be live: it appends the
// permit record, which is the evidence and meta (JSON, may be nil), and returns
// when that is durable. The ID is the caller's: 1 to 128 of [A-Za-z0-9._-], new
// to the log.
//
// If we crash after the commit and before the return, recovery finds an empty
// recording that is not sealed. The same is undone here when ctx ends first.
func (l *Log) Begin(ctx context.Context, p recorder.Permit, id string, meta []byte) (*Recording, error) {
	ev, err := p.Evidence()
	if err != nil {
		return nil, fmt.Errorf("beginning recording %s: %w", id, err)
	}
	if err = checkMeta(meta); err != nil {
		return nil, fmt.Errorf("beginning recording %s: %w", id, err)
	}
	t, err := l.reserve(id)
	if err != nil {
		return nil, err
	}
	r := &Recording{log: l, permit: p, track: t}
	body, err := json.Marshal(PermitRecord{ID: id, Serial: t.serial, Evidence: ev, Meta: meta})
	if err != nil {
		l.unreserve(t)
		return nil, fmt.Errorf("beginning recording %s: %w", id, err)
	}
	ticket, err := l.update(ctx, func(b *Batch) { b.append(r, diskPermit, 0, body) }, true)
	if err != nil {
		l.unreserve(t)
		return nil, fmt.Errorf("beginning recording %s: %w", id, err)
	}
	known, err := l.outcome(ctx, ticket)
	if !known {
		l.giveUp(r)
	}
	if err != nil {
		return nil, fmt.Errorf("beginning recording %s: %w", id, err)
	}
	return r, nil
}

// reserve takes an ID and a serial.
func (l *Log) reserve(id string) (*track, error) {
	if !validID(id) {
		return nil, fmt.Errorf("spool: recording ID %.140q must be 1 to 128 of [A-Za-z0-9._-]", id)
	}
	l.known.Lock()
	defer l.known.Unlock()
	switch {
	case l.ids[id] != nil:
		return nil, fmt.Errorf("spool: recording %s is already in the log", id)
	case l.serial == maxSerial:
		return nil, errors.New("spool: the log has used up its serials; begin a new one")
	}
	l.serial++
	t := &track{serial: l.serial, id: id}
	l.ids[id] = t
	return t, nil
}

func (l *Log) unreserve(t *track) {
	l.known.Lock()
	defer l.known.Unlock()
	delete(l.ids, t.id)
}

// giveUp has the keeper end a recording that its owner never got: the disk hangs,
// and its owner cannot wait.
func (l *Log) giveUp(r *Recording) {
	l.known.Lock()
	defer l.known.Unlock()
	l.abandoned = append(l.abandoned, r)
	l.keep()
}

// abandon ends a recording without an owner: sealed, so that nothing can follow,
// and released, because it holds nothing.
func (r *Recording) abandon() {
	body, err := r.sealBody(Seal{Cause: "abandoned"})
	if err != nil {
		return
	}
	// A failure means that the log has failed, and then nothing is left to undo.
	_, _ = r.log.update(context.Background(), func(b *Batch) {
		if b.append(r, diskSeal, 0, body) && b.append(r, diskRelease, 0, nil) {
			r.seal = b.buf.wait()
		}
	}, false)
}

// Seal ends the recording: it appends the seal record behind all that was
// appended, and returns when that is durable. From the moment it is called no
// frame is taken. It needs no permit: a recording must be sealed after its permit
// was withdrawn. A second call waits for the first one's seal and returns the same.
func (r *Recording) Seal(ctx context.Context, s Seal) (Sealed, error) {
	if err := checkMeta(s.Meta); err != nil {
		return Sealed{}, fmt.Errorf("sealing recording %s: %w", r.ID(), err)
	}
	t, err := r.appendSeal(ctx, s)
	if err != nil {
		return Sealed{}, fmt.Errorf("sealing recording %s: %w", r.ID(), err)
	}
	return r.log.sealed(ctx, r.track, t)
}

func (r *Recording) appendSeal(ctx context.Context, s Seal) (*ticket, error) {
	r.log.mu.Lock()
	t := r.seal
	r.log.mu.Unlock()
	if t != nil {
		return t, nil
	}
	var failed error
	_, err := r.log.update(ctx, func(b *Batch) {
		if t = r.seal; t != nil {
			return
		}
		var body []byte
		if body, failed = r.sealBody(s); failed != nil {
			return
		}
		if g := s.Missing; g != nil && !b.append(r, diskGap, g.Kind, gapBody(*g)) {
			return
		}
		if b.append(r, diskSeal, 0, body) {
			r.seal = b.buf.wait()
			t = r.seal
		}
	}, true)
	return t, errors.Join(failed, err)
}

// sealBody is the seal record of what was appended so far; log.mu is held, or
// nobody else has the recording.
func (r *Recording) sealBody(s Seal) ([]byte, error) {
	return json.Marshal(SealRecord{
		LastSeq: s.LastSeq, Cause: s.Cause, FirstSeq: r.counts.firstSeq, StoredSeq: r.counts.lastSeq,
		Frames: r.counts.frames, Recovered: r.orphan, Meta: s.Meta,
	})
}

// sealed waits for a seal's commit.
func (l *Log) sealed(ctx context.Context, t *track, seal *ticket) (Sealed, error) {
	if _, err := l.outcome(ctx, seal); err != nil {
		return Sealed{}, fmt.Errorf("sealing recording %s: %w", t.id, err)
	}
	l.known.Lock()
	defer l.known.Unlock()
	return t.result(), nil
}

// SealRecovered seals a recording that Open found unsealed: what is durable is
// what there is, and Seal.Missing says what there is not. It returns when the seal
// is durable. For one that is already sealed it returns what was sealed; for one
// that this process began it fails.
func (l *Log) SealRecovered(ctx context.Context, id string, s Seal) (Sealed, error) {
	if err := checkMeta(s.Meta); err != nil {
		return Sealed{}, fmt.Errorf("sealing recording %s: %w", id, err)
	}
	l.known.Lock()
	t := l.ids[id]
	var r *Recording
	var sealed bool
	if t != nil {
		sealed, r = t.sealed, l.orphans[id]
	}
	l.known.Unlock()
	switch {
	case t == nil:
		return Sealed{}, fmt.Errorf("sealing recording %s: %w", id, ErrUnknown)
	case r != nil:
		return r.Seal(ctx, s)
	case !sealed:
		return Sealed{}, fmt.Errorf("sealing recording %s: it is open in this process; use Recording.Seal", id)
	}
	l.known.Lock()
	defer l.known.Unlock()
	return t.result(), nil
}

// Release says that a sealed recording is archived and verified, so that its
// space may be used again once nothing else is in it. It returns when that is
// durable: a released recording never comes back. ErrUnknown: it was released
// before, or never was. ErrUnsealed: it is not sealed.
func (l *Log) Release(id string) error {
	l.known.Lock()
	t := l.ids[id]
	sealed := t != nil && t.sealed
	l.known.Unlock()
	switch {
	case t == nil:
		return fmt.Errorf("releasing recording %s: %w", id, ErrUnknown)
	case !sealed:
		return fmt.Errorf("releasing recording %s: %w", id, ErrUnsealed)
	}
	var wait *ticket
	_, err := l.update(context.Background(), func(b *Batch) {
		if b.record(entry{track: t, typ: diskRelease}, 0, nil) {
			wait = b.buf.wait()
		}
	}, false)
	if err == nil {
		_, err = l.outcome(context.Background(), wait)
	}
	if err != nil {
		return fmt.Errorf("releasing recording %s: %w", id, err)
	}
	return nil
}

// checkMeta refuses what could not be read back.
func checkMeta(meta []byte) error {
	switch {
	case len(meta) > maxTextBytes:
		return fmt.Errorf("meta data of %d bytes: %w", len(meta), ErrTooLarge)
	case len(meta) > 0 && !json.Valid(meta):
		return errors.New("spool: meta data is not JSON")
	}
	return nil
}

func validID(id string) bool {
	if id == "" || len(id) > 128 {
		return false
	}
	for _, c := range []byte(id) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}
