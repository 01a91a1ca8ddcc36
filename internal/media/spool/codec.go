package spool

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/recorderbot/recorderbot/internal/media/frame"
)

// diskType is a record's type as the disk has it.
type diskType uint8

const (
	diskPermit      diskType = iota + 1 // JSON of PermitRecord
	diskFrame                           // seq, media time, sender's time; payload
	diskFrameWide                       // the same, and source, width, height before the payload
	diskSilence                         // as diskFrame, payload of zeros left out
	diskSilenceWide                     // as diskFrameWide, payload of zeros left out
	diskGap                             // source, first seq, count, from, to, cause
	diskNote                            // length of kind, kind, JSON
	diskSeal                            // JSON of SealRecord
	diskRelease                         // nothing
	diskTable                           // part of the table
)

// Sizes of records in bytes.
const (
	recordBytes  = 16 // what all records have
	frameBytes   = recordBytes + 24
	wideBytes    = frameBytes + 8
	maxSerial    = 1<<40 - 1
	maxTextBytes = 1 << 20 // meta data and notes
)

var errBadRecord = errors.New("spool: bad record")

// raw is a record as the disk has it.
type raw struct {
	typ    diskType
	serial uint64
	kind   frame.Kind
	flags  frame.Flags
	socket uint8
	body   []byte // behind the 16 bytes that all records have
	size   int    // of the whole record
}

// putRecord completes the record in b, whose body is in place.
func putRecord(b []byte, typ diskType, serial uint64, kind frame.Kind, flags frame.Flags, socket uint8) {
	le := binary.LittleEndian
	le.PutUint32(b[4:], u32(len(b))|uint32(typ)<<24)
	le.PutUint64(b[8:], serial<<24|uint64(kind)<<16|uint64(flags)<<8|uint64(socket))
	le.PutUint32(b, checksum(b[4:]))
}

// parseRecord reads the record at the beginning of b.
func parseRecord(b []byte) (raw, error) {
	le := binary.LittleEndian
	if len(b) < recordBytes {
		return raw{}, fmt.Errorf("%w: %d bytes left", errBadRecord, len(b))
	}
	w := le.Uint32(b[4:])
	n := int(w & 0xffffff)
	if n < recordBytes || n > len(b) {
		return raw{}, fmt.Errorf("%w: length %d of %d", errBadRecord, n, len(b))
	}
	if checksum(b[4:n]) != le.Uint32(b) {
		return raw{}, fmt.Errorf("%w: checksum", errBadRecord)
	}
	v := le.Uint64(b[8:])
	r := raw{
		typ: diskType(w >> 24), serial: v >> 24, kind: frame.Kind(v >> 16 & 0xff), flags: frame.Flags(v >> 8 & 0xff),
		socket: uint8(v & 0xff), body: b[recordBytes:n:n], size: n,
	}
	switch r.typ {
	case diskFrame, diskSilence:
		n -= frameBytes
	case diskFrameWide, diskSilenceWide:
		n -= wideBytes
	case diskGap:
		n -= recordBytes + 37
	case diskPermit, diskNote, diskSeal, diskRelease, diskTable:
	default:
		return raw{}, fmt.Errorf("%w: unknown type %d", errBadRecord, r.typ)
	}
	if n < 0 {
		return raw{}, fmt.Errorf("%w: type %d is too short", errBadRecord, r.typ)
	}
	return r, nil
}

// silent reports whether the frame is audio whose samples are all zero. The
// platform's silence flag is not asked: it is an opinion, zeros are a fact.
func silent(f *frame.Frame) bool {
	if !f.Kind.Audio() || len(f.Payload) != frame.AudioBytes {
		return false
	}
	for p := f.Payload; len(p) >= 8; p = p[8:] {
		if binary.LittleEndian.Uint64(p) != 0 {
			return false
		}
	}
	return true
}

// frameSize returns type and length of a frame's record.
func frameSize(f *frame.Frame) (diskType, int) {
	wide := f.Source != 0 || f.Width != 0 || f.Height != 0
	switch quiet := silent(f); {
	case wide && quiet:
		return diskSilenceWide, wideBytes
	case wide:
		return diskFrameWide, wideBytes + len(f.Payload)
	case quiet:
		return diskSilence, frameBytes
	}
	return diskFrame, frameBytes + len(f.Payload)
}

// putFrame writes a frame's record; b has the length that frameSize said.
func putFrame(b []byte, typ diskType, serial uint64, f *frame.Frame) {
	le := binary.LittleEndian
	le.PutUint64(b[16:], f.Seq)
	le.PutUint64(b[24:], bits(f.MediaTime))
	le.PutUint64(b[32:], bits(f.SenderTime))
	switch typ {
	case diskFrame:
		copy(b[frameBytes:], f.Payload)
	case diskFrameWide, diskSilenceWide:
		le.PutUint32(b[40:], f.Source)
		le.PutUint16(b[44:], f.Width)
		le.PutUint16(b[46:], f.Height)
		if typ == diskFrameWide {
			copy(b[wideBytes:], f.Payload)
		}
	case diskSilence, diskPermit, diskGap, diskNote, diskSeal, diskRelease, diskTable:
	}
	putRecord(b, typ, serial, f.Kind, f.Flags, f.Socket)
}

func gapBody(g frame.Gap) []byte {
	le := binary.LittleEndian
	b := make([]byte, 0, 48)
	b = le.AppendUint32(b, g.Source)
	b = le.AppendUint64(b, g.FirstSeq)
	b = le.AppendUint64(b, g.Count)
	b = le.AppendUint64(b, bits(g.FromTime))
	b = le.AppendUint64(b, bits(g.ToTime))
	b = append(b, byte(min(len(g.Cause), 255)))
	return append(b, g.Cause[:min(len(g.Cause), 255)]...)
}

func noteBody(kind string, data []byte) []byte {
	b := append([]byte{byte(min(len(kind), 255))}, kind[:min(len(kind), 255)]...)
	return append(b, data...)
}

// seq returns a frame's sequence number.
func (r *raw) seq() uint64 { return binary.LittleEndian.Uint64(r.body) }

// frame reads a frame's header.
func (r *raw) frame() frame.Header {
	le := binary.LittleEndian
	h := frame.Header{
		Seq: r.seq(), MediaTime: signed(le.Uint64(r.body[8:])), SenderTime: signed(le.Uint64(r.body[16:])),
		Kind: r.kind, Flags: r.flags, Socket: r.socket,
	}
	if r.typ == diskFrameWide || r.typ == diskSilenceWide {
		h.Source, h.Width, h.Height = le.Uint32(r.body[24:]), le.Uint16(r.body[28:]), le.Uint16(r.body[30:])
	}
	return h
}

// payload returns a frame's payload; silence is written into zeros, which has
// AudioBytes zeros.
func (r *raw) payload(zeros []byte) []byte {
	switch r.typ {
	case diskFrame:
		return r.body[frameBytes-recordBytes:]
	case diskFrameWide:
		return r.body[wideBytes-recordBytes:]
	case diskSilence, diskSilenceWide, diskPermit, diskGap, diskNote, diskSeal, diskRelease, diskTable:
	}
	return zeros
}

// record turns a record of the disk into what Read yields.
func (r *raw) record(at int64, zeros []byte) (Record, error) {
	le := binary.LittleEndian
	rec := Record{At: time.Unix(0, at).UTC()}
	switch r.typ {
	case diskFrame, diskFrameWide, diskSilence, diskSilenceWide:
		rec.Type, rec.Header, rec.Payload = FrameType, r.frame(), r.payload(zeros)
	case diskGap:
		b := r.body
		if int(b[36]) != len(b)-37 {
			return Record{}, fmt.Errorf("%w: gap's cause", errBadRecord)
		}
		rec.Type = GapType
		rec.Gap = frame.Gap{
			Kind: r.kind, Source: le.Uint32(b), FirstSeq: le.Uint64(b[4:]), Count: le.Uint64(b[12:]),
			FromTime: signed(le.Uint64(b[20:])), ToTime: signed(le.Uint64(b[28:])), Cause: frame.GapCause(b[37:]),
		}
	case diskNote:
		if len(r.body) < 1 || int(r.body[0]) > len(r.body)-1 {
			return Record{}, fmt.Errorf("%w: note's kind", errBadRecord)
		}
		n := 1 + int(r.body[0])
		rec.Type, rec.Note = NoteType, Note{Kind: string(r.body[1:n]), Data: append(json.RawMessage(nil), r.body[n:]...)}
	case diskPermit:
		rec.Type, rec.Permit = PermitType, new(PermitRecord)
		if err := json.Unmarshal(r.body, rec.Permit); err != nil {
			return Record{}, fmt.Errorf("%w: permit: %w", errBadRecord, err)
		}
	case diskSeal:
		rec.Type, rec.Seal = SealType, new(SealRecord)
		if err := json.Unmarshal(r.body, rec.Seal); err != nil {
			return Record{}, fmt.Errorf("%w: seal: %w", errBadRecord, err)
		}
	case diskRelease, diskTable:
		return Record{}, fmt.Errorf("%w: type %d is no recording's", errBadRecord, r.typ)
	}
	return rec, nil
}
