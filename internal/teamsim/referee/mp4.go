package referee

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// A stored picture is one frame of video as an archive has it.
type storedPicture struct {
	accessUnit

	// time is from where the file's timeline begins, in ticks of 100 ns; tick is how
	// exact it is.
	time, tick int64
}

// A film is what a file of video holds.
type film struct {
	pictures []storedPicture
	sets     [][]byte // parameter sets of its header
	timed    bool     // the pictures have times
}

// An mp4 is as much of an MP4 file (ISO/IEC 14496-12 and -15) as the referee wants to
// know: one track of H.264 in fragments. It is written from the standard, and shares
// nothing with the recorder.
type mp4 struct {
	film

	file      []byte
	timescale int64
	length    int // bytes of a NAL unit's length
	// Defaults of the samples, of the track and of the fragment at hand.
	duration, size uint32
	fragment       trackFragment
}

type trackFragment struct {
	base           int64 // in the file
	at             int64 // in time
	duration, size uint32
}

var errCut = errors.New("a box ends too early")

// readMP4 takes a file apart.
func readMP4(file []byte) (film, error) {
	m := &mp4{file: file, film: film{timed: true}}
	err := m.boxes(file, 0, func(kind string, body []byte, at int64) error {
		switch kind {
		case "moov":
			return m.movie(body, at)
		case "moof":
			return m.movieFragment(body, at)
		}
		return nil
	})
	if err == nil && (m.timescale == 0 || m.length == 0) {
		err = errors.New("there is no track of H.264")
	}
	return m.film, err
}

// boxes calls f with each box; at is where its body is in the file.
func (m *mp4) boxes(b []byte, at int64, f func(kind string, body []byte, at int64) error) error {
	for len(b) > 0 {
		if len(b) < 8 {
			return errCut
		}
		size, head := int64(binary.BigEndian.Uint32(b)), int64(8)
		switch {
		case size == 1 && len(b) >= 16:
			size, head = int64(binary.BigEndian.Uint64(b[8:])), 16 //nolint:gosec // checked below
		case size == 0:
			size = int64(len(b))
		}
		if size < head || size > int64(len(b)) {
			return errCut
		}
		kind := string(b[4:8])
		if err := f(kind, b[head:size], at+head); err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
		b, at = b[size:], at+size
	}
	return nil
}

// movie reads the header: the time scale, the form of samples, the parameter sets.
func (m *mp4) movie(b []byte, at int64) error {
	return m.boxes(b, at, func(kind string, body []byte, at int64) error {
		switch kind {
		case "trak", "mdia", "minf", "stbl", "mvex":
			return m.movie(body, at)
		case "mdhd":
			return m.mediaHeader(body)
		case "trex":
			if len(body) < 24 {
				return errCut
			}
			m.duration, m.size = binary.BigEndian.Uint32(body[12:]), binary.BigEndian.Uint32(body[16:])
		case "stsd":
			if len(body) < 8 {
				return errCut
			}
			return m.boxes(body[8:], at+8, m.sampleEntry)
		}
		return nil
	})
}

func (m *mp4) mediaHeader(b []byte) error {
	at := 12
	if len(b) > 0 && b[0] == 1 {
		at = 20
	}
	if len(b) < at+4 {
		return errCut
	}
	m.timescale = int64(binary.BigEndian.Uint32(b[at:]))
	return nil
}

// sampleEntry reads avc1 or avc3, and in it avcC.
func (m *mp4) sampleEntry(kind string, b []byte, at int64) error {
	const visual = 78
	if (kind != "avc1" && kind != "avc3") || len(b) < visual {
		return nil
	}
	return m.boxes(b[visual:], at+visual, func(kind string, b []byte, _ int64) error {
		if kind != "avcC" {
			return nil
		}
		if len(b) < 7 {
			return errCut
		}
		m.length = int(b[4]&3) + 1
		b = b[5:]
		for _, mask := range []byte{0x1f, 0xff} { // sequence, then picture parameter sets
			if len(b) < 1 {
				return errCut
			}
			n := int(b[0] & mask)
			b = b[1:]
			for range n {
				if len(b) < 2 || len(b) < 2+int(binary.BigEndian.Uint16(b)) {
					return errCut
				}
				end := 2 + int(binary.BigEndian.Uint16(b))
				m.sets = append(m.sets, b[2:end])
				b = b[end:]
			}
		}
		return nil
	})
}

// movieFragment reads one moof; at is where its body is.
func (m *mp4) movieFragment(b []byte, at int64) error {
	return m.boxes(b, at, func(kind string, body []byte, _ int64) error {
		if kind != "traf" {
			return nil
		}
		m.fragment = trackFragment{base: at - 8, at: m.fragment.at, duration: m.duration, size: m.size}
		return m.boxes(body, 0, func(kind string, body []byte, _ int64) error {
			switch kind {
			case "tfhd":
				return m.fragmentHeader(body)
			case "tfdt":
				return m.fragmentTime(body)
			case "trun":
				return m.run(body)
			}
			return nil
		})
	})
}

// A reader takes numbers off the front of a box. What is not there is 0, and cut.
type reader struct {
	b   []byte
	cut bool
}

func (r *reader) u32() uint32 {
	if len(r.b) < 4 {
		r.b, r.cut = nil, true
		return 0
	}
	v := binary.BigEndian.Uint32(r.b)
	r.b = r.b[4:]
	return v
}

// where reads a member that is only there if a flag says so.
func (r *reader) where(there bool, otherwise uint32) uint32 {
	if !there {
		return otherwise
	}
	return r.u32()
}

func (r *reader) err() error {
	if r.cut {
		return errCut
	}
	return nil
}

func (m *mp4) fragmentHeader(b []byte) error {
	r := reader{b: b}
	flags := r.u32()
	r.u32() // track
	if flags&1 != 0 {
		m.fragment.base = int64(r.u32())<<32 | int64(r.u32())
	}
	r.where(flags&2 != 0, 0) // sample description
	m.fragment.duration = r.where(flags&8 != 0, m.fragment.duration)
	m.fragment.size = r.where(flags&16 != 0, m.fragment.size)
	return r.err()
}

func (m *mp4) fragmentTime(b []byte) error {
	switch {
	case len(b) >= 12 && b[0] == 1:
		m.fragment.at = int64(binary.BigEndian.Uint64(b[4:])) //nolint:gosec // nonsense shows in the times
	case len(b) >= 8 && b[0] == 0:
		m.fragment.at = int64(binary.BigEndian.Uint32(b[4:]))
	default:
		return errCut
	}
	return nil
}

// run reads the samples of a trun.
func (m *mp4) run(b []byte) error {
	r := reader{b: b}
	flags, n := r.u32(), r.u32()
	at := m.fragment.base + int64(int32(r.where(flags&1 != 0, 0))) //nolint:gosec // it is signed
	r.where(flags&4 != 0, 0)                                       // flags of the first sample
	if int64(n) > int64(len(m.file)) {
		return errCut
	}
	for range n {
		duration, size := r.where(flags&0x100 != 0, m.fragment.duration), r.where(flags&0x200 != 0, m.fragment.size)
		r.where(flags&0x400 != 0, 0) // flags
		r.where(flags&0x800 != 0, 0) // composition offset: there are no B-frames
		if r.cut || at < 0 || at+int64(size) > int64(len(m.file)) {
			return errCut
		}
		if err := m.sample(m.file[at : at+int64(size)]); err != nil {
			return err
		}
		at += int64(size)
		m.fragment.at += int64(duration)
	}
	return nil
}

// sample takes one apart into its NAL units.
func (m *mp4) sample(b []byte) error {
	if m.length == 0 || m.timescale == 0 {
		return errors.New("samples before the header")
	}
	const second = 10_000_000
	p := storedPicture{
		time: m.fragment.at/m.timescale*second + m.fragment.at%m.timescale*second/m.timescale, tick: max(1, second/m.timescale+1),
	}
	for len(b) > 0 {
		size := 0
		for i := range m.length {
			if i < len(b) {
				size = size<<8 | int(b[i])
			}
		}
		if len(b) < m.length+size {
			return errCut
		}
		p.add(b[m.length : m.length+size])
		b = b[m.length+size:]
	}
	m.pictures = append(m.pictures, p)
	return nil
}
