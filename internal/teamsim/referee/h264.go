package referee

import "bytes"

// The NAL units that matter here (ITU-T H.264, table 7-1).
const (
	nalSlice = 1
	nalIDR   = 5
	nalSPS   = 7
	nalPPS   = 8
)

// An accessUnit is one picture: its slices, and the parameter sets that came with it.
type accessUnit struct {
	slices, sets [][]byte
}

func (u *accessUnit) add(nal []byte) {
	if len(nal) == 0 {
		return
	}
	switch nal[0] & 0x1f {
	case nalSlice, nalIDR:
		u.slices = append(u.slices, nal)
	case nalSPS, nalPPS:
		u.sets = append(u.sets, nal)
	}
}

// key tells whether it is an IDR picture.
func (u *accessUnit) key() bool { return len(u.slices) > 0 && u.slices[0][0]&0x1f == nalIDR }

// same tells whether it is the same picture, to the byte.
func (u *accessUnit) same(o *accessUnit) bool {
	if len(u.slices) != len(o.slices) {
		return false
	}
	for i := range u.slices {
		if !bytes.Equal(u.slices[i], o.slices[i]) {
			return false
		}
	}
	return true
}

// nals parts an Annex B byte stream (H.264, annex B) into NAL units. Each shares the
// stream's memory.
func nals(stream []byte) [][]byte {
	code := []byte{0, 0, 1}
	var out [][]byte
	i := bytes.Index(stream, code)
	for i >= 0 {
		from := i + len(code)
		next := bytes.Index(stream[from:], code)
		end := len(stream)
		if next >= 0 {
			end = from + next
			i = end
		} else {
			i = -1
		}
		out = append(out, bytes.TrimRight(stream[from:end], "\x00")) // a NAL unit never ends with zeros
	}
	return out
}

// unitOf is the access unit that a frame holds.
func unitOf(annexB []byte) accessUnit {
	var u accessUnit
	for _, nal := range nals(annexB) {
		u.add(nal)
	}
	return u
}

// units parts a whole byte stream into its access units. One begins with its parameter
// sets, or with the first slice of a picture: that whose first macroblock is the first.
func units(stream []byte) []accessUnit {
	var all []accessUnit
	var cur accessUnit
	flush := func() {
		if len(cur.slices) > 0 {
			all = append(all, cur)
			cur = accessUnit{}
		}
	}
	for _, nal := range nals(stream) {
		if len(nal) < 2 {
			continue
		}
		switch kind := nal[0] & 0x1f; {
		case kind == nalSPS || kind == nalPPS, (kind == nalSlice || kind == nalIDR) && nal[1]&0x80 != 0:
			flush()
		}
		cur.add(nal)
	}
	flush()
	return all
}
