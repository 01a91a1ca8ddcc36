package mp4

import (
	"encoding/binary"
	"fmt"
	"time"
)

const (
	maxMoov = 1 << 20                         // bytes; the sets and the title have 68 KiB at most
	maxMoof = moofSize + maxSamples*trunEntry // bytes
	maxMdat = maxBuffered + maxSample         // bytes
)

// A parser reads from the content of a box. Its first fault sticks, and what is
// read after it is 0.
type parser struct {
	b     []byte
	fault string
}

func (p *parser) fail(format string, args ...any) {
	if p.fault == "" {
		p.fault = fmt.Sprintf(format, args...)
	}
	p.b = nil
}

// take reads n bytes; where there are fewer it fails and returns zeros.
func (p *parser) take(n int) []byte {
	if n > len(p.b) {
		p.fail("a box ends within a value")
		return make([]byte, min(n, 256))
	}
	b := p.b[:n]
	p.b = p.b[n:]
	return b
}

func (p *parser) u8() byte    { return p.take(1)[0] }
func (p *parser) u16() int    { return int(binary.BigEndian.Uint16(p.take(2))) }
func (p *parser) u32() uint32 { return binary.BigEndian.Uint32(p.take(4)) }

// i64 reads a time or length of 64 bits.
func (p *parser) i64() int64 {
	v := binary.BigEndian.Uint64(p.take(8))
	if v > 3*maxTime {
		p.fail("a time of %d ticks", v)
		return 0
	}
	return int64(v)
}

// want reads a number that can only be one.
func (p *parser) want(what string, v uint32) {
	if got := p.u32(); got != v {
		p.fail("%s is %#x, must be %#x", what, got, v)
	}
}

// box reads the header of the next box, which must be of a kind, and returns its
// content. Its faults are p's.
func (p *parser) box(kind string) *parser {
	got, in := p.any()
	if got != kind {
		p.fail("box %q where %q is expected", got, kind)
	}
	return in
}

// any reads the next box of whatever kind.
func (p *parser) any() (kind string, in *parser) {
	size := int64(p.u32()) - 8
	kind = string(p.take(4))
	if size < 0 || size > int64(len(p.b)) {
		p.fail("box %q does not fit into the one around it", kind)
		return kind, &parser{}
	}
	return kind, &parser{b: p.take(int(size))}
}

// full reads the next box, which must be of a kind, version and flags.
func (p *parser) full(kind string, version byte, flags uint32) *parser {
	in := p.box(kind)
	in.want("version and flags of "+kind, uint32(version)<<24|flags)
	return in
}

// done takes over the fault of a box that was read, and fails where it holds more.
func (p *parser) done(in *parser) {
	if in.fault == "" && len(in.b) > 0 {
		in.fail("a box holds %d bytes too many", len(in.b))
	}
	if in.fault != "" {
		p.fail("%s", in.fault)
	}
}

// header reads ftyp and moov.
func (r *Reader) header() error {
	for _, want := range []string{"ftyp", "moov"} {
		at := r.at
		kind, size, err := r.next()
		if err != nil {
			if r.at == at {
				return &Error{Offset: at, Fault: "the file ends before its header", cut: true}
			}
			return err
		}
		if kind != want || size > maxMoov {
			return &Error{Offset: at, Fault: fmt.Sprintf("box %q of %d bytes where %q is expected", kind, size, want)}
		}
		b, err := r.read(nil, size)
		if err != nil {
			return err
		}
		p := &parser{b: b}
		if kind == "moov" {
			r.moov(p)
		}
		if p.fault != "" {
			return &Error{Offset: at, Fault: kind + ": " + p.fault}
		}
	}
	return nil
}

func (r *Reader) moov(p *parser) {
	mvhd := p.full("mvhd", 1, 0)
	r.info.Created = from1904(mvhd.i64())
	mvhd.i64()
	mvhd.want("timescale", Timescale)
	trak := p.box("trak")
	tkhd := trak.full("tkhd", 1, 3)
	tkhd.take(8 + 8)
	tkhd.want("track", trackID)
	tkhd.take(4 + 8 + 8 + 8 + 36)
	r.info.Width, r.info.Height = int(tkhd.u32()>>16), int(tkhd.u32()>>16)
	trak.done(tkhd)
	mdia := trak.box("mdia")
	mdhd := mdia.full("mdhd", 1, 0)
	mdhd.take(8 + 8)
	mdhd.want("timescale", Timescale)
	mdia.box("hdlr")
	minf := mdia.box("minf")
	minf.box("vmhd")
	minf.box("dinf")
	stbl := minf.box("stbl")
	stsd := stbl.full("stsd", 0, 0)
	stsd.want("number of sample entries", 1)
	r.entry(stsd)
	mvex := p.box("mvex")
	kind, in := mvex.any()
	if kind == "mehd" {
		in.want("version and flags of mehd", 1<<24)
		r.info.Length = in.i64()
		mvex.done(in)
	}
	for _, done := range []struct{ outer, inner *parser }{
		{stbl, stsd}, {minf, stbl}, {mdia, mdhd}, {mdia, minf}, {trak, mdia}, {p, mvhd}, {p, trak}, {p, mvex},
	} {
		if done.inner.fault != "" {
			done.outer.fail("%s", done.inner.fault)
		}
	}
	if len(p.b) > 0 {
		r.title(p)
	}
}

// entry reads the sample entry.
func (r *Reader) entry(stsd *parser) {
	kind, in := stsd.any()
	if kind != "avc1" && kind != "avc3" {
		stsd.fail("sample entry %q", kind)
		return
	}
	r.info.Entry = kind
	in.take(8 + 16 + 4 + 12 + 2 + 32 + 4)
	avcC := in.box("avcC")
	avcC.take(4)
	if lengths, n := avcC.u8(), avcC.u8(); lengths&3 != 3 || n&31 == 0 {
		avcC.fail("lengths of %d bytes, or no parameter set", lengths&3+1)
	}
	sps, err := ParseSPS(avcC.take(avcC.u16()))
	if err != nil {
		avcC.fail("%v", err)
	}
	r.info.SPS = sps
	for _, in := range []*parser{avcC, in} {
		if in.fault != "" {
			stsd.fail("%s", in.fault)
		}
	}
}

// title reads udta.
func (r *Reader) title(p *parser) {
	udta := p.box("udta")
	meta := udta.full("meta", 0, 0)
	meta.box("hdlr")
	ilst := meta.box("ilst")
	name := ilst.box("\xa9nam")
	data := name.box("data")
	data.take(8)
	r.info.Title = string(data.b)
	for _, in := range []*parser{data, name, ilst, meta, udta} {
		if in.fault != "" {
			p.fail("%s", in.fault)
		}
	}
}

// from1904 is a box's time, zero where it is 0.
func from1904(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds-from1904to1970, 0).UTC()
}

// moof reads a fragment's moof and the header of its mdat.
func (r *Reader) moof(at, size int64) error {
	if size+8 > maxMoof {
		return &Error{Offset: at, Fault: fmt.Sprintf("moof of %d bytes", size+8)}
	}
	b, err := r.read(nil, size)
	if err != nil {
		return err
	}
	p := &parser{b: b}
	sum := r.parseMoof(p, uint32(size+8)) //nolint:gosec // at most maxMoof
	if p.fault != "" {
		return &Error{Offset: at, Fault: "moof: " + p.fault}
	}
	at = r.at
	kind, size, err := r.next()
	if err != nil && r.at == at {
		err = &Error{Offset: at, Fault: "the file ends before the samples of a fragment", cut: true}
	}
	if err == nil && (kind != "mdat" || size != sum) {
		err = &Error{Offset: at, Fault: fmt.Sprintf("box %q of %d bytes where mdat of %d is expected", kind, size, sum)}
	}
	if err == nil {
		r.samples = r.table
	}
	return err
}

// parseMoof reads the samples of a fragment, and returns how many bytes they
// have.
func (r *Reader) parseMoof(p *parser, moofBytes uint32) (sum int64) {
	mfhd := p.full("mfhd", 0, 0)
	r.sequence++
	mfhd.want("number of the fragment", r.sequence)
	p.done(mfhd)
	traf := p.box("traf")
	tfhd := traf.full("tfhd", 0, defaultBaseIsMoof)
	tfhd.want("track", trackID)
	traf.done(tfhd)
	tfdt := traf.full("tfdt", 1, 0)
	if r.time = tfdt.i64(); r.time < r.end {
		tfdt.fail("begins at tick %d, before the end of the fragment before it, %d", r.time, r.end)
	}
	traf.done(tfdt)
	trun := traf.full("trun", 0, offsetDurationSizeFlags)
	n := trun.u32()
	if n == 0 || n > maxSamples {
		trun.fail("%d samples", n)
	}
	trun.want("offset of the samples", moofBytes+8)
	r.table = r.table[:0]
	for range n {
		s := sample{duration: trun.u32(), size: trun.u32(), flags: trun.u32()}
		if s.size < 5 || s.size > maxSample || s.duration == 0 || trun.fault != "" {
			trun.fail("a sample of %d bytes and %d ticks", s.size, s.duration)
			break
		}
		if f := s.flags &^ flagDamaged; f != flagsKey && f != flagsOther && f != flagsKey|flagNoSync {
			trun.fail("sample flags %#x", s.flags)
		}
		sum += int64(s.size)
		r.table = append(r.table, s)
	}
	if sum > maxMdat {
		trun.fail("samples of %d bytes", sum)
	}
	traf.done(trun)
	p.done(traf)
	if len(p.b) > 0 {
		p.fail("more than one track")
	}
	return sum
}
