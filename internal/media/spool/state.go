package spool

import (
	"encoding/json"
	"fmt"
	"time"
)

// place is where a record is.
type place struct {
	gen  uint64
	off  uint32 // bytes from the beginning of the segment
	size uint32 // bytes
}

// track is what is known of one recording from its durable records. It is the
// same while the log runs, in recovery and in Check.
type track struct {
	serial uint64
	id     string
	permit place

	sealed     bool
	lastGen    uint64 // generation that holds the seal; 0 while unsealed
	sealCommit uint64
	sealAt     int64

	firstSeq, lastSeq, frames uint64
	firstAt, lastAt           int64 // of commits, ns since 1970

	offs []uint32 // where its records are in the current segment, in order
}

// state is what is known of all recordings that were not released.
type state struct {
	tracks map[uint64]*track // by serial
	serial uint64            // highest that was used

	records, frames int // that were applied
}

func newState() *state { return &state{tracks: make(map[uint64]*track)} }

// permitted enters a recording whose permit record is at p.
func (s *state) permitted(t *track, p place, at int64) {
	t.permit, t.firstAt = p, at
	t.touched(p.off, at)
	s.tracks[t.serial] = t
	s.serial = max(s.serial, t.serial)
}

// touched enters any record of the recording.
func (t *track) touched(off uint32, at int64) {
	t.offs = append(t.offs, off)
	t.lastAt = at
}

// stored enters a frame.
func (t *track) stored(seq uint64) {
	if t.frames == 0 || seq < t.firstSeq {
		t.firstSeq = seq
	}
	t.lastSeq = max(t.lastSeq, seq)
	t.frames++
}

// sealedBy enters the seal.
func (t *track) sealedBy(h header) {
	t.sealed, t.lastGen, t.sealCommit, t.sealAt = true, h.gen, h.number, h.at
}

func (t *track) result() Sealed {
	return Sealed{
		ID: t.id, Serial: t.serial, At: time.Unix(0, t.sealAt).UTC(), Commit: t.sealCommit,
		FirstSeq: t.firstSeq, LastSeq: t.lastSeq, Frames: t.frames,
	}
}

// apply enters all records of one commit that begins at off in its segment, and
// reports what breaks a law.
func (s *state) apply(h header, off int64, body []byte, report func(Finding)) {
	for pos := 0; pos < len(body); {
		at := off + headerBytes + int64(pos)
		r, err := parseRecord(body[pos:])
		if err != nil {
			// The commit's own checksum was right, so this was written like that.
			report(Finding{Kind: BadRecord, Offset: at, Detail: err.Error()})
			return
		}
		s.records++
		s.applyRecord(h, at, &r, report)
		pos += r.size
	}
}

func (s *state) applyRecord(h header, at int64, r *raw, report func(Finding)) {
	off := u32(at)
	found := func(kind FindingKind, id string, format string, args ...any) {
		report(Finding{Kind: kind, Offset: at, Serial: r.serial, Recording: id, Detail: fmt.Sprintf(format, args...)})
	}
	t := s.tracks[r.serial]
	switch r.typ {
	case diskTable:
		return
	case diskPermit:
		var p PermitRecord
		err := json.Unmarshal(r.body, &p)
		switch {
		case err != nil:
			found(BadPermit, "", "unreadable: %v", err)
		case t != nil:
			found(BadPermit, t.id, "a second permit record under the same serial")
		case p.Serial != r.serial || p.ID == "" || p.Evidence.Call == "" || p.Evidence.Context == "":
			found(BadPermit, p.ID, "no evidence of the reply that allowed it")
		}
		if t == nil && err == nil {
			s.permitted(&track{serial: r.serial, id: p.ID}, place{h.gen, off, u32(r.size)}, h.at)
		}
		return
	case diskFrame, diskFrameWide, diskSilence, diskSilenceWide, diskGap, diskNote, diskSeal, diskRelease:
	}
	switch {
	case t == nil && r.typ == diskRelease:
		return // released before
	case t == nil:
		found(BeforePermit, "", "record of type %d before any permit record of its recording", r.typ)
		return
	case t.sealed && r.typ != diskRelease:
		found(AfterSeal, t.id, "record of type %d after the seal", r.typ)
		return
	}
	s.applyTo(t, h, off, r, found)
}

func (s *state) applyTo(t *track, h header, off uint32, r *raw, found func(FindingKind, string, string, ...any)) {
	switch r.typ {
	case diskFrame, diskFrameWide, diskSilence, diskSilenceWide:
		s.frames++
		if seq := r.seq(); t.frames > 0 && seq <= t.lastSeq {
			found(BadOrder, t.id, "frame %d after frame %d", seq, t.lastSeq)
		}
		t.stored(r.seq())
	case diskSeal:
		var seal SealRecord
		if err := json.Unmarshal(r.body, &seal); err != nil {
			found(BadSeal, t.id, "unreadable: %v", err)
		} else if seal.Frames != t.frames || seal.StoredSeq != t.lastSeq {
			found(BadSeal, t.id, "says %d frames up to %d, the log has %d up to %d", seal.Frames, seal.StoredSeq, t.frames, t.lastSeq)
		}
		t.sealedBy(h)
	case diskRelease:
		if !t.sealed {
			found(BadSeal, t.id, "released before it was sealed")
		}
		delete(s.tracks, t.serial)
		return
	case diskGap, diskNote, diskPermit, diskTable:
	}
	t.touched(off, h.at)
}
